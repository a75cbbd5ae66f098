#!/usr/bin/env python3
"""Writes a tiny random UniXcoder and the embeddings that `transformers` computes with it.

Run it again after a change here; the files are committed, and a test reads them:

    python scripts/reference/dump_encoder.py trainer/tests/data/encoder

The embedding is the one of UniXcoder's authors: `<s><encoder-only></s>`, the text, `</s>`, and the
mean of the last layer's states over the mask. All texts go through the model as one padded batch, so
that the numbers hold only for whoever leaves the padding out, of the positions too.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import RobertaConfig, RobertaModel

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<encoder-only>"]
MERGES = [("l", "o"), ("a", "d"), ("lo", "ad"), ("Ġ", "="), ("r", "e"), ("re", "t")]
START, PAD, END, MODE = 0, 1, 2, 4
POSITIONS = 40

TEXTS = [
    "load(x)",
    "x(load)",
    "",
    "    return self.rows[0].load(path, mode='r')",
    "\tif a <= b:\r\n",
    "größe = 日本語 + \U0001F600",
    "<pad></s><encoder-only>",
    # Longer than there are positions.
    "load(load(load(load(load(load(load(load(load(x)))))))))\n",
]


def vocabulary() -> dict[str, int]:
    """Specials, all bytes as byte-level vocabularies spell them, and what is merged."""
    words = SPECIALS + sorted(pre_tokenizers.ByteLevel.alphabet())
    words += [left + right for left, right in MERGES]
    return {word: number for number, word in enumerate(words)}


def tokenizer(vocab: dict[str, int]) -> Tokenizer:
    made = Tokenizer(models.BPE(vocab=vocab, merges=MERGES))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


def config(vocab: dict[str, int]) -> RobertaConfig:
    return RobertaConfig(
        vocab_size=len(vocab),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=POSITIONS,
        type_vocab_size=2,
        layer_norm_eps=1e-5,
        bos_token_id=START,
        pad_token_id=PAD,
        eos_token_id=END,
    )


def randomise(model: RobertaModel) -> None:
    """Draws every parameter so large that a wrong norm, bias or position shows."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if "LayerNorm.weight" in name:
                parameter.copy_(1.0 + 0.3 * noise)
            elif "embeddings" in name:
                # The row of the padding too: whoever reads it has other numbers.
                parameter.copy_(0.7 * noise)
            else:
                parameter.copy_((0.3 if name.endswith("bias") else 0.35) * noise)


def framed(made: Tokenizer, text: str) -> list[int]:
    # Positions start behind the padding's, as RoBERTa counts.
    room = POSITIONS - PAD - 1 - 4
    return [START, MODE, END, *made.encode(text, add_special_tokens=False).ids[:room], END]


def embeddings(model: RobertaModel, ids: list[list[int]]) -> torch.Tensor:
    longest = max(map(len, ids))
    batch = torch.tensor([row + [PAD] * (longest - len(row)) for row in ids])
    mask = batch.ne(PAD)
    with torch.no_grad():
        states = model(batch, attention_mask=mask.long()).last_hidden_state
    return (states * mask.unsqueeze(-1)).sum(1) / mask.sum(-1, keepdim=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder that gets the model and `reference.json`")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    vocab = vocabulary()
    made = tokenizer(vocab)
    model = RobertaModel(config(vocab), add_pooling_layer=False).eval()
    randomise(model)
    ids = [framed(made, text) for text in TEXTS]
    vectors = embeddings(model, ids)
    exact = embeddings(model.double(), ids)
    model.float()
    rows = [
        {"text": text, "ids": row, "embedding": [round(value, 7) for value in vector]}
        for text, row, vector in zip(TEXTS, ids, vectors.tolist())
    ]
    settings = model.config.to_dict()
    kept = ["model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
            "intermediate_size", "hidden_act", "max_position_embeddings", "type_vocab_size",
            "layer_norm_eps", "bos_token_id", "pad_token_id", "eos_token_id"]
    write = lambda name, text: (out / name).write_text(text + "\n", encoding="utf-8")
    write("config.json", json.dumps({key: settings[key] for key in kept}, indent=2))
    write("vocab.json", json.dumps(vocab, ensure_ascii=False))
    write("merges.txt", "\n".join(["#version: 0.2", *(f"{left} {right}" for left, right in MERGES)]))
    write("reference.json", "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]")
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()
               if tensor.dtype == torch.float32}
    save_file(tensors, out / "model.safetensors")
    spread = vectors.std().item()
    print(f"embeddings std {spread:.2f}, F32 against F64 {(vectors - exact).abs().max().item():.1e}")


if __name__ == "__main__":
    main()
