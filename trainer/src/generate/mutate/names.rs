//! New names out of old ones.
//!
//! A name that is always the old one with a word glued to it is no hard negative but a fingerprint:
//! "longer, with an odd word" would be all that a model learns. So a name is changed in one of
//! several ways, which the seed draws, and is as often shorter as it is longer.

use truefill_syntax::{Draw, Language, NameUse, leaves};

use super::twins;
use super::ways::{BEHIND, BEHIND_MODULES, Way, Wish, affix, is_part, no_echo, short, with_word};
use crate::contract::{Parsed, is_known};
use crate::generate::scene::Scene;
use crate::generate::vocabulary::{Vocabulary, Words, is_keyword};
use crate::generate::words::{Name, Style};

/// Names of the file that are looked at: those before and behind the hole, the nearest first.
const NEAR: usize = 64;
/// Bytes on either side of the hole in which they are looked for.
const REACH: usize = 8 << 10;
/// Tries of one way with one wish.
const TRIES: usize = 24;
/// Names of other repositories that are looked at.
const FOREIGN: usize = 512;

/// The style of a lone small word in names of the language.
pub(super) const fn lone(language: Language) -> Style {
    match language {
        Language::Python | Language::Ruby | Language::Rust | Language::Cpp => Style::Snake,
        Language::CSharp => Style::Pascal,
        _ => Style::Camel,
    }
}

/// Where the words of new names come from: names of one use in the file and its repository, and in
/// other repositories.
pub(super) struct Pool<'a> {
    parsed: &'a Parsed,
    repo: &'a str,
    vocabulary: &'a Vocabulary,
    names: Vec<Name>,
    foreign: Vec<Name>,
    lone: Style,
    kind: Kind,
    name_use: Option<NameUse>,
}

/// What a name is for, as far as the ways differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is called: its first word is a verb.
    Called,
    Keyword,
    Type,
    Module,
    Other,
}

