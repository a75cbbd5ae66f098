//! What holds from line to line: shared by the clean-up, which reads a whole
//! text, and by the stop rules, which read it as it grows.

use super::facts::LanguageFacts;
use super::lines;

/// The left border of the block that the cursor stands in.
///
/// Lines that close or continue the construct (`}`, `else:`) lower the border
/// to their own column; any other line left of it has left the block.
#[derive(Clone, Debug)]
pub struct Border {
    facts: &'static LanguageFacts,
    column: Option<usize>,
}

impl Border {
    /// A border that the first line sets.
    pub fn new(facts: &'static LanguageFacts) -> Self {
        Self {
            facts,
            column: None,
        }
    }

    /// Whether a filled line stands inside; moves the border.
    pub fn admits(&mut self, line: &str) -> bool {
        if self
            .facts
            .directive
            .is_some_and(|mark| line.trim_start().starts_with(mark))
        {
            return true;
        }
        let column = lines::columns(line);
        let inside = self.column.is_none_or(|border| column >= border);
        if !inside && !self.facts.continues_construct(line) {
            return false;
        }
        if !inside || self.column.is_none() {
            self.column = Some(column);
        }
        true
    }

    /// Whether a line that is not complete is outside already, whatever it will become.
    pub fn rejects_beginning(&self, line: &str) -> bool {
        let bare = line.trim_start();
        let Some(border) = self.column else {
            return false;
        };
        let Some(first) = bare.chars().next() else {
            return false;
        };
        if lines::columns(line) >= border {
            return false;
        }
        // A word may still grow into `else`.
        let decided = !lines::is_word(first) || bare.chars().any(|c| !lines::is_word(c));
        decided && !self.facts.continues_construct(line)
    }
}

/// How many times a line may stand in a row.
pub const IN_A_ROW: usize = 2;

/// Counts how often a line stands in a row, blank lines aside.
#[derive(Clone, Debug)]
pub struct Run {
    facts: &'static LanguageFacts,
    before: Option<String>,
    length: usize,
}

impl Run {
    /// A count that goes on from the line above, if there is one.
    pub fn new(facts: &'static LanguageFacts, above: Option<&str>) -> Self {
        Self {
            facts,
            before: above.map(ToOwned::to_owned),
            length: 1,
        }
    }

    /// Counts a line: whether it stands there once too often. Lines that only
    /// close, and lines of marks, may repeat.
    pub fn is_too_long(&mut self, line: &str) -> bool {
        if line.trim().is_empty() {
            return false;
        }
        let again = self
            .before
            .as_deref()
            .is_some_and(|before| lines::same(before, line));
        self.length = if again { self.length + 1 } else { 1 };
        self.before = Some(line.to_owned());
        self.length > IN_A_ROW && lines::has_word(line) && !self.facts.is_closing_line(line)
    }
}

/// Notices where a text walks into the lines that follow the cursor.
///
/// One line that nothing else is like proves it; else two that follow each
/// other as they do there, one of which says which line it is.
#[derive(Clone, Debug)]
pub struct SuffixWatch {
    facts: &'static LanguageFacts,
    following: Vec<String>,
    /// Where the run of equal lines began, and how many there are.
    run: Option<(usize, usize)>,
}

/// Lines that are compared at most.
const WATCHED: usize = 8;

