"""Tiny random models of each architecture, and what `transformers` computes with them.

A variant is a `config.json` exactly as hub checkpoints write it, so that the
reference and the decoder under test read the same file.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

VOCABULARY = 160
SEQUENCE_LENGTHS = (48, 70)

# The tensors whose gradient is stored whole; of every other parameter the
# L2 norm is stored, which is enough to notice a wrong or missing backward.
WHOLE_GRADIENTS = (
    "norm.weight",
    "norm.bias",
    "layernorm.weight",
    "layernorm.bias",
    "q_proj.bias",
    "k_proj.bias",
    "v_proj.bias",
    "o_proj.bias",
    "c_fc.bias",
    "c_proj.bias",
    "layers.0.self_attn.k_proj.weight",
    "layers.1.self_attn.q_proj.weight",
    "layers.1.mlp.down_proj.weight",
    "layers.1.mlp.c_proj.weight",
    "embed_tokens.weight",
)


@dataclass(frozen=True)
class Variant:
    """One model directory: its configuration and how its weights are stored."""

    name: str
    config: dict
    seed: int
    dtype: torch.dtype = torch.float32
    max_shard_size: str = "1GB"
    gradients: bool = False
    note: str = ""


def base_config(architecture: str, hidden: int, layers: int, ffn: int, vocabulary: int = VOCABULARY) -> dict:
    """The keys that the three architectures share, in the hub's spelling."""
    return {
        "architectures": [architecture],
        "bos_token_id": 0,
        "eos_token_id": 0,
        "hidden_size": hidden,
        "intermediate_size": ffn,
        "max_position_embeddings": 512,
        "num_attention_heads": 4,
        "num_hidden_layers": layers,
        "num_key_value_heads": 2,
        "vocab_size": vocabulary,
    }


def llama_config(hidden: int, layers: int, ffn: int, *, tied: bool, vocabulary: int = VOCABULARY, **extra) -> dict:
    return {
        **base_config("LlamaForCausalLM", hidden, layers, ffn, vocabulary),
        "model_type": "llama",
        "attention_bias": False,
        "hidden_act": "silu",
        "mlp_bias": False,
        "rms_norm_eps": 1e-5,
        "rope_scaling": None,
        "rope_theta": 100000.0,
        "tie_word_embeddings": tied,
        "torch_dtype": "float32",
        **extra,
    }


def qwen2_config(hidden: int, layers: int, ffn: int, *, tied: bool, vocabulary: int = VOCABULARY) -> dict:
    return {
        **base_config("Qwen2ForCausalLM", hidden, layers, ffn, vocabulary),
        "model_type": "qwen2",
        "hidden_act": "silu",
        "max_window_layers": layers,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        # As in Qwen2.5-Coder: a window is named, and switched off.
        "sliding_window": 16,
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
        "use_sliding_window": False,
    }


def starcoder2_config(hidden: int, layers: int, ffn: int, *, window: int | None, vocabulary: int = VOCABULARY) -> dict:
    # As in the published files, `tie_word_embeddings` is absent: the head is tied.
    return {
        **base_config("Starcoder2ForCausalLM", hidden, layers, ffn, vocabulary),
        "model_type": "starcoder2",
        "activation_function": "gelu_pytorch_tanh",
        "attention_dropout": 0.1,
        "embedding_dropout": 0.1,
        "hidden_act": "gelu_pytorch_tanh",
        "mlp_type": "default",
        "norm_epsilon": 1e-5,
        "norm_type": "layer_norm",
        "residual_dropout": 0.1,
        "rope_theta": 999999.4420358813,
        "sliding_window": window,
        "torch_dtype": "float32",
        "use_bias": True,
    }


LINEAR_SCALING = {"type": "linear", "factor": 2.0}
LLAMA3_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 256,
}


