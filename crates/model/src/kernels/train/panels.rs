//! Operands of matrix products, copied into panels of sixteen lines, so that a product reads both
//! in order whatever their layout was.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use half::bf16;

use super::buffer::{Buffer, Line, Pool, Values, narrow, widen};
use super::matmul::Turned;
use crate::kernels::parallel;

/// Lines of a panel.
pub const PANEL: usize = 16;
/// Values of the contracted dimension whose products are summed in registers.
pub const BLOCK: usize = 640;
/// Steps of a tile.
pub const TILE: usize = 16;

/// What products are computed in; sums are always `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Exact operands.
    #[default]
    F32,
    /// Operands rounded to `bf16`.
    Bf16,
}

impl Precision {
    /// Whether this machine's processor multiplies `bf16` itself; elsewhere it is imitated, which
    /// saves nothing.
    pub fn is_bf16_fast() -> bool {
        has_bf16()
    }
}

/// How panels hold values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line of `f32`: sixteen lines at one depth.
    Singles,
    /// As `Singles`, every value rounded to `bf16`: for processors without its instructions.
    Rounded,
    /// Pairs of `bf16`: sixteen lines at two neighbouring depths.
    Pairs,
    /// As `Pairs`, each block of the depth padded with zeros to whole tiles: for processors with tile
    /// registers.
    Tiles,
}

impl Format {
    /// What this processor multiplies in a precision.
    pub fn of(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::Singles,
            Precision::Bf16 if has_bf16() && has_tiles() => Self::Tiles,
            Precision::Bf16 if has_bf16() => Self::Pairs,
            Precision::Bf16 => Self::Rounded,
        }
    }

    /// Lines of memory that `depth` values of sixteen lines take.
    fn steps(self, depth: usize) -> usize {
        match self {
            Self::Tiles => self.whole_steps(depth).next_multiple_of(TILE),
            _ => self.whole_steps(depth),
        }
    }

    /// As `steps`, without padding.
    pub(super) fn whole_steps(self, depth: usize) -> usize {
        match self {
            Self::Singles | Self::Rounded => depth,
            Self::Pairs | Self::Tiles => depth.div_ceil(2),
        }
    }
}

fn has_tiles() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        super::matmul_amx::is_available()
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512bf16")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The pieces of the contracted dimension, each summed on its own and then added to the result.
#[derive(Clone, Debug)]
pub struct Depth {
    blocks: Vec<Range<usize>>,
}

impl Depth {
    /// `0..length` in blocks.
    pub fn whole(length: usize) -> Self {
        Self::segments([length])
    }

    /// `0..length` in one block, however long.
    pub fn one(length: usize) -> Self {
        Self {
            blocks: std::iter::once(0..length).collect(),
        }
    }

    /// Segments one after the other, each cut into blocks of its own: what a segment adds does not
    /// depend on the others.
    pub fn segments(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut blocks = Vec::new();
        let mut start = 0;
        for length in lengths {
            let end = start + length;
            while start < end {
                let next = end.min(start + BLOCK);
                blocks.push(start..next);
                start = next;
            }
        }
        Self { blocks }
    }

    /// Values in all.
    pub fn len(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.end)
    }

    /// Whether there is nothing to sum.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The pieces.
    pub fn blocks(&self) -> &[Range<usize>] {
        &self.blocks
    }
}

/// A matrix as it lies in memory, seen as lines of values to be contracted.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    values: Values<'a>,
    offset: usize,
    stride: usize,
    lines: usize,
    /// Whether neighbours in memory are neighbours in depth; else they are neighbouring lines.
    along: bool,
}

impl<'a> Operand<'a> {
    /// Lines are the rows of a matrix whose rows are `stride` apart: depth runs along a row.
    pub fn rows(values: Values<'a>, offset: usize, stride: usize, lines: usize) -> Self {
        Self {
            values,
            offset,
            stride,
            lines,
            along: true,
        }
    }

    /// Lines are `lines` columns of a matrix from `offset` on: depth runs down the rows.
    pub fn columns(values: Values<'a>, offset: usize, stride: usize, lines: usize) -> Self {
        Self {
            values,
            offset,
            stride,
            lines,
            along: false,
        }
    }

    #[inline(always)]
    fn index(&self, line: usize, depth: usize) -> usize {
        let (row, column) = if self.along {
            (line, depth)
        } else {
            (depth, line)
        };
        self.offset + row * self.stride + column
    }
}

/// A packed operand.
pub struct Panels {
    words: Buffer<Line>,
    lines: usize,
    format: Format,
    /// Steps from one panel to the next.
    steps: usize,
    /// The steps of each block of the depth.
    blocks: Vec<Range<usize>>,
    /// All of it as a left operand of tile registers, from the first product that asks on.
    pub(super) turned: OnceLock<Turned>,
}

impl Panels {
    /// Copies an operand on all threads.
    pub fn pack(pool: &Arc<Pool>, format: Format, operand: Operand<'_>, depth: &Depth) -> Self {
        Self::packed(pool, format, operand, depth, true)
    }

    /// Copies an operand on the calling thread.
    pub fn pack_here(
        pool: &Arc<Pool>,
        format: Format,
        operand: Operand<'_>,
        depth: &Depth,
    ) -> Self {
        Self::packed(pool, format, operand, depth, false)
    }

