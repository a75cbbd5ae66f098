//! The section `[judge]` of a recipe.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::prompt::SIDE_BYTES;
use crate::rows::VerdictKind;
use crate::score::{FEWEST_SCORERS, ScorerRecipe};
use crate::usage::Usage;

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JudgeRecipe {
    /// Draws the order of two candidates, the golden completions that are judged, and the seeds of
    /// the questions.
    pub seed: u64,
    /// How the panel is asked.
    pub kinds: Vec<VerdictKind>,
    /// Share of the golden completions that the panel judges, 0 to 1.
    pub golden_share: f64,
    /// Names of the recipe's members that judge.
    pub panel: Vec<String>,
    /// Bound on what all runs with the ledger spend, in the unit of the prices.
    pub budget: Option<f64>,
    /// The ledger; beside the verdicts where none is named.
    pub ledger: Option<PathBuf>,
    /// A folder with prompts that stand in for those compiled in.
    pub prompts: Option<PathBuf>,
    /// Questions under way at most.
    pub in_flight: usize,
    /// 0 is greedy.
    pub temperature: f32,
    /// Tokens of a reply at most; a judge that is cut gives no verdict.
    pub max_tokens: u32,
    /// Bytes of prefix and of suffix that a question shows at most.
    pub side_bytes: usize,
    /// A folder in which the repositories' sources lie, where they are not where `mine` read them:
    /// by the names of their files, or a folder for each repository. The resolver knows all files of
    /// a repository that it finds, else only those of the rows.
    pub sources: Option<PathBuf>,
    /// Checkpoints, or formats of one, whose log-probabilities make the difficulty.
    pub scorer: Vec<ScorerRecipe>,
}

impl Default for JudgeRecipe {
    fn default() -> Self {
        Self {
            seed: 1,
            kinds: vec![VerdictKind::Blind],
            golden_share: 1.0,
            panel: Vec::new(),
            budget: None,
            ledger: None,
            prompts: None,
            in_flight: 8,
            temperature: 0.0,
            max_tokens: 1024,
            side_bytes: SIDE_BYTES,
            sources: None,
            scorer: Vec::new(),
        }
    }
}

impl JudgeRecipe {
    /// Takes paths from the recipe's folder.
    pub fn find_from(&mut self, recipe: Option<&Path>) {
        let named = [&mut self.ledger, &mut self.prompts, &mut self.sources];
        crate::recipe::found_from(recipe, named.into_iter().flatten());
        let models = self.scorer.iter_mut().map(|scorer| &mut scorer.model);
        crate::recipe::checkpoints_from(recipe, models);
    }

    /// Refuses values that cannot be meant.
    ///
    /// # Errors
    /// [`Usage`], which names the key.
    pub fn check(&self) -> anyhow::Result<()> {
        let wrong = |what: String| Err(Usage::error(format!("section `[judge]`: {what}")));
        if !(0.0..=1.0).contains(&self.golden_share) {
            return wrong(format!(
                "expected `golden_share` from 0 to 1, found {}",
                self.golden_share
            ));
        }
        if self.in_flight == 0 || self.max_tokens == 0 {
            return wrong("expected `in_flight` and `max_tokens` above 0, found 0".into());
        }
        if self.kinds.is_empty() {
            return wrong("expected `kinds` with `blind` or `preference`, found none".into());
        }
        let kinds = self
            .kinds
            .iter()
            .map(|kind| format!("{kind:?}").to_lowercase());
        for (key, again) in [
            ("panel", twice(self.panel.iter().cloned())),
            ("kinds", twice(kinds)),
        ] {
            if let Some(name) = again {
                return wrong(format!(
                    "expected each once in `{key}`, found `{name}` twice"
                ));
            }
        }
        let scorers = self.scorer.len();
        if scorers > 0 && scorers < FEWEST_SCORERS {
            return wrong(format!(
                "expected at least {FEWEST_SCORERS} scorers, whose votes make the difficulty, found \
                 {scorers}; other formats or layouts of one checkpoint count"
            ));
        }
        Ok(())
    }
}

/// The first name that comes a second time.
fn twice(mut names: impl Iterator<Item = String>) -> Option<String> {
    let mut seen = BTreeSet::new();
    names.find(|name| !seen.insert(name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_than_three_scorers_are_refused() {
        let recipe: JudgeRecipe =
            toml::from_str("[[scorer]]\nname = \"a\"\nmodel = \"m.gguf\"\n").expect("read");
        let error = recipe.check().expect_err("refused");
        assert!(error.is::<Usage>());
        assert!(error.to_string().contains("at least 3 scorers"), "{error}");
        for wrong in [
            "golden_share = 2.0",
            "in_flight = 0",
            "kinds = []",
            "panel = ['a', 'b', 'a']",
            "kinds = ['blind', 'blind']",
        ] {
            let recipe: JudgeRecipe = toml::from_str(wrong).expect("read");
            let key = wrong.split(' ').next().unwrap_or_default();
            assert!(recipe.check().expect_err(wrong).to_string().contains(key));
        }
    }
}
