//! The section `[train]` of a recipe.

mod parts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use truefill_model::fim::{BoundFormat, FimError, Layout, SUFFIX_SHARE};

use super::batches::{BatchPlan, StepSize};
use super::chat::{Chat, ChatRecipe};
use super::data::{RowKind, TrainRow, read};
use super::error::DataError;
use super::example::{Renderer, Settings};
use super::held_out::HeldOut;
use super::mask::Marking;
use super::objective::{Dpo, Needs, Objective, Orpo, Sft};
use super::recut::Holes;
use super::schedule::Schedule;
use super::set::{TrainingSet, Unfit};
use crate::corpus::stable_hash;
use crate::rows::RowError;
use crate::usage::Usage;

pub use parts::{
    AdamRecipe, EvalRecipe, FgitRecipe, LoraRecipe, Parameters, Precision, SaveRecipe, SavedDtype,
    ScheduleRecipe,
};

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainRecipe {
    /// What is minimised.
    pub objective: ObjectiveName,
    /// Files of rows.
    pub data: Vec<PathBuf>,
    /// What the files hold.
    pub rows: RowKind,
    /// Files of rows that must not be trained on, beside those of `[train.eval]`.
    pub held_out: Vec<PathBuf>,
    /// What becomes of rows whose text spells a control token.
    pub sentinels: Unfit,
    /// What becomes of rows that are held out.
    pub overlap: Unfit,
    /// The checkpoint to start from: a file, a folder, or an id or alias in the store.
    pub checkpoint: String,
    /// The FIM format; without one, the checkpoint's own.
    pub format: Option<String>,
    /// Allow a format that the checkpoint was not trained with.
    pub teach_format: bool,
    /// Layouts by their shares; without any, the one that the format is served with.
    pub layouts: BTreeMap<Layout, f64>,
    /// Tokens of a FIM prompt at most.
    pub context_tokens: usize,
    /// Tokens of a sequence at most.
    pub max_tokens: usize,
    /// The suffix's part of a prompt.
    pub suffix_share: f32,
    /// Share of the rows whose hole begins at a random character of the completion.
    pub resplit: f64,
    /// How holes are cut, of objectives without rejected completions.
    pub holes: Holes,
    /// What is changed.
    pub parameters: Parameters,
    /// What weights and activations are computed in.
    pub precision: Precision,
    /// Compute activations again in the backward pass.
    pub recompute: bool,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// The highest learning rate; without one, the objective's.
    pub lr: Option<f64>,
    /// Gradients of a larger norm are scaled down to it; 0 leaves them.
    pub clip: f64,
    /// Nats that a golden token may cost more than at best, smoothed over about 20 steps, before the run
    /// is said to diverge; 0 watches nothing.
    pub max_rise: f64,
    /// Times that every row is seen.
    pub epochs: u64,
    /// Steps in all, in place of `epochs`.
    pub steps: Option<u64>,
    /// Rows of a step: other trainers' batch size times accumulation.
    pub rows_per_step: usize,
    /// Tokens of a step at most, in place of `rows_per_step`.
    pub tokens_per_step: Option<usize>,
    /// Positions that are computed at once at most, padding counted. It does not change the result.
    pub tokens_at_once: usize,
    /// Rows that are computed at once at most. It does not change the result.
    pub rows_at_once: usize,
    /// Steps in which rows are sorted by length, so that little is padded; 1 sorts nothing.
    pub length_pool: usize,
    /// Of every draw.
    pub seed: u64,
    /// The folder of the run: its states, figures and plots.
    pub output: Option<PathBuf>,
    /// Keys of supervised fine-tuning.
    pub sft: Sft,
    /// ORPO's keys.
    pub orpo: Orpo,
    /// DPO's keys.
    pub dpo: Dpo,
    /// FGit's keys.
    pub fgit: FgitRecipe,
    /// The adapter's keys, where `parameters = "lora"`.
    pub lora: LoraRecipe,
    /// The learning rate over the steps.
    pub schedule: ScheduleRecipe,
    /// The optimiser's keys.
    pub adam: AdamRecipe,
    /// Figures on held-out rows during training.
    pub eval: EvalRecipe,
    /// States of the run.
    pub save: SaveRecipe,
    /// The template of instructions.
    pub chat: Option<ChatRecipe>,
}

