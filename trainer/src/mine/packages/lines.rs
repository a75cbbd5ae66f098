//! Manifests that are code or lines of text, read as far as their usual spelling goes: nothing of
//! a repository is ever run.

use std::sync::LazyLock;

use regex::Regex;
use truefill_syntax::Language;

use super::data::{python_classifier, python_name, python_requirement};
use super::manifest::Meta;

/// A pattern that is known to be sound; tests use each.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

fn captures<'t>(
    pattern: &Option<Regex>,
    text: &'t str,
) -> impl Iterator<Item = (&'t str, &'t str)> {
    let found = pattern
        .iter()
        .flat_map(move |pattern| pattern.captures_iter(text));
    found.map(|found| {
        let group = |number| found.get(number).map_or("", |group| group.as_str());
        (group(1), group(2))
    })
}

pub(super) fn python_metadata(text: &str, meta: &mut Meta) {
    // Headers end at the first empty line; the description follows.
    for line in text.lines().take_while(|line| !line.is_empty()) {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key {
            "Name" => meta.owns(Language::Python, &python_name(value)),
            "License" | "License-Expression" => meta.license(value),
            "Classifier" => python_classifier(value, meta),
            "Requires-Dist" => python_requirement(&value.replace(['(', ')'], " "), meta),
            "Home-page" => meta.repository = meta.repository.take().or(Some(value.to_owned())),
            "Project-URL" => {
                let (name, url) = value.split_once(',').unwrap_or(("", value));
                let (name, url) = (name.to_lowercase(), url.trim().to_owned());
                if name.contains("source") || name == "repository" || name == "code" {
                    meta.repository = Some(url);
                } else if name == "homepage" || name == "github" {
                    meta.repository = meta.repository.take().or(Some(url));
                }
            }
            _ => {}
        }
    }
}

pub(super) fn setup_cfg(text: &str, meta: &mut Meta) {
    let mut key = "";
    for line in text.lines() {
        let indented = line.starts_with([' ', '\t']);
        if !indented {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            key = name.trim();
            match key {
                "name" => meta.owns(Language::Python, &python_name(value)),
                "license" => meta.license(value),
                _ => {}
            }
        } else if key == "install_requires" {
            python_requirement(line.trim(), meta);
        } else if key == "classifiers" || key == "classifier" {
            python_classifier(line.trim(), meta);
        }
    }
}

pub(super) fn setup_py(text: &str, meta: &mut Meta) {
    static KEY: LazyLock<Option<Regex>> =
        LazyLock::new(|| pattern(r#"\b(name|license)\s*=\s*["']([^"'\n]+)["']"#));
    static REQUIRED: LazyLock<Option<Regex>> =
        LazyLock::new(|| pattern(r"(?s)\b(install_requires)\s*=\s*\[([^\]]*)\]"));
    static STRING: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#"["']([^"'\n]+)["']"#));
    for (key, value) in captures(&KEY, text) {
        match key {
            "name" => meta.owns(Language::Python, &python_name(value)),
            _ => meta.license(value),
        }
    }
    for (_, list) in captures(&REQUIRED, text) {
        for (requirement, _) in captures(&STRING, list) {
            python_requirement(requirement, meta);
        }
    }
    for (classifier, _) in captures(&STRING, text) {
        python_classifier(classifier, meta);
    }
}

pub(super) fn requirements(text: &str, meta: &mut Meta) {
    for line in text.lines().filter(|line| !line.starts_with('-')) {
        python_requirement(line, meta);
    }
}

/// Gemfiles and gem specifications.
pub(super) fn gemfile(text: &str, meta: &mut Meta) {
    static GEM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(
            r#"(?m)^\s*(?:gem|\w+\.add_(?:runtime_|development_)?dependency)[\s(]+["']([\w.-]+)["'](?:\s*,\s*\[?\s*["']([^"']*)["'])?"#,
        )
    });
    static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(r#"(?m)^\s*\w+\.(name|licenses?|homepage)\s*=\s*\[?\s*["']([^"'\n]+)["']"#)
    });
    static SOURCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(r#"\b(source_code_uri)["']?\]?\s*(?:=>|=|:)\s*["']([^"'\n]+)["']"#)
    });
    for (key, value) in captures(&KEY, text) {
        match key {
            "name" => meta.owns(Language::Ruby, value),
            "homepage" => meta.repository = meta.repository.take().or(Some(value.to_owned())),
            _ => meta.license(value),
        }
    }
    for (_, url) in captures(&SOURCE, text) {
        meta.repository = Some(url.to_owned());
    }
    for (name, version) in captures(&GEM, text) {
        meta.declare(Language::Ruby, name, version);
    }
}

