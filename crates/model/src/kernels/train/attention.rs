//! Causal attention inside each sequence of a batch, and its backward pass.
//!
//! Scores exist for one head and [`QUERIES`] queries at a time. What the backward pass needs of
//! them is the logarithm of each query's sum of exponentials; it computes the scores again.

use std::ops::Range;
use std::sync::Arc;

use half::bf16;

use super::buffer::{Buffer, Kept, Pool, Values};
use super::elementwise::Stored;
use super::matmul::{Into, Part, product_here};
use super::panels::{Depth, Format, Operand, Panels, Precision};
use crate::kernels::elementwise::{dot, exp};
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

/// What every block of a head's backward pass multiplies with.
struct PackedHead {
    keys: Panels,
    values: Panels,
    turned_keys: Panels,
}

/// The keys that a block of queries sees, as positions in the sequence.
struct Block {
    queries: Range<usize>,
    keys: Range<usize>,
}

impl Head<'_> {
    fn length(&self) -> usize {
        self.rows.len()
    }

    fn format(&self) -> Format {
        Format::of(self.all.precision)
    }

    /// Steps of depth up to a position at a block's boundary.
    fn steps(&self, depth: usize) -> usize {
        match self.format() {
            Format::Pairs => depth.div_ceil(2),
            Format::Singles | Format::Rounded => depth,
        }
    }

    /// Column of the head's query `index` of its group.
    fn query_column(&self, index: usize) -> usize {
        (self.head * self.group() + index) * self.all.shape.head_dim
    }

    fn group(&self) -> usize {
        self.all.shape.heads / self.all.shape.kv_heads
    }

    fn key_column(&self) -> usize {
        self.all.shape.query_width() + self.head * self.all.shape.head_dim
    }

    fn value_column(&self) -> usize {
        self.key_column() + self.all.shape.kv_width()
    }

    fn blocks(&self) -> impl Iterator<Item = Block> {
        let (length, window) = (self.length(), self.all.window);
        (0..length).step_by(QUERIES).map(move |start| {
            let end = length.min(start + QUERIES);
            let first = window.map_or(0, |window| (start + 1).saturating_sub(window));
            Block {
                queries: start..end,
                // Keys begin at a whole panel and an even depth.
                keys: first / QUERIES * QUERIES..end,
            }
        })
    }

    /// Keys of the block that its query `row` sees, counted from the block's first.
    fn seen(&self, block: &Block, row: usize) -> Range<usize> {
        let end = block.queries.start + row + 1;
        let start = self
            .all
            .window
            .map_or(0, |window| end.saturating_sub(window));
        start.max(block.keys.start) - block.keys.start..end - block.keys.start
    }

    /// Rows of the sequence as lines, a head's features as depth.
    fn pack_rows(
        &self,
        values: Values<'_>,
        stride: usize,
        column: usize,
        rows: Range<usize>,
    ) -> Panels {
        let offset = (self.rows.start + rows.start) * stride + column;
        let operand = Operand::rows(values, offset, stride, rows.len());
        let depth = Depth::whole(self.all.shape.head_dim);
        Panels::pack_here(self.all.pool, self.format(), operand, &depth)
    }

    /// A head's features as lines, rows of the sequence as depth.
    fn pack_columns(
        &self,
        values: Values<'_>,
        stride: usize,
        column: usize,
        rows: Range<usize>,
    ) -> Panels {
        let offset = (self.rows.start + rows.start) * stride + column;
        let operand = Operand::columns(values, offset, stride, self.all.shape.head_dim);
        Panels::pack_here(
            self.all.pool,
            self.format(),
            operand,
            &Depth::one(rows.len()),
        )
    }

    /// Rows of scores as lines, keys as depth.
    fn pack_scores(&self, scores: &[f32], width: usize) -> Panels {
        let operand = Operand::rows(Values::Full(scores), 0, width, scores.len() / width);
        Panels::pack_here(self.all.pool, self.format(), operand, &Depth::one(width))
    }

    /// Keys as lines, rows of scores as depth.
    fn pack_turned_scores(&self, scores: &[f32], width: usize) -> Panels {
        let operand = Operand::columns(Values::Full(scores), 0, width, width);
        let depth = Depth::one(scores.len() / width);
        Panels::pack_here(self.all.pool, self.format(), operand, &depth)
    }

    fn scale(&self) -> f32 {
        1.0 / (self.all.shape.head_dim as f32).sqrt()
    }

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

    fn backward(
        &self,
        d_out: &[f32],
        out: Values<'_>,
        sums: &[f32],
        d_joint: &SharedSlice<'_, f32>,
    ) {
        let size = self.length() * self.all.shape.head_dim;
        let (joint, stride) = (self.all.joint.values(), self.all.shape.joint_width());
        let whole = 0..self.length();
        let packed = PackedHead {
            keys: self.pack_rows(joint, stride, self.key_column(), whole.clone()),
            values: self.pack_rows(joint, stride, self.value_column(), whole.clone()),
            turned_keys: self.pack_columns(joint, stride, self.key_column(), whole.clone()),
        };
        let mut d_keys = self.all.pool.zeros::<f32>(size);
        let mut d_values = self.all.pool.zeros::<f32>(size);
        for block in self.blocks() {
            for index in 0..self.group() {
                let results = (d_out, out, sums);
                let sinks = (&mut *d_keys, &mut *d_values, d_joint);
                self.block_backward(&packed, &block, index, results, sinks);
            }
        }
        self.write(&d_keys, whole.clone(), self.key_column(), d_joint);
        self.write(&d_values, whole, self.value_column(), d_joint);
    }

    /// The gradient of a block of queries of head `index` of the group, and what it adds to those of
    /// keys and values.
    fn block_backward(
        &self,
        packed: &PackedHead,
        block: &Block,
        index: usize,
        (d_out, out, sums): (&[f32], Values<'_>, &[f32]),
        (d_keys, d_values, d_joint): (&mut [f32], &mut [f32], &SharedSlice<'_, f32>),
    ) {
        let head_dim = self.all.shape.head_dim;
        let (joint, stride) = (self.all.joint.values(), self.all.shape.joint_width());
        let (out_stride, out_values) = (self.all.shape.query_width(), Values::Full(d_out));
        let (column, rows) = (self.query_column(index), block.queries.clone());
        let (count, width) = (rows.len(), block.keys.len());
        let mut weights = self.all.pool.take::<f32>(count * width);
        let mut d_scores = self.all.pool.take::<f32>(count * width);
        let mut tile = self.all.pool.take::<f32>(count * head_dim);

        let queries = self.pack_rows(joint, stride, column, rows.clone());
        let d_rows = self.pack_rows(out_values, out_stride, column, rows.clone());
        for (left, right, scores) in [
            (&queries, &packed.keys, &mut weights),
            (&d_rows, &packed.values, &mut d_scores),
        ] {
            let right = (right, block.keys.clone(), 0);
            multiply((left, 0..count), right, scores, width);
        }
        self.score_gradients(
            block,
            index,
            (d_out, out, sums),
            &mut weights,
            &mut d_scores,
        );

        let left = self.pack_scores(&d_scores, width);
        let right = (
            &packed.turned_keys,
            0..head_dim,
            self.steps(block.keys.start),
        );
        multiply((&left, 0..count), right, &mut tile, head_dim);
        self.write(&tile, rows.clone(), column, d_joint);

        let from = block.keys.start * head_dim;
        let left = self.pack_turned_scores(&weights, width);
        let right = self.pack_columns(out_values, out_stride, column, rows.clone());
        add_product(&left, &right, &mut d_values[from..], head_dim);
        let left = self.pack_turned_scores(&d_scores, width);
        let right = self.pack_columns(joint, stride, column, rows);
        add_product(&left, &right, &mut d_keys[from..], head_dim);
    }

    /// Turns scores into weights, and the gradients of weights into those of scores.
    fn score_gradients(
        &self,
        block: &Block,
        index: usize,
        (d_out, out, sums): (&[f32], Values<'_>, &[f32]),
        weights: &mut [f32],
        d_scores: &mut [f32],
    ) {
        let HeadShape {
            heads, head_dim, ..
        } = self.all.shape;
        let width = block.keys.len();
        let scale = self.scale();
        let mut wide = vec![0.0; head_dim];
        let rows = weights
            .chunks_exact_mut(width)
            .zip(d_scores.chunks_exact_mut(width));
        for (row, (weights, d_scores)) in rows.enumerate() {
            let at = self.rows.start + block.queries.start + row;
            let start = at * self.all.shape.query_width() + self.query_column(index);
            out.widen(start, &mut wide);
            let level = dot(&wide, &d_out[start..start + head_dim]);
            let sum = sums[at * heads + self.head * self.group() + index];
            let seen = self.seen(block, row);
            for values in [&mut *weights, &mut *d_scores] {
                values[..seen.start].fill(0.0);
                values[seen.end..].fill(0.0);
            }
            for (weight, d_score) in weights[seen.clone()].iter_mut().zip(&mut d_scores[seen]) {
                *weight = exp(*weight * scale - sum);
                *d_score = *weight * (*d_score - level) * scale;
            }
        }
    }

    /// Writes rows of one head to its columns of the joint gradient.
    fn write(
        &self,
        values: &[f32],
        rows: Range<usize>,
        column: usize,
        d_joint: &SharedSlice<'_, f32>,
    ) {
        let head_dim = self.all.shape.head_dim;
        for (row, values) in rows.zip(values.chunks_exact(head_dim)) {
            let start = (self.rows.start + row) * self.all.shape.joint_width() + column;
            // SAFETY: each row of each head is written once.
            let out = unsafe { d_joint.slice(start..start + head_dim) };
            out.copy_from_slice(values);
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
mod tests {
    use super::*;

    const SHAPE: HeadShape = HeadShape {
        heads: 4,
        kv_heads: 2,
        head_dim: 10,
    };

    fn noise(count: usize, seed: usize) -> Vec<f32> {
        (0..count)
            .map(|i| (((i + 7 * seed) * 2_654_435_761) % 1999) as f32 / 1000.0 - 1.0)
            .collect()
    }

    /// Attention written down as it is defined, in `f64`: the sum of outputs times `d_out`.
    fn oracle(
        joint: &[f64],
        sequences: &[Range<usize>],
        window: Option<usize>,
        d_out: &[f32],
    ) -> f64 {
        let (width, dim) = (SHAPE.joint_width(), SHAPE.head_dim);
        let mut total = 0.0;
        for rows in sequences {
            for (row, head) in rows
                .clone()
                .flat_map(|row| (0..SHAPE.heads).map(move |h| (row, h)))
            {
                let query = &joint[row * width + head * dim..][..dim];
                let first =
                    window.map_or(rows.start, |w| (row + 1).saturating_sub(w).max(rows.start));
                let at = SHAPE.query_width() + head / 2 * dim;
                let scores: Vec<f64> = (first..=row)
                    .map(|p| {
                        let key = &joint[p * width + at..][..dim];
                        let sum: f64 = query.iter().zip(key).map(|(a, b)| a * b).sum();
                        (sum / (dim as f64).sqrt()).exp()
                    })
                    .collect();
                let sum: f64 = scores.iter().sum();
                for (p, score) in (first..=row).zip(scores) {
                    let value = &joint[p * width + at + SHAPE.kv_width()..][..dim];
                    let d_out = &d_out[row * SHAPE.query_width() + head * dim..][..dim];
                    let dot: f64 = value
                        .iter()
                        .zip(d_out)
                        .map(|(v, d)| v * f64::from(*d))
                        .sum();
                    total += score / sum * dot;
                }
            }
        }
        total
    }

    #[test]
    fn attention_and_its_gradient_match_the_definition() {
        // Lengths around the edges of blocks; one sequence does not see the other.
        let sequences = [0..1, 1..66, 66..66, 66..210];
        let pool = Arc::new(Pool::default());
        let values = noise(210 * SHAPE.joint_width(), 1);
        let d_out = noise(210 * SHAPE.query_width(), 2);
        for window in [None, Some(70), Some(1)] {
            let mut joint = pool.take::<f32>(values.len());
            joint.copy_from_slice(&values);
            let attention = Attention {
                pool: &pool,
                precision: Precision::F32,
                shape: SHAPE,
                window,
                sequences: &sequences,
                joint: &Kept::Full(joint),
            };
            let (out, sums) = attention.forward();
            let Kept::Full(out_values) = &out else {
                panic!("exact")
            };
            let total: f64 = out_values
                .iter()
                .zip(&d_out)
                .map(|(a, b)| f64::from(a * b))
                .sum();
            let wide: Vec<f64> = values.iter().copied().map(f64::from).collect();
            let exact = oracle(&wide, &sequences, window, &d_out);
            assert!((total - exact).abs() < 1e-3, "{window:?}: {total} {exact}");
            let gradient = attention.backward(&d_out, &out, &sums);
            for at in (0..wide.len()).step_by(397) {
                let slope: f64 = [1e-4, -1e-4]
                    .into_iter()
                    .map(|step| {
                        let mut moved = wide.clone();
                        moved[at] += step;
                        oracle(&moved, &sequences, window, &d_out) / (2.0 * step)
                    })
                    .sum();
                let found = f64::from(gradient[at]);
                assert!(
                    (found - slope).abs() < 1e-4,
                    "{window:?} {at}: {found} {slope}"
                );
            }
        }
    }
}
