//! The decoder for training: the same network with differentiable operations.

use candle_core::{Device, Tensor, Var};

use crate::config::ModelConfig;
use crate::decoder::load::load_weights;
use crate::decoder::network::{self, DecoderWeights};
use crate::error::{ModelError, Result};
use crate::kernels::layer_kv::HeadShape;
use crate::ops::device::causal_mask;
use crate::ops::grad::{GradLoader, GradOps, GradWeights};
use crate::rope::RopeTables;
use crate::tokens::TokenId;
use crate::weights::WeightSource;

/// A model whose parameters are variables, in `f32`.
pub struct GradDecoder {
    config: ModelConfig,
    weights: DecoderWeights<GradWeights>,
    variables: Vec<(String, Var)>,
    device: Device,
}

impl GradDecoder {
    /// Loads every parameter as a variable.
    ///
    /// # Errors
    /// As [`load_weights`].
    pub fn load(config: ModelConfig, source: &dyn WeightSource, device: &Device) -> Result<Self> {
        let mut loader = GradLoader {
            device: device.clone(),
            variables: Vec::new(),
        };
        let weights = load_weights(&mut loader, &config, source)?;
        Ok(Self {
            config,
            weights,
            variables: loader.variables,
            device: device.clone(),
        })
    }

    /// Every parameter by its name in the source.
    pub fn variables(&self) -> &[(String, Var)] {
        &self.variables
    }

    /// Logits, `[batch * length, vocabulary]`, of a batch of sequences of `length` tokens each,
    /// one after the other, padded on the right.
    ///
    /// # Errors
    /// Where `tokens` is no multiple of `length`, and what the tensor library reports.
    pub fn logits(&self, tokens: &[TokenId], length: usize) -> Result<Tensor> {
        if length == 0 || tokens.is_empty() || !tokens.len().is_multiple_of(length) {
            return Err(ModelError::internal(
                "a batch is whole sequences of one length",
            ));
        }
        let rope = RopeTables::new(&self.config, length);
        let angles = |values: &[f32]| {
            Tensor::from_slice(values, (length, self.config.head_dim / 2), &self.device)
        };
        let (cos, sin) = rope.rows(0..length);
        let mut ops = GradOps {
            shape: HeadShape {
                heads: self.config.heads,
                kv_heads: self.config.kv_heads,
                head_dim: self.config.head_dim,
            },
            epsilon: f64::from(self.config.norm_epsilon),
            length,
            angles: (angles(cos)?, angles(sin)?),
            mask: causal_mask(length, 0, self.config.sliding_window, &self.device)?,
        };
        let ids: Vec<u32> = tokens.iter().map(|token| token.0).collect();
        let hidden = network::hidden_states(&mut ops, &self.weights, &ids)?;
        network::logits(&mut ops, &self.weights, &hidden)
    }
}
