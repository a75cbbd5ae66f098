//! The end of a suggestion of several lines.

use crate::{
    language::{Language, WordClass},
    lex::Last,
    site::Site,
};

use super::{
    closers::suffix_closes,
    lines::{self, Line},
};

/// What the cursor's line began.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    /// A statement that starts on the cursor's line or above: it ends with the first line that
    /// is not deeper than `indent` while no more than `depth` brackets are open.
    Statement { indent: usize, depth: usize },
    /// Whole statements: they end with the block they stand in, or with a paragraph.
    Items {
        body: Option<WordClass>,
        depth: usize,
    },
}

impl Scope {
    pub(super) fn of(site: &Site) -> Self {
        let stack = &site.at_cursor.stack;
        if site.on_blank_line() {
            let opener = site.opener.filter(|opener| site.body_is_empty(opener));
            return Self::Items {
                body: opener.map(|opener| opener.class),
                depth: stack.len(),
            };
        }
        let mut depth = stack.len();
        let mut statement = site.at_cursor.statement;
        if site.at_cursor.last == Last::Open(b'{') && depth > 0 {
            depth -= 1;
            statement = stack[depth].statement;
        }
        // Brackets that only hold the statement together, and all that the cursor's line opened.
        let line = site.window.len() - site.line_prefix.len();
        while depth > 0
            && (matches!(stack[depth - 1].byte, b'(' | b'[') || stack[depth - 1].line_at >= line)
        {
            depth -= 1;
            statement = stack[depth].statement;
        }
        let indent = match &site.opener {
            Some(opener) if opener.byte != b'{' => opener.indent.min(statement.indent),
            _ => statement.indent,
        };
        Self::Statement { indent, depth }
    }
}

/// The end of the block; `None` while it is not certain.
pub(super) fn end(site: &Site, scope: &Scope, completion: &str) -> Option<usize> {
    let lines = lines::read(site, completion);
    let reader = Reader {
        site,
        completion,
        lines: &lines,
    };
    match scope {
        Scope::Statement { indent, depth } => reader.statement_end(*indent, *depth),
        Scope::Items { body, depth } => reader.items_end(0, *body, *depth),
    }
}

pub(super) struct Reader<'a> {
    pub site: &'a Site<'a>,
    pub completion: &'a str,
    pub lines: &'a [Line],
}

