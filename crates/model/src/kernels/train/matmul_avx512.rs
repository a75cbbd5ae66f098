//! Product kernels on AVX-512: eight lines by three panels, their sums in 24 registers.

use std::arch::x86_64::*;

use super::buffer::Line;
use super::matmul::Tile;
use super::panels::PANEL;

/// Lines of the left operand in one call.
pub const ROWS: usize = 8;
/// Panels of the right operand in one call.
pub const COLUMNS: usize = 3;

/// On pairs of `bf16`.
///
/// # Safety
/// The processor has AVX-512 BF16; `steps` lines lie behind `a` and behind each panel of `b`, and
/// the tile lies inside the result.
pub unsafe fn pairs(a: *const u32, b: *const Line, panel: usize, steps: usize, tile: Tile) {
    // SAFETY: the caller's promise.
    unsafe {
        match tile.columns.div_ceil(PANEL) {
            3 => pairs_tile::<3>(a, b, panel, steps, tile),
            2 => pairs_tile::<2>(a, b, panel, steps, tile),
            _ => pairs_tile::<1>(a, b, panel, steps, tile),
        }
    }
}

/// On `f32`.
///
/// # Safety
/// As [`pairs`], for AVX-512 F.
pub unsafe fn singles(a: *const u32, b: *const Line, panel: usize, steps: usize, tile: Tile) {
    // SAFETY: the caller's promise.
    unsafe {
        match tile.columns.div_ceil(PANEL) {
            3 => singles_tile::<3>(a, b, panel, steps, tile),
            2 => singles_tile::<2>(a, b, panel, steps, tile),
            _ => singles_tile::<1>(a, b, panel, steps, tile),
        }
    }
}

/// Writes the sums to the tile. A macro, because a function would take them through memory; rows are
/// told apart by constants for the same reason.
macro_rules! store {
    ($sums:ident, $tile:ident, $panels:ident) => {
        let last = $tile.columns - ($panels - 1) * PANEL;
        let last = ((1u32 << last) - 1) as __mmask16;
        for row in 0..ROWS {
            if row >= $tile.rows {
                break;
            }
            for p in 0..$panels {
                let mask = if p + 1 == $panels { last } else { 0xffff };
                // SAFETY: the mask ends at the tile's columns.
                unsafe {
                    let at = $tile.out.add(row * $tile.stride + p * PANEL);
                    let sum = if $tile.add {
                        _mm512_add_ps(_mm512_maskz_loadu_ps(mask, at), $sums[row][p])
                    } else {
                        $sums[row][p]
                    };
                    _mm512_mask_storeu_ps(at, mask, sum);
                }
            }
        }
    };
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pairs_tile<const P: usize>(
    a: *const u32,
    b: *const Line,
    panel: usize,
    steps: usize,
    tile: Tile,
) {
    let mut sums = [[_mm512_setzero_ps(); P]; ROWS];
    for step in 0..steps {
        // SAFETY: the caller's promise.
        unsafe {
            let right: [__m512bh; P] = std::array::from_fn(|p| {
                std::mem::transmute(_mm512_load_si512(b.add(p * panel + step).cast()))
            });
            let left = a.add(step * PANEL);
            for (row, sums) in sums.iter_mut().enumerate() {
                let value: __m512bh = std::mem::transmute(_mm512_set1_epi32(*left.add(row) as i32));
                for p in 0..P {
                    sums[p] = _mm512_dpbf16_ps(sums[p], value, right[p]);
                }
            }
        }
    }
    store!(sums, tile, P);
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn singles_tile<const P: usize>(
    a: *const u32,
    b: *const Line,
    panel: usize,
    steps: usize,
    tile: Tile,
) {
    let mut sums = [[_mm512_setzero_ps(); P]; ROWS];
    for step in 0..steps {
        // SAFETY: the caller's promise.
        unsafe {
            let right: [__m512; P] =
                std::array::from_fn(|p| _mm512_load_ps(b.add(p * panel + step).cast()));
            let left = a.add(step * PANEL).cast::<f32>();
            for (row, sums) in sums.iter_mut().enumerate() {
                let value = _mm512_set1_ps(*left.add(row));
                for p in 0..P {
                    sums[p] = _mm512_fmadd_ps(value, right[p], sums[p]);
                }
            }
        }
    }
    store!(sums, tile, P);
}
