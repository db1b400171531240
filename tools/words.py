#!/usr/bin/env python3
"""Counts letter trigrams of words and identifiers and writes src/detect/words.bin.

    tools/words.py DIR...   (source trees and documentation, e.g. ~/.cargo/registry/src /usr/lib/python3 /usr/share)

Every distinct word (a run of letters, camelCase split) counts with the logarithm of its frequency, so that common
identifiers do not drown the rest. The table holds, for each pair of preceding letters (27 x 27, 0 is the edge of a
word), the log-likelihood ratio of the next letter against a uniform alphabet, in eighths of a bit, as signed bytes.
"""
import collections, math, os, re, sys

TEXT = {".rs", ".py", ".c", ".h", ".md", ".txt", ".toml", ".json", ".js", ".ts", ".go", ".java", ".rb", ".sh", ".pl", ".pm", ".pod", ".html", ".rst", ".po", ".adoc", ".yml", ".yaml"}
WORD = re.compile(r"[A-Z]?[a-z]{2,18}|[A-Z]{3,18}")


def files(roots):
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.splitext(name)[1] in TEXT and os.path.isfile(path) and os.path.getsize(path) < 1_000_000:
                    yield path


def main():
    seen = collections.Counter()
    for path in files(sys.argv[1:]):
        text = open(path, encoding="utf-8", errors="ignore").read()
        if re.search(r"[A-Za-z0-9+/]{200}", text):
            continue
        here = {w.lower() for w in WORD.findall(text)}
        seen.update(here)
    counts = collections.defaultdict(lambda: [0.0] * 27)
    for word, n in seen.items():
        if n < 3:
            continue
        weight = math.log2(n)
        ids = [0, 0] + [ord(c) - 96 for c in word] + [0]
        for a, b, c in zip(ids, ids[1:], ids[2:]):
            counts[a, b][c] += weight
    one = [0.0] * 27
    two = collections.defaultdict(lambda: [0.0] * 27)
    for (a, b), row in counts.items():
        for c, n in enumerate(row):
            one[c] += n
            two[b][c] += n
    total = sum(one)
    out = bytearray()
    for a in range(27):
        for b in range(27):
            for c in range(27):
                p1 = one[c] / total
                p2 = (two[b][c] + 20 * p1) / (sum(two[b]) + 20)
                p3 = (counts[a, b][c] + 12 * p2) / (sum(counts[a, b]) + 12)
                out.append(max(-127, min(127, round(8 * math.log2(max(p3, 1e-9) * 27)))) & 255)
    target = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src/detect/words.bin")
    open(target, "wb").write(out)
    print(f"{len(seen)} words, {sum(1 for n in seen.values() if n >= 3)} used, {len(out)} bytes")


if __name__ == "__main__":
    main()
