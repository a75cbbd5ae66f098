#!/usr/bin/env python3
"""Makes training rows of contexts for stage 1: none of a held-out repository, and of some languages more than of others.

    zstdcat contexts.jsonl.zst | models/default/mix.py DATA > rows.jsonl
    zstdcat contexts.jsonl.zst | models/default/mix.py DATA --mix --seed 5 > mixed.jsonl

DATA is a folder that `curate` wrote: the repositories of its `test/` and `valid/` rows are left out. With `--mix`
all rows of Python stay, 2,500 of C++, Go, Java, JavaScript, Rust and TypeScript, and 1,800 of the others.
"""
import argparse
import json
import random
import sys
from collections import defaultdict
from pathlib import Path

MORE = {"python": None, **dict.fromkeys(["cpp", "go", "java", "javascript", "rust", "typescript"], 2500)}
OTHERS = 1800
FIELDS = ["repo", "path", "language", "prefix", "golden", "suffix", "license"]


def training_row(context):
    row = {"context_id": context["id"], **{field: context[field] for field in FIELDS}}
    return json.dumps(row, ensure_ascii=False) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--mix", action="store_true")
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    held_out = set()
    for split in ("test", "valid"):
        with (args.data / split / "pairs.jsonl").open(encoding="utf-8") as rows:
            held_out.update(json.loads(row)["repo"] for row in rows)
    by_language = defaultdict(list)
    for row in sys.stdin:
        context = json.loads(row)
        if context["repo"] not in held_out:
            by_language[context["language"] if args.mix else ""].append(training_row(context))
    draw = random.Random(args.seed)
    kept = []
    for language, rows in by_language.items():
        if args.mix:
            draw.shuffle(rows)
            rows = rows[: MORE.get(language, OTHERS)]
        kept += rows
    if args.mix:
        draw.shuffle(kept)
    sys.stdout.writelines(kept)
    print(f"{len(kept)} rows", file=sys.stderr)


if __name__ == "__main__":
    main()
