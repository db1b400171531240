#!/usr/bin/env python3
"""Counts four-byte grams of source text and writes src/detect/grams.bin.

    tools/grams.py DIR...   (source trees and documentation, e.g. ~/.cargo/registry/src /usr/lib/python3 /usr/share)

The prefilter finds a keyword by the rarest of its grams. For each of 65,536 hashes (the same as the prefilter's) the
table says how common the grams with that hash are: four times the binary logarithm of their number in 2^25 bytes.
Needs numpy.
"""
import os, random, sys
import numpy as np

SPREAD, FOLD, BITS, EACH = np.uint64(0x9E3779B1), 0x20, 16, 8 << 20


def sample(root):
    """Up to EACH bytes of a tree's text files, chosen evenly."""
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    random.Random(1).shuffle(paths)
    out = bytearray()
    for path in paths:
        if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 300_000:
            content = open(path, "rb").read()
            if b"\0" not in content:
                out += content + b"\n"
        if len(out) >= EACH:
            break
    return bytes(out)


def main():
    counts, total = np.zeros(1 << BITS), 0
    for root in sys.argv[1:]:
        text = np.frombuffer(sample(root), np.uint8) | FOLD
        last = len(text) - 3
        if last < 1:
            continue
        grams = sum(text[i:last + i].astype(np.uint64) << np.uint64(8 * i) for i in range(4))
        hashes = ((grams * SPREAD) & np.uint64(0xFFFFFFFF)) >> np.uint64(32 - BITS)
        counts += np.bincount(hashes.astype(np.int64), minlength=1 << BITS)
        total += last
    table = np.round(4 * np.log2(1 + counts * (1 << 25) / total)).astype(np.uint8)
    target = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src/detect/grams.bin")
    open(target, "wb").write(table.tobytes())
    print(f"{total} grams, {np.count_nonzero(counts)} hashes")


if __name__ == "__main__":
    main()
