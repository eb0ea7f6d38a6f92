#!/usr/bin/env python3
"""A whole Hugging Face model as a stage: any text or image model that `transformers` loads, finished hidden states out.

    python3 transformers_stage.py --model sentence-transformers/all-mpnet-base-v2 --items items.tsv > text.pmt
    python3 transformers_stage.py --model facebook/dinov2-base --items items.tsv --images posters > image.pmt
    pm-train-user --users users.tsv --text text.pmt --image image.pmt -o model.pmt

The model runs frozen, once an item. --dtype bf16 keeps the states at half the size, i8 at a quarter. Needs torch,
transformers, pillow (for images), numpy, msgpack and zstandard. An encoder that pm-import knows (XLM-RoBERTa, RoBERTa,
BERT, CLIP, ViT) is better imported: then its last blocks can be trained."""
import argparse
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
try:
    import pmt
    import torch
    import transformers
except ModuleNotFoundError as missing:
    sys.exit(f"transformers_stage.py: this python3 has no {missing.name}; pip install torch transformers pillow numpy "
             "msgpack zstandard")


def read_items(path):
    """items.tsv: item TAB text."""
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            item, text = line.rstrip("\n").split("\t")
            yield item, text


def batches(items, size):
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def open_image(folder, item):
    from PIL import Image
    found = sorted(glob.glob(os.path.join(glob.escape(folder), glob.escape(item) + ".*")))
    if len(found) != 1:
        raise pmt.Error(f"{folder}: {len(found)} images of item {item}; one is needed")
    return Image.open(found[0]).convert("RGB")


class TextModel:
    modality = "text"

    def __init__(self, options):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
        self.model = transformers.AutoModel.from_pretrained(options.model)
        self.most = options.max_tokens

    def __call__(self, batch):
        """The hidden states of each item, without those of padding: a masked token is neither stored nor used."""
        inputs = self.tokenizer([text for _, text in batch], padding=True, truncation=True, max_length=self.most,
                                return_tensors="pt").to(self.model.device)
        hidden = self.model(**inputs).last_hidden_state
        return [states[mask.bool()] for states, mask in zip(hidden, inputs["attention_mask"])]


class ImageModel:
    modality = "image"

    def __init__(self, options):
        self.processor = transformers.AutoImageProcessor.from_pretrained(options.model)
        model = transformers.AutoModel.from_pretrained(options.model)
        self.model = getattr(model, "vision_model", model)  # of CLIP and its kind the image part
        self.folder = options.images

    def __call__(self, batch):
        images = [open_image(self.folder, item) for item, _ in batch]
        inputs = self.processor(images, return_tensors="pt").to(self.model.device)
        return list(self.model(inputs["pixel_values"]).last_hidden_state)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a name on the hub, or a folder")
    parser.add_argument("--items", required=True, help="items.tsv")
    parser.add_argument("--images", help="the folder of ITEM.jpg …; without it, the texts are encoded")
    parser.add_argument("--max-tokens", type=int, default=50)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--dtype", choices=["f32", "bf16", "i8"], default="f32", help="of what is written")
    parser.add_argument("-o", "--output", default="-")
    options = parser.parse_args()
    encode = ImageModel(options) if options.images else TextModel(options)
    encode.model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    header = pmt.create_header("hidden", modality=encode.modality, blocks="last", width=encode.model.config.hidden_size,
                               encoder={"architecture": encode.model.config.model_type}, dtype=options.dtype)
    pmt.sign(header, "transformers_stage.py", transformers.__version__,
             {"model": os.path.basename(options.model.rstrip("/")), "max-tokens": options.max_tokens}, items=None)
    with torch.no_grad(), pmt.Writer(options.output, header) as writer:
        for batch in batches(read_items(options.items), options.batch):
            for (item, _), states in zip(batch, encode(batch)):
                writer.write(item, pmt.hidden_tensors(states.float().cpu().numpy(), options.dtype))
        with open(options.items, "rb") as file:
            writer.add_content("items", {"hash": pmt.hash_of(file.read())})


if __name__ == "__main__":
    try:
        main()
    except ModuleNotFoundError as missing:
        sys.exit(f"transformers_stage.py: {missing}; pip install pillow")
    except (pmt.Error, OSError) as error:
        sys.exit(f"transformers_stage.py: {error}")
