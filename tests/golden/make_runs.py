#!/usr/bin/env python3
"""make_runs.py RUNS RUNS-E2E: makes tests/golden/runs from the two folders of whole runs of the released code.

Of the parameters after training, which are only compared, after.pmt keeps every `every`-th element and `largest`, the
largest magnitude in all of them. In config.json, @ stands for the folder of the run. Needs numpy, msgpack, zstandard."""
import json
import os
import shutil
import struct
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "formats"))
import pmt  # noqa: E402

KEPT = 64
TOWERS = {"modal": "modal", "text-only": "text-only"}


def read_safetensors(path):
    with open(path, "rb") as file:
        head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
            for name, entry in head.items() if name != "__metadata__" and entry["dtype"] == "F32"}


def write_after(path, tensors):
    with pmt.Writer(path, pmt.create_header("model")) as writer:
        for name, array in tensors.items():
            kept = {"value": array}
            if array.size > KEPT:
                every = array.size // KEPT | 1  # odd, so that all columns of a matrix have their turn
                kept = {"value": array.ravel()[::every], "every": np.array([every], "<i4"),
                        "largest": np.abs(array).max().reshape(1)}
            writer.write(name, kept)


def settings(meta, encoders):
    chosen = {"tower": TOWERS[meta["item_tower"]], "fusion": meta["fusion"], "user-encoder": meta["user_encoder"],
              "objective": "dap", "dim": meta["embedding_dim"], "fusion-heads": meta["fusion_heads"],
              "fusion-layers": meta["fusion_layers"], "fusion-intermediate": meta["fusion_intermediate"],
              "user-heads": meta["user_heads"], "user-blocks": meta["user_blocks"], "max-seq-len": meta["max_seq_len"],
              "min-seq-len": meta["min_seq_len"], "epochs": meta["steps"], "batch-size": 0, "lr": 1e-3,
              "weight-decay": 0.1, "dropout": 0.0, "schedule": "constant"}
    if encoders:
        chosen.update({"lr": 2e-3, "text-lr": 1e-3, "image-lr": 1e-3, "text-config": "@/../e2e/text_config.json",
                       "image-config": "@/../e2e/vision_config.json"})
    return chosen


def write_lines(path, lines):
    with open(path, "w") as file:
        file.writelines(line + "\n" for line in lines)


def write_results(target, expected):
    stages = [(stage, split, expected[stage][split]) for stage in ("init", "after") for split in ("valid", "test")]
    write_lines(f"{target}/losses.tsv", (repr(loss) for loss in expected["loss_per_step"]))
    write_lines(f"{target}/ranks.tsv", ("\t".join((stage, split, " ".join(map(str, results["ranks"]))))
                                        for stage, split, results in stages))
    write_lines(f"{target}/metrics.tsv", (f"{stage}\t{split}\t{name}\t{value!r}" for stage, split, results in stages
                                          for name, value in results.items() if name != "ranks"))


def copy(source, target, names):
    os.makedirs(target, exist_ok=True)
    for name in names:
        shutil.copyfile(f"{source}/{name}", f"{target}/{name}")
        os.chmod(f"{target}/{name}", 0o644)


def make(source, shared, name, files, encoders):
    target = os.path.join(HERE, "runs", name)
    copy(shared, target, ("items.tsv", "users.tsv"))
    copy(source, target, files)
    with open(f"{source}/expected.json") as file:
        expected = json.load(file)
    with open(f"{target}/config.json", "w") as file:
        json.dump(settings(expected["meta"], encoders), file, indent=1)
        file.write("\n")
    write_results(target, expected)
    write_after(f"{target}/after.pmt", read_safetensors(f"{source}/after.safetensors"))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for name in ("modal-merge_attn-sasrec", "text-only-sasrec"):
        make(f"{sys.argv[1]}/{name}", f"{sys.argv[1]}/{name}", name, ("init.safetensors", "features.safetensors"), False)
    copy(sys.argv[2], os.path.join(HERE, "runs", "e2e"),
         ("init.safetensors", "inputs.npz", "text_config.json", "vision_config.json"))
    for name in ("freeze0", "freeze2"):
        make(f"{sys.argv[2]}/{name}", sys.argv[2], name, (), True)


if __name__ == "__main__":
    main()
