//! One line or a block: what a suggestion at the cursor should be.

mod nodes;

use serde::{Deserialize, Serialize};
use tree_sitter::Tree;

use crate::{
    language::{Language, WordClass},
    lex::{Last, Mode},
    parse::parse,
    site::{Opener, Site},
    text::floor_boundary,
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

/// One line or a block at byte `offset` of `text`. `invoked`: the user asked, so that a block is
/// given more readily. Parses the text; a server that keeps a [`crate::SyntaxTree`] asks that.
#[must_use]
pub fn completion_shape(
    language: Language,
    text: &str,
    offset: usize,
    invoked: bool,
) -> ShapeDecision {
    let tree = parse(language, text);
    decide(language, tree.as_ref(), text, offset, invoked)
}

pub(crate) fn decide(
    language: Language,
    tree: Option<&Tree>,
    text: &str,
    offset: usize,
    invoked: bool,
) -> ShapeDecision {
    let offset = floor_boundary(text, offset);
    let site = Site::new(language, &text[..offset], &text[offset..]);
    let surroundings = tree.map(|tree| nodes::surroundings(tree, text, offset));
    if let Some(decision) = in_literal_or_comment(&site, surroundings.as_ref()) {
        return decision;
    }
    if let Some(decision) = rest_of_line(&site) {
        return decision;
    }
    if site.on_blank_line() {
        blank_line(&site, surroundings.as_ref(), invoked)
    } else {
        line_end(&site, surroundings.as_ref(), invoked)
    }
}

fn in_literal_or_comment(
    site: &Site,
    surroundings: Option<&nodes::Surroundings>,
) -> Option<ShapeDecision> {
    // The tree knows comments and strings exactly where the code is sound; where it is not, an
    // unclosed quote turns half a file into a string, and the lexer is nearer to the truth.
    let lexed = !site.in_code();
    let (comment, string) = match surroundings {
        Some(seen) if !seen.in_error => (seen.in_comment, seen.in_string || seen.file_has_error),
        _ => (
            matches!(
                site.at_cursor.mode,
                Mode::LineComment | Mode::BlockComment { .. }
            ),
            matches!(site.at_cursor.mode, Mode::Literal(_)),
        ),
    };
    if comment || matches!(site.at_cursor.mode, Mode::LineComment) {
        Some(one_line("inside a comment"))
    } else if string && lexed {
        Some(one_line("inside a string"))
    } else if site.at_cursor.mode == Mode::Html {
        Some(one_line("outside of the code"))
    } else {
        None
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

fn is_empty_body(site: &Site, opener: &Opener, seen: Option<&nodes::Surroundings>) -> bool {
    match seen.and_then(|seen| seen.body) {
        // The tree counts what the body holds; a broken tree may have swallowed what follows.
        Some(body) if !body.has_error => body.empty || site.body_is_empty(opener),
        _ => site.body_is_empty(opener),
    }
}

fn blank_line(site: &Site, seen: Option<&nodes::Surroundings>, invoked: bool) -> ShapeDecision {
    if let Some(opener) = &site.opener {
        let empty = is_empty_body(site, opener, seen);
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

fn line_end(site: &Site, seen: Option<&nodes::Surroundings>, invoked: bool) -> ShapeDecision {
    if let Some(opener) = &site.opener {
        let empty = is_empty_body(site, opener, seen);
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
