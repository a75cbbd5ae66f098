//! Secrets by their well-known shapes.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::{Secret, SecretKind, armour};

/// The shapes, in ASCII. Each is linear in the text: the engine has no backtracking. None
/// begins on one line and ends on another, so that what is typed below leaves a line as it is.
pub const PATTERNS: &[(SecretKind, &str)] = &[
    // The lines that follow are found by `armour`.
    (
        SecretKind::PrivateKey,
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
    ),
    (
        SecretKind::PrivateKey,
        r"\bPuTTY-User-Key-File-[23]:[ \t]*[0-9A-Za-z-]*",
    ),
    (SecretKind::PrivateKey, r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    // Amazon, Google, Azure, DigitalOcean, Alibaba.
    (
        SecretKind::ServiceToken,
        r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z2-7]{16}\b",
    ),
    (SecretKind::ServiceToken, r"\bAIza[0-9A-Za-z_-]{35}"),
    (SecretKind::ServiceToken, r"\bya29\.[0-9A-Za-z_-]{20,}"),
    (SecretKind::ServiceToken, r"\bGOCSPX-[0-9A-Za-z_-]{20,}"),
    (SecretKind::ServiceToken, r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    (SecretKind::ServiceToken, r"\bLTAI[0-9A-Za-z]{12,}\b"),
    // Forges and registries.
    (SecretKind::ServiceToken, r"\bgh[pousr]_[0-9A-Za-z]{30,}"),
    (SecretKind::ServiceToken, r"\bgithub_pat_[0-9A-Za-z_]{40,}"),
    (
        SecretKind::ServiceToken,
        r"\bgl(?:pat|dt|rt|ptt|cbt|oas)-[0-9A-Za-z_-]{20,}",
    ),
    (SecretKind::ServiceToken, r"\bnpm_[0-9A-Za-z]{36}\b"),
    (SecretKind::ServiceToken, r"\bpypi-[0-9A-Za-z_-]{50,}"),
    (SecretKind::ServiceToken, r"\brubygems_[0-9a-f]{40,}"),
    (SecretKind::ServiceToken, r"\bcio[0-9A-Za-z]{32}\b"),
    (SecretKind::ServiceToken, r"\bdckr_pat_[0-9A-Za-z_-]{20,}"),
    (SecretKind::ServiceToken, r"\bATATT3[0-9A-Za-z_=-]{40,}"),
    (SecretKind::ServiceToken, r"\bATBB[0-9A-Za-z]{30,}"),
    // Models.
    (
        SecretKind::ServiceToken,
        r"\bsk-(?:ant-|proj-|svcacct-|or-v1-)?[0-9A-Za-z_-]{20,}",
    ),
    (SecretKind::ServiceToken, r"\bhf_[0-9A-Za-z]{30,}"),
    (SecretKind::ServiceToken, r"\bgsk_[0-9A-Za-z]{40,}"),
    (SecretKind::ServiceToken, r"\bxai-[0-9A-Za-z]{40,}"),
    (SecretKind::ServiceToken, r"\br8_[0-9A-Za-z]{30,}"),
    // Messages, mail, payment.
    (
        SecretKind::ServiceToken,
        r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}",
    ),
    (SecretKind::ServiceToken, r"\bxapp-\d-[0-9A-Za-z-]{20,}"),
    (
        SecretKind::ServiceToken,
        r"hooks\.slack\.com/services/T[0-9A-Z]+/B[0-9A-Z]+/[0-9A-Za-z]{20,}",
    ),
    (
        SecretKind::ServiceToken,
        r"\bdiscord(?:app)?\.com/api/webhooks/\d+/[0-9A-Za-z_-]{40,}",
    ),
    (
        SecretKind::ServiceToken,
        r"\b\d{8,10}:AA[0-9A-Za-z_-]{33}\b",
    ),
    (
        SecretKind::ServiceToken,
        r"\bSG\.[0-9A-Za-z_-]{20,}\.[0-9A-Za-z_-]{20,}",
    ),
    (SecretKind::ServiceToken, r"\bkey-[0-9a-f]{32}\b"),
    (SecretKind::ServiceToken, r"\b(?:SK|AC)[0-9a-f]{32}\b"),
    (
        SecretKind::ServiceToken,
        r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{16,}",
    ),
    (SecretKind::ServiceToken, r"\bwhsec_[0-9A-Za-z+/=]{24,}"),
    (
        SecretKind::ServiceToken,
        r"\bsq0(?:atp|csp)-[0-9A-Za-z_-]{22,}",
    ),
    (SecretKind::ServiceToken, r"\bEAAC[0-9A-Za-z]{40,}"),
    // Infrastructure.
    (
        SecretKind::ServiceToken,
        r"\b(?:hvs|hvb|hvr)\.[0-9A-Za-z_-]{24,}",
    ),
    (
        SecretKind::ServiceToken,
        r"\bglsa_[0-9A-Za-z]{32}_[0-9a-f]{8}\b",
    ),
    (SecretKind::ServiceToken, r"\bdapi[0-9a-f]{32}\b"),
    (
        SecretKind::ServiceToken,
        r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b",
    ),
    (SecretKind::ServiceToken, r"\blin_api_[0-9A-Za-z]{40}\b"),
    (SecretKind::ServiceToken, r"\bsntrys_[0-9A-Za-z+/=_-]{40,}"),
    (
        SecretKind::WebToken,
        r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*",
    ),
    // scheme://user:password@host, where the password is no placeholder.
    (
        SecretKind::Connection,
        r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'<>{}$]{0,64}:[^\s/@"'<>{}$%*]{3,}@[\w.-]"#,
    ),
    (
        SecretKind::Connection,
        r"(?i)\b(?:AccountKey|SharedAccessKey)=[0-9A-Za-z+/]{20,}={0,2}",
    ),
    (
        SecretKind::Connection,
        r#"(?i);[ \t]*(?:password|pwd)=[^;\s"'{}$<>%]{4,}"#,
    ),
    (
        SecretKind::Header,
        r"(?i)\b(?:bearer|basic)[ \t]+[0-9A-Za-z+/_.~-]{20,}={0,2}",
    ),
];