impl Reader<'_> {
    pub(super) fn language(&self) -> Language {
        self.site.language
    }

    /// The completion up to `at`, less the white space at its end.
    fn trimmed(&self, at: usize) -> usize {
        self.completion
            .get(..at)
            .map_or(0, |kept| kept.trim_end().len())
    }

    /// End of the last line before line `at` with anything on it.
    pub(super) fn end_before(&self, at: usize) -> usize {
        self.lines[..at]
            .iter()
            .rev()
            .find(|line| !line.blank)
            .map_or(0, |line| line.end)
    }

    /// End of the items before line `at`, which is less deep than they are; comments above it that
    /// are so too belong to it.
    pub(super) fn end_of_items(&self, at: usize, indent: usize) -> usize {
        let remark = |line: &Line| line.blank || (line.no_code && line.indent < indent);
        let last = self.lines[..at].iter().rposition(|line| !remark(line));
        last.map_or(0, |last| self.lines[last].end)
    }

    /// The first line from `at` on with anything on it.
    pub(super) fn next_line(&self, at: usize) -> Option<usize> {
        (at..self.lines.len()).find(|&index| !self.lines[index].blank)
    }

    /// The line's first word, once what comes next cannot make it a word that matters.
    pub(super) fn first_word(&self, at: usize) -> Option<&str> {
        let line = &self.lines[at];
        let end = line.text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let word = &line.text[..end.unwrap_or(line.text.len())];
        let whole = end.is_some() || line.complete || !self.language().may_continue(word);
        whole.then_some(word)
    }

    fn statement_end(&self, indent: usize, depth: usize) -> Option<usize> {
        let mut at = 0;
        let mut head = 0;
        loop {
            let line = self.lines.get(at)?;
            if at > 0 && self.is_runaway(at, indent) {
                return Some(self.end_before(at));
            }
            if let Some(end) = self.outer_close(at, depth) {
                return end;
            }
            if !line.complete {
                return None;
            }
            let open = line.ends_inside || line.depth > depth;
            let decorator = line.text.starts_with('@');
            let unfinished = line.no_code && at > 0 || decorator;
            if decorator && !open && head == at {
                head = at + 1;
            }
            if !open && !unfinished && line.lowest <= line.depth.max(depth) {
                match self.goes_on(at, head, indent)? {
                    Next::Ended => return self.ended(at, depth),
                    Next::GoesOn => {}
                    Next::EndsWith(last) => return Some(self.lines[last].end),
                }
            }
            at += 1;
        }
    }

    /// The statement ended with line `at`. A completion that starts with a line break after a
    /// statement that was complete begins new statements instead.
    fn ended(&self, at: usize, depth: usize) -> Option<usize> {
        let nothing_added = self.completion[..self.lines[at].end].trim().is_empty();
        if !nothing_added {
            return Some(self.lines[at].end);
        }
        let first = self.next_line(at + 1)?;
        if self.lines[first].indent < self.lines[0].indent {
            return Some(0);
        }
        self.items_end(first, None, depth)
    }

    /// Line `at` stands left of the statement although a bracket is open: the bracket was lost.
    pub(super) fn is_runaway(&self, at: usize, indent: usize) -> bool {
        let line = &self.lines[at];
        !line.blank
            && !line.starts_inside
            && line.indent < indent
            && !line.no_code
            && !line.text.starts_with(['}', ')', ']', '#', '/'])
            && self.first_word(at).is_some()
    }

    /// Whether the statement whose brackets are closed at the end of line `at` goes on below.
    /// `None` while that is not known.
    fn goes_on(&self, at: usize, head: usize, indent: usize) -> Option<Next> {
        let line = &self.lines[at];
        let language = self.language();
        if language.has_braces() && line.last == Last::Punct(b';') {
            return Some(Next::Ended);
        }
        let class = self.header_class(head);
        if language == Language::Python && class == WordClass::Other {
            return Some(Next::Ended);
        }
        let operator = matches!(line.last, Last::Punct(byte) if b",.+-*/=&|<?:^%".contains(&byte));
        if language == Language::Go && !operator && line.last != Last::Close(b'}') {
            return Some(Next::Ended);
        }
        let blank_below = self
            .lines
            .get(at + 1)
            .is_some_and(|line| line.blank && line.complete);
        if language.has_braces() && blank_below && !operator {
            return Some(Next::Ended);
        }
        let next = self.next_line(at + 1)?;
        self.joins(at, next, head, indent)
    }

    /// What the header of the statement says whose first line is `head`.
    fn header_class(&self, head: usize) -> WordClass {
        if head > 0 {
            return self.lines.get(head).map_or(WordClass::Other, |line| {
                self.language().header_class(&line.text)
            });
        }
        let statement = self.lines[0].statement.at;
        let before = self.site.window.get(statement..).unwrap_or("");
        let added = self.completion.split('\n').next().unwrap_or("");
        let text = format!("{before}{added}");
        self.language()
            .header_class(text.split('\n').next().unwrap_or(""))
    }

    /// Whether line `next` belongs to the statement that line `at` may have ended.
    fn joins(&self, at: usize, next: usize, head: usize, indent: usize) -> Option<Next> {
        let (line, below) = (&self.lines[at], &self.lines[next]);
        let language = self.language();
        let word = self.first_word(next)?;
        if below.text.starts_with(['}', ')', ']']) || below.indent < indent {
            return Some(Next::Ended);
        }
        if language != Language::Python && is_continuation_start(&below.text) {
            return Some(Next::GoesOn);
        }
        if below.indent == indent && language == Language::Ruby && word == "end" {
            return Some(Next::EndsWith(next));
        }
        if language.word_class(word) == WordClass::Continuation
            || (word == "while"
                && self.header_class(head) == WordClass::Control
                && language.has_braces())
        {
            return Some(Next::GoesOn);
        }
        let closed = matches!(line.last, Last::Close(b'}') | Last::Punct(b';'));
        if below.text.starts_with('{') && !closed {
            return Some(Next::GoesOn);
        }
        if below.indent > indent && !(language.has_braces() && closed) {
            return Some(Next::GoesOn);
        }
        Some(Next::Ended)
    }

    /// Line `at` closes a bracket that was open at the cursor. The end, if that ends the block:
    /// before the closer where the suffix has it, behind it where it is missing.
    pub(super) fn outer_close(&self, at: usize, depth: usize) -> Option<Option<usize>> {
        let line = &self.lines[at];
        let open_at_cursor = self.site.at_cursor.stack.len();
        let mut level = open_at_cursor - self.closed_before(at).min(open_at_cursor);
        for (index, (position, _, open)) in line.closes.iter().enumerate() {
            level = level.saturating_sub(1);
            if suffix_closes(self.site, open) {
                return Some(Some(self.trimmed(*position)));
            }
            if level < depth {
                let own_body = level + 1 == open_at_cursor && self.site.on_blank_line();
                return Some(if own_body && self.site.opener.is_some() {
                    self.behind_closer(line, index)
                } else {
                    Some(self.trimmed(*position))
                });
            }
        }
        None
    }

    fn closed_before(&self, at: usize) -> usize {
        self.lines[..at].iter().map(|line| line.closes.len()).sum()
    }

    /// The end behind a closer that the suffix lacks, with the closers of brackets that were
    /// opened on the same line (`});`). `None` while more of them may come.
    fn behind_closer(&self, line: &Line, index: usize) -> Option<usize> {
        let (position, _, first) = &line.closes[index];
        let mut end = position + 1;
        let mut more = line.closes[index + 1..].iter();
        loop {
            let next = self.completion[end..].chars().next()?;
            match next {
                ')' | ']' | '}' => {
                    let Some((_, _, open)) = more.next() else {
                        return Some(end);
                    };
                    if open.line_at != first.line_at || suffix_closes(self.site, open) {
                        return Some(end);
                    }
                    end += 1;
                }
                ';' | ',' => return Some(end + 1),
                _ => return Some(end),
            }
        }
    }
}

enum Next {
    Ended,
    GoesOn,
    /// The statement's last line.
    EndsWith(usize),
}

/// A line that starts like this goes on with the expression above it.
pub(super) fn is_continuation_start(text: &str) -> bool {
    let operators = ["?.", "&&", "||", "|>", "->", "=>", "??", "<<", "::"];
    let dot = text.starts_with('.') && !text.starts_with("...");
    let ternary = text.starts_with("? ") || text.starts_with(": ");
    dot || ternary || operators.iter().any(|operator| text.starts_with(operator))
}
