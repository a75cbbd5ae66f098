//! A whole run, from its first check to its last state.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use truefill_model::error::ModelError;
use truefill_model::fim::BoundFormat;
use truefill_model::training::{AdamW, GradDecoder};

use super::deliver::{DataFile, provenance};
use super::engine::Computing;
use super::figures::{Around, row};
use super::folder::{Identity, RunFolder, Start};
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
use crate::train::set::{SetCounts, TrainingSet};

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
    /// What becomes of an earlier run in the folder.
    pub start: Start,
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

/// What the watch says.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
struct Diverges {
    sentence: String,
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
    pub counts: SetCounts,
    /// The files that they are of, as they were when the run began.
    pub data: Vec<DataFile>,
    /// Of the weights, where they were measured.
    pub measured: Option<Measured>,
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
    /// The last state on the disk.
    saved: Option<Place>,
    data: Vec<DataFile>,
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
        self.progress.say(&set.counts.sentence());
        let computing = Computing::of(self.recipe)?;
        let held_out = HeldOutRows::open(self.recipe, self.format, &computing.device)?;
        let hash = self.checkpoint_sha256.clone();
        let identity = Identity::of(self.recipe, hash, computing.describe())?;
        let data = provenance(&self.recipe.data, &identity.data)?;
        let folder = RunFolder::open(self.output, &identity, self.start)?;
        let sample = self.sample(&set, &renderer)?;
        (self.show)(&sample)?;
        let mut decoder = engine::load(self.recipe, &computing, self.checkpoint, &renderer)?;
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
                    None => return Ok(self.stopped_before(&set, &decoder, data)),
                }
            }
        };
        let states = States::open(folder.join("states"))?;
        for left in ["best.tmp", "best.old"].map(|name| folder.join(name)) {
            if left.exists() {
                state::tidy(&left)?;
            }
        }
        let settings = engine::adam(self.recipe);
        let say = |sentence: &str| self.progress.say(sentence);
        let resumed = states.resume(&mut decoder, settings, &say)?;
        let saved = resumed.as_ref().map(|(place, _)| place.clone());
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
            held_out,
            metrics: Metrics::open(&folder, place.step, place.measured)?,
            folder,
            states,
            decoder,
            adam,
            saved,
            data,
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

    fn stopped_before(
        &self,
        set: &TrainingSet,
        decoder: &GradDecoder,
        data: Vec<DataFile>,
    ) -> Outcome {
        Outcome {
            weights: None,
            ended: Ended::Stopped,
            place: Place::default(),
            steps: steps(self.recipe, &self.recipe.batches(), set),
            trained_values: decoder.trained_values(),
            counts: set.counts.clone(),
            data,
            measured: None,
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
        self.progress
            .begin_at("training", Some(total), self.place.step);
        let mut planned: Option<(u64, Vec<Vec<MicroBatch>>)> = None;
        loop {
            if self.is_due() {
                match self.measure() {
                    Ok(true) => {}
                    Ok(false) => return self.end(Ended::Stopped),
                    Err(error) => return Err(self.explain(error)),
                }
            }
            let patience = self.recipe.eval.patience;
            if patience.is_some_and(|patience| self.place.stale >= patience) {
                return self.end(Ended::Early);
            }
            let due = self.place.step.is_multiple_of(self.recipe.save.every);
            if due && self.place.step > 0 && self.saved_step() != Some(self.place.step) {
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
        let stepped =
            match self
                .stepper
                .step(&mut self.decoder, &mut self.adam, batches, epoch, rate)
            {
                Ok(stepped) => stepped,
                Err(error) => return Err(self.explain(error)),
            };
        let took = began.elapsed();
        self.place.step += 1;
        self.place.cursor = self.place.cursor.after(plan.len());
        self.place.tokens += stepped.tokens;
        self.tell(&stepped, took);
        self.log(self.row(&stepped, epoch, rate, took));
        let nats = stepped.figures.token_nats();
        if let Some(sentence) = self.place.watch.see(nats, self.recipe.max_rise) {
            return Err(self.explain(Diverges { sentence }.into()));
        }
        // A step was made from the last state, so its weights give numbers.
        if self.saved_step() == Some(number) {
            let sound = self.place.watch.sound();
            self.states.prune(self.recipe.save.keep, sound);
        }
        Ok(())
    }

    /// Figures that cannot be written now are written with the next.
    fn log(&mut self, row: Row) {
        if let Err(error) = self.metrics.write(row) {
            self.progress
                .say(&format!("warning: {error:#}; training goes on"));
        }
    }

    fn saved_step(&self) -> Option<u64> {
        self.saved.as_ref().map(|place| place.step)
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
        self.log(row);
        self.progress.say(&sentence(&measured));
        self.place.measured = Some(step);
        let best = self.place.best;
        let rises = best.is_none_or(|best| measured.exact_match > best.exact_match);
        self.place.stale = if rises { 0 } else { self.place.stale + 1 };
        if best.is_none_or(|best| measured.is_better(&best)) {
            self.keep_best(measured);
        }
        Ok(true)
    }

    /// Keeps the weights as the best; where they cannot be written, those before stay the best. What
    /// lies there may be better: a run that went on from an earlier state, by another way, left it.
    fn keep_best(&mut self, measured: Measured) {
        let mut place = self.place.clone();
        place.best = Some(measured);
        let folder = self.folder.join("best");
        let there = state::unseal(&folder).ok().and_then(|place| place.best);
        let written = match there {
            Some(there) if there.is_better(&measured) => Ok(()),
            _ => state::write(&folder, &place, &self.decoder, None),
        };
        match written {
            Ok(()) => self.place = place,
            Err(error) => self
                .progress
                .say(&format!("warning: {error:#}; training goes on")),
        }
    }

    /// Saves; a disk that is full now may have room at the next state.
    fn save_or_go_on(&mut self) {
        if let Err(error) = self.save() {
            let kept = match self.saved_step() {
                Some(step) => format!("the state of step {step} is kept"),
                None => "there is no state yet".into(),
            };
            self.progress
                .say(&format!("warning: {error:#}; training goes on, {kept}"));
        }
    }

    fn save(&mut self) -> Result<()> {
        self.states.save(&self.place, &self.decoder, &self.adam)?;
        self.saved = Some(self.place.clone());
        Ok(())
    }

    /// What went wrong, and where the run can go on from. A state whose weights give no finite loss, or
    /// that was saved while the loss climbed, is none to go on from.
    fn explain(&mut self, error: anyhow::Error) -> anyhow::Error {
        let step = self.place.step;
        let spoilt =
            error.is::<NotFinite>() || matches!(error.downcast_ref(), Some(ModelError::NotFinite));
        let sound = match (spoilt, error.is::<Diverges>()) {
            (true, _) => step.saturating_sub(1),
            (_, true) => self.place.watch.sound(),
            _ => step,
        };
        match self.states.remove_after(sound) {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => self.progress.say(&format!(
                "removed the states of these steps, which are none to go on from: {removed:?}"
            )),
            Err(error) => self.progress.say(&format!("warning: {error:#}")),
        }
        let kept = match self.states.last() {
            None => "there is no good state yet".to_owned(),
            Some(last) => format!(
                "the last good state is that of step {last} in {}",
                self.folder.join("states").display()
            ),
        };
        self.report("broken off");
        match spoilt {
            true => error.context(format!(
                "step {}: the loss is no number; {kept}; lower `lr` or lengthen the warm-up, and go \
                 on with `--with-changes`",
                step + 1
            )),
            false => error.context(format!("step {step}: {kept}")),
        }
    }

    fn end(mut self, ended: Ended) -> Result<Outcome> {
        if self.saved.as_ref() != Some(&self.place) {
            match (self.save(), ended) {
                (Err(error), Ended::Stopped) => return Err(error),
                // What the run is for can still be delivered.
                (Err(error), _) => self.progress.say(&format!("warning: {error:#}")),
                (Ok(()), _) => {}
            }
        }
        self.report(match ended {
            Ended::Done => "done",
            Ended::Early => "ended early",
            Ended::Stopped => "stopped",
        });
        self.progress.finish();
        let measured = match ended {
            Ended::Stopped => None,
            Ended::Done | Ended::Early => self.take_best(),
        };
        let decoder = self.decoder;
        Ok(Outcome {
            ended,
            steps: self.schedule.steps(),
            trained_values: decoder.trained_values(),
            weights: (ended != Ended::Stopped).then_some(TrainedWeights(decoder)),
            counts: self.stepper.set.counts.clone(),
            place: self.place,
            data: self.data,
            measured,
        })
    }

    /// Goes back to the best weights, and says how good they are.
    fn take_best(&mut self) -> Option<Measured> {
        let best = self.place.best?;
        let folder = self.folder.join("best");
        let there = state::unseal(&folder).ok().and_then(|place| place.best);
        if best.step == self.place.step && there.is_none_or(|there| !there.is_better(&best)) {
            return Some(best);
        }
        match state::restore_parameters(&folder, &mut self.decoder) {
            Ok(place) => place.best,
            Err(error) => {
                self.progress.say(&format!(
                    "warning: the best weights, those of step {}, are lost, and the last ones are \
                     taken: {error:#}",
                    best.step
                ));
                None
            }
        }
    }

    /// The page with the plots. The figures themselves lie elsewhere.
    fn report(&self, how: &str) {
        let path = self.folder.join("report.html");
        if let Err(error) = write_whole(&path, self.page(how).as_bytes()) {
            let shown = path.display();
            self.progress
                .say(&format!("warning: {shown}: not written: {error}"));
        }
    }

    fn page(&self, how: &str) -> String {
        let name = self.stepper.objective.name();
        let counts = &self.stepper.set.counts;
        let best = self.place.best.as_ref().map_or("none".to_owned(), sentence);
        let (step, steps) = (self.place.step, self.schedule.steps());
        let facts = [
            ("Objective", name.to_owned()),
            ("Started from", self.recipe.checkpoint.clone()),
            ("Format", self.renderer.format().name().to_owned()),
            ("Rows", counts.sentence()),
            ("Steps", format!("{step} of {steps}, {how}")),
            ("Trained numbers", self.decoder.trained_values().to_string()),
            ("Best on held-out rows", best),
        ];
        plot::page(&format!("Training: {name}"), &facts, self.metrics.rows())
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
