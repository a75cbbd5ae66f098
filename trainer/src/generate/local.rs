//! The checkpoint's own wrong samples: negatives that the student makes itself.
//!
//! One thread owns the model. Samples of one hole share its prompt, so only the first one reads it.
//! They are kept under what they depend on: a run that was killed goes on where it stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::fim::{BoundFormat, Budget, PromptParts, SUFFIX_SHARE};
use truefill_model::generate::{Flow, Limits, Sampling, generate};
use truefill_model::kv::KvCache;
use truefill_model::tokenizer::Tokenizer;

use super::cut::{end_of_line, fitted};
use super::generator::{Answered, Generator, Outcome, Proposal, Refusal};
use super::scene::Scene;
use crate::checkpoint::{self, Loaded};
use crate::eval::cut::lines::line_count;
use crate::kept::{self, Kept, Key};
use crate::rows::HallucinationType;

/// Counts up with every change to how samples are drawn or cut.
const VERSION: &str = "local-3";

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
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
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
            device: "auto".into(),
        }
    }
}

/// The generator that samples a checkpoint.
pub struct Local {
    jobs: mpsc::SyncSender<Job>,
    /// Behind `jobs`, so that the thread has no more to wait for when it is waited for.
    _thread: Joined,
}

/// A thread whose end is waited for: the file of samples is then free for another run.
struct Joined(Option<std::thread::JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic there was told when its answer did not come.
            let _ = thread.join();
        }
    }
}

struct Job {
    scene: Arc<Scene>,
    import: bool,
    answer: oneshot::Sender<Result<Vec<Outcome>>>,
}

impl Local {
    /// Opens the checkpoint, whose hash is `sha256`, and starts its thread; samples are kept in the
    /// file `kept`.
    ///
    /// # Errors
    /// Where the checkpoint cannot be opened or has no format.
    pub fn open(config: &LocalConfig, sha256: &str, kept: &Path) -> Result<Self> {
        let model = Model::open(config, sha256, kept)?;
        let (jobs, waiting) = mpsc::sync_channel::<Job>(1);
        let thread = std::thread::Builder::new()
            .name("model".to_owned())
            .spawn(move || {
                truefill_model::threads::claim(truefill_model::threads::available());
                let mut model = model;
                while let Ok(job) = waiting.recv() {
                    if job.answer.is_closed() {
                        continue;
                    }
                    let outcomes = model.sample_all(&job.scene, job.import);
                    // A step that ended waits for nothing.
                    let _ = job.answer.send(outcomes);
                }
            })
            .context("the model's thread cannot be started")?;
        Ok(Self {
            jobs,
            _thread: Joined(Some(thread)),
        })
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
    /// What samples depend on beside the hole and the seed.
    identity: String,
    kept: Kept<Vec<String>>,
}

impl Model {
    fn open(config: &LocalConfig, sha256: &str, kept: &Path) -> Result<Self> {
        let path = config.model.as_ref().context(
            "the generator `local` needs a checkpoint: give `--model PATH`, or `model` in the \
             recipe's `[generate.local]`",
        )?;
        let positions = config.window_tokens + config.max_tokens;
        let Loaded {
            decoder,
            tokenizer,
            format,
        } = checkpoint::load(path, &config.device, Precision::Serving, positions)?;
        let named = config.format.as_deref().or(format.as_deref());
        let format = checkpoint::format(named, &tokenizer)?;
        let version = format!("{VERSION} {}@{}", format.name(), format.version());
        // Where the model lies and what computes it is no part of what it is.
        let sampling = LocalConfig {
            model: None,
            device: String::new(),
            ..config.clone()
        };
        let sampling = serde_json::to_string(&sampling)?;
        Ok(Self {
            cache: decoder.cache(positions)?,
            decoder,
            tokenizer,
            format,
            config: config.clone(),
            identity: [sha256, &version, &sampling].join("\n"),
            version,
            kept: Kept::open(kept)?,
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
                shortened: false,
                result: Ok(Proposal::in_hole(sample)),
            });
        }
        if import {
            let results = self.sample_import(scene)?.into_iter();
            outcomes.extend(results.map(|result| Outcome {
                kind: Some(HallucinationType::Import),
                version: self.version.clone(),
                shortened: false,
                result,
            }));
        }
        Ok(outcomes)
    }

    /// Samples of an import's hole, or why there is none.
    fn sample_import(&mut self, scene: &Scene) -> Result<Vec<Result<Proposal, Refusal>>> {
        let split = match scene.import() {
            Ok((split, _)) => split,
            Err(refusal) => return Ok(vec![Err(refusal)]),
        };
        let hole = [&*split.prefix, &split.golden, &split.suffix];
        let samples = self.samples(scene, hole, "import hole")?.into_iter();
        let proposals = samples.map(|rejected| {
            Ok(Proposal {
                rejected,
                split: Some(split.clone()),
            })
        });
        Ok(proposals.collect())
    }

