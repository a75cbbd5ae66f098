//! A run under way: steps, figures and measurements.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use truefill_model::training::{AdamW, GradDecoder};

use super::deliver::DataFile;
use super::figures::{Around, row};
use super::folder::RunFolder;
use super::job::{Ended, Outcome};
use super::keeping::{Diverges, sentence};
use super::measure::HeldOutRows;
use super::metrics::{Metrics, Row};
use super::state::{Place, States};
use super::step::{Stepped, Stepper};
use crate::progress::Progress;
use crate::train::batches::{BatchPlan, MicroBatch};
use crate::train::example::Renderer;
use crate::train::recipe::TrainRecipe;
use crate::train::schedule::Schedule;

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) recipe: &'a TrainRecipe,
    pub(super) stepper: Stepper<'a>,
    pub(super) renderer: &'a Renderer,
    pub(super) plan: BatchPlan,
    pub(super) schedule: Schedule,
    pub(super) held_out: HeldOutRows,
    pub(super) folder: RunFolder,
    pub(super) states: States,
    pub(super) metrics: Metrics,
    pub(super) decoder: GradDecoder,
    pub(super) adam: AdamW,
    pub(super) place: Place,
    /// The last state on the disk.
    pub(super) saved: Option<Place>,
    pub(super) data: Vec<DataFile>,
    pub(super) progress: &'a Progress,
    pub(super) stop: &'a dyn Fn() -> bool,
    pub(super) clock: &'a dyn Fn() -> SystemTime,
}

impl Run<'_> {
    /// Steps, measurements and states, to the run's end.
    pub(super) fn run(mut self) -> Result<Outcome> {
        let total = self.schedule.steps();
        // Its time is none of the first step's.
        if self.is_due() {
            self.progress.begin("measuring", None);
            if !self.measure()? {
                return self.end(Ended::Stopped);
            }
        }
        self.progress
            .begin_at("training", Some(total), self.place.step);
        let mut planned: Option<(u64, Vec<Vec<MicroBatch>>)> = None;
        loop {
            if self.is_due() && !self.measure()? {
                return self.end(Ended::Stopped);
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

    pub(super) fn saved_step(&self) -> Option<u64> {
        self.saved.as_ref().map(|place| place.step)
    }

    /// Seconds since 1970 UTC.
    fn seconds(&self) -> f64 {
        let now = (self.clock)().duration_since(UNIX_EPOCH);
        now.unwrap_or_default().as_secs_f64()
    }

    fn row(&self, stepped: &Stepped, epoch: u64, rate: f64, took: Duration) -> Row {
        let around = Around {
            step: self.place.step,
            epoch,
            seconds: self.seconds(),
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
        let measured = match self.held_out.measure(&mut self.decoder, step, self.stop) {
            Ok(Some(measured)) => measured,
            Ok(None) => return Ok(false),
            Err(error) => return Err(self.explain_measurement(error)),
        };
        let mut row = Row::from([("step", step as f64), ("seconds", self.seconds())]);
        row.extend(measured.columns());
        self.log(row);
        self.progress.say(&sentence(&measured));
        if self.place.see(&measured) {
            self.keep_best(measured);
        }
        Ok(true)
    }
}
