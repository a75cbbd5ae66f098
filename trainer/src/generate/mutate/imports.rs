//! An import of what does not exist.

use std::ops::Range;

use truefill_syntax::{Draw, Language, Leaf, NameUse, symbols_of};

use super::names::Pool;
use super::ways::Way;
use super::{Made, replaced};
use crate::contract::Parsed;
use crate::generate::generator::{Proposal, Refusal};
use crate::generate::scene::Scene;
use crate::generate::vocabulary::Vocabulary;
use crate::generate::words::Style;

/// Roots that every file of a language has: only what follows them is exchanged.
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

pub(super) fn propose(scene: &Scene, vocabulary: &Vocabulary) -> Made {
    let (split, parsed) = scene.import()?;
    let mut draw = scene.draw("import");
    let mut sites = sites(parsed);
    while !sites.is_empty() {
        let site = sites.swap_remove(draw.below(sites.len()));
        if let Some((way, new)) = other_text(scene, parsed, &site, vocabulary, &mut draw) {
            let proposal = Proposal {
                rejected: replaced(parsed, &site.leaf, &new),
                split: Some(split.clone()),
            };
            return Ok((way.name(), proposal));
        }
    }
    Err(Refusal::NoSite)
}

/// A leaf that may be exchanged.
struct Site {
    leaf: Leaf,
    /// It is part of the module, and not a name that is taken from it.
    module: bool,
}

/// Names and parts of modules that the import takes from elsewhere, not what this file calls them.
fn sites(parsed: &Parsed) -> Vec<Site> {
    let imports = symbols_of(parsed.language, &parsed.text, &parsed.tree).imports;
    let overlap = |leaf: &Leaf, range: &Range<usize>| {
        range.start < leaf.range.end && leaf.range.start < range.end
    };
    let whole = |leaf: &&Leaf| {
        let (range, hole) = (&leaf.range, &parsed.hole);
        let word = parsed.text_of(leaf).chars().any(char::is_alphabetic);
        range.start >= hole.start && range.end <= hole.end && range.len() > 1 && word
    };
    let site = |leaf: &Leaf| {
        let mut of = imports.iter().filter_map(|import| {
            let name = overlap(leaf, &import.name_range);
            (name || overlap(leaf, &import.module_range)).then_some(!name)
        });
        let leaf = leaf.clone();
        of.next().map(|module| Site { leaf, module })
    };
    let leaves = parsed.hole_leaves().iter().filter(whole);
    let found: Vec<Site> = leaves.filter_map(site).collect();
    let known = |site: &Site| ROOTS.contains(&parsed.text_of(&site.leaf));
    found.into_iter().filter(|site| !known(site)).collect()
}

/// A name as [`Pool`] invents it; of a path the last part is exchanged that is no version.
fn other_text(
    scene: &Scene,
    parsed: &Parsed,
    site: &Site,
    vocabulary: &Vocabulary,
    draw: &mut Draw,
) -> Option<(Way, String)> {
    let old = parsed.text_of(&site.leaf);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let path = old.trim_end_matches(['"', '\'', '>', '`']);
    let mut end = path.len();
    if let Some((stem, extension)) = path.rsplit_once('.') {
        let short = extension.len() <= 4 && extension.chars().all(char::is_alphanumeric);
        if short && stem.contains(char::is_alphabetic) {
            end = stem.len();
        }
    }
    let mut start = begin(&path[..end], is_part);
    if is_version(&path[start..end])
        && let Some((link, _)) = path[..start].char_indices().next_back()
    {
        end = link;
        start = begin(&path[..end], is_part);
    }
    let part = &path[start..end];
    let uses: &[NameUse] = if part.starts_with(char::is_uppercase) {
        &[NameUse::Type, NameUse::Import]
    } else {
        &[NameUse::Import]
    };
    let pool = Pool::new(scene, parsed, vocabulary, uses);
    let pool = match module_style(parsed.language, path, part).filter(|_| site.module) {
        Some(style) => pool.of_modules(style),
        None => pool,
    };
    let (way, new) = pool.invent(part, draw)?;
    Some((way, [&old[..start], &new, &old[end..]].concat()))
}

/// Where the last part of a path begins.
fn begin(path: &str, is_part: impl Fn(char) -> bool) -> usize {
    path.rfind(|c: char| !is_part(c)).map_or(0, |at| {
        at + path[at..].chars().next().map_or(1, char::len_utf8)
    })
}

/// `v2` behind a Go module.
fn is_version(part: &str) -> bool {
    let digits = part.strip_prefix('v').unwrap_or("");
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// How the language writes modules and packages; nothing for a part that is written like a type.
fn module_style(language: Language, path: &str, part: &str) -> Option<Style> {
    if part.chars().any(char::is_uppercase) {
        return None;
    }
    match language {
        Language::Go | Language::Java => Some(Style::Flat),
        _ if language.is_ecmascript() => {
            let own = path.trim_start_matches(['"', '\'', '`']).starts_with('.');
            Some(if own { Style::Camel } else { Style::Kebab })
        }
        Language::Python | Language::Ruby | Language::Rust | Language::Cpp => Some(Style::Snake),
        _ => Some(Style::Pascal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Context;

    /// A scope's sign is part of the path, and stays the only one.
    #[test]
    fn a_scoped_package_keeps_its_scope() {
        let parts = ["", "import { load } from '@acme/core';", "\nload();\n"];
        let vocabulary = Vocabulary::default();
        let mut packages = 0;
        for seed in 0..40 {
            let context = Context::of_file(Language::TypeScript, "o/r", "MIT", "a.ts", parts);
            let scene = Scene::new(context, seed).expect("parses");
            let (_, made) = propose(&scene, &vocabulary).expect("a site");
            let (split, golden) = scene.import().expect("an import");
            assert_eq!(made.split.as_ref(), Some(split));
            packages += usize::from(made.rejected.starts_with("import { load } from '@acme/"));
            let signs = |text: &str| text.matches(['@', '/', '\'', '{', '}']).collect::<String>();
            assert_eq!(
                signs(&made.rejected),
                signs(golden.in_hole()),
                "{}",
                made.rejected
            );
        }
        assert!(packages > 0);
    }

    /// What stands before a version may be a character of many bytes.
    #[test]
    fn a_part_before_a_version_may_end_in_any_sign() {
        for path in ["./lib·v2", "./lib/v2", "./·v2", "·v2", "v2"] {
            let line = format!("import {{ load }} from \"{path}\";");
            let parts = ["", &*line, "\nload();\n"];
            let context = Context::of_file(Language::TypeScript, "o/r", "MIT", "a.ts", parts);
            let scene = Scene::new(context, 1).expect("parses");
            let vocabulary = Vocabulary::default();
            for seed in 0..8 {
                let mut draw = Draw::new(seed);
                for site in sites(&scene.golden) {
                    let made = other_text(&scene, &scene.golden, &site, &vocabulary, &mut draw);
                    if let Some((_, text)) = made.filter(|_| site.module && path.contains("lib")) {
                        assert!(text.contains("v2") && !text.contains(path), "{text}");
                    }
                }
            }
        }
    }
}
