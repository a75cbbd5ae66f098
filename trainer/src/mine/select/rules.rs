//! The rules.

use std::ops::Range;

use foldhash::{HashMap, HashMapExt as _};
use truefill_syntax::{HoleKind, Language, is_common_name};

use crate::mine::reason::HoleReason;
use crate::mine::recipe::Selector;

/// How good a hole is: 0 to 1, or why it is none.
pub type Score = Result<f64, HoleReason>;

/// Names that a completion is not about.
const EMPTY_NAMES: &[&str] = &[
    "self",
    "this",
    "cls",
    "super",
    "true",
    "false",
    "True",
    "False",
    "null",
    "None",
    "nil",
    "undefined",
    "return",
    "break",
    "continue",
    "pass",
    "end",
    "else",
    "new",
    "await",
    "let",
    "var",
    "const",
    "it",
];

/// Types that every file has: their names complete nothing.
const PRIMITIVES: &[&str] = &[
    "array", "bool", "boolean", "byte", "char", "decimal", "dict", "double", "error", "float",
    "int", "integer", "list", "long", "map", "number", "object", "set", "short", "std", "str",
    "string", "tuple", "uint", "void",
];

/// Lines of context from which on more says nothing more.
const MANY_LINES: f64 = 24.0;

/// A file with its names counted, so that each hole is judged without reading all of it.
pub struct Page<'a> {
    text: &'a str,
    language: Language,
    counts: HashMap<&'a str, u32>,
    /// Bytes at which lines with code start.
    lines: Vec<usize>,
}

impl<'a> Page<'a> {
    /// Counts a file's names and lines.
    pub fn new(language: Language, text: &'a str) -> Self {
        let mut counts = HashMap::new();
        for name in names(text) {
            *counts.entry(name).or_default() += 1;
        }
        let mut at = 0;
        let mut lines = Vec::new();
        for line in text.split_inclusive('\n') {
            if line.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
                lines.push(at);
            }
            at += line.len();
        }
        Self {
            text,
            language,
            counts,
            lines,
        }
    }

    /// Judges a hole with its window.
    pub fn score(
        &self,
        kind: HoleKind,
        hole: &Range<usize>,
        window: &Range<usize>,
        rules: &Selector,
    ) -> Score {
        let golden = &self.text[hole.clone()];
        let above = self.lines_between(window.start, hole.start);
        let suffix = &self.text[hole.end..window.end];
        let below = code_bytes(suffix, 4 * rules.suffix_bytes + 256);
        // Nothing stands above an import; what it must bring, the code below says.
        let import = kind == HoleKind::Import;
        if (above < rules.prefix_lines && !import) || below < rules.suffix_bytes {
            return Err(HoleReason::LittleContext);
        }
        let told = self.told(golden);
        if import && told == 0.0 {
            return Err(HoleReason::LowScore);
        }
        if is_trivial(kind, golden) {
            return Err(HoleReason::Trivial);
        }
        let around = if import {
            self.lines_between(hole.end, window.end)
        } else {
            above
        };
        let context = (around as f64 / MANY_LINES).min(1.0);
        let after = (below as f64 / 256.0).min(1.0);
        let score = 0.1 + 0.5 * told + 0.25 * context + 0.15 * after;
        if score < rules.min_score {
            return Err(HoleReason::LowScore);
        }
        Ok(score)
    }

    /// The share of the golden completion's names that the rest of the file tells: names that
    /// stand elsewhere, and half of each that the language brings.
    fn told(&self, golden: &str) -> f64 {
        let mut own: HashMap<&str, u32> = HashMap::new();
        for name in names(golden).filter(|name| !EMPTY_NAMES.contains(name)) {
            *own.entry(name).or_default() += 1;
        }
        let told: f64 = own
            .iter()
            .map(|(name, count)| {
                if self.counts.get(name).is_some_and(|all| all > count) {
                    1.0
                } else if is_common_name(self.language, name) {
                    0.5
                } else {
                    0.0
                }
            })
            .sum();
        told / own.len().max(1) as f64
    }

    fn lines_between(&self, start: usize, end: usize) -> usize {
        let before = |at| self.lines.partition_point(|line| *line < at);
        before(end).saturating_sub(before(start))
    }
}

