//! Intervals that hold at all times together: one may look every day and stop when one likes.
//!
//! The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
//! (Time-uniform central limit theory and asymptotic confidence sequences, Annals of Statistics
//! 2024, theorem 2.2): with the standard error `e` of a mean of `t` units,
//!
//! ```text
//! mean ± e · sqrt( 2 (t ρ² + 1) / (t ρ²) · ln( sqrt(t ρ² + 1) / α ) )
//! ```
//!
//! covers the truth at all `t` at once with a probability that tends to `1 − α`. `ρ` says at which
//! `t` it is narrowest.

/// A chance of error and the number of units at which the interval is to be narrowest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequence {
    /// Chance that the interval ever misses, 0 to 1.
    pub alpha: f64,
    /// Units at which it is narrowest.
    pub tuned_for: f64,
}

impl Sequence {
    fn rho_squared(self) -> f64 {
        let twice = -2.0 * self.alpha.ln();
        (twice + (twice + 1.0).ln()) / self.tuned_for
    }
}

/// Half of the interval's width for a standard error of so many units.
pub fn half_width(sequence: Sequence, units: f64, error: f64) -> f64 {
    let scaled = units * sequence.rho_squared();
    let inside = 2.0 * (scaled + 1.0) / scaled;
    error * (inside * ((scaled + 1.0).sqrt() / sequence.alpha).ln()).sqrt()
}

/// How sure it is that a difference is none of chance, looked at as often as one likes: one minus
/// the smallest `alpha` whose interval leaves out 0.
pub fn confidence(sequence: Sequence, units: f64, difference: f64, error: f64) -> f64 {
    if error <= 0.0 || units <= 0.0 {
        return 0.0;
    }
    let scaled = units * sequence.rho_squared();
    let square = (difference / error).powi(2);
    let chance = (scaled + 1.0).sqrt() * (-square * scaled / (2.0 * (scaled + 1.0))).exp();
    1.0 - chance.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Sequence = Sequence {
        alpha: 0.05,
        tuned_for: 400.0,
    };

    #[test]
    fn it_is_wider_than_an_interval_for_one_look_and_narrows() {
        let relative = |units: f64| half_width(FIVE, units, 1.0 / units.sqrt()) * units.sqrt();
        assert!((2.8..3.2).contains(&relative(400.0)), "{}", relative(400.0));
        assert!(relative(20.0) > relative(100.0) && relative(100.0) > relative(400.0));
        assert!(
            relative(40_000.0) > relative(400.0),
            "it grows again, slowly"
        );
        let mut last = f64::INFINITY;
        for units in [10.0, 100.0, 1000.0, 10_000.0] {
            let width = half_width(FIVE, units, 1.0 / f64::sqrt(units));
            assert!(width < last);
            last = width;
        }
    }

    #[test]
    fn the_confidence_is_that_of_the_interval_that_ends_at_zero() {
        for units in [50.0, 400.0, 3000.0] {
            let error = 0.3 / f64::sqrt(units);
            let edge = half_width(FIVE, units, error);
            let sure = confidence(FIVE, units, edge, error);
            assert!((sure - 0.95).abs() < 1e-9, "{units}: {sure}");
            assert!(confidence(FIVE, units, 1.2 * edge, error) > 0.95);
        }
        assert_eq!(confidence(FIVE, 400.0, 0.0, 1.0), 0.0);
        assert_eq!(confidence(FIVE, 400.0, 1.0, 0.0), 0.0);
    }
}
