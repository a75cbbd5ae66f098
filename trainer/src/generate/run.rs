//! Contexts in, negatives out: in order, in constant memory.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use futures::StreamExt;

use super::generator::{Generator, Outcome, Proposal};
use super::scene::Scene;
use super::tally::Tally;
use crate::contract;
use crate::panel::Heard;
use crate::rows::{Context, HallucinationType, Negative, RowError, RowReader, RowWriter, Written};

/// What runs over the contexts.
#[derive(Clone)]
pub struct Work {
    /// In the order of their rows.
    pub generators: Vec<Arc<dyn Generator>>,
    /// The types that are asked for.
    pub kinds: Arc<[HallucinationType]>,
    /// Of everything that is drawn.
    pub seed: u64,
    /// Contexts under way at most.
    pub in_flight: usize,
}

/// Rows of contexts that fit together.
struct Checked(RowReader<Context>);

impl Iterator for Checked {
    type Item = Result<Context, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.0.next()?;
        Some(row.and_then(|context| match context.check() {
            Ok(()) => Ok(context),
            Err(problem) => Err(self.0.wrong(problem)),
        }))
    }
}

/// What one context gave.
struct Made {
    rows: Vec<Negative>,
    tally: Tally,
    heard: Vec<(String, Heard)>,
}

/// Runs all generators over the contexts and writes the negatives; `seen` is told after each
/// context how many rows there are.
///
/// # Errors
/// The first error; everything that was under way is finished first, since it is paid for. A spent
/// budget and a member that refuses late are none: the tally's roll tells of them.
pub async fn run(
    work: &Work,
    contexts: &Path,
    out: &Path,
    seen: &mut dyn FnMut(&Tally),
) -> Result<(Written, Tally)> {
    let mut writer = RowWriter::create(out)?;
    let mut write = |row: &Negative| writer.write(row).map_err(anyhow::Error::from);
    let tally = over(work, contexts, &mut write, seen).await?;
    Ok((writer.finish()?, tally))
}

/// Runs all generators over the contexts and hands each negative to `take`.
///
/// # Errors
/// As [`run`].
pub async fn over(
    work: &Work,
    contexts: &Path,
    take: &mut dyn FnMut(&Negative) -> Result<()>,
    seen: &mut dyn FnMut(&Tally),
) -> Result<Tally> {
    let rows = Checked(RowReader::open(contexts, "contexts")?);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let started = rows
        .take_while(move |_| !stopped.load(Ordering::Relaxed))
        .map(|row| {
            let work = work.clone();
            async move {
                let context = row?;
                tokio::spawn(async move { work.one(context).await })
                    .await
                    .context("a context's work panicked")?
            }
        });
    let mut made = futures::stream::iter(started).buffered(work.in_flight);
    let mut tally = Tally::default();
    let mut failure: Option<anyhow::Error> = None;
    while let Some(result) = made.next().await {
        let taken = result.and_then(|made| {
            if failure.is_none() {
                for (generator, heard) in &made.heard {
                    tally.roll.hear(generator, heard)?;
                }
                made.rows.iter().try_for_each(&mut *take)?;
                tally.merge(made.tally);
                seen(&tally);
            }
            Ok(())
        });
        if let Err(error) = taken {
            stop.store(true, Ordering::Relaxed);
            failure.get_or_insert(error);
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(tally),
    }
}

impl Work {
    async fn one(&self, context: Context) -> Result<Made> {
        let mut made = Made {
            rows: Vec::new(),
            tally: Tally::default(),
            heard: Vec::new(),
        };
        made.tally.contexts = 1;
        let Some(scene) = Scene::new(context, self.seed) else {
            made.tally.unparsed = 1;
            return Ok(made);
        };
        let scene = Arc::new(scene);
        for generator in &self.generators {
            let mut kinds_seen = HashSet::new();
            for outcome in generator.propose(&scene, &self.kinds).await? {
                self.take(
                    &scene,
                    generator.name(),
                    outcome,
                    &mut kinds_seen,
                    &mut made,
                );
            }
        }
        Ok(made)
    }

    fn take(
        &self,
        scene: &Scene,
        generator: &str,
        outcome: Outcome,
        seen: &mut HashSet<HallucinationType>,
        made: &mut Made,
    ) {
        made.tally.shortened += u64::from(outcome.shortened);
        let language = scene.context.language.name();
        let mut count = |kind: Option<HallucinationType>, reason| {
            let kind = kind.map(HallucinationType::name);
            made.tally.count(generator, kind, language, reason);
        };
        let heard = match &outcome.result {
            Ok(_) => Heard::Answer,
            Err(refusal) => refusal.heard(),
        };
        made.heard.push((generator.to_owned(), heard));
        let proposal = match outcome.result {
            Ok(proposal) => proposal,
            Err(refusal) => return count(outcome.kind, Some(refusal.reason())),
        };
        let kind = match judged(scene, outcome.kind, &proposal) {
            Ok(kind) => kind,
            Err(reason) => return count(outcome.kind, Some(reason)),
        };
        if outcome.kind.is_none() && !self.kinds.contains(&kind) {
            return count(Some(kind), Some("type_not_asked"));
        }
        // One row of a generator, type and context: its id names it.
        if !seen.insert(kind) {
            return count(Some(kind), Some("one_is_enough"));
        }
        count(Some(kind), None);
        made.rows.push(Negative {
            context_id: scene.context.id.clone(),
            kind,
            generator: generator.to_owned(),
            prompt_version: outcome.version,
            rejected: proposal.rejected,
            split: proposal.split,
        });
    }
}

/// The candidate's type if it fulfils the contract, or the reason why it is none.
fn judged(
    scene: &Scene,
    kind: Option<HallucinationType>,
    proposal: &Proposal,
) -> Result<HallucinationType, &'static str> {
    let Some(kind) = kind else {
        return contract::classify(&scene.golden, &proposal.rejected)
            .map_err(|violation| violation.reason());
    };
    let checked = match &proposal.split {
        None => contract::check(&scene.golden, kind, &proposal.rejected),
        Some(split) => {
            // Mostly the split that is parsed already.
            let known = scene.import().filter(|(known, _)| known == split);
            let fresh = match known {
                Some(_) => None,
                None => Some(scene.parse_split(split).ok_or("unparsed")?),
            };
            let parsed = known.map(|(_, parsed)| parsed).or(fresh.as_ref());
            let parsed = parsed.ok_or("unparsed")?;
            if parsed.text != scene.golden.text {
                return Err("split_differs");
            }
            contract::check(parsed, kind, &proposal.rejected)
        }
    };
    checked
        .map(|()| kind)
        .map_err(|violation| violation.reason())
}
