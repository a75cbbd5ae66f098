//! What stands around the cursor, as the lexer sees it: the line, the brackets, the header above.

use crate::{
    language::{Language, WordClass},
    lex::{Last, Lexer, Mode, Open, starts_as_html},
    text::{first_code_line, head_window, indent_width, line_start, tail_window},
};

/// Bytes before the cursor that are read.
const PREFIX_WINDOW: usize = 64 << 10;

/// Bytes after the cursor that are read.
const SUFFIX_WINDOW: usize = 8 << 10;

/// The header or bracket right before the cursor, white space and comments aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opener {
    /// What the header's words say; `Other` for a bare bracket.
    pub class: WordClass,
    /// Indentation of the header's first line.
    pub indent: usize,
    /// The bracket, or `:` in Python, or `d` for Ruby's `do` and the like.
    pub byte: u8,
}

/// The cursor's surroundings, read once for all that is asked of them.
// Offsets are into `window`.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    pub(crate) language: Language,
    /// The text before the cursor that was read.
    pub(crate) window: &'a str,
    /// The cursor's line up to the cursor.
    pub(crate) line_prefix: &'a str,
    /// The cursor's line from the cursor on.
    pub(crate) rest: &'a str,
    /// The text after the cursor that is read, from the cursor on.
    pub(crate) after: &'a str,
    /// Nothing of the text after the cursor was cut off.
    pub(crate) after_is_all: bool,
    /// The lexer's state at the start of the cursor's line.
    pub(crate) at_line: Lexer,
    /// The lexer's state at the cursor.
    pub(crate) at_cursor: Lexer,
    pub(crate) opener: Option<Opener>,
}

impl<'a> Site<'a> {
    /// Reads the surroundings of the cursor (at most 64 KiB before it and 8 KiB after it).
    #[must_use]
    pub fn new(language: Language, prefix: &'a str, suffix: &'a str) -> Self {
        let window = tail_window(prefix, PREFIX_WINDOW);
        let after = head_window(suffix, SUFFIX_WINDOW);
        let start = line_start(window, window.len());
        let mut at_line = Lexer::new(language, window);
        if language == Language::Php && starts_as_html(window, after) {
            at_line.mode = Mode::Html;
        }
        at_line.skip(&window[..start], 0);
        at_line.line_indent = indent_width(&window[start..]);
        let mut at_cursor = at_line.clone();
        at_cursor.skip(window, start);
        let mut site = Site {
            language,
            window: "",
            line_prefix: "",
            rest: "",
            after: "",
            after_is_all: after.len() == suffix.len(),
            at_line,
            at_cursor,
            opener: None,
        }
        .with_text(window, after);
        site.opener = site.find_opener();
        site
    }

    /// The same on texts that equal its `window` and `after`: how it is kept beside its texts.
    pub(crate) fn with_text<'b>(&self, window: &'b str, after: &'b str) -> Site<'b> {
        let rest = after.split('\n').next().unwrap_or("");
        Site {
            language: self.language,
            window,
            line_prefix: &window[line_start(window, window.len())..],
            rest: rest.trim_end_matches('\r'),
            after,
            after_is_all: self.after_is_all,
            at_line: self.at_line.clone(),
            at_cursor: self.at_cursor.clone(),
            opener: self.opener,
        }
    }

    /// The cursor's line is blank up to the cursor.
    pub(crate) fn on_blank_line(&self) -> bool {
        self.line_prefix.trim().is_empty()
    }

    /// The next line after the cursor's own that is not blank: its indentation and text.
    pub(crate) fn next_line(&self) -> Option<(usize, &'a str)> {
        let below = self.after.find('\n').map(|at| &self.after[at + 1..])?;
        first_code_line(below).map(|(_, line)| (indent_width(line), line.trim_start()))
    }

    /// The body that `opener` opens has nothing in it yet: what follows the cursor is not deeper
    /// than the header.
    pub(crate) fn body_is_empty(&self, opener: &Opener) -> bool {
        let rest = self.rest.trim_start();
        let closed_here = rest.starts_with(['}', ')', ']']);
        (rest.is_empty() || closed_here)
            && self.next_line().is_none_or(|(indent, line)| {
                closed_here || indent <= opener.indent || line.starts_with(['}', ')', ']'])
            })
    }

