//! Negatives by rule, without a network: FGit's mutation baseline with names from the repository's
//! own vocabulary.

mod arguments;
mod imports;
mod names;
mod twins;
mod ways;

use std::sync::Arc;

use truefill_syntax::{Leaf, NameUse};

use super::generator::{Answered, Generator, Outcome, Proposal, Refusal};
use super::scene::Scene;
use super::vocabulary::Vocabulary;
use crate::contract::{self, Parsed};
use crate::rows::HallucinationType;
use names::Pool;

/// Counts up with every change to the rules; the way in which a name was made follows it.
const VERSION: &str = "mutate-4";

/// A candidate with the way in which it was made.
type Made = Result<(&'static str, Proposal), Refusal>;

/// The generator that needs nothing but the file.
pub struct Mutate {
    vocabulary: Arc<Vocabulary>,
}

impl Mutate {
    /// With the vocabularies of the contexts' repositories.
    #[must_use]
    pub fn new(vocabulary: Arc<Vocabulary>) -> Self {
        Self { vocabulary }
    }

    /// One candidate.
    fn propose(&self, scene: &Scene, kind: HallucinationType) -> Made {
        let golden = &scene.golden;
        match kind {
            HallucinationType::Parameter => return arguments::propose(scene, &self.vocabulary),
            HallucinationType::Import => return imports::propose(scene, &self.vocabulary),
            _ => {}
        }
        let uses = contract::uses(kind, golden.language);
        let mut draw = scene.draw(kind.name());
        let mut sites: Vec<&Leaf> = sites(golden, uses);
        while !sites.is_empty() {
            let site = sites.swap_remove(draw.below(sites.len()));
            // Types are called like types, and variables like variables.
            let uses = match site.name {
                Some(NameUse::Type) => &[NameUse::Type],
                Some(NameUse::Variable) => &[NameUse::Variable],
                _ => uses,
            };
            let pool = Pool::new(scene, golden, &self.vocabulary, uses);
            let old = bare(golden.text_of(site));
            if let Some((way, new)) = pool.invent(old, &mut draw) {
                return Ok((way.name(), Proposal::in_hole(renamed(golden, site, &new))));
            }
        }
        Err(Refusal::NoSite)
    }
}

/// A name without its sigils.
fn bare(name: &str) -> &str {
    name.trim_start_matches(['@', '$', '#'])
}

/// Names in the hole that may be exchanged: they lie in it whole, and are not the language's own.
fn sites<'p>(golden: &'p Parsed, uses: &[NameUse]) -> Vec<&'p Leaf> {
    let special = [
        "self", "this", "super", "cls", "Self", "static", "parent", "raise", "puts", "require",
        "var", "auto", "dynamic",
    ];
    if golden.in_hole().trim_start().starts_with("namespace ") {
        return Vec::new();
    }
    golden
        .hole_leaves()
        .iter()
        .filter(|leaf| {
            leaf.name.is_some_and(|name| uses.contains(&name))
                && leaf.range.start >= golden.hole.start
                && leaf.range.end <= golden.hole.end
                && leaf.range.len() > 1
                && !special.contains(&golden.text_of(leaf))
        })
        .collect()
}

/// The hole's text with another name at `site`, which keeps its sigil.
fn renamed(parsed: &Parsed, site: &Leaf, new: &str) -> String {
    let old = parsed.text_of(site);
    let sigil = &old[..old.len() - bare(old).len()];
    replaced(parsed, site, &[sigil, new].concat())
}

/// The hole's text with another text at `site`.
fn replaced(parsed: &Parsed, site: &Leaf, new: &str) -> String {
    let (start, end) = (parsed.hole.start, parsed.hole.end);
    let text = &parsed.text;
    [
        &text[start..site.range.start],
        new,
        &text[site.range.end..end],
    ]
    .concat()
}

impl Generator for Mutate {
    fn name(&self) -> &str {
        "mutate"
    }

    fn propose<'a>(
        &'a self,
        scene: &'a Arc<Scene>,
        kinds: &'a [HallucinationType],
    ) -> Answered<'a> {
        Box::pin(async move {
            let kinds = kinds
                .iter()
                .filter(|kind| **kind != HallucinationType::Similar);
            let outcomes = kinds.map(|kind| {
                let made = Self::propose(self, scene, *kind);
                let version = made.as_ref().map_or_else(
                    |_| VERSION.to_owned(),
                    |(way, _)| format!("{VERSION}-{way}"),
                );
                Outcome {
                    kind: Some(*kind),
                    version,
                    shortened: false,
                    result: made.map(|(_, proposal)| proposal),
                }
            });
            Ok(outcomes.collect())
        })
    }
}