    /// The samples of a hole, drawn now or by an earlier run.
    fn samples(&mut self, scene: &Scene, hole: [&str; 3], purpose: &str) -> Result<Vec<String>> {
        let key = self.key(scene, hole, purpose);
        if let Some(samples) = self.kept.get(&key)? {
            return Ok(samples);
        }
        let samples = self.drawn(scene, hole, purpose)?;
        self.kept.put(key, &samples)?;
        Ok(samples)
    }

    fn key(&self, scene: &Scene, hole: [&str; 3], purpose: &str) -> Key {
        let (context, [prefix, golden, suffix]) = (&scene.context, hole);
        let parts = [
            &*self.identity,
            &context.id,
            &context.path,
            prefix,
            golden,
            suffix,
        ];
        // The draw is made of the seed, the context and the purpose.
        kept::key(scene.draw(purpose).next_u64(), &parts)
    }

    fn drawn(
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
                suffix_share: SUFFIX_SHARE,
                chunk_share: 0.0,
            },
        )?;
        let lines = line_count(golden);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Context;
    use truefill_syntax::Language;

    fn scene(seed: u64) -> Arc<Scene> {
        let parts = ["import os\nx = ", "os.getcwd()", "\nprint(x)\n"];
        let context = Context::of_file(Language::Python, "o/r", "MIT", "a.py", parts);
        Arc::new(Scene::new(context, seed).expect("parses"))
    }

    fn config(model: &str) -> LocalConfig {
        let models = "../crates/model/tests/data/parity/gguf";
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(models);
        LocalConfig {
            model: Some(folder.join(model)),
            format: Some("causal".into()),
            samples: 3,
            window_tokens: 48,
            max_tokens: 8,
            device: "cpu".into(),
            ..LocalConfig::default()
        }
    }

    fn sampled(config: &LocalConfig, kept: &Path, seed: u64) -> Vec<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let kinds = HallucinationType::ALL;
        let model = config.model.as_deref().expect("named");
        let sha256 = checkpoint::sha256(model).expect("hashed");
        let local = Local::open(config, &sha256, kept).expect("opens");
        let scene = scene(seed);
        let asked = local.propose(&scene, &kinds);
        runtime.expect("starts").block_on(asked).expect("samples")
    }

    #[test]
    fn a_checkpoints_samples_are_drawn_once_and_are_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = folder.path().join("kept.jsonl");
        let lines = || {
            std::fs::read_to_string(&kept)
                .expect("there")
                .lines()
                .count()
        };
        let first = sampled(&config("llama-f32.gguf"), &kept, 1);
        let import = |outcome: &&Outcome| outcome.kind == Some(HallucinationType::Import);
        assert!(first.len() > 1 && first.iter().any(|outcome| import(&outcome)));
        assert_eq!(lines(), 2, "the hole and the import's");
        assert_eq!(sampled(&config("llama-f32.gguf"), &kept, 1), first);
        assert_eq!(lines(), 2, "nothing was drawn again");
        let fresh = folder.path().join("fresh.jsonl");
        assert_eq!(sampled(&config("llama-f32.gguf"), &fresh, 1), first);
        // Another seed, another model and other settings are other samples.
        sampled(&config("llama-f32.gguf"), &kept, 2);
        assert_eq!(lines(), 4);
        sampled(&config("llama-q4_1.gguf"), &kept, 1);
        assert_eq!(lines(), 6);
        let hotter = LocalConfig {
            temperature: 1.5,
            ..config("llama-f32.gguf")
        };
        sampled(&hotter, &kept, 1);
        assert_eq!(lines(), 8);
    }

    #[test]
    fn an_import_of_a_row_without_its_whole_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config("llama-f32.gguf");
        let mut model = Model::open(&config, "", &folder.path().join("kept")).expect("opens");
        let mut context = scene(1).context.clone();
        context.suffix.clear();
        let part = Scene::new(context, 1).expect("parses");
        let sampled = model.sample_import(&part).expect("nothing fails");
        assert_eq!(sampled, [Err(Refusal::PartOfFile)]);
    }

    #[test]
    fn a_model_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = folder.path().join("kept.jsonl");
        let open = |config: &LocalConfig| match Local::open(config, "", &kept) {
            Ok(_) => panic!("it opened"),
            Err(error) => format!("{error:#}"),
        };
        assert!(open(&config("none.gguf")).contains("none.gguf"));
        let unknown = LocalConfig {
            format: Some("nope".into()),
            ..config("llama-f32.gguf")
        };
        assert!(open(&unknown).contains("`nope`"));
        assert!(open(&LocalConfig::default()).contains("--model"));
    }
}
