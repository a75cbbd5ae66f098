//! The operations that the decoder is written in, and their implementations: [`cpu`] and
//! [`device`] infer (quantised or dense weights, KV cache written in place), [`grad`] is
//! differentiable over batches, on the CPU and on devices.
//!
//! Activations are `[rows, features]`, a row a token.

pub mod cpu;
pub mod device;
pub mod grad;

use crate::error::Result;

/// The types of weight that an implementation works on.
pub trait WeightSet {
    /// The table of token embeddings.
    type Embedding;
    /// One matrix, with or without a bias.
    type Linear;
    /// A norm's weight, with or without a bias.
    type Norm;
    /// Query, key and value projections.
    type Attention;
    /// Gate and up projections.
    type Gated;
}

/// Where the rows of a sequence stand in a forward pass, and its cache.
pub struct Sequence<'a, L> {
    /// One per layer.
    pub cache: &'a mut [L],
    /// Position of the first token.
    pub offset: usize,
    /// Rows, one a token; they follow those of the sequence before.
    pub tokens: usize,
}

/// The operations of one forward pass.
pub trait Ops {
    /// What this implementation computes with.
    type Weights: WeightSet;
    /// Rows of features between operations.
    type Activation;

    /// Called before each layer.
    ///
    /// # Errors
    /// [`crate::error::ModelError::Cancelled`] where the pass is no longer wanted.
    fn enter_layer(&mut self, layer: usize) -> Result<()>;

    /// Rows of the table, `[tokens, hidden]`.
    fn embed(
        &mut self,
        table: &<Self::Weights as WeightSet>::Embedding,
        tokens: &[u32],
    ) -> Result<Self::Activation>;

    /// RMS norm, or layer norm where the weight has a bias.
    fn norm(
        &mut self,
        x: &Self::Activation,
        weight: &<Self::Weights as WeightSet>::Norm,
    ) -> Result<Self::Activation>;

    /// `x W^T + b`.
    fn linear(
        &mut self,
        x: &Self::Activation,
        weight: &<Self::Weights as WeightSet>::Linear,
    ) -> Result<Self::Activation>;

    /// Projects queries, keys and values, rotates them to their positions and attends causally:
    /// `[tokens, heads * head_dim]`.
    fn attend(
        &mut self,
        layer: usize,
        x: &Self::Activation,
        weight: &<Self::Weights as WeightSet>::Attention,
    ) -> Result<Self::Activation>;

    /// `silu(x G^T) * (x U^T)`.
    fn gated_silu(
        &mut self,
        x: &Self::Activation,
        weight: &<Self::Weights as WeightSet>::Gated,
    ) -> Result<Self::Activation>;

    /// GELU in its tanh form.
    fn gelu(&mut self, x: Self::Activation) -> Result<Self::Activation>;

    /// The residual sum.
    fn add(&mut self, a: Self::Activation, b: Self::Activation) -> Result<Self::Activation>;
}

/// Makes the weights of one implementation out of a source's tensors.
pub trait Loader {
    /// What is made.
    type Weights: WeightSet;

    /// The table of token embeddings.
    fn embedding(
        &mut self,
        weight: NamedWeight<'_>,
    ) -> Result<<Self::Weights as WeightSet>::Embedding>;
    /// One matrix.
    fn linear(&mut self, weight: NamedWeight<'_>) -> Result<<Self::Weights as WeightSet>::Linear>;
    /// The head that shares the embedding's values.
    fn tied_head(
        &mut self,
        embedding: &<Self::Weights as WeightSet>::Embedding,
        weight: NamedWeight<'_>,
    ) -> Result<<Self::Weights as WeightSet>::Linear>;
    /// A norm.
    fn norm(&mut self, weight: NamedWeight<'_>) -> Result<<Self::Weights as WeightSet>::Norm>;
    /// Queries, keys, values.
    fn attention(
        &mut self,
        parts: [NamedWeight<'_>; 3],
    ) -> Result<<Self::Weights as WeightSet>::Attention>;
    /// Gate, up.
    fn gated(&mut self, parts: [NamedWeight<'_>; 2])
    -> Result<<Self::Weights as WeightSet>::Gated>;
}

/// A tensor of a source as the decoder asks for it: checked shape, rows in the decoder's order.
pub struct NamedWeight<'a> {
    /// The name in the source, for messages and for the trainer's parameters.
    pub name: String,
    /// `[out, in]`, or `[features]` of a norm.
    pub weight: crate::weights::RawTensor<'a>,
    /// `[out]`, in `f32`, in the decoder's order whatever `interleaved` says.
    pub bias: Option<Vec<f32>>,
    /// The head size whose rows the file stores interleaved; see [`NamedWeight::source_row`].
    pub interleaved: Option<usize>,
}

impl NamedWeight<'_> {
    /// The row of `weight` that is row `row` of the decoder.
    ///
    /// Llama's GGUF files store the rows of queries and keys so that a rotated pair is adjacent
    /// (`2i`, `2i + 1`); the decoder pairs `i` with `i + head_dim / 2`.
    pub fn source_row(&self, row: usize) -> usize {
        self.interleaved
            .map_or(row, |head_dim| interleaved_row(head_dim, row))
    }

    /// All values as `f32`, rows in the decoder's order.
    pub fn to_f32(&self) -> Vec<f32> {
        let values = self.weight.to_f32();
        match self.interleaved {
            Some(head_dim) => rows_from_file(&values, head_dim, self.weight.shape[0]),
            None => values,
        }
    }
}

/// The rows of an interleaved file's matrix, or its bias, in the decoder's order.
pub(crate) fn rows_from_file(values: &[f32], head_dim: usize, rows: usize) -> Vec<f32> {
    moved(values, rows, |row| (row, interleaved_row(head_dim, row)))
}

/// The decoder's rows in the order of an interleaved file.
pub(crate) fn rows_to_file(values: &[f32], head_dim: usize, rows: usize) -> Vec<f32> {
    moved(values, rows, |row| (interleaved_row(head_dim, row), row))
}

/// Moves rows: `places` tells of each where it goes and where it is from.
fn moved(values: &[f32], rows: usize, places: impl Fn(usize) -> (usize, usize)) -> Vec<f32> {
    let columns = values.len() / rows.max(1);
    let mut ordered = vec![0.0; values.len()];
    for row in 0..rows {
        let (to, from) = places(row);
        ordered[to * columns..][..columns].copy_from_slice(&values[from * columns..][..columns]);
    }
    ordered
}

/// The row of an interleaved matrix that is row `row` of the decoder.
fn interleaved_row(head_dim: usize, row: usize) -> usize {
    let (head, i) = (row / head_dim, row % head_dim);
    let half = head_dim / 2;
    head * head_dim + if i < half { 2 * i } else { 2 * (i - half) + 1 }
}
