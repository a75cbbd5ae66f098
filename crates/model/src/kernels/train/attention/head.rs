//! One KV head of one sequence: which keys its queries see, and its operands packed for products.

use std::ops::Range;

use super::{Head, QUERIES};
use crate::kernels::train::buffer::Values;
use crate::kernels::train::panels::{Depth, Format, Operand, Panels};

/// The keys that a block of queries sees, as positions in the sequence.
pub(super) struct Block {
    pub queries: Range<usize>,
    pub keys: Range<usize>,
}
impl Head<'_> {
    pub(super) fn length(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn format(&self) -> Format {
        Format::of(self.all.precision)
    }

    /// Steps of depth up to a position at a block's boundary.
    pub(super) fn steps(&self, depth: usize) -> usize {
        self.format().whole_steps(depth)
    }

    /// Column of the head's query `index` of its group.
    pub(super) fn query_column(&self, index: usize) -> usize {
        (self.head * self.group() + index) * self.all.shape.head_dim
    }

    pub(super) fn group(&self) -> usize {
        self.all.shape.heads / self.all.shape.kv_heads
    }

    pub(super) fn key_column(&self) -> usize {
        self.all.shape.query_width() + self.head * self.all.shape.head_dim
    }

    pub(super) fn value_column(&self) -> usize {
        self.key_column() + self.all.shape.kv_width()
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = Block> {
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
    pub(super) fn seen(&self, block: &Block, row: usize) -> Range<usize> {
        let end = block.queries.start + row + 1;
        let start = self
            .all
            .window
            .map_or(0, |window| end.saturating_sub(window));
        start.max(block.keys.start) - block.keys.start..end - block.keys.start
    }

    /// Rows of the sequence as lines, a head's features as depth.
    pub(super) fn pack_rows(
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
    pub(super) fn pack_columns(
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
    pub(super) fn pack_scores(&self, scores: &[f32], width: usize) -> Panels {
        let operand = Operand::rows(Values::Full(scores), 0, width, scores.len() / width);
        Panels::pack_here(self.all.pool, self.format(), operand, &Depth::one(width))
    }

    /// Keys as lines, rows of scores as depth.
    pub(super) fn pack_turned_scores(&self, scores: &[f32], width: usize) -> Panels {
        let operand = Operand::columns(Values::Full(scores), 0, width, width);
        let depth = Depth::one(scores.len() / width);
        Panels::pack_here(self.all.pool, self.format(), operand, &depth)
    }

    pub(super) fn scale(&self) -> f32 {
        1.0 / (self.all.shape.head_dim as f32).sqrt()
    }
}
