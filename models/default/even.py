#!/usr/bin/env python3
"""Draws training pairs for stage 2 with every kind of negative about as often, so that none teaches a habit.

    models/default/even.py PAIRS… --most 500 > even.jsonl

PAIRS are files of pairs that `curate` wrote. Of a kind (`prompt_version`) at most `--most` stay, drawn at random
and alike in each language as far as there are any. Where most negatives are longer than what was written, a model
learns that shorter is better, and then prefers calls that lack an argument.
"""
import argparse
import json
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path


def evened(rows, most):
    """At most so many of the rows, taken from each language in turn."""
    by_language = defaultdict(list)
    for row in rows:
        by_language[row["language"]].append(row)
    kept = []
    while len(kept) < most and any(by_language.values()):
        for language in sorted(by_language):
            if by_language[language]:
                kept.append(by_language[language].pop())
    return kept[:most]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=500)
    parser.add_argument("--seed", type=int, default=13)
    args = parser.parse_args()
    by_kind, seen = defaultdict(list), set()
    for path in args.pairs:
        with path.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if (key := (row["context_id"], row["rejected"])) not in seen:
                    seen.add(key)
                    by_kind[row["prompt_version"]].append(row)
    draw = random.Random(args.seed)
    kept = []
    for kind in sorted(by_kind):
        draw.shuffle(by_kind[kind])
        kept += evened(by_kind[kind], args.most)
    draw.shuffle(kept)
    for row in kept:
        print(json.dumps(row, ensure_ascii=False))
    longer = sum(len(row["rejected"]) > len(row["golden"]) for row in kept)
    shorter = sum(len(row["rejected"]) < len(row["golden"]) for row in kept)
    print(f"{len(kept)} pairs; rejected is longer in {longer}, shorter in {shorter}", file=sys.stderr)
    print(Counter(row["prompt_version"] for row in kept), file=sys.stderr)


if __name__ == "__main__":
    main()
