//! Imports written as paths of names: Rust, Java, C#, PHP.

use tree_sitter::Node;

use super::imports::Sink;

/// Flattens `use a::{b as c, d::*};` into one import for each name.
pub(super) fn rust(sink: &mut Sink, node: Node) {
    let Some(argument) = node.child_by_field_name("argument") else {
        return;
    };
    let mut pending = vec![(argument, String::new())];
    while let Some((node, prefix)) = pending.pop() {
        match node.kind() {
            "scoped_use_list" => {
                let path = node.child_by_field_name("path").map(|path| sink.word(path));
                let prefix = join(&prefix, path.as_deref().unwrap_or(""));
                if let Some(list) = node.child_by_field_name("list") {
                    pending.push((list, prefix));
                }
            }
            "use_list" => {
                let mut cursor = node.walk();
                let children: Vec<_> = node.named_children(&mut cursor).collect();
                pending.extend(
                    children
                        .into_iter()
                        .rev()
                        .map(|child| (child, prefix.clone())),
                );
            }
            "use_wildcard" => {
                let path = node
                    .named_child(0)
                    .map(|path| sink.word(path))
                    .unwrap_or_default();
                push(sink, node, &join(&prefix, &path), None, None, true);
            }
            "use_as_clause" => {
                let alias = node
                    .child_by_field_name("alias")
                    .map(|alias| sink.word(alias));
                if let Some(path) = node.child_by_field_name("path") {
                    leaf(sink, path, &prefix, alias);
                }
            }
            "self" => {
                let last = prefix.rsplit("::").next().map(str::to_owned);
                push(sink, node, &prefix, None, last, false);
            }
            _ => leaf(sink, node, &prefix, None),
        }
    }
}

fn join(prefix: &str, path: &str) -> String {
    match (prefix.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (_, true) => prefix.to_owned(),
        _ => format!("{prefix}::{path}"),
    }
}

fn leaf(sink: &mut Sink, node: Node, prefix: &str, alias: Option<String>) {
    let name = node.child_by_field_name("name").unwrap_or(node);
    let path = node.child_by_field_name("path").map(|path| sink.word(path));
    let module = join(prefix, path.as_deref().unwrap_or(""));
    push(sink, name, &module, Some(name), alias, false);
}

fn push(
    sink: &mut Sink,
    at: Node,
    module: &str,
    name: Option<Node>,
    alias: Option<String>,
    wildcard: bool,
) {
    let name_range = name.map_or(at.end_byte()..at.end_byte(), |name| name.byte_range());
    sink.imports.push(super::Import {
        module: module.to_owned(),
        name: name.map(|name| sink.word(name)),
        alias,
        wildcard,
        module_range: at.byte_range(),
        name_range,
    });
}

/// `import a.b.C;`, `import static a.b.C.d;`, `import a.b.*;`
pub(super) fn java(sink: &mut Sink, node: Node) {
    let mut cursor = node.walk();
    let children: Vec<_> = node.named_children(&mut cursor).collect();
    let wildcard = children.iter().any(|child| child.kind() == "asterisk");
    let Some(path) = children
        .into_iter()
        .find(|child| child.kind() != "asterisk")
    else {
        return;
    };
    match (
        path.child_by_field_name("scope"),
        path.child_by_field_name("name"),
    ) {
        (Some(scope), Some(name)) if !wildcard => sink.name(&scope.byte_range(), name, None),
        _ => sink.module(path.byte_range(), None, wildcard),
    }
}

/// `using A.B;`, `using C = A.B;`: a namespace, whose names all become visible.
pub(super) fn csharp(sink: &mut Sink, node: Node) {
    let alias = node.child_by_field_name("name").map(|name| sink.word(name));
    let count = node.named_child_count();
    let Some(path) = count
        .checked_sub(1)
        .and_then(|last| node.named_child(last as u32))
    else {
        return;
    };
    let wildcard = alias.is_none();
    sink.module(path.byte_range(), alias, wildcard);
}

/// `use A\B\C as D, E;`, `use A\{B, C as D};`
pub(super) fn php(sink: &mut Sink, node: Node) {
    let group = node.child_by_field_name("body");
    let mut cursor = node.walk();
    let prefix = node
        .named_children(&mut cursor)
        .find(|child| child.kind() == "namespace_name");
    let prefix = prefix
        .filter(|_| group.is_some())
        .map(|prefix| sink.word(prefix))
        .unwrap_or_default();
    let holder = group.unwrap_or(node);
    let mut cursor = holder.walk();
    let clauses: Vec<_> = holder
        .named_children(&mut cursor)
        .filter(|child| child.kind() == "namespace_use_clause")
        .collect();
    for clause in clauses {
        let alias = clause
            .child_by_field_name("alias")
            .map(|alias| sink.word(alias));
        let Some(path) = clause.named_child(0) else {
            continue;
        };
        let last = path
            .named_child_count()
            .checked_sub(1)
            .and_then(|last| path.named_child(last as u32));
        let name = last
            .filter(|_| path.kind() == "qualified_name")
            .unwrap_or(path);
        let written = sink.text[path.start_byte()..name.start_byte()]
            .trim_end_matches('\\')
            .to_owned();
        let module = match (prefix.is_empty(), written.is_empty()) {
            (true, _) => written,
            (_, true) => prefix.clone(),
            _ => format!("{prefix}\\{written}"),
        };
        push(
            sink,
            name,
            module.trim_start_matches('\\'),
            Some(name),
            alias,
            false,
        );
    }
}
