//! Inference with the tensor library's own kernels, in `f32` or `bf16`: what runs on a GPU. On the
//! CPU it serves as a second opinion on [`super::cpu`].

use candle_core::{D, DType, Device, Tensor};

use super::{Loader, NamedWeight, Ops, Sequence, WeightSet};
use crate::error::{ModelError, Result};
use crate::kernels::layer_kv::HeadShape;

/// One matrix `[out, in]`, with a bias `[out]` where it has one.
#[derive(Clone)]
pub struct DeviceLinear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl DeviceLinear {
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight.t()?)?;
        Ok(match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        })
    }
}

/// A norm's weight, `[hidden]`; a bias makes it a layer norm.
pub struct DeviceNorm {
    weight: Tensor,
    bias: Option<Tensor>,
}

/// The device's weights.
pub struct DeviceWeights;

impl WeightSet for DeviceWeights {
    type Embedding = Tensor;
    type Linear = DeviceLinear;
    type Norm = DeviceNorm;
    type Attention = DeviceLinear;
    type Gated = DeviceLinear;
}

/// Keys and values of one layer, `[kv_heads, capacity, head_dim]` each, written in place.
pub struct DeviceLayerKv {
    keys: Tensor,
    values: Tensor,
}

impl DeviceLayerKv {
    /// Room for `capacity` positions.
    pub fn new(shape: HeadShape, capacity: usize, dtype: DType, device: &Device) -> Result<Self> {
        let size = (shape.kv_heads, capacity, shape.head_dim);
        Ok(Self {
            keys: Tensor::zeros(size, dtype, device)?,
            values: Tensor::zeros(size, dtype, device)?,
        })
    }
}

/// One forward pass.
pub struct DeviceOps<'a> {
    /// Head counts.
    pub shape: HeadShape,
    /// Norm epsilon.
    pub epsilon: f64,
    /// Positions that attention sees, counted back from the query's own.
    pub window: Option<usize>,
    /// Cosines and sines of the rows' positions, `[rows, head_dim / 2]` each.
    pub angles: (Tensor, Tensor),
    /// In the order of their rows.
    pub sequences: Vec<Sequence<'a, DeviceLayerKv>>,
    /// Of each sequence the additive mask `[tokens, keys]`, where it has more than one token.
    pub masks: Vec<Option<Tensor>>,
    /// Asked before each layer.
    pub cancelled: &'a dyn Fn() -> bool,
}

impl Ops for DeviceOps<'_> {
    type Weights = DeviceWeights;
    type Activation = Tensor;

    fn enter_layer(&mut self, _layer: usize) -> Result<()> {
        if (self.cancelled)() {
            Err(ModelError::Cancelled)
        } else {
            Ok(())
        }
    }

    fn embed(&mut self, table: &Tensor, tokens: &[u32]) -> Result<Tensor> {
        Ok(table.index_select(&Tensor::new(tokens, table.device())?, 0)?)
    }

    fn norm(&mut self, x: &Tensor, weight: &DeviceNorm) -> Result<Tensor> {
        norm(x, &weight.weight, weight.bias.as_ref(), self.epsilon)
    }

    fn linear(&mut self, x: &Tensor, weight: &DeviceLinear) -> Result<Tensor> {
        weight.apply(x)
    }

    fn attend(&mut self, layer: usize, x: &Tensor, weight: &DeviceLinear) -> Result<Tensor> {
        let HeadShape {
            heads,
            kv_heads,
            head_dim,
        } = self.shape;
        let rows = x.dims()[0];
        let joint = weight.apply(x)?;
        let split = |first: usize, count: usize| -> Result<Tensor> {
            let part = joint.narrow(1, first * head_dim, count * head_dim)?;
            // [rows, count, head_dim] -> [count, rows, head_dim]
            Ok(part
                .reshape((rows, count, head_dim))?
                .transpose(0, 1)?
                .contiguous()?)
        };
        let queries = rotate(&split(0, heads)?, &self.angles)?;
        let keys = rotate(&split(heads, kv_heads)?, &self.angles)?;
        let values = split(heads + kv_heads, kv_heads)?;
        let mut out = Vec::with_capacity(self.sequences.len());
        let mut row = 0;
        for (sequence, mask) in self.sequences.iter().zip(&self.masks) {
            let own = |part: &Tensor| part.narrow(1, row, sequence.tokens)?.contiguous();
            let cache = &sequence.cache[layer];
            cache.keys.slice_set(&own(&keys)?, 1, sequence.offset)?;
            cache.values.slice_set(&own(&values)?, 1, sequence.offset)?;
            out.push(self.attend_one(&own(&queries)?, sequence, layer, mask.as_ref())?);
            row += sequence.tokens;
        }
        match &out[..] {
            [one] => Ok(one.clone()),
            several => Ok(Tensor::cat(several, 0)?),
        }
    }

    fn gated_silu(&mut self, x: &Tensor, weight: &DeviceLinear) -> Result<Tensor> {
        let joint = weight.apply(x)?;
        let width = joint.dims()[1] / 2;
        let (gate, up) = (joint.narrow(1, 0, width)?, joint.narrow(1, width, width)?);
        Ok((gate.silu()? * up)?)
    }

    fn gelu(&mut self, x: Tensor) -> Result<Tensor> {
        Ok(x.gelu()?)
    }

    fn add(&mut self, a: Tensor, b: Tensor) -> Result<Tensor> {
        Ok((a + b)?)
    }
}

