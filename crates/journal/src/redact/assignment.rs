//! Values assigned to names that speak of secrets.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::{Secret, SecretKind};

/// Words in a name that make its value a secret.
const NAMES: &str = r"pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|auth[_-]?key|account[_-]?key|credentials?|client[_-]?secret|licen[cs]e[_-]?key";

/// `name = "`, `"name": "`, `name => '`, `name: str = "`: up to the value.
static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = format!(
        r#"(?i)(?-u:\b)(?P<name>[0-9A-Za-z_.-]{{0,40}}(?:{NAMES})[0-9A-Za-z_]{{0,40}})["'`\]]{{0,2}}\s*(?::[ \t]*(?:&(?:'[a-z_]+[ \t]+)?)?[0-9A-Za-z_<>\[\]]{{1,24}}[ \t]*)?(?::=|=>|==?|:|,)\s*[rbuf@$]{{0,2}}["'`]"#
    );
    super::patterns::compiled(&pattern)
});

/// `NAME=value` and `name: value` alone on a line, as in shells and YAML.
static BARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = format!(r#"{BARE_NAME}(?P<value>[^\s"'`$(){{}}\[\]<>;,]{{8,}})[ \t]*$"#);
    super::patterns::compiled(&pattern.replace("NAMES", NAMES))
});

/// As [`BARE`], to the end of the text, however short.
static BARE_BEGUN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = format!(r#"{BARE_NAME}(?P<value>[^\s"'`$(){{}}\[\]<>;,]+)\z"#);
    Regex::new(&pattern.replace("NAMES", NAMES)).ok()
});

const BARE_NAME: &str = r"(?im)^\s*(?:export\s+|set\s+|-\s+)?(?P<name>[0-9A-Za-z_.-]{0,40}(?:NAMES)[0-9A-Za-z_]{0,40})(?:=|:[ \t]+)";

/// Shortest first word of a quoted value, in bytes.
const SHORTEST_WORD: usize = 4;

/// The values found.
pub fn find(text: &str) -> impl Iterator<Item = Secret> {
    quoted(text)
        .filter(|value| value.word.len() >= SHORTEST_WORD && is_secret(value.name, value.word))
        .map(|value| value.range)
        .chain(bare(text))
        .map(secret)
}

/// A value that the text ends in, which need not be complete. `code`: a program's text, where
/// secrets stand in quotes.
pub fn begun(text: &str, code: bool) -> Option<Secret> {
    let is_open = |value: &Quoted<'_>| !value.closed && value.range.end == text.len();
    let open = quoted(text).filter(is_open).last();
    let open = open.filter(|value| speaks_of_secrets(value.name) && begins(value.word));
    let quoted = open.map(|value| value.range);
    let bare = || {
        let found = BARE_BEGUN.as_ref()?.captures(text)?;
        let (name, value) = (found.name("name")?, found.name("value")?);
        (speaks_of_secrets(name.as_str()) && begins(value.as_str())).then(|| value.range())
    };
    let range = quoted.or_else(|| bare().filter(|_| !code))?;
    (!range.is_empty()).then(|| secret(range))
}

fn secret(range: Range<usize>) -> Secret {
    let kind = SecretKind::Assignment;
    Secret { kind, range }
}

/// A quoted value of a name that may speak of a secret.
struct Quoted<'a> {
    name: &'a str,
    /// Its first word.
    word: &'a str,
    /// All of it, up to the quote that closes it or the line's end.
    range: Range<usize>,
    closed: bool,
}

fn quoted(text: &str) -> impl Iterator<Item = Quoted<'_>> {
    let found = QUOTED.as_ref().into_iter();
    let found = found.flat_map(move |regex| regex.captures_iter(text));
    found.filter_map(move |found| {
        let (name, start) = (found.name("name")?.as_str(), found.get(0)?.end());
        let quote = text[..start].chars().next_back()?;
        let (length, closed) = until(&text[start..], quote);
        let value = &text[start..start + length];
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
        Some(Quoted {
            name,
            word: value.split(ends).next()?,
            range: start..start + length,
            closed,
        })
    })
}

/// The bytes before the quote that closes a literal, and whether it is on the line.
fn until(text: &str, quote: char) -> (usize, bool) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\n' => return (at, false),
            '\\' => escaped = !escaped,
            c if c == quote && !escaped => return (at, true),
            _ => escaped = false,
        }
    }
    (text.len(), false)
}

fn bare(text: &str) -> impl Iterator<Item = Range<usize>> {
    let found = BARE.as_ref().into_iter();
    found
        .flat_map(move |regex| regex.captures_iter(text))
        .filter_map(|found| {
            let (name, value) = (found.name("name")?, found.name("value")?);
            is_secret(name.as_str(), value.as_str()).then(|| value.range())
        })
}

/// Whether a value that is being typed may become a secret, not a reference to one.
fn begins(value: &str) -> bool {
    !value.starts_with(['$', '{', '<', '%'])
}

/// Texts that stand where a secret will be put.
const PLACEHOLDERS: &[&str] = &[
    "example",
    "changeme",
    "change_me",
    "placeholder",
    "your",
    "dummy",
    "redacted",
    "xxxx",
    "****",
    "<",
    "${",
    "{{",
    "%s",
    "%(",
    "process.env",
    "os.environ",
    "getenv",
    "env.",
    "env[",
    "todo",
    "insert",
    "...",
    "null",
    "none",
    "undefined",
    "false",
    "true",
];

fn is_secret(name: &str, value: &str) -> bool {
    let lower = value.to_lowercase();
    if PLACEHOLDERS
        .iter()
        .any(|placeholder| lower.contains(placeholder))
    {
        return false;
    }
    if !speaks_of_secrets(name) {
        return false;
    }
    let name = name.to_lowercase();
    let passes = [
        "password",
        "passwd",
        "passphrase",
        "passcode",
        "pwd",
        "secret",
    ];
    let strict = passes.iter().any(|word| name.contains(word));
    let digits = value.chars().any(|c| c.is_ascii_digit());
    let mixed = value.chars().any(char::is_lowercase) && value.chars().any(char::is_uppercase);
    let marks = value
        .chars()
        .any(|c| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.' | '/' | ':'));
    if strict {
        value.chars().count() >= 6 || digits || marks
    } else {
        digits || (mixed && value.len() >= 16)
    }
}

/// Whether the name is that of a secret, not of something about secrets.
fn speaks_of_secrets(name: &str) -> bool {
    let name = name.to_lowercase();
    // `max_tokens`, `token_type`, `passed`, `password_field`.
    let about = [
        "_type", "_field", "_name", "_url", "_path", "_file", "_len", "_header", "_label",
        "_count", "_id", "_regex", "_pattern", "_prompt", "_message", "_error",
    ];
    !about.iter().any(|ending| name.ends_with(ending)) && !name.ends_with("tokens")
}
