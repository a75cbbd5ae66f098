//! Products of packed operands: `out[i, j] = sum over depth of a[i, d] * b[j, d]`, in `f32`.
//!
//! Operands are multiplied by vector instructions, or by tile registers ([`super::matmul_amx`]) where
//! the processor has them. An element's sum runs over the blocks of the depth in order, whoever computes it: neither the
//! number of threads nor the other rows of a batch change a bit of it.

use std::ops::Range;

use super::buffer::Line;
#[cfg(target_arch = "x86_64")]
use super::matmul_amx;
use super::panels::{Format, PANEL, Panels, TILE};
use crate::kernels::parallel;

/// Lines of `a` and of `b` in one unit of work: their blocks stay in the second-level cache.
const UNIT_ROWS: usize = 192;
const UNIT_COLUMNS: usize = 384;

/// What happens to the values that the result had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    /// They are replaced.
    Set,
    /// The product is added to them.
    Add,
}

/// A piece of the result that one call of a kernel writes.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) out: *mut f32,
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) add: bool,
}

/// Multiplies up to `rows` lines of one panel with up to `panels` panels.
#[derive(Clone, Copy)]
struct Kernel {
    rows: usize,
    panels: usize,
    run: unsafe fn(a: *const u32, b: *const Line, panel: usize, steps: usize, tile: Tile),
}

fn kernel(format: Format) -> Kernel {
    #[cfg(target_arch = "x86_64")]
    {
        use super::matmul_avx512::{COLUMNS, ROWS, pairs, singles};
        let wide = |run| Kernel {
            rows: ROWS,
            panels: COLUMNS,
            run,
        };
        if matches!(format, Format::Pairs | Format::Tiles) {
            return wide(pairs);
        }
        if is_x86_feature_detected!("avx512f") {
            return wide(singles);
        }
    }
    assert!(
        !matches!(format, Format::Pairs | Format::Tiles),
        "pairs are packed only where they can be multiplied"
    );
    Kernel {
        rows: 4,
        panels: 1,
        run: portable,
    }
}

/// Writes the product of `a` and `b` to columns `column..` of `out`, whose rows are `stride`
/// apart, on all threads.
///
/// # Panics
/// Where the operands were packed for different depths or the result does not fit.
pub fn product(a: &Panels, b: &Panels, out: &mut [f32], stride: usize, column: usize, into: Into) {
    check(a, b, out.len(), stride, column);
    if a.steps() == 0 {
        return zero(a, b, out, stride, column, into);
    }
    let turned = a.as_left();
    let shared = parallel::SharedOutput::new(out);
    let (high, wide) = (
        a.lines().div_ceil(UNIT_ROWS),
        b.lines().div_ceil(UNIT_COLUMNS),
    );
    parallel::each(high * wide, |unit| {
        let (row, line) = (unit % high * UNIT_ROWS, unit / high * UNIT_COLUMNS);
        let rows = row..a.lines().min(row + UNIT_ROWS);
        let columns = line..b.lines().min(line + UNIT_COLUMNS);
        // SAFETY: the result was checked to hold every row, and units are disjoint.
        unsafe {
            let out = shared.pointer().add(row * stride + column + line);
            match turned {
                #[cfg(target_arch = "x86_64")]
                Some(left) => {
                    let right = b.part(columns);
                    matmul_amx::region((left, &rows), &right, out, stride, into == Into::Add);
                }
                _ => unit_product((a, rows), (b, columns), out, stride, into),
            }
        }
    });
}

/// What a product without depth leaves behind.
fn zero(a: &Panels, b: &Panels, out: &mut [f32], stride: usize, column: usize, into: Into) {
    if into == Into::Set {
        for row in 0..a.lines() {
            out[row * stride + column..][..b.lines()].fill(0.0);
        }
    }
}

/// A left operand as tile registers want it.
#[cfg(target_arch = "x86_64")]
pub(super) type Turned = matmul_amx::Left;
#[cfg(not(target_arch = "x86_64"))]
pub(super) type Turned = std::convert::Infallible;

