#!/usr/bin/env python3
"""What pm-recommend must print, in float64 from exported tensors: a SASRec of a model's tensors over item vectors.

    recommend_by_numpy.py MODEL.npz ITEMS.npz ITEMS.keys.tsv USERS.tsv HEADS LENGTH TOP [keep]
    recommend_by_numpy.py --similar ITEMS.npz ITEMS.keys.tsv TOP ITEM..."""
import sys

import numpy as np

PREFIX = "user_encoder.transformer_encoder."


def normalise(x, weight, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * weight + bias


class Sasrec:
    def __init__(self, path, heads):
        self.tensors = {name: array.astype("f8") for name, array in np.load(path).items()}
        self.heads = heads
        self.blocks = 0
        while PREFIX + f"transformer_blocks.{self.blocks}.feed_forward.w_1.weight" in self.tensors:
            self.blocks += 1

    def norm(self, x, name):
        return normalise(x, self.tensors[PREFIX + name + ".weight"], self.tensors[PREFIX + name + ".bias"])

    def attend(self, x, name):
        q, k, v = (x @ self.tensors[PREFIX + name + f".w_{letter}.weight"].T for letter in "QKV")
        width = x.shape[1] // self.heads
        future = np.triu(np.ones((len(x), len(x)), bool), 1)
        parts = []
        for first in range(0, x.shape[1], width):
            part = slice(first, first + width)
            scores = np.where(future, -np.inf, q[:, part] @ k[:, part].T / np.sqrt(width))
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            parts.append(weights / weights.sum(-1, keepdims=True) @ v[:, part])
        return np.concatenate(parts, 1) @ self.tensors[PREFIX + name + ".fc.weight"].T

    def feed(self, x, name):
        get = lambda part: self.tensors[PREFIX + name + part]
        wide = np.maximum(x @ get(".w_1.weight").T + get(".w_1.bias"), 0)
        return wide @ get(".w_2.weight").T + get(".w_2.bias")

    def last_state(self, x):
        x = self.norm(x + self.tensors[PREFIX + "position_embedding.weight"][-len(x):], "layer_norm")
        for i in range(self.blocks):
            block = f"transformer_blocks.{i}."
            x = self.norm(x + self.attend(x, block + "multi_head_attention"), block + "multi_head_attention.layer_norm")
            x = self.norm(x + self.feed(x, block + "feed_forward"), block + "feed_forward.layer_norm")
        return x[-1]


def print_best(key, scores, names, excluded, top):
    order = [i for i in np.argsort(-scores, kind="stable") if i not in excluded]
    for rank, i in enumerate(order[:top]):
        print(key, rank + 1, names[i], f"{scores[i]:.9g}", sep="\t")


def main(arguments):
    similar = arguments[0] == "--similar"
    vectors = np.load(arguments[1])["vector"].astype("f8")
    names = open(arguments[2]).read().split("\n")[:-1]
    numbers = {name: i for i, name in enumerate(names)}
    if similar:
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        for name in arguments[4:]:
            print_best(name, unit @ unit[numbers[name]], names, {numbers[name]}, int(arguments[3]))
        return
    heads, length, top = map(int, arguments[4:7])
    model = Sasrec(arguments[0], heads)
    for line in open(arguments[3]):
        user, history = line.rstrip("\n").split("\t")
        history = [numbers[name] for name in history.split()]
        scores = vectors @ model.last_state(vectors[history[-length:]])
        print_best(user, scores, names, set() if arguments[7:] else set(history), top)


if __name__ == "__main__": main(sys.argv[1:])
