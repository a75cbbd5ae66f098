//! The one way in which a rule is tested: a text with its cursor, a suggestion, the result.

use super::{Change, Rule, Scene};
use crate::suggest::brackets::Balance;
use crate::suggest::facts::LanguageFacts;
use crate::suggest::surroundings::{IndentUnit, Shape, Surroundings, Trigger};

/// One row of a rule's table; `|` is the cursor, an empty result means dropped.
pub struct Case {
    file: &'static str,
    suggestion: &'static str,
    expected: &'static str,
    language: &'static str,
    sentinels: &'static [&'static str],
    truncated: bool,
    trigger: Trigger,
    indent: Option<IndentUnit>,
}

impl Case {
    pub fn new(file: &'static str, suggestion: &'static str, expected: &'static str) -> Self {
        Self {
            file,
            suggestion,
            expected,
            language: "rust",
            sentinels: &[],
            truncated: false,
            trigger: Trigger::Automatic,
            indent: None,
        }
    }

    /// A case in which the rule has nothing to do.
    pub fn same(file: &'static str, suggestion: &'static str) -> Self {
        Self::new(file, suggestion, suggestion)
    }

    pub fn language(self, language: &'static str) -> Self {
        Self { language, ..self }
    }

    pub fn sentinels(self, sentinels: &'static [&'static str]) -> Self {
        Self { sentinels, ..self }
    }

    pub fn truncated(self) -> Self {
        Self {
            truncated: true,
            ..self
        }
    }

    pub fn invoked(self) -> Self {
        Self {
            trigger: Trigger::Invoked,
            ..self
        }
    }

    pub fn indent(self, unit: IndentUnit) -> Self {
        Self {
            indent: Some(unit),
            ..self
        }
    }
}

/// Runs one rule over its table.
pub fn check(rule: Rule, table: &[Case]) {
    for case in table {
        let (prefix, suffix) = case.file.split_once('|').expect("a cursor");
        let facts = LanguageFacts::for_lsp_id(case.language);
        let mut around = Surroundings::new(prefix, suffix, facts, Shape::Block);
        around.sentinels = case.sentinels;
        around.truncated = case.truncated;
        around.trigger = case.trigger;
        around.indent = case.indent.or(around.indent);
        let scene = Scene {
            around,
            balance: Balance::read(&around),
            next_line: around.next_line(),
        };
        let result = match rule(case.suggestion, &scene) {
            Change::None => case.suggestion.to_owned(),
            Change::Cut(at) => case.suggestion[..at].to_owned(),
            Change::Text(text) => text,
            Change::Drop => String::new(),
        };
        assert_eq!(
            result, case.expected,
            "file {:?}, suggestion {:?}",
            case.file, case.suggestion
        );
    }
}
