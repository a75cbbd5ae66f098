//! FGit's teacher: three similar but incorrect variants, of which the most similar is kept.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::ask::{Asking, PLACES, answer, question};
use super::generator::{Answered, Generator, Outcome, Proposal, Refusal};
use super::reply;
use super::scene::Scene;
use super::similar::Similarity;
use crate::contract;
use crate::panel::Member;
use crate::prompt::Prompt;
use crate::rows::HallucinationType;

/// A member that is asked for similar variants. Its rows have the type `similar`.
pub struct Teacher {
    name: String,
    member: Arc<dyn Member>,
    prompt: Prompt,
    asking: Asking,
    variants: usize,
    similarity: Arc<dyn Similarity>,
}

impl Teacher {
    /// A teacher that asks `member` for `variants` variants (FGit: 3, at temperature 0.8).
    ///
    /// # Errors
    /// As [`Prompt::load`].
    pub fn new(
        member: Arc<dyn Member>,
        prompts: Option<&Path>,
        asking: Asking,
        variants: usize,
        similarity: Arc<dyn Similarity>,
    ) -> Result<Self> {
        let text = include_str!("../../../prompts/generate/teacher.toml");
        Ok(Self {
            name: format!("teacher:{}", member.name()),
            member,
            prompt: Prompt::load(prompts, "generate/teacher", text, PLACES)?,
            asking,
            variants,
            similarity,
        })
    }

    async fn best(&self, scene: &Scene) -> Result<Result<Proposal, Refusal>> {
        let variants = match self.variants_of(scene).await? {
            Ok(variants) => variants,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let golden = &scene.context.golden;
        let scores = self
            .similarity
            .scores(&scene.context.id, golden, &variants)
            .await?;
        // The first of equals, so that the order of the variants decides and not the sort.
        let mut best: Option<(f64, &String)> = None;
        for (score, variant) in scores.iter().zip(&variants) {
            if best.is_none_or(|(most, _)| *score > most) {
                best = Some((*score, variant));
            }
        }
        Ok(best
            .map(|(_, variant)| Proposal::in_hole(variant.clone()))
            .ok_or(Refusal::NoContract))
    }

    /// The variants that fulfil the contract; where none does, one of those that do not, so that
    /// the reason is counted.
    async fn variants_of(&self, scene: &Scene) -> Result<Result<Vec<String>, Refusal>> {
        let kind = HallucinationType::Similar;
        let first = match question(scene, kind, &self.prompt, self.asking) {
            Ok(question) => question,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let questions: Vec<_> = (0..self.variants)
            .map(|sample| {
                let mut question = first.clone();
                question.subject = format!("{}/{kind}/{}/{sample}", scene.context.id, self.name);
                question.seed = Some(scene.sample_seed(kind, sample));
                question
            })
            .collect();
        let asked = questions
            .iter()
            .map(|question| answer(&*self.member, question));
        let mut refusal = Refusal::NoContract;
        let mut variants = Vec::new();
        let mut broken = Vec::new();
        for reply in futures::future::join_all(asked).await {
            let variant = reply.and_then(|text| {
                reply::block(&text, &scene.context.golden).ok_or(Refusal::NoContract)
            });
            match variant {
                Err(reason) => refusal = reason,
                Ok(text) if contract::check(&scene.golden, kind, &text).is_ok() => {
                    variants.push(text);
                }
                Ok(text) => broken.push(text),
            }
        }
        if variants.is_empty() {
            broken.truncate(1);
            variants = broken;
        }
        variants.dedup();
        Ok(if variants.is_empty() {
            Err(refusal)
        } else {
            Ok(variants)
        })
    }
}

impl Generator for Teacher {
    fn name(&self) -> &str {
        &self.name
    }

    fn propose<'a>(
        &'a self,
        scene: &'a Arc<Scene>,
        _kinds: &'a [HallucinationType],
    ) -> Answered<'a> {
        Box::pin(async move {
            Ok(vec![Outcome {
                kind: Some(HallucinationType::Similar),
                version: self.prompt.version.clone(),
                result: self.best(scene).await?,
            }])
        })
    }
}
