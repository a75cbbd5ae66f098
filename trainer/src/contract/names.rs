//! Names: whole words in a text, and words that tell that a name is invented.

/// Words that say that a name is invented (paper "hard negatives", §5.3), whole: `inventory` and
/// `unrealized` say nothing.
const TELLS: &[&str] = &[
    "fake",
    "faked",
    "bogus",
    "hallucinate",
    "hallucinated",
    "hallucination",
    "dummy",
    "invented",
    "nonexist",
    "nonexistent",
    "nonexisting",
    "imaginary",
    "fictional",
    "fictitious",
    "phantom",
    "madeup",
    "undefined",
    "unreal",
    "notreal",
    "placeholder",
    "foobar",
    "xyz",
    "xyzzy",
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

/// A name that says that it is invented, in a file that does not speak of such things itself.
pub(super) fn tells(name: &str, file: &str) -> bool {
    let words = words(name);
    let told = |word: &str| TELLS.contains(&word) && !has_inside(file, word);
    let word = words.iter().any(|word| told(word));
    let pair = words.windows(2).any(|pair| {
        let known = has_inside(file, &pair[0]) && has_inside(file, &pair[1]);
        TELLING_PAIRS.contains(&(&pair[0], &pair[1])) && !known
    });
    word || pair
}

/// `text` has the ASCII `word`, in small or large letters, be it a part of a name.
fn has_inside(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    text.windows(word.len().max(1))
        .any(|part| part.eq_ignore_ascii_case(word))
}

/// The words of a name in lower case: `loadHTTPUser_data` gives load, http, user, data.
pub(crate) fn words(name: &str) -> Vec<String> {
    parts(name).map(str::to_lowercase).collect()
}

/// The words of a name as they are written.
pub(crate) fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric())
        .flat_map(humps)
        .filter(|part| !part.is_empty())
}

/// `BTreeMap` gives B, Tree and Map; `HTTPUser2` gives HTTP and User2.
fn humps(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let mut chars = rest.char_indices().peekable();
        let (_, mut last) = chars.next()?;
        let mut end = rest.len();
        while let Some((at, c)) = chars.next() {
            let next_lower = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
            if c.is_uppercase() && (!last.is_uppercase() || next_lower) {
                end = at;
                break;
            }
            last = c;
        }
        let (head, tail) = rest.split_at(end);
        rest = tail;
        Some(head)
    })
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
pub(super) fn contains_word(text: &str, name: &str) -> bool {
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
            assert!(tells(name, ""), "{name}");
        }
        for name in [
            "load_users",
            "Manufacture",
            "real_value",
            "foo",
            "inverted",
            "inventory",
            "unrealized_pnl",
            "inventItems",
        ] {
            assert!(!tells(name, ""), "{name}");
        }
        // Where the file itself speaks of placeholders, the word tells nothing.
        assert!(tells("placeholder_text", "label = input.text"));
        assert!(!tells("placeholder_text", "label = input.PLACEHOLDER"));
    }

    #[test]
    fn words_are_whole() {
        assert!(contains_word("a load(x)", "load"));
        assert!(contains_word("$load = 1", "$load"));
        assert!(!contains_word("reload(x) loads", "load"));
        assert!(!contains_word("é", ""));
        assert_eq!(
            words("loadHTTPUser_data2"),
            ["load", "http", "user", "data2"]
        );
        for (name, expected) in [
            ("BTreeMap", &["B", "Tree", "Map"][..]),
            ("IThermometer", &["I", "Thermometer"]),
            ("userID", &["user", "ID"]),
            ("MAX_SIZE", &["MAX", "SIZE"]),
            ("getX2Y", &["get", "X2", "Y"]),
            ("größeÄndern", &["größe", "Ändern"]),
        ] {
            assert_eq!(parts(name).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
