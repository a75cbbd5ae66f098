//! Causal attention inside each sequence of a batch, and its backward pass.
//!
//! Scores exist for one head and [`QUERIES`] queries at a time. What the backward pass needs of
//! them is the logarithm of each query's sum of exponentials; it computes the scores again.

mod backward;
mod head;

use std::ops::Range;
use std::sync::Arc;

use half::bf16;

use super::buffer::{Buffer, Kept, Pool};
use super::elementwise::Stored;
use super::matmul::{Into, Part, product_here};
use super::panels::{Panels, Precision};
use crate::kernels::elementwise::exp;
use crate::kernels::layer_kv::HeadShape;
use crate::kernels::parallel::{self, SharedSlice};

/// Queries of one head whose scores are held together.
const QUERIES: usize = 64;

/// What both passes know.
pub struct Attention<'a> {
    /// Where memory comes from.
    pub pool: &'a Arc<Pool>,
    /// What products are computed in.
    pub precision: Precision,
    /// Head counts.
    pub shape: HeadShape,
    /// Positions that a query sees, up to its own.
    pub window: Option<usize>,
    /// Rows of each sequence.
    pub sequences: &'a [Range<usize>],
    /// Queries, keys and values, turned to their positions: `[rows, joint_width]`.
    pub joint: &'a Kept,
}

/// One KV head of one sequence.
struct Head<'a> {
    all: &'a Attention<'a>,
    rows: Range<usize>,
    head: usize,
}

impl Attention<'_> {
    /// The weighted values, `[rows, query_width]`, and the logarithm of the sum of exponentials of
    /// each row and head.
    pub fn forward(&self) -> (Kept, Buffer<f32>) {
        match self.precision {
            Precision::F32 => self.forward_as::<f32>(),
            Precision::Bf16 => self.forward_as::<bf16>(),
        }
    }

    fn forward_as<T: Stored>(&self) -> (Kept, Buffer<f32>) {
        let rows = self.sequences.last().map_or(0, |rows| rows.end);
        let mut out = self.pool.take::<T>(rows * self.shape.query_width());
        let mut sums = self.pool.take::<f32>(rows * self.shape.heads);
        let shared = (SharedSlice::new(&mut out), SharedSlice::new(&mut sums));
        self.each_head(|head| head.forward(&shared.0, &shared.1));
        (T::keep(out), sums)
    }

    /// The gradient of the joint rows, of those of the output and the results of the forward pass.
    pub fn backward(&self, d_out: &[f32], out: &Kept, sums: &[f32]) -> Buffer<f32> {
        let rows = self.sequences.last().map_or(0, |rows| rows.end);
        let mut d_joint = self.pool.take::<f32>(rows * self.shape.joint_width());
        let shared = SharedSlice::new(&mut d_joint);
        self.each_head(|head| head.backward(d_out, out.values(), sums, &shared));
        d_joint
    }

    fn each_head(&self, run: impl Fn(Head<'_>) + Sync + Send) {
        let kv_heads = self.shape.kv_heads;
        parallel::each(self.sequences.len() * kv_heads, |unit| {
            run(Head {
                all: self,
                rows: self.sequences[unit / kv_heads].clone(),
                head: unit % kv_heads,
            });
        });
    }
}

impl Head<'_> {
    fn forward<T: Stored>(&self, out: &SharedSlice<'_, T>, sums: &SharedSlice<'_, f32>) {
        let HeadShape {
            heads, head_dim, ..
        } = self.all.shape;
        let (joint, stride) = (self.all.joint.values(), self.all.shape.joint_width());
        let keys = self.pack_rows(joint, stride, self.key_column(), 0..self.length());
        let values = self.pack_columns(joint, stride, self.value_column(), 0..self.length());
        let mut tile = self.all.pool.take::<f32>(QUERIES * head_dim);
        for block in self.blocks() {
            let (count, width) = (block.queries.len(), block.keys.len());
            let mut scores = self.all.pool.take::<f32>(count * width);
            for index in 0..self.group() {
                let queries = self.pack_rows(
                    joint,
                    stride,
                    self.query_column(index),
                    block.queries.clone(),
                );
                multiply(
                    (&queries, 0..count),
                    (&keys, block.keys.clone(), 0),
                    &mut scores,
                    width,
                );
                let mut totals = [(0.0f32, 0.0f32); QUERIES];
                for (row, scores) in scores.chunks_exact_mut(width).enumerate() {
                    totals[row] = exponentials(scores, self.seen(&block, row), self.scale());
                }
                let weights = self.pack_scores(&scores, width);
                let first = self.steps(block.keys.start);
                multiply(
                    (&weights, 0..count),
                    (&values, 0..head_dim, first),
                    &mut tile,
                    head_dim,
                );
                for (row, (largest, total)) in totals.iter().enumerate().take(count) {
                    let at = self.rows.start + block.queries.start + row;
                    let start = at * self.all.shape.query_width() + self.query_column(index);
                    let head = self.head * self.group() + index;
                    // SAFETY: each row of each head is written once.
                    let (out, sum) = unsafe {
                        (
                            out.slice(start..start + head_dim),
                            sums.slice(at * heads + head..at * heads + head + 1),
                        )
                    };
                    sum[0] = largest + total.ln();
                    let inverse = 1.0 / total;
                    for (out, value) in out.iter_mut().zip(&tile[row * head_dim..]) {
                        *out = T::put(value * inverse);
                    }
                }
            }
        }
    }
}

/// The product of parts of two operands, from a step of each one's depth on; as deep as the left.
fn multiply(
    (left, rows): (&Panels, Range<usize>),
    (right, columns, step): (&Panels, Range<usize>, usize),
    out: &mut [f32],
    stride: usize,
) {
    let a = Part {
        panels: left,
        lines: rows,
        step: 0,
    };
    let b = Part {
        panels: right,
        lines: columns,
        step,
    };
    product_here(&a, &b, left.steps(), out, stride, Into::Set);
}

/// Adds the product of two whole operands.
fn add_product(left: &Panels, right: &Panels, out: &mut [f32], stride: usize) {
    let part = |panels| Part {
        panels,
        lines: 0..Panels::lines(panels),
        step: 0,
    };
    product_here(
        &part(left),
        &part(right),
        left.steps(),
        out,
        stride,
        Into::Add,
    );
}

/// `exp(scale * (scores - largest))` over those seen, 0 elsewhere; gives `scale * largest` and the
/// sum.
fn exponentials(scores: &mut [f32], seen: Range<usize>, scale: f32) -> (f32, f32) {
    scores[..seen.start].fill(0.0);
    scores[seen.end..].fill(0.0);
    let seen = &mut scores[seen];
    let mut lanes = [f32::NEG_INFINITY; 8];
    for chunk in seen.chunks(8) {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *lane = lane.max(*score);
        }
    }
    let largest = lanes
        .iter()
        .fold(f32::NEG_INFINITY, |max, lane| max.max(*lane));
    let mut sums = [0.0f32; 8];
    for chunk in seen.chunks_mut(8) {
        for (sum, score) in sums.iter_mut().zip(chunk) {
            *score = exp((*score - largest) * scale);
            *sum += *score;
        }
    }
    (largest * scale, sums.iter().sum())
}
#[cfg(test)]
mod tests;
