//! The protocol's types from and to ours.

use tower_lsp::ls_types as lsp;

use crate::documents::{Position, Range};
use crate::serving::ask::Suggestion;

/// A position of the protocol.
pub fn position(position: lsp::Position) -> Position {
    Position::new(position.line, position.character)
}

/// A range of the protocol.
pub fn range(found: lsp::Range) -> Range {
    Range {
        start: position(found.start),
        end: position(found.end),
    }
}

/// A range for the protocol.
pub fn lsp_range(range: Range) -> lsp::Range {
    let position = |position: Position| lsp::Position::new(position.line.0, position.column.0);
    lsp::Range::new(position(range.start), position(range.end))
}

/// The command that tells the acceptance of a suggestion.
pub fn accept_command(suggestion: &Suggestion) -> lsp::Command {
    lsp::Command {
        title: "Accepted".to_owned(),
        command: super::commands::ACCEPT.to_owned(),
        arguments: Some(vec![suggestion.id.clone().into()]),
    }
}
