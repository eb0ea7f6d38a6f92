#!/usr/bin/env python3
"""make_encoders.py [FOLDER]: makes tests/golden/encoders.

bert-tiny and vit-tiny are made here: random weights, and the hidden states that torch.nn.TransformerEncoderLayer gives
with them in float64. From FOLDER come xlm-roberta-tiny, clip-vit-tiny and clip-tiny-full, each a Hugging Face folder
with the hidden states that PyTorch gave, as expected.npz.

expected.pmt has a record an array, its tensor `value`. Of hidden states, which are only compared, a part is kept: every
`every`-th element, and `largest`, the largest magnitude in all of them. Needs PyTorch, numpy, msgpack and zstandard."""
import json
import os
import shutil
import struct
import sys

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "formats"))
import pmt  # noqa: E402

KEPT = 1024  # elements of each array of hidden states
GIVEN = ("xlm-roberta-tiny", "clip-vit-tiny", "clip-tiny-full")

BERT = {"model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 32, "num_hidden_layers": 3,
        "num_attention_heads": 4, "intermediate_size": 48, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
        "vocab_size": 60, "max_position_embeddings": 20, "type_vocab_size": 2, "pad_token_id": 0,
        "hidden_dropout_prob": 0.1, "position_embedding_type": "absolute"}
VIT = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 32, "num_hidden_layers": 3,
       "num_attention_heads": 2, "intermediate_size": 48, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
       "image_size": 24, "patch_size": 8, "num_channels": 3, "qkv_bias": True}


def folder(name):
    path = os.path.join(HERE, "encoders", name)
    os.makedirs(path, exist_ok=True)
    return path


def write_expected(name, arrays):
    with pmt.Writer(os.path.join(folder(name), "expected.pmt"), pmt.create_header("model")) as writer:
        for key, array in arrays.items():
            array = np.asarray(array)
            array = array.astype("<i4" if array.dtype.kind in "iu" else "<f4")
            tensors = {"value": array}
            if key.startswith("out.") and array.size > KEPT:
                every = array.size // KEPT | 1  # odd, so that all columns of a matrix have their turn
                tensors = {"value": array.ravel()[::every], "every": np.array([every], "<i4"),
                           "largest": np.abs(array).max().reshape(1)}
            writer.write(key, tensors)


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        array = tensor.detach().numpy().astype("<f4")
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + data)


def matrix(*shape):
    return torch.randn(*shape) * (0.5 if len(shape) > 1 else 0.3)


def norm(width):
    return 1 + 0.3 * torch.randn(width), 0.3 * torch.randn(width)


def linear(weights, name, out, into):
    weights[name + ".weight"], weights[name + ".bias"] = matrix(out, into) / into ** 0.5 * 2, matrix(out)


def add_block(weights, config, names):
    """names: query, key, value, output, narrow and wide layers, and the norms of attention and feed-forward."""
    width, wide = config["hidden_size"], config["intermediate_size"]
    for part in ("query", "key", "value", "output"):
        linear(weights, names[part], width, width)
    linear(weights, names["wide"], wide, width)
    linear(weights, names["narrow"], width, wide)
    for part in ("norm1", "norm2"):
        weights[names[part] + ".weight"], weights[names[part] + ".bias"] = norm(width)


def bert_names(block):
    at = f"encoder.layer.{block}."
    return {"query": at + "attention.self.query", "key": at + "attention.self.key", "value": at + "attention.self.value",
            "output": at + "attention.output.dense", "norm1": at + "attention.output.LayerNorm",
            "wide": at + "intermediate.dense", "narrow": at + "output.dense", "norm2": at + "output.LayerNorm"}


def vit_names(block):
    at = f"encoder.layer.{block}."
    return {"query": at + "attention.attention.query", "key": at + "attention.attention.key",
            "value": at + "attention.attention.value", "output": at + "attention.output.dense",
            "norm1": at + "layernorm_before", "wide": at + "intermediate.dense", "narrow": at + "output.dense",
            "norm2": at + "layernorm_after"}


def run_block(weights, config, names, x, padded, norm_first):
    """One block as PyTorch's own layer computes it."""
    width = config["hidden_size"]
    layer = torch.nn.TransformerEncoderLayer(width, config["num_attention_heads"], config["intermediate_size"], dropout=0.0,
                                             activation="gelu", layer_norm_eps=config["layer_norm_eps"], batch_first=True,
                                             norm_first=norm_first).double()
    get = {part: (weights[name + ".weight"].double(), weights[name + ".bias"].double()) for part, name in names.items()}
    layer.load_state_dict({
        "self_attn.in_proj_weight": torch.cat([get[p][0] for p in ("query", "key", "value")]),
        "self_attn.in_proj_bias": torch.cat([get[p][1] for p in ("query", "key", "value")]),
        "self_attn.out_proj.weight": get["output"][0], "self_attn.out_proj.bias": get["output"][1],
        "linear1.weight": get["wide"][0], "linear1.bias": get["wide"][1],
        "linear2.weight": get["narrow"][0], "linear2.bias": get["narrow"][1],
        "norm1.weight": get["norm1"][0], "norm1.bias": get["norm1"][1],
        "norm2.weight": get["norm2"][0], "norm2.bias": get["norm2"][1]})
    layer.train()  # with a dropout of 0; in eval mode another implementation may be chosen
    return layer(x, src_key_padding_mask=padded)


