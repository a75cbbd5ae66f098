#!/usr/bin/env python3
"""Says in one file what the default checkpoint's rows are: from the manifests that make.sh's steps wrote.

    models/default/manifest.py WORK > models/default/data.json

Sources with their SHA-256, rows by language, licence and repository, why files and holes were left out, which
benchmarks were excluded, and the SHA-256 of every file of rows. It names no path of this machine.
"""
import argparse
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path


def loaded(path):
    return json.loads(path.read_text(encoding="utf-8"))


def rows_of(path):
    """Rows, bytes and SHA-256 of a file of rows, and what its rows are of."""
    digest, languages, licences, repositories = hashlib.sha256(), Counter(), Counter(), Counter()
    with path.open("rb") as lines:
        for line in lines:
            digest.update(line)
            row = json.loads(line)
            languages[row["language"]] += 1
            licences[row["license"]] += 1
            repositories[row["repo"]] += 1
    return {
        "rows": languages.total(),
        "bytes": path.stat().st_size,
        "sha256": digest.hexdigest(),
        "languages": dict(languages.most_common()),
        "licences": dict(licences.most_common()),
        "repositories": dict(sorted(repositories.items())),
    }


def mined(work, name):
    manifest = loaded(work / f"{name}.jsonl.manifest.json")
    recipe = manifest["recipe"]
    recipe["each"] = [Path(it).name for it in recipe["each"]]
    recipe["exclude"] = [Path(it).name for it in recipe["exclude"]]
    return {"version": manifest["version"], "recipe": recipe, "counts": manifest["counts"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    work = parser.parse_args().work
    inputs = loaded(work / "contexts.jsonl.manifest.json")["inputs"]
    files = [f"rows-{recipe.stem}.jsonl" for recipe in sorted((Path(__file__).parent / "stage1").glob("*.toml"))]
    files += ["data/pairs.jsonl", "data/valid/pairs.jsonl", "data/test/pairs.jsonl"]
    files += [name for name in ("stage2/pairs.jsonl", "stage2/even.jsonl", "stage2/test/pairs.jsonl") if (work / name).exists()]
    found = {
        "inputs": {Path(it["path"]).name: it["sha256"] for it in inputs},
        "mined": {name: mined(work, name) for name in ("contexts", "whole")},
        "generated": loaded(work / "negatives.jsonl.manifest.json")["counts"],
        "files": {name: rows_of(work / name) for name in files},
    }
    json.dump(found, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
