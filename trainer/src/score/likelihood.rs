//! Summed log-probability of a completion after the prompt that serving would render.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::fim::{BoundFormat, Budget, Layout, PromptParts, SUFFIX_SHARE};
use truefill_model::kv::KvCache;
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;

use crate::checkpoint;
use crate::usage::Usage;

/// Completions beyond so many tokens are not scored: none of a negative's kind is so long.
pub const LONGEST_MIDDLE: usize = 512;

/// Tokens whose logits are held at a time; a row of them is a vocabulary long.
const LOGITS_AT_ONCE: usize = 32;

/// A scorer in a recipe: a checkpoint, or one format of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScorerRecipe {
    /// Its name in rows and tables.
    pub name: String,
    /// A `.gguf` file or a folder with a checkpoint.
    pub model: PathBuf,
    /// The FIM format; without one, the tokenizer's.
    #[serde(default)]
    pub format: Option<String>,
    /// The format's layout; without one, the layout that it is served with.
    #[serde(default)]
    pub layout: Option<Layout>,
    /// Tokens of prefix and suffix together.
    #[serde(default = "context_tokens")]
    pub context_tokens: usize,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    #[serde(default = "device_name")]
    pub device: String,
}

fn context_tokens() -> usize {
    1024
}

fn device_name() -> String {
    "auto".into()
}

/// A model in one format, with a cache of its own.
pub struct Scorer {
    name: String,
    decoder: Arc<Decoder>,
    format: BoundFormat,
    budget: Budget,
    cache: KvCache,
    with_end: bool,
}

/// A score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Natural logarithm of the completion's probability, its end included.
    pub log_probability: f64,
    /// Tokens that it is the sum over.
    pub tokens: usize,
}

/// Opens scorers; those that name the same checkpoint share its weights.
///
/// # Errors
/// Names that stand twice, formats that do not exist or do not fit the tokenizer, and what is wrong
/// with a checkpoint.
pub fn open(recipes: &[ScorerRecipe]) -> Result<Vec<Scorer>> {
    let mut models: BTreeMap<(PathBuf, String), Model> = BTreeMap::new();
    let mut scorers: Vec<Scorer> = Vec::new();
    for recipe in recipes {
        if scorers.iter().any(|scorer| scorer.name == recipe.name) {
            let name = &recipe.name;
            return Err(Usage::error(format!(
                "expected scorers of different names, found `{name}` twice"
            )));
        }
        let key = (recipe.model.clone(), recipe.device.clone());
        let (decoder, tokenizer, stored) = match models.get(&key) {
            Some(loaded) => loaded.clone(),
            None => models.entry(key).or_insert(load(recipe, recipes)?).clone(),
        };
        let format = bind(recipe, stored.as_deref(), &tokenizer)?;
        scorers.push(Scorer::new(
            recipe.name.clone(),
            decoder,
            format,
            recipe.context_tokens,
        )?);
    }
    Ok(scorers)
}

/// A model, its tokenizer, and its format where a store tells it.
type Model = (Arc<Decoder>, Tokenizer, Option<String>);

fn load(recipe: &ScorerRecipe, recipes: &[ScorerRecipe]) -> Result<Model> {
    let (model, device) = (&recipe.model, &recipe.device);
    let positions = positions(recipe, recipes);
    let loaded = checkpoint::load(model, device, Precision::Serving, positions)?;
    Ok((Arc::new(loaded.decoder), loaded.tokenizer, loaded.format))
}

/// Tokens of the longest sequence that any of `recipes` wants of the checkpoint of `recipe`.
fn positions(recipe: &ScorerRecipe, recipes: &[ScorerRecipe]) -> usize {
    let shares =
        |other: &&ScorerRecipe| (&other.model, &other.device) == (&recipe.model, &recipe.device);
    let sharing = recipes.iter().filter(shares);
    let longest = sharing.map(|other| other.context_tokens).max();
    longest.unwrap_or(recipe.context_tokens) + LONGEST_MIDDLE + 1
}

fn bind(recipe: &ScorerRecipe, stored: Option<&str>, tokenizer: &Tokenizer) -> Result<BoundFormat> {
    let bound = checkpoint::format(recipe.format.as_deref().or(stored), tokenizer)?;
    Ok(match recipe.layout {
        Some(layout) => bound.with_layout(layout)?,
        None => bound,
    })
}

impl Scorer {
    /// A scorer over a model that is loaded; prompts have at most `context_tokens`.
    ///
    /// # Errors
    /// Where no cache can be made.
    pub fn new(
        name: String,
        decoder: Arc<Decoder>,
        format: BoundFormat,
        context_tokens: usize,
    ) -> Result<Self> {
        let room = decoder.max_positions().saturating_sub(LONGEST_MIDDLE + 1);
        let budget = Budget {
            total: context_tokens.min(room.max(decoder.max_positions() / 2)),
            suffix_share: SUFFIX_SHARE,
            chunk_share: 0.0,
        };
        let cache = decoder.cache(budget.total + LONGEST_MIDDLE + 1)?;
        // A model without sentinels was never taught to end a middle.
        let with_end = format.banned_before_text().is_empty();
        Ok(Self {
            name,
            decoder,
            format,
            budget,
            cache,
            with_end,
        })
    }

