//! The licence that a file's own first lines name.

use super::{GNU, NOT_FREE};

/// Phrases of the GNU family and of others that are not permissive, in small letters, first: a
/// file under two licences is not under the better one.
const PHRASES: &[(&str, &str)] = &[
    ("gnu general public license", GNU),
    ("gnu lesser general public", GNU),
    ("gnu library general public", GNU),
    ("gnu affero general public", GNU),
    ("server side public license", "SSPL-1.0"),
    ("elastic license", "Elastic-2.0"),
    ("business source license", "BUSL-1.1"),
    ("attribution-noncommercial", NOT_FREE),
    ("cc by-nc", NOT_FREE),
    ("cc-by-nc", NOT_FREE),
    ("proprietary and confidential", NOT_FREE),
    ("strictly confidential", NOT_FREE),
    ("unauthorized copying of this file", NOT_FREE),
    ("mozilla public license", "MPL-2.0"),
    ("eclipse public license", "EPL-2.0"),
    ("common development and distribution license", "CDDL-1.0"),
    ("microsoft limited public license", "MS-LPL"),
    (
        "all advertising materials mentioning features",
        "BSD-4-Clause",
    ),
    (
        "licensed under the apache license, version 2.0",
        "Apache-2.0",
    ),
    ("under the apache license, version 2.0", "Apache-2.0"),
    ("http://www.apache.org/licenses/license-2.0", "Apache-2.0"),
    ("boost software license, version 1.0", "BSL-1.0"),
    ("boost software license - version 1.0", "BSL-1.0"),
    (
        "permission is hereby granted, free of charge, to any person obtaining",
        "MIT",
    ),
    ("under the mit license", "MIT"),
    ("under the terms of the mit license", "MIT"),
    (
        "permission to use, copy, modify, and/or distribute this software for any",
        "ISC",
    ),
];

/// Short names of the GNU family, as one word.
const ABBREVIATIONS: &[&str] = &["gpl", "lgpl", "agpl"];

/// The expression that a header names, if it names one.
pub fn in_header(head: &str) -> Option<String> {
    if let Some(written) = tagged(head) {
        return Some(written);
    }
    let plain = flat(head);
    if plain.split([' ', '(', ')', '/', ',']).any(is_gnu) {
        return Some(GNU.to_owned());
    }
    if let Some((_, licence)) = PHRASES.iter().find(|(phrase, _)| plain.contains(phrase)) {
        return Some((*licence).to_owned());
    }
    let bsd = plain.contains("redistribution and use in source and binary forms");
    let named = plain.contains("neither the name") || plain.contains("may not be used to endorse");
    bsd.then(|| {
        if named {
            "BSD-3-Clause"
        } else {
            "BSD-2-Clause"
        }
        .to_owned()
    })
}

/// `GPLv2`, `LGPL-3.0+`, `AGPL3`, but not `gplot`.
fn is_gnu(word: &str) -> bool {
    ABBREVIATIONS.iter().any(|short| {
        word.strip_prefix(short).is_some_and(|version| {
            let version = version.strip_prefix(['-', 'v']).unwrap_or(version);
            version
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b".+;:-".contains(&byte))
        })
    })
}

/// `SPDX-License-Identifier: …`
fn tagged(head: &str) -> Option<String> {
    let (_, rest) = head.split_once("SPDX-License-Identifier:")?;
    let line = rest.lines().next()?;
    let written = line
        .trim()
        .trim_end_matches("*/")
        .trim_end_matches("-->")
        .trim();
    // What SPDX does not know is a licence all the same, and not an allowed one.
    Some(super::canonical(written).unwrap_or_else(|| "LicenseRef-unknown".to_owned()))
}

/// Small letters, without the signs of comments and with single spaces.
pub(super) fn flat(head: &str) -> String {
    let mut flat = String::with_capacity(head.len());
    for word in head.split_whitespace() {
        let word = word.trim_start_matches(['*', '#', '/', ';', '-']);
        if !word.is_empty() {
            flat.push_str(&word.to_ascii_lowercase());
            flat.push(' ');
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_their_licence() {
        for (head, expected) in [
            (
                "// SPDX-License-Identifier: MIT OR Apache-2.0\n",
                Some("MIT OR Apache-2.0"),
            ),
            (
                "/* SPDX-License-Identifier: GPL-2.0-only */",
                Some("GPL-2.0-only"),
            ),
            (
                "# SPDX-License-Identifier: my own\n",
                Some("LicenseRef-unknown"),
            ),
            (
                " * This is free software under the GNU\n * General Public License\n",
                Some(GNU),
            ),
            (
                "// Licensed under the Apache License,\n// Version 2.0 (the \"License\")\n",
                Some("Apache-2.0"),
            ),
            (
                "# Redistribution and use in source and\n# binary forms\n# Neither the name of",
                Some("BSD-3-Clause"),
            ),
            ("// Licensed under the GPLv2.\n", Some(GNU)),
            ("# released under LGPL-2.1+ terms\n", Some(GNU)),
            ("// draws with gplot, see gpl_table\n", None),
            ("// Server Side Public License, v 1\n", Some("SSPL-1.0")),
            ("// Proprietary and confidential.\n", Some(NOT_FREE)),
            ("# CC BY-NC 4.0\n", Some(NOT_FREE)),
            (
                "// Use of this source code is governed by a BSD-style license\n",
                None,
            ),
            ("import os\n", None),
        ] {
            assert_eq!(in_header(head).as_deref(), expected, "{head}");
        }
    }
}
