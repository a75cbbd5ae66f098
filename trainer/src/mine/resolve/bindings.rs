//! What names stand for: `client = Session()`, `Foo foo`, `fn f(x: &Bar)`. Scopes are not followed;
//! the binding before the place counts.

use std::num::NonZeroU16;
use std::sync::OnceLock;

use foldhash::{HashMap, HashMapExt as _};
use tree_sitter::Node;
use truefill_syntax::Language;

use super::callee::{first_name, last_name};

/// Kinds of nodes that bind, with the fields of the name and of what it stands for.
const BINDERS: &[(&str, &str, &[&str])] = &[
    ("assignment", "left", &["type", "right"]),
    ("assignment_expression", "left", &["right"]),
    ("named_expression", "name", &["value"]),
    ("typed_default_parameter", "name", &["type"]),
    ("variable_declarator", "name", &["type", "value"]),
    ("required_parameter", "pattern", &["type"]),
    ("optional_parameter", "pattern", &["type"]),
    ("public_field_definition", "name", &["type", "value"]),
    ("field_definition", "property", &["value"]),
    ("short_var_declaration", "left", &["right"]),
    ("var_spec", "name", &["type", "value"]),
    ("parameter_declaration", "name", &["type"]),
    ("parameter_declaration", "declarator", &["type"]),
    ("field_declaration", "name", &["type"]),
    ("field_declaration", "declarator", &["type"]),
    ("let_declaration", "pattern", &["type", "value"]),
    ("parameter", "pattern", &["type"]),
    ("parameter", "name", &["type"]),
    ("local_variable_declaration", "declarator", &["type"]),
    ("formal_parameter", "name", &["type"]),
    ("property_declaration", "name", &["type"]),
    ("simple_parameter", "name", &["type"]),
    ("property_promotion_parameter", "name", &["type"]),
    ("declaration", "declarator", &["type"]),
    ("init_declarator", "declarator", &["value"]),
];

/// Names that say "look at the value".
const NO_TYPES: &[&str] = &[
    "var", "auto", "let", "const", "dynamic", "any", "object", "mixed",
];

/// Functions of typed languages that make what they are called like; the result of another call may
/// be anything.
const MAKERS: &[&str] = &[
    "new", "New", "create", "Create", "make", "Make", "build", "Build", "from", "From", "with",
    "open", "Open", "of", "Of", "default", "Default", "connect", "Dial",
];

/// What a name was bound to at one place.
#[derive(Clone, Copy)]
struct Bound<'a> {
    at: usize,
    /// The first name of its type or value; nothing where the type cannot be told.
    to: Option<&'a str>,
    /// An assignment to what is declared elsewhere: a declaration counts before it.
    weak: bool,
}

/// Names with their places and what they stand for, in the order of the text.
pub struct Bindings<'a> {
    language: Language,
    text: &'a str,
    binders: &'static Binders,
    values: HashMap<&'a str, Vec<Bound<'a>>>,
}

impl<'a> Bindings<'a> {
    /// Nothing is bound yet.
    pub fn new(language: Language, text: &'a str) -> Self {
        Self {
            language,
            text,
            binders: Binders::of(language),
            values: HashMap::new(),
        }
    }

    /// Reads what `node` itself binds; is shown every node of the file, in the order of the text.
    pub fn see(&mut self, node: Node) {
        match self.binders.of_kind(node.kind_id()) {
            Binder::None => {}
            Binder::CSharp => self.read_csharp(node),
            Binder::TypedParameter => {
                let value = node.child_by_field_name("type");
                self.bind(node.named_child(0), value, false);
            }
            Binder::Fields { lines, weak } => {
                for (name, values) in lines {
                    // Of `Type name = value` two nodes bind the name at its place; the outer has
                    // the type.
                    let name = node.child_by_field_id(*name);
                    for value in values {
                        self.bind(name, node.child_by_field_id(*value), *weak);
                    }
                }
            }
        }
    }

    /// `Type a = value, b;`
    fn read_csharp(&mut self, node: Node) {
        let kind = node.child_by_field_name("type");
        let mut cursor = node.walk();
        for declarator in node.named_children(&mut cursor) {
            if declarator.kind() == "variable_declarator" {
                let name = declarator.child_by_field_name("name");
                self.bind(name, kind, false);
                let last = declarator.named_child_count().checked_sub(1);
                let value = last.and_then(|last| declarator.named_child(last as u32));
                self.bind(name, value, false);
            }
        }
    }

