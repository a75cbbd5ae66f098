//! A light lexer that knows brackets, literals and comments of every language, and nothing else.
//!
//! Code that is being typed or generated is broken most of the time. The grammars recover from
//! that in ways that are right on average; the end of a suggestion needs the one fact that a
//! lexer keeps exactly: which brackets, strings and comments are open at each byte.

mod literal;
mod step;

use std::ops::ControlFlow;

use crate::{language::Language, text::indent_width};

pub(crate) use literal::Literal;

/// What the lexer stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Code,
    LineComment,
    BlockComment {
        depth: u32,
    },
    Literal(Literal),
    /// Text around PHP code.
    Html,
}

/// A bracket that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// `(`, `[`, `{`, or `$` for an interpolation inside a string.
    pub byte: u8,
    /// Where it stands, in the coordinates of the lexed text.
    pub at: usize,
    /// Start of its line.
    pub line_at: usize,
    /// Indentation of its line, in columns.
    pub indent: usize,
    /// The statement that it belongs to.
    pub statement: Statement,
    /// The string that goes on when an interpolation closes.
    resume: Option<Literal>,
}

/// Where a statement starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its first token, in the coordinates of the lexed text.
    pub at: usize,
    /// Indentation of its first line, in columns.
    pub indent: usize,
}

/// What kind of token was read last, white space and comments aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Nothing,
    Word,
    Punct(u8),
    Open(u8),
    Close(u8),
    Literal,
}

/// One token, in the coordinates of the lexed text.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Word,
    Punct(u8),
    Open(u8),
    /// With the bracket that it closes; `None` when nothing is open.
    Close(u8, Option<Open>),
    LiteralStart,
    LiteralEnd,
    CommentStart,
    CommentEnd,
    /// A line break, in any mode.
    Newline,
}

/// The lexer's whole state, so that it can stop and go on.
#[derive(Clone, Debug)]
pub(crate) struct Lexer {
    pub language: Language,
    pub mode: Mode,
    pub stack: Vec<Open>,
    pub last: Last,
    /// Byte range of the token behind `last`.
    pub last_range: (usize, usize),
    /// The word at the end of `last`, for the question "regex or division?".
    last_word_is_operator: bool,
    pub line_at: usize,
    pub line_indent: usize,
    /// The statement that the last token belongs to.
    pub statement: Statement,
    /// The next token starts a statement.
    fresh: bool,
    /// Start of the line that a comment stood on last.
    pub comment_line: Option<usize>,
    /// Tags of here-documents whose bodies start on the next line.
    pending_heredocs: Vec<String>,
}

impl Lexer {
    /// A lexer at the start of a text. A PHP text starts outside of the code.
    pub(crate) fn new(language: Language, text: &str) -> Self {
        let mode = if language == Language::Php && starts_as_html(text, "") {
            Mode::Html
        } else {
            Mode::Code
        };
        Self {
            language,
            mode,
            stack: Vec::new(),
            last: Last::Nothing,
            last_range: (0, 0),
            last_word_is_operator: false,
            line_at: 0,
            line_indent: indent_width(text),
            statement: Statement::default(),
            fresh: true,
            comment_line: None,
            pending_heredocs: Vec::new(),
        }
    }

    /// Reads `text[from..]`, calling `visit` after each token with the state behind it.
    pub(crate) fn run(
        &mut self,
        text: &str,
        from: usize,
        visit: &mut dyn FnMut(&Self, &Token) -> ControlFlow<()>,
    ) {
        let mut at = from;
        while at < text.len() {
            let (next, kind) = self.step(text, at);
            debug_assert!(next > at);
            let token = kind.map(|kind| Token {
                kind,
                start: at,
                end: next,
            });
            at = next;
            let Some(token) = token else { continue };
            self.remember(text, &token);
            if visit(self, &token).is_break() {
                return;
            }
        }
    }

    /// Reads `text[from..]` for its final state alone.
    pub(crate) fn skip(&mut self, text: &str, from: usize) {
        self.run(text, from, &mut |_, _| ControlFlow::Continue(()));
    }

    /// The token goes on with the line above: `class A\n    extends B`. Where indentation alone makes
    /// a body, nobody can tell.
    fn continues_line(&self) -> bool {
        let ended = matches!(
            self.last,
            Last::Nothing | Last::Open(_) | Last::Close(b'}') | Last::Punct(b';' | b':')
        );
        let new_line = self.last_range.1 < self.line_at;
        let deeper = self.line_indent > self.statement.indent;
        self.language.has_braces() && new_line && deeper && !ended
    }

