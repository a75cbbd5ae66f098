//! One step of the lexer.

use super::{Last, Lexer, Mode, Open, TokenKind, literal, literal::Inside, literal::Literal};
use crate::language::Language;

/// A word after which a `/` starts a regular expression.
pub(super) fn is_operator_word(word: &str) -> bool {
    matches!(
        word,
        "return"
            | "typeof"
            | "case"
            | "in"
            | "of"
            | "and"
            | "or"
            | "not"
            | "if"
            | "unless"
            | "when"
            | "while"
            | "until"
            | "do"
            | "else"
            | "elsif"
            | "then"
            | "await"
            | "yield"
            | "new"
            | "delete"
            | "void"
            | "throw"
    )
}

fn is_word(character: char) -> bool {
    character == '_' || character == '$' || character.is_alphanumeric()
}

impl Lexer {
    /// Reads one token at `at`: the offset behind it, and its kind where it counts.
    pub(super) fn step(&mut self, text: &str, at: usize) -> (usize, Option<TokenKind>) {
        let rest = &text[at..];
        if rest.starts_with('\n') {
            return (at + 1, self.newline());
        }
        match &mut self.mode {
            Mode::Code => self.step_code(text, at),
            Mode::LineComment => (at + rest.find('\n').unwrap_or(rest.len()), None),
            Mode::BlockComment { .. } => self.step_block_comment(rest, at),
            Mode::Html => self.step_html(rest, at),
            Mode::Literal(literal) => {
                let line_start = at == self.line_at;
                match literal.step(rest, line_start) {
                    Inside::Text(length) => (at + length, None),
                    Inside::Closed(length) => {
                        self.mode = Mode::Code;
                        (at + length, Some(TokenKind::LiteralEnd))
                    }
                    Inside::Interpolation(length) => {
                        let resume = Some(literal.clone());
                        self.mode = Mode::Code;
                        self.push(b'$', at, resume);
                        (at + length, Some(TokenKind::Open(b'$')))
                    }
                }
            }
        }
    }

    fn newline(&mut self) -> Option<TokenKind> {
        match &self.mode {
            Mode::LineComment => self.mode = Mode::Code,
            Mode::Literal(literal) if !literal.multiline => {
                self.mode = Mode::Code;
                self.last = Last::Literal;
            }
            Mode::Code if !self.pending_heredocs.is_empty() => {
                let tag = self.pending_heredocs.remove(0);
                self.mode = Mode::Literal(Literal::heredoc(&tag));
            }
            _ => {}
        }
        Some(TokenKind::Newline)
    }

    fn push(&mut self, byte: u8, at: usize, resume: Option<Literal>) {
        let (line_at, indent) = (self.line_at, self.line_indent);
        self.stack.push(Open {
            byte,
            at,
            line_at,
            indent,
            statement: self.statement,
            resume,
        });
    }

    fn step_block_comment(&mut self, rest: &str, at: usize) -> (usize, Option<TokenKind>) {
        let nests = self.language == Language::Rust;
        let Mode::BlockComment { depth } = &mut self.mode else {
            return (at + 1, None);
        };
        if self.language == Language::Ruby {
            let ends = at == self.line_at && rest.starts_with("=end");
            let length = rest.find('\n').unwrap_or(rest.len());
            if ends {
                self.mode = Mode::Code;
            }
            return (at + length, ends.then_some(TokenKind::CommentEnd));
        }
        if rest.starts_with("*/") {
            *depth = depth.saturating_sub(1);
            let ended = *depth == 0;
            if ended {
                self.mode = Mode::Code;
            }
            return (at + 2, ended.then_some(TokenKind::CommentEnd));
        }
        if nests && rest.starts_with("/*") {
            *depth += 1;
            return (at + 2, None);
        }
        let skipped = rest
            .char_indices()
            .skip(1)
            .find(|&(_, c)| matches!(c, '*' | '/' | '\n'));
        (at + skipped.map_or(rest.len(), |(next, _)| next), None)
    }

    fn step_html(&mut self, rest: &str, at: usize) -> (usize, Option<TokenKind>) {
        for open in ["<?php", "<?=", "<?"] {
            if rest.starts_with(open) {
                self.mode = Mode::Code;
                return (at + open.len(), None);
            }
        }
        let skipped = rest
            .char_indices()
            .skip(1)
            .find(|&(_, c)| c == '<' || c == '\n');
        (at + skipped.map_or(rest.len(), |(next, _)| next), None)
    }

    fn step_code(&mut self, text: &str, at: usize) -> (usize, Option<TokenKind>) {
        let rest = &text[at..];
        if let Some(step) = self.comment_start(rest, at) {
            return step;
        }
        let Some(first) = rest.chars().next() else {
            return (at + 1, None);
        };
        if is_word(first) || (first == '@' && self.language == Language::Ruby) {
            return (at + self.word_length(rest), Some(TokenKind::Word));
        }
        if first.is_whitespace() || first == '\u{feff}' || first == '\0' {
            return (at + first.len_utf8(), None);
        }
        if let Some(length) = self.heredoc_start(rest) {
            return (at + length, Some(TokenKind::Punct(b'<')));
        }
        if let Some((literal, length)) = self.literal_start(text, at) {
            self.mode = Mode::Literal(literal);
            return (at + length, Some(TokenKind::LiteralStart));
        }
        match first {
            '(' | '[' | '{' => {
                self.push(first as u8, at, None);
                (at + 1, Some(TokenKind::Open(first as u8)))
            }
            ')' | ']' | '}' => {
                let open = self.close(first as u8);
                (at + 1, Some(TokenKind::Close(first as u8, open)))
            }
            _ if first.is_ascii() => (at + 1, Some(TokenKind::Punct(first as u8))),
            _ => (at + first.len_utf8(), None),
        }
    }

