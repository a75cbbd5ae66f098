//! RMS and layer norms over many rows, with their backward pass.

use std::ops::Range;
use std::sync::Arc;

use half::bf16;

use super::buffer::{Kept, Pool};
use super::elementwise::{Stored, each_piece};
use super::panels::Precision;
use crate::kernels::elementwise::dot;
use crate::kernels::parallel::{self, SharedSlice};

/// A norm's parameters; a bias makes it a layer norm, else it divides by the root mean square.
#[derive(Clone, Copy)]
pub struct NormParameters<'a> {
    /// `[width]`.
    pub weight: &'a [f32],
    /// `[width]`.
    pub bias: Option<&'a [f32]>,
    /// Added to the mean square or variance.
    pub epsilon: f32,
}

/// Mean and inverse deviation of a row.
fn moments(row: &[f32], norm: &NormParameters<'_>) -> (f32, f32) {
    let width = row.len() as f32;
    let mean = match norm.bias {
        None => 0.0,
        Some(_) => row.iter().sum::<f32>() / width,
    };
    let square = match norm.bias {
        None => dot(row, row),
        Some(_) => row.iter().map(|x| (x - mean) * (x - mean)).sum(),
    };
    (mean, 1.0 / (square / width + norm.epsilon).sqrt())
}

/// The norm of every row.
pub fn norm(pool: &Arc<Pool>, precision: Precision, x: &[f32], norm: NormParameters<'_>) -> Kept {
    match precision {
        Precision::F32 => norm_as::<f32>(pool, x, norm),
        Precision::Bf16 => norm_as::<bf16>(pool, x, norm),
    }
}

fn norm_as<T: Stored>(pool: &Arc<Pool>, x: &[f32], norm: NormParameters<'_>) -> Kept {
    let width = norm.weight.len();
    let mut out = pool.take::<T>(x.len());
    let shared = SharedSlice::new(&mut out);
    each_piece(x.len() / width, |rows| {
        let range = rows.start * width..rows.end * width;
        // SAFETY: pieces are disjoint.
        let out = unsafe { shared.slice(range.clone()) };
        for (row, out) in x[range]
            .chunks_exact(width)
            .zip(out.chunks_exact_mut(width))
        {
            let (mean, inverse) = moments(row, &norm);
            for (i, (out, x)) in out.iter_mut().zip(row).enumerate() {
                let bias = norm.bias.map_or(0.0, |bias| bias[i]);
                *out = T::put((x - mean) * inverse * norm.weight[i] + bias);
            }
        }
    });
    T::keep(out)
}

/// Gradients of a norm's parameters, added to what is there.
pub struct NormGradients<'a> {
    /// `[width]`; `None` where the weight is frozen.
    pub weight: Option<&'a mut [f32]>,
    /// `[width]`.
    pub bias: Option<&'a mut [f32]>,
}

/// Adds the gradient of a norm's input to `dx`, and those of its parameters.
pub fn norm_backward(
    pool: &Arc<Pool>,
    x: &[f32],
    dy: &[f32],
    norm: NormParameters<'_>,
    dx: &mut [f32],
    gradients: NormGradients<'_>,
    pieces: &[Range<usize>],
) {
    let width = norm.weight.len();
    let mut partial = pool.zeros::<f32>(pieces.len() * 2 * width);
    let (all_dx, all_partial) = (SharedSlice::new(dx), SharedSlice::new(&mut partial));
    parallel::each(pieces.len(), |piece| {
        let rows = &pieces[piece];
        let range = rows.start * width..rows.end * width;
        // SAFETY: pieces are disjoint.
        let (dx, partial) = unsafe {
            (
                all_dx.slice(range.clone()),
                all_partial.slice(piece * 2 * width..(piece + 1) * 2 * width),
            )
        };
        let (dw, db) = partial.split_at_mut(width);
        let rows = x[range.clone()].chunks_exact(width);
        for ((x, dy), dx) in rows
            .zip(dy[range].chunks_exact(width))
            .zip(dx.chunks_exact_mut(width))
        {
            norm_row_backward(x, dy, &norm, dx, dw, db);
        }
    });
    let sums = |offset: usize, out: &mut [f32]| {
        for piece in partial.chunks_exact(2 * width) {
            crate::kernels::elementwise::add(out, &piece[offset..offset + width]);
        }
    };
    if let Some(weight) = gradients.weight {
        sums(0, weight);
    }
    if let Some(bias) = gradients.bias {
        sums(width, bias);
    }
}