impl DeviceOps<'_> {
    /// Attends a sequence's queries, `[heads, tokens, head_dim]`, to its cache, which has their keys and
    /// values; `[tokens, heads * head_dim]`.
    fn attend_one(
        &self,
        queries: &Tensor,
        sequence: &Sequence<'_, DeviceLayerKv>,
        layer: usize,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let HeadShape {
            heads,
            kv_heads,
            head_dim,
        } = self.shape;
        let (tokens, cache) = (sequence.tokens, &sequence.cache[layer]);
        let end = sequence.offset + tokens;
        let start = match self.window {
            Some(window) if mask.is_none() => end.saturating_sub(window),
            _ => 0,
        };
        let keys = cache.keys.narrow(1, start, end - start)?;
        let values = cache.values.narrow(1, start, end - start)?;
        let group = heads / kv_heads;
        let queries = queries.reshape((kv_heads, group * tokens, head_dim))?;
        let queries = (queries * (1.0 / (head_dim as f64).sqrt()))?;
        let scores = queries
            .matmul(&keys.transpose(1, 2)?)?
            .to_dtype(DType::F32)?;
        let scores = match mask {
            None => scores,
            Some(mask) => scores
                .reshape((heads, tokens, end - start))?
                .broadcast_add(mask)?
                .reshape((kv_heads, group * tokens, end - start))?,
        };
        let weights = softmax(&scores)?.to_dtype(values.dtype())?;
        // [kv_heads, group * tokens, head_dim] -> [tokens, heads * head_dim]
        let out = weights
            .matmul(&values.contiguous()?)?
            .reshape((heads, tokens, head_dim))?;
        Ok(out.transpose(0, 1)?.reshape((tokens, heads * head_dim))?)
    }
}

/// RMS norm or layer norm, computed in `f32` whatever the input's type; differentiable.
pub(super) fn norm(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    epsilon: f64,
) -> Result<Tensor> {
    let dtype = x.dtype();
    let width = x.dim(D::Minus1)? as f64;
    let x = x.to_dtype(DType::F32)?;
    let x = match bias {
        None => x,
        Some(_) => x.broadcast_sub(&(x.sum_keepdim(D::Minus1)? / width)?)?,
    };
    let variance = (x.sqr()?.sum_keepdim(D::Minus1)? / width)?;
    let x = x
        .broadcast_div(&(variance + epsilon)?.sqrt()?)?
        .to_dtype(dtype)?;
    let x = x.broadcast_mul(weight)?;
    Ok(match bias {
        None => x,
        Some(bias) => x.broadcast_add(bias)?,
    })
}

/// Softmax over the last dimension; differentiable.
pub(super) fn softmax(scores: &Tensor) -> Result<Tensor> {
    let largest = scores.max_keepdim(D::Minus1)?.detach();
    let weights = scores.broadcast_sub(&largest)?.exp()?;
    let total = weights.sum_keepdim(D::Minus1)?;
    Ok(weights.broadcast_div(&total)?)
}

