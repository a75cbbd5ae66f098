//! Rows in, results out: what was found out before is taken from the cache, everything else is asked for,
//! and kept as soon as it is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Result;

use super::backend::{Backend, Completion, Hear, Likelihood, Timed, Timing};
use super::decoding::Decoding;
use super::figures::Variant;
use super::measure::{RowResult, Run, variants};
use super::row::{EvalRow, Question};
use crate::kept::{self, Kept, Key};
use crate::progress::Progress;

/// Runs what rows' completions belong to.
pub trait Runner: Sync {
    /// What outcomes of all rows depend on.
    fn name(&self) -> String;

    /// What an outcome depends on beside the text and its limit of time.
    fn identity(&self, row: &EvalRow) -> String;

    /// Runs a row's program.
    ///
    /// # Errors
    /// What is the sandbox's own fault, never the program's.
    fn run(&self, row: &EvalRow, text: &str) -> Result<Run>;
}

/// A model, rows, and where results are kept.
pub struct Evaluation<'a> {
    /// The rows.
    pub rows: &'a [EvalRow],
    /// Who completes.
    pub backend: &'a mut dyn Backend,
    /// How.
    pub decoding: &'a Decoding,
    /// The folder of results that were found out before.
    pub cache: &'a Path,
    /// Who runs programs; without one nothing is run.
    pub runner: Option<&'a dyn Runner>,
    /// Programs that run at a time.
    pub workers: usize,
    /// Shows how far it is.
    pub progress: &'a Progress,
    /// Whether to end early.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// By row; nothing where it failed or was not come to.
    pub results: Vec<Option<RowResult>>,
    /// Rows that could not be completed, with the reason.
    pub failed: Vec<(usize, String)>,
    /// How long the completions took that there are.
    pub timings: Vec<Timing>,
    /// What is to be known of all completions.
    pub notes: Vec<String>,
    /// Results of completions that were in the cache.
    pub cached: u64,
    /// It was told to stop before the end.
    pub stopped: bool,
}

