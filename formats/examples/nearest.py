#!/usr/bin/env python3
"""Recommendations by approximate search, for catalogues too large to score whole: FAISS or hnswlib over exported vectors.

    pm-export items.pmt -o items.npy
    pm-recommend --model model.pmt --items items.pmt --users users.tsv --top 0 --users-out users.npy
    python3 formats/examples/nearest.py items.npy users.npy --top 10 > recommendations.tsv

A score is the inner product of a user's vector with an item's, so that any library that searches by inner product
finds what pm-recommend --keep-history finds, as far as its approximation goes: user TAB rank TAB item TAB score. Both
libraries are Debian's (python3-faiss, python3-hnswlib); their indices can be kept in files and served by other
programs. What a user has met is best left out afterwards, by asking for as many items more."""
import argparse
import os
import sys

try:
    import numpy as np
except ModuleNotFoundError as missing:
    sys.exit(f"nearest.py: this python3 has no {missing.name}; Debian's has it from the package "
             f"python3-{missing.name}")


def read(path):
    """The vectors of an array file, and the names beside it."""
    with open(os.path.splitext(path)[0] + ".keys.tsv", "rb") as keys:
        return np.load(path), keys.read().split(b"\n")[:-1]


def search_faiss(items, users, top):
    import faiss
    index = faiss.IndexHNSWFlat(items.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 200, max(200, top)
    index.add(items)
    scores, found = index.search(users, top)
    return found, scores


def search_hnswlib(items, users, top):
    import hnswlib
    index = hnswlib.Index(space="ip", dim=items.shape[1])
    index.init_index(max_elements=len(items), M=32, ef_construction=200, random_seed=1)
    index.add_items(items)
    index.set_ef(max(200, top))
    found, distances = index.knn_query(users, k=top)
    return found, 1 - distances


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", help="item vectors: pm-export items.pmt -o items.npy")
    parser.add_argument("users", help="user vectors: pm-recommend --users-out users.npy")
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument("--by", choices=["faiss", "hnswlib"], default="faiss")
    options = parser.parse_args()
    items, names = read(options.items)
    users, user_names = read(options.users)
    search = search_faiss if options.by == "faiss" else search_hnswlib
    found, scores = search(items, users, min(options.top, len(items)))
    for user, row, values in zip(user_names, found, scores):
        for rank, (item, score) in enumerate(zip(row, values)):
            sys.stdout.buffer.write(b"%s\t%d\t%s\t%.7g\n" % (user, rank + 1, names[item], score))


if __name__ == "__main__":
    try:
        main()
    except ModuleNotFoundError as missing:
        sys.exit(f"nearest.py: {missing}; Debian's python3 has it from the package python3-{missing.name}")
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"nearest.py: {error}")
