//! Figures on held-out rows during training: what the checkpoint would do if it were served now.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use candle_core::Device;
use serde::{Deserialize, Serialize};
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::error::ModelError;
use truefill_model::fim::BoundFormat;
use truefill_model::generate::{Flow, Limits, Sampling, StopReason, generate};
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;
use truefill_model::training::GradDecoder;
use truefill_model::weights::{MemoryWeights, Naming, WeightDtype};

use super::step::{batch, sums};
use crate::eval::cut::lines::over_generates;
use crate::eval::metrics::exact::Normalisation;
use crate::eval::metrics::levenshtein;
use crate::train::example::{Example, Rendered};
use crate::train::recipe::TrainRecipe;
use crate::train::set::{SetCounts, Spelled};

/// Rows whose probabilities are computed at once at most.
const AT_ONCE: usize = 8;

/// What was measured after a step. Shares are of `rows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Steps that were done.
    pub step: u64,
    /// Rows measured.
    pub rows: u64,
    /// Share of the greedy completions that are the golden one, white space collapsed.
    pub exact_match: f64,
    /// 1 − Levenshtein's distance in characters over the longer one's, the average.
    pub edit_similarity: f64,
    /// Share of the completions that ended by themselves.
    pub end_rate: f64,
    /// Share of the completions with more lines than the golden one.
    pub over_generation: f64,
    /// The golden completion's log-probability in nats, its end included; the average.
    pub chosen_log_prob: f64,
    /// The same of a rejected completion, the average over pairs; 0 without pairs.
    pub rejected_log_prob: f64,
    /// By how much a pair's golden completion is likelier, in nats; the average over pairs.
    pub margin: f64,
    /// Share of the pairs whose golden completion is likelier.
    pub preference_accuracy: f64,
    /// Rows with a rejected completion.
    pub pairs: u64,
}

impl Measured {
    /// Whether it is better than another: by exact match, then by the golden completions'
    /// probability.
    pub fn is_better(&self, other: &Self) -> bool {
        let key = |m: &Self| (m.exact_match, m.chosen_log_prob);
        key(self) > key(other)
    }

    /// The columns of the figures' file, those alone that there are rows for.
    pub fn columns(&self) -> Vec<(&'static str, f64)> {
        let mut columns = vec![
            ("eval_rows", self.rows as f64),
            ("eval_exact_match", self.exact_match),
            ("eval_edit_similarity", self.edit_similarity),
            ("eval_end_rate", self.end_rate),
            ("eval_over_generation", self.over_generation),
            ("eval_chosen_log_prob", self.chosen_log_prob),
        ];
        if self.pairs > 0 {
            columns.extend([
                ("eval_rejected_log_prob", self.rejected_log_prob),
                ("eval_margin", self.margin),
                ("eval_preference_accuracy", self.preference_accuracy),
            ]);
        }
        columns
    }
}

/// The rows that are measured.
pub struct HeldOutRows {
    examples: Vec<(Example, String)>,
    /// The rows that were drawn until there were enough, by what became of them.
    drawn: SetCounts,
    /// Rows of the files.
    in_files: usize,
    tokenizer: Tokenizer,
    stop: Vec<TokenId>,
    max_tokens: usize,
    /// Rows and positions of a training step that are computed at once.
    at_once: (usize, usize),
    device: Device,
}

