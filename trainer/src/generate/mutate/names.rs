//! New names out of old ones.

use truefill_syntax::{Draw, Language, NameUse, invent_name, is_common_name, leaves};

use crate::contract::{Parsed, is_tell_tale};
use crate::generate::vocabulary::Words;
use crate::generate::words::Name;

/// Names of the file that are looked at: those before and behind the hole, the nearest first.
const NEAR: usize = 64;
/// Bytes on either side of the hole in which they are looked for.
const REACH: usize = 8 << 10;
/// Tries before a name is made of words that occur everywhere.
const TRIES: usize = 60;

/// Words that make no name by themselves.
const FILLERS: &[&str] = &[
    "and",
    "not",
    "the",
    "for",
    "with",
    "super",
    "self",
    "this",
    "static",
    "const",
    "constexpr",
    "return",
    "raise",
    "throw",
    "void",
    "var",
    "let",
    "require",
    "true",
    "false",
    "null",
    "none",
];

/// The language joins words as in `loadUser`.
const fn camel(language: Language) -> bool {
    !matches!(
        language,
        Language::Python | Language::Ruby | Language::Rust | Language::Cpp
    )
}

/// Where the words of new names come from: names of one use in the file and its repository.
pub(super) struct Pool<'a> {
    parsed: &'a Parsed,
    words: &'a Words,
    names: Vec<Name>,
}

impl<'a> Pool<'a> {
    pub(super) fn new(parsed: &'a Parsed, words: &'a Words, uses: &[NameUse]) -> Self {
        let called = uses.contains(&NameUse::Call);
        let mut names = Vec::new();
        let mut add = |name: &str| {
            if name.len() > 2 && names.len() < 2 * NEAR {
                names.extend(Name::parse(name, camel(parsed.language)));
            }
        };
        for name in near(parsed, uses) {
            add(name);
        }
        let kin = if called { &words.called } else { &words.plain };
        for name in kin.iter() {
            add(name);
        }
        names.sort_by(|a, b| a.words.cmp(&b.words));
        names.dedup_by(|a, b| a.words == b.words);
        Self {
            parsed,
            words,
            names,
        }
    }

    /// A name in the style of `old` that nobody has: one of its words is exchanged for a word that
    /// stands at the same end of another name, or it is joined with a part of one.
    pub(super) fn invent(&self, old: &str, draw: &mut Draw) -> Option<String> {
        let bare = old.trim_start_matches(['@', '$']);
        let name = Name::parse(bare, camel(self.parsed.language))?;
        for _ in 0..TRIES.min(TRIES * self.names.len()) {
            let other = &self.names[draw.below(self.names.len())];
            let made = recombined(&name, other, draw);
            if self.is_free(&made) && made != old {
                return Some(made);
            }
        }
        let taken = |made: &str| !self.is_free(made);
        invent_name(bare, draw, &taken)
    }

    /// Neither the file nor the repository nor the language has the name.
    fn is_free(&self, name: &str) -> bool {
        (3..=60).contains(&name.len())
            && !is_tell_tale(name)
            && !self.parsed.has_word(name)
            && !self.words.called.contains(name)
            && !self.words.plain.contains(name)
            && !is_common_name(self.parsed.language, name)
    }
}

/// Names of the uses around the hole.
fn near<'p>(parsed: &'p Parsed, uses: &[NameUse]) -> impl Iterator<Item = &'p str> {
    let start = parsed.hole.start.saturating_sub(REACH);
    let end = (parsed.hole.end + REACH).min(parsed.text.len());
    let mut found: Vec<(usize, &str)> =
        leaves(parsed.language, &parsed.text, &parsed.tree, start..end)
            .iter()
            .filter(|leaf| leaf.name.is_some_and(|name| uses.contains(&name)))
            .filter_map(|leaf| {
                let distance = leaf.range.start.abs_diff(parsed.hole.start);
                Some((distance, parsed.text.get(leaf.range.clone())?))
            })
            .collect();
    found.sort_unstable();
    found.into_iter().take(NEAR).map(|(_, name)| name)
}

/// The words of `name` with a word of `other`.
fn recombined(name: &Name, other: &Name, draw: &mut Draw) -> String {
    let mut words: Vec<&str> = name.words.iter().map(String::as_str).collect();
    let theirs: Vec<&str> = other
        .words
        .iter()
        .map(String::as_str)
        .filter(|word| word.len() > 2 && !FILLERS.contains(word))
        .collect();
    let (Some(their_first), Some(their_last)) = (theirs.first(), theirs.last()) else {
        return String::new();
    };
    let last = words.len() - 1;
    match (words.len(), draw.below(4)) {
        // `get` and `load_user` give `get_user`.
        (1, 0 | 1) => words.push(their_last),
        (1, 2) => words.insert(0, their_first),
        (1, _) if theirs.len() > 1 => {
            words = theirs.clone();
            words[theirs.len() - 1] = &name.words[0];
        }
        (1, _) => words.push(their_first),
        (_, 0) => words[0] = their_first,
        (_, 1) => words[last] = their_last,
        (_, 2) => words.insert(last, their_last),
        (_, _) => words[last / 2] = their_last,
    }
    words.dedup();
    if words.len() > 5 || words.iter().all(|word| word.len() < 2) {
        return String::new();
    }
    name.with(&words)
}
