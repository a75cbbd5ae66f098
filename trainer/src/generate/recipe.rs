//! `[generate]` of a recipe, with its defaults.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::local::LocalConfig;
use crate::panel;
use crate::panel::http::{self, Members};
use crate::prompt::SIDE_BYTES;
use crate::rows::HallucinationType;
use crate::usage::Usage;

/// What `generate` is told; it stands in the manifest as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Of everything that is drawn.
    pub seed: u64,
    /// The types that are asked for.
    pub types: Vec<HallucinationType>,
    /// `mutate`, `local`, names of members, and `teacher:NAME` for FGit's prompt.
    pub generators: Vec<String>,
    /// Contexts under way at most.
    pub in_flight: usize,
    /// Batches of one member under way at most, where it is asked by `--batch run`.
    pub batches: usize,
    /// Temperature of the typed prompts.
    pub temperature: f32,
    /// Tokens of a reply at most.
    pub max_tokens: u32,
    /// Bytes of prefix and of suffix that a question shows at most.
    pub side_bytes: usize,
    /// Bound on what all runs with the ledger spend, in the unit of the prices.
    pub budget: Option<f64>,
    /// The ledger; beside the output where none is named.
    pub ledger: Option<PathBuf>,
    /// A folder with prompts that stand in for those compiled in.
    pub prompts: Option<PathBuf>,
    /// The generator `local`.
    pub local: LocalConfig,
    /// The generators `teacher:NAME`.
    pub teacher: TeacherConfig,
}

/// FGit's teacher (§IV: three variants at temperature 0.8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TeacherConfig {
    /// Variants of which the most similar is kept.
    pub variants: usize,
    /// Of the variants.
    pub temperature: f32,
    /// What says how similar a variant is: a member's `/v1/embeddings`. One of this, `encoder` and
    /// `model`; a lexical measure without one.
    pub embeddings: Option<String>,
    /// A folder with UniXcoder, or with another RoBERTa encoder.
    pub encoder: Option<PathBuf>,
    /// A checkpoint whose mean hidden states are compared.
    pub model: Option<PathBuf>,
}

impl Default for TeacherConfig {
    fn default() -> Self {
        Self {
            variants: 3,
            temperature: 0.8,
            embeddings: None,
            encoder: None,
            model: None,
        }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            types: HallucinationType::ALL.to_vec(),
            generators: vec!["mutate".to_owned()],
            in_flight: 64,
            batches: 4,
            temperature: 1.0,
            max_tokens: 400,
            side_bytes: SIDE_BYTES,
            budget: None,
            ledger: None,
            prompts: None,
            local: LocalConfig::default(),
            teacher: TeacherConfig::default(),
        }
    }
}

impl Recipe {
    /// Reads `[generate]` and `[members]`; paths are taken from the recipe's folder.
    ///
    /// # Errors
    /// [`Usage`] with the file's name and what is wrong; where the file cannot be read.
    pub fn read(path: &Path) -> Result<(Self, Members)> {
        let mut recipe: Self = crate::recipe::section(Some(path), "generate")?;
        let members = http::members_of(path)?;
        let paths = [
            &mut recipe.ledger,
            &mut recipe.prompts,
            &mut recipe.teacher.encoder,
        ];
        crate::recipe::found_from(Some(path), paths.into_iter().flatten());
        let checkpoints = [&mut recipe.local.model, &mut recipe.teacher.model];
        crate::recipe::checkpoints_from(Some(path), checkpoints.into_iter().flatten());
        Ok((recipe, members))
    }

    /// Says what cannot be meant.
    ///
    /// # Errors
    /// [`Usage`], which names the key.
    pub fn check(&self) -> Result<()> {
        let wrong = |error: anyhow::Error| Usage::error(format!("section `[generate]`: {error}"));
        self.values().map_err(wrong)
    }

