//! When to stop generating: rules on the text as it grows.
//!
//! Each new piece costs its own length: complete lines are judged once, and
//! the line that is still growing only for what is certain already.

use std::sync::Arc;

use super::brackets::Balance;
use super::facts::LanguageFacts;
use super::flow::{Border, Run, SuffixWatch};
use super::lines;
use super::surroundings::{Shape, Surroundings};

/// The rule that ended a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopRule {
    /// The line that was to be completed is complete.
    LineEnd,
    /// The next line of the suffix was reached.
    SuffixReached,
    /// The line above the cursor came again.
    AboveRepeated,
    /// A line came for the third time in a row.
    LineRepeated,
    /// More blank lines in a row than a block has.
    BlankLines,
    /// The text left the block that the cursor stands in.
    LeftScope,
    /// What was begun is complete, says the grammar.
    SyntacticEnd,
    /// The limit of lines.
    MaxLines,
}

impl StopRule {
    /// The name in logs and in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LineEnd => "line_end",
            Self::SuffixReached => "suffix_reached",
            Self::AboveRepeated => "above_repeated",
            Self::LineRepeated => "line_repeated",
            Self::BlankLines => "blank_lines",
            Self::LeftScope => "left_scope",
            Self::SyntacticEnd => "syntactic_end",
            Self::MaxLines => "max_lines",
        }
    }
}

/// Where to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Bytes of the text so far to keep.
    pub keep_bytes: usize,
    /// The rule that says so.
    pub rule: StopRule,
}

/// Bounds of a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Filled lines at most, in a block.
    pub max_lines: usize,
    /// Blank lines in a row at most.
    pub blank_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_lines: 32,
            blank_lines: 1,
        }
    }
}

/// Where the thing ends that a text began: bytes to keep, once that is certain.
///
/// In the server this is `truefill_syntax`'s finder; without a grammar it is
/// [`no_grammar`].
pub type SyntacticEnd = Box<dyn FnMut(&str) -> Option<usize> + Send>;

/// For files without a grammar: nothing is ever certain.
pub fn no_grammar() -> SyntacticEnd {
    Box::new(|_| None)
}

/// What the rules know about a request; shared by its samples.
#[derive(Clone, Debug)]
pub struct StopPlan {
    facts: &'static LanguageFacts,
    shape: Shape,
    limits: Limits,
    balance: Balance,
    line_before: String,
    /// The lines below, where the suggestion's lines lie right above them.
    suffix: SuffixWatch,
    /// The filled line above the cursor's line.
    above: Option<String>,
    /// Whether the line above equals the one above it.
    repeats: bool,
}

impl StopPlan {
    /// Reads the surroundings once.
    pub fn new(around: &Surroundings<'_>, limits: Limits) -> Self {
        let ends_lines = around.rest_of_line().trim().is_empty();
        let mut above = around.above().filter(|line| !line.trim().is_empty());
        let (above, before) = (above.next(), above.next());
        // What repeats above the cursor is meant to repeat.
        let repeats = above
            .zip(before)
            .is_some_and(|(one, other)| lines::same(one, other));
        let following = around.following().filter(|_| ends_lines);
        Self {
            facts: around.facts,
            shape: around.shape,
            limits,
            balance: Balance::read(around),
            line_before: around.line_before().to_owned(),
            suffix: SuffixWatch::new(around.facts, following),
            repeats,
            above: above.filter(|_| ends_lines).map(ToOwned::to_owned),
        }
    }

    /// Rules for one sample.
    pub fn start(self: &Arc<Self>, syntactic_end: SyntacticEnd) -> StopRules {
        StopRules {
            border: Border::new(self.facts),
            suffix: self.suffix.clone(),
            run: Run::new(self.facts, self.above.as_deref()),
            plan: Arc::clone(self),
            syntactic_end,
            scanned: 0,
            line_start: 0,
            line_index: 0,
            filled_lines: 0,
            blank_run: 0,
            filled_end: 0,
        }
    }

    fn on_blank_start(&self) -> bool {
        self.line_before.trim().is_empty()
    }

    fn faults(&self, text: &str) -> usize {
        self.balance.effect(text, self.facts).faults
    }
}

/// The rules on one growing text.
pub struct StopRules {
    plan: Arc<StopPlan>,
    syntactic_end: SyntacticEnd,
    border: Border,
    run: Run,
    suffix: SuffixWatch,
    /// Bytes that are known to hold no further line break before the growing line.
    scanned: usize,
    line_start: usize,
    line_index: usize,
    filled_lines: usize,
    blank_run: usize,
    /// End of the last filled line.
    filled_end: usize,
}

impl StopRules {
    /// Looks at the text so far, which extends the text of the call before.
    ///
    /// The result does not depend on how the text was cut into pieces.
    pub fn check(&mut self, text: &str) -> Option<Stop> {
        let fresh = self.scanned.min(text.len());
        let by_line = self
            .complete_lines(text)
            .or_else(|| self.growing_line(text));
        let by_grammar = self.grammar(text, fresh);
        // The earlier one holds: a large piece may contain both.
        match (by_line, by_grammar) {
            (Some(line), Some(end)) if end.keep_bytes < line.keep_bytes => Some(end),
            (line, end) => line.or(end),
        }
    }

