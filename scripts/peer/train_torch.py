#!/usr/bin/env python3
"""Full fine-tuning steps with PyTorch and `transformers`, for comparison with `train_bench`.

    python scripts/peer/train_torch.py MODEL_FOLDER ROWS.json [--steps 2] [--threads 2] [--device cuda:0]

ROWS.json holds one step's rows, an array of arrays of token ids; every step trains on all of them.
Prints tokens a second (the median of the steps after the first), processor seconds a step, the
largest resident memory of the process (on a GPU that is the host's part) and the loss of each step.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoModelForCausalLM


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder in the hub's layout, weights in F32")
    parser.add_argument("rows", type=Path, help="token ids as JSON")
    parser.add_argument("--steps", type=int, default=2, help="measured steps, after one that is not")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["bf16", "f32"], default="bf16", help="bf16: autocast over F32 weights")
    parser.add_argument("--recompute", action="store_true", help="gradient checkpointing")
    parser.add_argument("--device", type=torch.device, default="cpu", help="as torch names it")
    parser.add_argument("--learning-rate", type=float, default=1e-5)
    return parser.parse_args()


def batch_of(rows: list[list[int]]) -> dict[str, torch.Tensor]:
    """Rows padded on the right; padding is neither seen nor learnt."""
    length = max(map(len, rows))
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    mask = torch.zeros(len(rows), length, dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1
    batch = {"input_ids": ids, "labels": ids.masked_fill(mask == 0, -100)}
    # Without padding no mask is given, so that attention may take its causal fast path.
    return batch if bool(mask.all()) else {**batch, "attention_mask": mask}


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).to(arguments.device)
    model.train()
    model.config.use_cache = False
    if arguments.recompute:
        model.gradient_checkpointing_enable()
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.learning_rate, weight_decay=0.01, fused=True)
    rows = json.loads(arguments.rows.read_text())
    tokens = sum(map(len, rows))
    batch = {name: values.to(arguments.device) for name, values in batch_of(rows).items()}
    walls, cpus, losses = [], [], []
    for _ in range(arguments.steps + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        with torch.autocast(arguments.device.type, dtype=torch.bfloat16, enabled=arguments.precision == "bf16"):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    wall, cpu = statistics.median(walls[1:]), statistics.median(cpus[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"tokens/s {tokens / wall:.1f}  cpu s/step {cpu:.2f}  peak GiB {peak:.2f}  loss "
          + " ".join(f"{value:.4f}" for value in losses))


if __name__ == "__main__":
    main()
