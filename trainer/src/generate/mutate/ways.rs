//! The ways from one name to another, as words.

use truefill_syntax::Draw;

/// First words that are exchanged for each other, and last ones.
const FIRST: &[&str] = &[
    "get", "set", "is", "has", "to", "on", "try", "with", "from", "make", "do", "as",
];
const LAST: &[&str] = &[
    "id",
    "key",
    "name",
    "index",
    "count",
    "size",
    "list",
    "map",
    "path",
    "type",
    "data",
    "info",
    "value",
    "all",
    "now",
    "text",
    "error",
    "exception",
];

/// What often stands behind the whole of a name, which is how models lengthen them.
pub(super) const BEHIND: &[&str] = &[
    "all", "view", "info", "list", "value", "data", "type", "base", "ref", "item",
];
pub(super) const BEHIND_MODULES: &[&str] = &[
    "utils", "core", "common", "ext", "types", "base", "tools", "helpers",
];

/// How a name was made; rows carry it in their version, so that it can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One word is another of the repository's at the same end of a name.
    Word,
    /// One word is another that means nearly the same.
    Twin,
    /// One for many, or many for one.
    Number,
    /// A word at an end is gone, or is another that often stands there.
    Affix,
    /// Made as another name of the repository is, with one of its own words.
    Habit,
    /// The name of something in another repository, with a word of this one.
    Foreign,
    /// With one word more behind it.
    Longer,
    /// The name of something in another repository that begins or ends as this one does.
    Shape,
    /// One of its words is cut short.
    Short,
}

impl Way {
    /// Those that the seed draws from, and what is left where none of them gives a name.
    pub(super) const DRAWN: [Self; 6] = [
        Self::Word,
        Self::Twin,
        Self::Number,
        Self::Affix,
        Self::Habit,
        Self::Foreign,
    ];
    pub(super) const LAST: [Self; 3] = [Self::Shape, Self::Short, Self::Longer];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Twin => "twin",
            Self::Number => "number",
            Self::Affix => "affix",
            Self::Habit => "habit",
            Self::Foreign => "foreign",
            Self::Longer => "longer",
            Self::Shape => "shape",
            Self::Short => "short",
        }
    }
}

/// How long the new name should be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Shorter,
    Same,
    Longer,
    /// Whatever, if it is not far off.
    Near,
}

impl Wish {
    pub(super) fn grants(self, old: &str, new: &str) -> bool {
        let near = new.len().abs_diff(old.len()) <= 3 + old.len() / 2;
        near && match self {
            Self::Shorter => new.len() < old.len(),
            Self::Same => new.len().abs_diff(old.len()) <= 1,
            Self::Longer => new.len() > old.len(),
            Self::Near => true,
        }
    }
}

/// All of `words` stand in `longer`, in order.
pub(super) fn is_part(words: &[String], longer: &[&str]) -> bool {
    let mut longer = longer.iter();
    words.iter().all(|word| longer.any(|other| other == word))
}

pub(super) fn with_word(words: &[String], at: usize, word: &str) -> Vec<String> {
    let mut words = words.to_vec();
    word.clone_into(&mut words[at]);
    words
}

/// Nothing where a word stands twice.
pub(super) fn no_echo(words: Vec<String>) -> Vec<String> {
    let echo = words
        .iter()
        .enumerate()
        .any(|(at, word)| words[..at].contains(word));
    if echo { Vec::new() } else { words }
}

/// Without the word at one end, or with another that often stands there.
pub(super) fn affix(words: &[String], draw: &mut Draw) -> Option<Vec<String>> {
    let last = words.len() - 1;
    let other = |list: &[&str], word: &str, draw: &mut Draw| {
        let other = list[draw.below(list.len())];
        (list.contains(&word) && other != word).then(|| other.to_owned())
    };
    let found = match draw.below(4) {
        0 if last > 0 => words[1..].to_vec(),
        1 if last > 0 => words[..last].to_vec(),
        2 if last > 0 => with_word(words, 0, &other(FIRST, &words[0], draw).unwrap_or_default()),
        3 => with_word(
            words,
            last,
            &other(LAST, &words[last], draw).unwrap_or_default(),
        ),
        _ => Vec::new(),
    };
    let whole =
        found.iter().all(|word| !word.is_empty()) && found.iter().any(|word| word.len() > 2);
    Some(if whole { found } else { Vec::new() })
}

/// A long word up to the consonants behind its first vowel: `comparison` gives `comp`.
pub(super) fn short(word: &str) -> Option<String> {
    if word.len() < 7 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let is_vowel = |c: char| "aeiouy".contains(c);
    let first = word.find(is_vowel)?;
    let consonants = first + word[first..].find(|c| !is_vowel(c))?;
    let end = consonants + word[consonants..].find(is_vowel)?;
    (3..=5).contains(&end).then(|| word[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_parts() {
        assert!(Wish::Shorter.grants("request", "req") && !Wish::Shorter.grants("req", "request"));
        assert!(!Wish::Near.grants("id", "identification"));
        let words = ["load".to_owned(), "rows".to_owned()];
        assert!(is_part(&words, &["load", "all", "rows"]));
        assert!(!is_part(&words, &["rows", "load"]));
        assert!(no_echo(vec!["a".into(), "a".into()]).is_empty());
        for (word, expected) in [
            ("comparison", Some("comp")),
            ("parameters", Some("par")),
            ("dispatcher", Some("disp")),
            ("rows", None),
        ] {
            assert_eq!(short(word).as_deref(), expected, "{word}");
        }
    }
}
