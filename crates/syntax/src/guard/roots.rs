//! Where a receiver comes from: `self`, the workspace, the outside, a local variable.

use tree_sitter::Node;

use crate::{builtins, index::ModuleLookup, language::Language, symbols::Import};

use super::{scene::Scene, words::is_word};

/// The origin of the value that a member is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root<'a> {
    /// `self`, `this`, and nothing in between.
    This,
    /// A member of a member of `self`, or of a local variable.
    Local,
    /// A class, function or module of the workspace or of the file.
    Workspace,
    /// Something imported from outside, or a type that the workspace does not define.
    Foreign,
    /// What a member or a call of a workspace's value gives.
    Chain,
    /// A module of the workspace, directly.
    Module(&'a Import),
    /// A module of the standard library, directly.
    Standard(&'a Import),
    /// A literal, the result of an operator, an unknown expression.
    Expression,
}

/// The innermost receiver of `object` (`a` in `a.b(c).d`), and whether it is `object` itself.
fn leftmost<'tree>(object: Node<'tree>) -> (Node<'tree>, bool) {
    const INNER: [&str; 14] = [
        "object",
        "operand",
        "value",
        "expression",
        "argument",
        "receiver",
        "function",
        "scope",
        "path",
        "condition",
        "qualifier",
        "left",
        "type",
        "constructor",
    ];
    let mut node = object;
    let mut direct = true;
    for _ in 0..40 {
        if node.named_child_count() == 0 || node.kind() == "variable_name" {
            break;
        }
        let inner = INNER
            .iter()
            .find_map(|field| node.child_by_field_name(field));
        // A call without an object comes from where its function comes from.
        let inner = inner.or_else(|| match node.kind() {
            "method_invocation" => node.child_by_field_name("name"),
            "call" => node.child_by_field_name("method"),
            _ => None,
        });

        let inner = match inner {
            Some(inner) => inner,
            None if is_wrapper(node.kind()) => match node.named_child(0) {
                Some(inner) => inner,
                None => break,
            },
            None => break,
        };
        direct &= is_wrapper(node.kind());
        node = inner;
    }
    (node, direct)
}

fn is_wrapper(kind: &str) -> bool {
    matches!(
        kind,
        "parenthesized_expression"
            | "await"
            | "await_expression"
            | "non_null_expression"
            | "try_expression"
            | "reference_expression"
            | "postfix_unary_expression"
            | "prefix_unary_expression"
            | "unary_expression"
            | "pointer_expression"
            | "generic_type"
            | "class_constant_access_expression"
            | "as_expression"
    )
}

/// The origin of `object`.
pub(super) fn root<'a>(scene: &Scene<'a>, object: Node) -> Root<'a> {
    let (node, direct) = leftmost(object);
    let Some(name) = scene.text.get(node.byte_range()) else {
        return Root::Expression;
    };
    let name = name.trim_start_matches('$');
    let this = matches!(name, "self" | "this" | "cls" | "Self" | "static")
        || matches!(node.kind(), "this" | "self");
    if this {
        return if direct { Root::This } else { Root::Local };
    }
    if matches!(name, "super" | "base" | "parent") || node.kind() == "super" {
        return Root::Local;
    }
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') || node.child_count() > 1 {
        return Root::Expression;
    }
    if let Some(import) = scene.import_of(name) {
        return imported(scene, import, direct);
    }
    match named(scene, name, 0) {
        Root::Workspace if !direct => Root::Chain,
        root => root,
    }
}

fn imported<'a>(scene: &Scene, import: &'a Import, direct: bool) -> Root<'a> {
    if !is_from_workspace(scene, import) {
        let whole = is_whole_module(scene, import) || import.name.as_deref() == Some("default");
        let standard = whole && direct && standard_module(scene.language, import).is_some();
        if standard {
            Root::Standard(import)
        } else {
            Root::Foreign
        }
    } else if !direct {
        Root::Chain
    } else if direct && is_whole_module(scene, import) {
        Root::Module(import)
    } else {
        Root::Workspace
    }
}

