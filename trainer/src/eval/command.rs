//! `truefill-trainer eval`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use truefill_model::store::{Store, slug};

use super::alike;
pub use super::args::{EvalArgs, Measured};
use super::chosen::Chosen;
use super::deliver::Delivery;
use super::figures::{Comparison, RowFigures, compare};
use super::gate::{self, GateRecipe, Judgement};
use super::holes::{Choice, Surroundings};
use super::output::{self, Evaluated, ModelInfo};
use super::recipe::EvalRecipe;
use super::run::{Evaluation, Runner};
use super::subject::{Programs, Subject, add_evidence};
use super::tables;
use crate::progress::Progress;
use crate::signals;
use crate::stored;
use crate::usage::{self, Usage};

/// Runs the step.
///
/// # Errors
/// [`Usage`]; what is wrong with a checkpoint, a suite's file or the sandbox.
pub fn run(args: &EvalArgs, out: &mut dyn Write) -> Result<ExitCode> {
    Ok(match measure(args, out)? {
        Ended::Stopped(code) => ExitCode::from(code),
        Ended::Judged(judgement) if !judgement.passed => ExitCode::FAILURE,
        Ended::Judged(_) | Ended::Measured => ExitCode::SUCCESS,
    })
}

/// How the step ended.
#[derive(Debug)]
pub enum Ended {
    /// By a signal, with this exit status; the same command goes on.
    Stopped(u8),
    /// Nobody asked the gate.
    Measured,
    /// With what the gate says.
    Judged(Judgement),
}

/// Measures, and asks the gate where it is to.
///
/// # Errors
/// As [`run`].
pub fn measure(args: &EvalArgs, out: &mut dyn Write) -> Result<Ended> {
    let recipe = args.recipe()?;
    // Before the checkpoint is looked for; where no folder is named its name decides.
    apart(args, args.out.as_deref())?;
    let against = args.against.as_deref().map(output::read).transpose()?;
    let gate: GateRecipe = crate::recipe::section(args.recipe.as_deref(), "promote")?;
    gate.check()
        .map_err(crate::recipe::named(args.recipe.as_deref()))?;
    let around = Surroundings::of_process();
    let suites = recipe
        .suite
        .iter()
        .map(|suite| Chosen::load(suite, recipe.seed, &around));
    let suites: Vec<Chosen<'_>> = suites.collect::<Result<_>>()?;
    let has_programs = suites.iter().any(Chosen::has_programs);
    let programs = (recipe.run && has_programs)
        .then(|| Programs::open(&recipe))
        .transpose()?;
    let store = stored::store(args.measured.store.as_deref())?;
    let subject = Subject::open(&recipe, || args.opened(&recipe, &store))?;
    let place = Place::of(args, &subject.info, store.root());
    apart(args, Some(&place.folder))?;
    if args.gate {
        foresee(
            &gate,
            &suites,
            against.as_deref().unwrap_or_default(),
            &place.folder,
        )?;
    }
    let stop = signals::first("stopping; what was completed is kept. Once more ends it at once")?;
    let mut session = Session {
        args,
        recipe: &recipe,
        store: &store,
        place,
        against,
        programs,
        subject,
        progress: Progress::new("eval"),
        stop: &|| stop.load(Ordering::Relaxed) != 0,
    };
    for chosen in &suites {
        chosen.check(&session.progress)?;
    }
    let mut failed = Vec::new();
    for chosen in &suites {
        let Some(more) = session.measure(chosen, out)? else {
            session.progress.finish();
            writeln!(std::io::stderr(), "stopped; the same command goes on")?;
            return Ok(Ended::Stopped(stop.load(Ordering::Relaxed)));
        };
        failed.extend(more);
    }
    let folder = &session.place.folder;
    writeln!(std::io::stderr(), "figures and rows: {}", folder.display())?;
    if let Some((row, problem)) = failed.first() {
        bail!(
            "{} rows could not be completed and are in no figure; the same command asks again. The first \
             is {row}: {problem}",
            failed.len()
        );
    }
    match args.against.as_deref().filter(|_| args.gate) {
        Some(before) => judge(args, &gate, [before, folder], &session.subject.info, out),
        None => Ok(Ended::Measured),
    }
}

