//! Products of activations with packed matrices: `y[t, r] = sum_c x[t, c] * w[r, c]`.
//!
//! Activations are rounded to int8 with one scale for 32 columns, as every int8 CPU engine does;
//! the products are exact integers, accumulated in `f32` a block.

use rayon::prelude::*;

use super::packed::{BLOCK, PANEL, PackedMatrix};
use super::parallel::{self, SharedOutput};

/// Rows from which on it is worth it to spread what is done to each of them.
const FEW: usize = 16;

/// Activations `[rows, cols]` rounded to int8, a scale and a sum of quants for each block.
pub struct QuantisedRows {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// `[rows, cols]`.
    pub(crate) quants: Vec<i8>,
    /// `[rows, cols / 32]`.
    pub(crate) scales: Vec<f32>,
    /// `[rows, cols / 32]`: the sum of a block's quants.
    pub(crate) sums: Vec<i32>,
}

impl QuantisedRows {
    /// Rounds `x`, `[rows, cols]` with `cols` a multiple of 32.
    pub fn new(x: &[f32], cols: usize) -> Self {
        if x.len() < FEW * cols {
            return Self::here(x, cols);
        }
        let mut out = Self::zeros(x.len(), cols);
        let piece = cols * 8;
        x.par_chunks(piece)
            .zip(out.quants.par_chunks_mut(piece))
            .zip(out.scales.par_chunks_mut(piece / BLOCK))
            .zip(out.sums.par_chunks_mut(piece / BLOCK))
            .for_each(|(((x, quants), scales), sums)| round(x, quants, scales, sums));
        out
    }

    /// The same on the calling thread.
    fn here(x: &[f32], cols: usize) -> Self {
        let mut out = Self::zeros(x.len(), cols);
        round(x, &mut out.quants, &mut out.scales, &mut out.sums);
        out
    }

    fn zeros(len: usize, cols: usize) -> Self {
        Self {
            rows: len / cols,
            cols,
            quants: vec![0; len],
            scales: vec![0.0; len / BLOCK],
            sums: vec![0; len / BLOCK],
        }
    }
}

fn round(x: &[f32], quants: &mut [i8], scales: &mut [f32], sums: &mut [i32]) {
    let blocks = x.chunks_exact(BLOCK).zip(quants.chunks_exact_mut(BLOCK));
    for ((block, quants), (scale, sum)) in blocks.zip(scales.iter_mut().zip(sums)) {
        (*scale, *sum) = round_block(block, quants);
    }
}

#[inline(always)]
fn round_block(block: &[f32], quants: &mut [i8]) -> (f32, i32) {
    let largest = block.iter().fold(0.0f32, |max, value| max.max(value.abs()));
    // A block that holds NaN or infinity has no scale; the NaN it yields must reach the logits.
    let scale = if block.iter().all(|value| value.is_finite()) {
        largest / 127.0
    } else {
        f32::NAN
    };
    // The inverse of a denormal scale would be infinite; such a block is as good as zero.
    let inverse = if scale >= f32::MIN_POSITIVE {
        1.0 / scale
    } else {
        0.0
    };
    let mut sum = 0;
    for (quant, value) in quants.iter_mut().zip(block) {
        let rounded = (value * inverse).round_ties_even() as i32;
        sum += rounded;
        *quant = rounded as i8;
    }
    (scale, sum)
}

/// One matrix of a joint product and the column of the output where its first row goes.
pub struct Part<'a> {
    /// The weights.
    pub matrix: &'a PackedMatrix,
    /// Offset in the output row.
    pub column: usize,
    /// What is added to its product.
    pub added: Option<LowRank<'a>>,
}

/// `b a`, of low rank.
#[derive(Clone, Copy)]
pub struct LowRank<'a> {
    /// `[rank, in]`.
    pub a: &'a PackedMatrix,
    /// `[out, rank]`.
    pub b: &'a PackedMatrix,
}

