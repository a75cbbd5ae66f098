//! Imports that the completion writes.

use crate::{
    builtins,
    index::{FileEntry, ModuleLookup},
    language::Language,
    symbols::Import,
};

use super::{
    Evidence, Finding, NameKind,
    check::finding,
    roots::{is_from_workspace, standard_module},
    scene::Scene,
};

/// Names that every module has.
pub(super) fn in_builtin_protocol(name: &str) -> bool {
    name.starts_with("__") || name == "default"
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
    match scene.table.module(scene.language, scene.path, module) {
        ModuleLookup::Missing(places) => missing(scene, import, places),
        ModuleLookup::Found(files) => from_module(scene, import, &files),
        ModuleLookup::Foreign => check_foreign(scene, import),
    }
}

fn missing(scene: &Scene, import: &Import, places: Vec<String>) -> Option<Finding> {
    let module = import.module.as_str();
    let name = module_name(scene.language, module);
    if is_generated(name) || (scene.is_around(name) && scene.is_written(module)) {
        return None;
    }
    let reason = format!("the workspace has no module `{module}`");
    let range = &import.module_range;
    let (kind, evidence) = (NameKind::Import, Evidence::ImportOfMissing);
    let found = finding(scene, name, kind, evidence, reason, range);
    Some(Finding { places, ..found })
}

fn from_module(scene: &Scene, import: &Import, files: &[&FileEntry]) -> Option<Finding> {
    let name = import.name.as_deref()?;
    if scene.table.exports(files, name) || in_builtin_protocol(name) {
        return None;
    }
    // A package's name may be that of a module in it which the index lacks.
    let folders = files.iter().filter_map(|file| file.package_folder());
    let places: Vec<String> = folders.map(|folder| format!("{folder}/{name}")).collect();
    if !places.is_empty() && is_generated(name) {
        return None;
    }
    let module = import.module.as_str();
    let reason = format!("the module `{module}` of the workspace has no `{name}`");
    let range = &import.name_range;
    let (kind, evidence) = (NameKind::Import, Evidence::ImportFromModule);
    let found = finding(scene, name, kind, evidence, reason, range);
    Some(Finding { places, ..found })
}

/// Modules that tools write, often not before the first build.
fn is_generated(name: &str) -> bool {
    let name = name.trim_matches('_').to_ascii_lowercase();
    let ends = ["pb2", "pb2_grpc", "_pb", "_gen", ".gen", "-gen", "version"];
    name.contains("generated") || name == "gen" || ends.iter().any(|end| name.ends_with(end))
}

fn check_foreign(scene: &Scene, import: &Import) -> Option<Finding> {
    let module = import.module.as_str();
    // What a relative path leads to is no code, or lies where the index has not looked.
    if scene.language.is_ecmascript() && module.starts_with('.') {
        return None;
    }
    let nowhere = |part: &str| {
        !builtins::contains(scene.language, part)
            && scene.table.files_with(part) == 0
            && !scene.table.has_stem(part)
            && !scene.is_around(part)
    };
    let mut parts = module
        .split(['.', '/', ':', '\\', '-', '@'])
        .filter(|part| part.len() > 1);
    let unknown_part = parts.find(|part| !is_path_of_file(scene, part) && nowhere(part));
    let name = import.name.as_deref();
    let unknown_name = name.filter(|name| !in_builtin_protocol(name) && nowhere(name));
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
    let names = standard_module(scene.language, import)?;
    let name = import.name.as_deref();
    let name = name.filter(|name| !in_builtin_protocol(name) && !is_type(scene, name))?;
    // The import itself declares the name.
    let nowhere = !scene.is_around(name) && scene.table.files_with(name) == 0;
    Some((name, nowhere && !names.contains(name)))
}

/// The name of a type: the declarations of a module have more of them than the module has values.
pub(super) fn is_type(scene: &Scene, name: &str) -> bool {
    matches!(scene.language, Language::TypeScript | Language::Tsx)
        && name.starts_with(|c: char| c.is_uppercase())
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

fn is_path_of_file(scene: &Scene, part: &str) -> bool {
    scene.path.split(['/', '.', '-']).any(|own| own == part)
}

/// The module's last part, without the extension of a path.
fn module_name(language: Language, module: &str) -> &str {
    let mut parts = module.rsplit(['/', '\\', ':']);
    let last = parts.find(|part| !part.is_empty()).unwrap_or(module);
    if language.is_ecmascript() {
        let stem = last.split('.').find(|part| !part.is_empty());
        return stem.unwrap_or(last);
    }
    last.rsplit('.')
        .find(|part| !part.is_empty())
        .unwrap_or(last)
}
