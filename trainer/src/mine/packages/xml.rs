//! Manifests in XML. Document types are refused by the reader, and with them entities that grow.

use roxmltree::{Document, Node};
use truefill_syntax::Language;

use super::manifest::Meta;

fn element<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children()
        .find(|child| child.tag_name().name() == name)
}

fn child<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    element(node, name)?.text().map(str::trim)
}

/// What stands for `${…}` in a pom, as far as the file itself says it: nothing where a parent in
/// another file does.
fn resolved<'a>(root: Node<'a, '_>, written: &'a str) -> Option<&'a str> {
    let Some(name) = written.strip_prefix("${") else {
        return Some(written).filter(|written| !written.contains("${"));
    };
    let name = name.strip_suffix('}')?;
    let own = ["project.", "pom."];
    let value = match own.iter().find_map(|own| name.strip_prefix(own)) {
        Some(key) => inherited(root, key),
        None => child(element(root, "properties")?, name),
    };
    value.filter(|value| !value.contains("${"))
}

/// A project's own value, or the one of the parent that it names.
fn inherited<'a>(root: Node<'a, '_>, key: &str) -> Option<&'a str> {
    child(root, key).or_else(|| child(element(root, "parent")?, key))
}

pub(super) fn pom(text: &str, meta: &mut Meta) {
    let Ok(document) = Document::parse(text) else {
        return;
    };
    let root = document.root_element();
    let group = inherited(root, "groupId");
    meta.owns(Language::Java, group.unwrap_or(""));
    for node in document.descendants() {
        match node.tag_name().name() {
            "license" => {
                let written = child(node, "name").or_else(|| child(node, "url"));
                meta.license(written.unwrap_or(""));
            }
            "scm" => {
                let address = child(node, "url").or_else(|| child(node, "connection"));
                meta.repository = address.map(str::to_owned);
            }
            "dependency" => {
                let key = |name: &str| resolved(root, child(node, name)?);
                if let (Some(group), Some(artifact)) = (key("groupId"), key("artifactId")) {
                    let name = format!("{group}:{artifact}");
                    meta.declare(Language::Java, &name, key("version").unwrap_or(""));
                }
            }
            _ => {}
        }
    }
}

/// `*.csproj`, `*.nuspec`, `packages.config` and the shared property files.
pub(super) fn dotnet(text: &str, meta: &mut Meta) {
    let text = text.trim_start_matches('\u{feff}');
    let Ok(document) = Document::parse(text) else {
        return;
    };
    for node in document.descendants() {
        let attribute = |name: &str| node.attribute(name).unwrap_or("");
        let words = node.text().unwrap_or("").trim();
        match node.tag_name().name() {
            "PackageLicenseExpression" | "license" => meta.license(words),
            "RepositoryUrl" => meta.repository = Some(words.to_owned()),
            // Of a package's description; a source of packages has a `key` in its place.
            "repository" if !attribute("url").is_empty() => {
                meta.repository = Some(attribute("url").to_owned());
            }
            "RootNamespace" | "AssemblyName" => meta.owns(Language::CSharp, words),
            "PackageReference" | "PackageVersion" => {
                let version = node.attribute("Version").or_else(|| child(node, "Version"));
                meta.declare(
                    Language::CSharp,
                    attribute("Include"),
                    version.unwrap_or(""),
                );
            }
            "package" | "dependency" => {
                meta.declare(Language::CSharp, attribute("id"), attribute("version"));
            }
            _ => {}
        }
    }
}
