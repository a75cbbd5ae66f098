//! Decides, before anything is written, which text may be.

use sha2::{Digest, Sha256};

use crate::record::{Completion, Document, Event, PathPolicy};
use crate::redact;

/// Why a completion's text is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// The user has not allowed to keep context.
    ContextOff,
    /// The document's path is denied.
    Path,
    /// The text holds a secret.
    Secret,
    /// The text is longer than any that is useful.
    TooLong,
}

impl Withheld {
    /// The name in the database and in exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContextOff => "context_off",
            Self::Path => "path",
            Self::Secret => "secret",
            Self::TooLong => "too_long",
        }
    }
}

/// Longest text that is kept, in bytes.
const LONGEST_TEXT: usize = 64 << 10;

/// What was decided about an event's text, outside of any transaction: others
/// wait for those.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judgement {
    /// Whether the document is on a deny-list.
    pub denied: bool,
    /// For a completion, whether its text may be written.
    pub text: Option<Result<(), Withheld>>,
    /// Whether the guard's sentence, which names identifiers of the code, may be written.
    pub detail: bool,
}

/// Judges an event's text.
pub fn judge(context: bool, event: &Event) -> Judgement {
    let Event::Suggestion(record) = event else {
        return Judgement::default();
    };
    let policy = text_policy(context, &record.document);
    let text = record.completion.as_ref();
    let text = text.map(|text| completion(policy, text));
    let sentence = record.guard.as_ref().and_then(|g| g.detail.as_deref());
    Judgement {
        denied: policy == Err(Withheld::Path),
        text,
        // A blocked suggestion has no text here, but its reason counts all the same.
        detail: text.unwrap_or(policy).is_ok()
            && sentence.is_some_and(|s| s.len() <= LONGEST_TEXT && !redact::holds_secret(s)),
    }
}

/// Whether text of this document may be written, and why not.
fn text_policy(context: bool, document: &Document) -> Result<(), Withheld> {
    if document.policy == PathPolicy::Denied || redact::is_denied_path(&document.path) {
        return Err(Withheld::Path);
    }
    if context {
        Ok(())
    } else {
        Err(Withheld::ContextOff)
    }
}

/// Whether the completion's text may be written.
fn completion(policy: Result<(), Withheld>, completion: &Completion) -> Result<(), Withheld> {
    policy?;
    if completion.text.len() > LONGEST_TEXT {
        return Err(Withheld::TooLong);
    }
    // A secret may have begun before the cursor: judged together.
    let line = tail(&completion.line_before, 4096);
    let whole = format!("{line}{}", completion.text);
    match redact::holds_secret(&whole) || redact::holds_secret(&completion.text) {
        true => Err(Withheld::Secret),
        false => Ok(()),
    }
}

/// The salted hash that stands for a document's path.
pub fn document_key(salt: &[u8], path: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(path.as_bytes());
    hex::encode(&hash.finalize()[..16])
}

fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