    fn packed(
        pool: &Arc<Pool>,
        format: Format,
        operand: Operand<'_>,
        depth: &Depth,
        spread: bool,
    ) -> Self {
        let mut blocks = Vec::with_capacity(depth.blocks.len());
        let mut steps = 0;
        for block in &depth.blocks {
            let end = steps + format.steps(block.len());
            blocks.push(steps..end);
            steps = end;
        }
        let last = (operand.lines.max(1) - 1, depth.len().max(1) - 1);
        assert!(
            operand.lines == 0
                || depth.is_empty()
                || operand.index(last.0, last.1) < operand.values.len(),
            "an operand lies inside its values"
        );
        let mut words = pool.take(operand.lines.div_ceil(PANEL) * steps);
        let fill = |(panel, out): (usize, &mut [Line])| {
            for (block, steps) in depth.blocks.iter().zip(&blocks) {
                let lines = panel * PANEL..operand.lines.min((panel + 1) * PANEL);
                pack_block(
                    format,
                    &operand,
                    lines,
                    block.clone(),
                    &mut out[steps.clone()],
                );
            }
        };
        if spread {
            use rayon::prelude::*;
            words
                .par_chunks_mut(steps.max(1))
                .enumerate()
                .for_each(fill);
        } else {
            words.chunks_mut(steps.max(1)).enumerate().for_each(fill);
        }
        Self {
            words,
            lines: operand.lines,
            format,
            steps,
            blocks,
            turned: OnceLock::new(),
        }
    }

    /// Lines.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// How values are held.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Panels, the last one padded with zeros.
    pub fn panels(&self) -> usize {
        self.lines.div_ceil(PANEL)
    }

    /// Steps of the whole depth.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The steps of each block of the depth.
    pub(super) fn blocks(&self) -> &[Range<usize>] {
        &self.blocks
    }

    /// Some steps of a panel.
    pub(super) fn steps_of(&self, panel: usize, step: usize, steps: usize) -> &[Line] {
        assert!(step + steps <= self.steps, "the steps lie in one panel");
        &self.words[panel * self.steps + step..][..steps]
    }

    /// A buffer of the pool that this one came from.
    pub(super) fn take(&self, lines: usize) -> Buffer<Line> {
        self.words.pool().take(lines)
    }

    /// A step of a panel, and behind it everything up to the operand's end: kernels read on from
    /// there, also into the following panels.
    pub(super) fn from(&self, panel: usize, step: usize) -> *const Line {
        self.words[panel * self.steps + step..].as_ptr()
    }
}

/// Fills the steps of one block of one panel.
fn pack_block(
    format: Format,
    operand: &Operand<'_>,
    lines: Range<usize>,
    depth: Range<usize>,
    out: &mut [Line],
) {
    #[cfg(target_arch = "x86_64")]
    if matches!(format, Format::Pairs | Format::Tiles) {
        let start = operand.index(lines.start, depth.start);
        let (count, depth) = (lines.len(), depth.len());
        // SAFETY: the format is chosen only where the processor has its instructions, and the
        // operand was checked to lie inside its values.
        unsafe {
            match (operand.values, operand.along) {
                (Values::Full(values), true) => super::pack_avx512::rows_full(
                    values.as_ptr().add(start),
                    operand.stride,
                    count,
                    depth,
                    out,
                ),
                (Values::Half(values), true) => super::pack_avx512::rows_half(
                    values.as_ptr().add(start),
                    operand.stride,
                    count,
                    depth,
                    out,
                ),
                (Values::Full(values), false) => super::pack_avx512::columns_full(
                    values.as_ptr().add(start),
                    operand.stride,
                    count,
                    depth,
                    out,
                ),
                (Values::Half(values), false) => super::pack_avx512::columns_half(
                    values.as_ptr().add(start),
                    operand.stride,
                    count,
                    depth,
                    out,
                ),
            }
        }
        return;
    }
    portable_block(format, operand, lines, depth, out);
}

/// The copy without vector instructions, for other processors and as the oracle.
fn portable_block(
    format: Format,
    operand: &Operand<'_>,
    lines: Range<usize>,
    depth: Range<usize>,
    out: &mut [Line],
) {
    match operand.values {
        Values::Full(values) => fill(format, operand, lines, depth, out, |i| values[i]),
        Values::Half(values) => fill(format, operand, lines, depth, out, |i| widen(values[i])),
    }
}

#[inline(always)]
fn fill(
    format: Format,
    operand: &Operand<'_>,
    lines: Range<usize>,
    depth: Range<usize>,
    out: &mut [Line],
    value: impl Fn(usize) -> f32,
) {
    let half = |value: f32| u32::from(narrow(value).to_bits());
    for (step, line) in out.iter_mut().enumerate() {
        *line = Line::default();
        for (lane, index) in lines.clone().enumerate() {
            let at = |depth| value(operand.index(index, depth));
            line.0[lane] = match format {
                Format::Singles => at(depth.start + step).to_bits(),
                Format::Rounded => widen(narrow(at(depth.start + step))).to_bits(),
                Format::Pairs | Format::Tiles => {
                    let first = depth.start + 2 * step;
                    let within = |depth: usize, end| if depth < end { half(at(depth)) } else { 0 };
                    within(first, depth.end) | within(first + 1, depth.end) << 16
                }
            };
        }
    }
}

/// Rounds values for keeping, on all threads.
pub fn round(pool: &Arc<Pool>, values: &[f32]) -> Buffer<bf16> {
    let mut out = pool.take::<bf16>(values.len());
    const PIECE: usize = 1 << 14;
    let shared = parallel::SharedSlice::new(&mut out);
    parallel::each(values.len().div_ceil(PIECE), |piece| {
        let range = piece * PIECE..values.len().min((piece + 1) * PIECE);
        // SAFETY: each piece writes its own range.
        let out = unsafe { shared.slice(range.clone()) };
        for (out, value) in out.iter_mut().zip(&values[range]) {
            *out = narrow(*value);
        }
    });
    out
}