impl HeldOutRows {
    /// Reads the rows of `[train.eval]`, and renders those that the seed draws: without variation, both
    /// completions where there are two. They are measured on `device`.
    ///
    /// # Errors
    /// Where a file cannot be read, or files are named and none of their rows can be measured.
    pub fn open(recipe: &TrainRecipe, format: &BoundFormat, device: &Device) -> Result<Self> {
        let alone = recipe.held_out_renderer(format, false)?;
        let both = recipe.held_out_renderer(format, true)?;
        let spelled = Spelled::of(&alone);
        let rows = recipe.held_out_rows()?;
        let in_files = rows.len();
        let mut examples = Vec::new();
        let mut drawn = SetCounts::default();
        for row in rows {
            if examples.len() == recipe.eval.rows {
                break;
            }
            drawn.read += 1;
            if spelled.find(&row).is_some() {
                drawn.sentinel += 1;
                continue;
            }
            let renderer = match row.rejected {
                Some(_) => &both,
                None => &alone,
            };
            match renderer.render(&row, 0)? {
                Rendered::Whole(example) => examples.push((*example, row.chosen)),
                Rendered::Skipped(skip) => *drawn.skipped.entry(skip).or_default() += 1,
            }
        }
        drawn.kept = examples.len() as u64;
        ensure!(
            !examples.is_empty() || recipe.eval.data.is_empty(),
            "section `[train.eval]`: expected rows to measure in {}, found none: of {in_files} that were \
             read, {}",
            named(&recipe.eval.data),
            drawn.left_out()
        );
        let mut stop = alone.format().stop_tokens().to_vec();
        stop.push(alone.end());
        Ok(Self {
            examples,
            drawn,
            in_files,
            tokenizer: alone.tokenizer().clone(),
            stop,
            max_tokens: recipe.eval.max_tokens,
            at_once: (recipe.rows_at_once.min(AT_ONCE), recipe.tokens_at_once),
            device: device.clone(),
        })
    }

    /// How many rows are measured and what became of the others; nothing where there are none.
    pub fn sentence(&self) -> Option<String> {
        let SetCounts { read, kept, .. } = self.drawn;
        let mut text = format!("{kept} of {} held-out rows are measured", self.in_files);
        if kept < read {
            let others = self.drawn.left_out();
            text += &format!(
                "; of the {} that were drawn beside them {others}",
                read - kept
            );
        }
        (!self.is_empty()).then_some(text)
    }

    /// Nothing is to be measured.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// Measures the weights as they are after `step` steps: completions by the engine that serves,
    /// probabilities by the one that trains. `None` where `stop` said so.
    ///
    /// # Errors
    /// What the engines report.
    pub fn measure(
        &self,
        decoder: &mut GradDecoder,
        step: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Measured>> {
        let mut measured = Measured {
            step,
            rows: self.examples.len() as u64,
            ..Measured::default()
        };
        let served = served(decoder, &self.device, self.positions())?;
        let mut cache = served.cache(self.positions())?;
        for (example, golden) in &self.examples {
            if stop() {
                return Ok(None);
            }
            let limits = Limits {
                max_new_tokens: self.max_tokens,
                stop_tokens: &self.stop,
                banned_before_text: &[],
                deadline: None,
            };
            let found = generate(
                &served,
                &mut cache,
                &self.tokenizer,
                &example.prompt,
                Sampling::GREEDY,
                &limits,
                &Instant::now,
                &|| false,
                &mut |_| Flow::Continue,
            )?;
            measured.see(
                &found.text,
                golden,
                matches!(found.stop, StopReason::StopToken(_)),
            );
        }
        drop(served);
        let mut rest = &self.examples[..];
        while !rest.is_empty() {
            if stop() {
                return Ok(None);
            }
            let (part, others) = rest.split_at(self.fitting(rest));
            let examples: Vec<Example> = part.iter().map(|(example, _)| example.clone()).collect();
            measured.score(decoder, &examples)?;
            rest = others;
        }
        measured.divide();
        // What is no number could not be read again from a state.
        match measured.chosen_log_prob.is_finite() && measured.rejected_log_prob.is_finite() {
            true => Ok(Some(measured)),
            false => Err(ModelError::NotFinite.into()),
        }
    }

    /// How many of the first rows fit into what a training step computes at once; at least one.
    fn fitting(&self, rows: &[(Example, String)]) -> usize {
        let (most, positions) = self.at_once;
        let mut longest = 0;
        let fits = rows.iter().take(most).enumerate().take_while(|(at, row)| {
            longest = longest.max(row.0.positions());
            longest * (at + 1) <= positions
        });
        fits.count().max(1)
    }

    fn positions(&self) -> usize {
        let longest = self
            .examples
            .iter()
            .map(|(example, _)| example.prompt.len());
        longest.max().unwrap_or_default() + self.max_tokens + 1
    }
}

fn named(files: &[PathBuf]) -> String {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(", ")
}

impl Measured {
    fn see(&mut self, found: &str, golden: &str, ended: bool) {
        let exact = Normalisation::Collapse.matches(found, golden);
        self.exact_match += f64::from(u8::from(exact));
        self.edit_similarity += levenshtein::similarity(found, golden);
        self.end_rate += f64::from(u8::from(ended));
        self.over_generation += f64::from(u8::from(over_generates(found, golden)));
    }

