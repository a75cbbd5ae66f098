//! A decoder with an adapter beside the weights of its base.

use std::sync::Arc;

use super::network::{DecoderWeights, FeedForward, LayerWeights};
use super::{Decoder, Weights};
use crate::adapter::{Adapter, LowRank};
use crate::config::ModelConfig;
use crate::error::Result;
use crate::ops::cpu::{Addition, CpuLinear, CpuRows, CpuWeights};
use crate::weights::LayerPart;

impl Decoder {
    /// This decoder with an adapter: what the adapter adds is computed beside the base's matrices, which
    /// both decoders share. So it costs the adapter's memory alone, and the base's rounding stays what the
    /// adapter was trained on. `None` on a GPU, where adapters are merged before the weights are loaded.
    ///
    /// # Errors
    /// Where a matrix of the adapter has another shape than the base's, or a value is not finite.
    pub fn adapted(&self, adapter: &Adapter) -> Result<Option<Self>> {
        let Weights::Cpu { weights, kv } = &self.weights else {
            return Ok(None);
        };
        let mut bytes = self.bytes;
        let weights = with(weights, &self.config, adapter, &mut bytes)?;
        let weights = Weights::Cpu { weights, kv: *kv };
        let (config, positions) = (self.config.clone(), self.max_positions());
        Ok(Some(Self::new(config, weights, positions, bytes)))
    }
}

fn with(
    base: &DecoderWeights<CpuWeights>,
    config: &ModelConfig,
    adapter: &Adapter,
    bytes: &mut usize,
) -> Result<DecoderWeights<CpuWeights>> {
    let layers = base.layers.iter().enumerate();
    let layers = layers.map(|(index, base)| layer(base, index, adapter, bytes));
    let layers = layers.collect::<Result<Vec<_>>>()?;
    let (mut embedding, mut head) = (Arc::clone(&base.embedding), Arc::clone(&base.head));
    if let Some(rows) = &adapter.rows {
        let tokens: Vec<u32> = rows.tokens.iter().map(|token| token.0).collect();
        let table = |values: &[f32]| CpuRows::new(&tokens, values, config.hidden);
        embedding = Arc::new(embedding.with_rows(table(&rows.embedding)?));
        match &rows.head {
            _ if config.tied_head => head = Arc::clone(&embedding),
            Some(values) => head = Arc::new(head.with_rows(table(values)?)),
            None => {}
        }
    }
    Ok(DecoderWeights {
        embedding,
        layers,
        output_norm: base.output_norm.clone(),
        head,
    })
}

fn layer(
    base: &LayerWeights<CpuWeights>,
    index: usize,
    adapter: &Adapter,
    bytes: &mut usize,
) -> Result<LayerWeights<CpuWeights>> {
    let found = |part| {
        let mut all = adapter.matrices.iter();
        all.find(|low| low.layer == index && low.part == part)
    };
    let factor = (adapter.alpha / adapter.rank as f64) as f32;
    let mut add = |linear: &CpuLinear, parts: &[LayerPart]| {
        let additions = parts.iter().enumerate().filter_map(|(part, name)| {
            let LowRank { a, b, .. } = found(*name)?;
            Some(Addition {
                part,
                a,
                b,
                rank: adapter.rank,
                factor,
            })
        });
        linear.adapted(&additions.collect::<Vec<_>>(), bytes)
    };
    let feed_forward = match &base.feed_forward {
        FeedForward::Gated { gate_up, down } => FeedForward::Gated {
            gate_up: add(gate_up, &[LayerPart::Gate, LayerPart::Up])?,
            down: Arc::new(add(down, &[LayerPart::Down])?),
        },
        FeedForward::Plain { up, down } => FeedForward::Plain {
            up: Arc::new(add(up, &[LayerPart::Up])?),
            down: Arc::new(add(down, &[LayerPart::Down])?),
        },
    };
    Ok(LayerWeights {
        attention_norm: base.attention_norm.clone(),
        attention: add(&base.attention, &[LayerPart::Q, LayerPart::K, LayerPart::V])?,
        output: Arc::new(add(&base.output, &[LayerPart::O])?),
        feed_forward_norm: base.feed_forward_norm.clone(),
        feed_forward,
    })
}
