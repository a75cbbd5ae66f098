//! The words that repositories use, gathered from the contexts in one pass.
//!
//! New names are made of the names in golden completions: these are short and there are many of a
//! repository, so they are found without a parser, and of each repository the names with the
//! smallest hashes are kept, which is a sample that does not depend on the order. That a name does
//! not exist is asked of *all* words of the repository's windows, which a Bloom filter remembers:
//! memory is bounded whatever the number of contexts, and what the filter gets wrong is that a name
//! is taken for known.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use truefill_syntax::{Draw, HoleKind, Language, is_common_name};

use crate::dedup::words;
use crate::rows::{Context, RowError, RowReader};

/// Names of each kind that are kept of a repository.
const NAMES: usize = 96;
/// Names of each kind that are kept of a language, for the other repositories.
const COMMON_NAMES: usize = 512;
/// Repositories that have a vocabulary of their own; those after them have only their files'.
const REPOSITORIES: usize = 20_000;
/// Longer names say little about how names are made.
const LONGEST: usize = 40;
/// Words of the ten grammars that are no names, and that a language's own list may lack because its
/// code does not have them as names.
const KEYWORDS: &str = "\
abstract alias and async auto await base begin bool break byte case catch char class const continue \
def default defer delegate delete do double dyn each elif else elsif end ensure enum except export \
extends extern false final finally float fn for foreach from func function global go goto if impl \
implements import in include inline instanceof int interface internal is lambda let lock long loop \
match mod module mut namespace new nil none nonlocal not null object operator or out override package \
params pass private protected public puts raise readonly ref register require rescue retry return \
select self sizeof static string struct super switch synchronized template then this throw throws \
trait transient true try type typedef typeof typename undef union unless unsafe until use using var \
virtual void volatile when where while with yield";

/// Bits of the filter at least and at most: 8 KiB to 128 MiB.
const BITS: [u64; 2] = [1 << 16, 1 << 30];
/// Bits that one word sets.
const MARKS: usize = 4;

/// A sample of names, by their hash.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<u64, Box<str>>);

impl Names {
    fn add(&mut self, name: &str, most: usize) {
        let hash = hash(name);
        let full = self.0.len() >= most;
        if full
            && self
                .0
                .last_key_value()
                .is_some_and(|(last, _)| hash >= *last)
        {
            return;
        }
        self.0.entry(hash).or_insert_with(|| name.to_owned().into());
        if self.0.len() > most {
            self.0.pop_last();
        }
    }

    /// The names, in an order that depends on them alone.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|name| &**name)
    }
}

/// What a repository calls things.
#[derive(Debug, Default)]
pub struct Words {
    /// Names that stand before an opening bracket.
    pub called: Names,
    /// Other names.
    pub plain: Names,
    /// Keywords of calls.
    pub keywords: Names,
    /// Parts of imports.
    pub imports: Names,
}

impl Words {
    fn add(&mut self, found: &Found<'_>, most: usize) {
        let names = match found.place {
            Place::Called => &mut self.called,
            Place::Keyword => &mut self.keywords,
            Place::Import => &mut self.imports,
            Place::Plain => &mut self.plain,
        };
        names.add(found.name, most);
    }
}

/// The vocabularies of all repositories; without any where it is its own default.
#[derive(Debug)]
pub struct Vocabulary {
    repositories: HashMap<u64, Words>,
    languages: BTreeMap<Language, Words>,
    known: Filter,
    nothing: Words,
}

impl Default for Vocabulary {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Vocabulary {
    /// Gathers the vocabularies of a file of contexts, and counts its rows.
    ///
    /// # Errors
    /// [`RowError`].
    pub fn gather(path: &Path) -> Result<(Self, u64), RowError> {
        // A word that is new takes six bytes of a compressed file, and has twelve bits here.
        let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
        let (mut vocabulary, mut rows) = (Self::new(bytes.saturating_mul(2)), 0);
        for context in RowReader::<Context>::open(path, "contexts")? {
            vocabulary.add(&context?);
            rows += 1;
        }
        Ok((vocabulary, rows))
    }

