//! Decides, before anything is written, which text may be.

use std::io;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::record::{Completion, Document, Event, HoleRecord, PathPolicy};
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

/// Longest hole with the text around it that is kept, in bytes.
const LONGEST_HOLE: usize = 256 << 10;

/// What was decided about an event's text, outside of any transaction: others
/// wait for those.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Whether the document is on a deny-list.
    pub denied: bool,
    /// For a completion or a hole, whether its text may be written.
    pub text: Option<Result<(), Withheld>>,
    /// Whether the token ids may be written, which spell the cursor's whole line.
    pub tokens: bool,
    /// Whether the guard's sentence, which names identifiers of the code, may be written.
    pub detail: bool,
    /// A hole's prefix and suffix without their secrets, where it may be written.
    pub around: Option<(String, String)>,
}

/// Judges an event's text.
pub fn judge(context: bool, event: &Event) -> Judgement {
    let record = match event {
        Event::Suggestion(record) => record,
        Event::Hole(record) => return hole(context, record),
        Event::Outcome(_) => return Judgement::default(),
    };
    let policy = text_policy(context, &record.document);
    let text = record.completion.as_ref();
    let text = text.map(|text| completion(policy, text));
    let sentence = record.guard.as_ref().and_then(|g| g.detail.as_deref());
    let spelt = record.completion.as_ref().filter(|_| text == Some(Ok(())));
    Judgement {
        denied: policy == Err(Withheld::Path),
        text,
        tokens: spelt.is_some_and(spells_no_secret),
        around: None,
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

/// Whether what the token ids spell holds no secret: the prompt has the cursor's line as it is.
fn spells_no_secret(completion: &Completion) -> bool {
    let before = tail(&completion.line_before, 4096);
    let after = head(&completion.line_after, 4096);
    let raw = completion
        .tokens
        .as_ref()
        .map_or("", |t| &t.completion_text);
    raw.len() <= LONGEST_TEXT
        && !redact::holds_secret(&format!("{before}{after}"))
        && !redact::holds_secret(&format!("{before}{raw}"))
}

/// Secrets beside a hole are replaced; one in it drops the row.
fn hole(context: bool, record: &HoleRecord) -> Judgement {
    let refused = |why| Judgement {
        denied: why == Withheld::Path,
        text: Some(Err(why)),
        ..Judgement::default()
    };
    if let Err(why) = text_policy(context, &record.document) {
        return refused(why);
    }
    let whole = [&*record.prefix, &record.golden, &record.suffix].concat();
    if whole.len() > LONGEST_HOLE {
        return refused(Withheld::TooLong);
    }
    let (start, end) = (
        record.prefix.len(),
        record.prefix.len() + record.golden.len(),
    );
    let secrets = redact::secrets(&whole);
    let inside = |secret: &redact::Secret| secret.range.start < end && secret.range.end > start;
    if secrets.iter().any(inside) || redact::holds_secret(&record.golden) {
        return refused(Withheld::Secret);
    }
    let (before, after): (Vec<_>, Vec<_>) = secrets
        .into_iter()
        .partition(|secret| secret.range.end <= start);
    Judgement {
        text: Some(Ok(())),
        around: Some((
            redact::replaced(&record.prefix, &before, 0),
            redact::replaced(&record.suffix, &after, end),
        )),
        ..Judgement::default()
    }
}

/// The salted hash that stands for a document's path, or another name that is not written.
pub fn document_key(salt: &[u8], path: &str) -> String {
    hex::encode(&digest(salt, path)[..16])
}

/// What a path may be called in a journal: absolute and without `.` and `..`, as editors name files, and
/// where it leads to, with links followed.
///
/// # Errors
/// Where the working directory cannot be told.
pub fn names_of(path: &Path) -> io::Result<Vec<String>> {
    let absolute = std::path::absolute(path)?;
    let mut named = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(named.pop()),
            part => named.push(part),
        }
    }
    let mut names = vec![named];
    names.extend(std::fs::canonicalize(&absolute));
    let mut names: Vec<String> = names
        .iter()
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    names.dedup();
    Ok(names)
}

/// Short salted hashes of all folders above a path, each once, with spaces between and around.
pub fn folder_keys(salt: &[u8], path: &str) -> Option<String> {
    let path = Path::new(path);
    if !path.is_absolute() {
        return None;
    }
    let folders = path.ancestors().skip(1).filter(|it| it.parent().is_some());
    let keys: Vec<String> = folders
        .map(|folder| folder_key(salt, &folder.to_string_lossy()))
        .collect();
    (!keys.is_empty()).then(|| format!(" {} ", keys.join(" ")))
}

/// The short salted hash that stands for a folder.
pub fn folder_key(salt: &[u8], folder: &str) -> String {
    hex::encode(&digest(salt, folder)[..8])
}

/// SHA-256 of a text that nobody without the salt can compute.
pub fn digest(salt: &[u8], text: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(text.as_bytes());
    hash.finalize().into()
}

fn head(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn tail(text: &str, bytes: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes))..]
}