    fn score(&mut self, decoder: &GradDecoder, examples: &[Example]) -> Result<()> {
        let scores = decoder.score(&batch(decoder, examples, false)?)?;
        let sums = sums(examples, &scores.log_probabilities);
        for (example, (chosen, rejected)) in examples.iter().zip(sums) {
            self.chosen_log_prob += chosen;
            if !example.rejected.is_empty() {
                self.rejected_log_prob += rejected;
                self.margin += chosen - rejected;
                self.preference_accuracy += f64::from(u8::from(chosen > rejected));
                self.pairs += 1;
            }
        }
        Ok(())
    }

    fn divide(&mut self) {
        let (rows, pairs) = (self.rows.max(1) as f64, self.pairs.max(1) as f64);
        self.exact_match /= rows;
        self.edit_similarity /= rows;
        self.end_rate /= rows;
        self.over_generation /= rows;
        self.chosen_log_prob /= rows;
        self.rejected_log_prob /= pairs;
        self.margin /= pairs;
        self.preference_accuracy /= pairs;
    }
}

/// The weights as serving would hold them.
fn served(decoder: &mut GradDecoder, device: &Device, positions: usize) -> Result<Decoder> {
    decoder.merge()?;
    let built = build(decoder, device, positions);
    decoder.unmerge()?;
    built
}

fn build(decoder: &GradDecoder, device: &Device, positions: usize) -> Result<Decoder> {
    let names = decoder.parameters().iter().map(|p| p.name.as_str());
    let naming = match names.clone().any(|name| name.starts_with("blk.")) {
        true => Naming::Gguf,
        false => Naming::Hub,
    };
    let mut weights = MemoryWeights::new(naming);
    for parameter in decoder.parameters() {
        let values = decoder.values(&parameter.name)?;
        weights.insert(
            &*parameter.name,
            WeightDtype::F32,
            &parameter.shape,
            &values,
        )?;
    }
    let config = decoder.config().clone();
    let precision = Precision::Serving;
    Ok(match device {
        Device::Cpu => Decoder::on_cpu(config, &weights, precision, positions)?,
        device => Decoder::on_device(config, &weights, device, precision, positions)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A right completion, a half-right one that never ends, and one that goes on too long.
    #[test]
    fn completions_are_compared_with_the_golden_ones() {
        let mut measured = Measured {
            rows: 3,
            ..Measured::default()
        };
        measured.see("a(b,  c)", "a(b, c)", true);
        measured.see("abcd", "abxy", false);
        measured.see("one\ntwo\nthree\n", "one\ntwo\n", true);
        measured.divide();
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-12;
        assert!(near(measured.exact_match, 1.0 / 3.0), "{measured:?}");
        assert!(near(measured.end_rate, 2.0 / 3.0), "{measured:?}");
        assert!(near(measured.over_generation, 1.0 / 3.0), "{measured:?}");
        let similar = (7.0 / 8.0 + 0.5 + 8.0 / 14.0) / 3.0;
        assert!(near(measured.edit_similarity, similar), "{measured:?}");
        let columns = measured.columns();
        assert!(columns.iter().all(|(name, _)| !name.contains("rejected")));
        let pairs = Measured {
            pairs: 2,
            margin: 3.0,
            ..measured
        };
        assert!(pairs.columns().contains(&("eval_margin", 3.0)));
    }
}