/// The import binds a module, not a name in it.
fn is_whole_module(scene: &Scene, import: &Import) -> bool {
    let binds_first = scene.language == Language::Python && import.module.contains('.');
    import.name.is_none()
        && !(binds_first && import.alias.as_deref() == import.module.split('.').next())
}

/// The names of the module of the standard library that is imported.
pub(super) fn standard_module(
    language: Language,
    import: &Import,
) -> Option<&'static std::collections::HashSet<&'static str>> {
    let module = import
        .module
        .strip_prefix("node:")
        .unwrap_or(&import.module);
    builtins::module(language, module)
}

/// The import leads into the workspace.
pub(super) fn is_from_workspace(scene: &Scene, import: &Import) -> bool {
    match scene
        .table
        .module(scene.language, scene.path, &import.module)
    {
        ModuleLookup::Found(_) | ModuleLookup::Missing(_) => true,
        ModuleLookup::Foreign => {
            let name = import.name.as_deref().unwrap_or(&import.module);
            match scene.language {
                Language::Rust => matches!(
                    import.module.split("::").next(),
                    Some("crate" | "self" | "super")
                ),
                Language::Java | Language::Php => scene.table.definitions_of(name) > 0,
                Language::Python => import.module.starts_with('.'),
                Language::JavaScript | Language::TypeScript | Language::Tsx => {
                    import.module.starts_with('.')
                }
                _ => false,
            }
        }
    }
}

/// The origin of a name that is not imported, by what it is assigned from nearest above.
fn named<'a>(scene: &Scene<'a>, name: &str, depth: usize) -> Root<'a> {
    let type_like = name.starts_with(|c: char| c.is_uppercase());
    if scene.is_defined_here(name) {
        return Root::Workspace;
    }
    if type_like {
        let defined = scene.table.definitions_of(name) > 0;
        return if defined {
            Root::Workspace
        } else {
            Root::Foreign
        };
    }
    if depth < 2
        && let Some(source) = assigned_from(&scene.text[..scene.range.start], name)
    {
        if let Some(import) = scene.import_of(source) {
            return if is_from_workspace(scene, import) {
                Root::Workspace
            } else {
                Root::Foreign
            };
        }
        if source != name && !source.is_empty() {
            return match named(scene, source, depth + 1) {
                Root::Foreign => Root::Foreign,
                Root::Workspace => Root::Workspace,
                _ => Root::Local,
            };
        }
    }
    Root::Local
}

/// The first word of what `name` is assigned or declared as, nearest to the end of `text`:
/// `name = Word…`, `name := Word…`, `name: Word`.
fn assigned_from<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    for (at, _) in text.rmatch_indices(name).take(40) {
        let before = text[..at].chars().next_back();
        let after = &text[at + name.len()..];
        if before.is_some_and(|c| is_word(c) || c == '.') || after.starts_with(is_word) {
            continue;
        }
        let rest = after.trim_start_matches(' ');
        let value = rest
            .strip_prefix(":=")
            .or_else(|| rest.strip_prefix('=').filter(|rest| !rest.starts_with('=')))
            .or_else(|| {
                rest.strip_prefix(':')
                    .filter(|rest| !rest.starts_with([':', '\n']))
            });
        if let Some(value) = value {
            let value = value.trim_start_matches([' ', '&', '*', '(', '\'']);
            let value = ["await ", "new ", "mut ", "yield "]
                .iter()
                .find_map(|word| value.strip_prefix(word))
                .unwrap_or(value);
            let end = value.find(|c: char| !is_word(c)).unwrap_or(value.len());
            return Some(&value[..end]);
        }
        // `Type name` in a declaration.
        let head = text[..at].trim_end_matches([' ', '&', '*']);
        let word = head.rsplit(|c: char| !is_word(c)).next().unwrap_or("");
        if head.len() < at && word.starts_with(|c: char| c.is_uppercase()) {
            return Some(word);
        }
    }
    None
}
