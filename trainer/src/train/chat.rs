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
        "expected `{{{{system}}}}` or `{{{{instruction}}}}` in `template`, found `{{{{{0}}}}}`"
    )]
    Place(String),
    /// It does not show the task.
    #[error("expected `{{{{instruction}}}}` once in `template`, found {0}")]
    Instruction(usize),
    /// The end token is not in the vocabulary.
    #[error(
        "expected in `end` a control token of the checkpoint's tokenizer, found `{0}`; a response \
         without it would never learn to end"
    )]
    End(String),
}

/// A template's literal texts and places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Text(String),
    System,
    Instruction,
}

impl std::str::FromStr for Template {
    type Err = ChatError;

    /// Fails with [`ChatError::Place`] or [`ChatError::Instruction`].
    fn from_str(template: &str) -> Result<Self, ChatError> {
        let mut places = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            places.push(Place::Text(before.to_owned()));
            let (place, after) = after
                .split_once("}}")
                .ok_or_else(|| ChatError::Place(after.to_owned()))?;
            places.push(match place.trim() {
                "system" => Place::System,
                "instruction" => Place::Instruction,
                other => return Err(ChatError::Place(other.to_owned())),
            });
            rest = after;
        }
        places.push(Place::Text(rest.to_owned()));
        let shown = places.iter().filter(|place| **place == Place::Instruction);
        match shown.count() {
            1 => Ok(Self(places)),
            other => Err(ChatError::Instruction(other)),
        }
    }
}

impl Template {
    /// The prompt as text.
    #[must_use]
    pub fn filled(&self, system: &str, instruction: &str) -> String {
        let text = |place: &Place| match place {
            Place::Text(text) => text.clone(),
            Place::System => system.to_owned(),
            Place::Instruction => instruction.to_owned(),
        };
        self.0.iter().map(text).collect()
    }
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
    Place(Place),
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
        for place in recipe.template.parse::<Template>()?.0 {
            match place {
                Place::Text(text) => literal(&text, &controls, &mut parts),
                place => parts.push(Part::Place(place)),
            }
        }
        // A template that spells the begin token has it already.
        let begin = tokenizer.bos().filter(|_| tokenizer.add_bos());
        if let Some(begin) = begin
            && !matches!(parts.first(), Some(Part::Control(id)) if *id == begin)
        {
            parts.insert(0, Part::Control(begin));
        }
        Ok(Self { parts, end })
    }

    /// The token that ends a response.
    pub fn end(&self) -> TokenId {
        self.end
    }

    /// The control tokens that it places, the end among them.
    pub fn controls(&self) -> impl Iterator<Item = TokenId> {
        let placed = self.parts.iter().filter_map(|part| match part {
            Part::Control(id) => Some(*id),
            Part::Place(_) => None,
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
                Part::Place(Place::Text(literal)) => text.push_str(literal),
                Part::Place(Place::System) => text.push_str(system),
                Part::Place(Place::Instruction) => text.push_str(instruction),
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
        Piece::Text(text) => Part::Place(Place::Text(text.to_owned())),
        Piece::Control(id) => Part::Control(id),
    }));
}
