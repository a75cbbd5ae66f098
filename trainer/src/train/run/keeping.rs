//! What a run keeps: states to go on from, the best weights, and what its end hands over.

use anyhow::Result;
use truefill_model::error::ModelError;

use super::course::Run;
use super::job::{Ended, Outcome, TrainedWeights};
use super::measure::Measured;
use super::step::NotFinite;
use super::{plot, state};
use crate::rows::write_whole;

/// What the watch says.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub(super) struct Diverges {
    pub(super) sentence: String,
}

/// What helps against weights that give no numbers.
const SLOWER: &str = "lower `lr` or lengthen the warm-up, and go on with `--with-changes`";

/// The weights are what is wrong.
fn is_spoilt(error: &anyhow::Error) -> bool {
    let of_model = error.downcast_ref();
    error.is::<NotFinite>()
        || matches!(
            of_model,
            Some(ModelError::NotFinite | ModelError::WeightNotFinite { .. })
        )
}

impl Run<'_> {
    /// Keeps the weights as the best; where they cannot be written, those before stay the best. What
    /// lies there may be better: a run that went on from an earlier state, by another way, left it.
    pub(super) fn keep_best(&mut self, measured: Measured) {
        let mut place = self.place.clone();
        place.best = Some(measured);
        let folder = self.folder.join("best");
        let written = match self.best_there() {
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

    /// How good the weights are that lie there as the best.
    fn best_there(&self) -> Option<Measured> {
        state::unseal(&self.folder.join("best")).ok()?.best
    }

    /// Saves; a disk that is full now may have room at the next state.
    pub(super) fn save_or_go_on(&mut self) {
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

    /// What went wrong in a step, and where the run can go on from. A state whose weights give no finite
    /// loss, or that was saved while the loss climbed, is none to go on from.
    pub(super) fn explain(&mut self, error: anyhow::Error) -> anyhow::Error {
        let step = self.place.step;
        let spoilt = is_spoilt(&error);
        let sound = match (spoilt, error.is::<Diverges>()) {
            (true, _) => step.saturating_sub(1),
            (_, true) => self.place.watch.sound(),
            _ => step,
        };
        let kept = self.break_off(sound);
        match spoilt {
            true => error.context(format!(
                "step {}: the loss is no number; {kept}; {SLOWER}",
                step + 1
            )),
            false => error.context(format!("step {step}: {kept}")),
        }
    }

    /// What went wrong in a measurement: it is made as the weights would be served, so the loss may be a
    /// number yet.
    pub(super) fn explain_measurement(&mut self, error: anyhow::Error) -> anyhow::Error {
        let step = self.place.step;
        let spoilt = is_spoilt(&error);
        let kept = self.break_off(match spoilt {
            true => step.saturating_sub(1),
            false => step,
        });
        match (spoilt, step) {
            (true, 0) => error.context(
                "measuring before step 1: the checkpoint gives no finite numbers as it would be served; \
                 start from another one, or take `data` out of `[train.eval]`",
            ),
            (true, _) => error.context(format!(
                "measuring after step {step}: the weights give no finite numbers as they would be \
                 served; {kept}; {SLOWER}"
            )),
            (false, _) => error.context(format!("measuring after step {step}: {kept}")),
        }
    }

    /// Removes the states after the step `sound` and writes the report; what is left to go on from.
    fn break_off(&mut self, sound: u64) -> String {
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
        self.report("broken off", self.place.best);
        kept
    }

    pub(super) fn end(mut self, ended: Ended) -> Result<Outcome> {
        if self.saved.as_ref() != Some(&self.place) {
            match (self.save(), ended) {
                (Err(error), Ended::Stopped) => return Err(error),
                // What the run is for can still be delivered.
                (Err(error), _) => self.progress.say(&format!("warning: {error:#}")),
                (Ok(()), _) => {}
            }
        }
        let measured = match ended {
            Ended::Stopped => None,
            Ended::Done | Ended::Early => self.take_best(),
        };
        let how = match ended {
            Ended::Done => "done",
            Ended::Early => "ended early",
            Ended::Stopped => "stopped",
        };
        self.report(how, measured.or(self.place.best));
        self.progress.finish();
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
        let there = self.best_there();
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
    fn report(&self, how: &str, best: Option<Measured>) {
        let path = self.folder.join("report.html");
        if let Err(error) = write_whole(&path, self.page(how, best).as_bytes()) {
            let shown = path.display();
            self.progress
                .say(&format!("warning: {shown}: not written: {error}"));
        }
    }

    fn page(&self, how: &str, best: Option<Measured>) -> String {
        let name = self.stepper.objective.name();
        let counts = &self.stepper.set.counts;
        let best = best.as_ref().map_or("none".to_owned(), sentence);
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
