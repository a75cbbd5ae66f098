//! The reference's numbers for DPO: log-probabilities under the checkpoint that training starts from,
//! computed once and kept, so that a run that goes on does not need the checkpoint's weights twice.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, ensure};
use truefill_model::training::GradDecoder;

use super::step::{batch, sums};
use crate::kept::{Kept, Key};
use crate::progress::Progress;
use crate::train::batches::BatchPlan;
use crate::train::example::{Example, Rendered, Renderer};
use crate::train::objective::Reference;
use crate::train::set::TrainingSet;

/// The numbers of all rows; what `file` has is not computed again. `decoder` is still the checkpoint.
///
/// # Errors
/// What the engine or the file system reports; numbers that are none. `None` where `stop` said so:
/// what was computed is kept.
pub fn of_rows(
    decoder: &GradDecoder,
    set: &TrainingSet,
    renderer: &Renderer,
    plan: &BatchPlan,
    file: &Path,
    progress: &Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Option<HashMap<Key, Reference>>> {
    let mut kept = Kept::open(file)?;
    let mut known = HashMap::new();
    let batches = plan.epoch(&set.lengths, 0).into_iter().flatten();
    progress.begin("reference", Some(set.rows.len() as u64));
    let mut done = 0;
    for rows in batches {
        if stop() {
            return Ok(None);
        }
        let mut examples = Vec::new();
        for row in &rows {
            if let Rendered::Whole(example) = renderer.render(&set.rows[*row], 0)? {
                examples.push(*example);
            }
        }
        let mut unknown = Vec::new();
        for example in examples {
            let key = example.key();
            match kept.get(&key)? {
                Some(reference) => drop(known.insert(key, reference)),
                None => unknown.push(example),
            }
        }
        for (key, reference) in score(decoder, &unknown)? {
            kept.put(key, &reference)?;
            known.insert(key, reference);
        }
        done += rows.len() as u64;
        progress.at(done, "");
    }
    Ok(Some(known))
}

fn score(decoder: &GradDecoder, examples: &[Example]) -> Result<Vec<(Key, Reference)>> {
    if examples.is_empty() {
        return Ok(Vec::new());
    }
    let scores = decoder.score(&batch(decoder, examples, false)?)?;
    let sums = sums(examples, &scores.log_probabilities);
    let mut found = Vec::with_capacity(examples.len());
    for (example, (chosen, rejected)) in examples.iter().zip(sums) {
        let reference = Reference { chosen, rejected };
        ensure!(
            reference.chosen.is_finite() && reference.rejected.is_finite(),
            "the checkpoint gives no finite probabilities: {reference:?}"
        );
        found.push((example.key(), reference));
    }
    Ok(found)
}
