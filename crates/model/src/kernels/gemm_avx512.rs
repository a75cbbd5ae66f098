//! The panel kernel on AVX-512 VNNI: one instruction multiplies sixteen rows by four columns.

use std::arch::x86_64::*;

use super::gemm::{Place, QuantisedRows, write_panel};
use super::packed::{BLOCK, Bits, Line, PANEL, PackedMatrix};
use super::parallel::SharedOutput;

/// Tokens that share one reading of the weights: their accumulators fill the register file.
const TILE: usize = 8;

/// # Safety
/// The processor has AVX-512 F, BW, VL and VNNI; otherwise as [`write_panel`].
pub(crate) unsafe fn panel(
    matrix: &PackedMatrix,
    panel: usize,
    x: &QuantisedRows,
    out: SharedOutput,
    place: Place,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match (matrix.bits(), matrix.zero_point()) {
            (Bits::Four, 0) => tokens::<true, true>(matrix, panel, x, out, place),
            (Bits::Four, _) => tokens::<true, false>(matrix, panel, x, out, place),
            (Bits::Eight, 0) => tokens::<false, true>(matrix, panel, x, out, place),
            (Bits::Eight, _) => tokens::<false, false>(matrix, panel, x, out, place),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tokens<const FOUR: bool, const MINIMUM: bool>(
    matrix: &PackedMatrix,
    panel: usize,
    x: &QuantisedRows,
    out: SharedOutput,
    place: Place,
) {
    let mut token = 0;
    // SAFETY: the caller's promise; `token + T <= x.rows` in every call.
    unsafe {
        while token < x.rows {
            let (matrix, args) = (matrix, (panel, token, x, out, place));
            token += match x.rows - token {
                left if left >= TILE => tile::<TILE, FOUR, MINIMUM>(matrix, args),
                left if left >= 4 => tile::<4, FOUR, MINIMUM>(matrix, args),
                left if left >= 2 => tile::<2, FOUR, MINIMUM>(matrix, args),
                _ => tile::<1, FOUR, MINIMUM>(matrix, args),
            };
        }
    }
}

type Args<'a> = (usize, usize, &'a QuantisedRows, SharedOutput, Place);

/// `T` tokens against one panel; gives `T`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile<const T: usize, const FOUR: bool, const MINIMUM: bool>(
    matrix: &PackedMatrix,
    (panel, first, x, out, place): Args<'_>,
) -> usize {
    let blocks = matrix.blocks();
    let (quants, scales) = (matrix.panel_quants(panel), matrix.panel_scales(panel));
    let minima = matrix.panel_minima(panel);
    let mut totals = [_mm512_setzero_ps(); T];
    for block in 0..blocks {
        // SAFETY: a panel holds `blocks` blocks, and every token `blocks` runs of 32 quants.
        unsafe {
            let weights = load_block::<FOUR>(quants, block);
            let scale = halves(&scales[block]);
            for (t, total) in totals.iter_mut().enumerate() {
                let at = (first + t) * blocks + block;
                let (scale_x, sum_x) = (*x.scales.get_unchecked(at), *x.sums.get_unchecked(at));
                let start = if MINIMUM {
                    0
                } else {
                    -matrix.zero_point() * sum_x
                };
                let input = x.quants.as_ptr().add((first + t) * x.cols + block * BLOCK);
                let dots = dot_block(_mm512_set1_epi32(start), &weights, input);
                let scaled = _mm512_mul_ps(scale, _mm512_set1_ps(scale_x));
                *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), scaled, *total);
                if MINIMUM {
                    let weight = _mm512_set1_ps(scale_x * sum_x as f32);
                    *total = _mm512_fmadd_ps(halves(&minima[block]), weight, *total);
                }
            }
        }
    }
    for (t, total) in totals.iter().enumerate() {
        let mut values = [0.0; PANEL];
        // SAFETY: `values` holds sixteen lanes; the rest is the caller's promise.
        unsafe {
            _mm512_storeu_ps(values.as_mut_ptr(), *total);
            write_panel(&values, matrix, panel, out, first + t, place);
        }
    }
    T
}

/// Two chains, so that one token alone is not bound by the instruction's latency.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn dot_block(start: __m512i, weights: &[__m512i; 8], input: *const i8) -> __m512i {
    let mut chains = [start, _mm512_setzero_si512()];
    for (group, weight) in weights.iter().enumerate() {
        // SAFETY: a block has eight groups of four quants.
        let four = unsafe { input.add(group * 4).cast::<i32>().read_unaligned() };
        chains[group % 2] =
            _mm512_dpbusd_epi32(chains[group % 2], *weight, _mm512_set1_epi32(four));
    }
    _mm512_add_epi32(chains[0], chains[1])
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn load_block<const FOUR: bool>(quants: &[Line], block: usize) -> [__m512i; 8] {
    let mut weights = [_mm512_setzero_si512(); 8];
    let low = _mm512_set1_epi8(15);
    let lines = if FOUR { 4 } else { 8 };
    for group in 0..lines {
        // SAFETY: the caller's block lies inside the panel; lines are aligned to 64 bytes.
        let line = unsafe {
            _mm512_load_si512(quants.as_ptr().add(block * lines + group).cast::<__m512i>())
        };
        if FOUR {
            weights[group] = _mm512_and_si512(line, low);
            weights[group + 4] = _mm512_and_si512(_mm512_srli_epi16::<4>(line), low);
        } else {
            weights[group] = line;
        }
    }
    weights
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn halves(values: &[half::f16; PANEL]) -> __m512 {
    // SAFETY: sixteen halves are 32 bytes.
    unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(values.as_ptr().cast::<__m256i>())) }
}
