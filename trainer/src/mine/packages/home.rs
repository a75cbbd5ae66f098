//! Which repository a source comes from.
//!
//! Packages are released many times, and one repository may release many packages. Rows that share
//! a repository must share its split and its cap, so an archive is called by the repository that its
//! own manifest declares, and where it declares none by its name without the version.

use std::sync::LazyLock;

use regex::Regex;

use super::Meta;
use crate::mine::source::{Kind, Source, repository_name};

/// Hosts on which the first two parts of a path are an owner and a repository, in any letters.
const FORGES: &[&str] = &[
    "github.com",
    "gitlab.com",
    "bitbucket.org",
    "codeberg.org",
    "gitee.com",
    "git.sr.ht",
];

/// Hosts that give modules of Go a name, behind which the repository lies.
const GO_HOSTS: &[&str] = &[
    "golang.org",
    "google.golang.org",
    "go.uber.org",
    "gopkg.in",
    "k8s.io",
    "sigs.k8s.io",
];

/// `host/owner/name` of an address, if it is one of a repository: a project's home page is none.
pub fn normalised(address: &str) -> Option<String> {
    let address = address.trim();
    // Maven: `scm:`, the provider, and an address.
    let scm = address
        .strip_prefix("scm:")
        .and_then(|scm| scm.split_once(':'));
    let bare = scm.map_or(address, |(_, address)| address);
    let is_git = address.starts_with("git+")
        || address.starts_with("scm:git:")
        || address.trim_end_matches('/').ends_with(".git");
    let whole = repository_name(bare)?;
    let whole = whole.strip_prefix("www.").unwrap_or(&whole);
    let mut parts: Vec<&str> = whole.split('/').filter(|part| !part.is_empty()).collect();
    let host = parts.first()?.split(':').next()?.to_ascii_lowercase();
    if FORGES.contains(&&*host) {
        let [_, owner, name, ..] = parts.as_slice() else {
            return None;
        };
        let name = name.trim_end_matches(".git");
        return Some(format!("{host}/{owner}/{name}").to_ascii_lowercase());
    }
    if GO_HOSTS.contains(&&*host) {
        parts.truncate(if host == "golang.org" { 3 } else { 2 });
        return (parts.len() > 1).then(|| parts.join("/"));
    }
    // Groups may nest; what follows is a place in the repository.
    let end = parts
        .iter()
        .position(|part| matches!(*part, "-" | "tree" | "blob" | "browse"));
    parts.truncate(end.unwrap_or(parts.len()));
    let forge = host.starts_with("git.") || host.starts_with("gitlab.") || is_git;
    (forge && parts.len() > 2).then(|| [&*host, &parts[1..].join("/")].join("/"))
}

/// What rows call a source's repository.
///
/// A clone knows its remote. Of manifests those count that stand beside all files, or in the one
/// folder around them: a manifest further in is an example's, or a package's of a workspace.
pub fn repository(source: &Source, metas: &[Meta]) -> String {
    if source.kind == Kind::Clone && source.name.contains('/') {
        return normalised(&source.name).unwrap_or_else(|| source.name.clone());
    }
    let deepest = usize::from(matches!(source.kind, Kind::Archive(_)));
    let declared = metas.iter().filter_map(|meta| {
        let depth = depth(&meta.folder);
        let address = normalised(meta.repository.as_deref()?)?;
        (depth <= deepest).then_some((depth, &meta.name, address))
    });
    match declared.min() {
        Some((_, _, address)) => address,
        None if matches!(source.kind, Kind::Archive(_)) => without_version(&source.name),
        None => source.name.clone(),
    }
}

/// Folders around a manifest's folder; a jar keeps its manifest in a place of its own.
fn depth(folder: &str) -> usize {
    let parts = folder.split('/').filter(|part| !part.is_empty());
    match folder.starts_with("META-INF/maven/") {
        true => 0,
        false => parts.count(),
    }
}

/// `serde-1.0.200` is `serde`, and `Newtonsoft.Json.13.0.1` is `Newtonsoft.Json`.
fn without_version(name: &str) -> String {
    static VERSION: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(.+?)(?:[-@_]v?\d+(?:[.+\-#].*)?|(?:\.\d+){2,}(?:[-+#].*)?|#\d+)$").ok()
    });
    let found = VERSION.as_ref().and_then(|version| version.captures(name));
    found.map_or_else(|| name.to_owned(), |found| found[1].to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn addresses_of_one_repository_are_one_name() {
        for (address, expected) in [
            (
                "https://github.com/Own/Name.git",
                Some("github.com/own/name"),
            ),
            (
                "git+https://github.com/own/name.git#main",
                Some("github.com/own/name"),
            ),
            (
                "https://github.com/own/name/tree/main/packages/a",
                Some("github.com/own/name"),
            ),
            ("git@github.com:own/name.git", Some("github.com/own/name")),
            (
                "scm:git:git://github.com/own/name.git",
                Some("github.com/own/name"),
            ),
            (
                "scm:git:git@github.com:own/name",
                Some("github.com/own/name"),
            ),
            (
                "https://gitlab.example.org/a/b/c/-/tree/x",
                Some("gitlab.example.org/a/b/c"),
            ),
            (
                "https://github.com/own/name/v2",
                Some("github.com/own/name"),
            ),
            ("https://golang.org/x/net", Some("golang.org/x/net")),
            ("https://gopkg.in/yaml.v3", Some("gopkg.in/yaml.v3")),
            ("https://own.dev/docs/name", None),
            ("https://github.com/own", None),
            ("", None),
        ] {
            assert_eq!(normalised(address).as_deref(), expected, "{address}");
        }
    }

    fn meta(folder: &str, repository: &str) -> Meta {
        Meta {
            folder: folder.into(),
            name: "package.json".into(),
            repository: Some(repository.into()),
            ..Meta::default()
        }
    }

    #[test]
    fn versions_and_packages_of_a_repository_are_one() {
        let named = |file: &str, metas: &[Meta]| repository(&Source::at(Path::new(file)), metas);
        let declared = [
            meta("package/examples/x", "https://github.com/else/where"),
            meta("package", "https://github.com/visgl/deck.gl.git"),
        ];
        for file in ["deck.gl-core-9.0.1.tgz", "deck.gl-layers-9.1.0.tgz"] {
            assert_eq!(named(file, &declared), "github.com/visgl/deck.gl");
        }
        let home_page = [meta("", "https://example.org/docs/x")];
        for (file, expected) in [
            ("x-1.0.tgz", "x"),
            ("x-1.1.tgz", "x"),
            ("a-1.0-py3-none-any.whl", "a"),
            ("commons-lang3-3.12.0-sources.jar", "commons-lang3"),
            ("Newtonsoft.Json.13.0.1.nupkg", "Newtonsoft.Json"),
            ("name-v2.tar.gz", "name"),
            ("lib-3d.tar.gz", "lib-3d"),
            ("plain.zip", "plain"),
        ] {
            assert_eq!(named(file, &home_page), expected);
        }
        let mut again = Source::at(Path::new("x-1.0.tgz"));
        again.name.push_str("#2");
        assert_eq!(repository(&again, &[]), "x");
    }
}
