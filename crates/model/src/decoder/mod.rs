//! The decoder for inference: weights on a device, one forward pass at a time.

mod adapted;
pub mod load;
pub mod network;

use candle_core::{DType, Device, Tensor};

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::kernels::layer_kv::{HeadShape, KvPrecision};
use crate::kv::{CacheLayers, KvCache};
use crate::ops::Sequence;
use crate::ops::cpu::{CpuLoader, CpuOps, CpuWeights};
use crate::ops::device::{DeviceLoader, DeviceOps, DeviceWeights, causal_mask};
use crate::rope::RopeTables;
use crate::tokens::TokenId;
use crate::weights::WeightSource;
use network::DecoderWeights;

/// Tokens that go through the layers together: large enough to share the reading of the weights,
/// small enough that a pass stays short on a slow machine.
const CHUNK: usize = 128;

/// How weights are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// CPU: packed for int8 products, quantised files keep their quants, others are rounded to
    /// eight bits, the KV cache to `f16`. GPU: `bf16`.
    Serving,
    /// Every weight exact in `f32`.
    Exact,
}

/// A sequence's part in a pass of several.
pub struct Part<'a> {
    /// The sequence so far.
    pub cache: &'a mut KvCache,
    /// What is appended to it; at least one token.
    pub tokens: &'a [TokenId],
    /// Whether the logits after the last of them are wanted.
    pub logits: bool,
}

/// A model that infers. Immutable: sequences keep their state in a [`KvCache`].
pub struct Decoder {
    config: ModelConfig,
    weights: Weights,
    rope: RopeTables,
    bytes: usize,
}

enum Weights {
    Cpu {
        weights: DecoderWeights<CpuWeights>,
        kv: KvPrecision,
    },
    Device {
        weights: DecoderWeights<DeviceWeights>,
        device: Device,
        dtype: DType,
    },
}

impl Decoder {
    /// Loads weights for the CPU; sequences are at most `max_positions` tokens long.
    pub fn on_cpu(
        config: ModelConfig,
        source: &dyn WeightSource,
        precision: Precision,
        max_positions: usize,
    ) -> Result<Self> {
        let mut loader = CpuLoader {
            exact: precision == Precision::Exact,
            bytes: 0,
        };
        let kv = match precision {
            Precision::Serving => KvPrecision::Half,
            Precision::Exact => KvPrecision::Full,
        };
        let weights = load::load_weights(&mut loader, &config, source)?;
        let weights = Weights::Cpu { weights, kv };
        Ok(Self::new(config, weights, max_positions, loader.bytes))
    }

    /// Loads weights onto a device through the tensor library.
    pub fn on_device(
        config: ModelConfig,
        source: &dyn WeightSource,
        device: &Device,
        precision: Precision,
        max_positions: usize,
    ) -> Result<Self> {
        let dtype = match precision {
            Precision::Serving => DType::BF16,
            Precision::Exact => DType::F32,
        };
        let mut loader = DeviceLoader {
            device: device.clone(),
            dtype,
            bytes: 0,
        };
        let weights = load::load_weights(&mut loader, &config, source)?;
        let weights = Weights::Device {
            weights,
            device: device.clone(),
            dtype,
        };
        Ok(Self::new(config, weights, max_positions, loader.bytes))
    }

    fn new(config: ModelConfig, weights: Weights, max_positions: usize, bytes: usize) -> Self {
        let rope = RopeTables::new(&config, max_positions.min(config.max_positions));
        Self {
            config,
            weights,
            rope,
            bytes,
        }
    }

    /// The architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Longest sequence.
    pub fn max_positions(&self) -> usize {
        self.rope.positions()
    }

    /// Bytes of weights in memory.
    pub fn weight_bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of KV cache that a token takes.
    pub fn kv_bytes_per_token(&self) -> usize {
        let element = match &self.weights {
            Weights::Cpu { kv, .. } => kv.bytes(),
            Weights::Device { dtype, .. } => dtype.size_in_bytes(),
        };
        2 * self.config.layers * self.head_shape().kv_width() * element
    }

    fn head_shape(&self) -> HeadShape {
        HeadShape {
            heads: self.config.heads,
            kv_heads: self.config.kv_heads,
            head_dim: self.config.head_dim,
        }
    }

