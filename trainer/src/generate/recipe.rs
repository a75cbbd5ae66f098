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
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in [
            &mut recipe.ledger,
            &mut recipe.prompts,
            &mut recipe.local.model,
            &mut recipe.teacher.encoder,
            &mut recipe.teacher.model,
        ]
        .into_iter()
        .flatten()
        {
            *path = folder.join(&*path);
        }
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
            self.in_flight > 0 && self.batches > 0,
            "expected `in_flight` and `batches` of 1 or more, found 0"
        );
        ensure!(
            self.local.model.is_some() || !self.generators.iter().any(|name| name == "local"),
            "the generator `local` needs a checkpoint: give `--model PATH`, or `model` in \
             `[generate.local]`"
        );
        ensure!(
            self.teacher.variants > 0,
            "expected `teacher.variants` of 1 or more"
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
        let mut names = self.generators.clone();
        names.sort_unstable();
        names.dedup();
        ensure!(
            names.len() == self.generators.len(),
            "expected each generator once in `generators`"
        );
        Ok(())
    }

    /// The ledger's path.
    #[must_use]
    pub fn ledger_beside(&self, out: &Path) -> PathBuf {
        let named = self.ledger.clone();
        named.unwrap_or_else(|| panel::ledger_beside(out))
    }
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
        let twice = Recipe {
            generators: vec!["mutate".into(), "mutate".into()],
            ..Recipe::default()
        };
        assert!(twice.check().is_err());
    }
}
