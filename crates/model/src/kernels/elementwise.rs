//! Norms, activations and rotary positions on rows of `f32`.

use super::{fused, parallel};

/// `exp(x)` within 2 units in the last place, written so that the compiler vectorises it.
///
/// Below -86.9 it gives 0 (the result would be nearly denormal), above 88.73 infinity; NaN stays
/// NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -86.9;
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts: the first has trailing zeros, so the product with a small integer is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Added to a number of its low bits' size, this leaves the nearest whole number there: neither
    // rounding nor conversion to an integer, which the compiler does not vectorise.
    const WHOLE: f32 = 12_582_912.0;
    let clamped = x.clamp(LOWEST, 88.73);
    let shifted = fused(clamped, LOG2_E, WHOLE);
    let power = shifted - WHOLE;
    let rest = fused(power, -LN2_LOW, fused(power, -LN2_HIGH, clamped));
    let mut series = fused(1.987_569_1e-4, rest, 1.398_2e-3);
    series = fused(series, rest, 8.333_452e-3);
    series = fused(series, rest, 4.166_579_6e-2);
    series = fused(series, rest, 1.666_666_5e-1);
    series = fused(series, rest, 0.5);
    let value = fused(series * rest, rest, rest) + 1.0;
    // `power` lies in -125..=128 after the clamp. The largest power of two is no `f32`, so one
    // factor of two comes last. NaN gives any scale, and stays NaN in the product.
    let scale = f32::from_bits(shifted.to_bits().wrapping_add(126) << 23);
    if x < LOWEST { 0.0 } else { value * scale * 2.0 }
}

/// `x / (1 + exp(-x))`.
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// `out[t, i] = silu(gate) * up` where a row of `joint`, `[rows, 2 * width]`, holds the gate's
/// values and then up's.
pub fn gated_silu(joint: &[f32], width: usize, out: &mut [f32]) {
    parallel::rows(out, width, |index, out| {
        let (gate, up) = joint[index * 2 * width..][..2 * width].split_at(width);
        for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
            *out = silu(*gate) * up;
        }
    });
}

const ROOT_2_OVER_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

/// `(1 - tanh(y)) / 2 = 1 / (exp(2y) + 1)` of GELU's `y = sqrt(2/pi) (x + 0.044715 x^3)`.
#[inline(always)]
fn gelu_rest(x: f32) -> f32 {
    let inner = ROOT_2_OVER_PI * (x + CUBIC * x * x * x);
    1.0 / (exp(2.0 * inner) + 1.0)
}

/// GELU in its tanh form: `x/2 * (1 + tanh(y))`.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    x * (1.0 - gelu_rest(x))
}

/// The slope of [`gelu`]: `(1 + tanh(y)) / 2 + x/2 * (1 - tanh(y)^2) * y'`.
#[inline(always)]
pub(crate) fn gelu_slope(x: f32) -> f32 {
    let rest = gelu_rest(x);
    let inner_slope = ROOT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
    (1.0 - rest) * (1.0 + 2.0 * x * rest * inner_slope)
}

/// [`gelu`] of every value, in place.
pub fn gelu_tanh(values: &mut [f32]) {
    for x in values {
        *x = gelu(*x);
    }
}

/// `x / sqrt(mean(x^2) + epsilon) * weight`, a row at a time.
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let width = weight.len();
    for (row, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let mean = dot(row, row) / width as f32;
        let scale = 1.0 / (mean + epsilon).sqrt();
        for ((out, value), weight) in out.iter_mut().zip(row).zip(weight) {
            *out = value * scale * weight;
        }
    }
}

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias`, a row at a time.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, out: &mut [f32]) {
    let width = weight.len();
    for (row, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let mean = row.iter().sum::<f32>() / width as f32;
        for (out, value) in out.iter_mut().zip(row) {
            *out = value - mean;
        }
        let scale = 1.0 / (dot(out, out) / width as f32 + epsilon).sqrt();
        for ((out, weight), bias) in out.iter_mut().zip(weight).zip(bias) {
            *out = fused(*out * scale, *weight, *bias);
        }
    }
}

/// Sum of products, in eight lanes.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            lanes[lane] = fused(a[lane], b[lane], lanes[lane]);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Adds `b` to `a`, element by element.
pub fn add(a: &mut [f32], b: &[f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

/// Adds `bias` to every row of `x`.
pub fn add_bias(x: &mut [f32], bias: &[f32]) {
    for row in x.chunks_exact_mut(bias.len()) {
        for (value, bias) in row.iter_mut().zip(bias) {
            *value += bias;
        }
    }
}

/// Rotates one head's `[head_dim]` by its position: value `i` pairs with `i + head_dim / 2`.
/// `cos` and `sin` have `head_dim / 2` values.
#[inline(always)]
pub fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (low, high) = head.split_at_mut(cos.len());
    for ((low, high), (cos, sin)) in low.iter_mut().zip(high).zip(cos.iter().zip(sin)) {
        let (a, b) = (*low, *high);
        *low = a * cos - b * sin;
        *high = b * cos + a * sin;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_over_its_range() {
        for step in -8690..=8872 {
            let x = step as f32 / 100.0;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours - exact).abs() <= 3e-7 * exact, "{x}: {ours} {exact}");
        }
        assert_eq!(exp(-1e9), 0.0);
        assert_eq!(exp(89.0), f32::INFINITY);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn activations_match_their_definitions() {
        let inputs: Vec<f32> = (-60..60).map(|i| i as f32 / 7.0).collect();
        let mut joint = inputs.clone();
        joint.extend(inputs.iter().map(|x| x + 1.0));
        let mut out = vec![0.0; inputs.len()];
        gated_silu(&joint, inputs.len(), &mut out);
        for (x, y) in inputs.iter().zip(&out) {
            let exact = x / (1.0 + (-x).exp()) * (x + 1.0);
            assert!((y - exact).abs() <= 1e-5 * exact.abs().max(1.0), "{x}");
        }
        let mut gelu = inputs.clone();
        gelu_tanh(&mut gelu);
        for (x, y) in inputs.iter().zip(&gelu) {
            let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            let exact = 0.5 * x * (1.0 + inner.tanh());
            assert!((y - exact).abs() <= 1e-5, "{x}: {y} {exact}");
        }
    }

    #[test]
    fn norms_match_their_definitions() {
        let x = [1.0f32, -2.0, 3.0, 0.5, 0.0, 4.0];
        let (weight, bias) = ([1.0, 2.0, 0.5], [0.1, 0.0, -1.0]);
        let mut out = [0.0; 6];
        rms_norm(&x, &weight, 1e-5, &mut out);
        let scale = 1.0 / ((1.0f32 + 4.0 + 9.0) / 3.0 + 1e-5).sqrt();
        assert!((out[1] - -2.0 * scale * 2.0).abs() < 1e-6);
        layer_norm(&x, &weight, &bias, 1e-5, &mut out);
        let (mean, deviations) = (2.0f32 / 3.0, [1.0f32 / 3.0, -8.0 / 3.0, 7.0 / 3.0]);
        let variance = deviations.iter().map(|d| d * d).sum::<f32>() / 3.0;
        assert!((out[2] - ((3.0 - mean) / (variance + 1e-5).sqrt() * 0.5 - 1.0)).abs() < 1e-5);
    }
}
