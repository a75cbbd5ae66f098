//! Negatives by rule, without a network: FGit's mutation baseline with names from the repository's
//! own vocabulary.

mod arguments;
mod imports;
mod names;

use std::sync::Arc;

use truefill_syntax::{Leaf, NameUse};

use super::generator::{Answered, Generator, Outcome, Proposal, Refusal};
use super::scene::Scene;
use super::vocabulary::Vocabulary;
use crate::contract::Parsed;
use crate::rows::HallucinationType;

/// Counts up with every change to the rules.
const VERSION: &str = "mutate-1";

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
    fn propose(&self, scene: &Scene, kind: HallucinationType) -> Result<Proposal, Refusal> {
        let words = self.vocabulary.of(&scene.context.repo);
        let golden = &scene.golden;
        let uses: &[NameUse] = match kind {
            HallucinationType::Method => &[NameUse::Call, NameUse::Method],
            HallucinationType::UndefinedVariable => &[NameUse::Variable, NameUse::Type],
            HallucinationType::Parameter => return arguments::propose(scene, words),
            HallucinationType::Import => return imports::propose(scene, words),
            HallucinationType::Similar => return Err(Refusal::NoSite),
        };
        let mut draw = scene.draw(kind.name());
        let mut sites: Vec<&Leaf> = sites(golden, uses);
        while !sites.is_empty() {
            let site = sites.swap_remove(draw.below(sites.len()));
            let pool = names::Pool::new(golden, words, uses);
            if let Some(new) = pool.invent(golden.text_of(site), &mut draw) {
                return Ok(Proposal::in_hole(replaced(golden, site, &new)));
            }
        }
        Err(Refusal::NoSite)
    }
}

/// Names in the hole that may be exchanged: they lie in it whole, and are not the language's own.
fn sites<'p>(golden: &'p Parsed, uses: &[NameUse]) -> Vec<&'p Leaf> {
    let special = [
        "self", "this", "super", "cls", "Self", "static", "parent", "raise", "puts", "require",
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

/// The hole's text with another name at `site`.
fn replaced(parsed: &Parsed, site: &Leaf, new: &str) -> String {
    let (start, end) = (parsed.hole.start, parsed.hole.end);
    let old = parsed.text_of(site);
    let bare = old.trim_start_matches(['@', '$']);
    let sigil = &old[..old.len() - bare.len()];
    let text = &parsed.text;
    [
        &text[start..site.range.start],
        sigil,
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
            let outcomes = kinds.map(|kind| Outcome {
                kind: Some(*kind),
                version: VERSION.to_owned(),
                result: Self::propose(self, scene, *kind),
            });
            Ok(outcomes.collect())
        })
    }
}