/// Lines of an operand, from a step of its depth on.
#[derive(Clone)]
pub struct Part<'a> {
    /// The operand.
    pub panels: &'a Panels,
    /// Its lines; they begin at a whole panel.
    pub lines: Range<usize>,
    /// The first step.
    pub step: usize,
}

impl Panels {
    fn part(&self, lines: Range<usize>) -> Part<'_> {
        Part {
            panels: self,
            lines,
            step: 0,
        }
    }

    /// All of it.
    pub fn whole(&self) -> Part<'_> {
        self.part(0..self.lines())
    }

    /// The left operand where tile registers multiply it.
    #[cfg(target_arch = "x86_64")]
    fn as_left(&self) -> Option<&Turned> {
        let turn = || Turned::turn(&self.whole(), self.steps() / TILE, true);
        (self.format() == Format::Tiles).then(|| self.turned.get_or_init(turn))
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn as_left(&self) -> Option<&Turned> {
        None
    }
}

/// As [`product`], for parts of operands over `steps` of their depth, summed in one piece, on the
/// calling thread: `out` begins with the element of the first line of each.
///
/// # Panics
/// Where a part lies outside its operand or the result does not fit.
pub fn product_here(
    a: &Part<'_>,
    b: &Part<'_>,
    steps: usize,
    out: &mut [f32],
    stride: usize,
    into: Into,
) {
    if a.lines.is_empty() || b.lines.is_empty() {
        return;
    }
    assert!(b.lines.len() <= stride, "the columns fit into a row");
    let end = (a.lines.len() - 1) * stride + b.lines.len();
    assert!(end <= out.len(), "the result holds every row");
    assert!(a.panels.format() == b.panels.format());
    let (out, add) = (out.as_mut_ptr(), into == Into::Add);
    #[cfg(target_arch = "x86_64")]
    if a.panels.format() == Format::Tiles {
        assert!(steps.is_multiple_of(TILE), "tiles are whole");
        let left = Turned::turn(a, steps / TILE, false);
        // SAFETY: checked above.
        return unsafe { matmul_amx::region((&left, &(0..a.lines.len())), b, out, stride, add) };
    }
    // SAFETY: checked above.
    unsafe { region(a, b, steps, out, stride, add) };
}

fn check(a: &Panels, b: &Panels, len: usize, stride: usize, column: usize) {
    assert!(
        a.blocks() == b.blocks() && a.format() == b.format(),
        "both operands are packed for the same depth"
    );
    assert!(column + b.lines() <= stride, "the columns fit into a row");
    assert!(
        a.lines() == 0 || (a.lines() - 1) * stride + column + b.lines() <= len,
        "the result holds every row"
    );
}

/// One unit of [`product`]: every block of the depth in order.
///
/// # Safety
/// As [`region`].
unsafe fn unit_product(
    (a, rows): (&Panels, Range<usize>),
    (b, columns): (&Panels, Range<usize>),
    out: *mut f32,
    stride: usize,
    into: Into,
) {
    for (index, block) in a.blocks().iter().enumerate() {
        let part = |panels, lines: &Range<usize>| Part {
            panels,
            lines: lines.clone(),
            step: block.start,
        };
        let add = into == Into::Add || index > 0;
        // SAFETY: the caller's promise.
        unsafe {
            region(
                &part(a, &rows),
                &part(b, &columns),
                block.len(),
                out,
                stride,
                add,
            )
        };
    }
}

