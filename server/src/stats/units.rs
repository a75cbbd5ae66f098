//! Whether units were shared out as the arms' shares say.

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::function::gamma::ln_gamma;

/// Counts of units by arm, and the evidence against the shares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RatioCheck {
    /// Units that each arm got.
    pub units: BTreeMap<String, u64>,
    /// Units that each arm should have got.
    pub expected: BTreeMap<String, f64>,
    /// How much likelier the counts are under other shares, averaged over such; looked at as often
    /// as one likes it exceeds 1,000 with a chance of at most 0.001 where the shares hold.
    pub evidence: f64,
}

impl RatioCheck {
    /// Whether something is wrong with the assignment: then no figure of the comparison counts.
    pub fn is_off(&self) -> bool {
        self.evidence >= 1000.0
    }
}

/// How far other shares are looked for: the prior's weight in units.
const PRIOR: f64 = 50.0;

/// Holds counts against shares, 0 to 1 with a sum of 1: the likelihood ratio of counts whose shares
/// are drawn from a Dirichlet distribution around those to be tested (Lindon and Malek,
/// Anytime-valid inference for multinomial count data, NeurIPS 2022).
pub fn ratio_check(units: BTreeMap<String, u64>, shares: &BTreeMap<String, f64>) -> RatioCheck {
    let all: u64 = units.values().sum();
    let mut log = ln_gamma(PRIOR) - ln_gamma(PRIOR + all as f64);
    for (arm, share) in shares.iter().filter(|(_, share)| **share > 0.0) {
        let count = units.get(arm).copied().unwrap_or(0) as f64;
        let prior = PRIOR * share;
        log += ln_gamma(prior + count) - ln_gamma(prior) - count * share.ln();
    }
    // A unit in an arm without a share cannot be.
    let impossible = units
        .iter()
        .any(|(arm, count)| *count > 0 && shares.get(arm).is_none_or(|share| *share <= 0.0));
    RatioCheck {
        expected: shares
            .iter()
            .map(|(arm, share)| (arm.clone(), share * all as f64))
            .collect(),
        units,
        evidence: if impossible { f64::INFINITY } else { log.exp() },
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn check(base: u64, candidate: u64, share: f64) -> RatioCheck {
        let named = |a, b| [("base".to_owned(), a), ("candidate".to_owned(), b)].into();
        let units = [
            ("base".to_owned(), base),
            ("candidate".to_owned(), candidate),
        ]
        .into();
        ratio_check(units, &named(1.0 - share, share))
    }

    #[test]
    fn shares_that_hold_raise_no_alarm_and_others_do() {
        assert!(!check(0, 0, 0.3).is_off());
        assert!(!check(70, 30, 0.3).is_off());
        assert!(!check(7040, 2960, 0.3).is_off());
        assert!(check(6000, 4000, 0.3).is_off());
        assert!(check(150, 50, 0.5).is_off());
        assert!(check(10, 1, 0.0).is_off(), "an arm without a share");
    }

    /// Looked at after each unit, 2,000 times.
    #[test]
    fn false_alarms_are_as_rare_as_promised() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut alarms = 0;
        for _ in 0..400 {
            let mut candidate = 0;
            let ever = (1..=2000u64).any(|all| {
                candidate += u64::from(random.random::<f64>() < 0.3);
                all % 20 == 0 && check(all - candidate, candidate, 0.3).is_off()
            });
            alarms += u32::from(ever);
        }
        assert!(alarms <= 2, "{alarms} of 400");
    }
}
