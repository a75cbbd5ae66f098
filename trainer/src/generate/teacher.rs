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
use crate::panel::{Member, Question};
use crate::prompt::Prompt;
use crate::rows::HallucinationType;

/// The teacher's prompt out of a folder, or the one that is compiled in.
///
/// # Errors
/// As [`Prompt::load`].
pub(super) fn prompt(folder: Option<&Path>) -> Result<Prompt> {
    let text = include_str!("../../../prompts/generate/teacher.toml");
    Prompt::load(folder, "generate/teacher", text, PLACES)
}

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
    #[must_use]
    pub fn new(
        member: Arc<dyn Member>,
        prompt: Prompt,
        asking: Asking,
        variants: usize,
        similarity: Arc<dyn Similarity>,
    ) -> Self {
        Self {
            name: format!("teacher:{}", member.name()),
            member,
            prompt,
            asking,
            variants,
            similarity,
        }
    }

    async fn best(&self, scene: &Scene, question: &Question) -> Result<Proposal, Refusal> {
        let variants = self.variants_of(scene, question).await?;
        let golden = &scene.context.golden;
        let asked = self.similarity.scores(&scene.context.id, golden, &variants);
        let scores = asked.await?;
        // The first of equals, so that the order of the variants decides and not the sort.
        let mut best: Option<(f64, &String)> = None;
        for (score, variant) in scores.iter().zip(&variants) {
            if best.is_none_or(|(most, _)| *score > most) {
                best = Some((*score, variant));
            }
        }
        best.map(|(_, variant)| Proposal::in_hole(variant.clone()))
            .ok_or(Refusal::NoContract)
    }

    /// The variants that fulfil the contract; where none does, one of those that do not, so that
    /// the reason is counted.
    async fn variants_of(&self, scene: &Scene, first: &Question) -> Result<Vec<String>, Refusal> {
        let kind = HallucinationType::Similar;
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
        match variants.is_empty() {
            true => Err(refusal),
            false => Ok(variants),
        }
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
            let kind = HallucinationType::Similar;
            let (shortened, result) = match question(scene, kind, &self.prompt, self.asking) {
                Err(refusal) => (false, Err(refusal)),
                Ok((first, shortened)) => (shortened, self.best(scene, &first).await),
            };
            Ok(vec![Outcome {
                kind: Some(kind),
                version: self.prompt.version.clone(),
                shortened,
                result,
            }])
        })
    }
}

#[cfg(test)]
mod tests {
    use truefill_syntax::Language;

    use super::super::similar::{Lexical, Scored};
    use super::*;
    use crate::panel::{Answer, AskError, Finish, Reply};
    use crate::rows::Context;

    /// Answers each variant with one of these.
    struct Says([&'static str; 3]);

    impl Member for Says {
        fn name(&self) -> &str {
            "m"
        }

        fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
            let sample = question.subject.rsplit('/').next().unwrap_or_default();
            let text = self.0[sample.parse::<usize>().expect("a number")];
            assert!(question.seed.is_some() && question.temperature > 0.0);
            let reply = Reply {
                text: format!("```python\n{text}\n```"),
                finish: Finish::Stop,
                input_tokens: 1,
                output_tokens: 1,
            };
            Box::pin(std::future::ready(match text {
                "" => Err(AskError::Failed("a reset".into())),
                _ => Ok(reply),
            }))
        }
    }

    /// A measure that fails.
    struct Fails(AskError);

    impl Similarity for Fails {
        fn name(&self) -> String {
            "none".into()
        }

        fn scores<'a>(&'a self, _: &'a str, _: &'a str, _: &'a [String]) -> Scored<'a> {
            Box::pin(std::future::ready(Err(self.0.clone())))
        }
    }

    fn scene() -> Arc<Scene> {
        let parts = [
            "def f(store):\n    x = ",
            "store.load_rows()",
            "\n    return x\n",
        ];
        let context = Context::of_file(Language::Python, "o/r", "MIT", "a.py", parts);
        Arc::new(Scene::new(context, 1).expect("parses"))
    }

    fn kept(
        says: [&'static str; 3],
        measure: Arc<dyn Similarity>,
    ) -> Result<Result<String, Refusal>> {
        let asking = Asking {
            temperature: 0.8,
            max_tokens: 100,
            side_bytes: 1000,
        };
        let teacher = Teacher::new(Arc::new(Says(says)), prompt(None)?, asking, 3, measure);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let scene = scene();
        let outcomes = runtime.block_on(teacher.propose(&scene, &[]))?;
        assert_eq!(outcomes.len(), 1);
        let outcome = outcomes.into_iter().next().expect("one");
        assert_eq!(outcome.kind, Some(HallucinationType::Similar));
        Ok(outcome.result.map(|proposal| proposal.rejected))
    }

    #[test]
    fn the_most_similar_variant_is_kept() {
        let lexical = || Arc::new(Lexical);
        let says = [
            "store.fetch_all(1)",
            "store.load_row()",
            "store.drop_rows()",
        ];
        let found = kept(says, lexical()).expect("asked");
        assert_eq!(found.as_deref(), Ok("store.load_row()"));
        // What was asked for and is right is no variant; what got no answer is left out.
        let says = ["store.load_rows()", "", "store.fetch_all(1)"];
        let found = kept(says, lexical()).expect("asked");
        assert_eq!(found.as_deref(), Ok("store.fetch_all(1)"));
        let found = kept(["", "", ""], lexical()).expect("asked");
        assert_eq!(found, Err(Refusal::NoAnswer("a reset".into())));
    }

    #[test]
    fn an_embedding_that_failed_costs_one_row_and_a_refused_key_is_told() {
        let says = [
            "store.fetch_all(1)",
            "store.load_row()",
            "store.drop_rows()",
        ];
        let failed = Arc::new(Fails(AskError::Failed("503".into())));
        let found = kept(says, failed).expect("the step goes on");
        assert_eq!(found, Err(Refusal::NoAnswer("503".into())));
        let refused = Arc::new(Fails(AskError::Stop("401".into())));
        let found = kept(says, refused).expect("the step decides");
        assert_eq!(found, Err(Refusal::Stopped("401".into())));
    }
}
