//! Which arm is better, by how much, and how sure that is.

use std::collections::BTreeMap;

use serde::Serialize;

use super::funnel::Counts;
use super::requests::Request;
use super::sequence::{Sequence, confidence, half_width};
use super::units::{RatioCheck, ratio_check};

/// Chance that any interval of a comparison ever misses.
pub(super) const ALPHA: f64 = 0.05;

/// Units at which intervals are narrowest: some weeks of a few developers.
pub(super) const TUNED_FOR: f64 = 400.0;

/// Units that an arm needs before an interval is shown: with fewer the limit theorem behind it says
/// little.
pub(super) const LEAST_UNITS: u64 = 30;

const DAY_US: f64 = 86_400e6;

/// The arms that were compared last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The arms, the baseline first.
    pub arms: Vec<Arm>,
    /// Each other arm against the baseline.
    pub differences: Vec<Difference>,
    /// Whether units were shared out as they should.
    pub ratio: RatioCheck,
    /// Days from the first to the last request.
    pub days: f64,
    /// Requests from before these arms, or of other arrangements (other arms, checkpoints or shares): they
    /// are left out.
    pub left_out: u64,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// What it serves.
    pub checkpoint: String,
    /// The share of the units that it was to get.
    pub share: f64,
    /// Units with a request.
    pub units: u64,
    /// Its requests.
    pub counts: Counts,
    /// Kept characters for each eligible request.
    pub kept_per_request: Option<f64>,
    #[serde(skip)]
    spread: f64,
}

/// An arm against the baseline, in kept characters for each request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The arm.
    pub arm: String,
    /// Its figure less the baseline's.
    pub difference: f64,
    /// The interval that holds at all times together; `None` while an arm has too few units.
    pub interval: Option<[f64; 2]>,
    /// How sure it is that this is none of chance, 0 to 1.
    pub confidence: Option<f64>,
    /// Days, at the rate so far, until a difference of this size would be told apart; `None` where it
    /// is, or where it would take more than a year.
    pub days_left: Option<f64>,
    /// Units that an arm has and how many it needs at least.
    pub units: [u64; 2],
}

/// Compares the arms of the newest assignment; `baseline` names the first arm where it is known.
/// `None` where nothing was assigned to more than one arm.
pub fn compare(requests: &[Request], baseline: Option<&str>) -> Option<Comparison> {
    let newest = requests.iter().rev().find(|it| it.shares.len() > 1)?;
    let shares = &newest.shares;
    let meant = |it: &&Request| it.shares == *shares && it.comparison == newest.comparison;
    let meant: Vec<&Request> = requests.iter().filter(meant).collect();
    let left_out = (requests.len() - meant.len()) as u64;
    let mut arms: Vec<Arm> = shares
        .iter()
        .map(|(name, share)| Arm::of(name, *share, &meant))
        .collect();
    let first = arms.iter().position(|arm| Some(&*arm.name) == baseline);
    let largest = || {
        let by_share = |a: &&Arm, b: &&Arm| a.share.total_cmp(&b.share).then(b.name.cmp(&a.name));
        let largest = arms.iter().max_by(by_share).map(|arm| arm.name.clone());
        arms.iter()
            .position(|arm| Some(&arm.name) == largest.as_ref())
    };
    let first = first.or_else(largest)?;
    let baseline = arms.remove(first);
    arms.insert(0, baseline);
    let (from, to) = (meant.first()?.at.0, meant.last()?.at.0);
    let days = (to - from) as f64 / DAY_US;
    let others = arms.len() - 1;
    let (base, rest) = arms.split_first()?;
    let differences = rest
        .iter()
        .map(|arm| Difference::of(base, arm, others, days));
    let differences = differences.collect();
    let units = arms
        .iter()
        .map(|arm| (arm.name.clone(), arm.units))
        .collect();
    Some(Comparison {
        ratio: ratio_check(units, shares),
        differences,
        arms,
        days,
        left_out,
    })
}

impl Arm {
    fn of(name: &str, share: f64, requests: &[&Request]) -> Self {
        let own = || requests.iter().copied().filter(|it| it.arm == name);
        let mut units = BTreeMap::<&str, (f64, f64)>::new();
        for request in own() {
            let unit = request.unit.as_deref().unwrap_or_default();
            let (asked, kept) = units.entry(unit).or_default();
            *asked += request.eligible as f64;
            *kept += request.kept_chars as f64;
        }
        let counts = Counts::of(own());
        let kept_per_request = counts.kept_per_request();
        let units: Vec<(f64, f64)> = units.into_values().collect();
        Self {
            name: name.to_owned(),
            checkpoint: own()
                .next_back()
                .map(|it| it.checkpoint.clone())
                .unwrap_or_default(),
            share,
            units: units.len() as u64,
            spread: spread(&units, kept_per_request.unwrap_or(0.0)),
            counts,
            kept_per_request,
        }
    }
}

/// The variance of a ratio of sums over units, linearised: of `(kept − ratio · asked) / mean(asked)`,
/// divided by the number of units.
pub(super) fn spread(units: &[(f64, f64)], ratio: f64) -> f64 {
    let count = units.len() as f64;
    if count < 2.0 {
        return f64::INFINITY;
    }
    let mean = units.iter().map(|(asked, _)| asked).sum::<f64>() / count;
    let squares = units
        .iter()
        .map(|(asked, kept)| ((kept - ratio * asked) / mean).powi(2));
    squares.sum::<f64>() / (count - 1.0) / count
}

impl Difference {
    fn of(base: &Arm, arm: &Arm, others: usize, days: f64) -> Self {
        let value = |arm: &Arm| arm.kept_per_request.unwrap_or(0.0);
        let difference = value(arm) - value(base);
        let error = (base.spread + arm.spread).sqrt();
        let units = (base.units + arm.units) as f64;
        let sequence = Sequence {
            alpha: ALPHA / others as f64,
            tuned_for: TUNED_FOR,
        };
        let least = base.units.min(arm.units);
        let enough = least >= LEAST_UNITS && error.is_finite();
        let half = half_width(sequence, units, error);
        let told = enough && difference.abs() > half;
        let left = enough && !told && difference != 0.0;
        Self {
            arm: arm.name.clone(),
            difference,
            interval: enough.then_some([difference - half, difference + half]),
            confidence: enough.then(|| confidence(sequence, units, difference, error)),
            days_left: left
                .then(|| days_until(sequence, units, difference, error, days))
                .flatten(),
            units: [least, LEAST_UNITS],
        }
    }
}

/// With the variance as it is and units coming as they do.
fn days_until(
    sequence: Sequence,
    units: f64,
    difference: f64,
    error: f64,
    days: f64,
) -> Option<f64> {
    let rate = units / days.max(1.0);
    let mut later = 1.0;
    while later <= 365.0 {
        let then = units + rate * later;
        let error = error * (units / then).sqrt();
        if half_width(sequence, then, error) < difference.abs() {
            return Some(later);
        }
        later *= 1.1;
    }
    None
}

#[cfg(test)]
mod tests;
