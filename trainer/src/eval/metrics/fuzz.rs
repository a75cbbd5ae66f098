//! CrossCodeEval's edit similarity.

use super::sequence_matcher;

/// Whole percents from 0 to 100: fuzzywuzzy's `fuzz.ratio`, without stripping.
///
/// It is [`sequence_matcher::ratio`] rounded, a half to the even neighbour, but for empty texts: 100
/// where the texts are equal, 0 where one alone is empty. With python-Levenshtein installed fuzzywuzzy
/// computes another figure, and so do rapidfuzz and thefuzz; CrossCodeEval's `requirements.txt` names
/// fuzzywuzzy alone.
#[must_use]
pub fn ratio(prediction: &str, golden: &str) -> u8 {
    if prediction == golden {
        return 100;
    }
    if prediction.is_empty() || golden.is_empty() {
        return 0;
    }
    (100.0 * sequence_matcher::ratio(prediction, golden)).round_ties_even() as u8
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::eval::reference;

    #[derive(Deserialize)]
    struct Row {
        prediction: String,
        golden: String,
        ratio: u8,
    }

    #[test]
    fn percents_are_those_of_fuzzywuzzy() {
        let rows: Vec<Row> = reference::rows("fuzz.jsonl");
        assert!(rows.len() >= 20);
        for row in rows {
            let Row {
                prediction, golden, ..
            } = &row;
            assert_eq!(
                ratio(prediction, golden),
                row.ratio,
                "{prediction:?} {golden:?}"
            );
        }
    }
}