    fn new(bits: u64) -> Self {
        Self {
            repositories: HashMap::new(),
            languages: BTreeMap::new(),
            known: Filter::new(bits),
            nothing: Words::default(),
        }
    }

    /// Adds a context: all words of its window, and the names of its golden completion.
    fn add(&mut self, context: &Context) {
        let repo = hash(&context.repo);
        for part in [&context.prefix, &context.golden, &context.suffix] {
            for (word, _) in words(part) {
                self.known.add(repo, word);
            }
        }
        let room = self.repositories.len() < REPOSITORIES;
        for found in names(context.language, context.hole_kind, &context.golden) {
            if room || self.repositories.contains_key(&repo) {
                self.repositories
                    .entry(repo)
                    .or_default()
                    .add(&found, NAMES);
            }
            let all = self.languages.entry(context.language).or_default();
            all.add(&found, COMMON_NAMES);
        }
    }

    /// A repository's.
    #[must_use]
    pub fn of(&self, repo: &str) -> &Words {
        self.repositories.get(&hash(repo)).unwrap_or(&self.nothing)
    }

    /// The languages', the own language's first.
    pub fn of_languages(&self, own: Language) -> impl Iterator<Item = &Words> {
        let others = self
            .languages
            .iter()
            .filter(move |(other, _)| **other != own);
        let own = self.languages.get(&own);
        own.into_iter().chain(others.map(|(_, words)| words))
    }

    /// Some window of the repository has the word.
    #[must_use]
    pub fn has(&self, repo: &str, word: &str) -> bool {
        self.known.has(hash(repo), word)
    }
}

/// A Bloom filter of words of repositories.
#[derive(Debug)]
struct Filter {
    bits: Vec<u64>,
}

impl Filter {
    fn new(bits: u64) -> Self {
        let bits = bits.clamp(BITS[0], BITS[1]).next_power_of_two();
        Self {
            bits: vec![0; (bits / 64) as usize],
        }
    }

    fn places(&self, repo: u64, word: &str) -> [usize; MARKS] {
        let mut draw = Draw::new(repo ^ hash(word));
        [(); MARKS].map(|()| draw.below(self.bits.len() * 64))
    }

    fn add(&mut self, repo: u64, word: &str) {
        for place in self.places(repo, word) {
            self.bits[place / 64] |= 1 << (place % 64);
        }
    }

    fn has(&self, repo: u64, word: &str) -> bool {
        let places = self.places(repo, word);
        places
            .iter()
            .all(|place| self.bits[place / 64] >> (place % 64) & 1 == 1)
    }
}

fn hash(text: &str) -> u64 {
    words::hash(text.as_bytes())
}

/// The words of a text that could be names, with their places.
fn words(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = &text[at..];
            let start = at + rest.find(is_part)?;
            let tail = &text[start..];
            let end = start + tail.find(|c: char| !is_part(c)).unwrap_or(tail.len());
            at = end;
            if !tail.starts_with(|c: char| c.is_numeric()) {
                return Some((&text[start..end], start));
            }
        }
    })
}

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Called,
    Keyword,
    Import,
    Plain,
}

/// A name of a golden completion.
#[derive(Debug, PartialEq, Eq)]
struct Found<'a> {
    name: &'a str,
    place: Place,
}

/// The names in a piece of code; words in strings and comments, keywords and what the language
/// itself brings are none.
fn names(language: Language, hole: HoleKind, code: &str) -> Vec<Found<'_>> {
    let import = hole == HoleKind::Import;
    // The strings of imports are paths.
    let spans = if import {
        Vec::new()
    } else {
        prose(language, code)
    };
    let mut found = Vec::new();
    for (name, at) in words(code) {
        let told = spans.iter().any(|span| span.contains(&at));
        let fits = (3..=LONGEST).contains(&name.len());
        if told || !fits || is_keyword(name) || (!import && is_common_name(language, name)) {
            continue;
        }
        let rest = &code[at + name.len()..];
        let before = code[..at].trim_end();
        let place = if import {
            Place::Import
        } else if rest.starts_with('(') {
            Place::Called
        } else if before.ends_with(['(', ',']) && names_argument(language, rest) {
            Place::Keyword
        } else {
            Place::Plain
        };
        found.push(Found { name, place });
    }
    found
}

