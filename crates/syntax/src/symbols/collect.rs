//! One walk over a tree that gathers its symbols.

use std::{collections::BTreeSet, ops::Range};

use tree_sitter::{Node, Tree};

use crate::{
    language::Language,
    roles::{Grammar, Path, Role, SymbolKind, role, walk},
};

use super::{Definition, Symbols, classes::class_of, imports, signatures::signature_of};

/// Strings that are one identifier name things too (`getattr(x, "name")`, `attr_reader :name`).
const LONGEST_STRING_NAME: usize = 48;

/// Definitions, signatures, classes and imports; the names only where the caller wants them, since
/// gathering them takes as long as all the rest.
pub(super) fn collect(
    language: Language,
    text: &str,
    tree: &Tree,
    range: Range<usize>,
    with_names: bool,
) -> Symbols {
    let mut collector = Collector::new(language, text);
    let mut names = BTreeSet::new();
    walk(language, tree, range, |path| {
        if with_names && let Some(name) = text.get(path.range()) {
            names.extend(named(path, name));
        }
        let is_name = path.last().what.is_name;
        collector.leaf(path, is_name.then(|| role(language, text, path)));
    });
    let mut symbols = collector.symbols;
    symbols.names = names.into_iter().map(str::to_owned).collect();
    symbols
}

/// Gathers the symbols of a text whose leaves it is shown in order.
pub(crate) struct Collector<'a> {
    language: Language,
    text: &'a str,
    last_import: usize,
    /// All but the names.
    pub symbols: Symbols,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(language: Language, text: &'a str) -> Self {
        Self {
            language,
            text,
            last_import: usize::MAX,
            symbols: Symbols::default(),
        }
    }

    /// Reads the leaf at the end of `path`; `role` is its role where it is a name.
    pub(crate) fn leaf(&mut self, path: &Path, role: Option<Role>) {
        let leaf = path.leaf();
        let there = self.text.get(path.range());
        if !leaf.is_named() || there.is_none_or(str::is_empty) {
            return;
        }
        if let Some(node) = imports::import_at(self.language, self.text, path)
            && node.id() != self.last_import
        {
            self.last_import = node.id();
            imports::read(self.language, self.text, node, &mut self.symbols.imports);
        }
        if let Some(Role::Define(kind)) = role {
            define(self.language, self.text, path, kind, &mut self.symbols);
        }
    }
}

/// The name that a leaf is, or that a string or symbol spells.
fn named<'t>(path: &Path, word: &'t str) -> Option<&'t str> {
    let what = path.last().what;
    let kind = what.name;
    if matches!(kind, "hash_key_symbol" | "simple_symbol") {
        return Some(bare(word));
    }
    if word.is_empty() || !path.leaf().is_named() {
        return None;
    }
    if what.is_name {
        return Some(bare(word));
    }
    let spelled = what.is_string && word.len() <= LONGEST_STRING_NAME;
    (spelled && is_identifier(word)).then_some(word)
}

/// A name without the sigils of its language.
pub(super) fn bare(word: &str) -> &str {
    word.trim_start_matches(['@', '$', ':', '#'])
        .trim_end_matches(':')
}

fn is_identifier(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn define(language: Language, text: &str, path: &Path, kind: SymbolKind, symbols: &mut Symbols) {
    let leaf = path.leaf();
    let mut owner = None;
    let mut container = None;
    let mut local = false;
    for frame in path.ancestors() {
        let node = frame.node;
        let function = frame.what.is_function;
        let holder = frame.what.is_container;
        if !function && !holder {
            continue;
        }
        if owner.is_none() && names(language, node, leaf, kind) {
            owner = Some(node);
            continue;
        }
        if holder {
            container = container_name(text, node);
            break;
        }
        local = true;
        if kind != SymbolKind::Field {
            break;
        }
    }
    let name = bare(&text[leaf.byte_range()]).to_owned();
    let container = container.or_else(|| owner.and_then(|owner| receiver(language, text, owner)));
    let kind = match (kind, &container, local) {
        (SymbolKind::Function, Some(_), false) => SymbolKind::Method,
        (SymbolKind::Variable, Some(_), false) => SymbolKind::Field,
        _ => kind,
    };
    if let Some(owner) = owner {
        if kind == SymbolKind::Class {
            symbols.classes.extend(class_of(language, text, owner));
        } else {
            symbols.signatures.extend(signature_of(
                language,
                text,
                owner,
                &name,
                container.clone(),
            ));
        }
    } else if kind == SymbolKind::Class {
        symbols.classes.push(super::Class {
            name: name.clone(),
            bases: Vec::new(),
            open: true,
        });
    }
    let local = local && kind != SymbolKind::Field;
    symbols.definitions.push(Definition {
        name,
        kind,
        container,
        local,
        range: leaf.byte_range(),
    });
}

/// The definition `node` is the one that `leaf` names.
fn names(language: Language, node: Node, leaf: Node, kind: SymbolKind) -> bool {
    let grammar = Grammar::of(language);
    if let Some(name) = grammar.child(node, "name") {
        return name == leaf;
    }
    // C++: the name stands inside of the declarator, before the parameters.
    matches!(kind, SymbolKind::Function | SymbolKind::Method)
        && grammar.child(node, "declarator").is_some_and(|declarator| {
            declarator.start_byte() <= leaf.start_byte() && leaf.end_byte() <= declarator.end_byte()
        })
}

/// The name of the class that `node` defines or extends.
fn container_name(text: &str, node: Node) -> Option<String> {
    let name = node
        .child_by_field_name("name")
        .or_else(|| node.child_by_field_name("type"))?;
    last_name(&text[name.byte_range()])
}

/// The last plain name in a type: `a::B<C>` gives `B`, `*pkg.T` gives `T`.
pub(super) fn last_name(text: &str) -> Option<String> {
    let head = text
        .split(['<', '[', '('])
        .find(|part| !part.trim().is_empty())?;
    let name = head
        .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
        .find(|part| !part.is_empty())?;
    Some(name.to_owned())
}

/// The type that a Go method or an out-of-line C++ method belongs to.
fn receiver(language: Language, text: &str, owner: Node) -> Option<String> {
    match language {
        Language::Go => {
            let receiver = owner.child_by_field_name("receiver")?;
            let inner = text[receiver.byte_range()].trim_matches(['(', ')']);
            last_name(inner.split('[').next().unwrap_or(inner))
        }
        Language::Cpp => {
            let declarator = owner.child_by_field_name("declarator")?;
            let head = text[declarator.byte_range()].split('(').next()?;
            let (scope, _) = head.rsplit_once("::")?;
            last_name(scope)
        }
        _ => None,
    }
}
