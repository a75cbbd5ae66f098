//! A whole run, from its first check to its last state.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use truefill_model::fim::BoundFormat;
use truefill_model::training::{AdamW, GradDecoder};

use super::figures::{Around, row};
use super::folder::{Identity, RunFolder};
use super::measure::{HeldOutRows, Measured};
use super::metrics::{Metrics, Row};
use super::state::{self, Place, States};
use super::step::{NotFinite, Stepped, Stepper};
use super::{engine, plot, reference};
use crate::progress::Progress;
use crate::rows::write_whole;
use crate::train::batches::{BatchPlan, MicroBatch};
use crate::train::example::{Rendered, Renderer};
use crate::train::recipe::TrainRecipe;
use crate::train::sample::{self, Colour};
use crate::train::schedule::Schedule;
use crate::train::set::TrainingSet;

/// What a run is given.
pub struct Job<'a> {
    /// What was set.
    pub recipe: &'a TrainRecipe,
    /// The checkpoint's file or folder.
    pub checkpoint: &'a Path,
    /// Its hash.
    pub checkpoint_sha256: String,
    /// The format, bound to the checkpoint's tokenizer.
    pub format: &'a BoundFormat,
    /// The folder of the run.
    pub output: &'a Path,
    /// Throws away what an earlier run left in the folder.
    pub fresh: bool,
    /// Prints the sample.
    pub show: &'a mut dyn FnMut(&str) -> Result<()>,
    /// The sample's colours.
    pub colour: Colour,
    /// Shows how far it is.
    pub progress: &'a Progress,
    /// Asked after each step: whether the user wants it to end.
    pub stop: &'a dyn Fn() -> bool,
    /// What time it is.
    pub clock: &'a dyn Fn() -> SystemTime,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All steps are done.
    Done,
    /// The held-out rows' exact match has not risen for `patience` measurements.
    Early,
    /// The user stopped it; the same command goes on.
    Stopped,
}

/// Trained weights: the best ones where there were measurements, else the last.
pub struct TrainedWeights(pub GradDecoder);

impl std::fmt::Debug for TrainedWeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("trained weights")
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Where the run was not stopped: what it made.
    pub weights: Option<TrainedWeights>,
    /// Why it ended.
    pub ended: Ended,
    /// Where it stands.
    pub place: Place,
    /// Steps of the whole run.
    pub steps: u64,
    /// Numbers that were trained.
    pub trained_values: usize,
    /// The rows, by what became of them.
    pub counts: crate::train::set::SetCounts,
}

/// A run under way.
struct Run<'a> {
    recipe: &'a TrainRecipe,
    stepper: Stepper<'a>,
    renderer: &'a Renderer,
    plan: BatchPlan,
    schedule: Schedule,
    held_out: HeldOutRows,
    folder: RunFolder,
    states: States,
    metrics: Metrics,
    decoder: GradDecoder,
    adam: AdamW,
    place: Place,
    /// The step of the last state on the disk.
    saved: u64,
    progress: &'a Progress,
    stop: &'a dyn Fn() -> bool,
    clock: &'a dyn Fn() -> SystemTime,
}

impl Job<'_> {
    /// Trains, or goes on with a run that was interrupted.
    ///
    /// # Errors
    /// Data that must not be trained on; a loss that is no number or diverges, after which the last
    /// good state is kept; what engine and file system report.
    pub fn run(self) -> Result<Outcome> {
        let renderer = self.recipe.renderer(self.format)?;
        let set = self.recipe.training_set(&renderer)?;
        let identity = Identity::of(self.recipe, self.checkpoint_sha256.clone())?;
        let folder = RunFolder::open(self.output, &identity, self.fresh)?;
        let sample = self.sample(&set, &renderer)?;
        (self.show)(&sample)?;
        let mut decoder = engine::load(self.recipe, self.checkpoint, &renderer)?;
        let plan = self.recipe.batches();
        let objective = self.recipe.objective();
        let references = match objective.needs().reference {
            false => Default::default(),
            true => {
                let file = folder.join("reference.jsonl");
                let (progress, stop) = (self.progress, self.stop);
                let found =
                    reference::of_rows(&decoder, &set, &renderer, &plan, &file, progress, stop)?;
                match found {
                    Some(found) => found,
                    None => return Ok(self.stopped_before(&set, &decoder)),
                }
            }
        };
        let states = States::open(folder.join("states"))?;
        let settings = engine::adam(self.recipe);
        let say = |sentence: &str| self.progress.say(sentence);
        let resumed = states.resume(&mut decoder, settings, &say)?;
        let (place, adam) = resumed.unwrap_or_else(|| (Place::default(), AdamW::new(settings)));
        let run = Run {
            recipe: self.recipe,
            stepper: Stepper {
                objective,
                renderer: &renderer,
                set: &set,
                references,
                clip: self.recipe.clip,
            },
            renderer: &renderer,
            schedule: self.recipe.schedule(steps(self.recipe, &plan, &set)),
            plan,
            held_out: HeldOutRows::open(self.recipe, self.format)?,
            metrics: Metrics::open(&folder, place.step, place.measured)?,
            folder,
            states,
            decoder,
            adam,
            saved: place.step,
            place,
            progress: self.progress,
            stop: self.stop,
            clock: self.clock,
        };
        run.run()
    }

    /// The first row as the model will see it.
    fn sample(&self, set: &TrainingSet, renderer: &Renderer) -> Result<String> {
        let row = set.rows.first().context("rows were found")?;
        match renderer.render(row, 0)? {
            Rendered::Whole(example) => {
                Ok(sample::show(&example, renderer, &row.place, self.colour))
            }
            Rendered::Skipped(skip) => bail!("{}: {skip:?}", row.place),
        }
    }

    fn stopped_before(&self, set: &TrainingSet, decoder: &GradDecoder) -> Outcome {
        Outcome {
            weights: None,
            ended: Ended::Stopped,
            place: Place::default(),
            steps: steps(self.recipe, &self.recipe.batches(), set),
            trained_values: decoder.trained_values(),
            counts: set.counts.clone(),
        }
    }
}

