//! One name for a tensor, whatever the file calls it.

use crate::config::{Family, ModelConfig, NormKind};

/// How a file spells the names of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// As on the model hub: `model.layers.0.self_attn.q_proj.weight`.
    Hub,
    /// As in GGUF files: `blk.0.attn_q.weight`.
    Gguf,
}

/// A tensor of a decoder. `bias` asks for the bias that goes with the weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorName {
    /// Token embeddings, `[vocabulary, hidden]`.
    Embedding,
    /// The norm before the head, `[hidden]`.
    OutputNorm {
        /// The bias rather than the weight.
        bias: bool,
    },
    /// The head, `[vocabulary, hidden]`; absent where the embedding serves as one.
    Head,
    /// A tensor of a block.
    Layer {
        /// The block, from 0.
        index: usize,
        /// Which of its weights.
        part: LayerPart,
        /// The bias rather than the weight.
        bias: bool,
    },
}

/// The weights of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerPart {
    /// The norm before attention, `[hidden]`.
    AttnNorm,
    /// Queries, `[heads * head_dim, hidden]`.
    Q,
    /// Keys, `[kv_heads * head_dim, hidden]`.
    K,
    /// Values, `[kv_heads * head_dim, hidden]`.
    V,
    /// Attention's output, `[hidden, heads * head_dim]`.
    O,
    /// The norm before the feed-forward network, `[hidden]`.
    FfnNorm,
    /// The gate, `[ffn, hidden]`; StarCoder2 has none.
    Gate,
    /// Into the feed-forward network, `[ffn, hidden]`.
    Up,
    /// Out of the feed-forward network, `[hidden, ffn]`.
    Down,
}

impl LayerPart {
    /// Every part, in the order of use.
    pub const ALL: [Self; 9] = [
        Self::AttnNorm,
        Self::Q,
        Self::K,
        Self::V,
        Self::O,
        Self::FfnNorm,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// Whether the configuration names a bias for this part.
    pub(crate) fn biased(self, config: &ModelConfig) -> bool {
        match self {
            Self::AttnNorm | Self::FfnNorm => config.norm == NormKind::Layer,
            Self::Q | Self::K | Self::V => config.attention_bias,
            Self::O => config.output_bias,
            Self::Gate | Self::Up | Self::Down => config.mlp_bias,
        }
    }
}

impl TensorName {
    /// A block's weight.
    pub fn weight(index: usize, part: LayerPart) -> Self {
        Self::Layer {
            index,
            part,
            bias: false,
        }
    }

    /// The bias that goes with a block's weight.
    pub fn bias(index: usize, part: LayerPart) -> Self {
        Self::Layer {
            index,
            part,
            bias: true,
        }
    }

    /// The shape that it has in files.
    pub(crate) fn shape(self, config: &ModelConfig) -> Vec<usize> {
        let (hidden, ffn) = (config.hidden, config.ffn);
        let (queries, keys) = (
            config.heads * config.head_dim,
            config.kv_heads * config.head_dim,
        );
        match self {
            Self::Embedding | Self::Head => vec![config.vocabulary, hidden],
            Self::OutputNorm { .. } => vec![hidden],
            Self::Layer { part, bias, .. } => {
                let shape = match part {
                    LayerPart::AttnNorm | LayerPart::FfnNorm => vec![hidden],
                    LayerPart::Q => vec![queries, hidden],
                    LayerPart::K | LayerPart::V => vec![keys, hidden],
                    LayerPart::O => vec![hidden, queries],
                    LayerPart::Gate | LayerPart::Up => vec![ffn, hidden],
                    LayerPart::Down => vec![hidden, ffn],
                };
                match bias {
                    true => shape[..1].to_vec(),
                    false => shape,
                }
            }
        }
    }

