#!/usr/bin/env python3
"""convert_modules.py FOLDER: makes tests/golden/modules/*.pmt from the .npz files that the released PyTorch code left.

A record is an array under its name, its tensor `value`; integers are i32, all else f32. Of a large result, which is
only compared, a part is kept: every `every`-th element, and `largest`, the largest magnitude in all of it. What a file
was made with stands in its header as "config", in the words of the command line."""
import json
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "formats"))
import pmt  # noqa: E402

TOWERS = {"modal": "modal", "text-only": "text-only", "CV-only": "image-only", "ID": "id"}
KEPT = {"grad.": 128, "after.": 128, "out.": 2048}


def config(meta):
    return {"tower": TOWERS[meta["item_tower"]], "fusion": meta["fusion"], "user-encoder": meta["user_encoder"],
            "dim": meta["embedding_dim"], "fusion-heads": meta["fusion_heads"],
            "fusion-intermediate": meta["fusion_intermediate"], "user-heads": meta["user_heads"],
            "user-blocks": meta["user_blocks"], "max-seq-len": meta["max_seq_len"], "dropout": 0.0}


def tensors(name, array):
    array = np.asarray(array)
    array = array.astype("<i4" if array.dtype.kind in "iu" else "<f4")
    limit = next((n for prefix, n in KEPT.items() if name.startswith(prefix)), array.size)
    if array.size <= limit:
        return {"value": array}
    every = array.size // limit | 1  # odd, so that all columns of a matrix have their turn
    return {"value": array.ravel()[::every], "every": np.array([every], "<i4"),
            "largest": np.abs(array).max().reshape(1)}


def convert(source, target):
    with np.load(source) as arrays:
        header = pmt.create_header("model")
        if "meta" in arrays.files:
            meta = json.loads(str(arrays["meta"]))
            header["config"] = config(meta)
            header["items"] = meta["items"]
        with pmt.Writer(target, header) as writer:
            for name in arrays.files:
                if name != "meta":
                    writer.write(name, tensors(name, arrays[name]))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for name in sorted(os.listdir(sys.argv[1])):
        if name.endswith(".npz"):
            convert(os.path.join(sys.argv[1], name), os.path.join(HERE, "modules", name[:-4] + ".pmt"))


if __name__ == "__main__":
    main()
