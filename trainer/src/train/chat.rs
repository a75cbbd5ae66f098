//! Chat templates as data: the tokens before a response.

use serde::{Deserialize, Serialize};
use truefill_model::tokenizer::{Tokenizer, TokenizerError};
use truefill_model::tokens::TokenId;

use crate::controls::{Controls, Piece};

/// A template in a recipe, with the places `{{system}}` and `{{instruction}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatRecipe {
    /// All that stands before the response. The spelling of a control token is that token here, and
    /// nowhere else: what fills a place is plain text.
    pub template: String,
    /// The token that ends a response, by its literal spelling.
    pub end: String,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// A place that nobody fills.
    #[error(
        "section `[train.chat]`: expected `{{{{system}}}}` or `{{{{instruction}}}}` in `template`, \
         found `{{{{{0}}}}}`"
    )]
    Place(String),
    /// It does not show the task.
    #[error("section `[train.chat]`: expected `{{{{instruction}}}}` once in `template`, found {0}")]
    Instruction(usize),
    /// The end token is not in the vocabulary.
    #[error(
        "section `[train.chat]`: expected in `end` a control token of the checkpoint's tokenizer, \
         found `{0}`; a response without it would never learn to end"
    )]
    End(String),
}

/// A template for one tokenizer.
#[derive(Clone, Debug)]
pub struct Chat {
    parts: Vec<Part>,
    end: TokenId,
}

#[derive(Clone, Debug)]
enum Part {
    Control(TokenId),
    Text(String),
    System,
    Instruction,
}

impl Chat {
    /// Reads a template.
    ///
    /// # Errors
    /// [`ChatError`].
    pub fn bind(recipe: &ChatRecipe, tokenizer: &Tokenizer) -> Result<Self, ChatError> {
        let end = tokenizer.id(&recipe.end);
        let end = end.filter(|id| tokenizer.is_special(*id));
        let end = end.ok_or_else(|| ChatError::End(recipe.end.clone()))?;
        let controls = Controls::of(tokenizer);
        let mut parts = Vec::new();
        let mut rest = recipe.template.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            literal(before, &controls, &mut parts);
            let (place, after) = after
                .split_once("}}")
                .ok_or_else(|| ChatError::Place(after.to_owned()))?;
            parts.push(match place.trim() {
                "system" => Part::System,
                "instruction" => Part::Instruction,
                other => return Err(ChatError::Place(other.to_owned())),
            });
            rest = after;
        }
        literal(rest, &controls, &mut parts);
        // A template that spells the begin token has it already.
        let begin = tokenizer.bos().filter(|_| tokenizer.add_bos());
        if let Some(begin) = begin
            && !matches!(parts.first(), Some(Part::Control(id)) if *id == begin)
        {
            parts.insert(0, Part::Control(begin));
        }
        let shown = |part: &&Part| matches!(part, Part::Instruction);
        match parts.iter().filter(shown).count() {
            1 => Ok(Self { parts, end }),
            other => Err(ChatError::Instruction(other)),
        }
    }

    /// The token that ends a response.
    pub fn end(&self) -> TokenId {
        self.end
    }

    /// The control tokens that it places, the end among them.
    pub fn controls(&self) -> impl Iterator<Item = TokenId> {
        let placed = self.parts.iter().filter_map(|part| match part {
            Part::Control(id) => Some(*id),
            _ => None,
        });
        placed.chain([self.end])
    }

    /// The prompt's tokens. Text between two control tokens is encoded as one, as a tokenizer does
    /// that is given the whole.
    ///
    /// # Errors
    /// A character that the vocabulary cannot express.
    pub fn prompt(
        &self,
        tokenizer: &Tokenizer,
        system: &str,
        instruction: &str,
    ) -> Result<Vec<TokenId>, TokenizerError> {
        let (mut tokens, mut text) = (Vec::new(), String::new());
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::System => text.push_str(system),
                Part::Instruction => text.push_str(instruction),
                Part::Control(id) => {
                    tokens.extend(tokenizer.encode(&std::mem::take(&mut text))?);
                    tokens.push(*id);
                }
            }
        }
        tokens.extend(tokenizer.encode(&text)?);
        Ok(tokens)
    }
}

fn literal(text: &str, controls: &Controls, parts: &mut Vec<Part>) {
    parts.extend(controls.pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => Part::Text(text.to_owned()),
        Piece::Control(id) => Part::Control(id),
    }));
}
