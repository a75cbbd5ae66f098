//! Differentiable operations over padded batches, for training: every step is made of tensor
//! operations that have a backward pass.

use candle_core::{DType, Device, Tensor, Var};

use super::device::{norm, rotate, softmax};
use super::{Loader, NamedWeight, Ops, WeightSet};
use crate::error::Result;
use crate::kernels::layer_kv::HeadShape;

/// One matrix `[out, in]`, with a bias `[out]` where it has one.
#[derive(Clone)]
pub struct GradLinear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl GradLinear {
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight.t()?)?;
        Ok(match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        })
    }
}

/// A norm's weight, `[hidden]`; a bias makes it a layer norm.
pub struct GradNorm {
    weight: Tensor,
    bias: Option<Tensor>,
}

/// The trainer's weights: tensors that are, or are computed from, variables.
pub struct GradWeights;

impl WeightSet for GradWeights {
    type Embedding = Tensor;
    type Linear = GradLinear;
    type Norm = GradNorm;
    type Attention = [GradLinear; 3];
    type Gated = [GradLinear; 2];
}

/// One forward pass over a batch of sequences, padded on the right to one length.
///
/// Rows of activations are `[batch * length]`, a sequence after the other. Attention is causal, so
/// what is padded changes no row before it; whoever sums the loss leaves the padding out.
pub struct GradOps {
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

impl Ops for GradOps {
    type Weights = GradWeights;

    fn enter_layer(&mut self, _layer: usize) -> Result<()> {
        Ok(())
    }

    fn embed(&mut self, table: &Tensor, tokens: &[u32]) -> Result<Tensor> {
        Ok(table.index_select(&Tensor::new(tokens, table.device())?, 0)?)
    }

    fn norm(&mut self, x: &Tensor, weight: &GradNorm) -> Result<Tensor> {
        norm(x, &weight.weight, weight.bias.as_ref(), self.epsilon)
    }

    fn linear(&mut self, x: &Tensor, weight: &GradLinear) -> Result<Tensor> {
        weight.apply(x)
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
            let part = linear
                .apply(x)?
                .reshape((batch, self.length, count, head_dim))?;
            Ok(part.transpose(1, 2)?.contiguous()?)
        };
        let queries = rotate(&split(queries, heads)?, &self.angles)?;
        let keys = rotate(&split(keys, kv_heads)?, &self.angles)?;
        let values = split(values, kv_heads)?;
        let group = heads / kv_heads;
        let grouped = (batch, kv_heads, group * self.length, head_dim);
        let queries = (queries.reshape(grouped)? * (1.0 / (head_dim as f64).sqrt()))?;
        let scores = queries.matmul(&keys.transpose(2, 3)?.contiguous()?)?;
        let scores = scores
            .to_dtype(DType::F32)?
            .reshape((batch, heads, self.length, self.length))?
            .broadcast_add(&self.mask)?;
        let weights = softmax(&scores)?.to_dtype(values.dtype())?;
        let weights = weights.reshape((batch, kv_heads, group * self.length, self.length))?;
        let out = weights
            .matmul(&values)?
            .reshape((batch, heads, self.length, head_dim))?;
        Ok(out
            .transpose(1, 2)?
            .reshape((batch * self.length, heads * head_dim))?)
    }

    fn gated_silu(&mut self, x: &Tensor, [gate, up]: &[GradLinear; 2]) -> Result<Tensor> {
        Ok((gate.apply(x)?.silu()? * up.apply(x)?)?)
    }

    fn gelu(&mut self, x: Tensor) -> Result<Tensor> {
        Ok(x.gelu()?)
    }

    fn add(&mut self, a: Tensor, b: Tensor) -> Result<Tensor> {
        Ok((a + b)?)
    }
}

/// Loads weights as variables and keeps them by name.
pub struct GradLoader {
    /// Where to.
    pub device: Device,
    /// Every parameter by its name in the source, biases as `NAME.bias`.
    pub variables: Vec<(String, Var)>,
}

impl GradLoader {
    fn variable(&mut self, name: &str, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        let variable = Var::from_tensor(&Tensor::from_vec(values, shape, &self.device)?)?;
        let tensor = variable.as_tensor().clone();
        self.variables.push((name.to_owned(), variable));
        Ok(tensor)
    }

    /// The parameter and its bias, if it has one.
    fn both(&mut self, weight: NamedWeight<'_>) -> Result<(Tensor, Option<Tensor>)> {
        let tensor = self.variable(&weight.name, weight.to_f32(), &weight.weight.shape)?;
        let features = weight.weight.shape[0];
        let bias_name = format!("{}.bias", weight.name.trim_end_matches(".weight"));
        let bias = weight
            .bias
            .map(|bias| self.variable(&bias_name, bias, &[features]))
            .transpose()?;
        Ok((tensor, bias))
    }
}

impl Loader for GradLoader {
    type Weights = GradWeights;

    fn embedding(&mut self, weight: NamedWeight<'_>) -> Result<Tensor> {
        Ok(self.both(weight)?.0)
    }

    fn linear(&mut self, weight: NamedWeight<'_>) -> Result<GradLinear> {
        let (weight, bias) = self.both(weight)?;
        Ok(GradLinear { weight, bias })
    }

    fn tied_head(&mut self, embedding: &Tensor, _weight: NamedWeight<'_>) -> Result<GradLinear> {
        Ok(GradLinear {
            weight: embedding.clone(),
            bias: None,
        })
    }

    fn norm(&mut self, weight: NamedWeight<'_>) -> Result<GradNorm> {
        let (weight, bias) = self.both(weight)?;
        Ok(GradNorm { weight, bias })
    }

    fn attention(
        &mut self,
        [queries, keys, values]: [NamedWeight<'_>; 3],
    ) -> Result<[GradLinear; 3]> {
        Ok([
            self.linear(queries)?,
            self.linear(keys)?,
            self.linear(values)?,
        ])
    }

    fn gated(&mut self, [gate, up]: [NamedWeight<'_>; 2]) -> Result<[GradLinear; 2]> {
        Ok([self.linear(gate)?, self.linear(up)?])
    }
}
