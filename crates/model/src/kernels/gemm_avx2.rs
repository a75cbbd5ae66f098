//! The panel kernel on AVX2: eight rows by four columns an instruction pair.

use std::arch::x86_64::*;

use super::gemm::{Place, QuantisedRows, write_panel};
use super::packed::{BLOCK, Bits, Line, PANEL, PackedMatrix};
use super::parallel::SharedOutput;

/// # Safety
/// The processor has AVX2, FMA and F16C; otherwise as [`write_panel`].
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
            (Bits::Four, _) => tokens::<true, false>(matrix, panel, x, out, place),
            (Bits::Eight, 128) => tokens::<false, true>(matrix, panel, x, out, place),
            (Bits::Eight, _) => tokens::<false, false>(matrix, panel, x, out, place),
        }
    }
}

/// `WIDE`: the quants use all eight bits, which the multiply would saturate on, so they are made
/// signed first and the zero point is gone.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn tokens<const FOUR: bool, const WIDE: bool>(
    matrix: &PackedMatrix,
    panel: usize,
    x: &QuantisedRows,
    out: SharedOutput,
    place: Place,
) {
    let blocks = matrix.blocks();
    let (quants, scales) = (matrix.panel_quants(panel), matrix.panel_scales(panel));
    let minima = matrix.panel_minima(panel);
    let zero_point = if WIDE { 0 } else { matrix.zero_point() };
    for token in 0..x.rows {
        let mut values = [0.0f32; PANEL];
        for half in 0..2 {
            let mut total = _mm256_setzero_ps();
            for (block, scale) in scales.iter().enumerate() {
                let at = token * blocks + block;
                let (scale_x, sum_x) = (x.scales[at], x.sums[at]);
                // SAFETY: blocks and quants lie inside their panels and rows; a half is 8 lanes.
                unsafe {
                    let input = x.quants.as_ptr().add(token * x.cols + block * BLOCK);
                    let dots = dot_block::<FOUR, WIDE>(quants, block, half, input);
                    let dots = _mm256_sub_epi32(dots, _mm256_set1_epi32(zero_point * sum_x));
                    let scale = halves(scale.as_ptr().add(half * 8));
                    let scaled = _mm256_mul_ps(scale, _mm256_set1_ps(scale_x));
                    total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots), scaled, total);
                    if let Some(minimum) = minima.get(block) {
                        let weight = _mm256_set1_ps(scale_x * sum_x as f32);
                        let minimum = halves(minimum.as_ptr().add(half * 8));
                        total = _mm256_fmadd_ps(minimum, weight, total);
                    }
                }
            }
            // SAFETY: two halves of eight lanes fill the sixteen values.
            unsafe { _mm256_storeu_ps(values.as_mut_ptr().add(half * 8), total) };
        }
        // SAFETY: the caller's promise.
        unsafe { write_panel(&values, matrix, panel, out, token, place) };
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn dot_block<const FOUR: bool, const WIDE: bool>(
    quants: &[Line],
    block: usize,
    half: usize,
    input: *const i8,
) -> __m256i {
    let lines = if FOUR { 4 } else { 8 };
    let (ones, low) = (_mm256_set1_epi16(1), _mm256_set1_epi8(15));
    let mut sum = _mm256_setzero_si256();
    for group in 0..8 {
        let line = &quants[block * lines + group % lines];
        // SAFETY: a line holds two halves of 32 bytes; a block has eight groups of four quants.
        let (weights, four) = unsafe {
            let bytes = line.0.as_ptr().add(half * 32).cast::<__m256i>();
            (
                _mm256_load_si256(bytes),
                input.add(group * 4).cast::<i32>().read_unaligned(),
            )
        };
        let four = _mm256_set1_epi32(four);
        let pairs = if WIDE {
            let signed = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
            _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(four, signed))
        } else if FOUR {
            let shifted = if group < 4 {
                weights
            } else {
                _mm256_srli_epi16::<4>(weights)
            };
            _mm256_maddubs_epi16(_mm256_and_si256(shifted, low), four)
        } else {
            _mm256_maddubs_epi16(weights, four)
        };
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
    sum
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn halves(values: *const half::f16) -> __m256 {
    // SAFETY: the caller has eight halves there.
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(values.cast::<__m128i>())) }
}
