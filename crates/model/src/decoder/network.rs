//! The decoder, once: a stack of pre-norm blocks of attention and feed-forward, for Llama, Qwen2
//! and StarCoder2 alike. What differs between serving and training is behind [`Ops`].

use crate::error::Result;
use crate::ops::{Ops, WeightSet};

/// All weights of a decoder.
pub struct DecoderWeights<W: WeightSet> {
    /// `[vocabulary, hidden]`.
    pub embedding: W::Embedding,
    /// First to last.
    pub layers: Vec<LayerWeights<W>>,
    /// Before the head.
    pub output_norm: W::Norm,
    /// `[vocabulary, hidden]`; the embedding's own values where they are tied.
    pub head: W::Linear,
}

/// One block's weights.
pub struct LayerWeights<W: WeightSet> {
    /// Before attention.
    pub attention_norm: W::Norm,
    /// Queries, keys and values.
    pub attention: W::Attention,
    /// `[hidden, heads * head_dim]`.
    pub output: W::Linear,
    /// Before the feed-forward network.
    pub feed_forward_norm: W::Norm,
    /// The feed-forward network.
    pub feed_forward: FeedForward<W>,
}

/// The two shapes of feed-forward network.
pub enum FeedForward<W: WeightSet> {
    /// `down(silu(gate(x)) * up(x))`: Llama, Qwen2.
    Gated {
        /// Gate and up, `[ffn, hidden]` each.
        gate_up: W::Gated,
        /// `[hidden, ffn]`.
        down: W::Linear,
    },
    /// `down(gelu(up(x)))`: StarCoder2.
    Plain {
        /// `[ffn, hidden]`.
        up: W::Linear,
        /// `[hidden, ffn]`.
        down: W::Linear,
    },
}

/// Hidden states after the last block, `[tokens, hidden]`.
pub fn hidden_states<O: Ops>(
    ops: &mut O,
    weights: &DecoderWeights<O::Weights>,
    tokens: &[u32],
) -> Result<O::Activation> {
    let mut x = ops.embed(&weights.embedding, tokens)?;
    for (index, layer) in weights.layers.iter().enumerate() {
        ops.enter_layer(index)?;
        x = block(ops, index, layer, x)?;
    }
    Ok(x)
}

/// Logits, `[rows, vocabulary]`, of hidden states `[rows, hidden]`.
pub fn logits<O: Ops>(
    ops: &mut O,
    weights: &DecoderWeights<O::Weights>,
    hidden: &O::Activation,
) -> Result<O::Activation> {
    let x = normed(ops, weights, hidden)?;
    ops.linear(&x, &weights.head)
}

/// Hidden states as they go into the head.
pub fn normed<O: Ops>(
    ops: &mut O,
    weights: &DecoderWeights<O::Weights>,
    hidden: &O::Activation,
) -> Result<O::Activation> {
    ops.norm(hidden, &weights.output_norm)
}

/// One block: attention, then the feed-forward network, each around its residual.
pub fn block<O: Ops>(
    ops: &mut O,
    index: usize,
    layer: &LayerWeights<O::Weights>,
    x: O::Activation,
) -> Result<O::Activation> {
    let normed = ops.norm(&x, &layer.attention_norm)?;
    let attended = ops.attend(index, &normed, &layer.attention)?;
    let attended = ops.linear(&attended, &layer.output)?;
    let x = ops.add(x, attended)?;
    let normed = ops.norm(&x, &layer.feed_forward_norm)?;
    let fed = match &layer.feed_forward {
        FeedForward::Gated { gate_up, down } => {
            let inner = ops.gated_silu(&normed, gate_up)?;
            ops.linear(&inner, down)?
        }
        FeedForward::Plain { up, down } => {
            let inner = ops.linear(&normed, up)?;
            let inner = ops.gelu(inner)?;
            ops.linear(&inner, down)?
        }
    };
    ops.add(x, fed)
}
