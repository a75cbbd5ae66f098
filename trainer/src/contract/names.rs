//! Names: whole words in a text, and words that tell that a name is invented.

use std::sync::LazyLock;

use truefill_model::fim::FimFormat;

/// What a name's words begin with when it says that it is invented (paper "hard negatives", §5.3).
const TELLS: &[&str] = &[
    "fake",
    "bogus",
    "hallucinat",
    "dummy",
    "invent",
    "nonexist",
    "imaginar",
    "fictit",
    "fiction",
    "phantom",
    "madeup",
    "undefined",
    "unreal",
    "notreal",
    "placeholder",
    "foobar",
    "xyz",
];

/// Pairs of words that tell together.
const TELLING_PAIRS: &[(&str, &str)] = &[
    ("made", "up"),
    ("non", "existent"),
    ("non", "existing"),
    ("not", "real"),
    ("not", "defined"),
    ("not", "existing"),
    ("does", "not"),
    ("foo", "bar"),
];

/// A name that says that it is invented.
#[must_use]
pub fn is_tell_tale(name: &str) -> bool {
    let words = words(name);
    let word = words
        .iter()
        .any(|word| TELLS.iter().any(|tell| word.starts_with(tell)));
    let pair = words
        .windows(2)
        .any(|pair| TELLING_PAIRS.contains(&(&pair[0], &pair[1])));
    word || pair
}

/// The words of a name in lower case: `loadUser_data` gives load, user, data.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut begin = true;
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            begin = true;
            continue;
        }
        if c.is_uppercase() && lower_before {
            begin = true;
        }
        lower_before = !c.is_uppercase();
        if begin {
            words.push(String::new());
            begin = false;
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// The text could be an identifier, or the bare part of one with a sigil.
pub(super) fn is_name(text: &str) -> bool {
    let bare = bare(text);
    bare.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && bare.chars().all(|c| c.is_alphanumeric() || c == '_')
        && bare.chars().any(char::is_alphabetic)
}

/// Without the sigils of its language.
pub(super) fn bare(text: &str) -> &str {
    text.trim_start_matches(['@', '$', ':', '#'])
        .trim_end_matches([':', '?', '!', '='])
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `text` has `name` as a whole word.
#[must_use]
pub fn contains_word(text: &str, name: &str) -> bool {
    let name = bare(name);
    if name.is_empty() {
        return false;
    }
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_word_char) && !after.is_some_and(is_word_char)
    })
}

/// The first sentinel of any FIM format that a text spells.
pub(super) fn sentinel(text: &str) -> Option<String> {
    static SENTINELS: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let mut all: Vec<&str> = FimFormat::all()
            .iter()
            .flat_map(FimFormat::sentinels)
            .collect();
        all.push("<|endoftext|>");
        all.sort_unstable();
        all.dedup();
        all
    });
    // Every sentinel has one of these; most code has neither beside a letter or a bar.
    let sentinel = SENTINELS.iter().find(|sentinel| text.contains(**sentinel));
    sentinel.map(|sentinel| (*sentinel).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_names_tell_on_themselves() {
        for name in [
            "fakeClient",
            "load_bogus_rows",
            "HallucinatedThing",
            "do_nonexistent",
            "nonExistentKey",
            "made_up_value",
            "FOO_BAR",
            "undefined_total",
        ] {
            assert!(is_tell_tale(name), "{name}");
        }
        for name in ["load_users", "Manufacture", "real_value", "foo", "inverted"] {
            assert!(!is_tell_tale(name), "{name}");
        }
    }

    #[test]
    fn words_are_whole() {
        assert!(contains_word("a load(x)", "load"));
        assert!(contains_word("$load = 1", "$load"));
        assert!(!contains_word("reload(x) loads", "load"));
        assert!(!contains_word("é", ""));
        assert_eq!(words("loadHTTPUser_data2"), ["load", "httpuser", "data2"]);
    }
}