/// The description inside of a packed gem, as the package manager writes it.
pub(super) fn gem_metadata(text: &str, meta: &mut Meta) {
    let mut key = "";
    let mut offered = Vec::new();
    let mut dependencies = GemDependencies::default();
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("- ").filter(|_| key == "licenses") {
            offered.push(value.trim());
        } else if key == "dependencies" && line.starts_with([' ', '-']) {
            dependencies.line(line);
        } else if let Some(url) = line.strip_prefix("  source_code_uri: ") {
            meta.repository = Some(url.trim().to_owned());
        } else if !line.starts_with([' ', '-']) {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            key = name;
            match key {
                "name" => meta.owns(Language::Ruby, value.trim()),
                "homepage" => {
                    meta.repository = meta.repository.take().or(Some(value.trim().to_owned()));
                }
                _ => {}
            }
        }
    }
    meta.license(&offered.join(" OR "));
    for (name, bounds) in dependencies.0 {
        meta.declare(Language::Ruby, name, &bounds.join(", "));
    }
}

/// Names and bounds (`>= 2.2`) of what a gem depends on. A bound's sign and its number stand on
/// lines of their own: `- - ">="`, `version: '2.2'`.
#[derive(Default)]
struct GemDependencies<'t>(Vec<(&'t str, Vec<String>)>);

impl<'t> GemDependencies<'t> {
    fn line(&mut self, line: &'t str) {
        // YAML's older writers mark a quoted sign as a string: `! '>='`.
        let word = |text: &'t str| {
            let text = text.trim();
            text.strip_prefix("! ")
                .unwrap_or(text)
                .trim_matches(['\'', '"'])
        };
        if let Some(name) = line.strip_prefix("  name: ") {
            self.0.push((word(name), Vec::new()));
            return;
        }
        let Some((_, bounds)) = self.0.last_mut() else {
            return;
        };
        let line = line.trim_start();
        if let Some(sign) = line.strip_prefix("- - ") {
            bounds.push(word(sign).to_owned());
        } else if let (Some(number), Some(bound)) =
            (line.strip_prefix("version: "), bounds.last_mut())
        {
            *bound += word(number);
        }
    }
}

pub(super) fn go_mod(text: &str, meta: &mut Meta) {
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or("").trim();
        let mut words = line
            .split_whitespace()
            .skip_while(|word| *word == "require");
        match (words.next(), words.next()) {
            (Some("module"), Some(name)) => {
                meta.owns(Language::Go, name);
                meta.repository = Some(format!("https://{name}"));
            }
            (Some(name), Some(version)) if version.starts_with('v') && name.contains('.') => {
                meta.declare(Language::Go, name, version);
            }
            _ => {}
        }
    }
}

pub(super) fn gradle(text: &str, meta: &mut Meta) {
    static COORDINATE: LazyLock<Option<Regex>> =
        LazyLock::new(|| pattern(r#"["']([\w.-]+:[\w.-]+)(?::([\w.-]+))?[^"'\n]*["']"#));
    for (name, version) in captures(&COORDINATE, text) {
        if name.contains('.') {
            meta.declare(Language::Java, name, version);
        }
    }
}

/// CMake's `find_package(NAME VERSION …)` and Conan's `name/version`.
pub(super) fn cpp(text: &str, meta: &mut Meta) {
    static FOUND: LazyLock<Option<Regex>> =
        LazyLock::new(|| pattern(r"(?i)find_package\s*\(\s*([\w.+-]+)(?:\s+([\d.]+))?"));
    static CONAN: LazyLock<Option<Regex>> =
        LazyLock::new(|| pattern(r"(?m)^([a-z][\w.+-]*)/([\d.]+)"));
    for (name, version) in captures(&FOUND, text).chain(captures(&CONAN, text)) {
        meta.declare(Language::Cpp, name, version);
    }
}
