//! Why there is no suggestion. Every place that gives none says which of these it was;
//! `truefill.why` and `truefill/status` tell it, the journal counts it.

use crate::documents::{EditError, Unusable};

/// A reason for giving no suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// The document was never opened, or is closed.
    NotOpen,
    /// The document's text is unknown since an edit failed.
    Poisoned(EditError),
    /// The position names no place in the document.
    NoSuchPosition(String),
    /// The request was made for another version of the document.
    OtherVersion {
        /// The version that the request names.
        asked: i32,
        /// The version that the document has.
        current: i32,
    },
    /// Suggestions while typing are switched off.
    AutomaticOff,
    /// The language is switched off.
    DisabledLanguage(String),
    /// The path names a file that holds secrets by its purpose.
    Secret,
    /// The path matches a pattern of the user's.
    Denied {
        /// The pattern.
        pattern: String,
    },
    /// An ignore file excludes the path.
    Ignored,
    /// The document holds NUL bytes.
    Binary,
    /// The document is too large.
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A line near the cursor is too long.
    LongLine {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The cursor is inside a word that goes on to the right.
    InsideWord,
    /// The last edit was a deletion.
    AfterDeletion,
    /// The document changed while the request waited for a pause in the typing.
    TypedOn,
    /// A newer request for the same document took its place.
    Superseded,
    /// The client cancelled the request.
    Cancelled,
    /// The server's own code panicked; the request is answered by an error.
    Panicked,
    /// The model is being opened.
    ModelLoading,
    /// The model cannot be opened.
    ModelUnavailable(String),
    /// The engine failed.
    EngineFailed(String),
    /// The engine panicked; the request is answered by an error.
    EnginePanicked,
    /// The time was over before there was a first line.
    BudgetExceeded {
        /// The time, milliseconds.
        milliseconds: u64,
    },
    /// The model ended at once.
    NothingGenerated,
    /// The clean-up left nothing.
    CleanedAway {
        /// The rule that took the last of it.
        rule: &'static str,
        /// What it found.
        sentence: &'static str,
    },
    /// The guard blocked the suggestion.
    GuardBlocked {
        /// The name that is unknown.
        name: String,
        /// Why the guard thinks so.
        reason: String,
    },
}

impl Silence {
    /// A stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOpen => "not_open",
            Self::Poisoned(_) => "poisoned",
            Self::NoSuchPosition(_) => "no_such_position",
            Self::OtherVersion { .. } => "other_version",
            Self::AutomaticOff => "automatic_off",
            Self::DisabledLanguage(_) => "disabled_language",
            Self::Secret | Self::Denied { .. } => "denied",
            Self::Ignored => "ignored",
            Self::Binary => "binary",
            Self::TooLarge { .. } => "too_large",
            Self::LongLine { .. } => "long_line",
            Self::InsideWord => "inside_word",
            Self::AfterDeletion => "after_deletion",
            Self::TypedOn => "typed_on",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
            Self::ModelLoading => "model_loading",
            Self::ModelUnavailable(_) => "model_unavailable",
            Self::EngineFailed(_) => "engine_failed",
            Self::EnginePanicked => "engine_panicked",
            Self::BudgetExceeded { .. } => "budget_exceeded",
            Self::NothingGenerated => "nothing_generated",
            Self::CleanedAway { .. } => "cleaned_away",
            Self::GuardBlocked { .. } => "guard_blocked",
        }
    }

    /// A sentence for the user, with what to do about it where there is something.
    pub fn sentence(&self) -> String {
        match self {
            Self::NotOpen => "The editor has not opened this document.".into(),
            Self::Poisoned(error) => format!(
                "An edit could not be applied ({error}), so the text is unknown. Close and open \
                 the document again."
            ),
            Self::NoSuchPosition(error) => format!("There is no such position: {error}."),
            Self::OtherVersion { asked, current } => format!(
                "The request is for version {asked} of the document, which is at {current} now."
            ),
            Self::AutomaticOff => {
                "Suggestions while typing are off (`suggest.automatic`); ask for one.".into()
            }
            Self::DisabledLanguage(language) => {
                format!("The language `{language}` is in `suggest.disabled_languages`.")
            }
            Self::Secret => "Files of this name hold secrets, so it is never read \
                 (`files.deny_secrets`)."
                .into(),
            Self::Denied { pattern } => {
                format!("The file matches `{pattern}` in `files.deny`, so it is never read.")
            }
            Self::Ignored => "Git's ignore files or `.truefillignore` exclude this file \
                 (`files.respect_ignore_files`)."
                .into(),
            Self::Binary => "This is a binary file.".into(),
            Self::TooLarge { bytes, limit } => {
                format!("The file has {bytes} bytes, more than `files.max_bytes` ({limit}).")
            }
            Self::LongLine { bytes, limit } => format!(
                "A line near the cursor has {bytes} bytes, more than `files.max_line_bytes` \
                 ({limit})."
            ),
            Self::InsideWord => "The cursor is inside a word.".into(),
            Self::AfterDeletion => "The last edit was a deletion; ask for a suggestion.".into(),
            Self::TypedOn => "You typed on before the suggestion was due.".into(),
            Self::Superseded => "A newer request took this one's place.".into(),
            Self::Cancelled => "The editor cancelled the request.".into(),
            Self::Panicked => "The server panicked; its log says where. Please report it.".into(),
            Self::ModelLoading => "The model is being loaded.".into(),
            Self::ModelUnavailable(sentence) => format!("The model cannot be used: {sentence}."),
            Self::EngineFailed(sentence) => format!("The engine failed: {sentence}."),
            Self::EnginePanicked => {
                "The engine panicked; the server's log says where. Please report it.".into()
            }
            Self::BudgetExceeded { milliseconds } => {
                format!("The model had no first line within {milliseconds} ms.")
            }
            Self::NothingGenerated => "The model has nothing to add here.".into(),
            Self::CleanedAway { rule, sentence } => {
                format!("What the model wrote was dropped: {sentence} (`{rule}`).")
            }
            Self::GuardBlocked { name, reason } => {
                format!("The guard held back a suggestion with `{name}`: {reason}.")
            }
        }
    }

    /// Whether it is about the one request alone, which ended before it could show anything of
    /// the document or the engine.
    pub fn says_nothing(&self) -> bool {
        matches!(
            self,
            Self::NotOpen
                | Self::OtherVersion { .. }
                | Self::TypedOn
                | Self::Superseded
                | Self::Cancelled
                | Self::Panicked
        )
    }

    /// Whether it holds for the document, or for the place in it, until something is done about it.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Poisoned(_)
                | Self::DisabledLanguage(_)
                | Self::Secret
                | Self::Denied { .. }
                | Self::Ignored
                | Self::Binary
                | Self::TooLarge { .. }
                | Self::LongLine { .. }
                | Self::InsideWord
                | Self::ModelUnavailable(_)
        )
    }

    /// Whether the engine did not do what it is there for.
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::EngineFailed(_) | Self::EnginePanicked | Self::BudgetExceeded { .. }
        )
    }
}

impl From<Unusable> for Silence {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::NotOpen => Self::NotOpen,
            Unusable::Poisoned(error) => Self::Poisoned(error),
        }
    }
}
