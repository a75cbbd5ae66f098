//! A row that a model is measured with, whatever benchmark it is from.

use std::borrow::Cow;
use std::time::Duration;

use truefill_syntax::Language;

use super::cut::Cut;

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
    /// The file's path in its repository, where the benchmark says.
    pub path: Option<String>,
    /// What was retrieved from other files of the repository. CrossCodeEval puts it and a line feed before
    /// the prefix.
    pub cross_file: Option<String>,
    /// Texts at which a continuation ends; they do not belong to it.
    pub stops: &'static [&'static str],
    /// Where the benchmark ends a completion.
    pub cut: Cut,
    /// How a completion is shown to be right by running it.
    pub program: Option<Program>,
}

impl EvalRow {
    /// A row that is compared with its golden completion as it is; its cluster is its own.
    #[must_use]
    pub fn new(id: String, question: Question, golden: String, language: &str) -> Self {
        let language = language.to_lowercase();
        Self {
            grammar: grammar(&language),
            cluster: id.clone(),
            id,
            question,
            golden,
            rejected: None,
            language,
            kind: String::new(),
            path: None,
            cross_file: None,
            stops: &[],
            cut: Cut::None,
            program: None,
        }
    }
}

/// The grammar of a language by one of the names that benchmarks have for it.
fn grammar(language: &str) -> Option<Language> {
    let name = match language {
        "c#" | "cs" | "c_sharp" => "csharp",
        "c++" => "cpp",
        "js" => "javascript",
        "py" => "python",
        "rb" => "ruby",
        "rs" => "rust",
        "ts" => "typescript",
        name => name,
    };
    name.parse().ok()
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
    /// Answer this task.
    Instruct {
        /// The task.
        prompt: String,
    },
}

impl EvalRow {
    /// What a model reads before the hole: what other files gave stands in front.
    #[must_use]
    pub fn prefix(&self) -> Cow<'_, str> {
        let prefix = self.question.before();
        match &self.cross_file {
            Some(found) => [found, "\n", prefix].concat().into(),
            None => prefix.into(),
        }
    }
}

impl Question {
    /// What stands right before the completion; nothing before an answer.
    #[must_use]
    pub fn before(&self) -> &str {
        match self {
            Self::Infill { prefix, .. } => prefix,
            Self::Continue { prompt } => prompt,
            Self::Instruct { .. } => "",
        }
    }
}

/// A Python program whose last line is reached where a completion is right: tests raise where it is
/// not, and a program that leaves before its end has not passed. Of `holes` it is the row's file, which the
/// repository's own tests judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Before the completion.
    pub head: String,
    /// After it, the tests.
    pub tail: String,
    /// How long it may run: the benchmark's own limit, or the one that was asked for.
    pub wall: Duration,
}

impl Program {
    /// The program with a completion in it.
    #[must_use]
    pub fn with(&self, completion: &str) -> String {
        [&*self.head, completion, &self.tail].concat()
    }
}
