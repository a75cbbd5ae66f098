//! A secret that a text ends in, perhaps half typed.
//!
//! Before a cursor there is less to judge by than in a finished text, and a false alarm costs
//! less: what is hidden there is a part of one word or literal.

use std::sync::LazyLock;

use regex::Regex;

use super::{Secret, SecretKind, assignment, entropy};

/// Lines before the end that are looked at: a value may stand below its name.
const LINES: usize = 3;

/// Bytes before the end that are looked at.
const BYTES: usize = 4096;

/// Beginnings that only keys and tokens have, up to the end of the text. Those that names have
/// too need a digit in what follows.
const WORDS: &[(SecretKind, &str)] = &[
    (
        SecretKind::ServiceToken,
        r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|AIza|LTAI|ATATT3|ATBB|EAAC)[0-9A-Za-z_=-]*\z",
    ),
    (
        SecretKind::ServiceToken,
        r"\b(?:gh[pousr]_|github_pat_|gl(?:pat|dt|rt|ptt|cbt|oas)-|xox[abeoprs]-|xapp-|dckr_pat_|ya29\.|GOCSPX-|AGE-SECRET-KEY-)[0-9A-Za-z_.-]*\z",
    ),
    (
        SecretKind::ServiceToken,
        r"\b(?:[sr]k_(?:live|test)_|whsec_|sq0(?:atp|csp)-|hv[sbr]\.|glsa_|shp(?:at|ca|pa|ss)_|lin_api_|sntrys_|do[opr]_v1_|rubygems_)[0-9A-Za-z+/=_-]*\z",
    ),
    (
        SecretKind::ServiceToken,
        r"\b(?:sk|npm|pypi|hf|gsk|xai|r8|key|SG|dapi|cio)[-_.]?[A-Za-z_-]*[0-9][0-9A-Za-z_.-]*\z",
    ),
    (
        SecretKind::ServiceToken,
        r"(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/[0-9A-Za-z/_-]+\z",
    ),
    (
        SecretKind::WebToken,
        r"\beyJ[0-9A-Za-z_-]+[0-9A-Za-z_.-]*\z",
    ),
    // The part behind the colon is a port if it has digits alone.
    (
        SecretKind::Connection,
        r#"\b[a-z][a-z0-9+.-]{1,20}://(?:[^\s/:@"'<>{}$]{0,64}:[0-9]*[^\s/@"'<>{}$%*0-9][^\s/@"'<>{}$%*]*|:[^\s/@"'<>{}$%*]+)\z"#,
    ),
    (
        SecretKind::Connection,
        r"(?i)\b(?:AccountKey|SharedAccessKey)=[0-9A-Za-z+/=]+\z",
    ),
    (
        SecretKind::Connection,
        r#"(?i);[ \t]*(?:password|pwd)=[^;\s"'{}$<>%]+\z"#,
    ),
    (
        SecretKind::Header,
        r"(?i)\bauthori[sz]ation\b.{0,12}\b(?:bearer|basic|token)[ \t]+[0-9A-Za-z+/_.~=-]+\z",
    ),
    (
        SecretKind::Header,
        r"(?i)\b(?:bearer|basic)[ \t]+[A-Za-z+/_.~-]*[0-9][0-9A-Za-z+/_.~=-]*\z",
    ),
];

static EACH: LazyLock<Vec<(SecretKind, Option<Regex>)>> = LazyLock::new(|| {
    let compiled = |(kind, pattern): &(SecretKind, &str)| {
        (*kind, Regex::new(&pattern.replace(r"\b", r"(?-u:\b)")).ok())
    };
    WORDS.iter().map(compiled).collect()
});

/// See [`super::begun`].
pub fn find(text: &str, code: bool) -> Option<Secret> {
    let from = last_lines(text);
    let near = &text[from..];
    let line = near.rfind('\n').map_or(0, |at| at + 1);
    let on_line = |secret: Secret| moved(secret, from + line);
    let word = || word(&near[line..]).map(on_line);
    let random = || entropy::begun(&near[line..]).map(on_line);
    assignment::begun(near, code)
        .map(|secret| moved(secret, from))
        .or_else(word)
        .or_else(random)
}

fn word(line: &str) -> Option<Secret> {
    EACH.iter().find_map(|(kind, regex)| {
        let range = regex.as_ref()?.find(line)?.range();
        Some(Secret { kind: *kind, range })
    })
}

