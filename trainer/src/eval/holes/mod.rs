//! `holes`: cut holes into the user's own repository, complete them, and let its own tests say what a
//! completion is worth.
//!
//! The repository is copied once (`snapshot`), so that nothing changes while it is measured and nothing of
//! it is ever written. Its tests must pass there. Holes are `mine`'s, drawn in rounds over languages and
//! kinds (`draw`) from files that are not tests themselves (`tested`), and count where the tests fail
//! without what stood there. Every run of the tests is the sandbox's, on a copy of the copy.

mod draw;
mod place;
mod snapshot;
mod tested;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use truefill_syntax::Language;

use super::measure::Run;
use super::output::short_hash;
use super::recipe::SuiteRecipe;
use super::row::{EvalRow, Program, Question};
use super::run::{Runner, run_once, spread};
use super::sandbox::{Job, Limits, Outcome, Sandbox, Status};
use super::suite::{Form, Loaded, Suite, SuiteError};
use crate::corpus::stable_digest;
use crate::hidden::is_hidden;
use crate::kept::Kept;
use crate::mine::{self, FolderHole};
use crate::progress::Progress;
use crate::usage::Usage;
use draw::Draw;
pub use place::Surroundings;
use snapshot::{Most, Snapshot};

/// Counts up with every change to how a repository's tests are run.
const RUNNER: &str = "repository-1";
/// Holes without a limit.
const HOLES: usize = 50;
/// Seconds of one run of the tests without a limit.
const TIMEOUT: u64 = 300;
/// A name that no program has.
const NO_NAME: &str = "truefill_no_such_name";
/// Lines of what the tests printed that a person is shown.
const LINES_SHOWN: usize = 30;

/// A repository whose tests run here.
pub struct Repository {
    /// As it was named.
    path: PathBuf,
    snapshot: Snapshot,
    sandbox: Sandbox,
    command: String,
    environment: [(String, String); 1],
    timeout: Duration,
    limit: usize,
    /// What an outcome depends on beside a file and its text.
    identity: String,
}