def make_bert():
    """Under `bert.`, layer norms by their older names, beside a masked language model's head, as pytorch_model.bin."""
    torch.manual_seed(1)
    config, weights, width = BERT, {}, BERT["hidden_size"]
    for table, rows in (("word", "vocab_size"), ("position", "max_position_embeddings"), ("token_type", "type_vocab_size")):
        weights[f"embeddings.{table}_embeddings.weight"] = matrix(config[rows], width)
    weights["embeddings.LayerNorm.weight"], weights["embeddings.LayerNorm.bias"] = norm(width)
    for block in range(config["num_hidden_layers"]):
        add_block(weights, config, bert_names(block))
    lengths = [2, 20, 7, 13]
    ids = torch.randint(1, config["vocab_size"], (len(lengths), max(lengths)))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids[~mask] = config["pad_token_id"]
    ids[2, 3] = config["pad_token_id"]  # within a text it is a token like any other
    x = sum(weights[f"embeddings.{table}_embeddings.weight"].double()[index] for table, index in
            (("word", ids), ("position", torch.arange(ids.shape[1])), ("token_type", 0)))
    x = torch.nn.functional.layer_norm(x, (width,), weights["embeddings.LayerNorm.weight"].double(),
                                       weights["embeddings.LayerNorm.bias"].double(), config["layer_norm_eps"])
    states = {"in.input_ids": ids.numpy(), "in.attention_mask": mask.numpy().astype("i4"), "out.hidden.0": x.numpy()}
    for block in range(config["num_hidden_layers"]):
        x = run_block(weights, config, bert_names(block), x, ~mask, False)
        states[f"out.hidden.{block + 1}"] = x.detach().numpy()
    stored = {"bert." + k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
              for k, v in weights.items()}
    stored["bert.embeddings.position_ids"] = torch.arange(config["max_position_embeddings"])[None]
    linear(stored, "bert.pooler.dense", width, width)
    stored["cls.predictions.bias"] = matrix(config["vocab_size"])
    finish("bert-tiny", config, states)
    torch.save(stored, os.path.join(folder("bert-tiny"), "pytorch_model.bin"))


def make_vit():
    """Under `vit.`, beside the layer norm and the classifier that follow the last block."""
    torch.manual_seed(2)
    config, weights, width, patch = VIT, {}, VIT["hidden_size"], VIT["patch_size"]
    patches = (config["image_size"] // patch) ** 2
    weights["embeddings.cls_token"] = matrix(1, 1, width)
    weights["embeddings.position_embeddings"] = matrix(1, 1 + patches, width)
    weights["embeddings.patch_embeddings.projection.weight"] = matrix(width, 3, patch, patch) * 0.3
    weights["embeddings.patch_embeddings.projection.bias"] = matrix(width)
    for block in range(config["num_hidden_layers"]):
        add_block(weights, config, vit_names(block))
    pixels = torch.rand(4, 3, config["image_size"], config["image_size"]) * 2 - 1
    pixels[1] = -1
    x = torch.nn.functional.conv2d(pixels.double(), weights["embeddings.patch_embeddings.projection.weight"].double(),
                                   weights["embeddings.patch_embeddings.projection.bias"].double(), stride=patch)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([weights["embeddings.cls_token"].double().expand(len(x), 1, width), x], 1)
    x = x + weights["embeddings.position_embeddings"].double()
    states = {"in.pixels": pixels.numpy(), "out.hidden.0": x.numpy()}
    for block in range(config["num_hidden_layers"]):
        x = run_block(weights, config, vit_names(block), x, None, True)
        states[f"out.hidden.{block + 1}"] = x.detach().numpy()
    stored = {"vit." + k: v for k, v in weights.items()}
    stored["vit.layernorm.weight"], stored["vit.layernorm.bias"] = norm(width)
    linear(stored, "classifier", 5, width)
    finish("vit-tiny", config, states)
    write_safetensors(os.path.join(folder("vit-tiny"), "model.safetensors"), stored)


def finish(name, config, states):
    with open(os.path.join(folder(name), "config.json"), "w") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    write_expected(name, states)


def copy(source, name):
    for file in ("config.json", "model.safetensors"):
        shutil.copyfile(os.path.join(source, name, file), os.path.join(folder(name), file))
        os.chmod(os.path.join(folder(name), file), 0o644)
    with np.load(os.path.join(source, name, "expected.npz")) as arrays:
        write_expected(name, {key: arrays[key] for key in arrays.files})


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] == ["--help"]:
        sys.exit(__doc__)
    make_bert()
    make_vit()
    for name in GIVEN if len(sys.argv) == 2 else ():
        copy(sys.argv[1], name)


if __name__ == "__main__":
    main()
