//! Which brackets the text behind the cursor closes.

use std::ops::ControlFlow;

use crate::{
    lex::{Mode, Open, TokenKind},
    site::Site,
    text::{line_end, line_start},
};

/// The suffix closes `open`: right behind the cursor, or on a line as deep as the bracket's or its
/// statement's. Code that is no deeper than the statement shows that the body has ended above it,
/// and that a bracket below closes something around it (C++'s namespaces are not indented).
pub(super) fn suffix_closes(site: &Site, open: &Open) -> bool {
    let mut lexer = site.at_cursor.clone();
    let outer = lexer.stack.iter().filter(|other| other.at < open.at);
    // A bracket around this one could be closed in the same place.
    let doubtful = site.after_is_all && outer.into_iter().any(|other| other.indent == open.indent);
    let mut closed = false;
    let base = site.window.len();
    let text = format!("{}{}", site.window, site.after);
    let rest_end = base + site.rest.len();
    let header = text.get(open.statement.at..open.at).unwrap_or("");
    let flat = ["namespace", "extern"]
        .iter()
        .any(|word| header.starts_with(word));
    let braces = open.byte == b'{' && site.language.has_braces() && !flat;
    // Labels stand left of what they name.
    let is_first = |at: usize| {
        let line = line_start(&text, at);
        let code = text[line..line_end(&text, at)].trim();
        let case = code.starts_with("case ") || code.starts_with("default");
        text[line..at].trim().is_empty() && !case && !code.ends_with(':')
    };
    lexer.run(&text, base, &mut |lexer, token| {
        if let TokenKind::Close(_, Some(closes)) = &token.kind
            && closes.at == open.at
        {
            let depths = [open.indent, open.statement.indent];
            closed = token.start < rest_end || depths.contains(&lexer.line_indent);
            if !closed || !doubtful || token.start < rest_end {
                return ControlFlow::Break(());
            }
        }
        if closed {
            return ControlFlow::Continue(());
        }
        let code = matches!(token.kind, TokenKind::Word) && token.start >= rest_end;
        let beside = lexer.line_indent <= open.indent.min(open.statement.indent);
        if code && beside && braces && lexer.mode == Mode::Code && is_first(token.start) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    closed && (!doubtful || lexer.stack.is_empty())
}
