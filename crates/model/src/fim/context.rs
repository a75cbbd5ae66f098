//! What stands around the file at hand: the repository, chunks of other files, the path.

use super::bind::{BoundContext, BoundItem};
use super::comment::line_comment;
use super::window::fit_front;
use super::{ContextChunk, FimError, PromptParts};
use crate::tokenizer::Tokenizer;
use crate::tokens::TokenId;

/// The context's tokens and how many chunks are in it.
pub(super) struct Rendered {
    pub tokens: Vec<TokenId>,
    /// What of this file's header stands elsewhere.
    pub file: Vec<TokenId>,
    pub chunks: usize,
}

struct Values<'a> {
    repo: &'a str,
    path: &'a str,
    text: &'a str,
}

/// Renders as much as `budget` tokens hold: the current path first of all, then the repository and
/// the chunks in their order, the last one cut at a line's end.
pub(super) fn render(
    tokenizer: &Tokenizer,
    context: &BoundContext,
    parts: &PromptParts<'_>,
    path_budget: usize,
    chunk_budget: usize,
    lead_space: bool,
) -> Result<Rendered, FimError> {
    let mut writer = Writer {
        tokenizer,
        lead_space,
        tokens: Vec::new(),
    };
    let values = Values {
        repo: parts.repo.unwrap_or(""),
        path: parts.path.unwrap_or(""),
        text: "",
    };
    let (mut file, mut chunks) = (Vec::new(), 0);
    if chunk_budget > 0 && !parts.chunks.is_empty() && !context.chunk.is_empty() {
        if parts.repo.is_some() {
            let repo = writer.fixed(&context.repo, &values, chunk_budget / 4)?;
            writer.tokens.extend(repo);
        }
        for chunk in parts.chunks {
            let left = chunk_budget.saturating_sub(writer.tokens.len());
            let Some(tokens) = writer.chunk(&context.chunk, chunk, left)? else {
                break;
            };
            writer.tokens.extend(tokens);
            chunks += 1;
        }
        if chunks == 0 {
            writer.tokens.clear();
            writer.lead_space = lead_space;
        }
    }
    if parts.path.is_some() && (chunks > 0 || context.always) {
        let current = writer.fixed(&context.current, &values, path_budget)?;
        file = writer.fixed(&context.file, &values, path_budget - current.len())?;
        writer.tokens.extend(current);
    }
    Ok(Rendered {
        tokens: writer.tokens,
        file,
        chunks,
    })
}

struct Writer<'a> {
    tokenizer: &'a Tokenizer,
    /// Still to be written before the first text.
    lead_space: bool,
    tokens: Vec<TokenId>,
}

impl Writer<'_> {
    /// A header that is rendered whole or not at all.
    fn fixed(
        &mut self,
        items: &[BoundItem],
        values: &Values<'_>,
        budget: usize,
    ) -> Result<Vec<TokenId>, FimError> {
        // A path of thousands of bytes is no header.
        if values.path.len() + values.repo.len() > budget.saturating_mul(8) {
            return Ok(Vec::new());
        }
        let lead_space = self.lead_space;
        let mut tokens = Vec::new();
        for item in items {
            match item {
                BoundItem::Token(id) => tokens.push(*id),
                BoundItem::Text(template) => {
                    let text = self.lead(&fill(template, values));
                    tokens.extend(self.tokenizer.encode_lossy(&text)?);
                }
                BoundItem::Slot { .. } => {}
            }
        }
        if tokens.len() > budget {
            self.lead_space = lead_space;
            tokens.clear();
        }
        Ok(tokens)
    }

    /// A chunk with at least its header and one line, or `None` where that does not fit.
    fn chunk(
        &mut self,
        items: &[BoundItem],
        chunk: &ContextChunk,
        budget: usize,
    ) -> Result<Option<Vec<TokenId>>, FimError> {
        let lead_space = self.lead_space;
        let sentinels = items
            .iter()
            .filter(|item| matches!(item, BoundItem::Token(_)))
            .count();
        let mut left = budget.saturating_sub(sentinels);
        let mut tokens = Vec::new();
        for item in items {
            match item {
                BoundItem::Token(id) => tokens.push(*id),
                BoundItem::Text(template) => {
                    let values = Values {
                        repo: "",
                        path: &chunk.path,
                        text: chunk.text.trim_end_matches(['\r', '\n']),
                    };
                    let text = self.lead(&fill(template, &values));
                    let header = text.find('\n').map_or(text.len(), |at| at + 1);
                    let encode = |text: &str| self.tokenizer.encode_lossy(text);
                    let (end, ids) = fit_front(&text, left, encode)?;
                    let cut = end < text.len();
                    if cut && (end <= header || !text[..end].ends_with(['\n', '\r'])) {
                        self.lead_space = lead_space;
                        return Ok(None);
                    }
                    left -= ids.len();
                    tokens.extend(ids);
                }
                BoundItem::Slot { .. } => {}
            }
        }
        Ok((tokens.len() <= budget).then_some(tokens))
    }

    fn lead(&mut self, text: &str) -> String {
        match std::mem::take(&mut self.lead_space) {
            true => format!(" {text}"),
            false => text.to_owned(),
        }
    }
}

/// Puts the values in, once: what a value holds is not looked at again.
fn fill(template: &str, values: &Values<'_>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            rest = after;
            break;
        };
        out.push_str(match name {
            "repo" => values.repo,
            "path" => values.path,
            "text" => values.text,
            "comment" => line_comment(values.path),
            _ => "",
        });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_once() {
        let values = Values {
            repo: "r",
            path: "a/{text}.py",
            text: "{path}",
        };
        assert_eq!(
            fill("{comment} {path}\n{text}\n", &values),
            "# a/{text}.py\n{path}\n"
        );
    }
}
