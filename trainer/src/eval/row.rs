//! A row that a model is measured with, whatever benchmark it is from.

use truefill_syntax::Language;

/// A hole or a task, and what is right there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalRow {
    /// As the benchmark names it; no two rows of a suite have the same.
    pub id: String,
    /// What the model is given.
    pub question: Question,
    /// What stood in the hole; empty where a benchmark has tests alone.
    pub golden: String,
    /// What it is not to be taken for, where the benchmark says.
    pub rejected: Option<String>,
    /// The language as the benchmark names it, in lower case: reports are parted by it.
    pub language: String,
    /// The same where there is a grammar for it.
    pub grammar: Option<Language>,
    /// What kind of row it is (type of hallucination, kind of hole, part of the suite); reports are
    /// parted by it.
    pub kind: String,
    /// Rows of one cluster are not independent: the repository, or the problem that holes were cut in.
    pub cluster: String,
    /// How a completion is shown to be right by running it.
    pub program: Option<Program>,
}

/// What the model is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Fill in between.
    Infill {
        /// Before the hole.
        prefix: String,
        /// After the hole.
        suffix: String,
    },
    /// Go on after this text.
    Continue {
        /// The text.
        prompt: String,
    },
}

/// A Python program that ends with exit status 0 where a completion is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Before the completion.
    pub head: String,
    /// After it, the tests.
    pub tail: String,
}