    fn complete_lines(&mut self, text: &str) -> Option<Stop> {
        while let Some(at) = text.get(self.scanned..).and_then(|rest| rest.find('\n')) {
            let end = self.scanned + at;
            let stop = self.complete_line(text, self.line_start, end);
            self.scanned = end + 1;
            self.line_start = end + 1;
            self.line_index += 1;
            if stop.is_some() {
                return stop;
            }
        }
        self.scanned = text.len();
        None
    }

    fn complete_line(&mut self, text: &str, start: usize, end: usize) -> Option<Stop> {
        let line = text[start..end].trim_end();
        let whole = self.whole(line);
        if line.trim().is_empty() {
            return self.blank_line();
        }
        let stop = |keep_bytes, rule| Some(Stop { keep_bytes, rule });
        self.blank_run = 0;
        self.filled_lines += 1;
        if self.filled_lines == 1 && self.repeats_above(&whole) {
            return stop(0, StopRule::AboveRepeated);
        }
        // Before the others: it may have been certain while the line was growing.
        if !self.border.admits(&whole) {
            return stop(start, StopRule::LeftScope);
        }
        if let Some(start) = self.reaches_suffix(text, start, end, &whole) {
            return stop(start, StopRule::SuffixReached);
        }
        if self.run.is_too_long(&whole) {
            return stop(start, StopRule::LineRepeated);
        }
        self.filled_end = start + line.len();
        if self.plan.shape == Shape::OneLine {
            return stop(self.filled_end, StopRule::LineEnd);
        }
        if self.filled_lines >= self.plan.limits.max_lines {
            return stop(self.filled_end, StopRule::MaxLines);
        }
        None
    }

    fn blank_line(&mut self) -> Option<Stop> {
        // The end of the cursor's own line is no blank line.
        if self.line_index > 0 || self.plan.on_blank_start() {
            self.blank_run += 1;
        }
        let too_many = self.blank_run > self.plan.limits.blank_lines;
        too_many.then_some(Stop {
            keep_bytes: self.filled_end,
            rule: StopRule::BlankLines,
        })
    }

    /// What is certain about the line that is still growing.
    fn growing_line(&self, text: &str) -> Option<Stop> {
        let line = text.get(self.line_start..)?;
        let left = self.line_index > 0 && self.border.rejects_beginning(line);
        left.then_some(Stop {
            keep_bytes: self.line_start,
            rule: StopRule::LeftScope,
        })
    }

    fn whole(&self, line: &str) -> String {
        match self.line_index {
            0 => format!("{}{line}", self.plan.line_before),
            _ => line.to_owned(),
        }
    }

    fn repeats_above(&self, whole: &str) -> bool {
        let above = self.plan.above.as_deref().filter(|_| !self.plan.repeats);
        lines::is_substantial(whole) && above.is_some_and(|above| lines::same(above, whole))
    }

    /// Where the text walked into the suffix, if the line from `start` to `end` shows it.
    fn reaches_suffix(
        &mut self,
        text: &str,
        start: usize,
        end: usize,
        whole: &str,
    ) -> Option<usize> {
        if self.line_index == 0 && !self.plan.on_blank_start() {
            return None;
        }
        let reached = self.suffix.see(whole, start);
        if reached.is_some() {
            return reached;
        }
        // `}` may be needed: only the brackets can tell. `break;` proves nothing.
        let facts = self.plan.facts;
        let next = self.suffix.next_line()?;
        if !facts.is_closing_line(next) || !lines::same(whole, next) {
            return None;
        }
        let brackets = next.chars().any(|c| facts.closes(c).is_some());
        let surplus =
            !brackets || self.plan.faults(&text[..start]) < self.plan.faults(&text[..end]);
        surplus.then_some(start)
    }

    /// Asks the grammar where something may have ended: at a line's end, at a
    /// closing mark, at the first mark of a new line.
    fn grammar(&mut self, text: &str, fresh: usize) -> Option<Stop> {
        let new = text.get(fresh..)?;
        let begins = text[..fresh].ends_with(['\n', ' ', '\t']) && !new.trim().is_empty();
        if !begins && !new.contains(['\n', ';', ')', ']', '}', ':', ',']) && !self.ends_word(new) {
            return None;
        }
        let keep_bytes = (self.syntactic_end)(text)?;
        let keep_bytes = lines::head(text, keep_bytes).len();
        Some(Stop {
            keep_bytes,
            rule: StopRule::SyntacticEnd,
        })
    }

