//! The lines of a completion with the lexer's state at their ends.

use std::ops::ControlFlow;

use crate::{
    lex::{Last, Mode, Open, Statement, TokenKind},
    site::Site,
};

/// One line of `line prefix + completion`. Offsets are into the completion; the part of the first
/// line that stands before the cursor counts as empty.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// End of the line's text, without trailing white space.
    pub end: usize,
    /// Columns of leading white space.
    pub indent: usize,
    /// The line's text from its first character that is not white space, whole lines only.
    pub text: String,
    /// Open brackets at the line's end.
    pub depth: usize,
    /// Fewest open brackets at any point of the line.
    pub lowest: usize,
    /// The line starts inside a string or a comment.
    pub starts_inside: bool,
    /// The line ends inside a string or a block comment.
    pub ends_inside: bool,
    /// Nothing but white space or a comment.
    pub no_code: bool,
    /// Nothing but white space.
    pub blank: bool,
    /// The last token of code so far.
    pub last: Last,
    /// The statement that the line's last token belongs to.
    pub statement: Statement,
    /// A line break has been read: the line will not grow.
    pub complete: bool,
    /// Brackets that were open at the cursor and that this line closes: where, and which.
    pub closes: Vec<(usize, u8, Open)>,
}

/// Reads the completion line by line. The first line includes what stands before the cursor.
pub(super) fn read(site: &Site, completion: &str) -> Vec<Line> {
    let base = site.window.len() - site.line_prefix.len();
    let cursor = site.window.len();
    let text = format!("{}{completion}", site.window);
    let mut lexer = site.at_line.clone();
    let mut lines = Vec::new();
    let mut line = Draft::new(base, &lexer.mode, lexer.stack.len());
    let mut at_cursor = site.at_cursor.stack.len();
    lexer.run(&text, base, &mut |lexer, token| {
        line.lowest = line.lowest.min(lexer.stack.len());
        match &token.kind {
            TokenKind::Newline => {
                lines.push(line.finish(&text, token.start, cursor, lexer, true));
                line = Draft::new(token.end, &lexer.mode, lexer.stack.len());
            }
            TokenKind::CommentStart | TokenKind::CommentEnd => {}
            TokenKind::Close(byte, Some(open)) => {
                line.has_code = true;
                if token.start >= cursor && lexer.stack.len() < at_cursor {
                    at_cursor = lexer.stack.len();
                    line.closes
                        .push((token.start - cursor, *byte, open.clone()));
                }
            }
            _ => line.has_code = true,
        }
        ControlFlow::Continue(())
    });
    lines.push(line.finish(&text, text.len(), cursor, &lexer, false));
    lines
}

struct Draft {
    start: usize,
    starts_inside: bool,
    has_code: bool,
    lowest: usize,
    closes: Vec<(usize, u8, Open)>,
}

impl Draft {
    fn new(start: usize, mode: &Mode, depth: usize) -> Self {
        Self {
            start,
            starts_inside: is_inside(mode),
            has_code: false,
            lowest: depth,
            closes: Vec::new(),
        }
    }

    fn finish(
        &mut self,
        text: &str,
        end: usize,
        cursor: usize,
        lexer: &crate::lex::Lexer,
        complete: bool,
    ) -> Line {
        let whole = &text[self.start..end];
        let trimmed = whole.trim_end();
        Line {
            end: (self.start + trimmed.len()).saturating_sub(cursor),
            indent: crate::text::indent_width(whole),
            text: trimmed.trim_start().to_owned(),
            depth: lexer.stack.len(),
            lowest: self.lowest,
            starts_inside: self.starts_inside,
            ends_inside: is_inside(&lexer.mode),
            no_code: !self.has_code && !self.starts_inside,
            blank: trimmed.is_empty(),
            last: lexer.last,
            statement: lexer.statement,
            complete,
            closes: std::mem::take(&mut self.closes),
        }
    }
}

/// Inside something that goes on over a line break.
fn is_inside(mode: &Mode) -> bool {
    match mode {
        Mode::Code | Mode::LineComment | Mode::Html => false,
        Mode::BlockComment { .. } => true,
        Mode::Literal(literal) => literal.multiline,
    }
}
