//! What an adapter adds to a base's matrices, computed beside them: the base stays as it is, and is shared.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::{CpuLinear, CpuMatrix};
use crate::error::{ModelError, Result};
use crate::kernels::gemm::LowRank;
use crate::kernels::packed::{BLOCK, PackedMatrix};
use crate::weights::{RawTensor, WeightDtype};

/// What an adapter adds to one of the matrices that multiply the same input: `factor * b a`.
#[derive(Clone, Copy)]
pub struct Addition<'a> {
    /// Which one, from 0.
    pub part: usize,
    /// `[rank, in]`.
    pub a: &'a [f32],
    /// `[out, rank]`.
    pub b: &'a [f32],
    /// At least 1.
    pub rank: usize,
    /// `alpha / rank`.
    pub factor: f32,
}

/// An addition as it is computed.
pub struct CpuLowRank {
    /// `[rank, in]`.
    a: CpuMatrix,
    /// `[out, rank]`, with the factor.
    b: CpuMatrix,
}

impl CpuLowRank {
    /// What is added to `matrix`. For packed products the rank is filled up to whole blocks, and both
    /// factors are rounded to eight bits.
    ///
    /// # Errors
    /// Where a shape is another one, or a value is not finite.
    fn new(matrix: &CpuMatrix, addition: &Addition<'_>) -> Result<Self> {
        let [outputs, inputs] = matrix.shape();
        let Addition { a, b, rank, .. } = *addition;
        for (name, expected, found) in [
            ("lora_A", [rank, inputs], a.len()),
            ("lora_B", [outputs, rank], b.len()),
        ] {
            if expected[0] * expected[1] != found {
                return Err(ModelError::Shape {
                    name: name.into(),
                    expected: expected.to_vec(),
                    found: vec![found],
                });
            }
        }
        let b: Vec<f32> = b.iter().map(|value| value * addition.factor).collect();
        if let CpuMatrix::Dense(_) = matrix {
            let dense = |values: &[f32], shape: [usize; 2]| {
                Tensor::from_slice(values, &shape, &Device::Cpu).map(CpuMatrix::Dense)
            };
            return Ok(Self {
                a: dense(a, [rank, inputs])?,
                b: dense(&b, [outputs, rank])?,
            });
        }
        let whole = rank.next_multiple_of(BLOCK);
        let mut wide = vec![0.0; outputs * whole];
        for (row, wide) in b.chunks_exact(rank).zip(wide.chunks_exact_mut(whole)) {
            wide[..rank].copy_from_slice(row);
        }
        let mut tall = a.to_vec();
        tall.resize(whole * inputs, 0.0);
        Ok(Self {
            a: packed("lora_A", &tall, [whole, inputs])?,
            b: packed("lora_B", &wide, [outputs, whole])?,
        })
    }

    /// Bytes in memory.
    fn bytes(&self) -> usize {
        self.a.bytes() + self.b.bytes()
    }

    /// For packed products, where it is packed.
    pub(super) fn packed(&self) -> Option<LowRank<'_>> {
        match (&self.a, &self.b) {
            (CpuMatrix::Packed(a), CpuMatrix::Packed(b)) => Some(LowRank { a, b }),
            _ => None,
        }
    }

    /// `x a^T b^T`, of exact matrices.
    pub(super) fn dense(&self, x: &Tensor) -> Result<Tensor> {
        match (&self.a, &self.b) {
            (CpuMatrix::Dense(a), CpuMatrix::Dense(b)) => Ok(x.matmul(&a.t()?)?.matmul(&b.t()?)?),
            _ => Err(ModelError::internal("exact matrices have exact additions")),
        }
    }
}

fn packed(name: &str, values: &[f32], shape: [usize; 2]) -> Result<CpuMatrix> {
    let weight = RawTensor {
        dtype: WeightDtype::F32,
        shape: shape.to_vec(),
        data: bytemuck::cast_slice(values),
    };
    let packed = PackedMatrix::pack(&weight, |row| row);
    packed
        .map(CpuMatrix::Packed)
        .ok_or_else(|| ModelError::WeightNotFinite { name: name.into() })
}

/// Rows of a table of tokens, exact.
pub struct CpuRows {
    /// Where each token's row begins.
    starts: HashMap<u32, usize>,
    /// `[tokens, hidden]`.
    values: Vec<f32>,
}

impl CpuRows {
    /// The rows of these tokens, `[tokens, hidden]`.
    ///
    /// # Errors
    /// Where there are more or fewer values, or one is not finite.
    pub fn new(tokens: &[u32], values: &[f32], hidden: usize) -> Result<Self> {
        if tokens.len() * hidden != values.len() {
            return Err(ModelError::Shape {
                name: "rows".into(),
                expected: vec![tokens.len(), hidden],
                found: vec![values.len()],
            });
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(ModelError::WeightNotFinite {
                name: "rows".into(),
            });
        }
        let starts = tokens.iter().enumerate();
        Ok(Self {
            starts: starts.map(|(at, token)| (*token, at * hidden)).collect(),
            values: values.to_vec(),
        })
    }

    /// Puts the rows of those of `tokens` that have one into `out`, `[tokens, width]`.
    pub(super) fn look_up(&self, tokens: &[u32], out: &mut [f32], width: usize) {
        for (token, out) in tokens.iter().zip(out.chunks_exact_mut(width)) {
            if let Some(start) = self.starts.get(token) {
                out.copy_from_slice(&self.values[*start..][..width]);
            }
        }
    }

    /// Puts the products of `x`, `[rows, hidden]`, with the rows into their columns of `out`,
    /// `[rows, width]`.
    pub(super) fn multiply(&self, x: &[f32], out: &mut [f32], width: usize) {
        let rows = out.len() / width.max(1);
        let hidden = x.len() / rows.max(1);
        for (x, out) in x.chunks_exact(hidden).zip(out.chunks_exact_mut(width)) {
            for (token, start) in &self.starts {
                let row = &self.values[*start..][..hidden];
                if let Some(out) = out.get_mut(*token as usize) {
                    *out = x.iter().zip(row).map(|(x, row)| x * row).sum();
                }
            }
        }
    }
}

impl CpuLinear {
    /// The same matrices with additions; how many bytes these take is added to `bytes`.
    ///
    /// # Errors
    /// Where a shape is another one, or a value is not finite.
    pub fn adapted(&self, additions: &[Addition<'_>], bytes: &mut usize) -> Result<Self> {
        let mut adapted = self.clone();
        for addition in additions {
            let part = adapted
                .parts
                .get_mut(addition.part)
                .ok_or(ModelError::internal("the matrix is there"))?;
            let added = CpuLowRank::new(&part.matrix, addition)?;
            *bytes += added.bytes();
            part.added = Some(Arc::new(added));
        }
        Ok(adapted)
    }

    /// The same table with other rows.
    pub fn with_rows(&self, rows: CpuRows) -> Self {
        Self {
            rows: Some(Arc::new(rows)),
            ..self.clone()
        }
    }
}
