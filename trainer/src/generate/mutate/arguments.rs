//! A wrong argument in a call: a keyword that the function does not have, or more or fewer arguments
//! than the window's own declaration takes. Never a name that is only undefined: that is another
//! type.

use tree_sitter::Node;
use truefill_syntax::{Draw, Language, Leaf, NameUse};

use super::Made;
use super::names::Pool;
use crate::contract::{
    ARGUMENT_LISTS, Parsed, arguments, arity, counts_arguments, is_key, is_plain, takes_anything,
    walk,
};
use crate::generate::generator::{Proposal, Refusal};
use crate::generate::scene::Scene;
use crate::generate::vocabulary::Vocabulary;
use crate::generate::words::{Name, Style};

/// Options that functions have in code of every kind, with a kind of value: `b`ool, `n`umber,
/// `t`ext. Names are changed before they are used.
const OPTIONS: &[(&str, char)] = &[
    ("strict", 'b'),
    ("max_depth", 'n'),
    ("timeout", 'n'),
    ("encoding", 't'),
    ("recursive", 'b'),
    ("batch_size", 'n'),
    ("retries", 'n'),
    ("force", 'b'),
    ("output_format", 't'),
    ("verbose", 'b'),
    ("ignore_errors", 'b'),
    ("default", 't'),
    ("limit", 'n'),
    ("offset", 'n'),
    ("mode", 't'),
    ("prefix", 't'),
    ("copy", 'b'),
    ("reverse", 'b'),
    ("sort_keys", 'b'),
    ("page_size", 'n'),
    ("locale", 't'),
    ("lazy", 'b'),
    ("max_retries", 'n'),
    ("validate", 'b'),
    ("delimiter", 't'),
    ("precision", 'n'),
    ("inclusive", 'b'),
    ("overwrite", 'b'),
    ("case_sensitive", 'b'),
    ("priority", 'n'),
    ("chunk_size", 'n'),
    ("max_length", 'n'),
    ("stop_on_error", 'b'),
    ("allow_empty", 'b'),
    ("keep_order", 'b'),
    ("trim", 'b'),
    ("separator", 't'),
    ("fallback", 't'),
    ("silent", 'b'),
    ("cached", 'b'),
    ("ttl", 'n'),
    ("level", 'n'),
    ("padding", 'n'),
    ("unique", 'b'),
    ("dry_run", 'b'),
    ("charset", 't'),
    ("async_mode", 'b'),
    ("max_items", 'n'),
    ("start_at", 'n'),
    ("fill_value", 'n'),
    ("ascending", 'b'),
    ("scope", 't'),
    ("label", 't'),
    ("threshold", 'n'),
    ("normalize", 'b'),
    ("buffer_size", 'n'),
    ("deep", 'b'),
    ("preserve", 'b'),
    ("tolerance", 'n'),
    ("step", 'n'),
    ("concurrency", 'n'),
    ("initial", 'n'),
    ("required", 'b'),
    ("skip_blank", 'b'),
    ("indent", 'n'),
    ("safe", 'b'),
    ("tag", 't'),
    ("zone", 't'),
    ("weighted", 'b'),
    ("blocking", 'b'),
];

/// Keywords of other repositories that are looked at.
const FOREIGN: usize = 128;

pub(super) fn propose(scene: &Scene, vocabulary: &Vocabulary) -> Made {
    let golden = &scene.golden;
    let mut draw = scene.draw("parameter");
    let mut lists = lists(golden);
    while !lists.is_empty() {
        let list = lists.swap_remove(draw.below(lists.len()));
        let mut ways = ways(golden, list);
        while !ways.is_empty() {
            let way = ways.swap_remove(draw.below(ways.len()));
            let call = Call {
                scene,
                vocabulary,
                list,
            };
            if let Some((at, text)) = call.edit(way, &mut draw) {
                let hole = &golden.hole;
                let (before, after) = (
                    &golden.text[hole.start..at.start],
                    &golden.text[at.end..hole.end],
                );
                let rejected = [before, &text, after].concat();
                return Ok((way.name(), Proposal::in_hole(rejected)));
            }
        }
    }
    Err(Refusal::NoSite)
}

/// What is done to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A keyword that the function does not have.
    Keyword,
    /// One of the call's keywords is called otherwise.
    Rename,
    /// One argument too many.
    Extra,
    /// One argument too few.
    Missing,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Keyword => "keyword",
            Self::Rename => "rename",
            Self::Extra => "extra",
            Self::Missing => "missing",
        }
    }
}

