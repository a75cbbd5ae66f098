//! Members, scoped names, keyword arguments and fields.

use tree_sitter::Node;

use crate::{
    index::{Membership, ModuleLookup},
    language::Language,
    roles::{Path, table},
};

use super::{
    Evidence, NameKind, imports,
    roots::{Root, root, standard_module},
    scene::Scene,
};

type Doubt = Option<(NameKind, Evidence, String)>;

/// `object.name`.
pub(super) fn member(scene: &Scene, path: &Path, object: Option<Node>, name: &str) -> Doubt {
    let origin = object.map_or(Root::Expression, |object| root(scene, object));
    if let Root::Module(import) = origin {
        return module_member(scene, import, name);
    }
    if !scene.is_nowhere(name) {
        return None;
    }
    if let Root::Standard(import) = origin {
        let names = standard_module(scene.language, import);
        let listed = names.is_some_and(|names| names.contains(name));
        let listed = listed || imports::is_type(scene, name);
        let reason = format!("the standard library's `{}` has no `{name}`", import.module);
        return (!listed).then_some((NameKind::Member, Evidence::MemberOfStandard, reason));
    }
    let evidence = match origin {
        Root::This => match own_class(scene, path) {
            Some(class) => match scene.table.membership(&class, name) {
                Membership::Has => return None,
                Membership::Lacks => Evidence::MemberOfClosedClass,
                Membership::Unsure => Evidence::MemberOfSelf,
            },
            None => Evidence::MemberOfSelf,
        },
        Root::Local => Evidence::MemberOfLocal,
        Root::Workspace | Root::Module(_) => Evidence::MemberOfWorkspace,
        Root::Chain => Evidence::MemberOfChain,
        Root::Foreign | Root::Standard(_) => Evidence::MemberOfForeign,
        Root::Expression => Evidence::MemberOfExpression,
    };
    let reason =
        format!("no member `{name}` in the file, the workspace or the commonly used names");
    Some((NameKind::Member, evidence, reason))
}

fn module_member(scene: &Scene, import: &crate::Import, name: &str) -> Doubt {
    let ModuleLookup::Found(files) = scene
        .table
        .module(scene.language, scene.path, &import.module)
    else {
        return None;
    };
    if scene.table.exports(&files, name) || imports::in_builtin_protocol(name) {
        return None;
    }
    if scene.is_written(&format!("{}.{name}", import.local_name())) {
        return None;
    }
    let reason = format!(
        "the module `{}` of the workspace has no `{name}`",
        import.module
    );
    Some((NameKind::Member, Evidence::MemberOfModule, reason))
}

/// The name of the class around the leaf.
fn own_class(scene: &Scene, path: &Path) -> Option<String> {
    let containers = table(scene.language).containers;
    let class = path
        .ancestors()
        .find(|frame| containers.contains(&frame.kind))?
        .node;
    let name = class.child_by_field_name("name")?;
    Some(scene.text[name.byte_range()].to_owned())
}

/// `scope::name`.
pub(super) fn scoped(scene: &Scene, scope: Option<Node>, name: &str) -> Doubt {
    if !scene.is_nowhere(name) || is_new_crate(scene, scope) {
        return None;
    }
    let evidence = match scope.map_or(Root::Expression, |scope| root(scene, scope)) {
        Root::This => Evidence::MemberOfSelf,
        Root::Workspace | Root::Module(_) | Root::Chain => Evidence::MemberOfWorkspace,
        Root::Local if is_own_crate(scene, scope) => Evidence::MemberOfWorkspace,
        Root::Local | Root::Foreign | Root::Standard(_) => Evidence::MemberOfForeign,
        Root::Expression => Evidence::MemberOfExpression,
    };
    let reason = format!("no `{name}` in the file, the workspace or the commonly used names");
    Some((NameKind::Member, evidence, reason))
}

/// The path starts at a crate that nothing has named yet.
fn is_new_crate(scene: &Scene, scope: Option<Node>) -> bool {
    let path = scope.and_then(|scope| scene.text.get(scope.byte_range()));
    let root = path.and_then(|path| path.split("::").next()).unwrap_or("");
    let lower = root.starts_with(|c: char| c.is_lowercase());
    scene.language == Language::Rust && lower && scene.is_nowhere(root)
}

fn is_own_crate(scene: &Scene, scope: Option<Node>) -> bool {
    let path = scope
        .and_then(|scope| scene.text.get(scope.byte_range()))
        .unwrap_or("");
    matches!(path.split("::").next(), Some("crate" | "self" | "super"))
}

/// `f(name=…)`.
pub(super) fn keyword(scene: &Scene, call: Option<Node>, name: &str) -> Doubt {
    let function_node = call.and_then(|call| {
        let fields = ["function", "name", "type", "constructor"];
        fields
            .iter()
            .find_map(|field| call.child_by_field_name(field))
    });
    let function = function_node.and_then(|function| {
        let text = &scene.text[function.byte_range()];
        let mut parts = text.rsplit(|c: char| !(c.is_alphanumeric() || c == '_'));
        parts.find(|part| !part.is_empty())
    });
    if let Some(function) = function
        && let Some(takes) = takes_keyword(scene, function, name)
    {
        if takes {
            return None;
        }
        // A name of the file can still be a keyword of another function of the same name.
        let evidence = if scene.is_nowhere(name) {
            Evidence::KeywordOfKnown
        } else {
            return None;
        };
        let reason = format!("no function `{function}` takes a parameter `{name}`");
        return Some((NameKind::Keyword, evidence, reason));
    }
    if !scene.is_nowhere(name) {
        return None;
    }
    let foreign = function_node
        .is_none_or(|function| matches!(root(scene, function), Root::Foreign | Root::Standard(_)));
    let evidence = if foreign {
        Evidence::KeywordOfForeign
    } else {
        Evidence::KeywordOfUnknown
    };
    let reason =
        format!("no parameter `{name}` in the file, the workspace or the commonly used names");
    Some((NameKind::Keyword, evidence, reason))
}

/// Whether a known function of that name takes the keyword; `None` where no function is known.
fn takes_keyword(scene: &Scene, function: &str, name: &str) -> Option<bool> {
    let mut known = false;
    for signature in scene
        .symbols
        .signatures
        .iter()
        .filter(|found| found.name == function)
    {
        known = true;
        if signature.open
            || signature
                .parameters
                .iter()
                .any(|parameter| parameter == name)
        {
            return Some(true);
        }
    }
    if scene
        .symbols
        .classes
        .iter()
        .any(|class| class.name == function)
    {
        // A constructor may be inherited or made by a decorator.
        return Some(true).filter(|_| scene.is_around(name));
    }
    if let Some(parameters) = scene.table.parameters(function) {
        known |= parameters.functions > 0;
        if parameters.open || parameters.names.contains(name) {
            return Some(true);
        }
        if parameters.inherited {
            return None;
        }
    }
    known.then_some(false)
}

/// A field in a literal or an initialiser.
pub(super) fn field(scene: &Scene, name: &str) -> Doubt {
    if !scene.is_nowhere(name) {
        return None;
    }
    // The key of a Go map is a variable; keys of structs are exported or known.
    let evidence = match scene.language {
        Language::Rust | Language::Go | Language::CSharp => Evidence::FieldOfKnown,
        _ => Evidence::FieldOfUnknown,
    };
    let reason = format!("no field `{name}` in the file, the workspace or the commonly used names");
    Some((NameKind::Keyword, evidence, reason))
}
