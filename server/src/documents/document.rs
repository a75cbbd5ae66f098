//! One open document and its unchanging snapshots.

use std::sync::Arc;
use std::time::Instant;

use ropey::Rope;

use super::edit::{self, Change, EditError, Splice};
use super::position::{self, ByteOffset, CharOffset, Encoding, Position, PositionError};
use super::typing::Typing;

/// Why there is no text to work on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The document is not open.
    #[error("the document is not open")]
    NotOpen,
    /// Its text is unknown since a change could not be applied.
    #[error("{0}")]
    Poisoned(EditError),
}

pub(super) struct Document {
    uri: Arc<str>,
    language_id: Arc<str>,
    version: i32,
    rope: Rope,
    poison: Option<EditError>,
    typing: Typing,
    edited: Option<CharOffset>,
}

impl Document {
    pub(super) fn new(uri: &str, language_id: &str, version: i32, text: &str) -> Self {
        Self {
            uri: uri.into(),
            language_id: language_id.into(),
            version,
            rope: Rope::from_str(text),
            poison: None,
            typing: Typing::default(),
            edited: None,
        }
    }

    pub(super) fn version(&self) -> i32 {
        self.version
    }

    pub(super) fn poison(&mut self, error: EditError) {
        // The first reason is the one that explains; later ones only follow from it.
        self.poison.get_or_insert(error);
    }

    /// All changes or none: a failure in the middle leaves the text as it was and the
    /// document poisoned. Says what they did, in order.
    pub(super) fn apply(
        &mut self,
        version: i32,
        changes: &[Change],
        encoding: Encoding,
        now: Instant,
    ) -> Result<Vec<Splice>, EditError> {
        if version <= self.version {
            let error = EditError::Version {
                current: self.version,
                found: version,
            };
            self.poison(error.clone());
            return Err(error);
        }
        self.version = version;
        // What stands before the last full text has no effect, so only what follows
        // needs a known text to start from.
        let full = changes.iter().rposition(|change| change.range.is_none());
        if full.is_none()
            && let Some(reason) = &self.poison
        {
            return Err(EditError::Poisoned(Box::new(reason.clone())));
        }
        let before = self.poison.take();
        self.poison = Some(EditError::Unreadable);
        let mut rope = self.rope.clone();
        let mut typing = self.typing;
        let mut edited = self.edited;
        let mut last = None;
        let mut splices = Vec::new();
        for change in &changes[full.unwrap_or(0)..] {
            match edit::apply(&mut rope, change, encoding) {
                Ok(Some(effect)) => {
                    last = Some(effect.kind);
                    edited = Some(effect.end);
                    splices.push(effect.splice);
                }
                Ok(None) => {}
                Err(error) => {
                    self.poison = before.or(Some(error.clone()));
                    return Err(error);
                }
            }
        }
        // Several changes in one message are one key, with several cursors or by a closing bracket.
        if let Some(kind) = last {
            typing.note(kind, now);
        }
        self.rope = rope;
        self.typing = typing;
        self.edited = edited;
        self.poison = None;
        Ok(splices)
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, Unusable> {
        match &self.poison {
            Some(reason) => Err(Unusable::Poisoned(reason.clone())),
            None => Ok(Snapshot {
                uri: Arc::clone(&self.uri),
                language_id: Arc::clone(&self.language_id),
                version: self.version,
                rope: self.rope.clone(),
                typing: self.typing,
                edited: self.edited,
            }),
        }
    }
}

/// A document at one version; it shares its text with the original and costs O(1).
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The URI that the client gave.
    pub uri: Arc<str>,
    /// The language id that the client gave.
    pub language_id: Arc<str>,
    /// The version.
    pub version: i32,
    /// The text.
    pub rope: Rope,
    /// How the user has been typing.
    pub typing: Typing,
    /// Where the last edit ended; `None` before the first.
    pub edited: Option<CharOffset>,
}

impl Snapshot {
    /// The whole text.
    pub fn text(&self) -> String {
        self.rope.to_string()
    }

    /// The offset of a position.
    ///
    /// # Errors
    /// [`PositionError`] where it names no place.
    pub fn byte_offset(
        &self,
        position: Position,
        encoding: Encoding,
    ) -> Result<ByteOffset, PositionError> {
        let offset = position::char_offset(&self.rope, position, encoding)?;
        Ok(ByteOffset(self.rope.char_to_byte(offset.0)))
    }

    /// The position of an offset; inside a character it is the character's start,
    /// behind the end the end.
    pub fn position(&self, offset: ByteOffset, encoding: Encoding) -> Position {
        let byte = offset.0.min(self.rope.len_bytes());
        position::position(
            &self.rope,
            CharOffset(self.rope.byte_to_char(byte)),
            encoding,
        )
    }

    /// Text before and after an offset.
    pub fn split(&self, offset: ByteOffset) -> (String, String) {
        let byte = offset.0.min(self.rope.len_bytes());
        let at = self.rope.byte_to_char(byte);
        (
            self.rope.slice(..at).to_string(),
            self.rope.slice(at..).to_string(),
        )
    }

    /// Text of the line around an offset, before and after it, without the line end.
    pub fn line_around(&self, offset: ByteOffset) -> (String, String) {
        let at = self.rope.byte_to_char(offset.0.min(self.rope.len_bytes()));
        let (start, end) = position::line_span(&self.rope, self.rope.char_to_line(at));
        let at = at.min(end);
        (
            self.rope.slice(start..at).to_string(),
            self.rope.slice(at..end).to_string(),
        )
    }
}