/// What can be done to a call, in the language and by what is known of the function.
fn ways(golden: &Parsed, list: Node<'_>) -> Vec<Way> {
    let mut ways = Vec::new();
    let given = arguments(list, golden);
    if !takes_anything(golden, list) {
        let named = matches!(
            golden.language,
            Language::Python | Language::CSharp | Language::Php | Language::Ruby
        );
        if named {
            ways.push(Way::Keyword);
        }
        if !keywords(golden, list).is_empty() {
            // An object's literal holds the keywords of ECMAScript.
            ways.push(Way::Rename);
            ways.extend((!named).then_some(Way::Keyword));
        }
    }
    let plain = given.iter().all(|(node, _)| is_plain(golden, *node));
    if let Some(arity) = arity(golden, list).filter(|_| plain) {
        let extra = counts_arguments(golden.language) && arity.takes_no_more(given.len());
        ways.extend(extra.then_some(Way::Extra));
        let missing = given.len() > 1 && arity.needs_all(given.len());
        ways.extend(missing.then_some(Way::Missing));
    }
    ways
}

/// Keywords of the call itself, and keys of a literal that it is given.
fn keywords<'p>(golden: &'p Parsed, list: Node<'_>) -> Vec<&'p Leaf> {
    let depth = |leaf: &Leaf| {
        let around = golden.around(&leaf.range, ARGUMENT_LISTS);
        around.is_some_and(|around| around.id() == list.id())
    };
    let inside = |leaf: &&Leaf| {
        let hole = &golden.hole;
        let range = list.start_byte().max(hole.start)..list.end_byte().min(hole.end);
        range.start <= leaf.range.start && leaf.range.end <= range.end
    };
    let leaves = golden.hole_leaves().iter().filter(inside);
    leaves
        .filter(|leaf| leaf.name == Some(NameUse::Keyword) || is_key(golden, leaf))
        .filter(|leaf| leaf.range.len() > 1 && depth(leaf))
        .collect()
}

/// Lists of arguments that lie in the hole, brackets included; where the hole is the inside of a
/// list, that list.
fn lists(golden: &Parsed) -> Vec<Node<'_>> {
    let hole = &golden.hole;
    let mut found = Vec::new();
    walk(&golden.tree, |node| {
        let touches = node.start_byte() <= hole.end && node.end_byte() >= hole.start;
        if touches && ARGUMENT_LISTS.contains(&node.kind()) && !node.has_error() {
            let inside = node.start_byte() >= hole.start && node.end_byte() <= hole.end;
            let around = node.start_byte() + 1 == hole.start && node.end_byte() == hole.end + 1;
            if inside || around {
                found.push(node);
            }
        }
        touches
    });
    found
}

/// A call that is changed.
struct Call<'a> {
    scene: &'a Scene,
    vocabulary: &'a Vocabulary,
    list: Node<'a>,
}

/// What is put into which place of the window.
type Edit = (std::ops::Range<usize>, String);