/// Refuses to write over what is compared with.
fn apart(args: &EvalArgs, folder: Option<&Path>) -> Result<()> {
    match folder.zip(args.against.as_deref()) {
        Some((folder, against)) if usage::is_same(folder, against) => Err(Usage::error(format!(
            "{}: expected another folder to write to than the one that `--against` names; give `--out`",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// Says which rules cannot pass before hours have gone by.
fn foresee(
    gate: &GateRecipe,
    suites: &[Chosen<'_>],
    against: &[Evaluated],
    folder: &Path,
) -> Result<()> {
    let mut asked: Vec<&str> = gate.asked().map(|rule| &*rule.suite).collect();
    asked.dedup();
    for suite in asked {
        let measured = suites.iter().any(|chosen| chosen.suite.title() == suite);
        let here = measured || output::figures_path(folder, suite).exists();
        let there = against.iter().any(|found| found.suite == suite);
        let lacks = match (here, there) {
            (true, true) => continue,
            (false, _) => "is not measured here",
            (true, false) => "has no figures in the folder of `--against`",
        };
        writeln!(
            std::io::stderr(),
            "warning: the gate asks for `{suite}`, which {lacks}: it cannot pass"
        )?;
    }
    Ok(())
}

/// Asks the gate, and shows what it says.
fn judge(
    args: &EvalArgs,
    gate: &GateRecipe,
    [before, after]: [&Path; 2],
    measured: &ModelInfo,
    out: &mut dyn Write,
) -> Result<Ended> {
    let judgement = gate::judge(gate, before, after, measured)?;
    match args.measured.json {
        true => writeln!(out, "{}", serde_json::to_string(&judgement)?)?,
        false => writeln!(out, "{}", tables::judgement(&judgement).to_text())?,
    }
    Ok(Ended::Judged(judgement))
}

/// Rows that could not be completed, with the reasons.
type Failed = Vec<(String, String)>;

/// What the suites of a run share.
struct Session<'a> {
    args: &'a EvalArgs,
    recipe: &'a EvalRecipe,
    store: &'a Store,
    place: Place,
    against: Option<Vec<Evaluated>>,
    programs: Option<Programs>,
    subject: Subject,
    progress: Progress,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl Session<'_> {
    /// Measures with a suite, writes and shows. The rows that failed, with the reasons; nothing where it was
    /// told to stop.
    fn measure(&mut self, chosen: &Chosen<'_>, out: &mut dyn Write) -> Result<Option<Failed>> {
        let repository = chosen.repository().map(|it| it as &dyn Runner);
        let programs = self.programs.as_ref().map(|it| it as &dyn Runner);
        // A repository's tests use all cores themselves.
        let workers = match repository {
            Some(_) => 1,
            None => truefill_model::threads::available(),
        };
        let choice = Choice {
            seed: self.recipe.seed,
            cache: &self.place.shared,
            workers: self.recipe.workers.unwrap_or(workers),
            progress: &self.progress,
            stop: self.stop,
        };
        let Some((loaded, rows_in_files)) = chosen.rows(&choice)? else {
            return Ok(None);
        };
        let evaluation = Evaluation {
            rows: &loaded.rows,
            backend: &mut *self.subject.backend,
            decoding: &self.recipe.decoding,
            cache: &self.place.cache,
            runner: repository.or(programs),
            workers: choice.workers,
            progress: &self.progress,
            stop: self.stop,
        };
        let outcome = evaluation.run()?;
        if outcome.stopped {
            return Ok(None);
        }
        self.progress.finish();
        let delivery = Delivery {
            folder: &self.place.folder,
            suite: chosen.suite,
            loaded: &loaded,
            rows_in_files,
            recipe: self.recipe,
            info: &self.subject.info,
            runner: repository.or(programs),
        };
        let (evaluated, rows) = delivery.write(&outcome)?;
        add_evidence(self.store, &evaluated)?;
        let compared = match (&self.args.against, &self.against) {
            (Some(folder), Some(earlier)) => compared(folder, earlier, &evaluated, &rows)?,
            _ => None,
        };
        show(self.args, &evaluated, compared.as_ref(), out)?;
        let named = |(row, problem)| (format!("`{row}` of `{}`", evaluated.suite), problem);
        Ok(Some(
            evaluated.failed.clone().into_iter().map(named).collect(),
        ))
    }
}

/// Where results go.
struct Place {
    folder: PathBuf,
    /// The model's own results.
    cache: PathBuf,
    /// What no model has to do with.
    shared: PathBuf,
}

impl Place {
    fn of(args: &EvalArgs, info: &ModelInfo, store: &Path) -> Self {
        let named = || Path::new("evaluations").join(slug(&info.name));
        let shared = args.measured.cache.clone();
        let shared = shared.unwrap_or_else(|| store.join("evaluations"));
        Self {
            folder: args.out.clone().unwrap_or_else(named),
            cache: shared.join(output::short_hash(&info.identity)),
            shared,
        }
    }
}

fn compared(
    folder: &Path,
    earlier: &[Evaluated],
    evaluated: &Evaluated,
    rows: &[RowFigures],
) -> Result<Option<Comparison>> {
    let same = earlier.iter().find(|other| other.suite == evaluated.suite);
    let Some(other) = same else {
        return Ok(None);
    };
    let before = output::read_figures(folder, other)?;
    let compared = compare(&before, rows, evaluated.bootstrap);
    let base = folder.display().to_string();
    let warnings = alike::warnings(
        [&base, &evaluated.model.name],
        [other, evaluated],
        &compared,
    );
    for warning in warnings {
        writeln!(std::io::stderr(), "{}: {warning}", evaluated.suite)?;
    }
    Ok(Some(compared))
}

fn show(
    args: &EvalArgs,
    evaluated: &Evaluated,
    compared: Option<&Comparison>,
    out: &mut dyn Write,
) -> Result<()> {
    if args.measured.json {
        let figures = serde_json::json!({ "evaluated": evaluated, "compared": compared });
        writeln!(out, "{}", serde_json::to_string(&figures)?)?;
        return Ok(());
    }
    for table in tables::of(evaluated) {
        writeln!(out, "{}", table.to_text())?;
    }
    for note in &evaluated.notes {
        writeln!(out, "note: {note}")?;
    }
    if let Some(speed) = &evaluated.speed {
        writeln!(out, "{}", tables::speed(speed))?;
    }
    match (compared, &args.against) {
        (Some(compared), _) => writeln!(out, "{}", tables::differences(compared).to_text())?,
        (None, Some(folder)) => writeln!(
            out,
            "{} has no figures of `{}` to compare with",
            folder.display(),
            evaluated.suite
        )?,
        (None, None) => {}
    }
    Ok(())
}
