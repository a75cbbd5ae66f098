//! The names in front of a call's bracket.

/// Words that stand before an expression and name nothing.
const BEFORE: &[&str] = &[
    "await", "new", "return", "yield", "not", "mut", "const", "static", "ref", "dyn", "impl",
    "unsafe", "typeof", "void", "delete", "co_await", "throw", "final", "readonly", "let", "var",
    "auto", "async", "in", "is", "struct", "class", "enum", "unsigned", "signed", "typename",
    "volatile", "inline", "nullable",
];

/// The object itself, or its class.
pub(super) fn is_self(name: &str) -> bool {
    matches!(
        name,
        "self" | "this" | "cls" | "super" | "Self" | "static" | "parent" | "base"
    )
}

const fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// The names of a call up to its first bracket: `a.b::c(x)` has `a`, `b` and `c`. Empty where the
/// call starts with something else than a name, as with a literal.
pub(super) fn segments(call: &str) -> Vec<&str> {
    let head = head(call.trim_start());
    let head = head.trim_start_matches(['(', '!', '&', '*', '-', '~', '$', '@', '\\', ':', ' ']);
    if !head.starts_with(|c| is_name(c) && !c.is_ascii_digit()) {
        return Vec::new();
    }
    head.split(|c| !is_name(c))
        .filter(|name| !name.is_empty() && !BEFORE.contains(name))
        .collect()
}

/// Everything before the first bracket of arguments, without brackets of types.
fn head(call: &str) -> &str {
    let start = call.len() - call.trim_start_matches(['(', ' ']).len();
    let end = call[start..]
        .find(['(', '[', '{', '<', '"', '\''])
        .map_or(call.len(), |at| start + at);
    &call[..end]
}

/// The first name of an expression or a type, to which it leads.
pub(super) fn first_name(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([':', ' ', '?', '&', '*', '\n', '\t', '(', '$', '@', '\\']);
    let literal = text.starts_with(|c: char| !is_name(c) || c.is_ascii_digit());
    if literal {
        return None;
    }
    text.split(|c| !is_name(c))
        .find(|name| !name.is_empty() && !BEFORE.contains(name))
}

/// The last name of what is assigned to: `self.a.b` gives `b`.
pub(super) fn last_name(text: &str) -> Option<&str> {
    let text = text.split(['=', '[', '<', '(']).next()?;
    if text.contains(',') {
        return None;
    }
    text.rsplit(|c| !is_name(c)).find(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_before_the_bracket() {
        for (call, expected) in [
            ("np.linalg.norm(x)", &["np", "linalg", "norm"][..]),
            ("await client.get(x)", &["client", "get"]),
            ("$this->app->make('x')", &["this", "app", "make"]),
            ("Foo::<T>::bar(x)", &["Foo"]),
            ("a(b(c)).d()", &["a"]),
            ("\"x\".join(y)", &[]),
            ("[1].map(f)", &[]),
            ("\\Foo\\bar($x)", &["Foo", "bar"]),
            ("(new Foo(x)).run()", &["Foo"]),
            ("@name.call(x)", &["name", "call"]),
        ] {
            assert_eq!(segments(call), expected, "{call}");
        }
        assert_eq!(last_name("self.a.b"), Some("b"));
        assert_eq!(last_name("a, b"), None);
        assert_eq!(first_name(": &mut Foo<T>"), Some("Foo"));
        assert_eq!(first_name("new Bar(1)"), Some("Bar"));
        assert_eq!(first_name("12"), None);
    }
}