impl Evaluation<'_> {
    /// Completes, scores and runs.
    ///
    /// # Errors
    /// Where the cache cannot be written, and what is wrong with all rows alike.
    pub fn run(mut self) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let completions = self.complete(&mut outcome)?;
        outcome.notes = self.backend.notes();
        let likelihoods = self.likelihoods(&completions, &mut outcome)?;
        let runs = self.runs(&completions)?;
        let parts = completions.into_iter().zip(likelihoods).zip(runs);
        outcome.results = parts
            .map(|((completion, likelihoods), runs)| {
                let [golden, rejected] = likelihoods?;
                Some(RowResult {
                    completion: completion?,
                    golden,
                    rejected,
                    runs: runs?,
                })
            })
            .collect();
        outcome.stopped = (self.stop)();
        Ok(outcome)
    }

    fn complete(&mut self, outcome: &mut Outcome) -> Result<Vec<Option<Completion>>> {
        let mut kept = Kept::<Timed>::open(&self.cache.join("completions.jsonl"))?;
        let how = how(self.decoding)?;
        let identity = self.backend.identity().to_owned();
        let keys: Vec<Key> = self
            .rows
            .iter()
            .map(|row| completion_key(row, &identity, &how, self.decoding.temperature > 0.0))
            .collect();
        let mut found = Vec::with_capacity(keys.len());
        for key in &keys {
            found.push(kept.get(key)?);
        }
        outcome.cached = found.iter().flatten().count() as u64;
        let missing = (0..found.len()).filter(|at| found[*at].is_none());
        let missing: Vec<usize> = missing.collect();
        self.progress
            .begin_at("completing", Some(found.len() as u64), outcome.cached);
        let rows: Vec<&EvalRow> = missing.iter().map(|at| &self.rows[*at]).collect();
        let mut done = |at: usize, completion: Result<Timed, String>| {
            let at = missing[at];
            match completion {
                Ok(completion) => {
                    kept.put(keys[at], &completion)?;
                    found[at] = Some(completion);
                }
                Err(problem) => outcome.failed.push((at, problem)),
            }
            self.progress.add(1);
            Ok(())
        };
        let hear = Hear {
            done: &mut done,
            stop: self.stop,
        };
        self.backend.complete(&rows, hear)?;
        outcome.failed.sort_by_key(|(at, _)| *at);
        outcome.timings = found.iter().flatten().map(|timed| timed.timing).collect();
        let completions = found
            .into_iter()
            .map(|timed| timed.map(|timed| timed.completion));
        Ok(completions.collect())
    }

    /// Of the golden and the rejected completion of each row that has both; nothing of a row that failed.
    fn likelihoods(
        &mut self,
        completions: &[Option<Completion>],
        outcome: &mut Outcome,
    ) -> Result<Vec<Option<[Option<Likelihood>; 2]>>> {
        let mut kept = Kept::<Option<Likelihood>>::open(&self.cache.join("likelihoods.jsonl"))?;
        let rows = self.rows.iter().zip(completions).enumerate();
        let pairs = rows.filter_map(|(at, (row, completion))| {
            let rejected = completion.as_ref().and(row.rejected.as_deref())?;
            Some((at, row, rejected))
        });
        let pairs: Vec<(usize, &EvalRow, &str)> = pairs.collect();
        self.progress.begin("scoring", Some(pairs.len() as u64));
        let mut found = vec![Some([None, None]); self.rows.len()];
        for (at, row, rejected) in pairs {
            if (self.stop)() {
                break;
            }
            match self.both(row, rejected, &mut kept)? {
                Ok(both) => found[at] = Some(both),
                Err(problem) => {
                    outcome.failed.push((at, problem));
                    found[at] = None;
                }
            }
            self.progress.add(1);
        }
        outcome.failed.sort_by_key(|(at, _)| *at);
        Ok(found)
    }

    /// How likely a row's golden and its rejected completion are, or why the model cannot say.
    fn both(
        &mut self,
        row: &EvalRow,
        rejected: &str,
        kept: &mut Kept<Option<Likelihood>>,
    ) -> Result<Result<[Option<Likelihood>; 2], String>> {
        let context = self.decoding.context_tokens as u64;
        let identity = self.backend.identity().to_owned();
        let mut both = [None, None];
        for (text, place) in [&*row.golden, rejected].into_iter().zip(&mut both) {
            let key = likelihood_key(row, &identity, context, text);
            *place = match kept.get(&key)? {
                Some(known) => known,
                None => match self.backend.likelihood(row, text) {
                    Ok(fresh) => {
                        kept.put(key, &fresh)?;
                        fresh
                    }
                    Err(error) => return Ok(Err(format!("{error:#}"))),
                },
            };
        }
        Ok(Ok(both))
    }

    /// What became of each row's programs; nothing of a row that was not come to.
    fn runs(
        &self,
        completions: &[Option<Completion>],
    ) -> Result<Vec<Option<BTreeMap<Variant, Run>>>> {
        let mut found: Vec<Option<BTreeMap<Variant, Run>>> =
            vec![Some(BTreeMap::new()); completions.len()];
        let Some(runner) = self.runner else {
            return Ok(found);
        };
        let jobs = self.jobs(completions);
        if jobs.is_empty() {
            return Ok(found);
        }
        let kept = Mutex::new(Kept::open(&self.cache.join("programs.jsonl"))?);
        let progress = self.progress;
        progress.begin("running", Some(jobs.len() as u64));
        let done = spread(jobs.len(), self.workers, self.stop, &|at| {
            let job = &jobs[at];
            let run = run_once(&kept, runner, job.row, &job.text)?;
            progress.add(1);
            Ok(run)
        })?;
        for (at, job) in jobs.iter().enumerate() {
            for (row, variant) in &job.of {
                match (done[at], &mut found[*row]) {
                    (Some(run), Some(runs)) => drop(runs.insert(*variant, run)),
                    (_, place) => *place = None,
                }
            }
        }
        Ok(found)
    }

    /// The programs, each once however many variants of a row are the same.
    fn jobs(&self, completions: &[Option<Completion>]) -> Vec<Program<'_>> {
        let mut jobs: Vec<Program<'_>> = Vec::new();
        for (at, (row, completion)) in self.rows.iter().zip(completions).enumerate() {
            let Some(completion) = completion else {
                continue;
            };
            let first = jobs.len();
            for (variant, text) in variants(row, &completion.text) {
                let Some(program) = &row.program else {
                    continue;
                };
                let text = program.with(text);
                match jobs[first..].iter_mut().find(|job| job.text == text) {
                    Some(job) => job.of.push((at, variant)),
                    None => jobs.push(Program {
                        row,
                        text,
                        of: vec![(at, variant)],
                    }),
                }
            }
        }
        jobs
    }
}

