#!/usr/bin/env python3
"""Draws contexts for stage 2: of repositories that `curate` holds out, and of all others.

    zstdcat contexts.jsonl.zst | models/default/subset.py DATA OUT [--held-out 150] [--train 250] [--seed 1]

DATA is a folder that `curate` wrote from the same contexts: the repositories of its `test/` and `valid/` rows.
OUT-train.jsonl and OUT-held-out.jsonl get so many contexts of each language at most, the same ones for the same
seed.
"""
import argparse
import hashlib
import json
import sys
from collections import defaultdict
from pathlib import Path


def repositories(folder):
    rows = (folder / "pairs.jsonl").open(encoding="utf-8")
    return {json.loads(row)["repo"] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out")
    parser.add_argument("--held-out", type=int, default=150, help="contexts of each language for testing")
    parser.add_argument("--train", type=int, default=250, help="contexts of each language for training")
    parser.add_argument("--seed", default="1")
    args = parser.parse_args()
    held_out = repositories(args.data / "test") | repositories(args.data / "valid")
    drawn = defaultdict(list)
    for row in sys.stdin:
        context = json.loads(row)
        repo, language = context["repo"], context["language"]
        split = "held-out" if repo in held_out else "train"
        order = hashlib.sha256(f"{args.seed} {context['id']}".encode()).digest()
        drawn[split, language].append((order, row))
    files = {split: open(f"{args.out}-{split}.jsonl", "w", encoding="utf-8") for split in ("train", "held-out")}
    for (split, language), rows in sorted(drawn.items()):
        rows.sort()
        most = args.train if split == "train" else args.held_out
        files[split].writelines(row for _, row in rows[:most])
        print(f"{split} {language}: {min(most, len(rows))} of {len(rows)}", file=sys.stderr)


if __name__ == "__main__":
    main()
