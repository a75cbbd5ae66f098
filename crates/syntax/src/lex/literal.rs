//! String, character and regular-expression literals: how they start and where they end.

use crate::language::Language;

/// An open literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// The text that closes it.
    pub close: String,
    /// The bracket that nests inside a `%w[…]` literal, with its depth.
    nesting: Option<(u8, u32)>,
    escapes: bool,
    /// A doubled close stands for itself (`""` in C#'s verbatim strings).
    doubled: bool,
    pub multiline: bool,
    /// What opens code inside (`${` or `#{`), empty for none.
    interpolation: &'static str,
    /// Inside a regular expression's `[…]`, where the close does not count.
    class: Option<bool>,
    /// The close stands at the start of a line, after white space (here-documents).
    pub heredoc: bool,
}

impl Literal {
    pub(super) fn quoted(close: &str, multiline: bool) -> Self {
        Self {
            close: close.to_owned(),
            nesting: None,
            escapes: true,
            doubled: false,
            multiline,
            interpolation: "",
            class: None,
            heredoc: false,
        }
    }

    pub(super) fn raw(close: &str) -> Self {
        Self {
            escapes: false,
            ..Self::quoted(close, true)
        }
    }

    pub(super) fn heredoc(tag: &str) -> Self {
        Self {
            heredoc: true,
            ..Self::raw(tag)
        }
    }

    fn verbatim() -> Self {
        Self {
            doubled: true,
            ..Self::raw("\"")
        }
    }

    fn interpolated(self, interpolation: &'static str) -> Self {
        Self {
            interpolation,
            ..self
        }
    }

    pub(super) fn regex() -> Self {
        Self {
            class: Some(false),
            ..Self::quoted("/", false)
        }
    }

    fn nested(open: u8) -> Self {
        let close = match open {
            b'(' => ")",
            b'[' => "]",
            b'{' => "}",
            b'<' => ">",
            _ => return Self::quoted(&(open as char).to_string(), true),
        };
        Self {
            nesting: Some((open, 0)),
            ..Self::quoted(close, true)
        }
    }
}

/// What one step inside a literal found.
pub(super) enum Inside {
    /// So many bytes of the literal's text.
    Text(usize),
    /// The literal closes after so many bytes.
    Closed(usize),
    /// Code starts after so many bytes.
    Interpolation(usize),
}

impl Literal {
    /// One step inside the literal at `rest`, which is not empty and not at a line break.
    pub(super) fn step(&mut self, rest: &str, at_line_start: bool) -> Inside {
        let bytes = rest.as_bytes();
        if self.heredoc {
            return self.step_heredoc(rest, at_line_start);
        }
        if self.escapes && bytes[0] == b'\\' {
            // A line break after the backslash is read as a line break.
            let skipped = rest[1..]
                .chars()
                .next()
                .filter(|&c| c != '\n')
                .map_or(0, char::len_utf8);
            return Inside::Text(1 + skipped);
        }
        if let Some(class) = &mut self.class {
            match bytes[0] {
                b'[' => *class = true,
                b']' => *class = false,
                _ => {}
            }
            if *class {
                return Inside::Text(char_len(rest));
            }
        }
        if rest.starts_with(&self.close) {
            return self.step_close(rest);
        }
        if let Some((open, depth)) = &mut self.nesting
            && bytes[0] == *open
        {
            *depth += 1;
        }
        if !self.interpolation.is_empty() && rest.starts_with(self.interpolation) {
            return Inside::Interpolation(self.interpolation.len());
        }
        Inside::Text(char_len(rest))
    }

    fn step_close(&mut self, rest: &str) -> Inside {
        if let Some((_, depth)) = &mut self.nesting
            && *depth > 0
        {
            *depth -= 1;
            return Inside::Text(1);
        }
        if self.doubled && rest.as_bytes().get(1) == Some(&b'"') {
            return Inside::Text(2);
        }
        Inside::Closed(self.close.len())
    }

