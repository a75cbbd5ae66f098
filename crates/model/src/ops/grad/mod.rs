//! Differentiable operations, for training: [`cpu`] with our kernels and backward passes of our own,
//! [`device`] with the tensor library's. Both are loaded from the same
//! parameters; a device keeps their values itself.

mod backward;
pub mod cpu;
pub mod device;

use std::collections::BTreeMap;

use super::{Loader, NamedWeight, WeightSet, rows_from_file, rows_to_file};
use crate::error::Result;

/// A parameter's place among all.
pub type Id = usize;

/// One tensor of the model, or of what is trained beside it.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// As in the source.
    pub name: String,
    /// `[out, in]`, or `[features]`.
    pub shape: Vec<usize>,
    /// Whether it gets a gradient; else it is frozen.
    pub trained: bool,
    /// Whether weight decay applies: to matrices and rows of tables, not to norms and biases.
    pub decayed: bool,
    /// The head size whose rows the source stores interleaved; see [`NamedWeight::source_row`].
    pub interleaved: Option<usize>,
    /// The rows of another parameter that these are: those are trained, the rest is frozen.
    pub rows_of: Option<(Id, Vec<u32>)>,
    /// Row-major, rows in the decoder's order; empty where a device holds them.
    pub values: Vec<f32>,
}

impl Parameter {
    /// The values with rows in the source's order.
    pub fn source_values(&self) -> Vec<f32> {
        match self.interleaved {
            Some(head_dim) => rows_to_file(&self.values, head_dim, self.shape[0]),
            None => self.values.clone(),
        }
    }

    /// Replaces the values by ones with rows in the source's order.
    pub(crate) fn set_source_values(&mut self, values: &[f32]) {
        self.values = match self.interleaved {
            Some(head_dim) => rows_from_file(values, head_dim, self.shape[0]),
            None => values.to_vec(),
        };
    }
}

/// A low-rank addition to a matrix: `scale * b a`.
#[derive(Clone, Copy, Debug)]
pub struct Adapter {
    /// `[rank, in]`.
    pub a: Id,
    /// `[out, rank]`.
    pub b: Id,
    /// `alpha / rank`.
    pub scale: f32,
    /// Whether the matrix holds it for now.
    pub merged: bool,
}

/// One matrix `[out, in]`, with a bias `[out]` where it has one.
#[derive(Clone, Copy, Debug)]
pub struct GradLinear {
    /// The matrix.
    pub weight: Id,
    /// Its bias.
    pub bias: Option<Id>,
    /// Which of the decoder's adapters adds to it.
    pub adapter: Option<usize>,
}

/// A norm's weight, `[hidden]`; a bias makes it a layer norm.
#[derive(Clone, Copy, Debug)]
pub struct GradNorm {
    /// The weight.
    pub weight: Id,
    /// The bias.
    pub bias: Option<Id>,
}

/// The trainer's weights: places among the parameters.
pub struct GradWeights;

impl WeightSet for GradWeights {
    type Embedding = Id;
    type Linear = GradLinear;
    type Norm = GradNorm;
    type Attention = [GradLinear; 3];
    type Gated = [GradLinear; 2];
}

/// Collects a model's parameters by name, all trained or all frozen.
pub struct GradLoader {
    /// Whether they get gradients.
    pub trained: bool,
    /// Adapters' numbers by the name of the matrix that they add to.
    pub adapted: BTreeMap<String, usize>,
    /// Biases are named `NAME.bias`.
    pub parameters: Vec<Parameter>,
}

impl GradLoader {
    fn push(&mut self, weight: NamedWeight<'_>) -> (Id, Option<Id>) {
        let shape = weight.weight.shape.clone();
        let values = weight.to_f32();
        let bias_name = format!("{}.bias", weight.name.trim_end_matches(".weight"));
        let id = self.parameters.len();
        let parameter = Parameter {
            decayed: shape.len() > 1,
            interleaved: weight.interleaved,
            name: weight.name,
            trained: self.trained,
            rows_of: None,
            shape,
            values,
        };
        let bias = weight.bias.map(|values| Parameter {
            name: bias_name,
            shape: vec![values.len()],
            decayed: false,
            values,
            ..parameter.clone()
        });
        self.parameters.push(parameter);
        let bias_id = bias.map(|bias| {
            self.parameters.push(bias);
            id + 1
        });
        (id, bias_id)
    }
}

impl Loader for GradLoader {
    type Weights = GradWeights;

    fn embedding(&mut self, weight: NamedWeight<'_>) -> Result<Id> {
        Ok(self.push(weight).0)
    }

    fn linear(&mut self, weight: NamedWeight<'_>) -> Result<GradLinear> {
        let adapter = self.adapted.get(&weight.name).copied();
        let (weight, bias) = self.push(weight);
        Ok(GradLinear {
            weight,
            bias,
            adapter,
        })
    }

    fn tied_head(&mut self, embedding: &Id, _weight: NamedWeight<'_>) -> Result<GradLinear> {
        Ok(GradLinear {
            weight: *embedding,
            bias: None,
            adapter: None,
        })
    }

    fn norm(&mut self, weight: NamedWeight<'_>) -> Result<GradNorm> {
        let (weight, bias) = self.push(weight);
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