    /// Its name in the recipe.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Scores `middle` between `prefix` and `suffix` in the file `path`. What the prompt has in common with the last
    /// one is not computed again, so all completions of a hole cost one prompt.
    ///
    /// Nothing where the vocabulary cannot spell the middle or it is longer than 512 tokens.
    ///
    /// # Errors
    /// What the model reports, as where its logits are not finite.
    pub fn score(
        &mut self,
        path: &str,
        [prefix, middle, suffix]: [&str; 3],
    ) -> Result<Option<Scored>> {
        let parts = PromptParts {
            prefix,
            suffix,
            path: Some(path),
            ..PromptParts::default()
        };
        let Ok(example) = self.format.render_training(&parts, middle, &self.budget) else {
            return Ok(None);
        };
        let mut tokens = example.tokens;
        if !self.with_end {
            tokens.pop();
        }
        let targets = example.supervised.start..tokens.len();
        if targets.is_empty()
            || targets.len() > LONGEST_MIDDLE
            || tokens.len() > self.cache.capacity()
        {
            return Ok(None);
        }
        // The logits of a token stand at the one before it, so that one is computed in any case.
        let shared = self.cache.shared_prefix(&tokens).min(targets.start - 1);
        self.cache.truncate(shared);
        self.run(&tokens[shared..targets.start - 1])?;
        let mut sum = 0.0;
        for start in targets.clone().step_by(LOGITS_AT_ONCE) {
            let end = targets.end.min(start + LOGITS_AT_ONCE);
            sum += self.sum(&tokens[start - 1..end - 1], &tokens[start..end])?;
        }
        Ok(Some(Scored {
            log_probability: sum,
            tokens: targets.len(),
        }))
    }

    fn run(&mut self, tokens: &[TokenId]) -> Result<()> {
        self.decoder
            .forward(&mut self.cache, tokens, &[], &|| false)?;
        Ok(())
    }

    /// Appends `inputs` and sums the log-probabilities of `targets` behind them.
    fn sum(&mut self, inputs: &[TokenId], targets: &[TokenId]) -> Result<f64> {
        let wanted: Vec<usize> = (0..inputs.len()).collect();
        let logits = self
            .decoder
            .forward(&mut self.cache, inputs, &wanted, &|| false)?;
        let vocabulary = self.decoder.config().vocabulary;
        let mut sum = 0.0;
        for (row, target) in logits.chunks_exact(vocabulary).zip(targets) {
            sum += log_probability(row, target.0 as usize);
        }
        if !sum.is_finite() {
            bail!(
                "scorer `{}`: {}",
                self.name,
                truefill_model::error::ModelError::NotFinite
            );
        }
        Ok(sum)
    }
}

/// `logits[target]` after a softmax, as a logarithm.
fn log_probability(logits: &[f32], target: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - largest).exp())
        .sum();
    logits
        .get(target)
        .map_or(f64::NAN, |logit| f64::from(logit - largest) - sum.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(name: &str, layout: Option<Layout>) -> ScorerRecipe {
        let tiny = "../crates/model/tests/data/parity/gguf/llama-f32.gguf";
        ScorerRecipe {
            name: name.into(),
            model: std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(tiny),
            format: Some("causal".into()),
            layout,
            context_tokens: 48,
            device: "cpu".into(),
        }
    }

    #[test]
    fn a_softmax_of_two_is_a_logistic() {
        let found = log_probability(&[1.0, 3.0], 1);
        assert!((found - -(1.0 + (-2.0f64).exp()).ln()).abs() < 1e-6);
        let large = log_probability(&[1e4, 1e4], 0);
        assert!((large - 0.5f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn a_score_is_the_sum_over_its_tokens_and_does_not_depend_on_the_cache() {
        let mut scorers = open(&[recipe("a", None), recipe("b", None)]).expect("opens");
        assert!(Arc::ptr_eq(&scorers[0].decoder, &scorers[1].decoder));
        let [warm, fresh] = scorers.as_mut_slice() else {
            panic!("two")
        };
        let whole = warm
            .score("a.py", ["a = ", "b + c", "\n"])
            .expect("computes")
            .expect("scores");
        assert!(whole.log_probability < 0.0 && whole.tokens > 1);
        warm.score("a.py", ["x y z", "b", ""]).expect("computes");
        let again = warm
            .score("a.py", ["a = ", "b + c", "\n"])
            .expect("computes")
            .expect("scores");
        let cold = fresh
            .score("a.py", ["a = ", "b + c", "\n"])
            .expect("computes")
            .expect("scores");
        for other in [again, cold] {
            assert!(
                (other.log_probability - whole.log_probability).abs() < 1e-2,
                "{other:?} {whole:?}"
            );
        }
        let first = fresh
            .score("a.py", ["a = ", "b", ""])
            .expect("computes")
            .expect("scores");
        assert!(first.log_probability > whole.log_probability);
    }

    /// Whatever the order of the tables, a checkpoint has room for the longest that uses it.
    #[test]
    fn a_checkpoint_is_loaded_for_all_that_share_it() {
        let [short, long, other] = [16, 400, 900].map(|context_tokens| ScorerRecipe {
            context_tokens,
            ..recipe("a", None)
        });
        let other = ScorerRecipe {
            model: "other.gguf".into(),
            ..other
        };
        let recipes = [short, other, long];
        let room = recipes.each_ref().map(|recipe| positions(recipe, &recipes));
        assert_eq!(
            room,
            [400, 900, 400].map(|tokens| tokens + LONGEST_MIDDLE + 1)
        );
    }

    #[test]
    fn wrong_scorers_are_named() {
        let twice = open(&[recipe("a", None), recipe("a", None)])
            .err()
            .expect("refused");
        assert!(twice.is::<Usage>() && twice.to_string().contains("`a` twice"));
        let unknown = ScorerRecipe {
            format: Some("nope".into()),
            ..recipe("a", None)
        };
        let error = open(&[unknown]).err().expect("refused").to_string();
        assert!(
            error.contains("`nope`") && error.contains("causal"),
            "{error}"
        );
    }
}