    fn step_heredoc(&self, rest: &str, at_line_start: bool) -> Inside {
        let trimmed = rest.trim_start_matches([' ', '\t']);
        let tail = trimmed.strip_prefix(self.close.as_str());
        let ends =
            tail.is_some_and(|tail| !tail.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        if at_line_start && ends {
            return Inside::Closed(rest.len() - trimmed.len() + self.close.len());
        }
        Inside::Text(rest.find('\n').unwrap_or(rest.len()).max(1))
    }
}

fn char_len(rest: &str) -> usize {
    rest.chars().next().map_or(1, char::len_utf8)
}

/// The literal that starts at `rest` (at a quote or a prefix of one), with the length of its
/// opening. `previous` is the word that ends right before it.
pub(super) fn start(language: Language, rest: &str, previous: &str) -> Option<(Literal, usize)> {
    let bytes = rest.as_bytes();
    match bytes[0] {
        b'"' if rest.starts_with("\"\"\"") => match language {
            Language::Python | Language::Java => Some((Literal::quoted("\"\"\"", true), 3)),
            Language::CSharp => {
                let count = bytes.iter().take_while(|&&byte| byte == b'"').count();
                Some((Literal::raw(&rest[..count]), count))
            }
            _ => Some((double_quoted(language), 1)),
        },
        b'\'' if rest.starts_with("'''") && language == Language::Python => {
            Some((Literal::quoted("'''", true), 3))
        }
        b'"' => match (language, previous) {
            (Language::Cpp, "R" | "u8R" | "uR" | "LR") => cpp_raw(rest),
            (Language::CSharp, "@") => Some((Literal::verbatim(), 1)),
            (Language::Rust, "r" | "br" | "cr") => Some((Literal::raw("\""), 1)),
            _ => Some((double_quoted(language), 1)),
        },
        b'\'' => single_quoted(language, rest, previous),
        b'`' => match language {
            Language::Go => Some((Literal::raw("`"), 1)),
            Language::Php | Language::Ruby => Some((Literal::quoted("`", false), 1)),
            _ if language.is_ecmascript() => {
                Some((Literal::quoted("`", true).interpolated("${"), 1))
            }
            _ => None,
        },
        b'#' if language == Language::Rust && matches!(previous, "r" | "br" | "cr") => {
            let hashes = bytes.iter().take_while(|&&byte| byte == b'#').count();
            (bytes.get(hashes) == Some(&b'"')).then(|| {
                (
                    Literal::raw(&format!("\"{}", "#".repeat(hashes))),
                    hashes + 1,
                )
            })
        }
        b'%' if language == Language::Ruby => percent(rest),
        _ => None,
    }
}

fn double_quoted(language: Language) -> Literal {
    let multiline = matches!(language, Language::Rust | Language::Ruby | Language::Php);
    let literal = Literal::quoted("\"", multiline);
    if language == Language::Ruby {
        literal.interpolated("#{")
    } else {
        literal
    }
}

fn single_quoted(language: Language, rest: &str, previous: &str) -> Option<(Literal, usize)> {
    match language {
        Language::Rust | Language::Cpp | Language::Java | Language::CSharp | Language::Go => {
            // A lifetime or a digit separator is no literal: a character's quote closes soon.
            let mut chars = rest.char_indices().skip(1);
            let first = chars.next()?.1;
            let second = chars.next().map(|(_, c)| c);
            let digits = previous.starts_with(|c: char| c.is_ascii_digit());
            let lifetime = language == Language::Rust && first != '\\' && second != Some('\'');
            (!digits && !lifetime).then(|| (Literal::quoted("'", false), 1))
        }
        Language::Ruby | Language::Php => Some((Literal::quoted("'", true), 1)),
        _ => Some((Literal::quoted("'", false), 1)),
    }
}

fn cpp_raw(rest: &str) -> Option<(Literal, usize)> {
    let open = rest.find('(').filter(|&at| at <= 17)?;
    Some((Literal::raw(&format!("){}\"", &rest[1..open])), open + 1))
}

fn percent(rest: &str) -> Option<(Literal, usize)> {
    let bytes = rest.as_bytes();
    let (kind, at) = match bytes.get(1)? {
        kind @ (b'w' | b'W' | b'i' | b'I' | b'q' | b'Q' | b'r') => (*kind, 2),
        b'(' | b'[' | b'{' => (b'Q', 1),
        _ => return None,
    };
    let open = *bytes.get(at)?;
    if !matches!(open, b'(' | b'[' | b'{' | b'<' | b'|' | b'!' | b'/') {
        return None;
    }
    let literal = Literal::nested(open);
    let literal = if matches!(kind, b'Q' | b'r' | b'W') {
        literal.interpolated("#{")
    } else {
        literal
    };
    Some((literal, at + 1))
}