def variants() -> list[Variant]:
    """Every model directory of the parity data."""
    small = {"hidden": 32, "layers": 2, "ffn": 48}
    v5_rope = llama_config(**small, tied=True, head_dim=16)
    del v5_rope["rope_scaling"], v5_rope["rope_theta"]
    v5_rope["rope_parameters"] = {"rope_theta": 100000.0, **LLAMA3_SCALING}
    return [
        Variant("llama-untied", llama_config(64, 3, 96, tied=False), 1, max_shard_size="200KB", gradients=True,
                note="three shards with model.safetensors.index.json"),
        Variant("llama-tied", llama_config(64, 3, 96, tied=True), 2, dtype=torch.bfloat16, note="stored in BF16"),
        Variant("llama-linear", llama_config(**small, tied=True, head_dim=16, rope_scaling=LINEAR_SCALING), 3,
                dtype=torch.float16, note="linear scaling, head_dim is not hidden / heads"),
        Variant("llama-llama3", llama_config(**small, tied=False, head_dim=16, rope_scaling=LLAMA3_SCALING), 4,
                dtype=torch.bfloat16, note="Llama 3 scaling as rope_scaling"),
        Variant("llama-llama3-v5", v5_rope, 5, dtype=torch.bfloat16,
                note="Llama 3 scaling as transformers 5 writes it: rope_parameters"),
        Variant("qwen2-untied", qwen2_config(48, 3, 80, tied=False), 6, gradients=True, note="head_dim 12"),
        Variant("qwen2-tied", qwen2_config(32, 2, 48, tied=True), 7, dtype=torch.float16, gradients=True,
                note="stored in F16"),
        Variant("starcoder2", starcoder2_config(64, 3, 96, window=24), 8, gradients=True,
                note="sliding window 24, shorter than the sequences"),
        Variant("starcoder2-full", starcoder2_config(32, 2, 48, window=None), 9, note="no sliding window"),
    ]


def randomise(model: nn.Module, seed: int, dtype: torch.dtype) -> None:
    """Draws every parameter so large that a wrong norm, bias or rotation shows.

    Values are rounded to `dtype`, in which they will be stored, so that the
    reference is computed from exactly the numbers in the file.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name and name.endswith("weight"):
                value = 1.0 + 0.3 * noise
            elif name.endswith("bias"):
                value = 0.3 * noise
            elif "embed_tokens" in name:
                value = 0.5 * noise
            else:
                value = noise * (1.5 / parameter.shape[-1] ** 0.5)
            parameter.copy_(value.to(dtype).float())


def build(config_dir, seed: int, dtype: torch.dtype) -> nn.Module:
    """An F32 model with eager attention for the `config.json` in `config_dir`."""
    config = AutoConfig.from_pretrained(config_dir)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32)
    randomise(model, seed, dtype)
    return model.eval()


def token_sequences(seed: int, vocabulary: int, lengths=SEQUENCE_LENGTHS) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1000 + seed)
    return [torch.randint(0, vocabulary, (length,), generator=generator) for length in lengths]


def logits(model: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """Logits at all positions of one sequence, `[positions, vocabulary]`."""
    with torch.no_grad():
        return model(ids.unsqueeze(0), use_cache=False).logits[0].contiguous()


def float_error(model: nn.Module, ids: torch.Tensor, reference: torch.Tensor) -> float:
    """How far F32 itself is from F64: the floor under any parity tolerance."""
    exact = logits(model.double(), ids)
    model.float()
    return ((reference - exact).abs().max() / exact.abs().max()).item()


def gradients(model: nn.Module, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Next-token mean cross-entropy over one sequence, and its gradients."""
    model.zero_grad()
    output = model(ids.unsqueeze(0), use_cache=False).logits[0]
    loss = nn.functional.cross_entropy(output[:-1], ids[1:])
    loss.backward()
    tensors = {"loss": loss.detach().reshape(1)}
    for name, parameter in model.named_parameters():
        tensors[f"grad_norm.{name}"] = parameter.grad.norm().reshape(1)
        if name.endswith(WHOLE_GRADIENTS):
            tensors[f"grad.{name}"] = parameter.grad.contiguous().clone()
    return tensors