fn moved(secret: Secret, by: usize) -> Secret {
    let range = secret.range.start + by..secret.range.end + by;
    Secret { range, ..secret }
}

/// Where the last lines of a text begin.
fn last_lines(text: &str) -> usize {
    let near = text.ceil_char_boundary(text.len().saturating_sub(BYTES));
    let mut ends = text[near..].rmatch_indices('\n').map(|(at, _)| at);
    ends.nth(LINES - 1).map_or(near, |at| near + at + 1)
}

#[cfg(test)]
mod tests {
    use super::super::{begun, scrub};
    use super::*;

    /// The text before the secret that it ends in.
    fn before(text: &str, code: bool) -> Option<&str> {
        begun(text, code).map(|secret| {
            assert_eq!(secret.range.end, text.len());
            &text[..secret.range.start]
        })
    }

    #[test]
    fn every_pattern_compiles() {
        assert!(EACH.iter().all(|(_, regex)| regex.is_some()));
    }

    #[test]
    fn a_value_is_hidden_from_its_first_character_on() {
        let table = [
            ("password = \"h", "password = \""),
            ("password = \"correct horse ba", "password = \""),
            ("login('me', password='h", "login('me', password='"),
            ("let api_key: &str = \"a\\\"b", "let api_key: &str = \""),
            ("SECRET =\n    \"a", "SECRET =\n    \""),
            ("\"client_secret\": \"q", "\"client_secret\": \""),
        ];
        for (text, expected) in table {
            assert_eq!(before(text, true), Some(expected), "{text}");
        }
        let bare = [
            ("export APP_SECRET=h", "export APP_SECRET="),
            ("token: h", "token: "),
        ];
        for (text, expected) in bare {
            assert_eq!(before(text, false), Some(expected), "{text}");
            assert_eq!(
                before(text, true),
                None,
                "a name or type of the program: {text}"
            );
        }
    }

    #[test]
    fn a_token_is_hidden_from_its_beginning_on() {
        let table = [
            ("x = \"", format!("gh{}_a", "p")),
            ("x = '", format!("AK{}", "IA")),
            ("x: ", format!("sk{}proj-a1", "-")),
            ("--token=", format!("xox{}-1", "b")),
            ("x = \"", "eyJhbGciOi".to_owned()),
            ("url = \"", "postgres://me:h".to_owned()),
            ("url = \"", "redis://:1".to_owned()),
            ("h = \"", "Authorization: Bearer a".to_owned()),
            ("key = ", "a8f3kQ09zX7b".to_owned()),
            ("signing key ", "9f86d081".to_owned()),
        ];
        for (text, secret) in table {
            let whole = format!("{text}{secret}");
            assert_eq!(before(&whole, true), Some(text), "{whole}");
        }
    }

    #[test]
    fn code_is_not_hidden() {
        let table = [
            "password = get_pass",
            "password = \"hunter22\"\nx = \"ab",
            "password = \"\"; x = \"ab",
            "password = \"",
            "password = \"${PASS",
            "max_tokens = 10",
            "token_type = \"be",
            "    api_key=os.env",
            "password: Opt",
            "url = \"http://localhost:80",
            "class=\"sk-circle",
            "from huggingface_hub import hf_hub",
            "key = compute",
            "the basic usage",
            "self.monkey1",
            "// signing the release",
            "let value = parse_version2",
            "fn utf8_to_utf16",
            "password = <secret value>",
        ];
        for text in table {
            assert_eq!(before(text, true), None, "{text}");
        }
    }

    #[test]
    fn nothing_of_a_secret_is_seen_at_any_key() {
        let token = "a1B2c3D4e5".repeat(4);
        let table = [
            ("password = \"".to_owned(), "hunter22"),
            ("url = \"postgres://me:".to_owned(), "hunter22"),
            (format!("x = \"gh{}_", "p"), &token),
        ];
        for (text, secret) in table {
            for end in 1..=secret.len() {
                let whole = format!("{text}{}", &secret[..end]);
                let shown = before(&whole, true).map_or_else(|| scrub(&whole), scrub);
                assert!(shown.len() <= text.len(), "{whole}: {shown}");
            }
            for after in ["\"", "@db.local\"", "\"\nx = 1"] {
                let whole = format!("{text}{secret}{after}");
                let shown = before(&whole, true).map_or_else(|| scrub(&whole), scrub);
                let is_url = text.contains("://");
                assert!(
                    !shown.contains(secret) || is_url != after.contains('@'),
                    "{shown}"
                );
            }
        }
    }
}
