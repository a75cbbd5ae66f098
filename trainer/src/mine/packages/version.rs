//! Versions, as far as "at least" needs them.

/// The first number with dots in a requirement: the least version of most of them (`^1.2`,
/// `>=1.26,<2`, `~> 5.0`, `[1.2,)`).
pub fn lowest(requirement: &str) -> Option<String> {
    let start = requirement.find(|c: char| c.is_ascii_digit())?;
    let rest = &requirement[start..];
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.').to_owned())
}

/// `version` is `least` or higher, part by part; missing parts are 0.
pub fn at_least(version: &str, least: &str) -> bool {
    let parts = |text: &str| -> Vec<u64> {
        let text = lowest(text).unwrap_or_default();
        text.split('.')
            .map(|part| part.parse().unwrap_or(0))
            .collect()
    };
    let (mut a, mut b) = (parts(version), parts(least));
    let length = a.len().max(b.len());
    a.resize(length, 0);
    b.resize(length, 0);
    a >= b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_have_a_least_version() {
        for (requirement, expected) in [
            ("^1.2.3", Some("1.2.3")),
            (">=1.26,<2", Some("1.26")),
            ("~> 5.0", Some("5.0")),
            ("v1.4.0", Some("1.4.0")),
            ("1.*", Some("1")),
            ("*", None),
        ] {
            assert_eq!(lowest(requirement).as_deref(), expected, "{requirement}");
        }
        for (version, least, expected) in [
            ("1.10", "1.9", true),
            ("1.9", "1.9.0", true),
            ("1.8.9", "1.9", false),
            ("2", "1.9", true),
        ] {
            assert_eq!(at_least(version, least), expected, "{version} {least}");
        }
    }
}