impl LowRank<'_> {
    /// `a x`, rounded.
    fn inner(&self, x: &QuantisedRows, spread: bool) -> QuantisedRows {
        let rank = self.a.rows();
        let mut inner = vec![0.0; x.rows * rank];
        if spread {
            let part = Part {
                matrix: self.a,
                column: 0,
                added: None,
            };
            product(x, &[part], &mut inner, rank);
            return QuantisedRows::new(&inner, rank);
        }
        let place = Place {
            column: 0,
            stride: rank,
            add: false,
        };
        let (kernel, shared) = (kernel(), SharedOutput::new(&mut inner));
        for panel in 0..self.a.panels() {
            // SAFETY: `product` checked the columns; the output has `rank` columns for every row.
            unsafe { kernel(self.a, panel, x, shared, place) };
        }
        QuantisedRows::here(&inner, rank)
    }
}

/// Where a matrix's results go in the output.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Offset in the output's row.
    pub(crate) column: usize,
    /// From row to row.
    pub(crate) stride: usize,
    /// Whether they are added to what stands there.
    pub(crate) add: bool,
}

/// Multiplies the same activations with several matrices, whose results stand side by side in
/// `out`, `[rows, stride]`, in the order of the parts.
///
/// # Panics
/// Where the shapes do not fit or the parts overlap: callers check them when they load the weights.
pub fn product(x: &QuantisedRows, parts: &[Part<'_>], out: &mut [f32], stride: usize) {
    assert!(out.len() >= x.rows * stride, "the output holds every row");
    let mut taken = 0;
    for part in parts {
        assert_eq!(
            part.matrix.cols(),
            x.cols,
            "the weight's columns are the input features"
        );
        assert!(
            part.column >= taken && part.column + part.matrix.rows() <= stride,
            "a part fits into the output's row, behind the part before it"
        );
        taken = part.column + part.matrix.rows();
        if let Some(LowRank { a, b }) = part.added {
            assert!(
                (a.cols(), b.cols(), b.rows()) == (x.cols, a.rows(), part.matrix.rows()),
                "what is added has the shape of what it is added to"
            );
        }
    }
    // Of a few rows every thread computes what it needs itself: to wake another one takes longer.
    let many = x.rows >= FEW;
    let inner = parts.iter().map(|part| part.added.filter(|_| many));
    let inner: Vec<_> = inner
        .map(|added| added.map(|it| it.inner(x, true)))
        .collect();
    let panels: usize = parts.iter().map(|part| part.matrix.panels()).sum();
    let shared = SharedOutput::new(out);
    let kernel = kernel();
    parallel::ranges(panels, 4, |range| {
        let mut first = 0;
        for (part, inner) in parts.iter().zip(&inner) {
            let end = first + part.matrix.panels();
            let place = |add| Place {
                column: part.column,
                stride,
                add,
            };
            let own = range.start.max(first)..range.end.min(end);
            let added = part.added.filter(|_| !own.is_empty());
            let here = added.filter(|_| !many).map(|it| it.inner(x, false));
            for panel in own {
                // SAFETY: the shapes were checked above; every panel writes columns of its own.
                unsafe {
                    kernel(part.matrix, panel - first, x, shared, place(false));
                    if let (Some(added), Some(x)) = (added, here.as_ref().or(inner.as_ref())) {
                        kernel(added.b, panel - first, x, shared, place(true));
                    }
                }
            }
            first = end;
        }
    });
}

type Kernel = unsafe fn(&PackedMatrix, usize, &QuantisedRows, SharedOutput, Place);

fn kernel() -> Kernel {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
        {
            return super::gemm_avx512::panel;
        }
        if has_avx2() {
            return super::gemm_avx2::panel;
        }
    }
    portable_panel
}

/// Whether the processor has all that the AVX2 kernel uses.
#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
}

/// Instruction set that the products run on, for `doctor` and reports.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        let chosen = kernel() as usize;
        if chosen == super::gemm_avx512::panel as *const () as usize {
            return "AVX-512 VNNI";
        }
        if chosen == super::gemm_avx2::panel as *const () as usize {
            return "AVX2";
        }
    }
    "portable"
}

