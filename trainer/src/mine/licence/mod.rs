//! Under which licence a file is: its own header, else the nearest folder above it that declares
//! one, in a manifest or as a licence's text.

mod header;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use spdx::{Expression, ParseMode};

pub use header::in_header;
pub use texts::{in_text, is_licence_file};

/// What stands for a licence of the GNU family whose version was not read.
const GNU: &str = "GPL-2.0-or-later";

/// What stands for terms that are no licence of free software.
const NOT_FREE: &str = "LicenseRef-not-free";

/// Licences by folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licences {
    folders: BTreeMap<String, Declared>,
}

/// What a folder declares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Declared {
    /// By manifests: where they say different things, all of it applies.
    manifest: Option<String>,
    /// By texts; several apply together, unless their names offer a choice.
    texts: BTreeSet<String>,
    choice: bool,
}

impl Licences {
    /// Adds a manifest's licence, as it is written there.
    pub fn declare(&mut self, folder: &str, written: &str) {
        if let Some(licence) = canonical(written) {
            let declared = self.folders.entry(folder.to_owned()).or_default();
            declared.manifest = Some(match declared.manifest.take() {
                Some(known) => both(&known, &licence),
                None => licence,
            });
        }
    }

    /// Adds a licence's text; `name` is its file's.
    pub fn text(&mut self, folder: &str, name: &str, licence: String) {
        let declared = self.folders.entry(folder.to_owned()).or_default();
        // `LICENSE-MIT` beside `LICENSE-APACHE` is a choice.
        declared.choice |= name.to_ascii_uppercase().contains("-MIT")
            || name.to_ascii_uppercase().contains("-APACHE");
        declared.texts.insert(licence);
    }

