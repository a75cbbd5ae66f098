//! CrossCodeEval's figures of one completion, as its `scripts/eval_metric.py` computes them.

use std::borrow::Cow;

use truefill_syntax::Language;

use super::{exact, fuzz, identifiers::IdentifierMatch};
use crate::eval::{cut::statement, text::strip};

/// What a completion is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossCode {
    /// The prediction's first statement without comments: what is compared.
    pub prediction: String,
    /// The lines are those of the golden completion.
    pub exact_match: bool,
    /// Edit similarity in whole percents.
    pub edit_similarity: u8,
    /// The identifiers.
    pub identifiers: IdentifierMatch,
}

impl CrossCode {
    /// Compares a prediction after `prompt`, uncut, with the golden completion. The protocol knows
    /// Python, Java, C# and TypeScript.
    #[must_use]
    pub fn of(language: Language, prompt: &str, prediction: &str, golden: &str) -> Self {
        let prediction = statement::first_statement(language, prompt, prediction);
        let (prediction, golden) = (without_comments(prediction), without_comments(golden));
        Self {
            exact_match: exact::same_lines(&prediction, &golden),
            edit_similarity: fuzz::ratio(strip(&prediction), strip(&golden)),
            identifiers: IdentifierMatch::of(language, &prediction, &golden),
            prediction: prediction.into_owned(),
        }
    }
}

/// Everything from `#` or `//` to the line's end is left out, whatever the language: a URL's end and
/// C#'s directives too.
#[must_use]
pub fn without_comments(code: &str) -> Cow<'_, str> {
    if !code.contains('#') && !code.contains("//") {
        return code.into();
    }
    let kept = code.split('\n').map(|line| {
        let line = line.split('#').next().unwrap_or(line);
        line.split("//").next().unwrap_or(line)
    });
    kept.collect::<Vec<_>>().join("\n").into()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::eval::reference;

    #[derive(Deserialize)]
    struct Row {
        language: Language,
        prompt: String,
        prediction: String,
        golden: String,
        cut: String,
        exact_match: bool,
        edit_similarity: f64,
        identifiers: Vec<String>,
        identifier_exact_match: bool,
        precision: f64,
        recall: f64,
        f1: f64,
    }

    #[test]
    fn figures_are_those_of_crosscodeeval() {
        let rows: Vec<Row> = reference::rows("cross_code.jsonl");
        assert!(rows.len() >= 60);
        for row in rows {
            let found = CrossCode::of(row.language, &row.prompt, &row.prediction, &row.golden);
            let expected = CrossCode {
                prediction: row.cut,
                exact_match: row.exact_match,
                edit_similarity: row.edit_similarity as u8,
                identifiers: IdentifierMatch {
                    exact: row.identifier_exact_match,
                    precision: row.precision,
                    recall: row.recall,
                    f1: row.f1,
                },
            };
            assert_eq!(found, expected, "{} {:?}", row.language, row.prediction);
            let identifiers =
                crate::eval::metrics::identifiers::identifiers(row.language, &found.prediction);
            assert_eq!(identifiers, row.identifiers);
        }
    }
}
