#!/usr/bin/env python3
"""Writes the tiny random models and what `transformers` computes with them.

Run it again after a change here; the files are committed, and tests read them:

    python scripts/reference/dump_parity.py crates/model/tests/data/parity
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import save_file
from transformers.utils import logging

import tiny_gguf
import tiny_models
from tiny_models import Variant


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder that gets one folder per model")
    parser.add_argument("--only", help="write only the variants whose name starts so")
    return parser.parse_args()


def save_weights(model: torch.nn.Module, folder: Path, variant: Variant, config: str) -> None:
    """`save_pretrained` shards and names as hub files do; its config.json is replaced by ours."""
    for stale in folder.glob("*.safetensors*"):
        stale.unlink()
    model.to(variant.dtype).save_pretrained(folder, max_shard_size=variant.max_shard_size)
    model.float()
    (folder / "config.json").write_text(config)
    (folder / "generation_config.json").unlink(missing_ok=True)


def reference_tensors(model: torch.nn.Module, variant: Variant) -> tuple[dict[str, torch.Tensor], float]:
    sequences = tiny_models.token_sequences(variant.seed, variant.config["vocab_size"])
    tensors, worst = {}, 0.0
    for index, ids in enumerate(sequences):
        tensors[f"ids_{index}"] = ids
        tensors[f"logits_{index}"] = tiny_models.logits(model, ids)
        worst = max(worst, tiny_models.float_error(model, ids, tensors[f"logits_{index}"]))
    if variant.gradients:
        tensors.update(tiny_models.gradients(model, sequences[0]))
    return tensors, worst


def dump_variant(variant: Variant, out: Path) -> None:
    folder = out / variant.name
    folder.mkdir(parents=True, exist_ok=True)
    config = json.dumps(variant.config, indent=2, sort_keys=True) + "\n"
    (folder / "config.json").write_text(config)
    model = tiny_models.build(folder, variant.seed, variant.dtype)
    tensors, worst = reference_tensors(model, variant)
    save_weights(model, folder, variant, config)
    save_file(tensors, folder / "reference.safetensors")
    spread = tensors["logits_0"].std().item()
    print(f"{variant.name}: logits std {spread:.2f}, F32 against F64 {worst:.1e}")


def main() -> None:
    arguments = parse_arguments()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    wanted = arguments.only or ""
    for variant in tiny_models.variants():
        if variant.name.startswith(wanted):
            dump_variant(variant, arguments.out)
    if "gguf".startswith(wanted):
        tiny_gguf.dump_all(arguments.out / "gguf")


if __name__ == "__main__":
    main()
