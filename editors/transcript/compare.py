#!/usr/bin/env python3
"""Compares what editors made of the transcript:

    compare.py RESULT.json RESULT.json…

The first result is what the others are held against. The exit status is 0 where the final texts and the
journal's rows agree, 1 where they do not, 2 for a result that cannot be read. README.md says what a
result holds.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Iterator

# What the rows of one suggestion agree in. The hashes are salted by the journal: both editors write into
# one, and work on files of the same paths.
FIELDS = ("completion", "completion_token_ids", "language", "shape", "trigger", "prefix_sha256", "suffix_sha256",
          "prompt_sha256", "document", "arm", "checkpoint")


class Unreadable(Exception):
    """A file that is no result."""


def read(path: str) -> dict[str, Any]:
    try:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path}: expected a result as JSON: {error}") from error
    for key, kind in (("editor", str), ("transcript_sha256", str), ("files", dict), ("rows", list)):
        if not isinstance(result.get(key) if isinstance(result, dict) else None, kind):
            raise Unreadable(f"{path}: expected `{key}` of the kind {kind.__name__}; run the replay again")
    return result


def decided(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The suggestions that somebody decided on, in the order in which they were made."""
    rows = [row | {"decisions": decisions(row)} for row in result["rows"]]
    return sorted((row for row in rows if row["decisions"]), key=lambda row: row["at"])


def decisions(row: dict[str, Any]) -> list[list[Any]]:
    """What the editor reported of a suggestion; what the server concluded by itself is left out."""
    reported = [outcome for outcome in row["outcomes"] if not outcome.get("inferred")]
    ordered = sorted(reported, key=lambda outcome: outcome["sequence"])
    return [
        [outcome["event"], outcome.get("extent"), outcome.get("chars")]
        for outcome in ordered
        if outcome["event"] in ("accepted", "rejected")
    ]


def texts_differ(one: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    for name in sorted(one["files"].keys() | other["files"].keys()):
        texts = [result["files"].get(name) for result in (one, other)]
        if None in texts:
            yield f"`{name}` is missing in {(one, other)[texts.index(None)]['editor']}"
            continue
        for result, file in zip((one, other), texts):
            if hashlib.sha256(file["text"].encode()).hexdigest() != file["sha256"]:
                yield f"`{name}` of {result['editor']} does not have the SHA-256 that stands beside it"
        if texts[0]["text"] != texts[1]["text"]:
            lines = [file["text"].splitlines(keepends=True) for file in texts]
            names = [f"{name} in {result['editor']}" for result in (one, other)]
            yield "".join(difflib.unified_diff(*lines, *names)).rstrip()


def rows_differ(one: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    rows = decided(one), decided(other)
    if len(rows[0]) != len(rows[1]):
        yield f"{one['editor']} has {len(rows[0])} decided suggestions, {other['editor']} has {len(rows[1])}"
    for number, (first, second) in enumerate(zip(*rows), 1):
        fields = [field for field in (*FIELDS, "decisions") if first.get(field) != second.get(field)]
        for field in fields:
            what = f"suggestion {number} ({first.get('completion')!r}): `{field}` is"
            yield f"{what} {first.get(field)!r} in {one['editor']}, {second.get(field)!r} in {other['editor']}"
        if fields:
            return  # What comes behind the first difference mostly follows from it.


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    if one["transcript_sha256"] != other["transcript_sha256"]:
        return ["they are of different transcripts; replay this one in both editors"]
    return [*texts_differ(one, other), *rows_differ(one, other)]


def main(paths: list[str]) -> int:
    if len(paths) < 2 or any(path.startswith("-") for path in paths):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        first, *others = map(read, paths)
    except Unreadable as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    if not decided(first):
        print(f"compare.py: {paths[0]} has no suggestion that was accepted or rejected", file=sys.stderr)
        return 1
    status = 0
    for other in others:
        found = differences(first, other)
        for difference in found:
            print(difference)
        status = status or (1 if found else 0)
        if not found:
            print(f"{other['editor']} agrees with {first['editor']}: {len(first['files'])} files, "
                  f"{len(decided(first))} decided suggestions")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