impl<'a> Pool<'a> {
    /// For names of the uses around the hole of `parsed`, a view of the scene's window.
    pub(super) fn new(
        scene: &'a Scene,
        parsed: &'a Parsed,
        vocabulary: &'a Vocabulary,
        uses: &[NameUse],
    ) -> Self {
        let lone = lone(parsed.language);
        let of = match uses {
            [NameUse::Call, ..] => Kind::Called,
            [NameUse::Keyword, ..] => Kind::Keyword,
            [NameUse::Type, ..] => Kind::Type,
            _ => Kind::Other,
        };
        // Lines that import have a vocabulary of their own.
        let imports = uses.contains(&NameUse::Import);
        let kind = |words: &'a Words| match of {
            Kind::Called => &words.called,
            Kind::Keyword => &words.keywords,
            _ if imports => &words.imports,
            _ => &words.plain,
        };
        let repo = &*scene.context.repo;
        let own = kind(vocabulary.of(repo));
        let near: Vec<&str> = near(parsed, uses).collect();
        // Types are called like types.
        let fits = |name: &&str| of != Kind::Type || name.starts_with(char::is_uppercase);
        let own = near
            .into_iter()
            .chain(own.iter())
            .filter(|name| name.len() > 2);
        let own = own.filter(fits);
        let mut names: Vec<Name> = own.filter_map(|name| Name::parse(name, lone)).collect();
        names.truncate(2 * NEAR);
        names.sort_by(|a, b| a.words.cmp(&b.words));
        names.dedup_by(|a, b| a.words == b.words);
        let foreign = vocabulary
            .of_languages(parsed.language)
            .flat_map(|words| kind(words).iter())
            .filter(fits)
            .take(FOREIGN)
            .filter_map(|name| Name::parse(name, lone))
            .collect();
        Self {
            parsed,
            repo,
            vocabulary,
            names,
            foreign,
            lone,
            kind: of,
            name_use: uses.first().copied(),
        }
    }

    /// For the parts of module paths, which are written in their own way.
    pub(super) fn of_modules(mut self, lone: Style) -> Self {
        self.lone = lone;
        self.kind = Kind::Module;
        self
    }

    /// A name in the style of `old` that nobody has, and how it was made.
    pub(super) fn invent(&self, old: &str, draw: &mut Draw) -> Option<(Way, String)> {
        let name = Name::parse(old, self.lone)?;
        let mut ways = Way::DRAWN;
        for at in (1..ways.len()).rev() {
            ways.swap(at, draw.below(at + 1));
        }
        // There are more ways to a longer name than to a shorter one.
        let wishes = match draw.below(5) {
            0..=2 => [Wish::Shorter, Wish::Same, Wish::Near],
            3 => [Wish::Same, Wish::Shorter, Wish::Near],
            _ => [Wish::Longer, Wish::Same, Wish::Near],
        };
        // Now and then a name is only lengthened, as models do it too.
        let lengthened = wishes[0] == Wish::Longer && draw.below(4) == 0;
        let first = lengthened.then_some((Way::Longer, Wish::Near));
        let wished = wishes
            .into_iter()
            .flat_map(|wish| ways.map(|way| (way, wish)));
        let last = Way::LAST.map(|way| (way, Wish::Near));
        let mut all = first.into_iter().chain(wished).chain(last);
        all.find_map(|(way, wish)| {
            let made = self.made(way, wish, &name, old, draw)?;
            Some((way, made))
        })
    }

    fn made(
        &self,
        way: Way,
        wish: Wish,
        name: &Name,
        old: &str,
        draw: &mut Draw,
    ) -> Option<String> {
        for _ in 0..TRIES {
            let words = self.words(way, name, draw)?;
            if words.is_empty() {
                continue;
            }
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let made = name.with(&words);
            let glued = words.len() > name.words.len() && is_part(&name.words, &words);
            let fits = way == Way::Longer || (!glued && wish.grants(old, &made));
            if fits && made != old && self.is_free(&made) {
                return Some(made);
            }
        }
        None
    }

    /// No function of the repository's windows can have the option. That code of the language uses
    /// the word says nothing.
    pub(super) fn is_free_option(&self, name: &str) -> bool {
        !self.parsed.tells(name)
            && !self.parsed.has_word(name)
            && !self.vocabulary.has(self.repo, name)
            && !is_keyword(&name.to_lowercase())
    }

    /// Neither the window nor the repository nor the language has the name.
    fn is_free(&self, name: &str) -> bool {
        (2..=60).contains(&name.len())
            && self.is_free_option(name)
            && !is_known(self.parsed.language, name, self.name_use)
    }

    /// The words of a new name; nothing where the way does not go from this name.
    fn words(&self, way: Way, name: &Name, draw: &mut Draw) -> Option<Vec<String>> {
        match way {
            Way::Word => self.exchanged(name, draw),
            Way::Twin => {
                let at = draw.below(name.words.len());
                let twins = twins::of(&name.words[at], self.kind == Kind::Module);
                let twin = twins.get(draw.below(twins.len()));
                Some(twin.map_or_else(Vec::new, |twin| with_word(&name.words, at, twin)))
            }
            Way::Number => self.number(name),
            Way::Affix => affix(&name.words, draw),
            Way::Habit => self.habit(name, draw),
            Way::Foreign => {
                let shares = |other: &Name| {
                    other
                        .words
                        .iter()
                        .any(|word| word.len() > 2 && name.words.contains(word))
                };
                self.foreign(draw, shares)
            }
            Way::Shape => {
                let whole = name.words.concat();
                self.foreign(draw, |other| {
                    let other = other.words.concat();
                    let ends = |text: &str| {
                        let tail = text.char_indices().nth_back(2);
                        tail.map_or(String::new(), |(at, _)| text[at..].to_owned())
                    };
                    let begins = |text: &str| text.chars().take(3).collect::<String>();
                    let alike = begins(&other) == begins(&whole) || ends(&other) == ends(&whole);
                    alike && other.len().abs_diff(whole.len()) < 4
                })
            }
            Way::Short => {
                let at = draw.below(name.words.len());
                let cut = short(&name.words[at]).filter(|_| self.kind != Kind::Module);
                Some(cut.map_or_else(Vec::new, |cut| with_word(&name.words, at, &cut)))
            }
            Way::Longer => {
                let list = if self.kind == Kind::Module {
                    BEHIND_MODULES
                } else {
                    BEHIND
                };
                let word = list[draw.below(list.len())];
                Some(no_echo([&name.words[..], &[word.to_owned()]].concat()))
            }
        }
    }

    /// One for many or many for one, of a noun: a verb alone and an option have one form.
    fn number(&self, name: &Name) -> Option<Vec<String>> {
        let at = name.words.len() - 1;
        let word = &name.words[at];
        let one = match self.kind {
            Kind::Called => at == 0,
            Kind::Keyword => true,
            // Nobody looks for `java.util.concurrents`, but for `collection` some do.
            Kind::Module | Kind::Type => !word.ends_with('s'),
            Kind::Other => false,
        };
        let other = twins::other_number(word).filter(|_| !one)?;
        Some(with_word(&name.words, at, &other))
    }

    /// One word of the name is another's at the same end.
    fn exchanged(&self, name: &Name, draw: &mut Draw) -> Option<Vec<String>> {
        let other = self.names.get(draw.below(self.names.len()))?;
        let alone = name.words.len() == 1;
        let first = (alone && self.kind == Kind::Called) || (!alone && draw.below(2) == 0);
        let (at, theirs) = if first {
            (0, other.words.first()?)
        } else {
            (name.words.len() - 1, other.words.last()?)
        };
        // A word without a meaning of its own, such as `x` or `of`, makes no name.
        let telling = theirs.len() > 2 && !is_keyword(theirs);
        let words = if telling {
            with_word(&name.words, at, theirs)
        } else {
            Vec::new()
        };
        Some(no_echo(words))
    }

    /// The words of another name, with one of this name's in the place of theirs.
    fn habit(&self, name: &Name, draw: &mut Draw) -> Option<Vec<String>> {
        let other = self.names.get(draw.below(self.names.len()))?;
        if name.words.len() < 2 {
            return None;
        }
        if other.words.len() < 2 || other.words.len() > 4 {
            return Some(Vec::new());
        }
        let at = if draw.below(2) == 0 {
            0
        } else {
            other.words.len() - 1
        };
        let own = if at == 0 {
            name.words.first()?
        } else {
            name.words.last()?
        };
        Some(no_echo(with_word(&other.words, at, own)))
    }

    /// A name from elsewhere.
    fn foreign(&self, draw: &mut Draw, fits: impl Fn(&Name) -> bool) -> Option<Vec<String>> {
        let found: Vec<&Name> = self.foreign.iter().filter(|other| fits(other)).collect();
        let other = found.get(draw.below(found.len()))?;
        Some(other.words.clone())
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