/// # Safety
/// `out` may be written at every line of both parts.
unsafe fn region(
    a: &Part<'_>,
    b: &Part<'_>,
    steps: usize,
    out: *mut f32,
    stride: usize,
    add: bool,
) {
    assert!(a.lines.start.is_multiple_of(PANEL) && b.lines.start.is_multiple_of(PANEL));
    assert!(a.lines.end <= a.panels.lines() && b.lines.end <= b.panels.lines());
    assert!(a.step + steps <= a.panels.steps() && b.step + steps <= b.panels.steps());
    if steps == 0 {
        return;
    }
    let kernel = kernel(a.panels.format());
    let mut first = b.lines.start;
    while first < b.lines.end {
        let left = (b.lines.end - first).div_ceil(PANEL);
        // Four panels are better halved than cut into three and one.
        let panels = if left == 4 {
            kernel.panels.min(2)
        } else {
            left.min(kernel.panels)
        };
        let columns = (b.lines.end - first).min(panels * PANEL);
        let right = b.panels.from(first / PANEL, b.step);
        for row in a.lines.clone().step_by(kernel.rows) {
            let left = a.panels.from(row / PANEL, a.step).cast::<u32>();
            // SAFETY: the caller's promise; `steps` lines lie behind both in each panel.
            unsafe {
                let tile = Tile {
                    out: out.add((row - a.lines.start) * stride + first - b.lines.start),
                    stride,
                    rows: (a.lines.end - row).min(kernel.rows),
                    columns,
                    add,
                };
                let left = left.add(row % PANEL);
                (kernel.run)(left, right, b.panels.steps(), steps, tile);
            }
        }
        first += columns;
    }
}