fn norm_row_backward(
    x: &[f32],
    dy: &[f32],
    norm: &NormParameters<'_>,
    dx: &mut [f32],
    dw: &mut [f32],
    db: &mut [f32],
) {
    let (mean, inverse) = moments(x, norm);
    let width = x.len();
    // With g = dy * weight and n the normed row: dx = inverse * (g - mean(g) - n * mean(g n)), the
    // first mean only where a mean was subtracted.
    let (mut along, mut level) = ([0.0f32; 8], [0.0f32; 8]);
    for i in 0..width {
        let normed = (x[i] - mean) * inverse;
        let g = dy[i] * norm.weight[i];
        along[i % 8] += g * normed;
        level[i % 8] += g;
        dw[i] += dy[i] * normed;
        db[i] += dy[i];
    }
    let along = along.iter().sum::<f32>() / width as f32;
    let level = match norm.bias {
        None => 0.0,
        Some(_) => level.iter().sum::<f32>() / width as f32,
    };
    for i in 0..width {
        let normed = (x[i] - mean) * inverse;
        dx[i] += inverse * (dy[i] * norm.weight[i] - level - normed * along);
    }
}

#[cfg(test)]
mod tests {
    use super::super::elementwise::pieces;
    use super::super::elementwise::tests::{noise, slopes, weighed};
    use super::*;

    #[test]
    fn norms_have_their_gradients() {
        let pool = Arc::new(Pool::default());
        let (width, rows) = (12, 70);
        let (x, dy) = (noise(rows * width), noise(rows * width + 5)[5..].to_vec());
        let weight: Vec<f32> = noise(width).iter().map(|w| 1.0 + 0.2 * w).collect();
        let shift = vec![0.25; width];
        for bias in [None, Some(&*shift)] {
            let with = |x: &[f32], weight: &[f32], bias: Option<&[f32]>| {
                let norm_of = NormParameters {
                    weight,
                    bias,
                    epsilon: 1e-5,
                };
                weighed(&norm(&pool, Precision::F32, x, norm_of), &dy)
            };
            let parameters = NormParameters {
                weight: &weight,
                bias,
                epsilon: 1e-5,
            };
            let (mut dx, mut dw, mut db) = (vec![1.0; x.len()], vec![0.0; width], vec![0.0; width]);
            let sinks = NormGradients {
                weight: Some(&mut dw),
                bias: Some(&mut db),
            };
            norm_backward(
                &pool,
                &x,
                &dy,
                parameters,
                &mut dx,
                sinks,
                &pieces(&[7, 63]),
            );
            let at = [0, 11, 400, 839];
            for (at, slope) in at.iter().zip(slopes(&x, &at, |x| with(x, &weight, bias))) {
                let found = f64::from(dx[*at]) - 1.0;
                assert!(
                    (found - slope).abs() < 2e-3,
                    "{bias:?} x[{at}]: {found} {slope}"
                );
            }
            for (at, slope) in [0, 7]
                .iter()
                .zip(slopes(&weight, &[0, 7], |w| with(&x, w, bias)))
            {
                assert!((f64::from(dw[*at]) - slope).abs() < 1e-2, "weight[{at}]");
            }
            if let Some(bias) = bias {
                let slope = slopes(bias, &[3], |b| with(&x, &weight, Some(b)))[0];
                assert!((f64::from(db[3]) - slope).abs() < 1e-2, "bias");
            }
        }
    }
}
