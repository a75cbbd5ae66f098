//! What is asked of the pipeline and what it answers, without a protocol's types.

use crate::documents::{Encoding, Position, Range};
pub use crate::suggest::surroundings::Trigger;

/// The item that is selected in the editor's completion menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// What the item would replace.
    pub range: Range,
    /// By what.
    pub text: String,
}

/// A request for suggestions.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The document's URI.
    pub uri: String,
    /// The cursor.
    pub position: Position,
    /// What positions count.
    pub encoding: Encoding,
    /// What made the editor ask.
    pub trigger: Trigger,
    /// The completion menu's selection, which a suggestion must go on with.
    pub selected: Option<Selected>,
    /// The version that the editor asks about, if it says so.
    pub version: Option<i32>,
    /// Whether the suggestion becomes an item of the editor's menu.
    pub menu: bool,
}

/// A suggestion to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Its id, for outcomes. A suggestion typed through keeps its origin's.
    pub id: String,
    /// What it inserts.
    pub text: String,
    /// What it replaces; on one line.
    pub range: Range,
}
