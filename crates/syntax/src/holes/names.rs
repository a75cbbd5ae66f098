//! The names in a hole, and names that nobody has defined.

use std::ops::Range;

use crate::{
    guard::NameKind,
    language::Language,
    parse::parse,
    roles::{Role, role, walk},
};

use super::Draw;

/// A name that is used at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSite {
    /// What it is used as.
    pub kind: NameKind,
    /// Its place in the text, in bytes, sigils excluded.
    pub range: Range<usize>,
}

/// The names that `text` uses inside of `range`, definitions excluded.
#[must_use]
pub fn name_sites(language: Language, text: &str, range: Range<usize>) -> Vec<NameSite> {
    let Some(tree) = parse(language, text) else {
        return Vec::new();
    };
    let mut sites = Vec::new();
    walk(language, &tree, range.clone(), |path| {
        let leaf = path.leaf();
        let place = leaf.byte_range();
        if !path.last().what.is_name || place.start < range.start || place.end > range.end {
            return;
        }
        let kind = match role(language, text, path) {
            Role::Variable => NameKind::Identifier,
            Role::Call => NameKind::Call,
            Role::Type => NameKind::Type,
            Role::Member { .. } | Role::Scoped { .. } => NameKind::Member,
            Role::Keyword { .. } | Role::FieldOf => NameKind::Keyword,
            Role::Import => NameKind::Import,
            Role::Define(_) | Role::Ignore => return,
        };
        let word = &text[place.clone()];
        let bare = word.trim_start_matches(['@', '$', '#']);
        let special = matches!(
            bare,
            "self" | "this" | "super" | "cls" | "Self" | "static" | "parent"
        );
        if bare.len() > 1 && !special {
            sites.push(NameSite {
                kind,
                range: place.end - bare.len()..place.end,
            });
        }
    });
    sites
}

/// Parts of names that occur in code of every kind.
const PARTS: &[&str] = &[
    "get", "set", "load", "fetch", "build", "create", "update", "resolve", "apply", "handle",
    "parse", "render", "compute", "validate", "register", "extract", "merge", "collect",
    "dispatch", "convert", "item", "value", "state", "config", "context", "result", "node",
    "entry", "buffer", "record", "options", "handler", "session", "request", "index", "key",
    "path", "data", "list", "map", "size", "count", "type", "name", "user", "cache", "token",
    "group", "target", "source", "default",
];

/// A name that looks as if it belonged where `name` stands: one part of it is exchanged, or one is
/// added, in the same style of writing. `is_taken` says which names exist; `None` if every try
/// exists.
#[must_use]
pub fn invent_name(name: &str, draw: &mut Draw, is_taken: &dyn Fn(&str) -> bool) -> Option<String> {
    for _ in 0..40 {
        let part = PARTS[draw.below(PARTS.len())];
        let invented = if draw.below(3) == 0 {
            add(name, part)
        } else {
            exchange(name, part, draw)
        };
        if invented != name && !is_taken(&invented) {
            return Some(invented);
        }
    }
    None
}

fn parts(name: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let bytes = name.as_bytes();
    for at in 1..name.len() {
        let upper = bytes[at].is_ascii_uppercase() && !bytes[at - 1].is_ascii_uppercase();
        let underscore = bytes[at] == b'_' || bytes[at - 1] == b'_';
        if (upper || underscore) && name.is_char_boundary(at) {
            found.push(&name[start..at]);
            start = at;
        }
    }
    found.push(&name[start..]);
    found
}

fn like(part: &str, model: &str) -> String {
    let upper = model.len() > 1 && model.chars().all(|c| c.is_uppercase() || c.is_numeric());
    if upper {
        part.to_uppercase()
    } else if model.starts_with(|c: char| c.is_uppercase()) {
        let mut chars = part.chars();
        chars.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(chars).collect()
        })
    } else {
        part.to_owned()
    }
}

fn add(name: &str, part: &str) -> String {
    let upper = name.chars().all(|c| !c.is_lowercase());
    if name.contains('_') || upper || !name.chars().any(char::is_uppercase) {
        let part = if upper {
            part.to_uppercase()
        } else {
            part.to_owned()
        };
        format!("{name}_{part}")
    } else {
        format!("{name}{}", like(part, "Xx"))
    }
}

fn exchange(name: &str, part: &str, draw: &mut Draw) -> String {
    let found = parts(name);
    let words: Vec<usize> = (0..found.len()).filter(|&at| found[at] != "_").collect();
    if words.len() < 2 {
        return add(name, part);
    }
    let chosen = words[draw.below(words.len())];
    let exchanged = found.iter().enumerate().map(|(at, old)| {
        if at == chosen {
            like(part, old)
        } else {
            (*old).to_owned()
        }
    });
    exchanged.collect()
}
