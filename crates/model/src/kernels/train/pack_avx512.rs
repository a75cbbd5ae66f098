//! Copies into panels of `bf16` pairs with AVX-512.

use std::arch::x86_64::*;

use half::bf16;

use super::buffer::Line;

/// The first `count` of 16 lanes.
#[inline(always)]
fn lanes16(count: usize) -> __mmask16 {
    if count >= 16 {
        0xffff
    } else {
        (1u16 << count) - 1
    }
}

/// The first `count` of 32 lanes.
#[inline(always)]
fn lanes32(count: usize) -> __mmask32 {
    if count >= 32 {
        u32::MAX
    } else {
        (1u32 << count) - 1
    }
}

/// Rows of `f32`, depth along them.
///
/// # Safety
/// The processor has AVX-512 BF16, BW and VL; `lines` rows of `depth` values lie `stride` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn rows_full(
    from: *const f32,
    stride: usize,
    lines: usize,
    depth: usize,
    out: &mut [Line],
) {
    let mut start = 0;
    while start < depth {
        let left = depth - start;
        let mut rows = [_mm512_setzero_si512(); 16];
        for (line, row) in rows.iter_mut().enumerate() {
            if line >= lines {
                break;
            }
            // SAFETY: the masks end at `depth`.
            unsafe {
                let at = from.add(line * stride + start);
                let low = _mm512_maskz_loadu_ps(lanes16(left), at);
                let high = if left > 16 {
                    _mm512_maskz_loadu_ps(lanes16(left - 16), at.add(16))
                } else {
                    _mm512_setzero_ps()
                };
                *row = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            }
        }
        store(&mut rows, &mut out[start / 2..]);
        start += 32;
    }
}

/// Rows of `bf16`, depth along them.
///
/// # Safety
/// As [`rows_full`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn rows_half(
    from: *const bf16,
    stride: usize,
    lines: usize,
    depth: usize,
    out: &mut [Line],
) {
    let mut start = 0;
    while start < depth {
        let mask = lanes32(depth - start);
        let mut rows = [_mm512_setzero_si512(); 16];
        for (line, row) in rows.iter_mut().enumerate() {
            if line >= lines {
                break;
            }
            // SAFETY: the mask ends at `depth`.
            unsafe {
                *row = _mm512_maskz_loadu_epi16(mask, from.add(line * stride + start).cast());
            }
        }
        store(&mut rows, &mut out[start / 2..]);
        start += 32;
    }
}

/// Stores sixteen rows of pairs as up to sixteen steps. Each row is named by a constant: as an array
/// they would be copied through memory.
#[inline]
#[target_feature(enable = "avx512f")]
fn store(rows: &mut [__m512i; 16], out: &mut [Line]) {
    transpose(rows);
    if let Some(out) = out.first_chunk_mut::<16>() {
        return put(rows, out);
    }
    let mut whole = [Line::default(); 16];
    put(rows, &mut whole);
    let count = out.len();
    out.copy_from_slice(&whole[..count]);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn put(rows: &[__m512i; 16], out: &mut [Line; 16]) {
    for i in 0..16 {
        // SAFETY: a line has the size of a register.
        unsafe { _mm512_storeu_si512(out[i].0.as_mut_ptr().cast(), rows[i]) };
    }
}

/// Sixteen steps of a panel as sixteen lines of a tile.
///
/// # Safety
/// The processor has AVX-512 F.
#[target_feature(enable = "avx512f")]
pub unsafe fn transpose_steps(steps: &[Line], out: &mut [Line]) {
    let mut rows = [_mm512_setzero_si512(); 16];
    let steps = &steps[..16];
    for i in 0..16 {
        // SAFETY: a line has the size of a register.
        rows[i] = unsafe { _mm512_loadu_si512(steps[i].0.as_ptr().cast()) };
    }
    store(&mut rows, out);
}

/// Transposes sixteen rows of sixteen 32-bit values.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(r: &mut [__m512i; 16]) {
    let mut t = [_mm512_setzero_si512(); 16];
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for i in 0..4 {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    // Each register now holds, in its four quarters, columns i, 4 + i, 8 + i, 12 + i of four rows.
    for i in 0..4 {
        t[i] = _mm512_shuffle_i32x4::<0x88>(r[i], r[4 + i]);
        t[4 + i] = _mm512_shuffle_i32x4::<0xdd>(r[i], r[4 + i]);
        t[8 + i] = _mm512_shuffle_i32x4::<0x88>(r[8 + i], r[12 + i]);
        t[12 + i] = _mm512_shuffle_i32x4::<0xdd>(r[8 + i], r[12 + i]);
    }
    for i in 0..4 {
        r[i] = _mm512_shuffle_i32x4::<0x88>(t[i], t[8 + i]);
        r[8 + i] = _mm512_shuffle_i32x4::<0xdd>(t[i], t[8 + i]);
        r[4 + i] = _mm512_shuffle_i32x4::<0x88>(t[4 + i], t[12 + i]);
        r[12 + i] = _mm512_shuffle_i32x4::<0xdd>(t[4 + i], t[12 + i]);
    }
}

/// Puts the values of two neighbouring depths side by side, line by line.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleave(both: __m512i) -> __m512i {
    let order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
        19, 3, 18, 2, 17, 1, 16, 0,
    );
    _mm512_permutexvar_epi16(order, both)
}

/// Columns of a matrix of `f32`, depth down its rows.
///
/// # Safety
/// The processor has AVX-512 BF16, BW and VL; `depth` rows of `lines` values lie `stride` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn columns_full(
    from: *const f32,
    stride: usize,
    lines: usize,
    depth: usize,
    out: &mut [Line],
) {
    let mask = lanes16(lines);
    let (out, padding) = out.split_at_mut(depth.div_ceil(2));
    padding.fill(Line::default());
    for (step, line) in out.iter_mut().enumerate() {
        // SAFETY: the mask ends at `lines`, and the second row is read only where there is one.
        unsafe {
            let at = from.add(2 * step * stride);
            let first = _mm512_maskz_loadu_ps(mask, at);
            let second = if 2 * step + 1 < depth {
                _mm512_maskz_loadu_ps(mask, at.add(stride))
            } else {
                _mm512_setzero_ps()
            };
            let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first));
            _mm512_storeu_si512(line.0.as_mut_ptr().cast(), interleave(both));
        }
    }
}

/// Columns of a matrix of `bf16`, depth down its rows.
///
/// # Safety
/// As [`columns_full`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn columns_half(
    from: *const bf16,
    stride: usize,
    lines: usize,
    depth: usize,
    out: &mut [Line],
) {
    let mask = lanes16(lines);
    let (out, padding) = out.split_at_mut(depth.div_ceil(2));
    padding.fill(Line::default());
    for (step, line) in out.iter_mut().enumerate() {
        // SAFETY: as in `columns_full`.
        unsafe {
            let at = from.add(2 * step * stride);
            let first = _mm256_maskz_loadu_epi16(mask, at.cast());
            let second = if 2 * step + 1 < depth {
                _mm256_maskz_loadu_epi16(mask, at.add(stride).cast())
            } else {
                _mm256_setzero_si256()
            };
            let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), second);
            _mm512_storeu_si512(line.0.as_mut_ptr().cast(), interleave(both));
        }
    }
}
