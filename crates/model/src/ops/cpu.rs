//! Inference on the CPU: packed int8 products or exact dense ones, attention in our own kernel.

mod adapted;

use std::sync::Arc;

use candle_core::{CpuStorage, Device, Storage, Tensor};
use rayon::prelude::*;

use super::{Loader, NamedWeight, Ops, Sequence, WeightSet};
use crate::error::{ModelError, Result};
use crate::kernels::elementwise;
use crate::kernels::gemm::{Part, QuantisedRows, product};
use crate::kernels::layer_kv::{HeadShape, LayerKv};
use crate::kernels::packed::PackedMatrix;
use crate::rope::RopeTables;

pub use adapted::{Addition, CpuLowRank, CpuRows};

/// A matrix on the CPU.
pub enum CpuMatrix {
    /// For int8 products.
    Packed(PackedMatrix),
    /// `[out, in]` in `f32`, exact.
    Dense(Tensor),
}

impl CpuMatrix {
    fn rows(&self) -> usize {
        self.shape()[0]
    }

    /// Output and input features.
    fn shape(&self) -> [usize; 2] {
        match self {
            Self::Packed(packed) => [packed.rows(), packed.cols()],
            Self::Dense(dense) => [dense.dims()[0], dense.dims()[1]],
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.bytes(),
            Self::Dense(dense) => dense.elem_count() * 4,
        }
    }
}

/// Matrices that multiply the same input; their results stand side by side. A clone shares them.
#[derive(Clone)]
pub struct CpuLinear {
    parts: Vec<CpuPart>,
    bias: Option<Arc<[f32]>>,
    /// Rows of the one matrix, a table of tokens, that others take the place of.
    rows: Option<Arc<CpuRows>>,
}

#[derive(Clone)]
struct CpuPart {
    matrix: Arc<CpuMatrix>,
    added: Option<Arc<CpuLowRank>>,
}

impl CpuLinear {
    fn width(&self) -> usize {
        self.parts.iter().map(|part| part.matrix.rows()).sum()
    }

    fn apply(&self, x: &Tensor) -> Result<Vec<f32>> {
        let width = self.width();
        let rows = x.dims()[0];
        let mut out = vec![0.0; rows * width];
        let mut packed = Vec::new();
        let mut column = 0;
        for part in &self.parts {
            match &*part.matrix {
                CpuMatrix::Packed(matrix) => packed.push(Part {
                    matrix,
                    column,
                    added: part.added.as_deref().and_then(CpuLowRank::packed),
                }),
                CpuMatrix::Dense(dense) => {
                    let mut product = x.matmul(&dense.t()?)?;
                    if let Some(added) = &part.added {
                        product = (product + added.dense(x)?)?;
                    }
                    with_values(&product, |values| {
                        place(values, part.matrix.rows(), &mut out, width, column);
                    })?;
                }
            }
            column += part.matrix.rows();
        }
        if !packed.is_empty() {
            with_values(x, |values| {
                let x = QuantisedRows::new(values, x.dims()[1]);
                product(&x, &packed, &mut out, width);
            })?;
        }
        if let Some(bias) = &self.bias {
            elementwise::add_bias(&mut out, bias);
        }
        if let Some(rows) = &self.rows {
            with_values(x, |values| rows.multiply(values, &mut out, width))?;
        }
        Ok(out)
    }
}

/// Copies `[rows, width]` into columns of `[rows, stride]`.
fn place(values: &[f32], width: usize, out: &mut [f32], stride: usize, column: usize) {
    for (row, out) in values.chunks_exact(width).zip(out.chunks_exact_mut(stride)) {
        out[column..column + width].copy_from_slice(row);
    }
}

/// A norm's weight; a bias makes it a layer norm.
#[derive(Clone)]
pub struct CpuNorm {
    weight: Arc<[f32]>,
    bias: Option<Arc<[f32]>>,
}

/// The CPU's weights.
pub struct CpuWeights;

impl WeightSet for CpuWeights {
    type Embedding = Arc<CpuLinear>;
    type Linear = Arc<CpuLinear>;
    type Norm = CpuNorm;
    type Attention = CpuLinear;
    type Gated = CpuLinear;
}

/// One forward pass. What a row becomes does not depend on the other sequences of the pass.
pub struct CpuOps<'a> {
    /// Head counts.
    pub shape: HeadShape,
    /// Norm epsilon.
    pub epsilon: f32,
    /// Positions that attention sees, counted back from the query's own.
    pub window: Option<usize>,
    /// Angles.
    pub rope: &'a RopeTables,
    /// In the order of their rows.
    pub sequences: Vec<Sequence<'a, LayerKv>>,
    /// Asked before each layer.
    pub cancelled: &'a dyn Fn() -> bool,
}

