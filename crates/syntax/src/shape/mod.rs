//! One line or a block: what a suggestion at the cursor should be.

use serde::{Deserialize, Serialize};

use crate::{
    language::{Language, WordClass},
    lex::{Last, Mode},
    site::Site,
};

/// How much a suggestion may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The rest of one line.
    OneLine,
    /// Several lines, up to the syntactic end of what was begun.
    Block,
}

/// A shape and why it was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ShapeDecision {
    /// What the suggestion should be.
    pub shape: Shape,
    /// Why, as a phrase for `truefill.why`.
    pub reason: &'static str,
}

const fn one_line(reason: &'static str) -> ShapeDecision {
    ShapeDecision {
        shape: Shape::OneLine,
        reason,
    }
}

const fn block(reason: &'static str) -> ShapeDecision {
    ShapeDecision {
        shape: Shape::Block,
        reason,
    }
}

impl Site<'_> {
    /// One line or a block at the cursor. `invoked`: the user asked, so that a block is given more
    /// readily.
    ///
    /// The lexer alone decides. A syntax tree says no more: on the packages of
    /// `scripts/guard-*.txt`, at places of every kind, no decision differed, and text that is
    /// being typed parses badly.
    #[must_use]
    pub fn shape(&self, invoked: bool) -> ShapeDecision {
        if let Some(decision) = in_literal_or_comment(self) {
            return decision;
        }
        if let Some(decision) = rest_of_line(self) {
            return decision;
        }
        if self.on_blank_line() {
            blank_line(self, invoked)
        } else {
            line_end(self, invoked)
        }
    }
}

fn in_literal_or_comment(site: &Site) -> Option<ShapeDecision> {
    match site.at_cursor.mode {
        Mode::LineComment | Mode::BlockComment { .. } => Some(one_line("inside a comment")),
        Mode::Literal(_) => Some(one_line("inside a string")),
        Mode::Html => Some(one_line("outside of the code")),
        Mode::Code => None,
    }
}

/// Code to the right of the cursor leaves room for the rest of the line only, but for the brackets
/// that an editor closes by itself.
fn rest_of_line(site: &Site) -> Option<ShapeDecision> {
    let rest = site.rest.trim();
    if rest.is_empty() {
        return None;
    }
    let only_closers = rest.chars().all(|c| ")]};,".contains(c));
    let opened_here = site.at_cursor.last == Last::Open(b'{') && rest.starts_with('}');
    // Python's braces hold values: they are filled on their line more often than not.
    if only_closers && opened_here && site.language != Language::Python {
        return Some(block("between the braces of an empty body"));
    }
    if only_closers {
        return Some(one_line("only closing brackets follow on the line"));
    }
    Some(one_line("code follows on the line"))
}

fn blank_line(site: &Site, invoked: bool) -> ShapeDecision {
    if let Some(opener) = &site.opener {
        let empty = site.body_is_empty(opener);
        return match (empty, opener.byte) {
            (true, b'{' | b':' | b'd') => block("an empty body"),
            (true, _) => block("empty brackets over several lines"),
            (false, _) if invoked => block("the start of a body, asked for"),
            (false, _) => one_line("the start of a body that has more lines"),
        };
    }
    let above = site.line_above();
    let describes_next = site.next_is_adjacent();
    if is_comment_line(site.language, above) && !describes_next {
        return block("below a comment");
    }
    if is_attribute_line(site.language, above) && !describes_next {
        return block("below a decorator or attribute");
    }
    if site
        .at_cursor
        .stack
        .last()
        .is_some_and(|open| matches!(open.byte, b'(' | b'['))
    {
        return one_line("within brackets over several lines");
    }
    if invoked {
        block("a new statement, asked for")
    } else {
        one_line("a new statement")
    }
}

fn is_comment_line(language: Language, line: &str) -> bool {
    line.starts_with(language.line_comment())
        || (language
            .block_comment()
            .is_some_and(|(_, close)| line.ends_with(close)))
        || (language == Language::Php && line.starts_with('#') && !line.starts_with("#["))
}

fn is_attribute_line(language: Language, line: &str) -> bool {
    match language {
        Language::Rust => line.starts_with("#[") && line.ends_with(']'),
        Language::Php => line.starts_with("#["),
        Language::CSharp => line.starts_with('[') && line.ends_with(']'),
        Language::Python | Language::Java | Language::TypeScript | Language::Tsx => {
            line.starts_with('@')
        }
        _ => false,
    }
}

fn line_end(site: &Site, invoked: bool) -> ShapeDecision {
    if let Some(opener) = &site.opener {
        let empty = site.body_is_empty(opener);
        let body = matches!(opener.byte, b'{' | b':' | b'd');
        return match (body, empty) {
            (true, true) => block("a body was just opened"),
            (true, false) if invoked => block("the start of a body, asked for"),
            (true, false) => one_line("the body has more lines"),
            (false, true) if invoked => block("a bracket was just opened, asked for"),
            (false, _) => one_line("within brackets"),
        };
    }
    let class = header_begun(site);
    let below_is_deeper = site
        .next_line()
        .is_some_and(|(indent, _)| indent > site.at_cursor.statement.indent);
    if matches!(class, WordClass::Function | WordClass::Container) && invoked && !below_is_deeper {
        return block("a definition was begun, asked for");
    }
    if matches!(site.at_cursor.last, Last::Punct(b';') | Last::Close(b'}')) && !invoked {
        return one_line("the statement is complete");
    }
    if invoked {
        block("within a statement, asked for")
    } else {
        one_line("within a statement")
    }
}

fn header_begun(site: &Site) -> WordClass {
    let statement = site.window.get(site.at_cursor.statement.at..).unwrap_or("");
    site.language.header_class(statement)
}

#[cfg(test)]
mod tests;
