//! A run from its first check to its first step: what it is given, and what it comes to.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use truefill_model::adapter::Adapter;
use truefill_model::fim::BoundFormat;
use truefill_model::training::{AdamW, GradDecoder};

use super::course::Run;
use super::deliver::{DataFile, provenance};
use super::engine::Computing;
use super::folder::{Identity, RunFolder, Start};
use super::measure::{HeldOutRows, Measured};
use super::metrics::Metrics;
use super::state::{self, Place, States};
use super::step::Stepper;
use super::{engine, reference};
use crate::progress::Progress;
use crate::train::batches::BatchPlan;
use crate::train::example::{Rendered, Renderer};
use crate::train::recipe::TrainRecipe;
use crate::train::sample::{self, Colour};
use crate::train::set::{SetCounts, TrainingSet};

/// What a run is given.
pub struct Job<'a> {
    /// What was set.
    pub recipe: &'a TrainRecipe,
    /// The checkpoint's file or folder.
    pub checkpoint: &'a Path,
    /// What is added to it, which is then trained further.
    pub adapter: Option<&'a Adapter>,
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

impl Outcome {
    /// The best measurement: of the weights that are handed over, or of this run so far.
    pub fn best(&self) -> Option<Measured> {
        match self.ended {
            Ended::Stopped => self.place.best,
            // Without those of the best weights, which may be lost.
            Ended::Done | Ended::Early => self.measured,
        }
    }
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
        if let Some(sentence) = held_out.sentence() {
            self.progress.say(&sentence);
        }
        let hash = self.checkpoint_sha256.clone();
        let identity = Identity::of(self.recipe, hash, computing.describe())?;
        let data = provenance(&self.recipe.data, &identity.data, &set.files);
        let folder = RunFolder::open(self.output, &identity, self.start)?;
        let sample = self.sample(&set, &renderer)?;
        (self.show)(&sample)?;
        let mut decoder = engine::load(
            self.recipe,
            &computing,
            self.checkpoint,
            self.adapter,
            &renderer,
        )?;
        let states = States::open(folder.join("states"))?;
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
                    None => return Ok(self.stopped_before(&set, &decoder, data, &states)),
                }
            }
        };
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
        states: &States,
    ) -> Outcome {
        Outcome {
            weights: None,
            ended: Ended::Stopped,
            place: states.place().unwrap_or_default(),
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
