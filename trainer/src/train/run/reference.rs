//! The reference's numbers for DPO: log-probabilities under the checkpoint that training starts from,
//! computed once and kept, so that a run that goes on does not need the checkpoint's weights twice.

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use truefill_model::training::GradDecoder;

use super::step::{batch, sums};
use crate::progress::Progress;
use crate::train::batches::BatchPlan;
use crate::train::example::{Example, Rendered, Renderer};
use crate::train::objective::Reference;
use crate::train::set::TrainingSet;

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    #[serde(flatten)]
    reference: Reference,
}

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
) -> Result<Option<HashMap<String, Reference>>> {
    let mut known = kept(file)?;
    let mut writer = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .with_context(|| file.display().to_string())?;
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
        examples.retain(|example| !known.contains_key(&example.key()));
        for (key, reference) in score(decoder, &examples)? {
            let line = Line { key, reference };
            let mut text = serde_json::to_vec(&line)?;
            text.push(b'\n');
            writer
                .write_all(&text)
                .with_context(|| file.display().to_string())?;
            known.insert(line.key, reference);
        }
        done += rows.len() as u64;
        progress.at(done, "");
    }
    writer.sync_all()?;
    Ok(Some(known))
}

/// What an earlier run kept; a line that a kill cut off ends the list and the file.
fn kept(file: &Path) -> Result<HashMap<String, Reference>> {
    let Ok(opened) = std::fs::File::open(file) else {
        return Ok(HashMap::new());
    };
    let (mut known, mut whole) = (HashMap::new(), 0);
    for line in std::io::BufReader::new(opened).split(b'\n') {
        let line = line.with_context(|| file.display().to_string())?;
        let Ok(read) = serde_json::from_slice::<Line>(&line) else {
            break;
        };
        whole += line.len() as u64 + 1;
        known.insert(read.key, read.reference);
    }
    let opened = std::fs::OpenOptions::new().write(true).open(file)?;
    if opened.metadata()?.len() > whole {
        opened.set_len(whole)?;
    }
    Ok(known)
}

fn score(decoder: &GradDecoder, examples: &[Example]) -> Result<Vec<(String, Reference)>> {
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
