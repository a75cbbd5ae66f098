//! Activations, sums and rotary positions over many rows, with their backward passes.

use std::ops::Range;
use std::sync::Arc;

use half::bf16;

use super::buffer::{Buffer, Element, Kept, Pool, Values, narrow, widen};
use super::panels::Precision;
use crate::kernels::elementwise::{exp, gelu_slope, rotate, silu};
use crate::kernels::layer_kv::HeadShape;
use crate::kernels::parallel::{self, SharedSlice};
use crate::rope::RopeTables;

/// Rows whose parameter gradients are summed before they are added to the whole.
const ROWS: usize = 64;

/// A type that activations are kept in.
pub trait Stored: Element {
    /// From `f32`.
    fn put(value: f32) -> Self;
    /// To `f32`.
    fn get(self) -> f32;
    /// Wraps a buffer.
    fn keep(buffer: Buffer<Self>) -> Kept;
}

impl Stored for f32 {
    #[inline(always)]
    fn put(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn get(self) -> f32 {
        self
    }
    fn keep(buffer: Buffer<Self>) -> Kept {
        Kept::Full(buffer)
    }
}

impl Stored for bf16 {
    #[inline(always)]
    fn put(value: f32) -> Self {
        narrow(value)
    }
    #[inline(always)]
    fn get(self) -> f32 {
        widen(self)
    }
    fn keep(buffer: Buffer<Self>) -> Kept {
        Kept::Half(buffer)
    }
}

/// Consecutive rows of sequences, cut so that no piece holds rows of two: what a sequence adds to
/// a gradient does not depend on the others.
pub fn pieces(lengths: &[usize]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for length in lengths {
        let end = start + length;
        while start < end {
            let next = end.min(start + ROWS);
            pieces.push(start..next);
            start = next;
        }
    }
    pieces
}

/// Calls `run` for pieces of rows on all threads.
pub(super) fn each_piece(rows: usize, run: impl Fn(Range<usize>) + Sync + Send) {
    const PIECE: usize = 32;
    parallel::each(rows.div_ceil(PIECE), |piece| {
        run(piece * PIECE..rows.min((piece + 1) * PIECE));
    });
}

/// Adds the sum over rows of columns `column..` of `values`, `[rows, stride]`, to `out`.
pub fn add_column_sums(
    pool: &Arc<Pool>,
    values: Values<'_>,
    stride: usize,
    column: usize,
    out: &mut [f32],
    pieces: &[Range<usize>],
) {
    let width = out.len();
    let mut partial = pool.zeros::<f32>(pieces.len() * width);
    let shared = SharedSlice::new(&mut partial);
    parallel::each(pieces.len(), |piece| {
        // SAFETY: pieces are disjoint.
        let partial = unsafe { shared.slice(piece * width..(piece + 1) * width) };
        let mut wide = vec![0.0; width];
        for row in pieces[piece].clone() {
            values.widen(row * stride + column, &mut wide);
            crate::kernels::elementwise::add(partial, &wide);
        }
    });
    for piece in partial.chunks_exact(width) {
        crate::kernels::elementwise::add(out, piece);
    }
}

/// Adds a bias to columns `column..` of every row.
pub fn add_bias(values: &mut [f32], stride: usize, column: usize, bias: &[f32]) {
    parallel::rows(values, stride, |_, row| {
        crate::kernels::elementwise::add(&mut row[column..column + bias.len()], bias);
    });
}

/// `a + b`.
pub fn sum(pool: &Arc<Pool>, a: &[f32], b: &[f32]) -> Buffer<f32> {
    let mut out = pool.take(a.len());
    each_element(&mut out, |range, out| {
        for ((out, a), b) in out.iter_mut().zip(&a[range.clone()]).zip(&b[range]) {
            *out = a + b;
        }
    });
    out
}

/// Adds `b` to `a`.
pub fn add(a: &mut [f32], b: &[f32]) {
    each_element(a, |range, a| crate::kernels::elementwise::add(a, &b[range]));
}

pub(super) fn each_element<T: Send>(
    out: &mut [T],
    run: impl Fn(Range<usize>, &mut [T]) + Sync + Send,
) {
    const PIECE: usize = 1 << 14;
    let len = out.len();
    let shared = SharedSlice::new(out);
    parallel::each(len.div_ceil(PIECE), |piece| {
        let range = piece * PIECE..len.min((piece + 1) * PIECE);
        // SAFETY: pieces are disjoint.
        run(range.clone(), unsafe { shared.slice(range) });
    });
}

/// `silu(gate) * up` of rows that hold the gate's values and then up's.
pub fn gated_silu(pool: &Arc<Pool>, precision: Precision, joint: &[f32], width: usize) -> Kept {
    match precision {
        Precision::F32 => gated_silu_as::<f32>(pool, joint, width),
        Precision::Bf16 => gated_silu_as::<bf16>(pool, joint, width),
    }
}

fn gated_silu_as<T: Stored>(pool: &Arc<Pool>, joint: &[f32], width: usize) -> Kept {
    let mut out = pool.take::<T>(joint.len() / 2);
    let shared = SharedSlice::new(&mut out);
    each_piece(joint.len() / (2 * width), |rows| {
        for row in rows {
            // SAFETY: rows are disjoint.
            let out = unsafe { shared.slice(row * width..(row + 1) * width) };
            let (gate, up) = joint[row * 2 * width..][..2 * width].split_at(width);
            for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = T::put(silu(*gate) * up);
            }
        }
    });
    T::keep(out)
}