impl Ops for CpuOps<'_> {
    type Weights = CpuWeights;
    type Activation = Tensor;

    fn enter_layer(&mut self, _layer: usize) -> Result<()> {
        if (self.cancelled)() {
            Err(ModelError::Cancelled)
        } else {
            Ok(())
        }
    }

    fn embed(&mut self, table: &Arc<CpuLinear>, tokens: &[u32]) -> Result<Tensor> {
        let [part] = &table.parts[..] else {
            return Err(ModelError::internal("an embedding is one matrix"));
        };
        let (mut out, width) = match &*part.matrix {
            CpuMatrix::Packed(packed) => {
                let width = packed.cols();
                let mut out = vec![0.0; tokens.len() * width];
                for (token, row) in tokens.iter().zip(out.chunks_exact_mut(width)) {
                    packed.dequantise_row(*token as usize, row);
                }
                (out, width)
            }
            CpuMatrix::Dense(dense) => {
                let found = dense.index_select(&Tensor::new(tokens, &Device::Cpu)?, 0)?;
                (found.flatten_all()?.to_vec1()?, dense.dims()[1])
            }
        };
        if let Some(rows) = &table.rows {
            rows.look_up(tokens, &mut out, width);
        }
        rows(out, width)
    }

    fn norm(&mut self, x: &Tensor, weight: &CpuNorm) -> Result<Tensor> {
        let mut out = vec![0.0; x.elem_count()];
        with_values(x, |values| match &weight.bias {
            None => elementwise::rms_norm(values, &weight.weight, self.epsilon, &mut out),
            Some(bias) => {
                elementwise::layer_norm(values, &weight.weight, bias, self.epsilon, &mut out);
            }
        })?;
        rows(out, weight.weight.len())
    }

    fn linear(&mut self, x: &Tensor, weight: &Arc<CpuLinear>) -> Result<Tensor> {
        rows(weight.apply(x)?, weight.width())
    }

    fn attend(&mut self, layer: usize, x: &Tensor, weight: &CpuLinear) -> Result<Tensor> {
        let mut joint = weight.apply(x)?;
        let mut out = vec![0.0; x.dims()[0] * self.shape.query_width()];
        let mut work = self.split(layer, &mut joint, &mut out);
        match &mut work[..] {
            // One sequence has all threads for its heads.
            [one] => one.run(),
            many => many.par_iter_mut().for_each(Attention::run),
        }
        rows(out, self.shape.query_width())
    }

    fn gated_silu(&mut self, x: &Tensor, weight: &CpuLinear) -> Result<Tensor> {
        let joint = weight.apply(x)?;
        let width = weight.width() / 2;
        let mut out = vec![0.0; joint.len() / 2];
        elementwise::gated_silu(&joint, width, &mut out);
        rows(out, width)
    }

    fn gelu(&mut self, x: Tensor) -> Result<Tensor> {
        let width = x.dims()[1];
        let mut values = x.flatten_all()?.to_vec1::<f32>()?;
        elementwise::gelu_tanh(&mut values);
        rows(values, width)
    }

    /// Not the tensor library's sum: its thread pool spins on the cores that our kernels need.
    fn add(&mut self, a: Tensor, b: Tensor) -> Result<Tensor> {
        let width = a.dims()[1];
        let mut sum = a.flatten_all()?.to_vec1::<f32>()?;
        with_values(&b, |values| elementwise::add(&mut sum, values))?;
        rows(sum, width)
    }
}

impl CpuOps<'_> {
    /// The attention of each sequence, with its rows of `joint` and of `out`.
    fn split<'w>(
        &'w mut self,
        layer: usize,
        mut joint: &'w mut [f32],
        mut out: &'w mut [f32],
    ) -> Vec<Attention<'w>> {
        let (shape, rope, window) = (self.shape, self.rope, self.window);
        let each = self.sequences.iter_mut().map(|sequence| {
            let (rows, rest) =
                std::mem::take(&mut joint).split_at_mut(sequence.tokens * shape.joint_width());
            joint = rest;
            let (result, rest) =
                std::mem::take(&mut out).split_at_mut(sequence.tokens * shape.query_width());
            out = rest;
            Attention {
                cache: &mut sequence.cache[layer],
                offset: sequence.offset,
                joint: rows,
                out: result,
                shape,
                rope,
                window,
            }
        });
        each.collect()
    }
}

