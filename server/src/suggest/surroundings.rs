//! What stands around the cursor, as the clean-up and the stop rules see it.
//!
//! All offsets and lengths are UTF-8 bytes; columns are counted with tabs
//! advancing to the next multiple of [`TAB_COLUMNS`].

use super::facts::LanguageFacts;
use super::lines;

pub use truefill_syntax::Shape;

/// Columns that a tab advances to a multiple of, when indentation is compared.
pub const TAB_COLUMNS: usize = 4;

/// How much of the text before and after the cursor is read, in bytes.
pub const WINDOW_BYTES: usize = 16 * 1024;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The user, by a key: small suggestions are welcome.
    Invoked,
    /// The editor, while the user types: noise is not.
    Automatic,
}

/// What one level of indentation is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndentUnit {
    /// One tab a level.
    Tab,
    /// This many spaces a level, at least 1.
    Spaces(usize),
}

impl IndentUnit {
    /// The unit that the text near the cursor uses; `None` where no line is indented.
    ///
    /// Looks at the lines of the last and first few KiB around the cursor: tabs
    /// against spaces by majority, then the most frequent step between two
    /// neighbouring lines' widths.
    pub fn detect(prefix: &str, suffix: &str) -> Option<Self> {
        let mut tabs = 0usize;
        let mut spaces = 0usize;
        let mut steps = [0usize; 9];
        for part in [
            lines::tail(prefix, WINDOW_BYTES / 2),
            lines::head(suffix, WINDOW_BYTES / 2),
        ] {
            let mut previous = 0usize;
            for line in part.lines().filter(|line| !line.trim().is_empty()) {
                let indent = lines::leading(line);
                match indent.as_bytes().first() {
                    Some(b'\t') => tabs += 1,
                    Some(_) => spaces += 1,
                    None => {}
                }
                if !indent.contains('\t') {
                    let step = indent.len().abs_diff(previous);
                    if let Some(count) = steps.get_mut(step) {
                        *count += 1;
                    }
                    previous = indent.len();
                }
            }
        }
        if tabs + spaces == 0 {
            return None;
        }
        if tabs >= spaces {
            return Some(Self::Tab);
        }
        // A step of 1 is alignment or a comment's star, rarely a level.
        let width = [2usize, 3, 4, 8]
            .into_iter()
            .rev()
            .max_by_key(|&step| steps[step]);
        Some(Self::Spaces(
            width.filter(|&step| steps[step] > 0).unwrap_or(4),
        ))
    }
}

/// Everything that the clean-up knows beside the suggestion itself.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The text before the cursor: the whole of it, or a window that ends at the cursor.
    pub prefix: &'a str,
    /// The text after the cursor: the whole of it, or a window that begins at the cursor.
    pub suffix: &'a str,
    /// Comment markers, strings, brackets and closing words of the language.
    pub facts: &'static LanguageFacts,
    /// One level of indentation; `None` where the file shows none.
    pub indent: Option<IndentUnit>,
    /// How far the suggestion may go.
    pub shape: Shape,
    /// Who asked.
    pub trigger: Trigger,
    /// Whether generation ended at a limit, so that the last line may be incomplete.
    pub truncated: bool,
    /// The prompt format's own sentinels as text, as the format lists them.
    pub sentinels: &'a [&'a str],
}

impl<'a> Surroundings<'a> {
    /// Surroundings of an automatic request, with the indentation taken from the text.
    pub fn new(
        prefix: &'a str,
        suffix: &'a str,
        facts: &'static LanguageFacts,
        shape: Shape,
    ) -> Self {
        Self {
            prefix,
            suffix,
            facts,
            indent: IndentUnit::detect(prefix, suffix),
            shape,
            trigger: Trigger::Automatic,
            truncated: false,
            sentinels: &[],
        }
    }

    /// The cursor's line up to the cursor, without its line break.
    pub fn line_before(&self) -> &'a str {
        lines::last(self.prefix)
    }

    /// The cursor's line from the cursor on, without its line break.
    pub fn rest_of_line(&self) -> &'a str {
        lines::first(self.suffix)
    }

    /// The lines below the cursor's line, within [`WINDOW_BYTES`].
    pub fn following(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        lines::head(self.suffix, WINDOW_BYTES).lines().skip(1)
    }

    /// The first line below the cursor's line that is not blank, without its line break.
    pub fn next_line(&self) -> Option<&'a str> {
        self.following()
            .find(|line| !line.trim().is_empty())
            .map(str::trim_end)
    }

    /// The lines above the cursor's line, nearest first, within [`WINDOW_BYTES`].
    pub fn above(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        lines::tail(self.prefix, WINDOW_BYTES)
            .rsplit('\n')
            .skip(1)
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
    }

    /// Whether nothing but whitespace stands before the cursor in its line.
    pub fn on_blank_start(&self) -> bool {
        self.line_before().trim().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suggest::facts::LanguageFacts;

    #[test]
    fn indentation_is_detected_by_majority_and_step() {
        let table: &[(&str, &str, Option<IndentUnit>)] = &[
            ("", "", None),
            ("a\nb\n", "c", None),
            (
                "def f():\n    a\n    if b:\n        c\n",
                "",
                Some(IndentUnit::Spaces(4)),
            ),
            ("a:\n  b:\n    c\n  d\n", "", Some(IndentUnit::Spaces(2))),
            ("fn f() {\n\ta\n\tb\n", "}\n", Some(IndentUnit::Tab)),
            ("x(\n        a)\n", "", Some(IndentUnit::Spaces(8))),
            ("", "\n   a\n      b\n", Some(IndentUnit::Spaces(3))),
        ];
        for (prefix, suffix, expected) in table {
            assert_eq!(
                IndentUnit::detect(prefix, suffix),
                *expected,
                "{prefix:?} {suffix:?}"
            );
        }
    }

    #[test]
    fn lines_around_the_cursor() {
        let facts = LanguageFacts::for_lsp_id("rust");
        let at = Surroundings::new("a\r\nb\r\n  c", " d\r\n\r\n e \r\nf", facts, Shape::Block);
        assert_eq!(at.line_before(), "  c");
        assert_eq!(at.rest_of_line(), " d");
        assert_eq!(at.next_line(), Some(" e"));
        assert_eq!(at.above().collect::<Vec<_>>(), ["b", "a"]);
        assert!(!at.on_blank_start());
    }
}
