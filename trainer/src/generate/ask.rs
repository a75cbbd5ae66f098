//! Candidates from a member of the panel, by the prompts of paper "hard negatives", C.1.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::generator::{Answered, Generator, Outcome, Proposal, Refusal};
use super::reply;
use super::scene::Scene;
use super::split;
use crate::contract;
use crate::panel::{AskError, Finish, Member, Question};
use crate::prompt::{Around, Prompt};
use crate::rows::HallucinationType;

/// The places of a generator's prompt.
pub(super) const PLACES: &[&str] = &["language", "prefix", "golden", "suffix", "file"];

/// How a panel is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asking {
    /// 0 is greedy.
    pub temperature: f32,
    /// Tokens of a reply at most.
    pub max_tokens: u32,
    /// Bytes of prefix and of suffix that a question shows at most, and twice as many of the file
    /// that a question for an import shows.
    pub side_bytes: usize,
}

/// The prompts of the four types.
pub struct Prompts {
    prompts: [Prompt; 4],
}

impl Prompts {
    /// Reads the prompts out of a folder, or those that are compiled in.
    ///
    /// # Errors
    /// As [`Prompt::load`].
    pub fn load(folder: Option<&Path>) -> Result<Self> {
        let built_in = [
            include_str!("../../../prompts/generate/method.toml"),
            include_str!("../../../prompts/generate/parameter.toml"),
            include_str!("../../../prompts/generate/undefined_variable.toml"),
            include_str!("../../../prompts/generate/import.toml"),
        ];
        let mut prompts = Vec::with_capacity(4);
        for (kind, text) in HallucinationType::ALL.iter().zip(built_in) {
            let name = format!("generate/{kind}");
            prompts.push(Prompt::load(folder, &name, text, PLACES)?);
        }
        let prompts = prompts
            .try_into()
            .map_err(|_| anyhow::anyhow!("expected a prompt for each of four types"))?;
        Ok(Self { prompts })
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Prompt] {
        &self.prompts
    }

    fn of(&self, kind: HallucinationType) -> Option<&Prompt> {
        let at = HallucinationType::ALL
            .iter()
            .position(|known| *known == kind)?;
        self.prompts.get(at)
    }
}

/// A member that is asked for candidates of given types.
pub struct Asked {
    member: Arc<dyn Member>,
    prompts: Arc<Prompts>,
    asking: Asking,
}

impl Asked {
    /// A generator that asks `member`.
    #[must_use]
    pub fn new(member: Arc<dyn Member>, prompts: Arc<Prompts>, asking: Asking) -> Self {
        Self {
            member,
            prompts,
            asking,
        }
    }

    async fn outcome(&self, scene: &Scene, kind: HallucinationType) -> Option<Outcome> {
        let prompt = self.prompts.of(kind)?;
        let asked = question(scene, kind, prompt, self.asking);
        let shortened = asked.as_ref().is_ok_and(|(_, shortened)| *shortened);
        let result = match asked {
            Err(refusal) => Err(refusal),
            Ok((mut question, _)) => {
                question.subject = format!("{}/{kind}/{}/0", scene.context.id, self.name());
                answer(&*self.member, &question)
                    .await
                    .and_then(|text| read(scene, kind, &text))
            }
        };
        Some(Outcome {
            kind: Some(kind),
            version: prompt.version.clone(),
            shortened,
            result,
        })
    }
}

impl Generator for Asked {
    fn name(&self) -> &str {
        self.member.name()
    }

    fn propose<'a>(
        &'a self,
        scene: &'a Arc<Scene>,
        kinds: &'a [HallucinationType],
    ) -> Answered<'a> {
        Box::pin(async move {
            let asked = kinds.iter().map(|kind| self.outcome(scene, *kind));
            // All of them: one that fails must not drop others, which are paid for.
            let outcomes = futures::future::join_all(asked).await;
            Ok(outcomes.into_iter().flatten().collect())
        })
    }
}

/// The text of a reply.
pub(super) async fn answer(member: &dyn Member, question: &Question) -> Result<String, Refusal> {
    let reply = member.ask(question).await?;
    match reply.finish {
        Finish::Stop => Ok(reply.text),
        Finish::Length => Err(Refusal::Cut),
        Finish::Blocked => Err(Refusal::Blocked),
    }
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Failed(reason) => Self::NoAnswer(reason),
            AskError::Secret => Self::Secret,
            AskError::Budget(_) => Self::Budget,
            AskError::Stop(why) => Self::Stopped(why),
        }
    }
}

