//! Imports: which node is one, and what it brings in.

use std::ops::Range;

use tree_sitter::Node;

use crate::{language::Language, roles::Path};

use super::{Import, imports_paths};

/// Kinds of nodes that import.
const KINDS: &[&str] = &[
    "import_statement",
    "import_from_statement",
    "future_import_statement",
    "import_spec",
    "use_declaration",
    "import_declaration",
    "using_directive",
    "preproc_include",
    "namespace_use_declaration",
];

/// The node's kind is one that imports.
pub(crate) fn is_import(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// The import that the leaf of `path` belongs to: a statement, or a call of `require`.
pub(super) fn import_at<'tree>(
    language: Language,
    text: &str,
    path: &Path<'tree>,
) -> Option<Node<'tree>> {
    if language == Language::Ruby || language.is_ecmascript() {
        let required = requires(text, path);
        if required.is_some() {
            return required;
        }
    }
    path.last().import
}

/// The call of `require` whose name or path the leaf is.
fn requires<'tree>(text: &str, path: &Path<'tree>) -> Option<Node<'tree>> {
    let leaf = path.leaf();
    if path.kind() == "identifier" && text[leaf.byte_range()].starts_with("require") {
        let call = path.up(1)?;
        return matches!(call.kind, "call" | "call_expression").then_some(call.node);
    }
    if !path.kind().starts_with("string") {
        return None;
    }
    // The leaf is what stands between the quotes, or a quote.
    let call = path.up(3)?.node;
    calls_one_of(text, call, &["require", "require_relative", "import"]).then_some(call)
}

/// The node calls a function by one of these names.
pub(crate) fn calls_one_of(text: &str, call: Node, names: &[&str]) -> bool {
    let function = call
        .child_by_field_name("function")
        .or_else(|| call.child_by_field_name("method"));
    function.is_some_and(|function| names.contains(&&text[function.byte_range()]))
}

/// Appends what `node` imports.
pub(super) fn read(language: Language, text: &str, node: Node, imports: &mut Vec<Import>) {
    let mut sink = Sink { text, imports };
    match language {
        Language::Python => python(&mut sink, node),
        Language::JavaScript | Language::TypeScript | Language::Tsx => ecmascript(&mut sink, node),
        Language::Go => go(&mut sink, node),
        Language::Ruby => ruby(&mut sink, node),
        Language::Cpp => {
            if let Some(path) = node.child_by_field_name("path") {
                let range = trim_quotes(text, path.byte_range());
                sink.module(range, None, false);
            }
        }
        Language::Rust => imports_paths::rust(&mut sink, node),
        Language::Java => imports_paths::java(&mut sink, node),
        Language::CSharp => imports_paths::csharp(&mut sink, node),
        Language::Php => imports_paths::php(&mut sink, node),
    }
}

/// Where imports are gathered.
pub(super) struct Sink<'a> {
    pub text: &'a str,
    pub imports: &'a mut Vec<Import>,
}

impl Sink<'_> {
    pub(super) fn word(&self, node: Node) -> String {
        self.text[node.byte_range()].to_owned()
    }

    pub(super) fn module(&mut self, range: Range<usize>, alias: Option<String>, wildcard: bool) {
        self.imports.push(Import {
            module: self.text[range.clone()].to_owned(),
            name: None,
            alias,
            wildcard,
            name_range: range.end..range.end,
            module_range: range,
        });
    }

    pub(super) fn name(&mut self, module: &Range<usize>, name: Node, alias: Option<String>) {
        self.imports.push(Import {
            module: self.text[module.clone()].to_owned(),
            name: Some(self.word(name)),
            alias,
            wildcard: false,
            module_range: module.clone(),
            name_range: name.byte_range(),
        });
    }
}

fn trim_quotes(text: &str, range: Range<usize>) -> Range<usize> {
    let word = &text[range.clone()];
    let inner = word.trim_matches(['"', '\'', '`', '<', '>']);
    let start = range.start + word.find(inner).unwrap_or(0);
    start..start + inner.len()
}

fn python(sink: &mut Sink, node: Node) {
    let module = node
        .child_by_field_name("module_name")
        .map(|module| module.byte_range());
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        if module.as_ref() == Some(&child.byte_range()) {
            continue;
        }
        let (name, alias) = match child.kind() {
            "aliased_import" => {
                let Some(name) = child.child_by_field_name("name") else {
                    continue;
                };
                (
                    name,
                    child
                        .child_by_field_name("alias")
                        .map(|alias| sink.word(alias)),
                )
            }
            "dotted_name" => (child, None),
            "wildcard_import" => {
                if let Some(module) = module.clone() {
                    sink.module(module, None, true);
                }
                continue;
            }
            _ => continue,
        };
        match &module {
            Some(module) => sink.name(module, name, alias),
            // `import a.b` binds `a`.
            None if alias.is_none() => {
                let first = sink.word(name).split('.').next().map(str::to_owned);
                sink.module(name.byte_range(), first, false);
            }
            None => sink.module(name.byte_range(), alias, false),
        }
    }
}