/// A program, and whose it is.
struct Program<'a> {
    row: &'a EvalRow,
    text: String,
    of: Vec<(usize, Variant)>,
}

/// Does `count` things, `workers` at a time; nothing for those that were not come to before it was told to
/// stop, or one of them failed.
pub(super) fn spread<T: Send>(
    count: usize,
    workers: usize,
    stop: &(dyn Fn() -> bool + Sync),
    one: &(dyn Fn(usize) -> Result<T> + Sync),
) -> Result<Vec<Option<T>>> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let work = || {
        let mut done = Vec::new();
        while !stop() && !failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                break;
            }
            let found = one(at);
            failed.fetch_or(found.is_err(), Ordering::Relaxed);
            done.push((at, found?));
        }
        Ok(done)
    };
    let done: Vec<Vec<(usize, T)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.clamp(1, count.max(1)))
            .map(|_| scope.spawn(work))
            .collect();
        let joined = threads.into_iter().map(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| anyhow::bail!("a thread that ran programs has ended"))
        });
        joined.collect::<Result<_>>()
    })?;
    let mut found: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for (at, value) in done.into_iter().flatten() {
        found[at] = Some(value);
    }
    Ok(found)
}

/// What becomes of a row's program, from what is kept where it was run before.
pub(super) fn run_once(
    kept: &Mutex<Kept<Run>>,
    runner: &dyn Runner,
    row: &EvalRow,
    text: &str,
) -> Result<Run> {
    let lock = || {
        let locked = kept.lock();
        locked.map_err(|_| anyhow::anyhow!("a thread that ran programs has ended"))
    };
    let wall = row.program.as_ref().map(|program| program.wall);
    let wall = wall.unwrap_or_default().as_millis() as u64;
    let key = kept::key(wall, &["program", &runner.identity(row), text]);
    if let Some(known) = lock()?.get(&key)? {
        return Ok(known);
    }
    let run = runner.run(row, text)?;
    lock()?.put(key, &run)?;
    Ok(run)
}

/// What of the decoding a completion depends on.
fn how(decoding: &Decoding) -> Result<String> {
    let greedy = decoding.temperature <= 0.0;
    let kept = Decoding {
        // The identity has the names that they stand for.
        format: None,
        layout: None,
        // Nothing is drawn.
        seed: if greedy { 0 } else { decoding.seed },
        top_p: if greedy { 1.0 } else { decoding.top_p },
        ..decoding.clone()
    };
    Ok(serde_json::to_string(&kept)?)
}

/// A drawn completion depends on its row's name, a greedy one does not.
fn completion_key(row: &EvalRow, identity: &str, how: &str, drawn: bool) -> Key {
    let stops = row.stops.join("\0");
    let id = if drawn { &*row.id } else { "" };
    let mut parts = vec!["completion", identity, how, id, &stops];
    let prefix = row.prefix();
    parts.extend(asked(row, &prefix));
    kept::key(0, &parts)
}

fn likelihood_key(row: &EvalRow, identity: &str, context_tokens: u64, text: &str) -> Key {
    let prefix = row.prefix();
    let mut parts = vec!["likelihood", identity, text];
    parts.extend(asked(row, &prefix));
    kept::key(context_tokens, &parts)
}

/// What a row asks, in parts.
fn asked<'r>(row: &'r EvalRow, prefix: &'r str) -> [&'r str; 4] {
    let path = row.path.as_deref().unwrap_or_default();
    match &row.question {
        Question::Infill { suffix, .. } => ["infill", path, prefix, suffix],
        Question::Continue { prompt } => ["continue", path, prompt, ""],
        Question::Instruct { prompt } => ["instruct", path, prompt, ""],
    }
}

#[cfg(test)]
mod tests;