/// Room for the states that the search has met, in bytes for each automaton in each thread; a
/// pattern that is searched for has two, forward and back, and the set has one. With the library's own
/// limit (2 MB) they are thrown away again and again, and the search takes three times as long.
const STATES: usize = 16 << 20;

static SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
    RegexSetBuilder::new(PATTERNS.iter().map(|(_, pattern)| ascii(pattern)))
        .dfa_size_limit(STATES)
        .build()
        .ok()
});

/// A pattern that is looked for in whole files; nothing where it is none.
pub fn compiled(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .dfa_size_limit(STATES)
        .build()
        .ok()
}

/// Word borders and classes in ASCII: a small automaton that is built quickly.
///
/// `.` and negated classes stay in Unicode, so that matches end between characters.
fn ascii(pattern: &str) -> String {
    pattern
        .replace(r"\b", r"(?-u:\b)")
        .replace(r"\d", "[0-9]")
        .replace(r"[\w.-]", "[0-9A-Za-z_.-]")
}

static EACH: LazyLock<Vec<Option<Regex>>> = LazyLock::new(|| {
    PATTERNS
        .iter()
        .map(|(_, pattern)| Regex::new(&ascii(pattern)).ok())
        .collect()
});

/// Whether any shape is there.
pub fn any(text: &str) -> bool {
    SET.as_ref().is_none_or(|set| set.is_match(text))
}

/// What is there.
pub fn find(text: &str) -> impl Iterator<Item = Secret> {
    let there: Vec<usize> = SET
        .as_ref()
        .map_or_else(Vec::new, |set| set.matches(text).iter().collect());
    there.into_iter().flat_map(move |index| {
        let kind = PATTERNS[index].0;
        let matches = EACH[index]
            .as_ref()
            .into_iter()
            .flat_map(|regex| regex.find_iter(text));
        matches.map(move |found| {
            let end = match kind {
                SecretKind::PrivateKey if !found.as_str().starts_with("AGE") => {
                    armour::end(text, found.end())
                }
                _ => found.end(),
            };
            let range = found.start()..end;
            Secret { kind, range }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert!(SET.is_some() && EACH.iter().all(Option::is_some));
    }
}
