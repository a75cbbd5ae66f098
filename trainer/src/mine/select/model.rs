//! A model that is asked about each row that the rules and the sample kept.

use anyhow::{Result, bail};

use crate::panel::{AskError, Finish, Member, Question};
use crate::rows::Context;

/// The prompt, as it stands in `prompts/`.
const PROMPT: &str = include_str!("../../../../prompts/select/1.md");

/// Counts up with every change to the prompt.
const PROMPT_VERSION: &str = "select/1";

/// Bytes on each side of the hole that the model sees.
const SHOWN: usize = 3000;

/// Asks a member of the panel.
pub struct ModelSelector<'a> {
    member: &'a dyn Member,
}

impl<'a> ModelSelector<'a> {
    /// A selector that asks `member`.
    pub fn new(member: &'a dyn Member) -> Self {
        Self { member }
    }

    /// Whether the row is kept; nothing where the model gave no answer that can be read, so that
    /// the caller counts it.
    ///
    /// # Errors
    /// Where no further question can succeed: the key was refused, the budget is spent.
    pub async fn keeps(&self, context: &Context) -> Result<Option<bool>> {
        match self.member.ask(&question(context)).await {
            Ok(reply) if reply.finish == Finish::Blocked => Ok(None),
            Ok(reply) => Ok(verdict(&reply.text)),
            Err(AskError::Failed(_)) => Ok(None),
            Err(error) => bail!("the selector's model `{}`: {error}", self.member.name()),
        }
    }
}

fn question(context: &Context) -> Question {
    let (system, user) = PROMPT.split_once("\n---\n").unwrap_or(("", PROMPT));
    let fill = [
        ("{{ language }}", context.language.name()),
        ("{{ kind }}", kind_name(context)),
        ("{{ prefix }}", tail(&context.prefix)),
        ("{{ golden }}", &context.golden),
        ("{{ suffix }}", head(&context.suffix)),
    ];
    Question {
        subject: format!("{}/select", context.id),
        prompt_version: PROMPT_VERSION.to_owned(),
        system: system.trim().to_owned(),
        user: filled(user.trim(), &fill),
        temperature: 0.0,
        seed: None,
        max_tokens: 8,
    }
}

/// The template with its places filled, each once and none inside of another's text.
fn filled(template: &str, places: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((at, name, value)) = places
        .iter()
        .filter_map(|(name, value)| rest.find(name).map(|at| (at, name, value)))
        .min_by_key(|(at, ..)| *at)
    {
        text.push_str(&rest[..at]);
        text.push_str(value);
        rest = &rest[at + name.len()..];
    }
    text + rest
}

fn kind_name(context: &Context) -> &'static str {
    use truefill_syntax::HoleKind;
    match context.hole_kind {
        HoleKind::CallSite => "call",
        HoleKind::Identifier => "identifier",
        HoleKind::Arguments => "arguments",
        HoleKind::Import => "import",
        HoleKind::Statement => "statement",
        HoleKind::LineEnd => "end of a line",
        HoleKind::Block => "block",
    }
}

fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(SHOWN);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

fn head(text: &str) -> &str {
    let mut to = text.len().min(SHOWN);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    &text[..to]
}

/// One digit, alone.
fn verdict(reply: &str) -> Option<bool> {
    match reply.trim() {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::{Answer, Reply};
    use crate::rows::Span;
    use truefill_syntax::{HoleKind, Language};

    struct Table(Result<&'static str, AskError>);

    impl Member for Table {
        fn name(&self) -> &str {
            "table"
        }

        fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
            assert!(question.user.contains("golden_call()") && question.user.contains("before"));
            assert!(!question.user.contains("{{"), "{}", question.user);
            let reply = self.0.clone().map(|text| Reply {
                text: text.to_owned(),
                finish: Finish::Stop,
                input_tokens: 0,
                output_tokens: 0,
            });
            Box::pin(std::future::ready(reply))
        }
    }

    #[test]
    fn only_a_digit_is_an_answer() {
        let context = Context {
            id: "1".into(),
            language: Language::Python,
            repo: "r".into(),
            license: "MIT".into(),
            path: "a.py".into(),
            hole_kind: HoleKind::CallSite,
            prefix: "before\n".into(),
            golden: "golden_call()".into(),
            suffix: "\nafter".into(),
            span: Span {
                file_sha256: String::new(),
                window_start: 0,
                hole_start: 7,
                hole_end: 20,
            },
        };
        for (answer, expected) in [
            (Ok(" 1\n"), Ok(Some(true))),
            (Ok("0"), Ok(Some(false))),
            (Ok("yes"), Ok(None)),
            (Err(AskError::Failed("x".into())), Ok(None)),
            (Err(AskError::Stop("401".into())), Err(())),
        ] {
            let member = Table(answer);
            let asked = ModelSelector::new(&member);
            let found = futures::executor::block_on(asked.keeps(&context)).map_err(|_| ());
            assert_eq!(found, expected);
        }
    }
}
