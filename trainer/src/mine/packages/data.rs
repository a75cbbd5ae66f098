//! Manifests in TOML and JSON.

use serde_json::Value;
use truefill_syntax::Language;

use super::manifest::Meta;

/// TOML read into JSON's model, so that both are asked alike.
fn toml(text: &str) -> Value {
    toml::from_str::<toml::Table>(text)
        .ok()
        .and_then(|table| serde_json::to_value(table).ok())
        .unwrap_or_default()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path)?.as_str()
}

fn entries<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value
        .pointer(path)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn items<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

pub(super) fn cargo(written: &str, meta: &mut Meta) {
    let file = toml(written);
    for package in ["/package", "/workspace/package"] {
        let key = |name: &str| text(&file, &format!("{package}/{name}"));
        if let Some(name) = key("name") {
            meta.owns(Language::Rust, &name.replace('-', "_"));
        }
        if let Some(licence) = key("license") {
            meta.license(licence);
        }
        meta.repository = meta
            .repository
            .take()
            .or(key("repository").map(str::to_owned));
    }
    let mut tables = vec!["/workspace".to_owned(), String::new()];
    tables.extend(
        entries(&file, "/target")
            .map(|(name, _)| format!("/target/{}", name.replace('~', "~0").replace('/', "~1"))),
    );
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in entries(&file, &format!("{table}/{kind}")) {
                let version = value.as_str().or(text(value, "/version")).unwrap_or("");
                // The key is what code imports; a package that is renamed keeps both names.
                meta.declare(Language::Rust, name, version);
                if let Some(package) = text(value, "/package") {
                    meta.declare(Language::Rust, package, version);
                }
            }
        }
    }
}

pub(super) fn pyproject(written: &str, meta: &mut Meta) {
    let file = toml(written);
    for table in ["/project", "/tool/poetry"] {
        let key = |name: &str| text(&file, &format!("{table}/{name}"));
        if let Some(name) = key("name") {
            meta.owns(Language::Python, &python_name(name));
        }
        for licence in ["license", "license/text"] {
            meta.license(key(licence).unwrap_or(""));
        }
        for classifier in items(&file, &format!("{table}/classifiers")) {
            python_classifier(classifier.as_str().unwrap_or(""), meta);
        }
        for (name, url) in entries(&file, &format!("{table}/urls")) {
            let named = ["repository", "source", "source code", "homepage"]
                .contains(&&*name.to_lowercase());
            let url = url.as_str().filter(|_| named).map(str::to_owned);
            meta.repository = meta.repository.take().or(url);
        }
    }
    for requirement in items(&file, "/project/dependencies") {
        python_requirement(requirement.as_str().unwrap_or(""), meta);
    }
    for (_, extra) in entries(&file, "/project/optional-dependencies") {
        for requirement in extra.as_array().into_iter().flatten() {
            python_requirement(requirement.as_str().unwrap_or(""), meta);
        }
    }
    for (name, value) in entries(&file, "/tool/poetry/dependencies") {
        let version = value.as_str().or(text(value, "/version")).unwrap_or("");
        meta.declare(Language::Python, &python_name(name), version);
    }
}

/// A distribution's name as its module is called most often.
pub(super) fn python_name(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace(['-', '.'], "_")
}

/// `name[extra] >= 1.0 ; marker`
pub(super) fn python_requirement(requirement: &str, meta: &mut Meta) {
    let requirement = requirement.split([';', '#']).next().unwrap_or("").trim();
    let end = requirement
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at(end);
    let version = rest.split(']').next_back().unwrap_or("");
    if name.starts_with(|c: char| c.is_alphabetic()) {
        meta.declare(Language::Python, &python_name(name), version);
    }
}

/// `License :: OSI Approved :: MIT License`
pub(super) fn python_classifier(classifier: &str, meta: &mut Meta) {
    if let Some(rest) = classifier.trim().strip_prefix("License ::") {
        meta.also_licensed(rest.rsplit("::").next().unwrap_or(""));
    }
}

pub(super) fn npm(written: &str, meta: &mut Meta) {
    let file = json(written);
    meta.owns(Language::JavaScript, text(&file, "/name").unwrap_or(""));
    for path in ["/license", "/license/type", "/licenses/0/type"] {
        meta.license(text(&file, path).unwrap_or(""));
    }
    let url = text(&file, "/repository").or(text(&file, "/repository/url"));
    meta.repository = url.map(|url| match url.split_once(':') {
        Some(("github", rest)) => format!("https://github.com/{rest}"),
        // `owner/name` is short for the same.
        None if url.split('/').count() == 2 => format!("https://github.com/{url}"),
        _ => url.to_owned(),
    });
    for kind in [
        "dependencies",
        "devDependencies",
        "peerDependencies",
        "optionalDependencies",
    ] {
        for (name, version) in entries(&file, &format!("/{kind}")) {
            meta.declare(Language::JavaScript, name, version.as_str().unwrap_or(""));
        }
    }
}

pub(super) fn composer(written: &str, meta: &mut Meta) {
    let file = json(written);
    meta.owns(Language::Php, text(&file, "/name").unwrap_or(""));
    let offered: Vec<&str> = items(&file, "/license").filter_map(Value::as_str).collect();
    meta.license(text(&file, "/license").unwrap_or(""));
    meta.license(&offered.join(" OR "));
    meta.repository = text(&file, "/support/source").map(str::to_owned);
    for autoload in ["autoload", "autoload-dev"] {
        for standard in ["psr-4", "psr-0"] {
            for (namespace, _) in entries(&file, &format!("/{autoload}/{standard}")) {
                meta.owns(Language::Php, namespace.trim_end_matches('\\'));
            }
        }
    }
    for kind in ["require", "require-dev"] {
        for (name, version) in entries(&file, &format!("/{kind}")) {
            if name.contains('/') {
                meta.declare(Language::Php, name, version.as_str().unwrap_or(""));
            }
        }
    }
}

pub(super) fn vcpkg(written: &str, meta: &mut Meta) {
    let file = json(written);
    meta.license(text(&file, "/license").unwrap_or(""));
    for dependency in items(&file, "/dependencies") {
        let name = dependency
            .as_str()
            .or(text(dependency, "/name"))
            .unwrap_or("");
        let version = text(dependency, "/version>=").unwrap_or("");
        meta.declare(Language::Cpp, name, version);
    }
}