/// Writes one panel's rows of one token to the output; the last panel may be cut short.
///
/// # Safety
/// `row` and the place's columns lie inside the output, and no other piece of work writes these
/// elements.
#[inline(always)]
pub(crate) unsafe fn write_panel(
    values: &[f32; PANEL],
    matrix: &PackedMatrix,
    panel: usize,
    out: SharedOutput,
    row: usize,
    place: Place,
) {
    let first = panel * PANEL;
    let lanes = PANEL.min(matrix.rows() - first);
    let start = row * place.stride + place.column + first;
    // SAFETY: `first + lanes` rows exist in the matrix, so they do in the output's row.
    let target = unsafe { std::slice::from_raw_parts_mut(out.pointer().add(start), lanes) };
    if place.add {
        for (target, value) in target.iter_mut().zip(values) {
            *target += value;
        }
    } else {
        target.copy_from_slice(&values[..lanes]);
    }
}

/// The panel kernel without vector instructions, for other processors and as the oracle.
///
/// # Safety
/// As [`write_panel`].
unsafe fn portable_panel(
    matrix: &PackedMatrix,
    panel: usize,
    x: &QuantisedRows,
    out: SharedOutput,
    place: Place,
) {
    let blocks = matrix.blocks();
    let mut weights = vec![0.0f32; matrix.cols() * PANEL];
    let lanes = PANEL.min(matrix.rows() - panel * PANEL);
    for (lane, row) in weights
        .chunks_exact_mut(matrix.cols())
        .take(lanes)
        .enumerate()
    {
        matrix.dequantise_row(panel * PANEL + lane, row);
    }
    for token in 0..x.rows {
        let mut values = [0.0f32; PANEL];
        for (lane, value) in values.iter_mut().enumerate().take(lanes) {
            let row = &weights[lane * matrix.cols()..][..matrix.cols()];
            let quants = &x.quants[token * x.cols..][..x.cols];
            for (block, (w, q)) in row
                .chunks_exact(BLOCK)
                .zip(quants.chunks_exact(BLOCK))
                .enumerate()
            {
                let dot: f32 = w.iter().zip(q).map(|(w, q)| w * f32::from(*q)).sum();
                *value += x.scales[token * blocks + block] * dot;
            }
        }
        // SAFETY: the caller's promise.
        unsafe { write_panel(&values, matrix, panel, out, token, place) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::packed::tests::encoded;
    use crate::weights::{RawTensor, WeightDtype};

    fn noise(count: usize, seed: u64) -> Vec<f32> {
        use rand::{RngExt, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..count)
            .map(|_| random.random_range(-1.0f32..1.0))
            .collect()
    }

    fn run(kernel: Kernel, matrix: &PackedMatrix, x: &QuantisedRows) -> Vec<f32> {
        let stride = matrix.rows() + 3;
        let mut out = vec![0.0; x.rows * stride];
        let shared = SharedOutput::new(&mut out);
        let place = Place {
            column: 2,
            stride,
            add: false,
        };
        for panel in 0..matrix.panels() {
            // SAFETY: the output has room for every row at column 2.
            unsafe { kernel(matrix, panel, x, shared, place) };
        }
        out
    }

    /// The kernels at hand agree with the portable one on every type and on ragged shapes.
    #[test]
    fn kernels_agree() {
        let shapes = [
            (1, 16, 32),
            (3, 50, 96),
            (8, 7, 64),
            (17, 33, 576),
            (5, 20, 512),
        ];
        for dtype in WeightDtype::ALL {
            let whole = |(.., cols): &(_, _, usize)| cols.is_multiple_of(dtype.block_size());
            for (tokens, rows, cols) in shapes.into_iter().filter(whole) {
                let data = encoded(dtype, &noise(rows * cols, 1));
                let weight = RawTensor {
                    dtype,
                    shape: vec![rows, cols],
                    data: &data,
                };
                let matrix = PackedMatrix::pack(&weight, |row| row).expect("finite");
                let x = QuantisedRows::new(&noise(tokens * cols, 2), cols);
                let expected = run(portable_panel, &matrix, &x);
                let mut kernels: Vec<Kernel> = vec![kernel()];
                #[cfg(target_arch = "x86_64")]
                if has_avx2() {
                    kernels.push(super::super::gemm_avx2::panel);
                }
                for chosen in kernels {
                    let found = run(chosen, &matrix, &x);
                    for (a, b) in found.iter().zip(&expected) {
                        assert!(
                            (a - b).abs() < 2e-4 * (cols as f32).sqrt(),
                            "{dtype:?} {a} {b}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn products_stand_side_by_side() {
        let cols = 64;
        let (first, second) = (noise(20 * cols, 3), noise(9 * cols, 4));
        let third = noise(20 * 32, 7);
        let pack = |raw: &[f32], rows| {
            let data = bytemuck::cast_slice(raw);
            let weight = RawTensor {
                dtype: WeightDtype::F32,
                shape: vec![rows, raw.len() / rows],
                data,
            };
            PackedMatrix::pack(&weight, |row| row).expect("finite")
        };
        let fourth: Vec<f32> = noise(32 * cols, 8).iter().map(|v| v / 8.0).collect();
        let (a, b, c) = (pack(&first, 20), pack(&second, 9), pack(&third, 20));
        let low = pack(&fourth, 32);
        let parts = [
            Part {
                matrix: &a,
                column: 0,
                added: Some(LowRank { a: &low, b: &c }),
            },
            Part {
                matrix: &b,
                column: 20,
                added: None,
            },
        ];
        // A few rows, and so many that their additions are spread.
        for rows in [5, 2 * FEW] {
            let input = noise(rows * cols, 5);
            let x = QuantisedRows::new(&input, cols);
            let mut out = vec![f32::NAN; rows * 29];
            product(&x, &parts, &mut out, 29);
            for token in 0..rows {
                for row in 0..29 {
                    let weights = if row < 20 {
                        &first[row * cols..]
                    } else {
                        &second[(row - 20) * cols..]
                    };
                    let mut exact: f32 = (0..cols)
                        .map(|c| input[token * cols + c] * weights[c])
                        .sum();
                    if row < 20 {
                        let inner = |at: usize| {
                            let a = &fourth[at * cols..][..cols];
                            let terms = input[token * cols..].iter().zip(a).map(|(x, a)| x * a);
                            terms.sum::<f32>()
                        };
                        exact += (0..32)
                            .map(|at| inner(at) * third[row * 32 + at])
                            .sum::<f32>();
                    }
                    let found = out[token * 29 + row];
                    assert!(
                        (found - exact).abs() < 0.15,
                        "{token} {row}: {found} {exact}"
                    );
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "behind the part before it")]
    fn parts_that_overlap_are_refused() {
        let data = vec![0; 16 * 32 * 4];
        let weight = RawTensor {
            dtype: WeightDtype::F32,
            shape: vec![16, 32],
            data: &data,
        };
        let matrix = PackedMatrix::pack(&weight, |row| row).expect("finite");
        let parts = [0, 15].map(|column| Part {
            matrix: &matrix,
            column,
            added: None,
        });
        let x = QuantisedRows::new(&[0.0; 32], 32);
        product(&x, &parts, &mut [0.0; 32], 32);
    }

    #[test]
    fn a_block_of_denormals_counts_as_zero() {
        let mut input = vec![1e-42; 32];
        input[3] = -2e-42;
        let x = QuantisedRows::new(&input, 32);
        assert!(x.quants.iter().all(|quant| *quant == 0));
        assert_eq!(x.sums, [0]);
    }

    #[test]
    fn a_nan_is_not_rounded_away() {
        let mut input = noise(32, 6);
        input[7] = f32::NAN;
        assert!(QuantisedRows::new(&input, 32).scales[0].is_nan());
    }
}
