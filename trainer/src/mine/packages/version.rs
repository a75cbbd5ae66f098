//! Versions, as far as "at least" needs them.

/// The least version that a requirement takes (`^1.2`, `<2,>=1.26`, `~> 5.0`, `[1.2,)`); of
/// alternatives the least. Nothing where it has only an upper bound, or one of the alternatives has.
pub fn lowest(requirement: &str) -> Option<String> {
    let mut least: Option<String> = None;
    for alternative in requirement.split("||").flat_map(|part| part.split('|')) {
        let bounds = alternative.split([',', ' ']).scan("", |operator, part| {
            // `>= 1.2` is one bound in two words.
            let joined = [*operator, part.trim()].concat();
            let signs = part.trim().chars().all(|c| "<>=~^!-".contains(c));
            *operator = if signs { part.trim() } else { "" };
            Some(joined)
        });
        let lower = bounds.filter_map(|bound| lower_bound(&bound));
        let bound = lower.reduce(|a, b| if at_least(&a, &b) { a } else { b })?;
        least = Some(match least {
            Some(least) if at_least(&bound, &least) => least,
            _ => bound,
        });
    }
    least
}

/// The number of a bound that is no upper one and no exception.
fn lower_bound(bound: &str) -> Option<String> {
    // `1.2 - 2.0`: what the hyphen leads to is the end.
    let upper = bound.starts_with(['<', '!', '-']);
    // `[1.2,2.0)` and `(,2.0]`: the end of an interval.
    let end = bound.ends_with([')', ']']) && !bound.starts_with(['[', '(']);
    let start = bound.find(|c: char| c.is_ascii_digit())?;
    let rest = &bound[start..];
    let length = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    (!upper && !end).then(|| rest[..length].trim_end_matches('.').to_owned())
}

/// `version` is `least` or higher, part by part; missing parts are 0.
pub fn at_least(version: &str, least: &str) -> bool {
    let parts = |text: &str| -> Vec<u64> {
        let start = text
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(text.len());
        let rest = &text[start..];
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        rest[..end.unwrap_or(rest.len())]
            .split('.')
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
            ("<3,>=1.26", Some("1.26")),
            ("<2.0", None),
            ("!=1.3", None),
            ("!=1.3,>=1.1", Some("1.1")),
            (">= 2.2, < 4", Some("2.2")),
            ("(>=19.2.0)", Some("19.2.0")),
            ("[1.2,2.0)", Some("1.2")),
            ("[1.2,)", Some("1.2")),
            ("(,2.0]", None),
            ("[2.1]", Some("2.1")),
            ("^2.0 || ^1.5", Some("1.5")),
            ("^1.5 || <1", None),
            (">=1.2 >=1.4 <2", Some("1.4")),
            ("1.2 - 2.0", Some("1.2")),
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
