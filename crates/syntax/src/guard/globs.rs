//! Imports that bring in names which nobody can list: behind one of them, a bare name that stands
//! nowhere may well exist.

use tree_sitter::Node;

use crate::{index::ModuleLookup, language::Language, symbols::Import};

use super::{NameKind, scene::Scene};

/// An import whose names cannot be listed may bring in a bare name of this kind.
pub(super) fn may_bring(scene: &Scene, kind: NameKind, name: &str) -> bool {
    let mut imports = scene
        .symbols
        .imports
        .iter()
        .filter(|import| import.wildcard);
    let lower = name.starts_with(|c: char| c.is_lowercase());
    match scene.language {
        // Functions, types and constants are imported, variables are not.
        Language::Rust | Language::Java if kind == NameKind::Identifier && lower => false,
        Language::Python | Language::Go => imports.any(|import| is_opaque(scene, import)),
        Language::Rust => imports.any(|import| is_opaque_in_rust(scene, import)),
        Language::Java => imports.any(|import| match kind {
            // `import static a.b.C.*;`
            NameKind::Call | NameKind::Identifier => is_class(import),
            _ => !is_class(import) && is_foreign_package(scene, &import.module),
        }),
        _ => false,
    }
}

/// The module is not in the workspace, or takes in all names of another one itself.
fn is_opaque(scene: &Scene, import: &Import) -> bool {
    !matches!(
        scene.table.module(scene.language, scene.path, &import.module),
        ModuleLookup::Found(files) if files.iter().all(|file| file.wildcards.is_empty())
    )
}

fn is_class(import: &Import) -> bool {
    let last = import.module.rsplit('.').next().unwrap_or("");
    last.starts_with(|c: char| c.is_uppercase())
}

/// The classes of `java.*` are among the language's names; those of the workspace's packages are in
/// the index.
fn is_foreign_package(scene: &Scene, package: &str) -> bool {
    let last = package.rsplit('.').next().unwrap_or(package);
    !package.starts_with("java.") && !scene.table.has_stem(last)
}

/// `use a::*` counts where it stands around the completion. What a module of the workspace has is
/// known, unless that takes in names from outside itself; and so are an enum's variants.
fn is_opaque_in_rust(scene: &Scene, import: &Import) -> bool {
    let Some(at) = node_at(scene, import) else {
        return true;
    };
    let mut modules = 0;
    let mut around = true;
    let mut node = at.parent();
    while let Some(scope) = node {
        let holds = scope.start_byte() <= scene.range.start && scene.range.end <= scope.end_byte();
        around &= holds || !matches!(scope.kind(), "block" | "declaration_list");
        modules += usize::from(scope.kind() == "mod_item");
        node = scope.parent();
    }
    // Modules inside of the file are named by the file.
    let mut path = import.module.as_str();
    while modules > 0 && path.starts_with("super") {
        path = path["super".len()..].trim_start_matches("::");
        modules -= 1;
    }
    let last = path.rsplit("::").next().unwrap_or_default();
    let own = path.is_empty() || last == "Self" || scene.is_defined_here(last);
    around && !own && !scene.table.rust_glob_is_known(scene.path, path, 0)
}

fn node_at<'t>(scene: &Scene<'t>, import: &Import) -> Option<Node<'t>> {
    let range = &import.module_range;
    let root = scene.tree.root_node();
    root.descendant_for_byte_range(range.start, range.end)
}