    fn ends_word(&self, new: &str) -> bool {
        self.plan
            .facts
            .closing_words
            .iter()
            .any(|word| word.ends_with(new.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(file: &str, language: &str, shape: Shape, end: SyntacticEnd) -> StopRules {
        let (prefix, suffix) = file.split_once('|').unwrap();
        let facts = LanguageFacts::for_lsp_id(language);
        let around = Surroundings::new(prefix, suffix, facts, shape);
        let limits = Limits {
            max_lines: 4,
            blank_lines: 1,
        };
        Arc::new(StopPlan::new(&around, limits)).start(end)
    }

    /// Feeds character by character; the text kept and the rule, if one stopped.
    fn feed(rules: &mut StopRules, text: &str) -> (String, Option<StopRule>) {
        for (at, c) in text.char_indices() {
            if let Some(stop) = rules.check(&text[..at + c.len_utf8()]) {
                return (text[..stop.keep_bytes].to_owned(), Some(stop.rule));
            }
        }
        (text.to_owned(), None)
    }

    #[test]
    fn each_rule_stops_where_it_should() {
        use Shape::{Block, OneLine};
        use StopRule as R;
        let table: &[(&str, &str, Shape, &str, &str, Option<R>)] = &[
            ("rust", "x = |", OneLine, "1;\ny", "1;", Some(R::LineEnd)),
            ("rust", "x = |", OneLine, "1;", "1;", None),
            (
                "rust",
                "x = 1;|",
                OneLine,
                "\n\ny;\nz",
                "\n\ny;",
                Some(R::LineEnd),
            ),
            (
                "rust",
                "|\nlet b = 2;",
                Block,
                "let a = 1;\nlet b = 2;\n",
                "let a = 1;\n",
                Some(R::SuffixReached),
            ),
            (
                "rust",
                "fn f() {\n    |\n}\n",
                Block,
                "a;\n}\nb",
                "a;\n",
                Some(R::SuffixReached),
            ),
            (
                "rust",
                "{\n{\n|\n}\n",
                Block,
                "a;\n}\nb\n",
                "a;\n}\nb\n",
                None,
            ),
            (
                "ruby",
                "def f\n  |\nend\n",
                Block,
                "a\nend\n",
                "a\n",
                Some(R::SuffixReached),
            ),
            (
                "rust",
                "  a(1);\n  |",
                Block,
                "a(1);\nb",
                "",
                Some(R::AboveRepeated),
            ),
            (
                "rust",
                "|",
                Block,
                "a(1);\na(1);\na(1);\n",
                "a(1);\na(1);\n",
                Some(R::LineRepeated),
            ),
            ("rust", "|", Block, "a;\n\n\nb", "a;", Some(R::BlankLines)),
            ("rust", "|", Block, "\n\n", "", Some(R::BlankLines)),
            ("rust", "fn f() {|}", Block, "\n\n  a\n", "\n\n  a\n", None),
            (
                "python",
                "if x:\n    |",
                Block,
                "a\ndef g",
                "a\n",
                Some(R::LeftScope),
            ),
            (
                "python",
                "  if x:\n    |",
                Block,
                "a\n  else:\n    b",
                "a\n  else:\n    b",
                None,
            ),
            (
                "rust",
                "|",
                Block,
                "a\nb\nc\nd\ne\n",
                "a\nb\nc\nd",
                Some(R::MaxLines),
            ),
        ];
        for (language, file, shape, text, kept, rule) in table {
            let mut rules = rules(file, language, *shape, no_grammar());
            let found = feed(&mut rules, text);
            assert_eq!(found, ((*kept).to_owned(), *rule), "{file:?} {text:?}");
        }
    }

    #[test]
    fn the_grammar_ends_what_was_begun() {
        let end: SyntacticEnd = Box::new(|text| text.find(");").map(|at| at + 2));
        let mut rules = rules("x|", "rust", Shape::Block, end);
        let found = feed(&mut rules, "(a); b");
        assert_eq!(found, ("(a);".to_owned(), Some(StopRule::SyntacticEnd)));
    }

    fn text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "a(1);\n",
            "b\n",
            "\n",
            "  ",
            "    x = 1;\n",
            "}\n",
            "end\n",
            "else",
            "é",
            "😀",
            "\r\n",
            "let b = 2;\n",
            "{",
        ]);
        prop::collection::vec(pieces, 0..16).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            prefix in text(), suffix in text(), text in text(), one_line: bool, size in 1usize..40,
        ) {
            let shape = if one_line { Shape::OneLine } else { Shape::Block };
            let file = format!("{prefix}|{suffix}");
            let by_char = feed(&mut rules(&file, "rust", shape, no_grammar()), &text);
            let mut in_pieces = rules(&file, "rust", shape, no_grammar());
            let mut found = None;
            let mut end = 0;
            while end < text.len() && found.is_none() {
                end = (end + size).min(text.len());
                while !text.is_char_boundary(end) {
                    end += 1;
                }
                found = in_pieces.check(&text[..end]);
            }
            let kept = found.map_or(text.len(), |stop| stop.keep_bytes);
            prop_assert_eq!((text[..kept].to_owned(), found.map(|stop| stop.rule)), by_char);
        }
    }
}
