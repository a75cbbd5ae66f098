//! The walk over the completion's names.

use std::ops::Range;

use crate::{
    language::Language,
    roles::{Path, Role, role, walk},
};

use super::{Evidence, Finding, NameKind, globs, imports, members, policy, scene::Scene};

/// Every name of the completion that could not be resolved.
pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let mut findings = imports::check(scene);
    walk(scene.language, scene.tree, scene.range.clone(), |path| {
        let leaf = path.leaf();
        if !path.last().what.is_name || leaf.is_missing() {
            return;
        }
        let range = leaf.byte_range();
        let touched = range.start < scene.range.end && range.end > scene.range.start;
        let broken = path.up(1).is_some_and(|parent| parent.node.is_error());
        if !touched || broken {
            return;
        }
        findings.extend(check_name(scene, path, range));
    });
    findings.sort_by_key(|finding| finding.range.start);
    findings
}

fn check_name(scene: &Scene, path: &Path, range: Range<usize>) -> Option<Finding> {
    let word = &scene.text[range.clone()];
    let name = word.trim_start_matches(['@', '$', '#']);
    // `field__lookup` is made up by the libraries that read it.
    let lookup = scene.language == Language::Python && name.trim_matches('_').contains("__");
    if name.len() < 2 || name.starts_with("__") || lookup {
        return None;
    }
    let (kind, evidence, reason) = match role(scene.language, scene.text, path) {
        Role::Define(_) | Role::Import | Role::Ignore => return None,
        Role::Member { object, .. } => members::member(scene, path, object, name)?,
        Role::Scoped { scope, .. } => members::scoped(scene, scope, name)?,
        Role::Keyword { call } => members::keyword(scene, call, name)?,
        Role::FieldOf => members::field(scene, name)?,
        _ if !scene.is_nowhere(name) => return None,
        Role::Call => bare(scene, path, NameKind::Call, name)?,
        Role::Type => bare(scene, path, NameKind::Type, name)?,
        Role::Variable => bare(scene, path, NameKind::Identifier, name)?,
    };
    Some(finding(scene, name, kind, evidence, reason, &range))
}

fn bare(
    scene: &Scene,
    path: &Path,
    kind: NameKind,
    name: &str,
) -> Option<(NameKind, Evidence, String)> {
    let upper = name.starts_with(|c: char| c.is_uppercase());
    // C# has one kind of identifier for types and variables.
    let csharp_type = scene.language == Language::CSharp && kind == NameKind::Identifier && upper;
    let kind = if csharp_type { NameKind::Type } else { kind };
    if globs::may_bring(scene, kind, name) {
        return None;
    }
    let leaf = path.leaf();
    let (before, after) = (
        &scene.text[..leaf.start_byte()],
        &scene.text[leaf.end_byte()..],
    );
    let is_macro = path.up(1).is_some_and(|up| up.kind == "macro_invocation");
    let (evidence, what) = match kind {
        // `\f()` asks for a function outside of all namespaces, most often a library's.
        NameKind::Call if scene.language == Language::Php && before.ends_with('\\') => {
            (Evidence::MemberOfForeign, "function")
        }
        // `krate::f()` needs no import.
        _ if scene.language == Language::Rust && !upper && after.starts_with("::") => {
            (Evidence::ImportFromForeign, "module or crate")
        }
        NameKind::Call if is_macro => (Evidence::Macro, "macro"),
        NameKind::Call => (Evidence::Call, "function"),
        NameKind::Type => (Evidence::Type, "type"),
        _ => (Evidence::Variable, "variable"),
    };
    let reason = format!(
        "no {what} `{name}` in the file, its imports, the workspace or the {} builtins",
        scene.language
    );
    Some((kind, evidence, reason))
}

pub(super) fn finding(
    scene: &Scene,
    name: &str,
    kind: NameKind,
    evidence: Evidence,
    reason: String,
    range: &Range<usize>,
) -> Finding {
    Finding {
        name: name.to_owned(),
        kind,
        evidence,
        blocks: policy::blocks(scene, evidence),
        reason,
        range: scene.in_completion(range),
        places: Vec::new(),
    }
}
