//! Text in which control tokens are spelled, as a tokenizer reads it that takes their spelling for them.

use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;

/// The control tokens of a vocabulary by their spelling, the longest first.
pub struct Controls(Vec<(String, TokenId)>);

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Plain text, not empty.
    Text(&'t str),
    /// A control token.
    Control(TokenId),
}

impl Controls {
    /// Those of a tokenizer.
    pub fn of(tokenizer: &Tokenizer) -> Self {
        let spelled = |id| {
            let bytes = tokenizer.token_bytes(id)?.to_vec();
            let spelling = String::from_utf8(bytes).ok()?;
            (!spelling.is_empty()).then_some((spelling, id))
        };
        let mut controls: Vec<_> = tokenizer.specials().filter_map(spelled).collect();
        controls.sort_by_key(|(spelling, _)| std::cmp::Reverse(spelling.len()));
        Self(controls)
    }

    /// A text's parts in their order.
    pub fn pieces<'t>(&self, text: &'t str) -> Vec<Piece<'t>> {
        let mut pieces = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < text.len() {
            let spelled = |(spelling, _): &&(String, TokenId)| text[at..].starts_with(spelling);
            let Some((spelling, id)) = self.0.iter().find(spelled) else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            };
            pieces.extend(plain(&text[start..at]));
            pieces.push(Piece::Control(*id));
            at += spelling.len();
            start = at;
        }
        pieces.extend(plain(&text[start..]));
        pieces
    }
}

fn plain(text: &str) -> Option<Piece<'_>> {
    (!text.is_empty()).then_some(Piece::Text(text))
}
