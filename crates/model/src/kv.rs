//! The KV cache of one sequence: preallocated, written in place, cut back by changing its length.

use candle_core::{DType, Device};

use crate::error::Result;
use crate::kernels::layer_kv::{HeadShape, KvPrecision, LayerKv};
use crate::ops::device::DeviceLayerKv;
use crate::tokens::TokenId;

/// Keys and values of every layer, and the tokens that they belong to.
pub struct KvCache {
    pub(crate) layers: CacheLayers,
    tokens: Vec<TokenId>,
    capacity: usize,
    requested: usize,
    bytes: usize,
}

pub(crate) enum CacheLayers {
    Cpu(Vec<LayerKv>),
    Device(Vec<DeviceLayerKv>),
}

impl CacheLayers {
    pub(crate) fn cpu(&mut self) -> Option<&mut [LayerKv]> {
        match self {
            Self::Cpu(layers) => Some(layers),
            Self::Device(_) => None,
        }
    }

    pub(crate) fn device(&mut self) -> Option<&mut [DeviceLayerKv]> {
        match self {
            Self::Device(layers) => Some(layers),
            Self::Cpu(_) => None,
        }
    }
}

impl KvCache {
    pub(crate) fn on_cpu(
        shape: HeadShape,
        layers: usize,
        capacity: usize,
        precision: KvPrecision,
    ) -> Self {
        let made = (0..layers)
            .map(|_| LayerKv::new(shape, capacity, precision))
            .collect();
        let bytes = 2 * layers * shape.kv_width() * capacity * precision.bytes();
        Self {
            layers: CacheLayers::Cpu(made),
            tokens: Vec::new(),
            capacity,
            requested: capacity,
            bytes,
        }
    }

    pub(crate) fn on_device(
        shape: HeadShape,
        layers: usize,
        capacity: usize,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let made = (0..layers)
            .map(|_| DeviceLayerKv::new(shape, capacity, dtype, device))
            .collect::<Result<_>>()?;
        let bytes = 2 * layers * shape.kv_width() * capacity * dtype.size_in_bytes();
        Ok(Self {
            layers: CacheLayers::Device(made),
            tokens: Vec::new(),
            capacity,
            requested: capacity,
            bytes,
        })
    }

    /// The tokens whose keys and values are in the cache.
    pub fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    /// Tokens in the cache.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// True where nothing is cached.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Tokens that fit.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tokens that were asked for when the cache was made; the model may hold fewer.
    pub fn requested(&self) -> usize {
        self.requested
    }

    pub(crate) fn with_requested(self, requested: usize) -> Self {
        Self { requested, ..self }
    }

    /// Bytes that the cache takes once it is full.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all but the first `length` tokens.
    pub fn truncate(&mut self, length: usize) {
        self.tokens.truncate(length);
    }

    /// How many of `tokens`, counted from the start, are in the cache.
    pub fn shared_prefix(&self, tokens: &[TokenId]) -> usize {
        self.tokens
            .iter()
            .zip(tokens)
            .take_while(|(a, b)| a == b)
            .count()
    }

    /// Records tokens whose keys and values every layer has written.
    pub(crate) fn extend(&mut self, tokens: &[TokenId]) {
        self.tokens.extend_from_slice(tokens);
    }
}
