//! The optimiser's pass over a parameter.

use super::elementwise::each_element;
use crate::kernels::parallel::{self, SharedSlice};

/// The step of AdamW and its settings, as in torch.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Learning rate over the first moment's bias correction.
    pub rate: f32,
    /// `1 - learning rate * weight decay`.
    pub decay: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Square root of the second moment's bias correction.
    pub correction: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Factor on the gradient: clipping.
    pub scale: f32,
}

/// Updates values and moments by one step, and begins a new sum of gradients.
pub fn adam(
    values: &mut [f32],
    gradient: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
    step: AdamStep,
) {
    let all = [gradient, first, second].map(SharedSlice::new);
    each_element(values, |range, values| {
        // SAFETY: pieces are disjoint.
        let [gradient, first, second] = [0, 1, 2].map(|i| unsafe { all[i].slice(range.clone()) });
        let len = values.len();
        let (values, gradient) = (&mut values[..len], &mut gradient[..len]);
        let (first, second) = (&mut first[..len], &mut second[..len]);
        for i in 0..len {
            let g = gradient[i] * step.scale;
            first[i] += (g - first[i]) * (1.0 - step.beta1);
            second[i] = second[i] * step.beta2 + (1.0 - step.beta2) * g * g;
            let denominator = second[i].sqrt() / step.correction + step.epsilon;
            values[i] = values[i] * step.decay - step.rate * (first[i] / denominator);
        }
        gradient.fill(0.0);
    });
}

/// The sum of squares, in `f64`, in an order that the length alone decides.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    const PIECE: usize = 1 << 14;
    let mut partial = vec![0.0f64; values.len().div_ceil(PIECE)];
    let shared = SharedSlice::new(&mut partial);
    parallel::each(values.len().div_ceil(PIECE), |piece| {
        let values = &values[piece * PIECE..values.len().min((piece + 1) * PIECE)];
        let mut lanes = [0.0f64; 8];
        for chunk in values.chunks(8) {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += f64::from(*value) * f64::from(*value);
            }
        }
        // SAFETY: pieces are disjoint.
        let partial = unsafe { shared.slice(piece..piece + 1) };
        partial[0] = lanes.iter().sum();
    });
    partial.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::super::elementwise::tests::noise;
    use super::*;

    #[test]
    fn squares_are_summed_whole() {
        let values = noise(40_001);
        let exact: f64 = values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
        assert!((sum_of_squares(&values) - exact).abs() < 1e-9 * exact);
        assert!(sum_of_squares(&[1.0, f32::NAN]).is_nan());
    }
}
