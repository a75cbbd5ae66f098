//! Stops an arm that fails, or is much slower than the one that it is compared with.
//!
//! Counted in this process since the arms were changed last. An arm is stopped where the lower end of
//! Wilson's 99 % interval of its share of failures is above the limit and above the baseline's share (a
//! machine on which everything fails is not the arm's fault), or where its median latency is more than so many
//! times the baseline's, each of at least [`LEAST`] requests. It is looked at after every request, so that a
//! share right at the limit crosses it sooner or later: a guardrail is no test.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::engine::lineup::Lineup;

/// Requests of an arm before anything is said of it.
const LEAST: usize = 50;

/// Latencies of an arm that are remembered.
const REMEMBERED: usize = 200;

/// The normal distribution's 99.5 % point.
const Z: f64 = 2.575_829_303_548_901;

/// What an arm may not do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Share of requests that may fail, 0 to 1.
    pub failures: f64,
    /// How many times the baseline's median latency its own may be.
    pub slowdown: f64,
}

/// What became of a request, as far as an arm is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fared {
    /// The engine answered, in this time.
    Answered(Duration),
    /// The engine failed, or had not answered in time.
    Failed,
}

#[derive(Debug, Default)]
struct Record {
    requests: usize,
    failures: usize,
    latencies: VecDeque<Duration>,
}

#[derive(Debug, Default)]
struct Records {
    generation: u64,
    arms: BTreeMap<String, Record>,
}

/// Counts of all arms.
#[derive(Debug, Default)]
pub struct Guardrail {
    records: Mutex<Records>,
}

impl Guardrail {
    /// Takes note of a request of an arm; says why the arm is to be stopped, where it is. It is said
    /// once.
    pub fn note(&self, lineup: &Lineup, arm: &str, fared: Fared, limits: Limits) -> Option<String> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.generation != lineup.generation {
            *records = Records {
                generation: lineup.generation,
                ..Records::default()
            };
        }
        let record = records.arms.entry(arm.to_owned()).or_default();
        record.requests += 1;
        match fared {
            Fared::Failed => record.failures += 1,
            Fared::Answered(took) => {
                if record.latencies.len() == REMEMBERED {
                    record.latencies.pop_front();
                }
                record.latencies.push_back(took);
            }
        }
        let first = &*lineup.first().name;
        if arm == first || records.arms[arm].requests < LEAST {
            return None;
        }
        let reason = judged(&records.arms[arm], records.arms.get(first), limits)?;
        // The store is changed by another thread; until then nothing more is said.
        records.arms.remove(arm);
        Some(reason)
    }
}

fn judged(arm: &Record, first: Option<&Record>, limits: Limits) -> Option<String> {
    let low = least_share(arm.failures, arm.requests);
    let base = first.map_or(0.0, |base| {
        base.failures as f64 / base.requests.max(1) as f64
    });
    if low > limits.failures.max(base) {
        return Some(format!(
            "{} of its {} requests failed",
            arm.failures, arm.requests
        ));
    }
    let (own, base) = (median(arm)?, median(first?)?);
    let most = base.mul_f64(limits.slowdown);
    (own > most).then(|| {
        format!(
            "it takes {} ms where the baseline takes {} ms",
            own.as_millis(),
            base.as_millis()
        )
    })
}

/// The lower end of Wilson's interval.
fn least_share(part: usize, of: usize) -> f64 {
    let (share, of) = (part as f64 / of as f64, of as f64);
    let square = Z * Z / of;
    let half = Z * (share * (1.0 - share) / of + square / (4.0 * of)).sqrt();
    ((share + square / 2.0 - half) / (1.0 + square)).max(0.0)
}

fn median(record: &Record) -> Option<Duration> {
    let mut sorted: Vec<Duration> = record.latencies.iter().copied().collect();
    sorted.sort_unstable();
    (sorted.len() >= LEAST).then(|| sorted[sorted.len() / 2])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use truefill_model::store::Serving;

    use super::*;
    use crate::engine::Engine;
    use crate::engine::lineup::Slot;
    use crate::engine::scripted::{Script, ScriptedEngine};

    const LIMITS: Limits = Limits {
        failures: 0.05,
        slowdown: 2.0,
    };

    fn lineup(generation: u64) -> Lineup {
        let engine: Arc<dyn Engine> =
            Arc::new(ScriptedEngine::new(Script::default()).expect("an engine"));
        let slot = |name: &str| Slot {
            name: name.into(),
            share: 0.5,
            shadow: false,
            info: engine.info(),
            engine: Arc::clone(&engine),
        };
        let serving = Serving {
            generation,
            ..Serving::default()
        };
        Lineup::of(&serving, [slot("base"), slot("candidate")]).expect("arms")
    }

    /// The first reason to stop the candidate in so many requests of each arm.
    fn stopped(requests: usize, candidate: impl Fn(usize) -> Fared) -> Option<(usize, String)> {
        let (guardrail, lineup) = (Guardrail::default(), lineup(1));
        let base = Fared::Answered(Duration::from_millis(100));
        (1..=requests).find_map(|number| {
            assert_eq!(guardrail.note(&lineup, "base", base, LIMITS), None);
            let found = guardrail.note(&lineup, "candidate", candidate(number), LIMITS);
            found.map(|reason| (number, reason))
        })
    }

    fn took(milliseconds: u64) -> Fared {
        Fared::Answered(Duration::from_millis(milliseconds))
    }

    #[test]
    fn an_arm_that_fails_or_is_slow_is_stopped_and_others_are_not() {
        assert_eq!(stopped(500, |_| took(120)), None);
        assert_eq!(
            stopped(500, |number| if number % 40 == 0 {
                Fared::Failed
            } else {
                took(100)
            }),
            None
        );
        let (number, reason) = stopped(500, |_| Fared::Failed).expect("it fails always");
        assert_eq!((number, &*reason), (50, "50 of its 50 requests failed"));
        let often = |number| {
            if number % 5 == 0 {
                Fared::Failed
            } else {
                took(100)
            }
        };
        assert!(stopped(500, often).is_some());
        let (number, reason) = stopped(500, |_| took(250)).expect("it is slow");
        assert_eq!(number, 50);
        assert_eq!(reason, "it takes 250 ms where the baseline takes 100 ms");
    }

    #[test]
    fn the_baseline_is_never_stopped_and_other_arms_begin_anew() {
        let guardrail = Guardrail::default();
        for _ in 0..200 {
            assert_eq!(
                guardrail.note(&lineup(1), "base", Fared::Failed, LIMITS),
                None
            );
        }
        for number in 0..60 {
            let lineup = lineup(1 + number % 2);
            assert_eq!(
                guardrail.note(&lineup, "candidate", Fared::Failed, LIMITS),
                None
            );
        }
    }
}
