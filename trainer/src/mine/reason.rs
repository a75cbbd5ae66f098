//! Why something was left out. Every reason is counted in the manifest.

use serde::{Deserialize, Serialize};

/// Why a file was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It lies in a folder of copied or built code (`node_modules`, `vendor`, `dist`).
    Vendored,
    /// It is longer than the parser takes.
    TooLarge,
    /// It is not UTF-8, or holds NUL bytes.
    NotText,
    /// A program wrote it.
    Generated,
    /// Its lines are too long for a person's.
    Minified,
    /// It describes a package: a gem's specification, `setup.py`.
    Manifest,
    /// Its repository has fewer stars than `min_stars`, or it is not known how many.
    Stars,
    /// Its repository is in a benchmark.
    BenchmarkRepository,
    /// Its repository declares none of `packages` at its version.
    Packages,
    /// No licence was found for it.
    NoLicence,
    /// Its licence is not on the allow-list.
    Licence,
    /// A file of its path is in a benchmark.
    BenchmarkPath,
    /// It shares ten words in a row with a benchmark.
    BenchmarkText,
    /// It spells a sentinel of a FIM format.
    Sentinel,
    /// It holds what looks like a secret.
    Secret,
    /// Its size is outside of its language's percentiles.
    Size,
    /// Its number of lines is outside of its language's percentiles.
    Lines,
    /// Another file has the same bytes.
    Duplicate,
    /// Another file is nearly the same.
    NearDuplicate,
    /// The parser gave no tree, as where it takes longer than it may.
    Unparsed,
    /// It is not what it was when it was first read.
    Changed,
}

impl Reason {
    /// Every reason, in the order in which they are asked.
    pub const ALL: [Self; 21] = [
        Self::Vendored,
        Self::TooLarge,
        Self::NotText,
        Self::Generated,
        Self::Minified,
        Self::Manifest,
        Self::Stars,
        Self::BenchmarkRepository,
        Self::Packages,
        Self::NoLicence,
        Self::Licence,
        Self::BenchmarkPath,
        Self::BenchmarkText,
        Self::Sentinel,
        Self::Secret,
        Self::Size,
        Self::Lines,
        Self::Duplicate,
        Self::NearDuplicate,
        Self::Unparsed,
        Self::Changed,
    ];

    /// The name in manifests and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vendored => "vendored",
            Self::TooLarge => "too-large",
            Self::NotText => "not-text",
            Self::Generated => "generated",
            Self::Minified => "minified",
            Self::Manifest => "manifest",
            Self::Stars => "stars",
            Self::Packages => "packages",
            Self::BenchmarkRepository => "benchmark-repository",
            Self::NoLicence => "no-licence",
            Self::Licence => "licence",
            Self::BenchmarkPath => "benchmark-path",
            Self::BenchmarkText => "benchmark-text",
            Self::Sentinel => "sentinel",
            Self::Secret => "secret",
            Self::Size => "size",
            Self::Lines => "lines",
            Self::Duplicate => "duplicate",
            Self::NearDuplicate => "near-duplicate",
            Self::Unparsed => "unparsed",
            Self::Changed => "changed",
        }
    }

    /// A reason that is known without the file's repository and without other files, and that
    /// the repository's reasons do not replace.
    pub const fn is_first(self) -> bool {
        matches!(
            self,
            Self::Vendored
                | Self::TooLarge
                | Self::NotText
                | Self::Generated
                | Self::Minified
                | Self::Manifest
        )
    }
}

/// Why a hole was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoleReason {
    /// Its callee leads neither to a declared dependency nor to the repository.
    Unresolved,
    /// Its callee leads to a package that is not among `packages`.
    OtherPackage,
    /// Its code does not parse.
    SyntaxError,
    /// There is too little before or after it.
    LittleContext,
    /// What it takes out is trivial.
    Trivial,
    /// Its score is below `min_score`.
    LowScore,
    /// Better holes of its kind fill the file's share.
    PerFile,
    /// Nobody looked at it: enough holes of its kind were drawn from the file.
    NotDrawn,
}

impl HoleReason {
    /// The name in manifests and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::OtherPackage => "other-package",
            Self::SyntaxError => "syntax-error",
            Self::LittleContext => "little-context",
            Self::Trivial => "trivial",
            Self::LowScore => "low-score",
            Self::PerFile => "per-file",
            Self::NotDrawn => "not-drawn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_files() {
        for reason in Reason::ALL {
            let json = serde_json::to_value(reason).expect("JSON");
            assert_eq!(json, reason.name());
        }
        let json = serde_json::to_value(HoleReason::OtherPackage).expect("JSON");
        assert_eq!(json, HoleReason::OtherPackage.name());
    }
}