    /// Closes the bracket that `byte` fits. One that does not fit the innermost closes it anyway
    /// where an outer one fits, and nothing otherwise.
    fn close(&mut self, byte: u8) -> Option<Open> {
        let fits = |open: &Open| match byte {
            b')' => open.byte == b'(',
            b']' => open.byte == b'[',
            _ => open.byte == b'{' || open.byte == b'$',
        };
        let at = self.stack.iter().rposition(fits)?;
        self.stack.truncate(at + 1);
        let mut open = self.stack.pop()?;
        if let Some(literal) = open.resume.take() {
            self.mode = Mode::Literal(literal);
        }
        Some(open)
    }

    fn comment_start(&mut self, rest: &str, at: usize) -> Option<(usize, Option<TokenKind>)> {
        let hash = match self.language {
            Language::Python | Language::Ruby => rest.starts_with('#'),
            Language::Php => rest.starts_with('#') && !rest.starts_with("#["),
            _ => false,
        };
        let slashes = !matches!(self.language, Language::Python | Language::Ruby);
        if hash || (slashes && rest.starts_with("//")) {
            self.mode = Mode::LineComment;
            return Some((at + if hash { 1 } else { 2 }, Some(TokenKind::CommentStart)));
        }
        if slashes && rest.starts_with("/*") {
            self.mode = Mode::BlockComment { depth: 1 };
            return Some((at + 2, Some(TokenKind::CommentStart)));
        }
        if self.language == Language::Ruby && at == self.line_at && rest.starts_with("=begin") {
            self.mode = Mode::BlockComment { depth: 1 };
            return Some((at + 6, Some(TokenKind::CommentStart)));
        }
        if self.language == Language::Php && rest.starts_with("?>") {
            self.mode = Mode::Html;
            return Some((at + 2, None));
        }
        None
    }

    fn word_length(&self, rest: &str) -> usize {
        let mut end = rest.len();
        for (at, character) in rest.char_indices().skip(1) {
            let separator = character == '\''
                && self.language == Language::Cpp
                && rest.starts_with(|c: char| c.is_ascii_digit());
            if !is_word(character) && !separator {
                end = at;
                break;
            }
        }
        let suffix = rest[end..].starts_with(['?', '!']) && !rest[end + 1..].starts_with('=');
        let word = rest[..end].trim_start_matches('@');
        let method = self.language == Language::Ruby
            && word.starts_with(|c: char| c.is_lowercase() || c == '_');
        if suffix && method { end + 1 } else { end }
    }

    fn heredoc_start(&mut self, rest: &str) -> Option<usize> {
        let tag = match self.language {
            Language::Php => rest.strip_prefix("<<<")?.trim_start_matches(' '),
            Language::Ruby => {
                let tag = rest.strip_prefix("<<")?;
                let tag = tag.strip_prefix(['~', '-']).unwrap_or(tag);
                if !tag.starts_with(|c: char| c.is_ascii_uppercase() || c == '\'' || c == '"') {
                    return None;
                }
                tag
            }
            _ => return None,
        };
        let name = tag.strip_prefix(['\'', '"']).unwrap_or(tag);
        let length = name.find(|c: char| !is_word(c)).unwrap_or(name.len());
        if length == 0 {
            return None;
        }
        self.pending_heredocs.push(name[..length].to_owned());
        let quote = usize::from(name[length..].starts_with(['\'', '"']));
        Some(rest.len() - name.len() + length + quote)
    }

    fn literal_start(&self, text: &str, at: usize) -> Option<(Literal, usize)> {
        let rest = &text[at..];
        let touching = self.last_range.1 == at && self.last_range.0 < at;
        let previous = if touching {
            text.get(self.last_range.0..at).unwrap_or("")
        } else {
            ""
        };
        if rest.starts_with('/') && self.regex_may_start(text, at, touching) {
            return Some((Literal::regex(), 1));
        }
        // `x %w[…]` passes a literal, `x % w` does not.
        if let Some(after) = rest.strip_prefix('%') {
            let argument = self.last == Last::Word && !touching && !after.starts_with([' ', '=']);
            if self.last_is_value() && !argument {
                return None;
            }
        }
        literal::start(self.language, rest, previous)
    }

    fn last_is_value(&self) -> bool {
        match self.last {
            Last::Word => !self.last_word_is_operator,
            Last::Close(_) | Last::Literal => true,
            _ => false,
        }
    }

    fn regex_may_start(&self, text: &str, at: usize, touching: bool) -> bool {
        if !self.language.is_ecmascript() && self.language != Language::Ruby {
            return false;
        }
        // `</p>` is the end of a JSX element.
        if self.last == Last::Punct(b'<') && touching {
            return false;
        }
        let argument = self.language == Language::Ruby
            && self.last == Last::Word
            && !touching
            && !text[at + 1..].starts_with([' ', '=']);
        !self.last_is_value() || argument
    }
}
