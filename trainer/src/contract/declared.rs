//! How many arguments a function takes, where the window declares it.

use tree_sitter::Node;
use truefill_syntax::{Language, is_common_name};

use super::{Parsed, walk};

/// What calls of a function may give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arity {
    /// Arguments at least.
    pub least: usize,
    /// Arguments at most.
    pub most: usize,
}

impl Arity {
    /// A call with so many is right, and with one more is not.
    pub(crate) const fn takes_no_more(self, given: usize) -> bool {
        self.least <= given && given == self.most
    }

    /// A call with so many is right, and with one less is not.
    pub(crate) const fn needs_all(self, given: usize) -> bool {
        given == self.least && given <= self.most
    }
}

/// PHP and JavaScript take what is too much and throw it away.
pub(crate) const fn counts_arguments(language: Language) -> bool {
    !matches!(language, Language::Php | Language::JavaScript)
}

/// Functions that take whatever they are given: one more option is no error.
const OPEN: &[(Language, &[&str])] = &[
    (
        Language::Python,
        &[
            "dict",
            "defaultdict",
            "OrderedDict",
            "Counter",
            "format",
            "update",
            "partial",
            "namedtuple",
            "SimpleNamespace",
            "Namespace",
            "set_defaults",
            "add_argument",
            "submit",
            "apply",
            "Mock",
            "MagicMock",
        ],
    ),
    (
        Language::Ruby,
        &[
            "format",
            "sprintf",
            "printf",
            "puts",
            "print",
            "p",
            "merge",
            "enum_for",
            "to_enum",
            "send",
            "public_send",
            "parse",
            "generate",
            "dump",
            "load",
            "raise",
            "new",
            "call",
            "yield",
        ],
    ),
    (
        Language::Php,
        &[
            "sprintf",
            "printf",
            "compact",
            "array_merge",
            "call_user_func",
            "max",
            "min",
        ],
    ),
];

/// The function of a call takes any argument, as far as is known.
pub(crate) fn takes_anything(parsed: &Parsed, list: Node<'_>) -> bool {
    let Some((name, _)) = callee(parsed, list) else {
        return true;
    };
    let listed = OPEN
        .iter()
        .any(|(language, names)| *language == parsed.language && names.contains(&name));
    // A name with a declaration that cannot be counted takes a rest, or is wrapped by a decorator.
    listed || matches!(declarations(parsed, name), Declared::Open)
}

/// What the function of a call takes, if the window declares it and only such of its name.
pub(crate) fn arity(parsed: &Parsed, list: Node<'_>) -> Option<Arity> {
    let (name, receiver) = callee(parsed, list)?;
    let own = receiver.is_none_or(|receiver| matches!(receiver, "self" | "this" | "$this" | "cls"));
    if !own {
        // `Class.method(object, x)` gives one argument more.
        let of_class = receiver.is_some_and(|name| name.starts_with(char::is_uppercase));
        if of_class || is_common_name(parsed.language, name) {
            return None;
        }
    }
    match declarations(parsed, name) {
        Declared::Arity(arity) => Some(arity),
        Declared::Open | Declared::Nowhere => None,
    }
}

/// The name that a list of arguments is given to, and what stands before it.
fn callee<'p>(parsed: &'p Parsed, list: Node<'_>) -> Option<(&'p str, Option<&'p str>)> {
    let call = list.parent()?;
    let head = parsed.text.get(call.start_byte()..list.start_byte())?;
    let head = without_types(head.trim_end()).trim_end_matches("::");
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '?' | '!');
    let start = head.rfind(|c: char| !is_part(c)).map_or(0, |at| {
        at + head[at..].chars().next().map_or(1, char::len_utf8)
    });
    let (before, name) = head.split_at(start);
    if name.is_empty() {
        return None;
    }
    let before = before.trim_end();
    let linked = ["->", "::", "."]
        .iter()
        .find_map(|link| before.strip_suffix(link));
    let receiver = linked.map(|before| {
        let before = before.trim_end_matches('?');
        let from = before.rfind(|c: char| !is_part(c)).map_or(0, |at| at + 1);
        before.get(from..).unwrap_or("")
    });
    Some((name, receiver))
}

/// Without the types that are given in angle brackets.
fn without_types(head: &str) -> &str {
    if !head.ends_with('>') {
        return head;
    }
    let mut depth = 0_usize;
    for (at, byte) in head.bytes().enumerate().rev() {
        match byte {
            b'>' => depth += 1,
            b'<' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return &head[..at];
        }
    }
    head
}

