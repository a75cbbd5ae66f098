#!/usr/bin/env python3
"""Trains a tiny model of the parity data for a few steps with torch and writes what came out.

    python scripts/reference/dump_adamw.py crates/model/tests/data

Reads parity/llama-untied, writes training/adamw.safetensors: losses, gradient norms before
clipping, and every parameter after the last step.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM

STEPS = 4
RATE = 1e-3
DECAY = 0.1
LARGEST_NORM = 0.5
# Large enough that gradients of nothing but rounding move nothing.
EPSILON = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds parity/ and gets training/")
    data = parser.parse_args().data
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    folder = data / "parity" / "llama-untied"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    reference = load_file(folder / "reference.safetensors")
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, eps=EPSILON)
    losses, norms = [], []
    for step in range(STEPS):
        ids = reference[f"ids_{step % 2}"]
        logits = model(ids.unsqueeze(0), use_cache=False).logits[0]
        loss = nn.functional.cross_entropy(logits[:-1], ids[1:])
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), LARGEST_NORM))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
    tensors = {f"after.{name}": p.detach().contiguous() for name, p in model.named_parameters()}
    tensors |= {"losses": torch.stack(losses), "norms": torch.stack(norms)}
    (data / "training").mkdir(exist_ok=True)
    save_file(tensors, data / "training" / "adamw.safetensors")
    print("losses", [round(v.item(), 4) for v in losses], "norms", [round(v.item(), 3) for v in norms])


if __name__ == "__main__":
    main()
