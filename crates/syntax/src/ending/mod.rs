//! Where the thing that a completion began ends: asked after every token, so it reads the
//! completion and one line before it, from a lexer state that is computed once.
//!
//! An answer is given only when more text cannot change it. A statement's end often shows in the
//! line after it (`else`, `.method()`, a deeper indentation); then the answer waits for the first
//! word of that line.

mod block;
mod closers;
mod items;
mod lines;
mod one_line;

use crate::{lex::Mode, shape::Shape, site::Site};

use block::Scope;

/// Finds the end of one completion while it grows. It owns what it needs of the text.
#[derive(Clone, Debug)]
pub struct EndFinder {
    window: Box<str>,
    after: Box<str>,
    /// What the lexer found there; its texts are empty.
    read: Site<'static>,
    shape: Shape,
    scope: Scope,
}

impl EndFinder {
    /// For a suggestion of this shape at a cursor.
    #[must_use]
    pub fn new(site: &Site<'_>, shape: Shape) -> Self {
        Self {
            window: site.window.into(),
            after: site.after.into(),
            scope: Scope::of(site),
            read: site.with_text("", ""),
            shape,
        }
    }

    /// How many bytes of `completion` to keep, once it is certain that what was begun has ended;
    /// `None` to go on generating. The answer is a character boundary.
    #[must_use]
    pub fn find(&self, completion: &str) -> Option<usize> {
        let site = &self.read.with_text(&self.window, &self.after);
        let end = match (&site.at_cursor.mode, self.shape) {
            (Mode::Literal(literal), _) if !literal.multiline || self.shape == Shape::OneLine => {
                one_line::end_in_literal(site, literal, completion)
            }
            (_, Shape::OneLine) => one_line::end(site, completion),
            (Mode::Code, Shape::Block) => block::end(site, &self.scope, completion),
            (_, Shape::Block) => one_line::end(site, completion),
        };
        debug_assert!(end.is_none_or(|end| completion.is_char_boundary(end)));
        end
    }
}

#[cfg(test)]
mod tests;