/// The gradient of the joint rows of [`gated_silu`].
pub fn gated_silu_backward(pool: &Arc<Pool>, joint: &Kept, dy: &[f32], width: usize) -> Kept {
    match joint {
        Kept::Full(joint) => gated_silu_backward_as::<f32>(pool, joint, dy, width),
        Kept::Half(joint) => gated_silu_backward_as::<bf16>(pool, joint, dy, width),
    }
}

fn gated_silu_backward_as<T: Stored>(
    pool: &Arc<Pool>,
    joint: &[T],
    dy: &[f32],
    width: usize,
) -> Kept {
    let mut out = pool.take::<T>(joint.len());
    let shared = SharedSlice::new(&mut out);
    each_piece(dy.len() / width, |rows| {
        for row in rows {
            let range = row * 2 * width..(row + 1) * 2 * width;
            // SAFETY: rows are disjoint.
            let out = unsafe { shared.slice(range.clone()) };
            let (d_gate, d_up) = out.split_at_mut(width);
            let (gate, up) = joint[range].split_at(width);
            let dy = &dy[row * width..][..width];
            for i in 0..width {
                let (gate, up) = (gate[i].get(), up[i].get());
                let sigmoid = 1.0 / (1.0 + exp(-gate));
                d_gate[i] = T::put(dy[i] * up * sigmoid * (1.0 + gate * (1.0 - sigmoid)));
                d_up[i] = T::put(dy[i] * gate * sigmoid);
            }
        }
    });
    T::keep(out)
}

/// GELU in its tanh form.
pub fn gelu(pool: &Arc<Pool>, precision: Precision, x: &[f32]) -> Kept {
    match precision {
        Precision::F32 => gelu_as::<f32>(pool, x),
        Precision::Bf16 => gelu_as::<bf16>(pool, x),
    }
}

fn gelu_as<T: Stored>(pool: &Arc<Pool>, x: &[f32]) -> Kept {
    let mut out = pool.take::<T>(x.len());
    each_element(&mut out, |range, out| {
        for (out, x) in out.iter_mut().zip(&x[range]) {
            *out = T::put(crate::kernels::elementwise::gelu(*x));
        }
    });
    T::keep(out)
}

/// The gradient of GELU's input.
pub fn gelu_backward(x: Values<'_>, dy: &mut [f32]) {
    each_element(dy, |range, dy| {
        let mut wide = vec![0.0; range.len()];
        x.widen(range.start, &mut wide);
        for (dy, x) in dy.iter_mut().zip(wide) {
            *dy *= gelu_slope(x);
        }
    });
}

/// Turns the queries and keys of joint rows to their positions, or back.
pub fn turn(joint: &mut [f32], shape: HeadShape, rope: &RopeTables, positions: &[u32], back: bool) {
    let turned = shape.query_width() + shape.kv_width();
    parallel::rows(joint, shape.joint_width(), |row, values| {
        let (cos, sin) = rope.at(positions[row] as usize);
        let mut turned_back = [0.0f32; 256];
        let sin = if back {
            let negative = &mut turned_back[..sin.len()];
            negative
                .iter_mut()
                .zip(sin)
                .for_each(|(out, sin)| *out = -sin);
            negative
        } else {
            sin
        };
        for head in values[..turned].chunks_exact_mut(shape.head_dim) {
            rotate(head, cos, sin);
        }
    });
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn noise(count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| ((i * 2_654_435_761) % 1999) as f32 / 600.0 - 1.5)
            .collect()
    }

    /// The slope of `loss` at each of `at`, by differences.
    pub fn slopes(values: &[f32], at: &[usize], loss: impl Fn(&[f32]) -> f64) -> Vec<f64> {
        let step = 1e-2f32;
        at.iter()
            .map(|at| {
                let side = |step: f32| {
                    let mut moved = values.to_vec();
                    moved[*at] += step;
                    loss(&moved)
                };
                (side(step) - side(-step)) / (2.0 * f64::from(step))
            })
            .collect()
    }

    pub fn weighed(values: &Kept, by: &[f32]) -> f64 {
        let mut wide = vec![0.0; by.len()];
        values.values().widen(0, &mut wide);
        wide.iter()
            .zip(by)
            .map(|(v, b)| f64::from(*v) * f64::from(*b))
            .sum()
    }

    #[test]
    fn pieces_hold_rows_of_one_sequence() {
        assert_eq!(
            pieces(&[3, 0, ROWS + 1]),
            [0..3, 3..3 + ROWS, 3 + ROWS..4 + ROWS]
        );
    }

    #[test]
    fn activations_have_their_gradients() {
        let pool = Arc::new(Pool::default());
        let width = 20;
        let (joint, dy) = (noise(6 * width), noise(3 * width + 9)[9..].to_vec());
        let at = [0, 19, 20, 61, 119];
        let gated = |joint: &[f32]| weighed(&gated_silu(&pool, Precision::F32, joint, width), &dy);
        let mut kept = pool.take::<f32>(joint.len());
        kept.copy_from_slice(&joint);
        let found = gated_silu_backward(&pool, &Kept::Full(kept), &dy, width);
        for (at, slope) in at.iter().zip(slopes(&joint, &at, gated)) {
            let mut one = [0.0];
            found.values().widen(*at, &mut one);
            assert!(
                (f64::from(one[0]) - slope).abs() < 1e-3,
                "{at}: {one:?} {slope}"
            );
        }
        let x = &joint[..dy.len()];
        let plain = |x: &[f32]| weighed(&gelu(&pool, Precision::F32, x), &dy);
        let mut found = dy.clone();
        gelu_backward(Values::Full(x), &mut found);
        for (at, slope) in [0, 7, 59].iter().zip(slopes(x, &[0, 7, 59], plain)) {
            assert!((f64::from(found[*at]) - slope).abs() < 1e-3, "{at}");
        }
    }
}