    /// The comment, attribute or decorator line right above a blank cursor line.
    pub(crate) fn line_above(&self) -> &'a str {
        let above = self.window[..self.window.len() - self.line_prefix.len()]
            .trim_end_matches(['\n', '\r']);
        let start = line_start(above, above.len());
        let gap = self.window.len() - self.line_prefix.len() - above.len();
        // A blank line between ends what the line above could describe.
        if gap > 2 || (gap == 2 && !self.window[above.len()..].starts_with('\r')) {
            ""
        } else {
            above[start..].trim()
        }
    }

    /// Code stands on the line right below the cursor's, not less deep than the cursor.
    pub(crate) fn next_is_adjacent(&self) -> bool {
        let mut lines = self.after.split('\n').skip(1);
        let cursor = indent_width(self.line_prefix);
        lines
            .next()
            .is_some_and(|line| !line.trim().is_empty() && indent_width(line) >= cursor)
    }

    fn find_opener(&self) -> Option<Opener> {
        let lexer = &self.at_cursor;
        match lexer.last {
            Last::Open(b'$') => None,
            Last::Open(byte) => {
                let open = lexer.stack.last()?;
                Some(self.bracket(open, byte))
            }
            Last::Punct(b':') if self.language == Language::Python => self.python_header(),
            _ if self.language == Language::Ruby => self.ruby_header(),
            _ => None,
        }
    }

    fn bracket(&self, open: &Open, byte: u8) -> Opener {
        // A brace on a line of its own belongs to the header above, at the same indentation.
        let header = self.window.get(open.statement.at..open.at).unwrap_or("");
        let class = if byte == b'{' {
            self.language.header_class(header)
        } else {
            WordClass::Other
        };
        let own_line = self.window[open.line_at..open.at].trim().is_empty();
        let indent = if own_line {
            open.indent
        } else {
            open.indent.min(open.statement.indent)
        };
        let indent = if open.statement.at < open.line_at {
            indent
        } else {
            open.indent
        };
        Opener {
            class,
            indent,
            byte,
        }
    }

    fn python_header(&self) -> Option<Opener> {
        let statement = self.at_cursor.statement;
        let header = self.window.get(statement.at..)?;
        let class = match self.language.header_class(header) {
            WordClass::Other | WordClass::Modifier => return None,
            class => class,
        };
        // `x = {a:` or `lambda:`: a header starts with its word.
        let first = header
            .split(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap_or("");
        let keyword = self.language.word_class(first);
        let in_bracket = self
            .at_cursor
            .stack
            .last()
            .is_some_and(|open| open.at >= statement.at);
        (keyword != WordClass::Other && !in_bracket).then_some(Opener {
            class,
            indent: statement.indent,
            byte: b':',
        })
    }

    fn ruby_header(&self) -> Option<Opener> {
        let lexer = &self.at_cursor;
        let end = lexer.last_range.1;
        let last_line = &self.window[line_start(self.window, end)..end];
        let indent = indent_width(last_line);
        let line = last_line.trim();
        let on_cursor_line = !self.on_blank_line();
        let block = line.ends_with(" do")
            || line == "do"
            || (line.ends_with('|')
                && (line.contains(" do |") || line.contains("{ |") || line.contains("{|")));
        if block {
            return Some(Opener {
                class: WordClass::Control,
                indent,
                byte: b'd',
            });
        }
        let statement = self.window.get(lexer.statement.at..end)?;
        let first = statement
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next()?;
        let class = self.language.word_class(first);
        // On the header's own line it is not known yet whether the header is complete.
        let complete = !on_cursor_line || lexer.last == Last::Close(b')');
        let endless = class == WordClass::Function && is_endless(statement);
        let header = !matches!(class, WordClass::Other | WordClass::Modifier);
        (header && complete && !endless && lexer.mode == Mode::Code).then_some(Opener {
            class,
            indent: lexer.statement.indent,
            byte: b'd',
        })
    }
}

/// Ruby's `def f(a, b = 1) = a + b`, which has no `end`. A default value's `=` stands in brackets.
fn is_endless(header: &str) -> bool {
    let mut depth = 0;
    let mut before = ' ';
    for (at, character) in header.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '=' if depth == 0 && before == ' ' => return header[at + 1..].starts_with([' ', '\n']),
            _ => {}
        }
        before = character;
    }
    false
}
