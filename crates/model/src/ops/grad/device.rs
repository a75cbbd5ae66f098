//! Training on the tensor library's devices: every step is made of tensor operations that have a
//! backward pass. On the CPU it serves as a second opinion on [`super::cpu`].

use candle_core::{DType, Tensor};

use super::{Adapter, GradLinear, GradNorm, GradWeights, Id};
use crate::error::Result;
use crate::kernels::layer_kv::HeadShape;
use crate::ops::Ops;
use crate::ops::device::{norm, rotate, softmax};

/// One forward pass over a batch of sequences, padded on the right to one length.
///
/// Rows of activations are `[batch * length]`, a sequence after the other. Attention is causal, so
/// what is padded changes no row before it; whoever sums the loss leaves the padding out.
pub struct DevicePass<'a> {
    /// The parameters.
    pub tensors: &'a [Tensor],
    /// What is added to matrices.
    pub adapters: &'a [Adapter],
    /// What products are computed in.
    pub dtype: DType,
    /// Head counts.
    pub shape: HeadShape,
    /// Norm epsilon.
    pub epsilon: f64,
    /// Tokens in each sequence, padding included.
    pub length: usize,
    /// Cosines and sines of positions `0..length`, `[length, head_dim / 2]` each.
    pub angles: (Tensor, Tensor),
    /// Additive mask `[length, length]`.
    pub mask: Tensor,
}

impl DevicePass<'_> {
    /// `a b^T` in the precision of products.
    pub fn product(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let (a, b) = (a.to_dtype(self.dtype)?, b.to_dtype(self.dtype)?);
        Ok(a.matmul(&b.t()?)?.to_dtype(DType::F32)?)
    }

    fn apply(&self, x: &Tensor, linear: &GradLinear) -> Result<Tensor> {
        let mut y = self.product(x, &self.tensors[linear.weight])?;
        if let Some(adapter) = linear.adapter.map(|index| self.adapters[index])
            && !adapter.merged
        {
            let inner = (self.product(x, &self.tensors[adapter.a])? * f64::from(adapter.scale))?;
            y = (y + self.product(&inner, &self.tensors[adapter.b])?)?;
        }
        Ok(match linear.bias {
            Some(bias) => y.broadcast_add(&self.tensors[bias])?,
            None => y,
        })
    }
}

impl Ops for DevicePass<'_> {
    type Weights = GradWeights;
    type Activation = Tensor;

    fn enter_layer(&mut self, _layer: usize) -> Result<()> {
        Ok(())
    }

    fn embed(&mut self, table: &Id, tokens: &[u32]) -> Result<Tensor> {
        let table = &self.tensors[*table];
        Ok(table.index_select(&Tensor::new(tokens, table.device())?, 0)?)
    }

    fn norm(&mut self, x: &Tensor, weight: &GradNorm) -> Result<Tensor> {
        let bias = weight.bias.map(|bias| &self.tensors[bias]);
        norm(x, &self.tensors[weight.weight], bias, self.epsilon)
    }

    fn linear(&mut self, x: &Tensor, weight: &GradLinear) -> Result<Tensor> {
        self.apply(x, weight)
    }

    fn attend(&mut self, _layer: usize, x: &Tensor, weight: &[GradLinear; 3]) -> Result<Tensor> {
        let HeadShape {
            heads,
            kv_heads,
            head_dim,
        } = self.shape;
        let batch = x.dims()[0] / self.length;
        let [queries, keys, values] = weight;
        let split = |linear: &GradLinear, count: usize| -> Result<Tensor> {
            // [batch, count, length, head_dim]
            let part = self
                .apply(x, linear)?
                .reshape((batch, self.length, count, head_dim))?;
            Ok(part.transpose(1, 2)?.contiguous()?)
        };
        let queries = rotate(&split(queries, heads)?, &self.angles)?;
        let keys = rotate(&split(keys, kv_heads)?, &self.angles)?.to_dtype(self.dtype)?;
        let values = split(values, kv_heads)?.to_dtype(self.dtype)?;
        let group = heads / kv_heads;
        let grouped = (batch, kv_heads, group * self.length, head_dim);
        let queries = (queries.reshape(grouped)? * (1.0 / (head_dim as f64).sqrt()))?;
        let queries = queries.to_dtype(self.dtype)?;
        let scores = queries.matmul(&keys.transpose(2, 3)?.contiguous()?)?;
        let scores = scores
            .to_dtype(DType::F32)?
            .reshape((batch, heads, self.length, self.length))?
            .broadcast_add(&self.mask)?;
        let weights = softmax(&scores)?.to_dtype(self.dtype)?;
        let weights = weights.reshape((batch, kv_heads, group * self.length, self.length))?;
        let out = weights
            .matmul(&values)?
            .reshape((batch, heads, self.length, head_dim))?;
        Ok(out
            .transpose(1, 2)?
            .reshape((batch * self.length, heads * head_dim))?
            .to_dtype(DType::F32)?)
    }

    fn gated_silu(&mut self, x: &Tensor, [gate, up]: &[GradLinear; 2]) -> Result<Tensor> {
        Ok((self.apply(x, gate)?.silu()? * self.apply(x, up)?)?)
    }

    fn gelu(&mut self, x: Tensor) -> Result<Tensor> {
        Ok(x.gelu()?)
    }

    fn add(&mut self, a: Tensor, b: Tensor) -> Result<Tensor> {
        Ok((a + b)?)
    }
}
