//! From what the engine wrote to what is worth showing.

use truefill_model::fim::FimFormat;

use super::generate::Sampled;
use super::plan::Plan;
use super::text::Around;
use crate::engine::{EngineInfo, StopReason};
use crate::silence::Silence;
use crate::suggest::alternatives::distinct;
use crate::suggest::cleanup::{Outcome, clean};
use crate::suggest::torn::whole_part;

/// A sample that is worth showing.
#[derive(Debug)]
pub struct Polished {
    /// What to insert at the cursor.
    pub text: String,
    /// The sample that it was made from.
    pub sample: usize,
}

/// Cleans the samples and drops what says the same twice.
///
/// # Errors
/// [`Silence::CleanedAway`] with the rule that took the first one, where nothing is left.
pub fn polish(
    info: &EngineInfo,
    plan: &Plan,
    around: &Around,
    samples: &[Sampled],
) -> Result<Vec<Polished>, Silence> {
    let sentinels: Vec<&str> = FimFormat::builtin(&info.format)
        .map(|format| format.sentinels().collect())
        .unwrap_or_default();
    let mut kept = Vec::new();
    let mut dropped = None;
    for (index, sampled) in samples.iter().enumerate() {
        let sample = &sampled.generated;
        let truncated = matches!(sample.stop, StopReason::Limit | StopReason::Deadline);
        let surroundings = plan.surroundings(around, truncated, &sentinels);
        let text = match truncated {
            true => whole_part(&sample.text),
            false => &sample.text,
        };
        match clean(text, &surroundings) {
            Outcome::Kept { text, .. } => kept.push(Polished {
                text,
                sample: index,
            }),
            Outcome::Dropped(rule, sentence) => {
                dropped.get_or_insert(Silence::CleanedAway {
                    rule: rule.as_str(),
                    sentence,
                });
            }
        }
    }
    let texts: Vec<&str> = kept.iter().map(|polished| polished.text.as_str()).collect();
    let chosen = distinct(&texts);
    let kept: Vec<Polished> = kept
        .into_iter()
        .enumerate()
        .filter_map(|(index, polished)| chosen.contains(&index).then_some(polished))
        .collect();
    if kept.is_empty() {
        Err(dropped.unwrap_or(Silence::NothingGenerated))
    } else {
        Ok(kept)
    }
}
