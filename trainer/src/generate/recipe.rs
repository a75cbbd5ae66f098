//! `[generate]` of a recipe, with its defaults.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::local::LocalConfig;
use crate::panel::http::{self, Members};
use crate::rows::HallucinationType;

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
            temperature: 1.0,
            max_tokens: 400,
            side_bytes: 24_000,
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
    /// With the file's name and what is wrong.
    pub fn read(path: &Path) -> Result<(Self, Members)> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: expected a recipe", path.display()))?;
        let (mut recipe, members) =
            Self::parse(&text).with_context(|| path.display().to_string())?;
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

    fn parse(text: &str) -> Result<(Self, Members)> {
        let table: toml::Table = text.parse()?;
        let members = http::members_of(&table)?;
        let recipe = match table.get("generate") {
            Some(generate) => generate.clone().try_into().context("`[generate]`")?,
            None => Self::default(),
        };
        Ok((recipe, members))
    }

    /// Says what cannot be meant.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<()> {
        ensure!(
            !self.generators.is_empty(),
            "expected a generator in `generators`, found none"
        );
        ensure!(
            !self.types.is_empty(),
            "expected a type in `types`, found none"
        );
        ensure!(self.in_flight > 0, "expected `in_flight` of 1 or more");
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
        self.ledger.clone().unwrap_or_else(|| {
            let name = out.file_name().unwrap_or_default().to_string_lossy();
            let stem = name.split('.').next().unwrap_or_default();
            out.with_file_name(format!("{stem}.ledger.db"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_has_defaults_and_no_unknown_keys() {
        let (recipe, members) = Recipe::parse("[generate]\nseed = 3\n[judge]\nx = 1").expect("ok");
        assert_eq!((recipe.seed, recipe.in_flight), (3, 64));
        assert!(members.is_empty());
        let error = Recipe::parse("[generate]\nsed = 3").expect_err("refused");
        assert!(format!("{error:#}").contains("sed"), "{error:#}");
        let twice = Recipe {
            generators: vec!["mutate".into(), "mutate".into()],
            ..Recipe::default()
        };
        assert!(twice.check().is_err());
    }
}
