//! The resolver behind the hallucination guard: does a completion name something that does not
//! exist?
//!
//! The judgement is conservative. A name passes when it stands anywhere in the file, in the
//! workspace's index or among the language's builtins and commonly used names, or when the
//! completion introduces it. What is left is weighed by what is known about the place where it
//! stands ([`Evidence`]); only evidence that real code hardly ever shows leads to `Unknown`.

mod check;
mod globs;
mod imports;
mod judge;
mod members;
mod policy;
mod prefilter;
mod reading;
mod roots;
mod scene;
mod words;

use std::{ops::Range, path::Path};

use serde::{Deserialize, Serialize};

use crate::{index::Index, language::Language};

pub use judge::Judge;
pub use policy::Evidence;

/// What kind of name is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameKind {
    /// A variable that is read.
    Identifier,
    /// A function that is called by its bare name.
    Call,
    /// A type.
    Type,
    /// A member of an object, a type or a module.
    Member,
    /// The name of a keyword argument, or a field in a literal.
    Keyword,
    /// A module or a name that is imported.
    Import,
}

/// The guard's verdict on a completion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// Nothing speaks against the names in the completion.
    Known,
    /// The completion names something that does not exist.
    Unknown {
        /// The name.
        name: String,
        /// What it is used as.
        kind: NameKind,
        /// What is known about the place where it stands.
        evidence: Evidence,
        /// Why it cannot exist, as a sentence without its period.
        reason: String,
        /// Its place in the completion, in bytes.
        range: Range<usize>,
    },
}

/// A name that could not be resolved, and what follows from that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name.
    pub name: String,
    /// What it is used as.
    pub kind: NameKind,
    /// What is known about the place where it stands.
    pub evidence: Evidence,
    /// The evidence is strong enough to judge the completion by.
    pub blocks: bool,
    /// Why it is doubtful, as a sentence without its period.
    pub reason: String,
    /// Its place in the completion, in bytes.
    pub range: Range<usize>,
    /// Where the file of a module that the index lacks would lie, without its extension.
    pub places: Vec<String>,
}

impl From<Finding> for Judgement {
    fn from(finding: Finding) -> Self {
        Self::Unknown {
            name: finding.name,
            kind: finding.kind,
            evidence: finding.evidence,
            reason: finding.reason,
            range: finding.range,
        }
    }
}

/// Judges the names that `completion` introduces between `prefix` and `suffix` of the file at
/// `path`. For several completions at one place, and to ask the disk, there is [`Judge`].
#[must_use]
pub fn judge(
    language: Language,
    path: &Path,
    prefix: &str,
    completion: &str,
    suffix: &str,
    index: &Index,
) -> Judgement {
    Judge::new(language, path, prefix, suffix).judge(completion, index)
}

/// Every name of the completion that could not be resolved, in the order of the text, with the
/// evidence; [`judge`] reports the first one that blocks.
#[must_use]
pub fn findings(
    language: Language,
    path: &Path,
    prefix: &str,
    completion: &str,
    suffix: &str,
    index: &Index,
) -> Vec<Finding> {
    Judge::new(language, path, prefix, suffix).findings(completion, index)
}

#[cfg(test)]
mod tests;
