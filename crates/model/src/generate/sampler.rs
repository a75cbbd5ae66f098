//! Drawing a token from logits.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::kernels::elementwise::exp;
use crate::tokens::TokenId;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0 draws the likeliest token; the lowest id wins a tie.
    pub temperature: f32,
    /// Only the likeliest tokens whose probabilities sum to this are drawn from; 1 keeps all.
    pub top_p: f32,
    /// The same seed, prompt and weights give the same text.
    pub seed: u64,
}

impl Sampling {
    /// The likeliest token, always.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_p: 1.0,
        seed: 0,
    };
}

/// Draws tokens; keeps its random state between them.
pub struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
}

impl Sampler {
    /// A sampler at the start of its random stream.
    pub fn new(sampling: Sampling) -> Self {
        Self {
            sampling,
            random: ChaCha8Rng::seed_from_u64(sampling.seed),
        }
    }

    /// A token and the logarithm of its probability at temperature 1, within 1e-5. `None` where the
    /// logits hold NaN or positive infinity, or nothing finite.
    pub fn draw(&mut self, logits: &[f32]) -> Option<(TokenId, f32)> {
        let peak = peak(logits)?;
        let token = if self.sampling.temperature <= 0.0 {
            peak.token
        } else {
            self.sample(logits, peak.logit)
        };
        let above = f64::from(logits[token]) - f64::from(peak.logit);
        Some((TokenId(token as u32), (above - peak.log_total) as f32))
    }

    fn sample(&mut self, logits: &[f32], largest: f32) -> usize {
        let temperature = self.sampling.temperature;
        // A token this far below the best has no chance that a draw could show.
        let floor = largest - 20.0 * temperature;
        let mut candidates: Vec<(usize, f32)> = logits
            .iter()
            .enumerate()
            .filter(|(_, logit)| **logit >= floor)
            .map(|(token, logit)| (token, ((logit - largest) / temperature).exp()))
            .collect();
        candidates.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let total: f32 = candidates.iter().map(|(_, weight)| weight).sum();
        let mut kept = 0.0;
        let nucleus = candidates
            .iter()
            .position(|(_, weight)| {
                kept += weight;
                kept >= self.sampling.top_p * total
            })
            .map_or(candidates.len(), |last| last + 1);
        let nucleus = &candidates[..nucleus];
        let mut left = self.random.random::<f32>() * nucleus.iter().map(|(_, w)| w).sum::<f32>();
        for (token, weight) in nucleus {
            left -= weight;
            if left < 0.0 {
                return *token;
            }
        }
        nucleus.last().map_or(0, |(token, _)| *token)
    }
}

/// What one pass over the logits finds.
struct Peak {
    /// The likeliest token, the lowest id of equals.
    token: usize,
    /// Its logit.
    logit: f32,
    /// The logarithm of the sum over all tokens of `exp(logit - largest)`.
    log_total: f64,
}

/// Logits that are looked at together: they stay in the first cache between the two looks.
const RUN: usize = 1024;
/// Sums side by side, as many as the widest registers hold.
const LANES: usize = 16;

/// `None` where the logits hold NaN or positive infinity, or nothing finite.
fn peak(logits: &[f32]) -> Option<Peak> {
    let (mut largest, mut start, mut total) = (f32::NEG_INFINITY, 0, 0.0f64);
    for (index, run) in logits.chunks(RUN).enumerate() {
        let top = largest_of(run);
        if top > largest {
            // What was summed so far was relative to a smaller one.
            total *= (f64::from(largest) - f64::from(top)).exp();
            (largest, start) = (top, index * RUN);
        }
        if largest == f32::NEG_INFINITY {
            if run.iter().any(|logit| logit.is_nan()) {
                return None;
            }
            continue;
        }
        total += sum_of_exp(run, largest);
    }
    // NaN passes into the sum.
    if !largest.is_finite() || total.is_nan() {
        return None;
    }
    let at = logits[start..].iter().position(|logit| *logit == largest)?;
    Some(Peak {
        token: start + at,
        logit: largest,
        log_total: total.ln(),
    })
}

/// The largest that is not NaN, else minus infinity.
fn largest_of(run: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = run.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, logit) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *logit);
        }
    }
    lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, larger)
}