impl Call<'_> {
    fn edit(&self, way: Way, draw: &mut Draw) -> Option<Edit> {
        match way {
            Way::Keyword => self.keyword(draw),
            Way::Rename => self.rename(draw),
            Way::Extra => self.extra(draw),
            Way::Missing => self.missing(),
        }
    }

    fn pool(&self) -> Pool<'_> {
        Pool::new(
            self.scene,
            &self.scene.golden,
            self.vocabulary,
            &[NameUse::Keyword],
        )
    }

    fn keyword(&self, draw: &mut Draw) -> Option<Edit> {
        let golden = &self.scene.golden;
        let (name, value) = self.option(draw)?;
        let colon = |name: &str| format!("{name}: {value}");
        let keyword = match golden.language {
            Language::Python => format!("{name}={value}"),
            _ => colon(&name),
        };
        match keywords(golden, self.list).last() {
            // Into the literal, before the first of its keys that stands there.
            Some(key) if golden.language.is_ecmascript() => {
                let at = key.range.start;
                Some((at..at, format!("{keyword}, ")))
            }
            _ => self.insertion(&keyword),
        }
    }

    /// A new option with a value that fits it: one that other repositories' functions have, or one
    /// that is common as it is, or made from such a one and the repository's words.
    fn option(&self, draw: &mut Draw) -> Option<(String, String)> {
        let golden = &self.scene.golden;
        let pool = self.pool();
        let foreign: Vec<&str> = self
            .vocabulary
            .of_languages(golden.language)
            .flat_map(|words| words.keywords.iter())
            .take(FOREIGN)
            .collect();
        // C# writes parameters as it writes variables.
        let lone = match super::names::lone(golden.language) {
            Style::Pascal => Style::Camel,
            lone => lone,
        };
        for _ in 0..24 {
            let (option, kind) = OPTIONS[draw.below(OPTIONS.len())];
            let (name, kind) = match draw.below(3) {
                // A few names would stand everywhere.
                0 if foreign.len() >= FOREIGN / 4 => {
                    let name = foreign[draw.below(foreign.len())];
                    (name.to_owned(), kind_of(name))
                }
                turn => {
                    let words: Vec<&str> = option.split('_').collect();
                    let name = Name::parse("x", lone)?.with(&words);
                    let changed = (turn == 1).then(|| pool.invent(&name, draw)).flatten();
                    (changed.map_or(name, |(_, changed)| changed), kind)
                }
            };
            let parsed = Name::parse(&name, lone)?;
            let words: Vec<&str> = parsed.words.iter().map(String::as_str).collect();
            let name = Name::parse("x", lone)?.with(&words);
            if pool.is_free_option(&name) {
                return Some((name, value(golden.language, kind, draw)));
            }
        }
        None
    }

    fn rename(&self, draw: &mut Draw) -> Option<Edit> {
        let golden = &self.scene.golden;
        let keywords = keywords(golden, self.list);
        let key = keywords.get(draw.below(keywords.len()))?;
        let (_, name) = self
            .pool()
            .invent(golden.text_of(key).trim_end_matches(':'), draw)?;
        Some((key.range.clone(), name))
    }

    /// A literal, or a name that the call is given already.
    fn extra(&self, draw: &mut Draw) -> Option<Edit> {
        let golden = &self.scene.golden;
        let given = arguments(self.list, golden);
        let known: Vec<&str> = given
            .iter()
            .filter(|(node, _)| node.kind().contains("identifier"))
            .map(|(_, text)| *text)
            .collect();
        let literal = value(golden.language, ['b', 'n', 't'][draw.below(3)], draw);
        let argument = match known.get(draw.below(2 * known.len().max(1))) {
            Some(name) => (*name).to_owned(),
            None => literal,
        };
        self.insertion(&argument)
    }

    /// The last argument is gone, with the comma before it.
    fn missing(&self) -> Option<Edit> {
        let given = arguments(self.list, &self.scene.golden);
        let [.., (before, _), (last, _)] = given[..] else {
            return None;
        };
        Some((before.end_byte()..last.end_byte(), String::new()))
    }

    /// Where an argument goes, and its text with the comma that it needs.
    fn insertion(&self, argument: &str) -> Option<Edit> {
        let golden = &self.scene.golden;
        let given = arguments(self.list, golden);
        // What takes the rest stays the last: `**options`, `&block`.
        let last = ["dictionary_splat", "hash_splat_argument", "block_argument"];
        let rest = given.iter().find(|(node, _)| last.contains(&node.kind()));
        let (at, text) = match (rest, given.last()) {
            (Some((rest, _)), _) => (rest.start_byte(), format!("{argument}, ")),
            (None, Some((last, _))) => (last.end_byte(), format!(", {argument}")),
            (None, None) => {
                let bracket = golden.text[self.list.byte_range()].starts_with('(');
                (
                    self.list.start_byte() + 1,
                    bracket.then(|| argument.to_owned())?,
                )
            }
        };
        Some((at..at, text))
    }
}

/// The kind of value that an option takes by its name.
fn kind_of(name: &str) -> char {
    let ends = |ends: &[&str]| ends.iter().any(|end| name.to_lowercase().ends_with(end));
    if ends(&[
        "name", "mode", "format", "encoding", "prefix", "suffix", "path", "type", "key", "text",
    ]) {
        't'
    } else if ends(&[
        "size", "count", "limit", "depth", "timeout", "max", "min", "width", "level", "s",
    ]) {
        'n'
    } else {
        'b'
    }
}

/// A literal of the language.
fn value(language: Language, kind: char, draw: &mut Draw) -> String {
    let python = language == Language::Python;
    let picked = |values: &[&str], draw: &mut Draw| values[draw.below(values.len())].to_owned();
    match kind {
        'b' if python => picked(&["True", "False"], draw),
        'b' => picked(&["true", "false"], draw),
        'n' => picked(&["1", "2", "3", "5", "10", "16", "30", "64", "100"], draw),
        _ => {
            let text = picked(&["utf-8", "default", "json", "asc", "full", "auto"], draw);
            let double = !matches!(language, Language::Python | Language::Ruby | Language::Php);
            let quote = if double { '"' } else { '\'' };
            format!("{quote}{text}{quote}")
        }
    }
}
