//! The checkpoint's own wrong samples: negatives that the student makes itself.
//!
//! One thread owns the model. Samples of one hole share its prompt, so only the first one reads it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use truefill_model::checkpoint::Checkpoint;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::fim::{BoundFormat, Budget, FimFormat, PromptParts};
use truefill_model::generate::{Flow, Limits, Sampling, generate};
use truefill_model::kv::KvCache;
use truefill_model::tokenizer::Tokenizer;

use super::generator::{Answered, Generator, Outcome, Proposal};
use super::scene::Scene;
use crate::rows::HallucinationType;

/// Counts up with every change to how samples are drawn or cut.
const VERSION: &str = "local-1";

/// The model, and how it is sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalConfig {
    /// The checkpoint's file or folder.
    pub model: Option<PathBuf>,
    /// Name of the FIM format; the tokenizer tells where none is named.
    pub format: Option<String>,
    /// Samples of each hole.
    pub samples: usize,
    /// Above 0: greedy samples of one prompt are all the same.
    pub temperature: f32,
    /// Share of the probability to sample from.
    pub top_p: f32,
    /// Tokens of a prompt at most.
    pub window_tokens: usize,
    /// Tokens of a sample at most.
    pub max_tokens: usize,
}

impl Default for LocalConfig {
    fn default() -> Self {
        Self {
            model: None,
            format: None,
            samples: 4,
            temperature: 0.8,
            top_p: 0.95,
            window_tokens: 1024,
            max_tokens: 96,
        }
    }
}

/// The generator that samples a checkpoint.
pub struct Local {
    jobs: mpsc::SyncSender<Job>,
}

struct Job {
    scene: Arc<Scene>,
    import: bool,
    answer: oneshot::Sender<Result<Vec<Outcome>>>,
}

impl Local {
    /// Opens the checkpoint and starts its thread.
    ///
    /// # Errors
    /// Where the checkpoint cannot be opened or has no format.
    pub fn open(config: &LocalConfig) -> Result<Self> {
        let model = Model::open(config)?;
        let (jobs, waiting) = mpsc::sync_channel::<Job>(1);
        std::thread::Builder::new()
            .name("model".to_owned())
            .spawn(move || {
                truefill_model::threads::claim(truefill_model::threads::available());
                let mut model = model;
                while let Ok(job) = waiting.recv() {
                    let outcomes = model.sample_all(&job.scene, job.import);
                    // A step that ended waits for nothing.
                    let _ = job.answer.send(outcomes);
                }
            })
            .context("the model's thread cannot be started")?;
        Ok(Self { jobs })
    }
}

impl Generator for Local {
    fn name(&self) -> &str {
        "local"
    }

    fn propose<'a>(
        &'a self,
        scene: &'a Arc<Scene>,
        kinds: &'a [HallucinationType],
    ) -> Answered<'a> {
        let import = kinds.contains(&HallucinationType::Import);
        let (answer, answered) = oneshot::channel();
        let job = Job {
            scene: Arc::clone(scene),
            import,
            answer,
        };
        let jobs = self.jobs.clone();
        Box::pin(async move {
            let sent = tokio::task::spawn_blocking(move || jobs.send(job)).await;
            if !matches!(sent, Ok(Ok(()))) {
                bail!("the model's thread has ended");
            }
            answered.await.context("the model's thread has ended")?
        })
    }
}

struct Model {
    decoder: Decoder,
    tokenizer: Tokenizer,
    format: BoundFormat,
    cache: KvCache,
    config: LocalConfig,
    version: String,
}

impl Model {
    fn open(config: &LocalConfig) -> Result<Self> {
        let path = config.model.as_ref().context(
            "the generator `local` needs a checkpoint: give `--model PATH`, or `model` in the \
             recipe's `[generate.local]`",
        )?;
        let checkpoint = Checkpoint::open(path)?;
        let tokenizer = checkpoint.tokenizer()?.clone();
        let format = match &config.format {
            None => FimFormat::detect(&tokenizer),
            Some(name) => FimFormat::builtin(name)
                .with_context(|| format!("there is no FIM format `{name}`"))?,
        };
        let format = format.bind(&tokenizer)?;
        let positions = config.window_tokens + config.max_tokens;
        let decoder = Decoder::on_cpu(
            checkpoint.config.clone(),
            &*checkpoint.weights,
            Precision::Serving,
            positions,
        )?;
        let version = format!("{VERSION} {}@{}", format.name(), format.version());
        Ok(Self {
            cache: decoder.cache(positions)?,
            decoder,
            tokenizer,
            format,
            config: config.clone(),
            version,
        })
    }

