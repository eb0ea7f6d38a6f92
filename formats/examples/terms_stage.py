#!/usr/bin/env python3
"""A text encoder as a stage between two tools, in numpy: the terms of all texts at once (latent semantic analysis).

    pm-tokenize --model sentencepiece.bpe.model items.tsv | python3 formats/examples/terms_stage.py > text.pmt
    pm-train-user --users users.tsv --text text.pmt --dim 64 -o model.pmt
    pm-fuse --model model.pmt --text text.pmt -o items.pmt

A term is a token, or up to LENGTH of them in a row, that stands in several texts; how often it stands in a text counts
by its logarithm, and the rarer it is among the texts the more (tf-idf). Of the matrix of texts and terms the WIDTH
largest components are kept, their lengths s as s^POWER: below 1, what tells few items apart is nearly as large as what
tells genres apart, so that the projection that pm-train-user learns has both at hand. Each item has one hidden state.

All texts are in memory, and the time is that of an eigenvalue problem of as many rows as there are items: three
quarters of a minute for three thousand. New items need a new run, and with it a new training."""
import argparse
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
try:
    import numpy as np
    import pmt
except ModuleNotFoundError as missing:
    sys.exit(f"terms_stage.py: this python3 has no {missing.name}; Debian's has it from the package "
             f"python3-{missing.name}")


def terms(ids, length):
    return collections.Counter(tuple(ids[i:i + n]) for n in range(1, length + 1) for i in range(len(ids) + 1 - n))


def weigh(texts):
    """The matrix [texts, terms], the rows of length 1."""
    spread = collections.Counter(term for text in texts for term in text)
    columns = {term: i for i, term in enumerate(sorted(term for term in spread if spread[term] > 1))}
    matrix = np.zeros((len(texts), len(columns)), "f4")
    for row, text in zip(matrix, texts):
        for term in text.keys() & columns.keys():
            row[columns[term]] = (1 + np.log(text[term])) * np.log(len(texts) / spread[term])
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)


def components(matrix, width, power):
    """As hidden states of deviation 1. The squares of the singular values are the eigenvalues of the products."""
    squares, vectors = np.linalg.eigh(matrix @ matrix.T)
    states = vectors[:, ::-1][:, :width] * np.maximum(squares[::-1][:width], 0) ** (power / 2)
    return (states / states.std()).astype("f4")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="?", default="-", help="a stream of tokens; else standard input")
    parser.add_argument("-o", "--output", default="-", help="else standard output")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--length", type=int, default=2)
    parser.add_argument("--power", type=float, default=0.5)
    options = parser.parse_args()
    with pmt.Reader(options.input) as reader:
        if reader.header["kind"] != "tokens":
            raise pmt.Error(f"{reader.name}: a stream of kind '{reader.header['kind']}'; one of kind tokens is needed here")
        # The first and the last token stand in every text.
        items = [(key, terms(tensors["ids"][1:-1].tolist(), options.length)) for key, tensors in reader]
        states = components(weigh([text for _, text in items]), options.width, options.power)
        header = pmt.create_header("hidden", modality="text", encoder={"architecture": "terms"}, blocks="last",
                                   width=states.shape[1], dtype="f32")
        pmt.sign(header, "terms_stage.py", input=reader.header,
                 options={"width": options.width, "length": options.length, "power": options.power})
        with pmt.Writer(options.output, header) as writer:
            for (key, _), state in zip(items, states):
                writer.write(key, {"hidden": state[None, :]})
            writer.add_content("input", reader.content)


if __name__ == "__main__":
    try:
        main()
    except (pmt.Error, OSError) as error:
        sys.exit(f"terms_stage.py: {error}")
