#!/usr/bin/env python3
"""Averages adapters of one base: the mean of what they add to each matrix, brought back to their rank
or another one.

    models/default/average.py --out mean FOLDER FOLDER…
    models/default/average.py --out smaller --rank 16 FOLDER
    truefill-trainer import mean --adapter --base default-base --format truefill-spm --teach-format --name mean

A FOLDER holds an adapter in PEFT's layout. The mean of N products of rank R has rank N·R; a singular value
decomposition keeps the R largest directions, and how much of the squares is lost is told. Rows of new tokens are
averaged as they are. Needs numpy and safetensors.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def truncated(factors_a, factors_b, rank):
    """The product of a rank nearest to the mean of the products, and the share of its squares that is lost."""
    a = np.concatenate(factors_a, axis=0)
    b = np.concatenate(factors_b, axis=1) / len(factors_b)
    # The product is out × in, too large to decompose: its two factors are orthogonalised first.
    (q_a, r_a), (q_b, r_b) = np.linalg.qr(a.T), np.linalg.qr(b)
    u, s, v = np.linalg.svd(r_b @ r_a.T)
    root = np.sqrt(s[:rank])
    lost = (s[rank:] ** 2).sum() / (s**2).sum()
    return (q_a @ (v[:rank].T * root)).T, q_b @ (u[:, :rank] * root), lost


def averaged(adapters, rank):
    result, lost = {}, []
    for name in adapters[0]:
        found = [adapter[name].astype(np.float64) for adapter in adapters]
        if name.endswith("lora_A.weight"):
            other = name.replace("lora_A", "lora_B")
            outs = [it[other].astype(np.float64) for it in adapters]
            result[name], result[other], part = truncated(found, outs, rank)
            lost.append(part)
        elif "lora_B" not in name:
            result[name] = sum(found) / len(found)
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in result.items()}, lost


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--rank", type=int, help="of the result; that of the first folder without it")
    args = parser.parse_args()
    adapters = [load_file(folder / "adapter_model.safetensors") for folder in args.folders]
    configs = [json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")) for folder in args.folders]
    first, config = args.folders[0], configs[0]
    for folder, adapter, other in zip(args.folders, adapters, configs):
        if {k: v.shape for k, v in adapter.items()} != {k: v.shape for k, v in adapters[0].items()}:
            raise SystemExit(f"{folder}: expected the tensors of {first}, found others; nothing is written")
        # The scale, and which token each trained row belongs to, are not in the tensors.
        for key in ("r", "lora_alpha", "use_rslora", "use_dora", "alpha_pattern", "trainable_token_indices"):
            if other.get(key) != config.get(key):
                raise SystemExit(f"{folder}: expected `{key}` of {first}, {config.get(key)}, found {other.get(key)}; nothing is written")
    if config.get("use_rslora") or config.get("use_dora"):
        raise SystemExit(f"{first}: expected a plain adapter, found `use_rslora` or `use_dora`; nothing is written")
    rank = args.rank or config["r"]
    if not 0 < rank <= config["r"] * len(adapters):
        raise SystemExit(f"--rank: expected 1 to {config['r'] * len(adapters)}, found {rank}; nothing is written")
    # What an adapter adds is scaled by alpha / r.
    config.update(lora_alpha=config["lora_alpha"] * rank / config["r"], r=rank)
    result, lost = averaged(adapters, rank)
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(result, args.out / "adapter_model.safetensors")
    (args.out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    print(f"squares lost: {100 * np.mean(lost):.1f} % on average, {100 * max(lost):.1f} % at most")


if __name__ == "__main__":
    main()
