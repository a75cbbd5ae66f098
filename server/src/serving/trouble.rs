//! Notices an engine that fails again and again, so that it does not look like having nothing to
//! say.

use std::sync::{Mutex, PoisonError};

use super::status::{Status, StatusKind};
use crate::silence::Silence;

/// Failures in a row until the user hears of it. One may be a slow moment.
const IN_A_ROW: u32 = 3;

/// Counts the engine's failures.
#[derive(Default)]
pub struct Trouble(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    failures: u32,
    told: bool,
}

/// What changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It keeps failing.
    Began(Status),
    /// It works again.
    Ended,
}

impl Trouble {
    /// Takes note of a request that the engine was asked for: what the engine answered, or why
    /// there is no suggestion.
    pub fn note(&self, result: Result<(), &Silence>) -> Option<Change> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Err(silence) if silence.is_failure() => {
                counted.failures = counted.failures.saturating_add(1);
                let begins = counted.failures >= IN_A_ROW && !counted.told;
                counted.told |= begins;
                begins.then(|| Change::Began(warning(silence)))
            }
            // Ended before the engine could show whether it works.
            Err(silence) if silence.says_nothing() => None,
            _ => {
                let told = std::mem::take(&mut *counted).told;
                told.then_some(Change::Ended)
            }
        }
    }

    /// Another engine was configured.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Counted::default();
    }
}

fn warning(silence: &Silence) -> Status {
    Status {
        kind: StatusKind::Warning,
        message: format!(
            "The last {IN_A_ROW} requests failed. {}",
            silence.sentence()
        ),
        uri: None,
        reason: Some(silence.code()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_in_a_row_are_told_and_their_end() {
        let (failed, panicked) = (
            Silence::EngineFailed("no answer".into()),
            Silence::EnginePanicked,
        );
        let slow = Silence::BudgetExceeded { milliseconds: 2000 };
        let nothing = Silence::NothingGenerated;
        // What is noted, and what is told.
        let table = [
            (Err(&failed), None),
            (Err(&slow), None),
            (Err(&nothing), None),
            (Err(&failed), None),
            (Err(&Silence::Superseded), None),
            (Err(&slow), None),
            (Err(&panicked), Some("engine_panicked")),
            (Err(&panicked), None),
            (Err(&Silence::Cancelled), None),
            (Err(&Silence::TypedOn), None),
            (Err(&Silence::NotOpen), None),
            (Err(&Silence::Panicked), None),
            (Ok(()), Some("ended")),
            (Ok(()), None),
        ];
        let trouble = Trouble::default();
        for (row, (result, told)) in table.into_iter().enumerate() {
            let change = trouble.note(result).map(|change| match change {
                Change::Began(status) => {
                    assert_eq!(status.kind, StatusKind::Warning);
                    status.reason.unwrap_or_default()
                }
                Change::Ended => "ended",
            });
            assert_eq!(change, told, "row {row}");
        }
    }
}