/// Rotates heads `[.., tokens, head_dim]` by angles `[tokens, head_dim / 2]`; differentiable.
pub(super) fn rotate(heads: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor> {
    let half = heads.dim(D::Minus1)? / 2;
    let low = heads.narrow(D::Minus1, 0, half)?;
    let high = heads.narrow(D::Minus1, half, half)?;
    let (cos, sin) = (cos.to_dtype(heads.dtype())?, sin.to_dtype(heads.dtype())?);
    let turned_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let turned_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    Ok(Tensor::cat(&[turned_low, turned_high], D::Minus1)?)
}

/// 0 where a query at `offset + row` may see a key at `column`, else minus infinity.
pub(crate) fn causal_mask(
    tokens: usize,
    offset: usize,
    window: Option<usize>,
    device: &Device,
) -> Result<Tensor> {
    let keys = offset + tokens;
    let mut mask = vec![0.0f32; tokens * keys];
    for (row, values) in mask.chunks_exact_mut(keys).enumerate() {
        let end = offset + row + 1;
        let start = window.map_or(0, |window| end.saturating_sub(window));
        values[..start].fill(f32::NEG_INFINITY);
        values[end..].fill(f32::NEG_INFINITY);
    }
    Ok(Tensor::from_vec(mask, (tokens, keys), device)?)
}

/// Loads weights onto a device.
pub struct DeviceLoader {
    /// Where to.
    pub device: Device,
    /// `F32` or `BF16`.
    pub dtype: DType,
    /// Bytes of weights held on the device so far.
    pub bytes: usize,
}

impl DeviceLoader {
    fn tensor(&mut self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        self.bytes += values.len() * self.dtype.size_in_bytes();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(self.dtype)?;
        Ok(tensor.to_device(&self.device)?)
    }

    fn joined(&mut self, parts: &[NamedWeight<'_>]) -> Result<DeviceLinear> {
        let rows: usize = parts.iter().map(|part| part.weight.shape[0]).sum();
        let shape = [rows, parts[0].weight.shape[1]];
        let values: Vec<f32> = parts.iter().flat_map(NamedWeight::to_f32).collect();
        let weight = self.tensor(values, &shape)?;
        let bias = if parts.iter().any(|part| part.bias.is_some()) {
            let zeros = |part: &NamedWeight<'_>| vec![0.0; part.weight.shape[0]];
            let values: Vec<f32> = parts
                .iter()
                .flat_map(|part| part.bias.clone().unwrap_or_else(|| zeros(part)))
                .collect();
            Some(self.tensor(values, &[rows])?)
        } else {
            None
        };
        Ok(DeviceLinear { weight, bias })
    }
}

impl Loader for DeviceLoader {
    type Weights = DeviceWeights;

    fn embedding(&mut self, weight: NamedWeight<'_>) -> Result<Tensor> {
        self.tensor(weight.to_f32(), &weight.weight.shape)
    }

    fn linear(&mut self, weight: NamedWeight<'_>) -> Result<DeviceLinear> {
        self.joined(&[weight])
    }

    fn tied_head(&mut self, embedding: &Tensor, _weight: NamedWeight<'_>) -> Result<DeviceLinear> {
        Ok(DeviceLinear {
            weight: embedding.clone(),
            bias: None,
        })
    }

    fn norm(&mut self, weight: NamedWeight<'_>) -> Result<DeviceNorm> {
        let width = weight.weight.shape[0];
        let bias = weight
            .bias
            .clone()
            .map(|bias| self.tensor(bias, &[width]))
            .transpose()?;
        Ok(DeviceNorm {
            weight: self.tensor(weight.to_f32(), &[width])?,
            bias,
        })
    }

    fn attention(&mut self, parts: [NamedWeight<'_>; 3]) -> Result<DeviceLinear> {
        self.joined(&parts)
    }

    fn gated(&mut self, parts: [NamedWeight<'_>; 2]) -> Result<DeviceLinear> {
        self.joined(&parts)
    }
}