    fn sample_all(&mut self, scene: &Scene, import: bool) -> Result<Vec<Outcome>> {
        let context = &scene.context;
        let hole = [&*context.prefix, &context.golden, &context.suffix];
        let mut outcomes = Vec::new();
        for sample in self.samples(scene, hole, "hole")? {
            outcomes.push(Outcome {
                kind: None,
                version: self.version.clone(),
                result: Ok(Proposal::in_hole(sample)),
            });
        }
        let Some((split, _)) = scene.import().filter(|_| import) else {
            return Ok(outcomes);
        };
        let hole = [&*split.prefix, &split.golden, &split.suffix];
        for sample in self.samples(scene, hole, "import hole")? {
            outcomes.push(Outcome {
                kind: Some(HallucinationType::Import),
                version: self.version.clone(),
                result: Ok(Proposal {
                    rejected: sample,
                    split: Some(split.clone()),
                }),
            });
        }
        Ok(outcomes)
    }

    fn samples(
        &mut self,
        scene: &Scene,
        [prefix, golden, suffix]: [&str; 3],
        purpose: &str,
    ) -> Result<Vec<String>> {
        let room =
            self.decoder.max_positions() - self.config.max_tokens.min(self.decoder.max_positions());
        let prompt = self.format.render(
            &PromptParts {
                prefix,
                suffix,
                path: Some(&scene.context.path),
                ..PromptParts::default()
            },
            &Budget {
                total: self.config.window_tokens.min(room),
                suffix_share: 0.3,
                chunk_share: 0.0,
            },
        )?;
        let lines = golden.trim_end().matches('\n').count() + 1;
        let mut draw = scene.draw(purpose);
        let mut samples: Vec<String> = Vec::new();
        for _ in 0..self.config.samples {
            let text = self.sample(&prompt.tokens, lines, draw.next_u64())?;
            let text = fitted(&text, golden, suffix);
            if !samples.contains(&text) {
                samples.push(text);
            }
        }
        Ok(samples)
    }

    fn sample(
        &mut self,
        prompt: &[truefill_model::tokens::TokenId],
        lines: usize,
        seed: u64,
    ) -> Result<String> {
        let limits = Limits {
            max_new_tokens: self.config.max_tokens,
            stop_tokens: self.format.stop_tokens(),
            banned_before_text: self.format.banned_before_text(),
            deadline: None,
        };
        let sampling = Sampling {
            temperature: self.config.temperature,
            top_p: self.config.top_p,
            seed,
        };
        let generation = generate(
            &self.decoder,
            &mut self.cache,
            &self.tokenizer,
            prompt,
            sampling,
            &limits,
            &Instant::now,
            &|| false,
            &mut |text| match end_of_line(text, lines) {
                Some(keep_bytes) => Flow::Stop { keep_bytes },
                None => Flow::Continue,
            },
        )?;
        Ok(generation.text)
    }
}

/// Where the text has as many lines as the golden completion, blank ones in front left out.
fn end_of_line(text: &str, lines: usize) -> Option<usize> {
    let lead = text.len() - text.trim_start().len();
    let mut ends = text[lead..].match_indices('\n');
    ends.nth(lines - 1).map(|(at, _)| lead + at)
}

/// A sample as it would stand in the hole: without what the suffix goes on with, and with the
/// golden completion's white space at both ends.
fn fitted(sample: &str, golden: &str, suffix: &str) -> String {
    let rest = suffix.lines().next().unwrap_or_default().trim();
    let mut core = sample.trim();
    if !rest.is_empty()
        && let Some(at) = core.rfind(rest)
    {
        core = core[..at].trim_end();
    }
    let lead = &golden[..golden.len() - golden.trim_start().len()];
    let tail = &golden[golden.trim_end().len()..];
    [lead, core, tail].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_end_where_the_hole_does() {
        assert_eq!(end_of_line("\n  a(b)\nc", 1), Some(7));
        assert_eq!(end_of_line("a", 1), None);
        for (sample, suffix, expected) in [
            ("load(x)))", ")\nnext", " load(x))\n"),
            ("load(x);", ";\n", " load(x)\n"),
            ("load(x)", "\n", " load(x)\n"),
        ] {
            assert_eq!(fitted(sample, " golden\n", suffix), expected);
        }
    }
}