    fn bind(&mut self, name: Option<Node>, value: Option<Node>, weak: bool) {
        let text = self.text;
        let at = name.map_or(0, |name| name.start_byte());
        let name = name.and_then(|name| last_name(&text[name.byte_range()]));
        let first = value.and_then(|value| first_name(&text[value.byte_range()]));
        if let (Some(name), Some(first)) = (name, first)
            && !NO_TYPES.contains(&first)
        {
            let told = !value.is_some_and(|value| self.is_result(&text[value.byte_range()]));
            let known = self.values.entry(name).or_default();
            // The type is asked first and counts.
            if known.last().is_none_or(|bound| bound.at != at) {
                let to = told.then_some(first);
                known.push(Bound { at, to, weak });
            }
        }
    }

    /// The value is the result of a call that makes who knows what.
    fn is_result(&self, value: &str) -> bool {
        let typed = matches!(
            self.language,
            Language::Java | Language::CSharp | Language::Rust | Language::Go | Language::Cpp
        );
        let Some((callee, _)) = value.split_once('(').filter(|_| typed) else {
            return false;
        };
        let function = callee.trim_end_matches([':', '<', '>']);
        let function = last_name(function).unwrap_or("");
        let made = function.starts_with(char::is_uppercase) && self.language != Language::Go
            || MAKERS.iter().any(|maker| function.starts_with(maker));
        !made && !value.trim_start().starts_with("new ")
    }

    /// What `name` stands for at byte `at`: as bound last before it, else first after it; a
    /// declaration counts before an assignment. `Some(None)` where it is bound to the unknown.
    pub(super) fn value(&self, name: &str, at: usize) -> Option<Option<&'a str>> {
        let known = self.values.get(name)?;
        let nearest = |weak: bool| {
            let of = || known.iter().filter(move |bound| bound.weak == weak);
            of().rfind(|bound| bound.at < at).or_else(|| of().next())
        };
        nearest(false)
            .or_else(|| nearest(true))
            .map(|bound| bound.to)
    }
}

/// What a kind of node binds.
enum Binder {
    None,
    /// C#'s `variable_declaration`.
    CSharp,
    /// Python's, whose name has no field.
    TypedParameter,
    Fields {
        /// Of the name and of what it stands for.
        lines: Vec<(u16, Vec<u16>)>,
        /// See [`Bound::weak`].
        weak: bool,
    },
}

/// [`BINDERS`] by the numbers of a grammar.
struct Binders(Vec<Binder>);

impl Binders {
    fn of(language: Language) -> &'static Self {
        const COUNT: usize = Language::ALL.len();
        static TABLES: [OnceLock<Binders>; COUNT] = [const { OnceLock::new() }; COUNT];
        TABLES[language as usize].get_or_init(|| {
            let grammar = language.grammar();
            let kinds = 0..grammar.node_kind_count() as u16;
            Self(kinds.map(|id| Binder::of(&grammar, id)).collect())
        })
    }

    fn of_kind(&self, id: u16) -> &Binder {
        // The kind of errors has a number beyond the others.
        self.0.get(usize::from(id)).unwrap_or(&Binder::None)
    }
}

impl Binder {
    fn of(grammar: &tree_sitter::Language, id: u16) -> Self {
        let field = |name| grammar.field_id_for_name(name).map(NonZeroU16::get);
        let lines = |kind| {
            let of_kind = BINDERS.iter().filter(move |(binder, ..)| *binder == kind);
            of_kind.filter_map(|(_, name, values)| {
                let values = values.iter().filter_map(&field);
                Some((field(name)?, values.collect()))
            })
        };
        match grammar.node_kind_for_id(id).unwrap_or("") {
            "variable_declaration" => Self::CSharp,
            "typed_parameter" => Self::TypedParameter,
            kind => match lines(kind).collect::<Vec<_>>() {
                lines if lines.is_empty() => Self::None,
                lines => Self::Fields {
                    lines,
                    weak: kind == "assignment_expression",
                },
            },
        }
    }
}