/// The kernel without vector instructions beyond the build's, on `f32`.
unsafe fn portable(a: *const u32, b: *const Line, _panel: usize, steps: usize, tile: Tile) {
    let mut sums = [[0.0f32; PANEL]; 4];
    for step in 0..steps {
        // SAFETY: the caller gives `steps` lines of both panels.
        let (left, right) = unsafe {
            let left = a.add(step * PANEL);
            let left: [f32; 4] = std::array::from_fn(|row| f32::from_bits(*left.add(row)));
            (left, &*b.add(step))
        };
        for (left, sums) in left.iter().zip(&mut sums) {
            for (value, sum) in right.0.iter().zip(sums) {
                *sum = crate::kernels::fused(*left, f32::from_bits(*value), *sum);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate().take(tile.rows) {
        // SAFETY: the tile lies inside the result.
        let out = unsafe {
            std::slice::from_raw_parts_mut(tile.out.add(row * tile.stride), tile.columns)
        };
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = if tile.add { *out + sum } else { *sum };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use half::bf16;

    use super::super::buffer::{Pool, Values};
    use super::super::panels::{Depth, Operand, Precision};
    use super::*;

    fn noise(count: usize, seed: u64) -> Vec<f32> {
        use rand::{RngExt, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..count)
            .map(|_| random.random_range(-1.0f32..1.0))
            .collect()
    }

    fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
        let rows = values.len() / columns;
        (0..values.len())
            .map(|i| values[i % rows * columns + i / rows])
            .collect()
    }

    fn exact(a: &[f32], b: &[f32], depth: usize) -> Vec<f64> {
        let dot = |x: &[f32], y: &[f32]| -> f64 {
            x.iter()
                .zip(y)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum()
        };
        a.chunks_exact(depth)
            .flat_map(|a| b.chunks_exact(depth).map(move |b| dot(a, b)))
            .collect()
    }

    /// Every format that this processor multiplies.
    fn formats() -> Vec<Format> {
        let mut formats = vec![Format::Singles, Format::Rounded];
        match Format::of(Precision::Bf16) {
            Format::Tiles => formats.extend([Format::Pairs, Format::Tiles]),
            format => formats.push(format),
        }
        formats
    }

    const SHAPES: [(usize, usize, usize); 6] = [
        (1, 1, 1),
        (3, 17, 5),
        (16, 48, 32),
        (37, 70, 71),
        (200, 50, 700),
        (9, 400, 1291),
    ];

    /// Either layout, either type, every format at hand, ragged shapes: the sums are right.
    #[test]
    fn products_match_their_definition() {
        let pool = Arc::new(Pool::default());
        for (rows, columns, depth) in SHAPES {
            let round = |values: Vec<f32>| -> Vec<bf16> {
                values.into_iter().map(bf16::from_f32).collect()
            };
            let wide = |values: &[bf16]| -> Vec<f32> {
                values.iter().map(|value| value.to_f32()).collect()
            };
            let (half_a, half_b) = (
                round(noise(rows * depth, 1)),
                round(noise(columns * depth, 2)),
            );
            let (a, b) = (wide(&half_a), wide(&half_b));
            let expected = exact(&a, &b, depth);
            let (a_t, b_t) = (transposed(&a, depth), transposed(&b, depth));
            let half_a_t = round(a_t.clone());
            let full = [
                Operand::rows(Values::Full(&a), 0, depth, rows),
                Operand::rows(Values::Half(&half_a), 0, depth, rows),
                Operand::columns(Values::Full(&a_t), 0, rows, rows),
                Operand::columns(Values::Half(&half_a_t), 0, rows, rows),
            ];
            let right = [
                Operand::rows(Values::Full(&b), 0, depth, columns),
                Operand::columns(Values::Full(&b_t), 0, columns, columns),
            ];
            for format in formats() {
                for (a, b) in full
                    .iter()
                    .flat_map(|a| right.iter().map(move |b| (*a, *b)))
                {
                    let depth = Depth::segments([depth / 3, depth - depth / 3]);
                    let a = Panels::pack(&pool, format, a, &depth);
                    let b = Panels::pack_here(&pool, format, b, &depth);
                    let stride = columns + 3;
                    let mut out = vec![1.0; rows * stride];
                    product(&a, &b, &mut out, stride, 2, Into::Set);
                    product(&a, &b, &mut out, stride, 2, Into::Add);
                    for (i, out) in out.iter().enumerate() {
                        let (row, column) = (i / stride, i % stride);
                        let sum = if (2..columns + 2).contains(&column) {
                            2.0 * expected[row * columns + column - 2]
                        } else {
                            1.0
                        };
                        assert!(
                            (f64::from(*out) - sum).abs() < 1e-4,
                            "{rows} {columns} {format:?} at {row} {column}: {out} {sum}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_portable_kernel_agrees() {
        let pool = Arc::new(Pool::default());
        let (a, b) = (noise(40 * 90, 3), noise(33 * 90, 4));
        let depth = Depth::whole(90);
        let pack = |values, lines| {
            let operand = Operand::rows(Values::Full(values), 0, 90, lines);
            Panels::pack(&pool, Format::Singles, operand, &depth)
        };
        let (left, right) = (pack(&a, 40), pack(&b, 33));
        let mut out = vec![0.0; 40 * 33];
        for row in (0..40).step_by(4) {
            for column in (0..33).step_by(PANEL) {
                let tile = Tile {
                    out: out[row * 33 + column..].as_mut_ptr(),
                    stride: 33,
                    rows: 4,
                    columns: PANEL.min(33 - column),
                    add: false,
                };
                let (a, b) = (left.from(row / PANEL, 0), right.from(column / PANEL, 0));
                // SAFETY: every row and column lies inside.
                unsafe { portable(a.cast::<u32>().add(row % PANEL), b, 90, 90, tile) };
            }
        }
        for (out, exact) in out.iter().zip(exact(&a, &b, 90)) {
            assert!((f64::from(*out) - exact).abs() < 1e-4, "{out} {exact}");
        }
    }

    /// What a row of the result is does not depend on the rows around it, nor on the threads.
    #[test]
    fn a_row_is_the_same_alone_and_on_one_thread() {
        let pool = Arc::new(Pool::default());
        let (a, b) = (noise(300 * 800, 5), noise(500 * 800, 6));
        let depth = Depth::whole(800);
        for format in formats() {
            let run = |first: usize, rows: usize| {
                let operand = Operand::rows(Values::Full(&a), first * 800, 800, rows);
                let a = Panels::pack(&pool, format, operand, &depth);
                let b = Operand::rows(Values::Full(&b), 0, 800, 500);
                let b = Panels::pack(&pool, format, b, &depth);
                let mut out = vec![0.0; rows * 500];
                product(&a, &b, &mut out, 500, 0, Into::Set);
                out
            };
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                pool.expect("threads").install(|| run(0, 300))
            };
            let all = on(1);
            assert!(all == on(3));
            assert!(all[251 * 500..252 * 500] == run(251, 1));
        }
    }
}
