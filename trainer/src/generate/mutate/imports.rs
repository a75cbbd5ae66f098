//! An import of what does not exist.

use truefill_syntax::{Draw, Leaf, NameUse};

use super::names::Pool;
use super::replaced;
use crate::contract::Parsed;
use crate::generate::generator::{Proposal, Refusal};
use crate::generate::scene::Scene;
use crate::generate::vocabulary::Words;

/// Roots that every file of a language has: what follows them is exchanged.
const ROOTS: &[&str] = &[
    "std",
    "core",
    "alloc",
    "crate",
    "self",
    "super",
    "java",
    "javax",
    "org",
    "com",
    "System",
    "github",
    "node",
    "__future__",
    "require",
];

pub(super) fn propose(scene: &Scene, words: &Words) -> Result<Proposal, Refusal> {
    let (split, parsed) = scene.import().ok_or(Refusal::NoSite)?;
    let mut draw = scene.draw("import");
    let mut sites = sites(parsed);
    while !sites.is_empty() {
        let site = sites.swap_remove(draw.below(sites.len()));
        let Some(new) = other_text(parsed, &site, words, &mut draw) else {
            continue;
        };
        return Ok(Proposal {
            rejected: replaced(parsed, &site, &new),
            split: Some(split.clone()),
        });
    }
    Err(Refusal::NoSite)
}

/// Names and module strings of the import that may be exchanged; a root only where it stands
/// alone.
fn sites(parsed: &Parsed) -> Vec<Leaf> {
    let inside = |leaf: &&Leaf| {
        leaf.range.start >= parsed.hole.start
            && leaf.range.end <= parsed.hole.end
            && leaf.range.len() > 1
    };
    // What follows `as` is this file's own word for it.
    let alias = |leaf: &Leaf| parsed.text[..leaf.range.start].trim_end().ends_with(" as");
    let candidate = |leaf: &&Leaf| (leaf.name.is_some() || leaf.string) && !alias(leaf);
    let found: Vec<Leaf> = parsed
        .hole_leaves()
        .iter()
        .filter(inside)
        .filter(candidate)
        .filter(|leaf| parsed.text_of(leaf).chars().any(char::is_alphabetic))
        .cloned()
        .collect();
    let named: Vec<Leaf> = found
        .iter()
        .filter(|leaf| !ROOTS.contains(&parsed.text_of(leaf)))
        .cloned()
        .collect();
    if named.is_empty() { found } else { named }
}

/// A name as [`Pool`] invents it; of a path the last part is exchanged.
fn other_text(parsed: &Parsed, site: &Leaf, words: &Words, draw: &mut Draw) -> Option<String> {
    let old = parsed.text_of(site);
    let end = old.trim_end_matches(['"', '\'', '>', '`']);
    let closing = &old[end.len()..];
    let (stem, extension) = match end.rsplit_once('.') {
        Some((stem, extension))
            if extension.len() <= 4
                && !extension.contains('/')
                && stem.contains(char::is_alphabetic) =>
        {
            (stem, &end[stem.len()..])
        }
        _ => (end, ""),
    };
    let part = stem
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map_or(0, |at| {
            at + stem[at..].chars().next().map_or(1, char::len_utf8)
        });
    let (head, last) = stem.split_at(part);
    let pool = Pool::new(
        parsed,
        words,
        &[NameUse::Import, NameUse::Type, NameUse::Variable],
    );
    let new = pool.invent(last, draw)?;
    Some([head, &new, extension, closing].concat())
}