impl SuffixWatch {
    /// Watches for the filled lines among `following`.
    pub fn new<'a>(
        facts: &'static LanguageFacts,
        following: impl Iterator<Item = &'a str>,
    ) -> Self {
        let filled = following.filter(|line| !line.trim().is_empty());
        let following = filled
            .take(WATCHED)
            .map(|line| line.trim_end().to_owned())
            .collect();
        Self {
            facts,
            following,
            run: None,
        }
    }

    /// The line right below.
    pub fn next_line(&self) -> Option<&str> {
        self.following.first().map(String::as_str)
    }

    /// Sees a filled line that begins at `start`: where the repetition began, once it is certain.
    pub fn see(&mut self, line: &str, start: usize) -> Option<usize> {
        let fits = |index: usize| {
            self.following
                .get(index)
                .is_some_and(|next| lines::same(next, line))
        };
        let (start, length) = match self.run {
            Some((start, length)) if fits(length) => (start, length + 1),
            _ if fits(0) => (start, 1),
            _ => {
                self.run = None;
                return None;
            }
        };
        self.run = Some((start, length));
        let seen = &self.following[..length];
        let certain = match length {
            1 => self.is_unique(line),
            _ => seen.iter().any(|line| self.facts.identifies(line)),
        };
        certain.then_some(start)
    }

    fn is_unique(&self, line: &str) -> bool {
        /// Shorter ones and those of fewer words come twice by chance.
        const SHORTEST: usize = 10;
        let words = line
            .split(|c| !lines::is_word(c))
            .filter(|word| !word.is_empty())
            .count();
        words >= 3 && line.trim().len() >= SHORTEST && self.facts.identifies(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_border_is_lowered_by_what_closes() {
        let mut border = Border::new(LanguageFacts::for_lsp_id("rust"));
        for (line, inside) in [
            ("    x", true),
            ("      y", true),
            ("  }", true),
            ("  z", true),
            (" w", false),
        ] {
            assert_eq!(border.admits(line), inside, "{line:?}");
        }
    }

    #[test]
    fn a_beginning_is_rejected_once_it_is_certain() {
        let mut border = Border::new(LanguageFacts::for_lsp_id("python"));
        assert!(!border.rejects_beginning("x"));
        assert!(border.admits("        x"));
        let table = [
            ("        y", false),
            ("    ", false),
            ("    el", false),
            ("    else", false),
            ("    else:", false),
            ("    elsewhere ", true),
            ("    x", false),
            ("    x =", true),
            ("    @", true),
            ("    )", false),
        ];
        for (line, rejected) in table {
            assert_eq!(border.rejects_beginning(line), rejected, "{line:?}");
        }
    }

    #[test]
    fn walking_into_the_suffix() {
        let facts = LanguageFacts::for_lsp_id("rust");
        let check = |following: &[&str], text: &[&str]| {
            let mut watch = SuffixWatch::new(facts, following.iter().copied());
            text.iter()
                .enumerate()
                .find_map(|(start, line)| watch.see(line, start))
        };
        let plain = ["let total = a + b;", "x();"];
        assert_eq!(check(&plain, &["y", "let total = a + b;"]), Some(1));
        assert_eq!(check(&plain, &["y", "  let total = a + b;"]), None);
        let attributed = ["#[test]", "fn adds() {", "let a = 1;"];
        assert_eq!(
            check(&attributed, &["#[test]", "fn takes() {", "let a = 1;"]),
            None
        );
        assert_eq!(
            check(
                &attributed,
                &["x", "#[test]", "", "fn adds() {", "let a = 1;"]
            ),
            None
        );
        assert_eq!(
            check(&attributed, &["x", "#[test]", "fn adds() {", "let a = 1;"]),
            Some(1)
        );
        assert_eq!(
            check(&["a(1);", "b(2);"], &["a(1);", "c(3);", "a(1);", "b(2);"]),
            Some(2)
        );
        assert_eq!(check(&["}", "}"], &["}", "}"]), None);
    }

    #[test]
    fn runs_count_the_line_above() {
        let facts = LanguageFacts::for_lsp_id("rust");
        let mut run = Run::new(facts, Some("a(1);"));
        let found: Vec<bool> = ["a(1);", "", "a(1);", "b"]
            .iter()
            .map(|line| run.is_too_long(line))
            .collect();
        assert_eq!(found, [false, false, true, false]);
        let mut run = Run::new(facts, None);
        assert!(!["}"; 5].iter().any(|line| run.is_too_long(line)));
    }
}
