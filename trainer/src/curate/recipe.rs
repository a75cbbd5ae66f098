//! The section `[curate]` of a recipe.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use truefill_syntax::Language;

use super::bands::BandsRecipe;
use crate::rows::HallucinationType;
use crate::usage::Usage;

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CurateRecipe {
    /// Draws contexts, rows and splits.
    pub seed: u64,
    /// SFT rows of a (language, type) in training at most (paper "hard negatives", appendix A).
    pub cap: u64,
    /// SFT rows of a repository at most, over all types. The paper's number is not known.
    pub repo_cap: u64,
    /// Pairs of a context at most; `sft.jsonl` has the first of them alone, and caps count those.
    pub pairs_per_context: usize,
    /// Training rows in all, as far as mix and caps let it come to that; none: what the caps allow.
    pub rows: Option<u64>,
    /// Generators whose rows are used; without any, all.
    pub generators: Vec<String>,
    /// Weights of types; those that are not named have 1, 0 leaves a type out. A teacher's `similar`
    /// rows are none of the four types: they are left out unless they are named.
    pub types: BTreeMap<HallucinationType, f64>,
    /// Weights of languages, as with types.
    pub languages: BTreeMap<Language, f64>,
    /// What no two splits have a part of.
    pub split_by: SplitBy,
    /// Share of the repositories that are kept for validation.
    pub valid: f64,
    /// Share of the repositories that are kept for testing.
    pub test: f64,
    /// Sizes of subsets of the training rows; each holds all smaller ones.
    pub sizes: Vec<usize>,
    /// Subsets by fool rate.
    pub bands: BandsRecipe,
    /// Similarity from which two holes' surroundings in different files count as the same; 0 looks
    /// for none.
    pub near_duplicates: f64,
    /// Benchmarks whose repositories, files and text are left out: `.csv` or `.jsonl`, perhaps
    /// `.gz` or `.zst`.
    pub benchmarks: Vec<PathBuf>,
    /// Which rows the resolver's finding lets through; needs scores.
    pub resolver: ResolverFilter,
    /// Write `.jsonl.zst`.
    pub compress: bool,
}

/// What no two splits have a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// A repository: tests say something of others.
    #[default]
    Repository,
    /// A file: for rows of few repositories. Tests say something of other files of the same ones.
    File,
}

/// What the resolver must have found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolverFilter {
    /// Anything.
    #[default]
    Any,
    /// The negative is caught and its golden completion is not, so it is wrong for sure.
    Caught,
    /// The negative is not caught: a model has to learn it, the server cannot hold it back.
    Missed,
}

impl Default for CurateRecipe {
    fn default() -> Self {
        Self {
            seed: 1,
            cap: 4000,
            repo_cap: 200,
            pairs_per_context: 1,
            rows: None,
            generators: Vec::new(),
            types: BTreeMap::new(),
            languages: BTreeMap::new(),
            split_by: SplitBy::Repository,
            valid: 0.02,
            test: 0.02,
            sizes: vec![5_000, 10_000, 20_000, 50_000],
            bands: BandsRecipe::default(),
            near_duplicates: 0.7,
            benchmarks: Vec::new(),
            resolver: ResolverFilter::Any,
            compress: false,
        }
    }
}

impl CurateRecipe {
    /// Refuses values that cannot be meant.
    ///
    /// # Errors
    /// [`Usage`], which names the key.
    pub fn check(&self) -> anyhow::Result<()> {
        let wrong = |what: String| Err(Usage::error(format!("section `[curate]`: {what}")));
        let held_out = self.valid + self.test;
        if self.valid < 0.0 || self.test < 0.0 || !(0.0..1.0).contains(&held_out) {
            return wrong(format!(
                "expected `valid` and `test` from 0, together below 1, found {} and {}",
                self.valid, self.test
            ));
        }
        if !(0.0..=1.0).contains(&self.near_duplicates) {
            return wrong(format!(
                "expected `near_duplicates` from 0 to 1, found {}",
                self.near_duplicates
            ));
        }
        for (key, zero) in [
            ("cap", self.cap == 0),
            ("repo_cap", self.repo_cap == 0),
            ("pairs_per_context", self.pairs_per_context == 0),
            ("sizes", self.sizes.contains(&0)),
        ] {
            if zero {
                return wrong(format!("expected `{key}` above 0, found 0"));
            }
        }
        let weights = self.types.values().chain(self.languages.values());
        if let Some(weight) = weights
            .copied()
            .find(|weight| !(0.0..=1e6).contains(weight))
        {
            return wrong(format!(
                "expected weights in `types` and `languages` from 0 to 1000000, found {weight}"
            ));
        }
        self.bands.check()
    }

    /// A type's weight in the mix.
    pub fn type_weight(&self, kind: HallucinationType) -> f64 {
        let unnamed = f64::from(HallucinationType::ALL.contains(&kind));
        self.types.get(&kind).copied().unwrap_or(unnamed)
    }

    /// A language's weight in the mix.
    pub fn language_weight(&self, language: Language) -> f64 {
        self.languages.get(&language).copied().unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_that_cannot_be_meant_are_refused() {
        for (text, key) in [
            ("valid = 0.6\ntest = 0.5", "valid"),
            ("near_duplicates = 1.5", "near_duplicates"),
            ("cap = 0", "cap"),
            ("sizes = [0]", "sizes"),
            ("[types]\nmethod = -1.0", "types"),
            ("[bands]\nhard = [\"2/3\"]", "2/3"),
        ] {
            let recipe: CurateRecipe = toml::from_str(text).expect(text);
            let error = recipe.check().expect_err(text).to_string();
            assert!(error.contains(key), "{text}: {error}");
        }
        assert!(toml::from_str::<CurateRecipe>("[bands]\neasy = [\"x\"]").is_err());
    }
}