    fn values(&self) -> Result<()> {
        ensure!(
            !self.generators.is_empty(),
            "expected a generator in `generators`, found none"
        );
        ensure!(
            !self.types.is_empty(),
            "expected a type in `types`, found none"
        );
        ensure!(
            !self.types.contains(&HallucinationType::Similar),
            "expected one of the four types in `types`, found `similar`, which a generator \
             `teacher:NAME` makes"
        );
        ensure!(once(&self.types), "expected each type once in `types`");
        self.numbers()?;
        ensure!(
            self.local.model.is_some() || !self.has("local"),
            "the generator `local` needs a checkpoint: give `--model PATH`, or `model` in \
             `[generate.local]`"
        );
        let measures = [
            self.teacher.embeddings.is_some(),
            self.teacher.encoder.is_some(),
            self.teacher.model.is_some(),
        ];
        ensure!(
            measures.iter().filter(|named| **named).count() < 2,
            "expected one of `teacher.embeddings`, `teacher.encoder` and `teacher.model`, found more"
        );
        ensure!(
            once(&self.generators),
            "expected each generator once in `generators`"
        );
        Ok(())
    }

    fn numbers(&self) -> Result<()> {
        let (local, teacher) = (&self.local, &self.teacher);
        for (key, number) in [
            ("in_flight", self.in_flight),
            ("batches", self.batches),
            ("max_tokens", self.max_tokens as usize),
            ("local.samples", local.samples),
            ("local.max_tokens", local.max_tokens),
            ("local.window_tokens", local.window_tokens),
            ("teacher.variants", teacher.variants),
        ] {
            ensure!(number > 0, "expected `{key}` of 1 or more, found 0");
        }
        for (key, temperature) in [
            ("temperature", self.temperature),
            ("teacher.temperature", teacher.temperature),
        ] {
            ensure!(
                temperature >= 0.0,
                "expected `{key}` of 0 or more, found {temperature}"
            );
        }
        ensure!(
            local.temperature > 0.0,
            "expected `local.temperature` above 0, found {}: all samples of a hole would be the same",
            local.temperature
        );
        ensure!(
            local.top_p > 0.0 && local.top_p <= 1.0,
            "expected `local.top_p` above 0 and up to 1, found {}",
            local.top_p
        );
        Ok(())
    }

    /// Whether `generator` is among the generators.
    #[must_use]
    pub fn has(&self, generator: &str) -> bool {
        self.generators.iter().any(|name| name == generator)
    }

    /// The ledger's path.
    #[must_use]
    pub fn ledger_beside(&self, out: &Path) -> PathBuf {
        let named = self.ledger.clone();
        named.unwrap_or_else(|| panel::ledger_beside(out))
    }
}

fn once<T: PartialEq>(values: &[T]) -> bool {
    let mut places = values.iter().enumerate();
    places.all(|(at, value)| !values[..at].contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_has_defaults_and_no_unknown_keys() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            Recipe::read(&path)
        };
        let (recipe, members) = read("[generate]\nseed = 3\n[judge]\nx = 1").expect("ok");
        assert_eq!((recipe.seed, recipe.in_flight), (3, 64));
        assert!(members.is_empty());
        let error = read("[generate]\nsed = 3").expect_err("refused");
        assert!(error.is::<Usage>());
        assert!(
            error.to_string().contains("the nearest key is `seed`"),
            "{error}"
        );
    }

    #[test]
    fn values_that_cannot_be_meant_are_refused_by_their_key() {
        assert!(Recipe::default().check().is_ok());
        for (text, key) in [
            ("generators = ['mutate', 'mutate']", "generators"),
            ("types = ['similar']", "types"),
            ("types = ['method', 'import', 'method']", "types"),
            ("max_tokens = 0", "max_tokens"),
            ("temperature = -1.0", "temperature"),
            ("temperature = nan", "temperature"),
            ("[local]\nsamples = 0", "local.samples"),
            ("[local]\nmax_tokens = 0", "local.max_tokens"),
            ("[local]\ntemperature = 0.0", "local.temperature"),
            ("[local]\ntop_p = 0.0", "local.top_p"),
            ("[teacher]\nvariants = 0", "teacher.variants"),
        ] {
            let recipe: Recipe = toml::from_str(text).expect(text);
            let error = recipe.check().expect_err(text);
            assert!(error.is::<Usage>(), "{error}");
            let key = format!("`{key}`");
            assert!(error.to_string().contains(&key), "{text}: {error}");
        }
    }
}
