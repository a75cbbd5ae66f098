//! Imports that the completion writes.

use crate::{builtins, index::ModuleLookup, language::Language, symbols::Import};

use super::{Evidence, Finding, NameKind, check::finding, roots::is_from_workspace, scene::Scene};

/// Names that every module has.
pub(super) fn in_builtin_protocol(name: &str) -> bool {
    name.starts_with("__") || name == "default"
}

/// The import brings in names that cannot be listed.
pub(super) fn is_opaque(scene: &Scene, import: &Import) -> bool {
    !matches!(
        scene.table.module(scene.language, &scene.path, &import.module),
        ModuleLookup::Found(files) if files.iter().all(|file| file.wildcards.is_empty())
    )
}

/// Checks every import that the completion touches.
pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    scene
        .imports
        .iter()
        .filter_map(|import| check_import(scene, import))
        .collect()
}

fn check_import(scene: &Scene, import: &Import) -> Option<Finding> {
    let module = import.module.as_str();
    let lookup = scene.table.module(scene.language, &scene.path, module);
    let (evidence, reason, range, name) = match lookup {
        ModuleLookup::Missing => {
            let known = scene.words.contains(last_part(module)) && used_elsewhere(scene, module);
            if known {
                return None;
            }
            let reason = format!("the workspace has no module `{module}`");
            (
                Evidence::ImportOfMissing,
                reason,
                &import.module_range,
                last_part(module),
            )
        }
        ModuleLookup::Found(files) => {
            let name = import.name.as_deref()?;
            if scene.table.exports(&files, name) || in_builtin_protocol(name) {
                return None;
            }
            let reason = format!("the module `{module}` of the workspace has no `{name}`");
            (
                Evidence::ImportFromWorkspace,
                reason,
                &import.name_range,
                name,
            )
        }
        ModuleLookup::Foreign => return check_foreign(scene, import),
    };
    Some(finding(
        scene,
        name,
        NameKind::Import,
        evidence,
        reason,
        range,
    ))
}

fn check_foreign(scene: &Scene, import: &Import) -> Option<Finding> {
    let module = import.module.as_str();
    let parts = module
        .split(['.', '/', ':', '\\', '-', '@'])
        .filter(|part| !part.is_empty());
    let unknown_part = parts.clone().filter(|part| part.len() > 1).find(|part| {
        !builtins::contains(scene.language, part)
            && !is_path_of_workspace(scene, part)
            && scene.table.files_with(part) == 0
            && !scene.words.contains(part)
    });
    let name = import
        .name
        .as_deref()
        .filter(|name| !in_builtin_protocol(name));
    let unknown_name = name.filter(|name| {
        scene.table.files_with(name) == 0
            && !builtins::contains(scene.language, name)
            && !scene.words.contains(name)
    });
    if let Some((name, true)) = standard(scene, import) {
        let reason = format!("the standard library has no `{name}` in `{module}`");
        let range = if import.name.is_some() {
            &import.name_range
        } else {
            &import.module_range
        };
        return Some(finding(
            scene,
            name,
            NameKind::Import,
            Evidence::ImportFromStandard,
            reason,
            range,
        ));
    }
    let own = is_from_workspace(scene, import) || shares_root(scene, import);
    let (name, range) = match (unknown_name, unknown_part) {
        (Some(name), _) => (name, &import.name_range),
        (None, Some(part)) => (part, &import.module_range),
        (None, None) => return None,
    };
    let (evidence, reason) = if own {
        (
            Evidence::ImportFromWorkspace,
            format!("nothing in the workspace is called `{name}`"),
        )
    } else {
        // A module that other files import has shown what it offers; a new one has not.
        let seen = unknown_name.is_some() && unknown_part.is_none() && !module.is_empty();
        let evidence = if seen {
            Evidence::ImportFromSeen
        } else {
            Evidence::ImportFromForeign
        };
        (
            evidence,
            format!("nothing in the workspace uses `{name}` of `{module}`"),
        )
    };
    Some(finding(
        scene,
        name,
        NameKind::Import,
        evidence,
        reason,
        range,
    ))
}

/// A name that the standard library's module would have to have, and whether it lacks it.
fn standard<'i>(scene: &Scene, import: &'i Import) -> Option<(&'i str, bool)> {
    let module = import
        .module
        .strip_prefix("node:")
        .unwrap_or(&import.module);
    let names = builtins::module(scene.language, module)?;
    let name = import
        .name
        .as_deref()
        .filter(|name| !in_builtin_protocol(name))?;
    let nowhere = scene.table.files_with(name) == 0;
    Some((name, nowhere && !names.contains(name)))
}

/// The import's first two parts are those of the file's own package (Java, C#, PHP).
fn shares_root(scene: &Scene, import: &Import) -> bool {
    if !matches!(scene.language, Language::Java | Language::Php) {
        return false;
    }
    let mut parts = import.module.split(['.', '\\']);
    let (Some(first), Some(second)) = (parts.next(), parts.next()) else {
        return false;
    };
    let head = [format!("{first}.{second}"), format!("{first}\\{second}")];
    let package = scene.text.split('\n').take(200).find(|line| {
        let line = line.trim_start();
        line.starts_with("package ") || line.starts_with("namespace ")
    });
    package.is_some_and(|line| head.iter().any(|head| line.contains(head.as_str())))
}

fn is_path_of_workspace(scene: &Scene, part: &str) -> bool {
    scene.path.split(['/', '.', '-']).any(|own| own == part) || scene.table.has_stem(part)
}

fn last_part(module: &str) -> &str {
    module
        .rsplit(['.', '/', ':', '\\'])
        .find(|part| !part.is_empty())
        .unwrap_or(module)
}

fn used_elsewhere(scene: &Scene, module: &str) -> bool {
    scene.text[..scene.range.start].contains(module)
        || scene.text[scene.range.end..].contains(module)
}
