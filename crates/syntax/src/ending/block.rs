//! The end of a suggestion of several lines.

use std::ops::ControlFlow;

use crate::{
    language::{Language, WordClass},
    lex::{Last, Open, TokenKind},
    site::Site,
};

use super::lines::{self, Line};

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
        while depth > 0 && matches!(stack[depth - 1].byte, b'(' | b'[') {
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

struct Reader<'a> {
    site: &'a Site<'a>,
    completion: &'a str,
    lines: &'a [Line],
}

impl Reader<'_> {
    fn language(&self) -> Language {
        self.site.language
    }

    /// The completion up to `at`, less the white space at its end.
    fn trimmed(&self, at: usize) -> usize {
        self.completion
            .get(..at)
            .map_or(0, |kept| kept.trim_end().len())
    }

    /// End of the last line before line `at` with anything on it.
    fn end_before(&self, at: usize) -> usize {
        self.lines[..at]
            .iter()
            .rev()
            .find(|line| !line.blank)
            .map_or(0, |line| line.end)
    }

    /// The first line from `at` on with anything on it.
    fn next_line(&self, at: usize) -> Option<usize> {
        (at..self.lines.len()).find(|&index| !self.lines[index].blank)
    }

    /// The line's first word, once what comes next cannot make it a word that matters.
    fn first_word(&self, at: usize) -> Option<&str> {
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
    fn is_runaway(&self, at: usize, indent: usize) -> bool {
        let line = &self.lines[at];
        !line.blank
            && !line.starts_inside
            && line.indent < indent
            && !line.text.starts_with(['}', ')', ']', '#'])
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
    fn outer_close(&self, at: usize, depth: usize) -> Option<Option<usize>> {
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

    fn items_end(&self, from: usize, body: Option<WordClass>, depth: usize) -> Option<usize> {
        let first = self.next_line(from)?;
        let indent = self.lines[first].indent;
        let mut item = Item::default();
        for at in first..self.lines.len() {
            let line = &self.lines[at];
            if line.blank {
                if line.complete && self.paragraph_ends(at, body, depth) {
                    return Some(self.end_before(at));
                }
                continue;
            }
            let inside = line.starts_inside || (at > first && self.lines[at - 1].depth > depth);
            if at > first && inside && self.is_runaway(at, indent) {
                return Some(self.end_before(at));
            }
            if let Some(end) = self.outer_close(at, depth) {
                return end;
            }
            if !inside {
                let word = self.first_word(at)?;
                if at > first && line.indent < indent && !line.text.starts_with('#') {
                    return Some(self.dedent_end(at, word));
                }
                if line.indent == indent {
                    let goes_on = at > first && self.continues_item(at, word);
                    if !goes_on && at > first && item.ends_before_sibling(self, at, body) {
                        return Some(self.end_before(at));
                    }
                    if !goes_on {
                        item.start(self, at);
                    }
                }
            }
            item.compound |= line.indent > indent || line.depth > depth;
            if !line.complete {
                return None;
            }
        }
        None
    }

    /// A blank line ends a paragraph of statements in a language where that is certain without
    /// the next line.
    fn paragraph_ends(&self, at: usize, body: Option<WordClass>, depth: usize) -> bool {
        let Some(above) = at.checked_sub(1).map(|above| &self.lines[above]) else {
            return false;
        };
        let closed = !above.ends_inside && above.depth <= depth && !above.blank;
        let content = !self.completion[..above.end].trim().is_empty();
        let pending = above.no_code || above.text.starts_with('@') || above.text.starts_with("#[");
        body.is_none() && closed && content && !pending && self.language().has_braces()
    }

    /// Line `at` goes on with the statement above it at the same indentation.
    fn continues_item(&self, at: usize, word: &str) -> bool {
        let line = &self.lines[at];
        self.language().word_class(word) == WordClass::Continuation
            || line.text.starts_with(['{', ')', ']', '}'])
            || (self.language() != Language::Python && is_continuation_start(&line.text))
            || (self.language() == Language::Ruby && word == "end")
    }

    /// Line `at` stands left of the items: they have ended. Ruby's `end` belongs to an empty body
    /// where the suffix has none.
    fn dedent_end(&self, at: usize, word: &str) -> usize {
        let line = &self.lines[at];
        let ruby_end = self.language() == Language::Ruby
            && word == "end"
            && self
                .site
                .opener
                .is_some_and(|opener| opener.indent == line.indent)
            && !self.suffix_has_end(line.indent);
        if ruby_end {
            line.end.min(line.start + line.indent + 3)
        } else {
            self.end_before(at)
        }
    }

    fn suffix_has_end(&self, indent: usize) -> bool {
        let lines = self.site.after.split('\n').skip(1);
        lines
            .filter(|line| !line.trim().is_empty())
            .find(|line| crate::text::indent_width(line) <= indent)
            .is_some_and(|line| {
                crate::text::indent_width(line) == indent && line.trim_start().starts_with("end")
            })
    }
}

enum Next {
    Ended,
    GoesOn,
    /// The statement's last line.
    EndsWith(usize),
}

/// The statement that is being read among items.
#[derive(Default)]
struct Item {
    class: Option<WordClass>,
    /// It has lines that stand deeper than its first.
    compound: bool,
}

impl Item {
    fn start(&mut self, reader: &Reader, at: usize) {
        let line = &reader.lines[at];
        let heading = line.no_code || line.text.starts_with('@') || line.text.starts_with("#[");
        if !heading {
            self.class = Some(reader.language().header_class(&line.text));
            self.compound = false;
        }
    }

    /// A sibling at line `at` ends the suggestion: after a definition, or after a blank line.
    fn ends_before_sibling(&self, reader: &Reader, at: usize, body: Option<WordClass>) -> bool {
        let keyword = matches!(self.class, Some(WordClass::Function | WordClass::Container));
        // `int f() { … }` says by no word that it is a function.
        let braced = self.class == Some(WordClass::Other)
            && reader.lines[..at]
                .iter()
                .rev()
                .find(|line| !line.blank)
                .map(|line| line.last)
                == Some(Last::Close(b'}'));
        let definition = self.compound && (keyword || braced);
        let after_blank = reader.lines[at - 1].blank;
        match body {
            None => self.class.is_some() && (definition || after_blank),
            Some(WordClass::Container) => self.compound && after_blank,
            Some(_) => false,
        }
    }
}

/// A line that starts like this goes on with the expression above it.
fn is_continuation_start(text: &str) -> bool {
    let operators = ["?.", "&&", "||", "|>", "->", "=>", "??", "<<", "::"];
    let dot = text.starts_with('.') && !text.starts_with("...");
    let ternary = text.starts_with("? ") || text.starts_with(": ");
    dot || ternary || operators.iter().any(|operator| text.starts_with(operator))
}

/// The suffix closes `open`: right behind the cursor, or on a line of the same indentation.
fn suffix_closes(site: &Site, open: &Open) -> bool {
    let mut lexer = site.at_cursor.clone();
    let mut closed = false;
    let base = site.window.len();
    let text = format!("{}{}", site.window, site.after);
    let rest_end = base + site.rest.len();
    lexer.run(&text, base, &mut |lexer, token| {
        if let TokenKind::Close(_, Some(closes)) = &token.kind
            && closes.at == open.at
        {
            closed = token.start < rest_end || lexer.line_indent == open.indent;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    closed
}