    /// The licence of the file at `path`, whose header says `header`.
    pub fn of(&self, path: &str, header: Option<&str>) -> Option<String> {
        if let Some(header) = header {
            return Some(header.to_owned());
        }
        let mut folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        loop {
            if let Some(licence) = self.folders.get(folder).and_then(Declared::licence) {
                return Some(licence);
            }
            if folder.is_empty() {
                return None;
            }
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
}

impl Declared {
    fn licence(&self) -> Option<String> {
        let joint = if self.choice { " OR " } else { " AND " };
        let texts: Vec<&str> = self.texts.iter().map(String::as_str).collect();
        let written = (!texts.is_empty()).then(|| texts.join(joint));
        match (&self.manifest, written) {
            // A manifest that says MIT beside the text of another licence proves nothing.
            (Some(manifest), Some(written)) => {
                let known = self.texts.iter().any(|text| mentions(manifest, text));
                Some(if known {
                    manifest.clone()
                } else {
                    both(manifest, &written)
                })
            }
            (Some(manifest), None) => Some(manifest.clone()),
            (None, written) => written,
        }
    }
}

/// The expression has the licence in it.
fn mentions(expression: &str, licence: &str) -> bool {
    let mut parts = expression.split([' ', '(', ')']);
    expression == licence || parts.any(|part| part == licence)
}

/// What has to be met where two declarations are given.
pub fn both(first: &str, second: &str) -> String {
    if mentions(first, second) {
        return first.to_owned();
    }
    let closed = |expression: &str| {
        if expression.contains(" OR ") {
            format!("({expression})")
        } else {
            expression.to_owned()
        }
    };
    format!("{} AND {}", closed(first), closed(second))
}

/// What people write, as an SPDX expression; `None` where that cannot be told.
pub fn canonical(written: &str) -> Option<String> {
    let written = written.trim().trim_matches(['"', '\'']).trim();
    if written.is_empty() || written.len() > 200 {
        return None;
    }
    // What package managers write for "all rights reserved", one letter from a free licence.
    if written.eq_ignore_ascii_case("UNLICENSED") {
        return Some("LicenseRef-unlicensed".to_owned());
    }
    if Expression::parse(written).is_ok() {
        return Some(written.to_owned());
    }
    if let Ok(Some(better)) = Expression::canonicalize(written) {
        return Some(better);
    }
    // `MIT/Apache-2.0`
    let spaced = written
        .replace('/', " OR ")
        .replace(" or ", " OR ")
        .replace(" and ", " AND ");
    if Expression::parse_mode(&spaced, ParseMode::LAX).is_ok() {
        return Expression::canonicalize(&spaced)
            .ok()
            .flatten()
            .or(Some(spaced));
    }
    by_name(written)
}

/// Long names, as package managers of Java, Python and PHP have them.
fn by_name(written: &str) -> Option<String> {
    let lower = written.to_ascii_lowercase();
    let has = |word: &str| lower.contains(word);
    let id = if has("gpl") || has("gnu ") {
        GNU
    } else if has("apache") && has("2") {
        "Apache-2.0"
    } else if has("mit license") || has("mit licence") || lower == "expat" {
        "MIT"
    } else if has("3-clause") || has("new bsd") || has("modified bsd") || has("revised bsd") {
        "BSD-3-Clause"
    } else if has("2-clause") || has("simplified bsd") || has("freebsd") {
        "BSD-2-Clause"
    } else if has("isc license") || has("(iscl)") {
        "ISC"
    } else if has("mozilla public") {
        "MPL-2.0"
    } else if has("eclipse public") {
        "EPL-2.0"
    } else if has("boost software") {
        "BSL-1.0"
    } else if has("python software foundation") {
        "PSF-2.0"
    } else if has("unlicense") {
        "Unlicense"
    } else if has("zlib") {
        "Zlib"
    } else {
        return spdx::imprecise_license_id(written)
            .filter(|(_, read)| *read == written.len())
            .map(|(id, _)| id.name.to_owned());
    };
    Some(id.to_owned())
}

/// The expression can be met with the allowed licences alone. An exception (`WITH`) only adds
/// permissions.
pub fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    Expression::parse_mode(expression, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|licence| {
            licence
                .license
                .id()
                .is_some_and(|id| allowed.iter().any(|name| name == id.name))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::recipe::Recipe;

    #[test]
    fn what_people_write_becomes_spdx() {
        for (written, expected) in [
            ("MIT", Some("MIT")),
            ("MIT OR Apache-2.0", Some("MIT OR Apache-2.0")),
            ("MIT/Apache-2.0", Some("MIT OR Apache-2.0")),
            ("Apache License, Version 2.0", Some("Apache-2.0")),
            ("The MIT License", Some("MIT")),
            ("BSD 3-Clause License", Some("BSD-3-Clause")),
            ("GNU LGPL v3", Some(GNU)),
            ("UNLICENSED", Some("LicenseRef-unlicensed")),
            ("Unlicense", Some("Unlicense")),
            ("proprietary", None),
            ("", None),
        ] {
            assert_eq!(canonical(written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn the_allow_list_decides_expressions() {
        let allowed = Recipe::default().licences;
        for (expression, expected) in [
            ("MIT", true),
            ("MIT OR GPL-3.0-only", true),
            ("MIT AND GPL-3.0-only", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("GPL-2.0-or-later", false),
            ("LicenseRef-x", false),
            ("nonsense !", false),
        ] {
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn the_nearest_folder_decides_and_the_header_above_all() {
        let mut licences = Licences::default();
        licences.declare("", "MIT");
        licences.declare("copied/lib", "GPL-3.0-only");
        licences.text("two", "LICENSE-MIT", "MIT".into());
        licences.text("two", "LICENSE-APACHE", "Apache-2.0".into());
        licences.text("both", "COPYING", "MIT".into());
        licences.text("both", "LICENSE", "MPL-2.0".into());
        licences.declare("odd", "MIT");
        licences.text("odd", "LICENSE", "GPL-3.0-only".into());
        licences.declare("same", "MIT OR Apache-2.0");
        licences.text("same", "LICENSE", "MIT".into());
        licences.declare("several", "MIT OR Apache-2.0");
        licences.declare("several", "GPL-2.0-only");
        for (path, header, expected) in [
            ("src/a.rs", None, "MIT"),
            ("copied/lib/src/a.c", None, "GPL-3.0-only"),
            ("copied/a.c", None, "MIT"),
            ("two/a.rs", None, "Apache-2.0 OR MIT"),
            ("both/a.rs", None, "MIT AND MPL-2.0"),
            ("odd/a.rs", None, "MIT AND GPL-3.0-only"),
            ("same/a.rs", None, "MIT OR Apache-2.0"),
            ("several/a.rs", None, "(MIT OR Apache-2.0) AND GPL-2.0-only"),
            ("src/a.rs", Some("ISC"), "ISC"),
        ] {
            assert_eq!(
                licences.of(path, header).as_deref(),
                Some(expected),
                "{path}"
            );
        }
        assert_eq!(Licences::default().of("a", None), None);
    }
}