/// A keyword of some language.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.split(' ').any(|keyword| keyword == word)
}

/// What follows makes the name before it a keyword of a call.
fn names_argument(language: Language, rest: &str) -> bool {
    match language {
        Language::Python => rest.starts_with('=') && !rest.starts_with("=="),
        Language::Ruby | Language::CSharp | Language::Php => rest.starts_with(": "),
        _ => false,
    }
}

/// The strings and comments of a piece of code that starts outside of both.
fn prose(language: Language, code: &str) -> Vec<std::ops::Range<usize>> {
    let hash_comments = matches!(language, Language::Python | Language::Ruby | Language::Php);
    let bytes = code.as_bytes();
    let mut spans = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &code.as_bytes()[at..];
        let end = match rest[0] {
            // A lifetime is no string.
            b'\'' if language == Language::Rust && rest.get(2) != Some(&b'\'') => at + 1,
            quote @ (b'"' | b'\'' | b'`') => closed(bytes, at, quote),
            b'/' if rest.starts_with(b"//") => line_end(bytes, at),
            b'#' if hash_comments => line_end(bytes, at),
            b'/' if rest.starts_with(b"/*") => {
                code[at..].find("*/").map_or(bytes.len(), |end| at + end)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        spans.push(at..end);
        at = end;
    }
    spans
}

fn closed(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn line_end(bytes: &[u8], start: usize) -> usize {
    let end = bytes[start..].iter().position(|byte| *byte == b'\n');
    end.map_or(bytes.len(), |end| start + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &Names) -> Vec<String> {
        names.iter().map(str::to_owned).collect()
    }

    #[test]
    fn names_are_told_apart() {
        let code = "stock.load_rows(shelf, 2x, é_1, order_by_age='a word', return) # remark";
        let found = names(Language::Python, HoleKind::CallSite, code);
        let found: Vec<_> = found
            .iter()
            .map(|found| (found.name, found.place))
            .collect();
        assert_eq!(
            found,
            [
                ("stock", Place::Plain),
                ("load_rows", Place::Called),
                ("shelf", Place::Plain),
                ("é_1", Place::Plain),
                ("order_by_age", Place::Keyword),
            ]
        );
        let rust = names(
            Language::Rust,
            HoleKind::CallSite,
            "fetch_row::<'a>(row_view, \"a b_c\")",
        );
        let rust: Vec<_> = rust.iter().map(|found| found.name).collect();
        assert_eq!(rust, ["fetch_row", "row_view"]);
        let import = names(Language::Go, HoleKind::Import, "\"encoding/json\"");
        let import: Vec<_> = import
            .iter()
            .map(|found| (found.name, found.place))
            .collect();
        assert_eq!(
            import,
            [("encoding", Place::Import), ("json", Place::Import)]
        );
    }

    #[test]
    fn samples_are_bounded_and_do_not_depend_on_the_order() {
        let mut forwards = Words::default();
        let mut backwards = Words::default();
        let add = |words: &mut Words, number: usize| {
            let name = format!("call_{number}");
            let found = Found {
                name: &name,
                place: Place::Called,
            };
            words.add(&found, NAMES);
        };
        for number in 0..500 {
            add(&mut forwards, number);
            add(&mut backwards, 499 - number);
        }
        assert_eq!(list(&forwards.called).len(), NAMES);
        assert_eq!(list(&forwards.called), list(&backwards.called));
    }

    #[test]
    fn every_word_of_a_window_is_known_in_its_repository_alone() {
        let mut filter = Filter::new(0);
        let text = "def load_order(path):\n    return 'the store'\n";
        for (word, _) in words(text) {
            filter.add(1, word);
        }
        for word in ["load_order", "path", "store", "def"] {
            assert!(filter.has(1, word), "{word}");
            assert!(!filter.has(2, word), "{word}");
        }
        assert!(!filter.has(1, "load_user"));
    }
}