/// The question for a type, without its subject, and whether it shows less than the row holds.
pub(super) fn question(
    scene: &Scene,
    kind: HallucinationType,
    prompt: &Prompt,
    asking: Asking,
) -> Result<(Question, bool), Refusal> {
    let context = &scene.context;
    let file = if kind == HallucinationType::Import {
        // The window is the whole file: others have no place for an import.
        scene.import()?;
        scene.golden.text.as_str()
    } else if contract::has_site(&scene.golden, kind) {
        ""
    } else {
        // No answer could keep the contract, and each is paid for.
        return Err(Refusal::NoSite);
    };
    if file.len() > 2 * asking.side_bytes || context.golden.len() > asking.side_bytes {
        return Err(Refusal::TooLarge);
    }
    let around = Around::of(context, asking.side_bytes);
    let user = prompt.render(&[
        ("language", context.language.name()),
        ("prefix", around.prefix),
        ("golden", &context.golden),
        ("suffix", around.suffix),
        ("file", file),
    ]);
    let question = Question {
        subject: String::new(),
        prompt_version: prompt.version.clone(),
        system: prompt.system.clone(),
        user,
        temperature: asking.temperature,
        seed: (asking.temperature > 0.0).then(|| scene.sample_seed(kind, 0)),
        max_tokens: asking.max_tokens,
    };
    // The file of an import is shown whole or not at all.
    Ok((question, around.shortened && file.is_empty()))
}

fn read(scene: &Scene, kind: HallucinationType, text: &str) -> Result<Proposal, Refusal> {
    let context = &scene.context;
    if kind != HallucinationType::Import {
        let rejected = reply::completion(text, &context.golden).ok_or(Refusal::NoContract)?;
        return Ok(Proposal::in_hole(rejected));
    }
    let (original, invented) = reply::imports(text).ok_or(Refusal::NoContract)?;
    let split = split::at_line(context, &scene.golden, &original).ok_or(Refusal::NoSuchImport)?;
    Ok(Proposal {
        rejected: invented,
        split: Some(split),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Context;
    use truefill_syntax::Language;

    #[test]
    fn a_question_is_bounded_and_says_what_it_left_out() {
        let parts = ["import os\nx = ", "os.getcwd()", "\ny = 1\n"];
        let context = Context::of_file(Language::Python, "o/r", "MIT", "a.py", parts);
        let scene = Scene::new(context, 1).expect("parses");
        let prompts = Prompts::load(None).expect("compiled in");
        let asked = |kind, side_bytes| {
            let asking = Asking {
                temperature: 0.0,
                max_tokens: 9,
                side_bytes,
            };
            let prompt = prompts.of(kind).expect("there");
            question(&scene, kind, prompt, asking).map(|(question, short)| (question.user, short))
        };
        let (user, shortened) = asked(HallucinationType::Method, 12).expect("asked");
        assert!(shortened && user.contains("x = ") && !user.contains("import os"));
        assert!(!asked(HallucinationType::Method, 100).expect("asked").1);
        // The file of an import is shown whole or not at all.
        let (file, shortened) = asked(HallucinationType::Import, 20).expect("asked");
        assert!(!shortened && file.contains("import os"));
        let refused = asked(HallucinationType::Import, 12);
        assert_eq!(refused, Err(Refusal::TooLarge));
    }

    /// A reply that nothing could be done with would be paid for.
    #[test]
    fn what_a_hole_does_not_have_is_not_asked_for() {
        use HallucinationType::{Method, Parameter, UndefinedVariable};
        let prompts = Prompts::load(None).expect("compiled in");
        let asking = Asking {
            temperature: 0.0,
            max_tokens: 9,
            side_bytes: 100,
        };
        for (language, golden, sites) in [
            (Language::Python, "load(name)", [true, true, true]),
            (Language::Python, "load()", [true, true, false]),
            (Language::Python, "name", [false, false, true]),
            (Language::Python, "3 + 4", [false; 3]),
            (Language::Ruby, "load name", [true, true, true]),
            (Language::Ruby, "store.load", [true, true, true]),
        ] {
            let context = Context::of_file(language, "o/r", "MIT", "a", ["x = ", golden, "\n"]);
            let scene = Scene::new(context, 1).expect("parses");
            for (kind, site) in [Method, Parameter, UndefinedVariable]
                .into_iter()
                .zip(sites)
            {
                let prompt = prompts.of(kind).expect("there");
                let asked = question(&scene, kind, prompt, asking).map(|_| ());
                let expected = site.then_some(()).ok_or(Refusal::NoSite);
                assert_eq!(asked, expected, "{kind} of `{golden}`");
            }
        }
    }

    #[test]
    fn an_import_takes_a_row_that_holds_its_whole_file() {
        let parts = ["import os\nx = ", "os.getcwd()", "\ny = 1\n"];
        let whole = Context::of_file(Language::Python, "o/r", "MIT", "a.py", parts);
        let prompts = Prompts::load(None).expect("compiled in");
        let prompt = prompts.of(HallucinationType::Import).expect("there");
        let asking = Asking {
            temperature: 0.0,
            max_tokens: 9,
            side_bytes: 100,
        };
        let asked = |context| {
            let scene = Scene::new(context, 1).expect("parses");
            question(&scene, HallucinationType::Import, prompt, asking).map(|_| ())
        };
        assert_eq!(asked(whole.clone()), Ok(()));
        let mut behind = whole.clone();
        behind.span.window_start = 7;
        let mut cut = whole;
        cut.suffix.clear();
        for part in [behind, cut] {
            assert_eq!(asked(part), Err(Refusal::PartOfFile));
        }
    }
}
