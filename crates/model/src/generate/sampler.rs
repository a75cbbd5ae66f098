//! Drawing a token from logits.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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

    /// A token and the logarithm of its probability at temperature 1. `None` where the logits
    /// hold NaN or positive infinity, or nothing finite.
    pub fn draw(&mut self, logits: &[f32]) -> Option<(TokenId, f32)> {
        let (best, largest) = largest(logits)?;
        let token = if self.sampling.temperature <= 0.0 {
            best
        } else {
            self.sample(logits, largest)
        };
        let total: f64 = logits
            .iter()
            .map(|logit| f64::from(logit - largest).exp())
            .sum();
        let log_probability = f64::from(logits[token] - largest) - total.ln();
        Some((TokenId(token as u32), log_probability as f32))
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

/// The largest logit and its lowest index.
fn largest(logits: &[f32]) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (token, &logit) in logits.iter().enumerate() {
        if logit.is_nan() || logit == f32::INFINITY {
            return None;
        }
        if best.is_none_or(|(_, largest)| logit > largest) {
            best = Some((token, logit));
        }
    }
    best.filter(|(_, logit)| logit.is_finite())
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
        for logits in [
            [0.0, f32::NAN],
            [f32::INFINITY, 0.0],
            [f32::NEG_INFINITY; 2],
        ] {
            assert_eq!(sampler(0.0, 1.0, 0).draw(&logits), None);
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