enum Declared {
    Nowhere,
    Open,
    Arity(Arity),
}

/// Everything of the name that has parameters, taken together: overloads and methods of different
/// classes widen what is accepted.
fn declarations(parsed: &Parsed, name: &str) -> Declared {
    let mut found = Declared::Nowhere;
    walk(&parsed.tree, |node| {
        if let Some(list) = parameters(node)
            && is_called(parsed, node, name)
        {
            found = match (counted(parsed, node, list), &found) {
                (None, _) | (_, Declared::Open) => Declared::Open,
                (Some(arity), Declared::Nowhere) => Declared::Arity(arity),
                (Some(arity), Declared::Arity(other)) => Declared::Arity(Arity {
                    least: other.least.min(arity.least),
                    most: other.most.max(arity.most),
                }),
            };
        }
        !matches!(found, Declared::Open)
    });
    found
}

fn parameters(node: Node<'_>) -> Option<Node<'_>> {
    node.child_by_field_name("parameters")
        .or_else(|| node.child_by_field_name("parameter"))
        .or_else(|| {
            // Ruby leaves the list away where there are none.
            matches!(node.kind(), "method" | "singleton_method").then_some(node)
        })
}

/// A function's own name is `name`, or that of what it is assigned to.
fn is_called(parsed: &Parsed, node: Node<'_>, name: &str) -> bool {
    let fields = ["name", "declarator", "left", "key", "property"];
    let own = |node: Node<'_>| {
        fields
            .iter()
            .find_map(|field| node.child_by_field_name(field))
            .and_then(|named| parsed.text.get(named.byte_range()))
            .and_then(|text| {
                text.rsplit(|c: char| !(c.is_alphanumeric() || "_?!".contains(c)))
                    .next()
            })
    };
    let of_parent = || node.parent().and_then(own);
    own(node).or_else(of_parent) == Some(name.trim_start_matches('$'))
}

/// Parameters at least and at most; nothing for a list that takes any number, or whose function
/// may have been changed by a decorator.
fn counted(parsed: &Parsed, function: Node<'_>, list: Node<'_>) -> Option<Arity> {
    let text = |node: Node<'_>| &parsed.text[node.byte_range()];
    let wrapped = function
        .parent()
        .is_some_and(|parent| parent.kind() == "decorated_definition");
    if wrapped || (parsed.language.is_ecmascript() && text(function).contains("arguments")) {
        return None;
    }
    let mut arity = Arity { least: 0, most: 0 };
    if list == function {
        return Some(arity);
    }
    if list.kind() == "identifier" {
        return Some(Arity { least: 1, most: 1 });
    }
    let mut cursor = list.walk();
    for (at, parameter) in list.named_children(&mut cursor).enumerate() {
        let (kind, text) = (parameter.kind(), text(parameter));
        let receiver = at == 0
            && (kind == "self_parameter"
                || matches!(text, "self" | "cls")
                || text.starts_with("this:"));
        if kind.contains("comment") || kind.contains("attribute") || receiver {
            continue;
        }
        match kind {
            "positional_separator" | "block_parameter" => continue,
            // C: `f(void)` takes nothing.
            _ if text == "void" => continue,
            _ => {}
        }
        let rest = ["splat", "rest", "variadic", "spread", "keyword"];
        let open = text.starts_with('*') && parsed.language == Language::Python;
        if open
            || text.contains("...")
            || text.starts_with("params ")
            || rest.iter().any(|part| kind.contains(part))
        {
            return None;
        }
        let mut names = parameter.walk();
        let count = parameter
            .children_by_field_name("name", &mut names)
            .count()
            .max(1);
        let count = if parsed.language == Language::Go {
            count
        } else {
            1
        };
        arity.most += count;
        if !is_optional(parameter, kind) {
            arity.least += count;
        }
    }
    // C#: `params` is a token of the list.
    (!text(list).contains("params ") || parsed.language != Language::CSharp).then_some(arity)
}

fn is_optional(parameter: Node<'_>, kind: &str) -> bool {
    let mut cursor = parameter.walk();
    let default = parameter
        .children(&mut cursor)
        .any(|child| child.kind() == "=");
    default || kind.contains("default") || kind.contains("optional") || kind == "assignment_pattern"
}
