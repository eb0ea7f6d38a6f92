#!/usr/bin/env python3
"""A text encoder as a stage between two tools, in numpy: no weights to download and nothing to train in it.

    pm-tokenize --bytes items.tsv | python3 formats/examples/numpy_stage.py > text.pmt
    pm-train-user --users users.tsv --text text.pmt --dim 64 -o model.pmt
    pm-fuse --model model.pmt --text text.pmt -o items.pmt

Every three tokens in a row are hashed to one of BUCKETS numbers, and each number has a random vector: hidden state t
of an item is the vector of the tokens t-1, t, t+1. The projection that pm-train-user learns turns these into a bag of
trigrams that know which items follow each other. What stands in the header tells the tools how to go on: "blocks":
"last" says that no block of any encoder is missing, so that nothing but projections, fusion and user encoder is
trained. Any other encoder is a stage in the same way (transformers_stage.py)."""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
try:
    import numpy as np
    import pmt
except ModuleNotFoundError as missing:
    sys.exit(f"numpy_stage.py: this python3 has no {missing.name}; Debian's has it from the package "
             f"python3-{missing.name}")

BUCKETS = 1 << 16


def trigrams(ids):
    """One number below BUCKETS for each place, from the token and its two neighbours."""
    padded = np.concatenate([[0], ids, [0]]).astype("u8")
    mixed = padded[:-2] * np.uint64(0x9E3779B1) + padded[1:-1] * np.uint64(0x85EBCA77) + padded[2:] * np.uint64(0xC2B2AE3D)
    return (mixed ^ mixed >> np.uint64(29)) % np.uint64(BUCKETS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="?", default="-", help="a stream of tokens; else standard input")
    parser.add_argument("-o", "--output", default="-", help="else standard output")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    vectors = np.random.default_rng(options.seed).standard_normal((BUCKETS, options.width), "f4")
    with pmt.Reader(options.input) as reader:
        if reader.header["kind"] != "tokens":
            raise pmt.Error(f"{reader.name}: a stream of kind '{reader.header['kind']}'; one of kind tokens is needed here")
        header = pmt.create_header("hidden", modality="text", encoder={"architecture": "trigrams"}, blocks="last",
                                   width=options.width, dtype="f32")
        pmt.sign(header, "numpy_stage.py", options={"width": options.width, "seed": options.seed}, input=reader.header)
        with pmt.Writer(options.output, header) as writer:
            for key, tensors in reader:
                writer.write(key, {"hidden": vectors[trigrams(tensors["ids"])]})
            writer.add_content("input", reader.content)


if __name__ == "__main__":
    try:
        main()
    except (pmt.Error, OSError) as error:
        sys.exit(f"numpy_stage.py: {error}")