/// An objective by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveName {
    /// Supervised fine-tuning.
    #[default]
    Sft,
    /// Odds-ratio preference optimisation.
    Orpo,
    /// Direct preference optimisation.
    Dpo,
    /// Fault-guided fine-tuning.
    Fgit,
    /// FGit's likelihood with ORPO's odds ratio.
    #[serde(rename = "fgit+orpo")]
    FgitOrpo,
}

impl ObjectiveName {
    /// The learning rate of a full fine-tune where none is set.
    pub const fn default_lr(self) -> f64 {
        match self {
            Self::Sft => 1e-5,
            Self::Orpo | Self::Fgit | Self::FgitOrpo => 5e-6,
            Self::Dpo => 1e-6,
        }
    }
}

/// By how much an adapter's default rate is above a full fine-tune's: its changes are products of two
/// small matrices.
const LORA_FACTOR: f64 = 10.0;

impl Default for TrainRecipe {
    fn default() -> Self {
        Self {
            objective: ObjectiveName::Sft,
            data: Vec::new(),
            rows: RowKind::Fim,
            held_out: Vec::new(),
            sentinels: Unfit::Refuse,
            overlap: Unfit::Refuse,
            checkpoint: String::new(),
            format: None,
            teach_format: false,
            layouts: BTreeMap::new(),
            context_tokens: 1024,
            max_tokens: 1536,
            suffix_share: SUFFIX_SHARE,
            resplit: 0.0,
            holes: Holes::default(),
            parameters: Parameters::Full,
            precision: Precision::Auto,
            recompute: true,
            device: "auto".into(),
            lr: None,
            clip: 1.0,
            max_rise: 2.0,
            epochs: 1,
            steps: None,
            rows_per_step: 32,
            tokens_per_step: None,
            tokens_at_once: 8192,
            rows_at_once: 64,
            length_pool: 16,
            seed: 1,
            output: None,
            sft: Sft::default(),
            orpo: Orpo::default(),
            dpo: Dpo::default(),
            fgit: FgitRecipe::default(),
            lora: LoraRecipe::default(),
            schedule: ScheduleRecipe::default(),
            adam: AdamRecipe::default(),
            eval: EvalRecipe::default(),
            save: SaveRecipe::default(),
            chat: None,
        }
    }
}

