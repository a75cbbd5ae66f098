//! The backward pass of one head: scores are computed again, block by block.

use std::ops::Range;

use super::head::Block;
use super::{Head, add_product, multiply};
use crate::kernels::elementwise::{dot, exp};
use crate::kernels::layer_kv::HeadShape;
use crate::kernels::parallel::SharedSlice;
use crate::kernels::train::buffer::Values;
use crate::kernels::train::panels::Panels;

/// What every block of a head's backward pass multiplies with.
struct PackedHead {
    keys: Panels,
    values: Panels,
    turned_keys: Panels,
}
impl Head<'_> {
    pub(super) fn backward(
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
