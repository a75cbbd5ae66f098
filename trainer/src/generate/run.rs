//! Contexts in, negatives out: in order, in constant memory.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use futures::StreamExt;

use super::generator::{Generator, Outcome, Proposal};
use super::scene::Scene;
use super::tally::{NO_TYPE, Tally};
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

impl Made {
    /// Of a context in whose work there is a mistake of this program.
    fn panicked() -> Self {
        let tally = Tally {
            contexts: 1,
            panicked: 1,
            ..Tally::default()
        };
        Self {
            rows: Vec::new(),
            tally,
            heard: Vec::new(),
        }
    }
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
                match tokio::spawn(async move { work.one(context).await }).await {
                    // What a model wrote must not end the step: it is kept, and would end the next
                    // run too. The hook has told where.
                    Err(error) if error.is_panic() => Ok(Made::panicked()),
                    made => made.context("a context's work was given up")?,
                }
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
        let heard = match &outcome.result {
            Ok(_) => Heard::Answer,
            Err(refusal) => refusal.heard(),
        };
        let replied = heard == Heard::Answer;
        let mut count = |kind: Option<HallucinationType>, rejected| {
            let kind = kind.map_or(NO_TYPE, HallucinationType::name);
            made.tally
                .count([generator, kind, language], replied, rejected);
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
            let known = scene.import().ok().filter(|(known, _)| known == split);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Answered, Cell, Refusal};
    use std::path::PathBuf;
    use truefill_syntax::Language;

    /// Has a mistake that one file shows.
    struct Mistaken;

    impl Generator for Mistaken {
        fn name(&self) -> &str {
            "mistaken"
        }

        fn propose<'a>(
            &'a self,
            scene: &'a Arc<Scene>,
            kinds: &'a [HallucinationType],
        ) -> Answered<'a> {
            Box::pin(async move {
                assert!(scene.context.path != "f1.py", "a mistake");
                let proposed = match &*scene.context.path {
                    "f2.py" => Err(Refusal::Budget),
                    _ => Ok(Proposal::in_hole("store.load_kit(row)".into())),
                };
                Ok(vec![Outcome {
                    kind: Some(kinds[0]),
                    version: "1".into(),
                    shortened: false,
                    result: proposed,
                }])
            })
        }
    }

    /// Contexts of the completion `store.load(row)`, as a file of a folder.
    fn contexts(folder: &Path, count: usize) -> PathBuf {
        let path = folder.join("contexts.jsonl");
        let mut rows = RowWriter::create(&path).expect("begun");
        for number in 0..count {
            let prefix = format!("import os\n\ndef f{number}(store, row):\n    x = ");
            let parts = [&*prefix, "store.load(row)", "\n    return x\n"];
            let path = format!("f{number}.py");
            let row = Context::of_file(Language::Python, "o/r", "MIT", &path, parts);
            rows.write(&row).expect("room");
        }
        rows.finish().expect("whole");
        path
    }

    async fn ran(
        generator: impl Generator + 'static,
        kinds: &[HallucinationType],
        count: usize,
    ) -> (Vec<Negative>, Tally) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = contexts(folder.path(), count);
        let work = Work {
            generators: vec![Arc::new(generator)],
            kinds: kinds.into(),
            seed: 1,
            in_flight: 2,
        };
        let mut rows = Vec::new();
        let mut take = |row: &Negative| {
            rows.push(row.clone());
            Ok(())
        };
        let tally = over(&work, &path, &mut take, &mut |_| {}).await;
        (rows, tally.expect("the step goes on"))
    }

    #[tokio::test]
    async fn a_context_that_shows_a_mistake_is_counted_and_the_others_go_on() {
        let (rows, tally) = ran(Mistaken, &[HallucinationType::Method], 4).await;
        assert_eq!((tally.contexts, tally.panicked, rows.len()), (4, 1, 2));
        // What nobody was asked is no part of the share.
        let shown = tally.show();
        assert!(shown.contains("100.0 % (2/2)"), "{shown}");
        assert!(shown.contains("budget 1"), "{shown}");
        assert!(shown.contains("1 contexts"), "{shown}");
    }

    /// Samples as a checkpoint gives them: with no type but for the import.
    struct Sampled;

    impl Generator for Sampled {
        fn name(&self) -> &str {
            "local"
        }

        fn propose<'a>(
            &'a self,
            scene: &'a Arc<Scene>,
            _: &'a [HallucinationType],
        ) -> Answered<'a> {
            let texts = [
                "store.load(row)",
                "store.load_kit(row)",
                "store.fetch_kit(row)",
                "store.load(kit_row)",
            ];
            let samples = texts.map(|text| (None, Proposal::in_hole(text.into())));
            // Of a window that is not the row's.
            let mut split = scene.import().expect("an import").0.clone();
            split.suffix.push('\n');
            let moved = Proposal {
                rejected: "import os_kit".into(),
                split: Some(split),
            };
            let moved = (Some(HallucinationType::Import), moved);
            let outcomes = samples.into_iter().chain([moved]);
            let outcomes = outcomes.map(|(kind, proposal)| Outcome {
                kind,
                version: "local-0".into(),
                shortened: false,
                result: Ok(proposal),
            });
            let outcomes = outcomes.collect();
            Box::pin(async move { Ok(outcomes) })
        }
    }

    #[tokio::test]
    async fn a_sample_becomes_a_row_of_the_type_that_it_turns_out_to_be() {
        use HallucinationType::{Import, Method};
        let (rows, tally) = ran(Sampled, &[Method, Import], 1).await;
        let [row] = &rows[..] else {
            panic!("expected one row, found {rows:?}");
        };
        assert_eq!((row.kind, &*row.generator), (Method, "local"));
        assert_eq!(row.rejected, "store.load_kit(row)");
        assert_eq!((&*row.prompt_version, &row.split), ("local-0", &None));
        let rejected = |kind: &str, reason: &str| {
            let key = ["local", kind, "python"].map(str::to_owned);
            tally.cells[&key].rejected.get(reason).copied()
        };
        for (kind, reason) in [
            (NO_TYPE, "same_as_golden"),
            ("method", "one_is_enough"),
            ("undefined_variable", "type_not_asked"),
            ("import", "split_differs"),
        ] {
            assert_eq!(rejected(kind, reason), Some(1), "{kind}: {reason}");
        }
        let sum = |part: fn(&Cell) -> u64| tally.cells.values().map(part).sum::<u64>();
        assert_eq!([sum(Cell::candidates), sum(|cell| cell.replies)], [5, 5]);
    }
}