impl TrainRecipe {
    /// Reads the section of a recipe; its paths are relative to the recipe.
    ///
    /// # Errors
    /// Where the file cannot be read; [`Usage`] for what cannot be meant.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Self::read_with(path, |_| ())
    }

    /// The same with what a command line says in its place.
    ///
    /// # Errors
    /// As [`TrainRecipe::read`].
    pub fn read_with(path: &Path, change: impl FnOnce(&mut Self)) -> anyhow::Result<Self> {
        let mut recipe: Self = crate::recipe::section(Some(path), "train")?;
        let lists = [
            &mut recipe.data,
            &mut recipe.held_out,
            &mut recipe.eval.data,
        ];
        let paths = lists.into_iter().flatten().chain(recipe.output.as_mut());
        crate::recipe::found_from(Some(path), paths);
        change(&mut recipe);
        recipe.check().map_err(crate::recipe::named(Some(path)))?;
        Ok(recipe)
    }

    /// Refuses values that cannot be meant.
    ///
    /// # Errors
    /// [`Usage`], which names the key.
    pub fn check(&self) -> anyhow::Result<()> {
        let wrong = |what: String| Err(Usage::error(format!("section `[train]`: {what}")));
        if self.data.is_empty() {
            return wrong("expected files of rows in `data`, found none".into());
        }
        if self.checkpoint.is_empty() {
            return wrong("expected a checkpoint to start from in `checkpoint`, found none".into());
        }
        if self.context_tokens > self.max_tokens {
            return wrong(format!(
                "expected `context_tokens` up to `max_tokens`, which is {}, found {}",
                self.max_tokens, self.context_tokens
            ));
        }
        if self.rows == RowKind::Instruct && self.chat.is_none() {
            return wrong(
                "`rows = \"instruct\"` needs a section `[train.chat]`, found none".into(),
            );
        }
        for (key, zero) in [
            ("context_tokens", self.context_tokens == 0),
            ("epochs", self.epochs == 0),
            ("steps", self.steps == Some(0)),
            ("rows_per_step", self.rows_per_step == 0),
            ("tokens_per_step", self.tokens_per_step == Some(0)),
            ("tokens_at_once", self.tokens_at_once == 0),
            ("rows_at_once", self.rows_at_once == 0),
            ("length_pool", self.length_pool == 0),
            (
                "layouts",
                !self.layouts.is_empty() && self.layouts.values().sum::<f64>() == 0.0,
            ),
            ("lora.rank", self.lora.rank == 0),
            ("eval.every", self.eval.every == 0),
            ("eval.patience", self.eval.patience == Some(0)),
            ("save.every", self.save.every == 0),
            ("save.keep", self.save.keep == 0),
        ] {
            if zero {
                return wrong(format!("expected `{key}` above 0, found 0"));
            }
        }
        if self.eval.patience.is_some() && self.eval.data.is_empty() {
            return wrong(
                "`eval.patience` ends training by held-out rows: expected files of them in \
                 `eval.data`, found none"
                    .into(),
            );
        }
        let needs = self.objective().needs();
        if !self.holes.are_own() && (needs.rejected || needs.mask || self.rows == RowKind::Instruct)
        {
            return wrong(
                "`holes` other than `own` are for the objective `sft` and rows with holes: a rejected \
                 completion belongs to the row's own hole"
                    .into(),
            );
        }
        self.check_numbers()
    }

    fn check_numbers(&self) -> anyhow::Result<()> {
        let above_zero = f64::MIN_POSITIVE..=1e6;
        let shares = self
            .layouts
            .values()
            .map(|share| ("layouts", *share, 0.0..=1e6));
        let numbers = [
            ("suffix_share", f64::from(self.suffix_share), 0.0..=0.9),
            ("resplit", self.resplit, 0.0..=1.0),
            ("holes.own", self.holes.own, 0.0..=1e6),
            ("holes.lines", self.holes.lines, 0.0..=1e6),
            ("holes.rest", self.holes.rest, 0.0..=1e6),
            ("holes.span", self.holes.span, 0.0..=1e6),
            ("holes.one_line", self.holes.one_line, 0.0..=1.0),
            ("lr", self.learning_rate(), f64::MIN_POSITIVE..=1.0),
            ("clip", self.clip, 0.0..=1e6),
            ("max_rise", self.max_rise, 0.0..=1e6),
            ("sft.prompt_weight", self.sft.prompt_weight, 0.0..=1e6),
            ("orpo.lambda", self.orpo.lambda, 0.0..=1e6),
            ("dpo.beta", self.dpo.beta, above_zero.clone()),
            ("dpo.dpop", self.dpo.dpop, 0.0..=1e6),
            ("dpo.pref_ftx", self.dpo.pref_ftx, 0.0..=1e6),
            ("fgit.alpha", self.fgit.alpha, 1.0..=1e6),
            (
                "fgit.fixed_weight",
                self.fgit.fixed_weight.unwrap_or(1.0),
                0.0..=1e6,
            ),
            ("lora.alpha", self.lora.alpha, above_zero),
            (
                "schedule.warmup_ratio",
                self.schedule.warmup_ratio,
                0.0..=1.0,
            ),
            ("schedule.min_ratio", self.schedule.min_ratio, 0.0..=1.0),
            ("adam.beta1", self.adam.beta1, 0.0..=0.999_999_9),
            ("adam.beta2", self.adam.beta2, 0.0..=0.999_999_9),
            ("adam.epsilon", self.adam.epsilon, f64::MIN_POSITIVE..=1.0),
            ("adam.weight_decay", self.adam.weight_decay, 0.0..=1.0),
        ];
        for (key, found, range) in numbers.into_iter().chain(shares) {
            if !range.contains(&found) {
                let (least, most) = (range.start(), range.end());
                let least = match *least == f64::MIN_POSITIVE {
                    true => "above 0".to_owned(),
                    false => format!("from {least}"),
                };
                return Err(Usage::error(format!(
                    "section `[train]`: expected `{key}` {least} to {most}, found {found}"
                )));
            }
        }
        Ok(())
    }

    /// The objective with its keys.
    pub fn objective(&self) -> Objective {
        match self.objective {
            ObjectiveName::Sft => Objective::Sft(self.sft),
            ObjectiveName::Orpo => Objective::Orpo(self.orpo),
            ObjectiveName::Dpo => Objective::Dpo(self.dpo),
            ObjectiveName::Fgit => Objective::Fgit(self.fgit.objective()),
            ObjectiveName::FgitOrpo => Objective::FgitOrpo(self.fgit.objective(), self.orpo),
        }
    }

    /// The highest learning rate.
    pub fn learning_rate(&self) -> f64 {
        let factor = match self.parameters {
            Parameters::Full => 1.0,
            Parameters::Lora => LORA_FACTOR,
        };
        self.lr.unwrap_or(self.objective.default_lr() * factor)
    }

    /// How rows become tokens.
    pub fn settings(&self) -> Settings {
        let objective = self.objective();
        Settings {
            context_tokens: self.context_tokens,
            max_tokens: self.max_tokens,
            suffix_share: self.suffix_share,
            resplit: self.resplit,
            holes: self.holes,
            seed: self.seed,
            objective: objective.name(),
            needs: objective.needs(),
            marking: Marking {
                granularity: self.fgit.granularity,
                one_line: self.fgit.one_line,
            },
        }
    }

    /// How epochs are cut.
    pub fn batches(&self) -> BatchPlan {
        BatchPlan {
            step: match self.tokens_per_step {
                Some(tokens) => StepSize::Tokens(tokens),
                None => StepSize::Rows(self.rows_per_step),
            },
            tokens_at_once: self.tokens_at_once,
            rows_at_once: self.rows_at_once,
            pool: self.length_pool,
            seed: self.seed,
        }
    }

    /// The factors of the learning rate over so many steps.
    pub fn schedule(&self, steps: u64) -> Schedule {
        let schedule = &self.schedule;
        Schedule::new(schedule.decay, schedule.warmup(), steps, schedule.min_ratio)
    }

    /// What turns the recipe's rows into tokens of a format that is bound to the checkpoint's
    /// tokenizer.
    ///
    /// # Errors
    /// [`DataError`] where layouts, end token or chat template do not fit.
    pub fn renderer(&self, format: &BoundFormat) -> Result<Renderer, DataError> {
        self.renderer_with(format, self.settings())
    }

    /// As [`Self::renderer`], for the recipe in `path`.
    ///
    /// # Errors
    /// [`Usage`] for a layout that the format lacks and a template that does not fit; else as
    /// [`Self::renderer`].
    pub fn renderer_of(&self, path: &Path, format: &BoundFormat) -> anyhow::Result<Renderer> {
        self.renderer(format).map_err(|error| match error {
            DataError::Format(FimError::UnknownLayout { .. }) => Usage::error(format!(
                "{}: section `[train]`: `layouts`: {error}",
                path.display()
            )),
            DataError::Chat(_) => Usage::error(format!("{}: {error}", path.display())),
            error => error.into(),
        })
    }

    fn renderer_with(
        &self,
        format: &BoundFormat,
        settings: Settings,
    ) -> Result<Renderer, DataError> {
        let chat = self
            .chat
            .as_ref()
            .filter(|_| self.rows == RowKind::Instruct);
        let chat = chat.map(|chat| Chat::bind(chat, format.tokenizer()).map_err(DataError::Chat));
        let layouts: Vec<(Layout, f64)> = self.layouts.clone().into_iter().collect();
        Renderer::new(format, &layouts, chat.transpose()?, settings)
    }

    /// What turns held-out rows into tokens: in the layouts that are trained, their holes where they are
    /// in the file, with the rejected completion or without.
    ///
    /// # Errors
    /// As [`Self::renderer`].
    pub fn held_out_renderer(
        &self,
        format: &BoundFormat,
        rejected: bool,
    ) -> Result<Renderer, DataError> {
        let needs = Needs {
            rejected,
            ..Needs::default()
        };
        let settings = Settings {
            resplit: 0.0,
            holes: Holes::default(),
            needs,
            ..self.settings()
        };
        self.renderer_with(format, settings)
    }

    /// The recipe's rows, checked against what is held out.
    ///
    /// # Errors
    /// As [`TrainingSet::load`].
    pub fn training_set(&self, renderer: &Renderer) -> Result<TrainingSet, DataError> {
        let mut held_out = HeldOut::default();
        for file in self.held_out_files() {
            held_out.read(file, self.rows)?;
        }
        let held_out = (&held_out, self.overlap);
        TrainingSet::load(&self.data, self.rows, renderer, held_out, self.sentinels)
    }

    /// The held-out rows in the order in which the seed draws them: of those that fit, the first
    /// `eval.rows` are measured.
    ///
    /// # Errors
    /// As [`read`].
    pub fn held_out_rows(&self) -> Result<Vec<TrainRow>, RowError> {
        let mut rows = Vec::new();
        for file in &self.eval.data {
            rows.extend(read(file, self.rows)?);
        }
        rows.sort_by_key(|row| stable_hash(self.seed, &[b"held out", row.place.id.as_bytes()]));
        Ok(rows)
    }

    /// All files with rows that must not be trained on.
    pub fn held_out_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.held_out.iter().chain(&self.eval.data)
    }
}