    /// The name in a file of this family; `None` where the family has no such tensor.
    pub fn spell(self, family: Family, naming: Naming) -> Option<String> {
        let kind = |bias| if bias { "bias" } else { "weight" };
        Some(match (self, naming) {
            (Self::Embedding, Naming::Hub) => "model.embed_tokens.weight".to_owned(),
            (Self::Embedding, Naming::Gguf) => "token_embd.weight".to_owned(),
            (Self::OutputNorm { bias }, Naming::Hub) => format!("model.norm.{}", kind(bias)),
            (Self::OutputNorm { bias }, Naming::Gguf) => format!("output_norm.{}", kind(bias)),
            (Self::Head, Naming::Hub) => "lm_head.weight".to_owned(),
            (Self::Head, Naming::Gguf) => "output.weight".to_owned(),
            (Self::Layer { index, part, bias }, Naming::Hub) => {
                format!(
                    "model.layers.{index}.{}.{}",
                    hub_part(family, part)?,
                    kind(bias)
                )
            }
            (Self::Layer { index, part, bias }, Naming::Gguf) => {
                format!("blk.{index}.{}.{}", gguf_part(family, part)?, kind(bias))
            }
        })
    }
}

fn hub_part(family: Family, part: LayerPart) -> Option<&'static str> {
    Some(match (part, family) {
        (LayerPart::AttnNorm, _) => "input_layernorm",
        (LayerPart::Q, _) => "self_attn.q_proj",
        (LayerPart::K, _) => "self_attn.k_proj",
        (LayerPart::V, _) => "self_attn.v_proj",
        (LayerPart::O, _) => "self_attn.o_proj",
        (LayerPart::FfnNorm, _) => "post_attention_layernorm",
        (LayerPart::Gate, Family::StarCoder2) => return None,
        (LayerPart::Gate, _) => "mlp.gate_proj",
        (LayerPart::Up, Family::StarCoder2) => "mlp.c_fc",
        (LayerPart::Up, _) => "mlp.up_proj",
        (LayerPart::Down, Family::StarCoder2) => "mlp.c_proj",
        (LayerPart::Down, _) => "mlp.down_proj",
    })
}

fn gguf_part(family: Family, part: LayerPart) -> Option<&'static str> {
    Some(match part {
        LayerPart::AttnNorm => "attn_norm",
        LayerPart::Q => "attn_q",
        LayerPart::K => "attn_k",
        LayerPart::V => "attn_v",
        LayerPart::O => "attn_output",
        LayerPart::FfnNorm => "ffn_norm",
        LayerPart::Gate if family == Family::StarCoder2 => return None,
        LayerPart::Gate => "ffn_gate",
        LayerPart::Up => "ffn_up",
        LayerPart::Down => "ffn_down",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_spelt_as_their_files_do() {
        let llama = Family::Llama;
        for (name, family, hub, gguf) in [
            (
                TensorName::Embedding,
                llama,
                "model.embed_tokens.weight",
                "token_embd.weight",
            ),
            (TensorName::Head, llama, "lm_head.weight", "output.weight"),
            (
                TensorName::OutputNorm { bias: true },
                Family::StarCoder2,
                "model.norm.bias",
                "output_norm.bias",
            ),
            (
                TensorName::weight(0, LayerPart::Q),
                llama,
                "model.layers.0.self_attn.q_proj.weight",
                "blk.0.attn_q.weight",
            ),
            (
                TensorName::bias(11, LayerPart::V),
                Family::Qwen2,
                "model.layers.11.self_attn.v_proj.bias",
                "blk.11.attn_v.bias",
            ),
            (
                TensorName::weight(3, LayerPart::Gate),
                llama,
                "model.layers.3.mlp.gate_proj.weight",
                "blk.3.ffn_gate.weight",
            ),
            (
                TensorName::bias(3, LayerPart::Up),
                Family::StarCoder2,
                "model.layers.3.mlp.c_fc.bias",
                "blk.3.ffn_up.bias",
            ),
            (
                TensorName::weight(3, LayerPart::Down),
                Family::StarCoder2,
                "model.layers.3.mlp.c_proj.weight",
                "blk.3.ffn_down.weight",
            ),
            (
                TensorName::weight(2, LayerPart::FfnNorm),
                llama,
                "model.layers.2.post_attention_layernorm.weight",
                "blk.2.ffn_norm.weight",
            ),
        ] {
            assert_eq!(name.spell(family, Naming::Hub).as_deref(), Some(hub));
            assert_eq!(name.spell(family, Naming::Gguf).as_deref(), Some(gguf));
        }
    }

    #[test]
    fn starcoder2_has_no_gate() {
        let gate = TensorName::weight(0, LayerPart::Gate);
        assert_eq!(gate.spell(Family::StarCoder2, Naming::Hub), None);
        assert_eq!(gate.spell(Family::StarCoder2, Naming::Gguf), None);
    }
}