/// The attention of one sequence in one layer.
struct Attention<'a> {
    cache: &'a mut LayerKv,
    offset: usize,
    /// Queries, keys and values, `[tokens, joint_width]`.
    joint: &'a mut [f32],
    /// `[tokens, query_width]`.
    out: &'a mut [f32],
    shape: HeadShape,
    rope: &'a RopeTables,
    window: Option<usize>,
}

impl Attention<'_> {
    fn run(&mut self) {
        self.rotate();
        self.cache.write(self.joint, self.offset);
        self.cache
            .attend(self.joint, self.offset, self.window, self.out);
    }

    /// Rotates queries and keys in place.
    fn rotate(&mut self) {
        let HeadShape {
            heads,
            kv_heads,
            head_dim,
        } = self.shape;
        let width = self.shape.joint_width();
        for (token, row) in self.joint.chunks_exact_mut(width).enumerate() {
            let (cos, sin) = self.rope.at(self.offset + token);
            for head in row[..(heads + kv_heads) * head_dim].chunks_exact_mut(head_dim) {
                elementwise::rotate(head, cos, sin);
            }
        }
    }
}

fn rows(values: Vec<f32>, width: usize) -> Result<Tensor> {
    let count = values.len() / width;
    Ok(Tensor::from_vec(values, (count, width), &Device::Cpu)?)
}

/// Reads a tensor's values in place.
fn with_values<T>(x: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(read(
            &values[layout.start_offset()..][..layout.shape().elem_count()],
        )),
        _ => Err(ModelError::internal("activations on the CPU are f32")),
    }
}

/// Loads weights for the CPU.
pub struct CpuLoader {
    /// Keep every weight exact in `f32` instead of packing it for int8 products.
    pub exact: bool,
    /// Bytes of weights held in memory so far.
    pub bytes: usize,
}

impl CpuLoader {
    fn matrix(&mut self, part: &NamedWeight<'_>) -> Result<CpuMatrix> {
        let matrix = if !self.exact && PackedMatrix::fits(&part.weight) {
            let packed = PackedMatrix::pack(&part.weight, |row| part.source_row(row));
            CpuMatrix::Packed(packed.ok_or_else(|| ModelError::WeightNotFinite {
                name: part.name.clone(),
            })?)
        } else {
            let shape = part.weight.shape.clone();
            CpuMatrix::Dense(Tensor::from_vec(part.to_f32(), shape, &Device::Cpu)?)
        };
        self.bytes += matrix.bytes();
        Ok(matrix)
    }

    fn joined(&mut self, parts: &[NamedWeight<'_>]) -> Result<CpuLinear> {
        let matrices = parts
            .iter()
            .map(|part| {
                Ok(CpuPart {
                    matrix: Arc::new(self.matrix(part)?),
                    added: None,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let bias = parts.iter().any(|part| part.bias.is_some()).then(|| {
            let zeros = |part: &NamedWeight<'_>| vec![0.0; part.weight.shape[0]];
            parts
                .iter()
                .flat_map(|part| part.bias.clone().unwrap_or_else(|| zeros(part)))
                .collect()
        });
        Ok(CpuLinear {
            parts: matrices,
            bias,
            rows: None,
        })
    }
}

impl Loader for CpuLoader {
    type Weights = CpuWeights;

    fn embedding(&mut self, weight: NamedWeight<'_>) -> Result<Arc<CpuLinear>> {
        Ok(Arc::new(self.joined(&[weight])?))
    }

    fn linear(&mut self, weight: NamedWeight<'_>) -> Result<Arc<CpuLinear>> {
        Ok(Arc::new(self.joined(&[weight])?))
    }

    fn tied_head(
        &mut self,
        embedding: &Arc<CpuLinear>,
        _weight: NamedWeight<'_>,
    ) -> Result<Arc<CpuLinear>> {
        Ok(embedding.clone())
    }

    fn norm(&mut self, weight: NamedWeight<'_>) -> Result<CpuNorm> {
        Ok(CpuNorm {
            weight: weight.to_f32().into(),
            bias: weight.bias.map(Into::into),
        })
    }

    fn attention(&mut self, parts: [NamedWeight<'_>; 3]) -> Result<CpuLinear> {
        self.joined(&parts)
    }

    fn gated(&mut self, parts: [NamedWeight<'_>; 2]) -> Result<CpuLinear> {
        self.joined(&parts)
    }
}
