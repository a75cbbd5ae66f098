//! A model that is asked about each row that the rules and the sample kept.

use std::path::Path;

use anyhow::Result;

use crate::panel::{Books, Finish, Heard, Member, Question};
use crate::prompt::{Prompt, head, tail};
use crate::rows::Context;

/// Bytes on each side of the hole that the model sees.
const SHOWN: usize = 3000;

/// Tokens of a reply: the fewest that the Responses API takes. Models that think before they answer
/// need more, by the member's `extra`.
const MAX_TOKENS: u32 = 16;

/// Asks a member of the panel.
pub struct ModelSelector<'a> {
    member: &'a dyn Member,
    prompt: Prompt,
    /// What the member costs; nothing where it is none of a recipe.
    pub books: Option<&'a Books>,
}

impl<'a> ModelSelector<'a> {
    /// A selector that asks `member` with the prompt in the folder `prompts`, or the one that is
    /// compiled in.
    ///
    /// # Errors
    /// As [`Prompt::load`].
    pub fn new(
        member: &'a dyn Member,
        prompts: Option<&Path>,
        books: Option<&'a Books>,
    ) -> Result<Self> {
        let text = include_str!("../../../../prompts/select/hole.toml");
        let places = ["language", "kind", "prefix", "golden", "suffix"];
        Ok(Self {
            member,
            prompt: Prompt::load(prompts, "select/hole", text, &places)?,
            books,
        })
    }

    /// The member's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.member.name()
    }

    /// The prompt.
    #[must_use]
    pub fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// Whether the row is kept; nothing where the model gave no answer that can be read.
    pub async fn keeps(&self, context: &Context) -> (Option<bool>, Heard) {
        if context.golden.len() > SHOWN {
            return (None, Heard::Nothing);
        }
        let answer = self.member.ask(&self.question(context)).await;
        let heard = Heard::of(&answer);
        let said = answer.ok().filter(|reply| reply.finish != Finish::Blocked);
        (said.and_then(|reply| verdict(&reply.text)), heard)
    }

    fn question(&self, context: &Context) -> Question {
        Question {
            subject: format!("{}/select", context.id),
            prompt_version: self.prompt.version.clone(),
            system: self.prompt.system.clone(),
            user: self.prompt.render(&[
                ("language", context.language.name()),
                ("kind", kind_name(context)),
                ("prefix", tail(&context.prefix, SHOWN)),
                ("golden", &context.golden),
                ("suffix", head(&context.suffix, SHOWN)),
            ]),
            temperature: 0.0,
            seed: None,
            max_tokens: MAX_TOKENS,
        }
    }
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

    #[test]
    fn only_a_digit_is_an_answer() {
        for (text, expected) in [
            (" 1\n", Some(true)),
            ("0", Some(false)),
            ("yes", None),
            ("10", None),
            ("", None),
        ] {
            assert_eq!(verdict(text), expected, "{text:?}");
        }
    }
}
