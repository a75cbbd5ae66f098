#!/usr/bin/env python3
"""Draws the rows that `truefill demo` trains on and measures with, cut to small windows.

    models/default/demo_rows.py DATA demo/rows

DATA is a folder that `curate` wrote: `replay.jsonl` gets rows of its `pairs.jsonl`, `held-out.jsonl` of
`test/pairs.jsonl`. Each row keeps its repository, path and licence. The same data gives the same rows.
"""
import argparse
import hashlib
import json
from collections import Counter
from pathlib import Path

BEFORE, BEHIND = 420, 160


def cut(row):
    """The row with the lines next to its hole alone."""
    prefix, suffix = row["prefix"].encode(), row["suffix"].encode()
    if len(prefix) > BEFORE:
        at = prefix.find(b"\n", len(prefix) - BEFORE)
        if at < 0:
            return None
        row["window_start"] += at + 1
        prefix = prefix[at + 1:]
    if len(suffix) > BEHIND:
        at = suffix.rfind(b"\n", 0, BEHIND)
        if at < 0:
            return None
        suffix = suffix[: at + 1]
    row["prefix"], row["suffix"] = prefix.decode(), suffix.decode()
    return row


def drawn(path, count, each, languages):
    rows = []
    for line in path.open(encoding="utf-8"):
        row = json.loads(line)
        short = len(row["golden"]) <= 60 and len(row["rejected"]) <= 60
        if row["type"] != "import" and short and "\n" not in row["golden"] and row["language"] in languages:
            order = hashlib.sha256(row["context_id"].encode()).hexdigest()
            rows.append((order, row))
    rows.sort(key=lambda it: it[0])
    taken, of = [], Counter()
    for _, row in rows:
        if of[row["repo"]] == each or len(taken) == count:
            continue
        row = cut(row)
        if row and len(row["prefix"]) > 120:
            of[row["repo"]] += 1
            taken.append(row)
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, source, count, each, languages in [
        ("replay.jsonl", "pairs.jsonl", 72, 3, {"python", "typescript", "rust", "go"}),
        ("held-out.jsonl", "test/pairs.jsonl", 24, 3, {"python"}),
    ]:
        rows = drawn(args.data / source, count, each, languages)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (args.out / name).write_text(text, encoding="utf-8")
        print(f"{name}: {len(rows)} rows of {len({row['repo'] for row in rows})} repositories, {len(text)} bytes")


if __name__ == "__main__":
    main()