/// Bytes that are not white space among the first `limit`.
fn code_bytes(text: &str, limit: usize) -> usize {
    let bytes = &text.as_bytes()[..text.len().min(limit)];
    bytes
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .count()
}

/// Names of a text: words that start with a letter.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

fn is_trivial(kind: HoleKind, golden: &str) -> bool {
    let telling = names(golden)
        .filter(|name| name.len() > 2 && !EMPTY_NAMES.contains(name))
        .filter(|name| !PRIMITIVES.contains(name))
        .count();
    // One variable is no list of arguments.
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '@' | '&' | '*');
    let lone = kind == HoleKind::Arguments && golden.chars().all(is_part);
    let letters = golden
        .bytes()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .count();
    let quoted = golden.starts_with(['"', '\'', '`']) && golden.ends_with(['"', '\'', '`']);
    // Text in quotes is prose or data; a call with a long message is one too. What an import has in
    // quotes is its module.
    let prose = golden
        .split(['"', '\'', '`'])
        .skip(1)
        .step_by(2)
        .map(str::len)
        .sum::<usize>();
    // A body on one line is an expression or the inside of a literal.
    let short = kind == HoleKind::Block && !golden.contains('\n');
    let least = match kind {
        HoleKind::Block => 2,
        _ => 1,
    };
    let text = kind != HoleKind::Import && (quoted || prose * 2 > golden.len());
    short || lone || text || telling < least || letters * 10 < golden.len() * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "import client\n\ndef load_items(path, limit):\n    items = client.read_all(path)\n    return items[:limit]\n\ndef load_first(path):\n    found = load_items(path, 1)\n    return found[0]\n\ndef unrelated():\n    xyzzy_frobnicate(quux_plugh)\n    keep_going(client)\n    return client\n";

    fn score(kind: HoleKind, golden: &str) -> Score {
        let page = Page::new(Language::Python, FILE);
        let at = FILE.rfind(golden).expect("there");
        let whole = 0..FILE.len();
        page.score(kind, &(at..at + golden.len()), &whole, &Selector::default())
    }

    #[test]
    fn what_the_context_tells_scores_high() {
        assert!(score(HoleKind::CallSite, "load_items(path, 1)").expect("good") > 0.6);
        assert_eq!(
            score(HoleKind::CallSite, "xyzzy_frobnicate(quux_plugh)"),
            Err(HoleReason::LowScore)
        );
        // Of an import the code below is asked, not lines above.
        let page = Page::new(Language::Python, FILE);
        let import = page.score(
            HoleKind::Import,
            &(0..13),
            &(0..FILE.len()),
            &Selector::default(),
        );
        assert!(import.expect("good") > 0.6);
        let unused =
            "import client\nimport shelf\n\ndef load(path):\n    return client.read(path)\n";
        let page = Page::new(Language::Python, unused);
        let import = page.score(
            HoleKind::Import,
            &(14..26),
            &(0..unused.len()),
            &Selector::default(),
        );
        assert_eq!(import, Err(HoleReason::LowScore));
        assert_eq!(
            score(HoleKind::Statement, "return client"),
            Err(HoleReason::LittleContext)
        );
    }

    #[test]
    fn what_says_nothing_is_trivial() {
        for (kind, golden, expected) in [
            (HoleKind::Identifier, "self", true),
            (HoleKind::Identifier, "x1", true),
            (HoleKind::Identifier, "client", false),
            (HoleKind::Identifier, "float", true),
            (HoleKind::Statement, "x: float", true),
            (HoleKind::Arguments, "$stone", true),
            (HoleKind::Arguments, "stone, weight", false),
            (HoleKind::Arguments, "\"some text\"", true),
            (HoleKind::Import, "\"encoding/json\"", false),
            (
                HoleKind::Import,
                "#include \"codec/decoder_tables.h\"",
                false,
            ),
            (
                HoleKind::Import,
                "require 'active_support/core_ext/object'",
                false,
            ),
            (HoleKind::Arguments, "0, 1", true),
            (
                HoleKind::Statement,
                "raise ValueError('a long message for people')",
                true,
            ),
            (HoleKind::Block, "return value", true),
            (
                HoleKind::Block,
                "total = first + second\nreturn total",
                false,
            ),
        ] {
            assert_eq!(is_trivial(kind, golden), expected, "{golden}");
        }
    }
}
