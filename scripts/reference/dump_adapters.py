#!/usr/bin/env python3
"""Writes tiny adapters as PEFT writes them, and the logits of their bases with them merged in.

    .venv-reference/bin/python scripts/reference/dump_adapters.py crates/model/tests/data/adapters

The bases are the tiny models of crates/model/tests/data/parity. With `--check BASE ADAPTER`, PEFT
loads an adapter that this project wrote, and the norm of what it adds is printed:

    .venv-reference/bin/python scripts/reference/dump_adapters.py --check BASE ADAPTER
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

PARITY = Path(__file__).parents[2] / "crates/model/tests/data/parity"
TOKENS = [3, 17, 120]
ADAPTERS = {
    # A head of its own: its rows are trained beside the embedding's.
    "llama-untied": {
        "r": 2,
        "lora_alpha": 6,
        "target_modules": ["q_proj", "k_proj", "o_proj", "gate_proj"],
        "trainable_token_indices": {"embed_tokens": TOKENS, "lm_head": TOKENS},
    },
    # A tied head: PEFT ties the rows too.
    "qwen2-tied": {"r": 3, "lora_alpha": 3, "target_modules": ["v_proj", "down_proj"], "trainable_token_indices": TOKENS},
    "starcoder2": {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "c_fc", "c_proj"], "use_rslora": True},
}


def base(name: str | Path) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(PARITY / name, dtype=torch.float32).eval()


def dump(name: str, settings: dict, out: Path) -> None:
    generator = torch.Generator().manual_seed(len(name))
    model = get_peft_model(base(name), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **settings))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key or "trainable_tokens_delta" in key:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    # Without this machine's paths, and the targets, which PEFT keeps as a set, in one order.
    description = json.loads((folder / "adapter_config.json").read_text())
    description["base_model_name_or_path"] = name
    description["target_modules"].sort()
    (folder / "adapter_config.json").write_text(json.dumps(description, indent=2) + "\n")
    ids = torch.randint(0, model.config.vocab_size, (1, 24), generator=generator)
    ids[0, 2], ids[0, 9] = TOKENS[0], TOKENS[2]
    with torch.no_grad():
        unmerged = model(ids).logits[0]
        merged = model.merge_and_unload()(ids).logits[0]
    print(f"{name}: merged and unmerged differ by {(merged - unmerged).abs().max():.2e}")
    save_file({"ids": ids[0].clone(), "logits": merged.contiguous()}, folder / "reference.safetensors")
    for file in folder.iterdir():
        file.chmod(0o644)


def check(base_path: str, adapter: str) -> None:
    plain = AutoModelForCausalLM.from_pretrained(base_path, dtype=torch.float32).eval()
    ids = torch.arange(24)[None] % plain.config.vocab_size
    with torch.no_grad():
        before = plain(ids).logits
        model = PeftModel.from_pretrained(plain, adapter).eval()
        after = model(ids).logits
        merged = model.merge_and_unload()(ids).logits
    print(f"loaded; logits moved by {(after - before).norm():.4f}, merging by {(merged - after).abs().max():.2e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--check", nargs=2, metavar=("BASE", "ADAPTER"))
    arguments = parser.parse_args()
    if arguments.check:
        check(*arguments.check)
    elif arguments.out:
        for name, settings in ADAPTERS.items():
            dump(name, settings, arguments.out)
    else:
        parser.error("expected a folder or --check")


if __name__ == "__main__":
    main()