    /// An empty cache for sequences of up to `capacity` tokens.
    pub fn cache(&self, capacity: usize) -> Result<KvCache> {
        let (requested, capacity) = (capacity, capacity.min(self.max_positions()));
        let (shape, layers) = (self.head_shape(), self.config.layers);
        let cache = match &self.weights {
            Weights::Cpu { kv, .. } => KvCache::on_cpu(shape, layers, capacity, *kv),
            Weights::Device { device, dtype, .. } => {
                KvCache::on_device(shape, layers, capacity, *dtype, device)?
            }
        };
        Ok(cache.with_requested(requested))
    }

    /// Appends `tokens` to the sequence in `cache` and gives the logits after those at the
    /// ascending indices `wanted` into `tokens`: `[wanted, vocabulary]`, row-major.
    ///
    /// `cancelled` is asked before each layer; on cancellation the cache keeps the chunks that were
    /// finished.
    ///
    /// # Errors
    /// [`ModelError::Cancelled`], [`ModelError::CacheFull`], [`ModelError::UnknownToken`], and what
    /// the tensor library reports.
    pub fn forward(
        &self,
        cache: &mut KvCache,
        tokens: &[TokenId],
        wanted: &[usize],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>> {
        self.check(cache, tokens)?;
        let mut logits = Vec::with_capacity(wanted.len() * self.config.vocabulary);
        let mut start = 0;
        for chunk in tokens.chunks(CHUNK) {
            let end = start + chunk.len();
            let rows: Vec<u32> = wanted
                .iter()
                .filter(|index| (start..end).contains(*index))
                .map(|index| (index - start) as u32)
                .collect();
            let mut take = Take::Logits(&rows, &mut logits);
            self.chunk(&mut [Part::of(cache, chunk)], cancelled, &mut take)?;
            start = end;
        }
        Ok(logits)
    }

    /// Appends tokens to several sequences in one pass over the weights, and gives the logits of those
    /// that want them, `[wanted, vocabulary]`, row-major. All tokens go through the layers together: the
    /// caller bounds their number.
    ///
    /// On the CPU a sequence's numbers do not depend on the others, under [`Precision::Serving`] not by
    /// a bit.
    ///
    /// # Errors
    /// As [`Decoder::forward`]; where there is one, no sequence has its tokens.
    pub fn forward_many(
        &self,
        parts: &mut [Part<'_>],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>> {
        let mut rows = Vec::new();
        let mut end = 0;
        for part in parts.iter() {
            self.check(part.cache, part.tokens)?;
            end += part.tokens.len() as u32;
            rows.extend((part.logits && end > 0).then(|| end - 1));
        }
        let mut logits = Vec::with_capacity(rows.len() * self.config.vocabulary);
        if end > 0 {
            let mut take = Take::Logits(&rows, &mut logits);
            self.chunk(parts, cancelled, &mut take)?;
        }
        Ok(logits)
    }

    /// Appends `tokens` to `cache` and returns the mean of their hidden states, as they go into the
    /// head: what the model makes of a text, as one vector.
    ///
    /// # Errors
    /// As [`Decoder::forward`]; [`ModelError::Internal`] for no tokens.
    pub fn mean_hidden(
        &self,
        cache: &mut KvCache,
        tokens: &[TokenId],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>> {
        if tokens.is_empty() {
            return Err(ModelError::internal("no tokens have no mean"));
        }
        self.check(cache, tokens)?;
        let mut sum = vec![0.0; self.config.hidden];
        for chunk in tokens.chunks(CHUNK) {
            let mut take = Take::Sum(&mut sum);
            self.chunk(&mut [Part::of(cache, chunk)], cancelled, &mut take)?;
        }
        for value in &mut sum {
            *value /= tokens.len() as f32;
        }
        Ok(sum)
    }

    fn check(&self, cache: &KvCache, tokens: &[TokenId]) -> Result<()> {
        let needed = cache.len() + tokens.len();
        if needed > cache.capacity() {
            return Err(ModelError::CacheFull {
                needed,
                capacity: cache.capacity(),
            });
        }
        let vocabulary = self.config.vocabulary;
        match tokens.iter().find(|token| token.0 as usize >= vocabulary) {
            Some(token) => Err(ModelError::UnknownToken {
                token: token.0,
                vocabulary,
            }),
            None => Ok(()),
        }
    }

    fn chunk(
        &self,
        parts: &mut [Part<'_>],
        cancelled: &dyn Fn() -> bool,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let tokens = parts.iter().flat_map(|part| part.tokens);
        let ids: Vec<u32> = tokens.map(|token| token.0).collect();
        match &self.weights {
            Weights::Cpu { weights, .. } => {
                let mut ops = CpuOps {
                    shape: self.head_shape(),
                    epsilon: self.config.norm_epsilon,
                    window: self.config.sliding_window,
                    rope: &self.rope,
                    sequences: sequences(parts, CacheLayers::cpu)?,
                    cancelled,
                };
                let hidden = network::hidden_states(&mut ops, weights, &ids)?;
                take.from(&mut ops, weights, &hidden)?;
            }
            Weights::Device {
                weights, device, ..
            } => {
                let mut ops = self.device_ops(parts, device, cancelled)?;
                let hidden = network::hidden_states(&mut ops, weights, &ids)?;
                take.from(&mut ops, weights, &hidden)?;
            }
        }
        for part in parts {
            part.cache.extend(part.tokens);
        }
        Ok(())
    }

    fn device_ops<'a>(
        &self,
        parts: &'a mut [Part<'_>],
        device: &Device,
        cancelled: &'a dyn Fn() -> bool,
    ) -> Result<DeviceOps<'a>> {
        let window = self.config.sliding_window;
        let (mut cos, mut sin, mut masks) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts.iter() {
            let (offset, tokens) = (part.cache.len(), part.tokens.len());
            let (own_cos, own_sin) = self.rope.rows(offset..offset + tokens);
            cos.extend_from_slice(own_cos);
            sin.extend_from_slice(own_sin);
            let mask = (tokens > 1).then(|| causal_mask(tokens, offset, window, device));
            masks.push(mask.transpose()?);
        }
        let half = self.rope.half();
        let angles = |values: Vec<f32>| -> Result<Tensor> {
            let rows = values.len() / half;
            Ok(Tensor::from_vec(values, (rows, half), device)?)
        };
        Ok(DeviceOps {
            shape: self.head_shape(),
            epsilon: f64::from(self.config.norm_epsilon),
            window,
            angles: (angles(cos)?, angles(sin)?),
            sequences: sequences(parts, CacheLayers::device)?,
            masks,
            cancelled,
        })
    }
}

impl<'a> Part<'a> {
    /// A sequence whose logits are taken by other means.
    fn of(cache: &'a mut KvCache, tokens: &'a [TokenId]) -> Self {
        Self {
            cache,
            tokens,
            logits: false,
        }
    }
}

/// The parts as operations see them.
fn sequences<'a, L>(
    parts: &'a mut [Part<'_>],
    of: fn(&mut CacheLayers) -> Option<&mut [L]>,
) -> Result<Vec<Sequence<'a, L>>> {
    let found = parts.iter_mut().map(|part| {
        let offset = part.cache.len();
        let cache = of(&mut part.cache.layers).ok_or(ModelError::internal(
            "a cache belongs to the model that made it",
        ))?;
        Ok(Sequence {
            cache,
            offset,
            tokens: part.tokens.len(),
        })
    });
    found.collect()
}

/// What is taken from the hidden states of a chunk.
enum Take<'a> {
    /// Logits behind these rows.
    Logits(&'a [u32], &'a mut Vec<f32>),
    /// The sum over all rows.
    Sum(&'a mut [f32]),
}

impl Take<'_> {
    fn from<O: crate::ops::Ops<Activation = Tensor>>(
        &mut self,
        ops: &mut O,
        weights: &DecoderWeights<O::Weights>,
        hidden: &Tensor,
    ) -> Result<()> {
        let floats = |tensor: Tensor| -> Result<Vec<f32>> {
            Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
        };
        match self {
            Self::Logits([], _) => {}
            Self::Logits(rows, out) => {
                let rows = Tensor::new(*rows, hidden.device())?;
                let logits = network::logits(ops, weights, &hidden.index_select(&rows, 0)?)?;
                out.extend(floats(logits)?);
            }
            Self::Sum(sum) => {
                let normed = network::normed(ops, weights, hidden)?;
                let added = floats(normed.to_dtype(DType::F32)?.sum(0)?)?;
                for (sum, value) in sum.iter_mut().zip(added) {
                    *sum += value;
                }
            }
        }
        Ok(())
    }
}
