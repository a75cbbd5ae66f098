"""Tiny GGUF files of each architecture, and what `transformers` computes on their dequantised weights.

Names, metadata keys and the row permutation of Llama's q and k follow
llama.cpp's converter, so that these files look like what users download.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Quant
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

import tiny_models
import tiny_tokenizer

SEQUENCE_LENGTH = 40

# Hub name → GGUF name, inside a layer and outside.
LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
TOP_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
FILE_TYPES = {Quant.F32: 0, Quant.F16: 1, Quant.Q4_1: 3, Quant.Q8_0: 7, Quant.Q5_1: 9}


@dataclass(frozen=True)
class GgufVariant:
    """One GGUF file: hub configuration, storage type of the matrices, tokenizer flavour."""

    name: str
    config: dict
    seed: int
    quant: Quant
    embedding_quant: Quant
    pre: str


def variants() -> list[GgufVariant]:
    size = tiny_tokenizer.VOCABULARY
    llama = tiny_models.llama_config(32, 2, 96, tied=True, vocabulary=size)
    linear = tiny_models.llama_config(
        32, 2, 64, tied=False, vocabulary=size, head_dim=16, rope_scaling=tiny_models.LINEAR_SCALING
    )
    qwen2 = tiny_models.qwen2_config(64, 2, 96, tied=False, vocabulary=size)
    starcoder2 = tiny_models.starcoder2_config(64, 2, 96, window=None, vocabulary=size)
    return [
        GgufVariant("llama-f32", llama, 21, Quant.F32, Quant.F32, "smollm"),
        GgufVariant("llama-q8_0", llama, 21, Quant.Q8_0, Quant.Q8_0, "smollm"),
        # The default model's own mixture.
        GgufVariant("llama-q4_1", llama, 21, Quant.Q4_1, Quant.Q8_0, "smollm"),
        GgufVariant("llama-linear-f16", linear, 22, Quant.F16, Quant.F16, "smollm"),
        GgufVariant("qwen2-q8_0", qwen2, 23, Quant.Q8_0, Quant.Q8_0, "qwen2"),
        GgufVariant("starcoder2-q5_1", starcoder2, 24, Quant.Q5_1, Quant.Q8_0, "starcoder"),
    ]


def build_model(config: dict, seed: int) -> nn.Module:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        return tiny_models.build(folder, seed, torch.float32)


def gguf_name(hub_name: str) -> str:
    stem, kind = hub_name.rsplit(".", 1)
    if stem in TOP_NAMES:
        return f"{TOP_NAMES[stem]}.{kind}"
    _, _, layer, inner = stem.split(".", 3)
    return f"blk.{layer}.{LAYER_NAMES[inner]}.{kind}"


def storage_type(hub_name: str, tensor: np.ndarray, variant: GgufVariant) -> Quant:
    if tensor.ndim == 1:
        return Quant.F32
    return variant.embedding_quant if hub_name.startswith(("model.embed", "lm_head")) else variant.quant


def interleave_rows(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a Llama q or k: from half-split rotary pairs (i, i + d/2) to neighbours (2i, 2i + 1)."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def permuted(hub_name: str, weight: np.ndarray, config: dict) -> np.ndarray:
    if config["model_type"] == "llama" and hub_name.endswith("q_proj.weight"):
        return interleave_rows(weight, config["num_attention_heads"])
    if config["model_type"] == "llama" and hub_name.endswith("k_proj.weight"):
        return interleave_rows(weight, config["num_key_value_heads"])
    return weight


def quantise(model: nn.Module, variant: GgufVariant) -> dict[str, tuple[Quant, np.ndarray]]:
    """The stored bytes of every parameter by hub name, rows not yet permuted.

    The model's own weights are replaced by what the stored bytes mean. Blocks
    lie along a row, so permuting rows afterwards changes no value.
    """
    stored = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = parameter.numpy().copy()
            kind = storage_type(name, values, variant)
            packed = gguf.quants.quantize(values, kind)
            stored[name] = (kind, packed)
            meaning = gguf.quants.dequantize(packed, kind).reshape(values.shape)
            parameter.copy_(torch.from_numpy(np.array(meaning, dtype=np.float32)))
    return stored


def write_hyperparameters(writer: gguf.GGUFWriter, config: dict, quant: Quant) -> None:
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim", config["hidden_size"] // heads)
    writer.add_name("tiny random " + config["model_type"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(FILE_TYPES[quant])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    if "rms_norm_eps" in config:
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    else:
        writer.add_layer_norm_eps(config["norm_epsilon"])
    if config["model_type"] == "llama":
        writer.add_rope_dimension_count(head_dim)
    if "head_dim" in config:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    if config.get("rope_scaling"):
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config["rope_scaling"]["factor"])


def write_gguf(path: Path, variant: GgufVariant, stored: dict, tokenizer: tiny_tokenizer.Vocabulary) -> None:
    writer = gguf.GGUFWriter(path, variant.config["model_type"])
    write_hyperparameters(writer, variant.config, variant.quant)
    tiny_tokenizer.write_metadata(writer, tokenizer)
    for name, (kind, packed) in stored.items():
        writer.add_tensor(gguf_name(name), permuted(name, packed, variant.config), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def reload_error(path: Path, config: dict, ids: torch.Tensor, expected: torch.Tensor) -> float:
    """The weights read back by transformers' own GGUF loader must compute the same.

    The configuration is ours: that loader ignores RoPE metadata for some architectures.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        hub_config = AutoConfig.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, config=hub_config, dtype=torch.float32, attn_implementation="eager"
    )
    return (tiny_models.logits(model.eval(), ids) - expected).abs().max().item()


def dump_variant(variant: GgufVariant, out: Path) -> None:
    model = build_model(variant.config, variant.seed)
    stored = quantise(model, variant)
    path = out / f"{variant.name}.gguf"
    write_gguf(path, variant, stored, tiny_tokenizer.train(variant.pre))
    ids = tiny_models.token_sequences(variant.seed, variant.config["vocab_size"], (SEQUENCE_LENGTH,))[0]
    reference = tiny_models.logits(model, ids)
    save_file({"ids_0": ids, "logits_0": reference}, out / f"{variant.name}.reference.safetensors")
    error = reload_error(path, variant.config, ids, reference)
    print(f"{variant.name}.gguf: {path.stat().st_size} bytes, read back differs by {error:.1e}")


def dump_all(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for pre in tiny_tokenizer.PRE_TOKENIZERS:
        tiny_tokenizer.dump(pre, out)
    for variant in variants():
        dump_variant(variant, out)
