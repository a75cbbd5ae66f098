//! A wrong completion for a context.

use serde::{Deserialize, Serialize};

use super::context::{Context, Span};

/// What is wrong with a negative (paper "hard negatives", Table 1).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum HallucinationType {
    /// One method's name is invented.
    Method,
    /// A call has an argument that does not exist.
    Parameter,
    /// One identifier is not defined.
    UndefinedVariable,
    /// A package or symbol that does not exist is imported.
    Import,
    /// Similar to the golden completion and wrong in any way: FGit's teacher data, which has no
    /// types. Not one of the four that generators of types are asked for.
    Similar,
}

impl HallucinationType {
    /// The four types of paper "hard negatives", in the order of the tables.
    pub const ALL: [Self; 4] = [
        Self::Method,
        Self::Parameter,
        Self::UndefinedVariable,
        Self::Import,
    ];

    /// The name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Parameter => "parameter",
            Self::UndefinedVariable => "undefined_variable",
            Self::Import => "import",
            Self::Similar => "similar",
        }
    }
}

impl std::fmt::Display for HallucinationType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The hole of an import negative: the line of a real import, not the context's own hole, because
/// a candidate after its first use would be out of place (paper "hard negatives", B.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The window before the import.
    pub prefix: String,
    /// The real import.
    pub golden: String,
    /// The window after it.
    pub suffix: String,
    /// Where the hole starts in the file, in bytes.
    pub hole_start: usize,
    /// Where it ends.
    pub hole_end: usize,
}

/// A row of `negatives`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Negative {
    /// The context that it belongs to.
    pub context_id: String,
    /// What is wrong with it.
    #[serde(rename = "type")]
    pub kind: HallucinationType,
    /// Who made it: a generator's name in the recipe.
    pub generator: String,
    /// Version of the prompt or of the rules.
    pub prompt_version: String,
    /// The wrong completion.
    pub rejected: String,
    /// The hole, where it is not the context's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
}

impl Negative {
    /// Names the negative in verdicts: context, type and generator.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.context_id, self.kind, self.generator)
    }

    /// Prefix, golden completion and suffix of the hole that the negative fills.
    pub fn hole<'a>(&'a self, context: &'a Context) -> [&'a str; 3] {
        match &self.split {
            Some(split) => [&split.prefix, &split.golden, &split.suffix],
            None => [&context.prefix, &context.golden, &context.suffix],
        }
    }

    /// The context with the hole that the negative fills.
    pub fn context(&self, context: &Context) -> Context {
        let Some(split) = &self.split else {
            return context.clone();
        };
        let span = Span {
            hole_start: split.hole_start,
            hole_end: split.hole_end,
            ..context.span.clone()
        };
        Context {
            id: span.id(),
            hole_kind: super::HoleKind::Import,
            prefix: split.prefix.clone(),
            golden: split.golden.clone(),
            suffix: split.suffix.clone(),
            span,
            ..context.clone()
        }
    }
}
