//! Values assigned to names that speak of secrets.

use std::sync::LazyLock;

use regex::Regex;

use super::{Secret, SecretKind};

/// Words in a name that make its value a secret.
const NAMES: &str = r"pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|auth[_-]?key|account[_-]?key|credentials?|client[_-]?secret|licen[cs]e[_-]?key";

/// `name = "value"`, `"name": "value"`, `name => 'value'`, `name: str = "value"`.
static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = format!(
        r#"(?i)(?-u:\b)(?P<name>[0-9A-Za-z_.-]{{0,40}}(?:{NAMES})[0-9A-Za-z_]{{0,40}})["'`\]]{{0,2}}\s*(?::\s*[0-9A-Za-z_&'<>\[\]]{{1,24}}\s*)?(?::=|=>|==?|:|,)\s*[rbuf@$]{{0,2}}["'`](?P<value>[^"'`\s]{{4,}})"#
    );
    Regex::new(&pattern).ok()
});

/// `NAME=value` and `name: value` alone on a line, as in shells and YAML.
static BARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = format!(
        r#"(?im)^\s*(?:export\s+|set\s+|-\s+)?(?P<name>[0-9A-Za-z_.-]{{0,40}}(?:{NAMES})[0-9A-Za-z_]{{0,40}})(?:=|:[ \t]+)(?P<value>[^\s"'`$(){{}}\[\]<>;,]{{8,}})[ \t]*$"#
    );
    Regex::new(&pattern).ok()
});

/// The values found.
pub fn find(text: &str) -> impl Iterator<Item = Secret> {
    let all = [QUOTED.as_ref(), BARE.as_ref()].into_iter().flatten();
    all.flat_map(|regex| regex.captures_iter(text))
        .filter_map(|found| {
            let (name, value) = (found.name("name")?, found.name("value")?);
            is_secret(name.as_str(), value.as_str()).then(|| Secret {
                kind: SecretKind::Assignment,
                range: value.range(),
            })
        })
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
    let name = name.to_lowercase();
    // `max_tokens`, `token_type`, `passed`, `password_field`: names about secrets, not secrets.
    let about = [
        "_type", "_field", "_name", "_url", "_path", "_file", "_len", "_header", "_label",
        "_count", "_id", "_regex", "_pattern", "_prompt", "_message", "_error",
    ];
    if about.iter().any(|ending| name.ends_with(ending)) || name.ends_with("tokens") {
        return false;
    }
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
