//! How far one model's next-token distribution is from another's.

use anyhow::{Result, ensure};
use truefill_model::decoder::Decoder;
use truefill_model::tokens::TokenId;

/// Positions whose logits are held at a time.
const AT_ONCE: usize = 32;

/// Figures over all positions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Divergence {
    /// Positions compared.
    pub positions: u64,
    /// Kullback–Leibler divergence of the other from the reference, in nats, summed.
    sum: f64,
    /// The largest.
    pub largest: f64,
    /// Positions whose likeliest token is the same.
    pub same: u64,
}

impl Divergence {
    /// The mean over positions, in nats.
    pub fn mean(&self) -> Option<f64> {
        (self.positions > 0).then(|| self.sum / self.positions as f64)
    }

    /// The share of positions with the same likeliest token.
    pub fn agreement(&self) -> Option<f64> {
        (self.positions > 0).then(|| self.same as f64 / self.positions as f64)
    }

    fn add(&mut self, reference: &[f32], other: &[f32]) {
        let (p, q) = (log_softmax(reference), log_softmax(other));
        let nats: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
        // Rounding can bring equal distributions a hair below 0; `max` would make 0 of NaN, too.
        let nats = if nats < 0.0 { 0.0 } else { nats };
        self.positions += 1;
        self.sum += nats;
        self.largest = self.largest.max(nats);
        self.same += u64::from(likeliest(reference) == likeliest(other));
    }
}

/// Compares `other` with `reference` at every position of the sequences.
///
/// # Errors
/// What the models report; logits that are not finite.
pub fn divergence(
    reference: &Decoder,
    other: &Decoder,
    sequences: &[Vec<TokenId>],
) -> Result<Divergence> {
    let mut found = Divergence::default();
    let vocabulary = reference.config().vocabulary;
    for tokens in sequences {
        let mut caches = [reference.cache(tokens.len())?, other.cache(tokens.len())?];
        for piece in tokens.chunks(AT_ONCE) {
            let wanted: Vec<usize> = (0..piece.len()).collect();
            let first = reference.forward(&mut caches[0], piece, &wanted, &|| false)?;
            let second = other.forward(&mut caches[1], piece, &wanted, &|| false)?;
            for (a, b) in first.chunks(vocabulary).zip(second.chunks(vocabulary)) {
                found.add(a, b);
            }
        }
    }
    ensure!(
        found.sum.is_finite(),
        truefill_model::error::ModelError::NotFinite
    );
    Ok(found)
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = || logits.iter().map(|logit| f64::from(logit - largest));
    let log_sum = shifted().map(f64::exp).sum::<f64>().ln();
    shifted().map(|logit| logit - log_sum).collect()
}

/// The place of the largest; of equal ones the first.
pub fn likeliest(logits: &[f32]) -> Option<usize> {
    let places = logits.iter().enumerate();
    let best = places.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_distributions_that_can_be_worked_out_by_hand() {
        let mut found = Divergence::default();
        let ln3 = 3f32.ln();
        // 1/4 and 3/4 against 1/2 and 1/2.
        found.add(&[0.0, ln3], &[7.0, 7.0]);
        let expected = 0.25 * 0.5f64.ln() + 0.75 * 1.5f64.ln();
        assert!((found.mean().expect("one") - expected).abs() < 1e-6);
        found.add(&[0.0, ln3], &[1.0, 1.0 + ln3]);
        assert!((found.mean().expect("two") - expected / 2.0).abs() < 1e-6);
        assert_eq!((found.positions, found.same), (2, 1));
        assert!((found.largest - expected).abs() < 1e-6);
        assert_eq!(Divergence::default().mean(), None);
        found.add(&[0.0, ln3], &[0.0, f32::NAN]);
        assert!(found.mean().expect("three").is_nan());
    }
}
