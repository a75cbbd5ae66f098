//! What a language's tables say about each kind of node, by the kind's number: a walk asks it of
//! every node, and comparing names there would take longer than the parse.

use std::{collections::HashMap, num::NonZeroU16, sync::OnceLock};

use tree_sitter::Node;

use super::{Rule, table};
use crate::{holes::HoleFacts, language::Language, symbols::is_import};

/// One kind of node.
#[derive(Debug)]
pub(crate) struct Kind {
    pub name: &'static str,
    /// It is what does not parse.
    pub is_error: bool,
    /// It is a name where it is a leaf.
    pub is_name: bool,
    /// It is a comment or a part of one.
    pub is_comment: bool,
    /// It is a string or a part of one.
    pub is_string: bool,
    /// It defines what holds members.
    pub is_container: bool,
    /// It defines what holds local names.
    pub is_function: bool,
    /// The rule for every name below it.
    pub region: Option<Rule>,
    /// How it imports.
    pub imports: Imports,
    /// Rules for what stands in it: field (`""` for none, `"*"` for any), rule.
    pub lines: Vec<(&'static str, Rule)>,
    /// Fields of it that are called.
    pub calls: Vec<&'static str>,
    /// What holes are cut at.
    pub holes: HoleFacts,
}

/// Whether a node imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Imports {
    Never,
    Always,
    /// ECMAScript's `export … from`.
    WithSource,
}

impl Kind {
    fn new(language: Language, name: &'static str) -> Self {
        let table = table(language);
        let lines = table.lines.iter().filter(|(kind, ..)| *kind == name);
        let calls = table.calls.iter().filter(|(kind, _)| *kind == name);
        let region = table.regions.iter().find(|(region, _)| *region == name);
        Self {
            name,
            is_error: name == "ERROR",
            is_name: table.names.contains(&name),
            is_comment: name.contains("comment"),
            is_string: name.contains("string"),
            is_container: table.containers.contains(&name),
            is_function: table.functions.contains(&name),
            region: region.map(|(_, rule)| *rule),
            imports: Imports::of(language, name),
            lines: lines.map(|(_, field, rule)| (*field, *rule)).collect(),
            calls: calls.map(|(_, field)| *field).collect(),
            holes: HoleFacts::new(language, name),
        }
    }
}

impl Imports {
    fn of(language: Language, kind: &str) -> Self {
        let always = match language {
            Language::Go => kind == "import_spec",
            Language::Ruby => false,
            _ if language.is_ecmascript() => {
                if kind == "export_statement" {
                    return Self::WithSource;
                }
                kind == "import_statement"
            }
            _ => is_import(kind),
        };
        if always { Self::Always } else { Self::Never }
    }
}

/// The kinds and fields of a language's grammar.
pub(crate) struct Grammar {
    kinds: Vec<Kind>,
    /// The kind of what does not parse, whose number is beyond the others.
    error: Kind,
    fields: Vec<&'static str>,
    field_ids: HashMap<&'static str, NonZeroU16>,
}

impl Grammar {
    /// The grammar of a language.
    pub(crate) fn of(language: Language) -> &'static Self {
        const COUNT: usize = Language::ALL.len();
        static GRAMMARS: [OnceLock<Grammar>; COUNT] = [const { OnceLock::new() }; COUNT];
        GRAMMARS[language as usize].get_or_init(|| Self::new(language))
    }

    fn new(language: Language) -> Self {
        // Made once for each language, so its names may as well live for ever.
        let grammar: &'static tree_sitter::Language = Box::leak(Box::new(language.grammar()));
        let kinds = (0..grammar.node_kind_count() as u16)
            .map(|id| Kind::new(language, grammar.node_kind_for_id(id).unwrap_or("")));
        let fields: Vec<&'static str> = (0..=grammar.field_count() as u16)
            .map(|id| grammar.field_name_for_id(id).unwrap_or(""))
            .collect();
        let named = fields.iter().filter(|name| !name.is_empty());
        Self {
            kinds: kinds.collect(),
            error: Kind::new(language, "ERROR"),
            field_ids: named
                .filter_map(|name| Some((*name, grammar.field_id_for_name(name)?)))
                .collect(),
            fields,
        }
    }

    /// What `node` is.
    pub(crate) fn kind(&self, node: Node) -> &Kind {
        let id = usize::from(node.kind_id());
        self.kinds.get(id).unwrap_or(&self.error)
    }

    /// The name of a field.
    pub(crate) fn field(&self, id: NonZeroU16) -> &'static str {
        self.fields
            .get(usize::from(id.get()))
            .copied()
            .unwrap_or("")
    }

    /// The child of `node` in the field `name`; as the library's own search by name, and faster.
    pub(crate) fn child<'tree>(&self, node: Node<'tree>, name: &str) -> Option<Node<'tree>> {
        node.child_by_field_id(self.field_ids.get(name)?.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn kinds_and_fields_have_the_librarys_names() {
        for (language, text) in [
            (
                Language::Python,
                "class A(B):\n  def f(self, *a): return [x for x in a if (\n",
            ),
            (
                Language::Cpp,
                "#include <a>\nint N::f(int a) { return a ? *b : c->d; } @\n",
            ),
            (
                Language::Ruby,
                "def f(a:, &b) = a&.b(*c) { |x| x }\nclass\n",
            ),
        ] {
            let tree = parse(language, text).expect("parses");
            let grammar = Grammar::of(language);
            let mut cursor = tree.walk();
            let mut seen = 0;
            'walk: loop {
                let node = cursor.node();
                assert_eq!(grammar.kind(node).name, node.kind());
                let field = cursor.field_id().map(|id| grammar.field(id));
                assert_eq!(field, cursor.field_name());
                for name in ["name", "body", "parameters", "none such"] {
                    assert_eq!(grammar.child(node, name), node.child_by_field_name(name));
                }
                seen += 1;
                if cursor.goto_first_child() {
                    continue;
                }
                while !cursor.goto_next_sibling() {
                    if !cursor.goto_parent() {
                        break 'walk;
                    }
                }
            }
            assert!(seen > 20, "{language}");
        }
    }
}