    fn remember(&mut self, text: &str, token: &Token) {
        let starts_word = matches!(
            token.kind,
            TokenKind::Word
                | TokenKind::LiteralStart
                | TokenKind::Punct(b'@' | b'#' | b'*' | b'&' | b'!')
        );
        if self.fresh && starts_word && !self.continues_line() {
            self.statement = Statement {
                at: token.start,
                indent: self.line_indent,
            };
        }
        self.fresh &= !starts_word;
        self.last = match &token.kind {
            TokenKind::Word => {
                let word = &text[token.start..token.end];
                self.last_word_is_operator = step::is_operator_word(word);
                Last::Word
            }
            TokenKind::Punct(byte) => {
                self.fresh |= *byte == b';';
                Last::Punct(*byte)
            }
            TokenKind::Open(byte) => {
                self.fresh = true;
                Last::Open(*byte)
            }
            TokenKind::Close(byte, open) => {
                if let Some(open) = open {
                    self.statement = open.statement;
                }
                self.fresh = *byte == b'}';
                Last::Close(*byte)
            }
            TokenKind::LiteralEnd => Last::Literal,
            TokenKind::Newline => {
                self.line_at = token.end;
                self.line_indent = indent_width(&text[token.end..]);
                let spread = self.stack.last().is_some_and(|open| open.byte != b'{');
                self.fresh |= self.mode == Mode::Code && !spread;
                return;
            }
            TokenKind::CommentStart | TokenKind::CommentEnd => {
                self.comment_line = Some(self.line_at);
                return;
            }
            TokenKind::LiteralStart => return,
        };
        self.last_range = (token.start, token.end);
    }
}

/// A window into the middle of a PHP file has no opening tag before its code.
pub(crate) fn starts_as_html(text: &str, after: &str) -> bool {
    let text = if text.contains("<?") || text.contains("?>") {
        text
    } else {
        after
    };
    let open = text.find("<?");
    let close = text.find("?>");
    open.is_some_and(|open| close.is_none_or(|close| open < close))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(language: Language, text: &str) -> String {
        let mut lexer = Lexer::new(language, text);
        let mut seen = String::new();
        lexer.run(text, 0, &mut |_, token| {
            match &token.kind {
                TokenKind::Open(byte) | TokenKind::Close(byte, _) => seen.push(*byte as char),
                TokenKind::LiteralStart => seen.push('"'),
                TokenKind::LiteralEnd => seen.push('\''),
                TokenKind::CommentStart => seen.push('#'),
                _ => {}
            }
            ControlFlow::Continue(())
        });
        seen.push_str(match lexer.mode {
            Mode::Code => "",
            Mode::LineComment => " line",
            Mode::BlockComment { .. } => " block",
            Mode::Literal(_) => " literal",
            Mode::Html => " html",
        });
        seen
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let cases = [
            (
                Language::Python,
                "f('(') # (\ng(\"\"\"{\n\"\"\")",
                "(\"')#(\"')",
            ),
            (Language::Python, "x = rb'\\'(' + f\"{a}\"", "\"'\"'"),
            (Language::Python, "\"\"\"open (", "\" literal"),
            (
                Language::Rust,
                "fn f<'a>(x: &'a str) { '(' ; r#\"\")\"# }",
                "(){\"'\"'}",
            ),
            (Language::Rust, "/* /* ( */ ( */ (", "#("),
            (
                Language::JavaScript,
                "`a ${f(`b`)} (` + /[/(]/.test(x) / 2 / (1)",
                "\"$(\"')}'\"'()()",
            ),
            (Language::JavaScript, "// don't (\n{", "#{"),
            (
                Language::CSharp,
                "var s = @\"a\\\"; f(\"\\\"\"); var r = \"\"\"(\"\"\";",
                "\"'(\"')\"'",
            ),
            (
                Language::Cpp,
                "auto s = R\"x(()\")x\"; int n = 1'000; char c = '{';",
                "\"'\"'",
            ),
            (Language::Go, "s := `(\n` + \"(\" ; r := '{'", "\"'\"'\"'"),
            (
                Language::Java,
                "String s = \"\"\"\n ( \"q\" \"\"\"; f();",
                "\"'()",
            ),
            (
                Language::Ruby,
                "x = \"a#{f(1)}(\" + %w[a b].join(/[(]/)",
                "\"$()}'\"'(\"')",
            ),
            (Language::Ruby, "f(<<~SQL, 1)\n  select (\nSQL\ng {", "()'{"),
            (Language::Ruby, "rule %r/}(/, x % w[a]", "\"'[]"),
            (Language::Ruby, "=begin\n(\n=end\n(", "#("),
            (
                Language::Php,
                "<p>don't (</p>\n<?php f('('); # (\n$a = <<<EOT\n(\nEOT;\n?> (",
                "(\"')#' html",
            ),
        ];
        for (language, text, expected) in cases {
            assert_eq!(shape_of(language, text), expected, "{language}: {text}");
        }
    }

    #[test]
    fn a_string_that_may_not_span_lines_ends_at_the_line() {
        assert_eq!(shape_of(Language::JavaScript, "<p>don't</p>\nf("), "\"(");
        assert_eq!(shape_of(Language::Python, "x = 'abc\nf("), "\"(");
    }
}
