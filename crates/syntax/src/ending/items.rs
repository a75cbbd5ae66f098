//! The end of whole statements: with the block that they stand in, or with a paragraph.

use crate::{
    language::{Language, WordClass},
    lex::Last,
};

use super::block::{Reader, is_continuation_start};

impl Reader<'_> {
    pub(super) fn items_end(
        &self,
        from: usize,
        body: Option<WordClass>,
        depth: usize,
    ) -> Option<usize> {
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
                let remark = line.no_code || line.text.starts_with(['#', '/']);
                if at > first && self.rescues(at, word) {
                    continue;
                }
                if at > first && line.indent < indent && !remark {
                    return Some(self.dedent_end(at, indent, word));
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

    /// Ruby's `rescue` of the method whose body this is, where the suffix has not got it.
    fn rescues(&self, at: usize, word: &str) -> bool {
        let line = &self.lines[at];
        let own = self.site.opener.is_some_and(|opener| {
            opener.class == WordClass::Function && opener.indent == line.indent
        });
        let words = ["rescue", "ensure"];
        let below = self.site.next_line().map_or("", |(_, line)| line);
        let written = words.iter().any(|word| below.starts_with(word));
        self.language() == Language::Ruby && words.contains(&word) && own && !written
    }

    /// Line `at` stands left of the items: they have ended. Ruby's `end` belongs to an empty body
    /// where the suffix has none.
    fn dedent_end(&self, at: usize, indent: usize, word: &str) -> usize {
        let line = &self.lines[at];
        let ruby_end = self.language() == Language::Ruby
            && word == "end"
            && self
                .site
                .opener
                .is_some_and(|opener| opener.indent == line.indent)
            && !self.suffix_has_end(line.indent);
        if ruby_end {
            // Columns of indentation are no bytes: a tab is several.
            line.end - line.text.len() + "end".len()
        } else {
            self.end_of_items(at, indent)
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