fn ecmascript(sink: &mut Sink, node: Node) {
    if node.kind() == "call_expression" {
        required(sink, node);
        return;
    }
    let Some(source) = node.child_by_field_name("source") else {
        return;
    };
    let module = trim_quotes(sink.text, source.byte_range());
    let before = sink.imports.len();
    let mut pending: Vec<Node> = vec![node];
    while let Some(part) = pending.pop() {
        let mut cursor = part.walk();
        for child in part.named_children(&mut cursor) {
            match child.kind() {
                "import_specifier" | "export_specifier" => {
                    let alias = child
                        .child_by_field_name("alias")
                        .map(|alias| sink.word(alias));
                    if let Some(name) = child.child_by_field_name("name") {
                        sink.name(&module, name, alias);
                    }
                }
                "namespace_import" | "namespace_export" => {
                    let alias = child.named_child(0).map(|name| sink.word(name));
                    sink.module(module.clone(), alias, false);
                }
                "identifier" => {
                    let alias = Some(sink.word(child));
                    sink.module(module.clone(), alias, false);
                    if let Some(import) = sink.imports.last_mut() {
                        import.name = Some("default".to_owned());
                    }
                }
                "import_clause" | "named_imports" | "export_clause" => pending.push(child),
                _ => {}
            }
        }
    }
    if sink.imports.len() == before {
        // `import './x'` and `export * from './x'`.
        sink.module(module, None, node.kind() == "export_statement");
    }
}

fn required(sink: &mut Sink, call: Node) {
    let Some(argument) = call
        .child_by_field_name("arguments")
        .and_then(|list| list.named_child(0))
    else {
        return;
    };
    if argument.kind() != "string" {
        return;
    }
    let module = trim_quotes(sink.text, argument.byte_range());
    let target = call
        .parent()
        .filter(|parent| parent.kind() == "variable_declarator");
    let Some(pattern) = target.and_then(|target| target.child_by_field_name("name")) else {
        sink.module(module, None, false);
        return;
    };
    if pattern.kind() == "identifier" {
        let alias = Some(sink.word(pattern));
        sink.module(module, alias, false);
        return;
    }
    let mut cursor = pattern.walk();
    for child in pattern.named_children(&mut cursor) {
        match child.kind() {
            "shorthand_property_identifier_pattern" => sink.name(&module, child, None),
            "pair_pattern" => {
                let alias = child
                    .child_by_field_name("value")
                    .map(|value| sink.word(value));
                if let Some(key) = child.child_by_field_name("key") {
                    sink.name(&module, key, alias);
                }
            }
            _ => {}
        }
    }
}

fn go(sink: &mut Sink, node: Node) {
    let Some(path) = node.child_by_field_name("path") else {
        return;
    };
    let module = trim_quotes(sink.text, path.byte_range());
    let named = node.child_by_field_name("name").map(|name| sink.word(name));
    let alias = named.or_else(|| go_package(&sink.text[module.clone()]));
    let wildcard = alias.as_deref() == Some(".");
    sink.module(module, alias.filter(|alias| alias != "."), wildcard);
}

/// The package that an import path is called by, where that is not its last part:
/// `…/go-toml`, `…/mux/v2`, `gopkg.in/yaml.v3`.
fn go_package(path: &str) -> Option<String> {
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut parts = path.rsplit('/');
    let last = parts.next()?;
    let base = if is_version(last) {
        parts.next()?
    } else {
        last
    };
    let base = match base.rsplit_once('.') {
        Some((stem, version)) if is_version(version) || version == "go" => stem,
        _ => base,
    };
    let package = base
        .strip_prefix("go-")
        .or_else(|| base.strip_suffix("-go"))
        .unwrap_or(base);
    (package != last).then(|| package.to_owned())
}

fn ruby(sink: &mut Sink, node: Node) {
    let Some(argument) = node
        .child_by_field_name("arguments")
        .and_then(|list| list.named_child(0))
    else {
        return;
    };
    if argument.kind() == "string" {
        let range = trim_quotes(sink.text, argument.byte_range());
        let relative = node
            .child_by_field_name("method")
            .is_some_and(|method| &sink.text[method.byte_range()] == "require_relative");
        // The marker says that the path starts at the file's own folder.
        sink.module(range, relative.then(|| ".".to_owned()), false);
    }
}
