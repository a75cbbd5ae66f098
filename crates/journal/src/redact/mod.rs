//! Secrets in text and paths whose text is never kept.
//!
//! Judged by well-known shapes of keys and tokens, by assignments to names
//! that speak of secrets, and by the randomness of long words. Meant to err
//! towards withholding: a false alarm costs a row its text, a miss costs a
//! secret.

mod armour;
mod assignment;
mod begun;
mod entropy;
mod paths;
mod patterns;

use std::ops::Range;

pub use paths::is_denied_path;

/// A kind of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// A private key in PEM or a like armour.
    PrivateKey,
    /// A key or token of a service, by its prefix.
    ServiceToken,
    /// A signed web token.
    WebToken,
    /// A user's name and password inside a URL, or a password in a connection string.
    Connection,
    /// An authorisation header's value.
    Header,
    /// A value assigned to a name that speaks of a secret.
    Assignment,
    /// A long word too random to be a name.
    Random,
}

impl SecretKind {
    /// The name that stands in a scrubbed text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrivateKey => "private key",
            Self::ServiceToken => "service token",
            Self::WebToken => "web token",
            Self::Connection => "connection password",
            Self::Header => "authorisation",
            Self::Assignment => "secret value",
            Self::Random => "random string",
        }
    }
}

/// A secret found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What it is.
    pub kind: SecretKind,
    /// Where it is, in bytes.
    pub range: Range<usize>,
}

/// Whether a text holds a secret.
pub fn holds_secret(text: &str) -> bool {
    patterns::any(text)
        || assignment::find(text).next().is_some()
        || entropy::find(text).next().is_some()
}

/// Compiles the patterns, which the first use would do otherwise: tens of milliseconds.
pub fn warm() {
    secrets("nothing = \"to see here\"");
    begun("nothing = \"to see here", false);
}

/// The secrets of a text, in their order, none overlapping.
pub fn secrets(text: &str) -> Vec<Secret> {
    let found = patterns::find(text)
        .chain(assignment::find(text))
        .chain(entropy::find(text));
    merged(found.collect())
}

/// Secrets in the order of the text; those that overlap become one, of the first one's kind.
pub fn merged(mut found: Vec<Secret>) -> Vec<Secret> {
    found.sort_by_key(|secret| (secret.range.start, std::cmp::Reverse(secret.range.end)));
    let mut apart: Vec<Secret> = Vec::with_capacity(found.len());
    for secret in found {
        match apart.last_mut() {
            Some(last) if secret.range.start < last.range.end => {
                last.range.end = last.range.end.max(secret.range.end);
            }
            _ => apart.push(secret),
        }
    }
    apart
}

/// The secret that a text ends in, also if only its beginning is there: what stands before a
/// cursor. `code` tells that the text is a program's, whose secrets stand in quotes; elsewhere
/// `name=value` counts too.
pub fn begun(text: &str, code: bool) -> Option<Secret> {
    begun::find(text, code)
}

/// The text with each secret replaced by its kind in angle brackets.
pub fn scrub(text: &str) -> String {
    replaced(text, &secrets(text), 0)
}

/// A part of a text with the secrets in it replaced; their places count from the text's start,
/// the part begins at byte `from` of it.
pub(crate) fn replaced(part: &str, secrets: &[Secret], from: usize) -> String {
    let mut out = String::with_capacity(part.len());
    let mut at = 0;
    for secret in secrets {
        out.push_str(&part[at..secret.range.start - from]);
        out.push_str(&format!("<{}>", secret.kind.as_str()));
        at = secret.range.end - from;
    }
    out.push_str(&part[at..]);
    out
}

#[cfg(test)]
mod tests;
