//! Exact match.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::eval::text::{strip, words};

/// What white space counts for. "Hard negatives" says "after whitespace normalisation" and no more, so
/// every figure is to be told with the one that it was computed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// None at both ends, as Delulu and SantaCoder-FIM compare.
    Strip,
    /// None at both ends, and every other run of it for one space.
    #[default]
    Collapse,
    /// None at all, as SAFIM compares calls of an API.
    RemoveAll,
}

impl Normalisation {
    /// Every one, from the strictest to the most lenient.
    pub const ALL: [Self; 3] = [Self::Strip, Self::Collapse, Self::RemoveAll];

    /// What is compared.
    #[must_use]
    pub fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Strip => strip(text).into(),
            Self::Collapse => words(text).collect::<Vec<_>>().join(" ").into(),
            Self::RemoveAll => words(text).collect::<String>().into(),
        }
    }

    /// Whether a completion is the golden one.
    #[must_use]
    pub fn matches(self, prediction: &str, golden: &str) -> bool {
        self.apply(prediction) == self.apply(golden)
    }
}

/// Whether the lines are the same, blank ones and each one's outer white space aside: CrossCodeEval's
/// exact match.
#[must_use]
pub fn same_lines(prediction: &str, golden: &str) -> bool {
    stripped_lines(prediction).eq(stripped_lines(golden))
}

fn stripped_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(strip).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::eval::reference;

    #[derive(Deserialize)]
    struct Normalised {
        text: String,
        strip: String,
        collapse: String,
        remove_all: String,
    }

    #[test]
    fn texts_are_normalised_as_by_python() {
        let rows: Vec<Normalised> = reference::rows("normalised.jsonl");
        assert!(rows.len() >= 10);
        for row in rows {
            let found = Normalisation::ALL.map(|n| n.apply(&row.text).into_owned());
            assert_eq!(
                found,
                [row.strip, row.collapse, row.remove_all],
                "{:?}",
                row.text
            );
        }
    }

    #[test]
    fn each_normalisation_forgives_more() {
        let golden = "f(a, b)\n";
        let found = |prediction: &str| Normalisation::ALL.map(|n| n.matches(prediction, golden));
        assert_eq!(found("\x1ff(a, b)\r\n"), [true; 3]);
        assert_eq!(found("f(a,\n    b)"), [false, true, true]);
        assert_eq!(found("f(a,b)"), [false, false, true]);
        assert_eq!(found("f(a, c)"), [false; 3]);
        assert_eq!(Normalisation::default(), Normalisation::Collapse);
        assert_eq!(
            serde_json::to_string(&Normalisation::RemoveAll).unwrap(),
            "\"remove_all\""
        );
    }

    #[test]
    fn lines_are_compared_without_what_is_around_them() {
        assert!(same_lines("\n  a\r\n\n b ", "a\nb\n"));
        assert!(same_lines("", " \n"));
        assert!(!same_lines("a b", "a\nb"));
    }

    proptest! {
        #[test]
        fn what_a_stricter_one_matches_a_lenient_one_matches(a in "[a \t\u{1c}\u{a0}\n]{0,8}", b in "[a \t\u{1c}\u{a0}\n]{0,8}") {
            let found = Normalisation::ALL.map(|n| n.matches(&a, &b));
            prop_assert!(found.is_sorted());
            prop_assert!(Normalisation::ALL.iter().all(|n| n.matches(&a, &a)));
        }
    }
}
