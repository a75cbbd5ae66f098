//! The end of a suggestion of one line.

use std::ops::ControlFlow;

use crate::{
    lex::{Literal, Mode, TokenKind},
    site::Site,
};

/// The end of the first line that is not blank, or the place where the completion starts to repeat
/// what already stands to the right of the cursor.
pub(super) fn end(site: &Site, completion: &str) -> Option<usize> {
    let newline = first_line_end(completion);
    let line = newline.map_or(completion, |end| &completion[..end]);
    repeated_rest(site, line).or(newline)
}

/// End of the first line with anything on it; `None` while that line may still grow.
fn first_line_end(completion: &str) -> Option<usize> {
    let mut at = 0;
    for line in completion.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        if !content.trim().is_empty() {
            return line.ends_with('\n').then(|| at + content.trim_end().len());
        }
        at += line.len();
    }
    None
}

/// The rest of the line is nothing but closers (`);`), and the completion has closed what they
/// close: it ends before its own copy of them.
fn repeated_rest(site: &Site, line: &str) -> Option<usize> {
    let rest = site.rest.trim();
    let closers = rest
        .bytes()
        .filter(|byte| matches!(byte, b')' | b']' | b'}'))
        .count();
    if closers == 0 || !rest.chars().all(|c| ")]};,:".contains(c)) {
        return None;
    }
    let kept = line.trim_end().strip_suffix(rest)?;
    let open = site.at_cursor.stack.len();
    let mut lexer = site.at_cursor.clone();
    let mut lowest = open;
    lexer.run(
        &format!("{}{line}", site.window),
        site.window.len(),
        &mut |lexer, _| {
            lowest = lowest.min(lexer.stack.len());
            ControlFlow::Continue(())
        },
    );
    let closed = lexer.stack.len() + closers == open && lowest == lexer.stack.len();
    (closed && lexer.mode == Mode::Code).then_some(kept.len())
}

/// Inside a string: the end of the line, or the closing quote when the suffix has one already.
pub(super) fn end_in_literal(site: &Site, literal: &Literal, completion: &str) -> Option<usize> {
    let newline = completion
        .find('\n')
        .map(|at| completion[..at].trim_end_matches('\r').len());
    if !site.rest.starts_with(literal.close.as_str()) {
        return newline;
    }
    let mut lexer = site.at_cursor.clone();
    let mut closed = None;
    lexer.run(
        &format!("{}{completion}", site.window),
        site.window.len(),
        &mut |_, token| {
            if token.kind == TokenKind::LiteralEnd {
                closed = Some(token.start.saturating_sub(site.window.len()));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    );
    match (closed, newline) {
        (Some(closed), Some(newline)) => Some(closed.min(newline)),
        (closed, newline) => closed.or(newline),
    }
}
