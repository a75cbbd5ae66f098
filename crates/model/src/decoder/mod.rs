//! The decoder for inference: weights on a device, one forward pass at a time.

pub mod load;
pub mod network;

use candle_core::{DType, Device, Tensor};

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::kernels::layer_kv::{HeadShape, KvPrecision};
use crate::kv::{CacheLayers, KvCache};
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
            self.chunk(cache, chunk, &rows, cancelled, &mut logits)?;
            start = end;
        }
        Ok(logits)
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
        cache: &mut KvCache,
        tokens: &[TokenId],
        rows: &[u32],
        cancelled: &dyn Fn() -> bool,
        logits: &mut Vec<f32>,
    ) -> Result<()> {
        let ids: Vec<u32> = tokens.iter().map(|token| token.0).collect();
        let offset = cache.len();
        match (&self.weights, &mut cache.layers) {
            (Weights::Cpu { weights, .. }, CacheLayers::Cpu(layers)) => {
                let mut ops = CpuOps {
                    shape: self.head_shape(),
                    epsilon: self.config.norm_epsilon,
                    window: self.config.sliding_window,
                    rope: &self.rope,
                    cache: layers,
                    offset,
                    cancelled,
                };
                let hidden = network::hidden_states(&mut ops, weights, &ids)?;
                append_logits(&mut ops, weights, &hidden, rows, logits)?;
            }
            (
                Weights::Device {
                    weights, device, ..
                },
                CacheLayers::Device(layers),
            ) => {
                let mut ops = self.device_ops(layers, tokens.len(), offset, device, cancelled)?;
                let hidden = network::hidden_states(&mut ops, weights, &ids)?;
                append_logits(&mut ops, weights, &hidden, rows, logits)?;
            }
            _ => {
                return Err(ModelError::internal(
                    "a cache belongs to the model that made it",
                ));
            }
        }
        cache.extend(tokens);
        Ok(())
    }

    fn device_ops<'a>(
        &self,
        cache: &'a mut [crate::ops::device::DeviceLayerKv],
        tokens: usize,
        offset: usize,
        device: &Device,
        cancelled: &'a dyn Fn() -> bool,
    ) -> Result<DeviceOps<'a>> {
        let (cos, sin) = self.rope.rows(offset..offset + tokens);
        let angles = |values: &[f32]| -> Result<Tensor> {
            Ok(Tensor::from_slice(
                values,
                (tokens, self.rope.half()),
                device,
            )?)
        };
        let window = self.config.sliding_window;
        let mask = (tokens > 1)
            .then(|| causal_mask(tokens, offset, window, device))
            .transpose()?;
        Ok(DeviceOps {
            shape: self.head_shape(),
            epsilon: f64::from(self.config.norm_epsilon),
            window,
            angles: (angles(cos)?, angles(sin)?),
            cache,
            offset,
            mask,
            cancelled,
        })
    }
}

fn append_logits<O: crate::ops::Ops>(
    ops: &mut O,
    weights: &DecoderWeights<O::Weights>,
    hidden: &Tensor,
    rows: &[u32],
    out: &mut Vec<f32>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = Tensor::new(rows, hidden.device())?;
    let logits = network::logits(ops, weights, &hidden.index_select(&rows, 0)?)?;
    out.extend(
        logits
            .to_dtype(DType::F32)?
            .flatten_all()?
            .to_vec1::<f32>()?,
    );
    Ok(())
}