/// `sum of exp(logit - largest)`. A lane adds no more than 64 numbers below 1, so `f32` is enough.
fn sum_of_exp(run: &[f32], largest: f32) -> f64 {
    let mut powers = [0.0f32; RUN];
    let powers = &mut powers[..run.len()];
    for (power, logit) in powers.iter_mut().zip(run) {
        *power = exp(logit - largest);
    }
    let (chunks, rest) = powers.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for chunk in chunks {
        for (lane, power) in lanes.iter_mut().zip(chunk) {
            *lane += power;
        }
    }
    lanes.iter().chain(rest).map(|sum| f64::from(*sum)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(temperature: f32, top_p: f32, seed: u64) -> Sampler {
        Sampler::new(Sampling {
            temperature,
            top_p,
            seed,
        })
    }

    #[test]
    fn greedy_takes_the_first_of_equals() {
        let (token, log_probability) = sampler(0.0, 1.0, 0)
            .draw(&[0.0, 2.0, 2.0, -1.0])
            .expect("finite");
        assert_eq!(token, TokenId(1));
        let total: f32 = [0.0f32, 2.0, 2.0, -1.0].iter().map(|x| x.exp()).sum();
        assert!((log_probability - (2.0 - total.ln())).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for (at, value) in [
            (0, f32::NAN),
            (1, f32::INFINITY),
            (2999, f32::NAN),
            (17, f32::NAN),
        ] {
            for others in [0.5, f32::NEG_INFINITY] {
                let mut logits = vec![others; 3000];
                logits[at] = value;
                assert_eq!(
                    sampler(0.0, 1.0, 0).draw(&logits),
                    None,
                    "{at} {value} {others}"
                );
            }
        }
        assert_eq!(sampler(0.0, 1.0, 0).draw(&[f32::NEG_INFINITY; 2]), None);
        assert_eq!(sampler(0.0, 1.0, 0).draw(&[]), None);
    }

    /// Vocabularies of any size, flat and steep, the peak in any run.
    #[test]
    fn log_probabilities_are_within_1e_5_of_the_exact_ones() {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        for size in [1, 15, 16, 1023, 1024, 1025, 49_152, 151_936] {
            for spread in [0.0f32, 1.0, 12.0, 80.0] {
                let mut logits: Vec<f32> = (0..size)
                    .map(|_| (random.random::<f32>() - 0.5) * spread)
                    .collect();
                if size > 2 {
                    logits[size / 2] = f32::NEG_INFINITY;
                }
                let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let first = logits.iter().position(|logit| *logit == largest);
                let total: f64 = logits
                    .iter()
                    .map(|logit| (f64::from(*logit) - f64::from(largest)).exp())
                    .sum();
                let (token, found) = sampler(0.0, 1.0, 0).draw(&logits).expect("finite");
                assert_eq!(Some(token.0 as usize), first, "{size} {spread}");
                let gap = (f64::from(found) + total.ln()).abs();
                assert!(gap < 1e-5, "{size} {spread}: {gap}");
            }
        }
    }

    #[test]
    fn draws_follow_the_distribution_and_the_seed() {
        let logits = [1.0f32, 0.0, -1.0, f32::NEG_INFINITY];
        let draw = |seed, top_p| {
            let mut sampler = sampler(1.0, top_p, seed);
            (0..20_000)
                .map(|_| sampler.draw(&logits).expect("finite").0.0)
                .collect::<Vec<_>>()
        };
        let tokens = draw(7, 1.0);
        assert_eq!(tokens, draw(7, 1.0));
        assert_ne!(tokens, draw(8, 1.0));
        let share = |id| tokens.iter().filter(|t| **t == id).count() as f64 / 20_000.0;
        let total = 1f64.exp() + 1.0 + (-1f64).exp();
        // Four standard errors of a share of 20,000 draws are below 0.015.
        assert!((share(0) - 1f64.exp() / total).abs() < 0.015);
        assert!((share(2) - (-1f64).exp() / total).abs() < 0.015);
        assert_eq!(share(3), 0.0);
        // 0.665 and 0.245: the two likeliest reach 0.9, the third never comes.
        assert!(draw(9, 0.9).iter().all(|token| *token < 2));
    }
}