/// How holes are chosen.
pub struct Choice<'a> {
    /// Of the draw.
    pub seed: u64,
    /// The folder where runs of the tests are kept that no model has to do with.
    pub cache: &'a Path,
    /// Copies that are tested at a time.
    pub workers: usize,
    /// Shows how far it is.
    pub progress: &'a Progress,
    /// Whether to end early.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl Repository {
    /// Makes the sandbox and the copy; nothing is run yet but what tries the sandbox out.
    ///
    /// # Errors
    /// Where this machine cannot isolate a program, or the repository cannot be copied; [`Usage`] for mounts
    /// that cannot be.
    pub fn open(suite: &SuiteRecipe, around: &Surroundings) -> Result<Self> {
        if suite.form == Form::Instruct {
            let suite = Suite::Holes;
            return Err(SuiteError::Form { suite }.into());
        }
        let (Some(command), [path]) = (&suite.test, &suite.data[..]) else {
            return Err(Usage::error("`holes`: expected one repository and `test`"));
        };
        let timeout = Duration::from_secs(suite.timeout.unwrap_or(TIMEOUT));
        let limits = Limits::repository(timeout);
        let sandbox = Sandbox::open(limits.clone())?;
        let real = path.canonicalize();
        let real = real.with_context(|| format!("{}: no repository", path.display()))?;
        ensure!(
            real.is_dir(),
            "{}: expected a repository's folder, found a file",
            path.display()
        );
        let mounts = place::mounts(&real, &suite.mounts, around)?;
        let sandbox = sandbox.with_mounts(&mounts);
        let sandbox = sandbox.map_err(|error| Usage::error(error.to_string()))?;
        let inside = place::path(&mounts, &around.path);
        let seen = |mount: &super::sandbox::Mount| mount.host.clone();
        let snapshot = Snapshot::take(&real, mounts.iter().map(seen).collect(), Most::USUAL)?;
        let depends = format!("{RUNNER} {mounts:?} {inside} {limits:?}");
        let parts = [&*snapshot.sha256, command, &depends].map(str::as_bytes);
        Ok(Self {
            path: path.clone(),
            sandbox,
            command: command.clone(),
            environment: [("PATH".to_owned(), inside)],
            timeout,
            limit: suite.limit.unwrap_or(HOLES),
            identity: hex::encode(stable_digest(0, &parts)),
            snapshot,
        })
    }

    /// Runs the tests on an unchanged copy.
    ///
    /// # Errors
    /// Where they do not pass, with the end of what they printed and what to do.
    pub fn pass_unchanged(&self, progress: &Progress) -> Result<()> {
        progress.begin("testing", None);
        let outcome = self.test(&[])?;
        let seconds = outcome.wall.as_secs_f64();
        let found = match outcome.status {
            Status::Passed => {
                progress.say(&format!(
                    "`{}` passes on an unchanged copy, in {seconds:.1} s",
                    self.command
                ));
                return Ok(());
            }
            Status::Failed(status) => format!("exit status {status} after {seconds:.1} s"),
            Status::TimedOut => format!("no end within {} s", self.timeout.as_secs()),
        };
        anyhow::bail!(
            "{}: expected `{}` to pass on an unchanged copy, found {found}; it sees the repository's files that \
             git does not ignore, /usr and what is mounted, and no network: name with `--mount` what it needs \
             besides (a toolchain, installed packages), let it do without the network, raise `--timeout` where \
             it needs longer{}{}{}",
            self.path.display(),
            self.command,
            self.snapshot.told(),
            ended("standard output", &outcome.stdout),
            ended("standard error", &outcome.stderr),
        );
    }

    /// Draws holes until enough are found that the tests see; nothing where it was told to stop. Gives also
    /// how many there were to draw from.
    ///
    /// # Errors
    /// Where there is no such hole; what is wrong with the sandbox or the cache.
    pub fn rows(&self, choice: &Choice<'_>) -> Result<Option<(Loaded, u64)>> {
        choice.progress.begin("looking for holes", None);
        let holes = self.holes(choice.seed)?;
        let all = holes.len();
        ensure!(
            all > 0,
            "{}: expected code with holes that say something, in files that are not tests, found none",
            self.path.display()
        );
        let name = format!("holes-{}.jsonl", short_hash(&self.identity));
        let kept = Mutex::new(Kept::open(&choice.cache.join(name))?);
        let mut draw = Draw::new(holes, choice.seed, self.limit);
        let wanted = self.limit.min(all) as u64;
        choice.progress.begin("checking holes", Some(wanted));
        let mut rows = Vec::new();
        loop {
            let round = draw.round();
            if round.is_empty() {
                break;
            }
            let checked = spread(round.len(), choice.workers, choice.stop, &|at| {
                let hole = &round[at].hole;
                let row = self.row(hole)?;
                let seen = self.is_seen(hole.language, &row, &kept)?;
                choice.progress.add(u64::from(seen));
                Ok((row, seen))
            })?;
            for (pick, checked) in round.iter().zip(checked) {
                let Some((row, seen)) = checked else {
                    return Ok(None);
                };
                draw.tell(pick, seen);
                rows.extend(seen.then_some(row));
            }
        }
        ensure!(
            !rows.is_empty(),
            "{}: expected holes that the tests see, found none among {} that were tried: `{}` passes whatever \
             stands there; let it test this code",
            self.path.display(),
            draw.tried(),
            self.command
        );
        let loaded = Loaded {
            notes: self.notes(&draw),
            rows,
            sha256: self.snapshot.sha256.clone(),
            files: vec![self.path.clone()],
        };
        Ok(Some((loaded, all as u64)))
    }

    fn notes(&self, draw: &Draw) -> Vec<String> {
        let (tried, unseen) = (draw.tried(), draw.unseen());
        let mut notes = vec![
            format!(
                "tested by `{}`, at most {} s a run",
                self.command,
                self.timeout.as_secs()
            ),
            format!(
                "{unseen} of {tried} holes that were tried went unseen: the tests pass without what stood \
                 there, and they are in no figure"
            ),
        ];
        notes.extend(self.snapshot.left_out());
        notes
    }

    /// The holes to draw from.
    fn holes(&self, seed: u64) -> Result<Vec<FolderHole>> {
        let root = &self.snapshot.root;
        let wanted = |path: &str| !tested::is_test(path) && root.join(path).is_file();
        let mut holes = mine::holes(root, seed, &wanted)?;
        let mut file: Option<(String, Option<usize>)> = None;
        holes.retain(|hole| {
            if hole.language != Language::Rust {
                return true;
            }
            if file.as_ref().is_none_or(|(path, _)| *path != hole.path) {
                let text = std::fs::read_to_string(root.join(&hole.path)).unwrap_or_default();
                file = Some((hole.path.clone(), tested::inline_tests(&text)));
            }
            let tests = file.as_ref().and_then(|(_, tests)| *tests);
            tests.is_none_or(|tests| hole.range.end <= tests)
        });
        Ok(holes)
    }

    fn row(&self, hole: &FolderHole) -> Result<EvalRow> {
        let path = self.snapshot.root.join(&hole.path);
        let changed = || format!("{}: changed under the hands", path.display());
        let text = std::fs::read_to_string(&path).with_context(changed)?;
        let part = |range: std::ops::Range<usize>| Some(text.get(range)?.to_owned());
        let prefix = part(0..hole.range.start).with_context(changed)?;
        let golden = part(hole.range.clone()).with_context(changed)?;
        let suffix = part(hole.range.end..text.len()).with_context(changed)?;
        let line = prefix.matches('\n').count() + 1;
        let number = hole.id.get(..8).unwrap_or(&hole.id);
        let id = format!("{}:{line}/{number}", hole.path);
        let program = Program {
            head: prefix.clone(),
            tail: suffix.clone(),
            wall: self.timeout,
        };
        let question = Question::Infill { prefix, suffix };
        Ok(EvalRow {
            kind: hole.kind.name().to_owned(),
            cluster: hole.path.clone(),
            path: Some(hole.path.clone()),
            program: Some(program),
            ..EvalRow::new(id, question, golden, hole.language.name())
        })
    }

    /// Whether the tests fail without what stood in the hole. Where a program starts before all of it was
    /// looked at, a name that nothing has stands in for it first: an empty hole is often no program at all,
    /// which every test sees, of code too that none of them runs.
    fn is_seen(&self, language: Language, row: &EvalRow, kept: &Mutex<Kept<Run>>) -> Result<bool> {
        let fillers: &[&str] = match is_compiled(language) {
            true => &[""],
            false => &[NO_NAME, ""],
        };
        for filler in fillers {
            let text = row.program.as_ref().map(|program| program.with(filler));
            if run_once(kept, self, row, &text.unwrap_or_default())? == Run::Passed {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn test(&self, changed: &[(PathBuf, Vec<u8>)]) -> Result<Outcome> {
        let command = ["/bin/bash", "-c", &self.command];
        Ok(self.sandbox.run(&Job {
            command: command.map(Into::into).to_vec(),
            source: Some(&self.snapshot.root),
            changed,
            environment: &self.environment,
            ..Job::default()
        })?)
    }
}

impl Runner for Repository {
    fn name(&self) -> String {
        self.identity.clone()
    }

    fn identity(&self, row: &EvalRow) -> String {
        let path = row.path.as_deref().unwrap_or_default();
        format!("{} {path}", self.identity)
    }

    /// What stood there before passes, as was seen.
    fn run(&self, row: &EvalRow, text: &str) -> Result<Run> {
        let path = PathBuf::from(row.path.as_deref().unwrap_or_default());
        let before = std::fs::read(self.snapshot.root.join(&path));
        if before.is_ok_and(|before| before == text.as_bytes()) {
            return Ok(Run::Passed);
        }
        let outcome = self.test(&[(path, text.as_bytes().to_vec())])?;
        Ok(outcome.status.into())
    }
}

/// All names of a program are looked up before it starts.
const fn is_compiled(language: Language) -> bool {
    matches!(
        language,
        Language::Rust | Language::Go | Language::Java | Language::CSharp | Language::Cpp
    )
}

/// The end of an output, for a terminal.
fn ended(name: &str, output: &str) -> String {
    let seen = |c: &char| !is_hidden(*c);
    let output: String = output.trim_end().chars().filter(seen).collect();
    let lines: Vec<&str> = output.lines().collect();
    match lines.get(lines.len().saturating_sub(LINES_SHOWN)..) {
        Some(last @ [_, ..]) => format!("\nthe end of its {name}:\n{}", last.join("\n")),
        _ => format!("\nits {name} is empty"),
    }
}
