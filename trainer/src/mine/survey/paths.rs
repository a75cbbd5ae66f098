//! What a file's path says.

use std::path::Path;

use truefill_syntax::{Language, MAX_PARSE_BYTES};

use crate::mine::reason::Reason;

/// Folders of other people's code and of built code, in small letters. After the list that GitHub's
/// linguist keeps; folders that often hold a project's own code (`build`, `lib`, `deps`) are not on
/// it, built code is known by its text too.
const VENDORED: &[&str] = &[
    "node_modules",
    "bower_components",
    "jspm_packages",
    "vendor",
    "vendors",
    "vendored",
    "_vendor",
    "_vendored",
    "third_party",
    "third-party",
    "thirdparty",
    "3rdparty",
    "3rd-party",
    "3rd_party",
    "external",
    "externals",
    "extern",
    "godeps",
    "carthage",
    "pods",
    "dist",
    "venv",
    ".venv",
    "virtualenv",
    "__pycache__",
    ".eggs",
    ".yarn",
];

/// Ends of names of files that programs write, in small letters.
const GENERATED: &[&str] = &[
    ".pb.go",
    ".pb.gw.go",
    "_pb2.py",
    "_pb2.pyi",
    "_pb2_grpc.py",
    "_pb.js",
    "_pb.d.ts",
    "_pb.rb",
    ".pb.h",
    ".pb.cc",
    ".pb.rs",
    ".g.cs",
    ".g.i.cs",
    ".designer.cs",
    ".generated.cs",
    ".generated.go",
    ".generated.ts",
    "zz_generated.deepcopy.go",
    "_generated.go",
    "_string.go",
    ".gen.go",
    ".gen.ts",
    // Written by the compiler beside the code that it compiles.
    ".d.ts",
    ".d.mts",
    ".d.cts",
];

/// Ends of names of files that were packed for a browser.
const MINIFIED: &[&str] = &[
    ".min.js",
    "-min.js",
    ".min.mjs",
    ".bundle.js",
    ".umd.js",
    ".iife.js",
    ".prod.js",
    ".production.js",
];

/// The language of a file by its path.
pub fn language(path: &str) -> Option<Language> {
    Language::from_path(Path::new(path))
}

/// Why a file is not even read.
pub fn refusal(path: &str, bytes: u64) -> Option<Reason> {
    let lower = path.to_ascii_lowercase();
    let (folders, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let ends = |list: &[&str]| list.iter().any(|end| name.ends_with(end));
    if folders.split('/').any(|part| VENDORED.contains(&part)) {
        Some(Reason::Vendored)
    } else if ends(GENERATED) {
        Some(Reason::Generated)
    } else if ends(MINIFIED) {
        Some(Reason::Minified)
    } else if truefill_journal::redact::is_denied_path(path) {
        Some(Reason::Secret)
    } else if bytes > MAX_PARSE_BYTES as u64 {
        Some(Reason::TooLarge)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_copied_and_written_code() {
        for (path, expected) in [
            ("a/node_modules/b/c.js", Some(Reason::Vendored)),
            ("a/Vendor/c.go", Some(Reason::Vendored)),
            ("vendor.go", None),
            ("a/api.pb.go", Some(Reason::Generated)),
            ("index.d.ts", Some(Reason::Generated)),
            ("a/jquery.min.js", Some(Reason::Minified)),
            (".ssh/config.py", Some(Reason::Secret)),
            ("src/build/mod.rs", None),
        ] {
            assert_eq!(refusal(path, 10), expected, "{path}");
        }
        assert_eq!(refusal("a.py", 2 << 20), Some(Reason::TooLarge));
    }
}