/// Steps of the whole run.
fn steps(recipe: &TrainRecipe, plan: &BatchPlan, set: &TrainingSet) -> u64 {
    recipe.steps.unwrap_or_else(|| {
        let epochs = 0..recipe.epochs;
        epochs
            .map(|epoch| plan.epoch(&set.lengths, epoch).len() as u64)
            .sum()
    })
}

impl Run<'_> {
    fn run(mut self) -> Result<Outcome> {
        let total = self.schedule.steps();
        self.progress.begin("training", Some(total));
        self.progress.at(self.place.step, "");
        let mut planned: Option<(u64, Vec<Vec<MicroBatch>>)> = None;
        loop {
            if self.is_due() && !self.measure()? {
                return self.end(Ended::Stopped);
            }
            let patience = self.recipe.eval.patience;
            if patience.is_some_and(|patience| self.place.stale >= patience) {
                return self.end(Ended::Early);
            }
            if self.place.step.is_multiple_of(self.recipe.save.every)
                && self.saved != self.place.step
            {
                self.save_or_go_on();
            }
            if self.place.step >= total {
                return self.end(Ended::Done);
            }
            if (self.stop)() {
                return self.end(Ended::Stopped);
            }
            let epoch = self.place.cursor.epoch;
            let plan = match planned.take() {
                Some((of, plan)) if of == epoch => plan,
                _ => self.plan.epoch(&self.stepper.set.lengths, epoch),
            };
            self.step(&plan)?;
            planned = Some((epoch, plan));
        }
    }

    /// The weights are to be measured as they are: before the first step, without which no figure says
    /// whether training helped, then every so many steps, and at the end.
    fn is_due(&self) -> bool {
        let step = self.place.step;
        let last = step >= self.schedule.steps();
        !self.held_out.is_empty()
            && self.place.measured != Some(step)
            && (step.is_multiple_of(self.recipe.eval.every) || last)
    }

    /// One step with all that follows from it.
    fn step(&mut self, plan: &[Vec<MicroBatch>]) -> Result<()> {
        let (epoch, number) = (self.place.cursor.epoch, self.place.step);
        let rate = self.recipe.learning_rate() * self.schedule.factor(number);
        let began = Instant::now();
        let batches = &plan[self.place.cursor.step];
        let stepped = self
            .stepper
            .step(&mut self.decoder, &mut self.adam, batches, epoch, rate)
            .map_err(|error| self.explain(error))?;
        let took = began.elapsed();
        self.place.step += 1;
        self.place.cursor = self.place.cursor.after(plan.len());
        self.place.tokens += stepped.tokens;
        if let Some(diverges) = self.place.watch.see(stepped.figures.loss) {
            return Err(self.explain(anyhow::anyhow!("{diverges}")));
        }
        self.tell(&stepped, took);
        self.metrics.write(self.row(&stepped, epoch, rate, took))
    }

    fn row(&self, stepped: &Stepped, epoch: u64, rate: f64, took: Duration) -> Row {
        let now = (self.clock)()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let around = Around {
            step: self.place.step,
            epoch,
            seconds: now.as_secs_f64(),
            rate,
            tokens: self.place.tokens,
            took: took.as_secs_f64(),
        };
        row(stepped, &around)
    }

    fn tell(&self, stepped: &Stepped, took: Duration) {
        let rate = stepped.tokens as f64 / took.as_secs_f64().max(1e-9);
        let loss = stepped.figures.loss;
        self.progress.at(
            self.place.step,
            &format!("loss {loss:.4}, {rate:.0} tokens/s"),
        );
    }

    /// Measures, and keeps the best weights. False where the user wants to stop.
    fn measure(&mut self) -> Result<bool> {
        let step = self.place.step;
        let measured = self.held_out.measure(&mut self.decoder, step, self.stop)?;
        let Some(measured) = measured else {
            return Ok(false);
        };
        let now = (self.clock)()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut row = Row::from([("step", step as f64), ("seconds", now.as_secs_f64())]);
        row.extend(measured.columns());
        self.metrics.write(row)?;
        self.progress.say(&sentence(&measured));
        self.place.measured = Some(step);
        let best = self.place.best;
        if best.is_some_and(|best| !measured.is_better(&best)) {
            self.place.stale += 1;
            return Ok(true);
        }
        self.place.best = Some(measured);
        self.place.stale = 0;
        let target = self.folder.join("best");
        if let Err(error) = state::write(&target, &self.place, &self.decoder, None) {
            self.progress
                .say(&format!("warning: {error:#}; training goes on"));
        }
        Ok(true)
    }

    /// Saves; a disk that is full now may have room at the next state.
    fn save_or_go_on(&mut self) {
        if let Err(error) = self.save() {
            let saved = self.saved;
            self.progress.say(&format!(
                "warning: {error:#}; training goes on, the state of step {saved} is kept"
            ));
        }
    }

    fn save(&mut self) -> Result<()> {
        let keep = self.recipe.save.keep;
        self.states
            .save(&self.place, &self.decoder, &self.adam, keep)?;
        self.saved = self.place.step;
        Ok(())
    }

    /// What went wrong, and where the run can go on from.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let step = self.place.step;
        let kept = match self.saved {
            0 => "no state was saved yet".to_owned(),
            saved => format!(
                "the last good state is that of step {saved} in {}",
                self.folder.join("states").display()
            ),
        };
        match error.is::<NotFinite>() {
            true => error.context(format!("step {}: the loss is no number; {kept}", step + 1)),
            false => error.context(format!("step {step}: {kept}")),
        }
    }

    fn end(mut self, ended: Ended) -> Result<Outcome> {
        self.save()?;
        let page = self.page(ended);
        let path = self.folder.join("report.html");
        write_whole(&path, page.as_bytes()).with_context(|| path.display().to_string())?;
        self.progress.finish();
        let (steps, best) = (self.schedule.steps(), self.folder.join("best"));
        let Self {
            mut decoder,
            place,
            stepper,
            ..
        } = self;
        if place.best.is_some_and(|best| best.step != place.step) && ended != Ended::Stopped {
            state::restore_parameters(&best, &mut decoder)?;
        }
        Ok(Outcome {
            ended,
            steps,
            trained_values: decoder.trained_values(),
            weights: (ended != Ended::Stopped).then_some(TrainedWeights(decoder)),
            counts: stepper.set.counts.clone(),
            place,
        })
    }

    fn page(&self, ended: Ended) -> String {
        let name = self.stepper.objective.name();
        let best = self.place.best.as_ref().map_or("none".to_owned(), sentence);
        let facts = [
            ("Objective", name.to_owned()),
            ("Started from", self.recipe.checkpoint.clone()),
            ("Format", self.renderer.format().name().to_owned()),
            ("Rows", self.stepper.set.counts.kept.to_string()),
            (
                "Steps",
                format!(
                    "{} of {}, {}",
                    self.place.step,
                    self.schedule.steps(),
                    how(ended)
                ),
            ),
            ("Trained numbers", self.decoder.trained_values().to_string()),
            ("Best on held-out rows", best),
        ];
        plot::page(&format!("Training: {name}"), &facts, self.metrics.rows())
    }
}

fn how(ended: Ended) -> &'static str {
    match ended {
        Ended::Done => "done",
        Ended::Early => "ended early",
        Ended::Stopped => "stopped",
    }
}

/// A measurement for people.
pub fn sentence(measured: &Measured) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut text = format!(
        "step {}, {} held-out rows: exact match {}, edit similarity {}, ended {}, too long {}, chosen {:.2} \
         nats",
        measured.step,
        measured.rows,
        percent(measured.exact_match),
        percent(measured.edit_similarity),
        percent(measured.end_rate),
        percent(measured.over_generation),
        measured.chosen_log_prob,
    );
    if measured.pairs > 0 {
        text += &format!(
            ", rejected {:.2} nats, chosen the likelier in {}",
            measured.rejected_log_prob,
            percent(measured.preference_accuracy)
        );
    }
    text
}
