//! One step: forward, grade, backward, clip, move.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use truefill_model::training::{AdamW, Batch, GradDecoder, Sequence, clip_factor};

use crate::kept::Key;
use crate::train::batches::MicroBatch;
use crate::train::example::{Example, Rendered, Renderer};
use crate::train::objective::{
    ChosenLogs, ChosenMask, Figures, Graded, Objective, ObjectiveError, PromptLogs, Reference,
    RejectedLogs, RejectedMask, RowLogs, Window,
};
use crate::train::set::TrainingSet;

/// What a step is made with.
pub struct Stepper<'a> {
    /// What is minimised.
    pub objective: Objective,
    /// Turns rows into examples.
    pub renderer: &'a Renderer,
    /// The rows.
    pub set: &'a TrainingSet,
    /// The reference's numbers by [`Example::key`], where the objective needs them.
    pub references: HashMap<Key, Reference>,
    /// Gradients of a larger norm are scaled down to it; 0 leaves them.
    pub clip: f64,
}

/// What a step did.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// Over the step's rows.
    pub figures: Figures,
    /// Of the gradients, before they were clipped.
    pub norm: f64,
    /// Tokens computed.
    pub tokens: u64,
}

/// The loss or a gradient is no number: the weights were not moved.
#[derive(Debug, thiserror::Error)]
#[error("{what}; the weights were not changed by this step")]
pub struct NotFinite {
    what: String,
}

impl Stepper<'_> {
    /// Does a step at the learning rate `rate`.
    ///
    /// # Errors
    /// [`NotFinite`]; what the engine reports.
    pub fn step(
        &self,
        decoder: &mut GradDecoder,
        adam: &mut AdamW,
        batches: &[MicroBatch],
        epoch: u64,
        rate: f64,
    ) -> Result<Stepped> {
        let mut window = Window::default();
        let mut rendered = Vec::with_capacity(batches.len());
        for rows in batches {
            let examples = self.render(rows, epoch)?;
            examples
                .iter()
                .for_each(|example| example.count(&mut window));
            rendered.push(examples);
        }
        let (mut figures, mut tokens) = (Figures::default(), 0);
        for examples in &rendered {
            let graded = self.pass(decoder, examples, &window);
            let (of_batch, computed) = match graded {
                Ok(graded) => graded,
                Err(error) => {
                    decoder.clear_gradients()?;
                    return Err(error);
                }
            };
            figures.add(&of_batch);
            tokens += computed as u64;
        }
        let norm = decoder.gradient_norm()?;
        if !norm.is_finite() || !figures.loss.is_finite() {
            decoder.clear_gradients()?;
            let what = format!(
                "the loss is {} and the gradients' norm {norm}",
                figures.loss
            );
            return Err(NotFinite { what }.into());
        }
        let factor = match self.clip > 0.0 {
            true => clip_factor(norm, self.clip),
            false => 1.0,
        };
        adam.step(decoder, rate, factor)?;
        Ok(Stepped {
            figures,
            norm,
            tokens,
        })
    }

    fn render(&self, rows: &[usize], epoch: u64) -> Result<Vec<Example>> {
        let examples = rows.iter().map(|row| {
            let row = &self.set.rows[*row];
            match self.renderer.render(row, epoch)? {
                Rendered::Whole(example) => Ok(*example),
                Rendered::Skipped(skip) => {
                    anyhow::bail!(
                        "{}: was rendered once and is not any more: {skip:?}",
                        row.place
                    )
                }
            }
        });
        examples.collect()
    }

    /// The forward and backward pass of a micro-batch.
    fn pass(
        &self,
        decoder: &mut GradDecoder,
        examples: &[Example],
        window: &Window,
    ) -> Result<(Figures, usize)> {
        let batch = batch(decoder, examples, self.objective.needs().prompt)?;
        let forward = decoder.forward(&batch)?;
        let mut logs = &forward.scores().log_probabilities[..];
        let mut coefficients = Vec::with_capacity(logs.len());
        let mut figures = Figures::default();
        for example in examples {
            let graded = self.grade(example, &mut logs, window);
            let graded = graded.map_err(|error| match error.downcast::<ObjectiveError>() {
                Ok(ObjectiveError::NotFinite { side, found }) => NotFinite {
                    what: format!("a {side} token has the log-probability {found}"),
                }
                .into(),
                Ok(error) => error.into(),
                Err(error) => error,
            })?;
            figures.add(&graded.figures);
            push(
                &mut coefficients,
                example,
                &graded,
                self.objective.needs().prompt,
            );
        }
        decoder.backward(forward, &coefficients)?;
        Ok((figures, batch.tokens()))
    }

    /// Grades a row by the first of `logs`, which it takes.
    fn grade(&self, example: &Example, logs: &mut &[f32], window: &Window) -> Result<Graded> {
        let mut take = |count: usize| {
            let (taken, rest) = logs.split_at(count);
            *logs = rest;
            taken
        };
        let needs = self.objective.needs();
        let prompt = needs
            .prompt
            .then(|| PromptLogs(take(example.prompt.len() - 1)));
        let chosen = ChosenLogs(take(example.chosen.len()));
        let rejected = RejectedLogs(take(example.rejected.len()));
        let reference = match needs.reference {
            false => None,
            true => {
                let found = self.references.get(&example.key()).copied();
                Some(found.context("a row without the reference's numbers")?)
            }
        };
        let row = RowLogs {
            prompt,
            chosen,
            rejected,
            reference,
            chosen_mask: ChosenMask(&example.chosen_marks),
            rejected_mask: RejectedMask(&example.rejected_marks),
        };
        Ok(self.objective.grade(&row, window)?)
    }
}

/// The sequences of examples for the engine.
///
/// # Errors
/// What the engine says of them.
pub fn batch(decoder: &GradDecoder, examples: &[Example], prompt: bool) -> Result<Batch> {
    let sequences = examples
        .iter()
        .flat_map(|example| example.sequences(prompt));
    let sequences =
        sequences.map(|sequence| Sequence::completion(sequence.tokens, sequence.targets.start));
    Ok(Batch::new(
        sequences.collect(),
        decoder.config().vocabulary,
    )?)
}

/// The summed log-probabilities of both completions of each example, by a batch's numbers; 0 for one
/// that is not there.
pub fn sums(examples: &[Example], logs: &[f32]) -> Vec<(f64, f64)> {
    let mut logs = logs.iter().copied().map(f64::from);
    let mut sum = |count: usize| logs.by_ref().take(count).sum::<f64>();
    let sides = examples.iter();
    sides
        .map(|example| (sum(example.chosen.len()), sum(example.rejected.len())))
        .collect()
}

/// Appends a row's derivatives, in the order of its log-probabilities; an empty list is zeros.
fn push(coefficients: &mut Vec<f32>, example: &Example, graded: &Graded, prompt: bool) {
    let prompt = if prompt { example.prompt.len() - 1 } else { 0 };
    let parts = [
        (&graded.prompt, prompt),
        (&graded.chosen, example.chosen.len()),
        (&graded.rejected, example.rejected.len()),
    ];
    for (part, count) in parts {
        match part.is_empty() {
            true => coefficients.extend(std::iter::repeat_n(0.0, count)),
            false => coefficients.extend(part.iter().map(|value| *value as f32)),
        }
    }
}
