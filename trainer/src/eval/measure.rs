//! What a row's results are worth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::backend::{Completion, Likelihood, Stop};
use super::cut::Cut;
use super::cut::lines::{first_lines, over_generates};
use super::figures::{Figure, Metric, RowFigures, Variant};
use super::metrics::cross_code::CrossCode;
use super::metrics::exact::Normalisation;
use super::metrics::{aligned, levenshtein, sequence_matcher};
use super::row::{EvalRow, Question};
use super::sandbox::Status;

/// What was found out about a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowResult {
    /// What the model wrote.
    pub completion: Completion,
    /// How likely the golden completion is, where there is a rejected one.
    pub golden: Option<Likelihood>,
    /// How likely the rejected one is.
    pub rejected: Option<Likelihood>,
    /// What became of the tests, by what was run.
    pub runs: BTreeMap<Variant, Run>,
}

/// What became of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// Its tests passed.
    Passed,
    /// They did not, or it ended before they did.
    Failed,
    /// It was ended at its limit of time.
    TimedOut,
}

impl From<Status> for Run {
    fn from(status: Status) -> Self {
        match status {
            Status::Passed => Self::Passed,
            Status::Failed(_) => Self::Failed,
            Status::TimedOut => Self::TimedOut,
        }
    }
}

/// A completion's variants that are measured. A hole has all that was written, its first lines, and what
/// the suite's post-processing leaves; a task is post-processed alone, since what surrounds code in an
/// answer is no program.
#[must_use]
pub fn variants<'t>(row: &EvalRow, text: &'t str) -> Vec<(Variant, &'t str)> {
    let cut = || (Variant::Cut, row.cut.apply(row, text));
    match (&row.question, &row.cut) {
        (Question::Infill { .. }, Cut::None) => hole(row, text).into(),
        (Question::Infill { .. }, _) => hole(row, text).into_iter().chain([cut()]).collect(),
        (_, Cut::None) => vec![(Variant::Whole, text)],
        _ => vec![cut()],
    }
}

fn hole<'t>(row: &EvalRow, text: &'t str) -> [(Variant, &'t str); 2] {
    [
        (Variant::Whole, text),
        (Variant::FirstLines, first_lines(text, &row.golden)),
    ]
}

/// A row's figures.
#[must_use]
pub fn figures(row: &EvalRow, result: &RowResult) -> RowFigures {
    let mut values = BTreeMap::new();
    let text = &*result.completion.text;
    let in_a_hole = matches!(row.question, Question::Infill { .. });
    for (variant, text) in variants(row, text) {
        let mut put = |metric, value: f64| values.insert(Figure::new(metric, variant), value);
        if in_a_hole {
            compare(row, text, &mut |metric, value| {
                put(metric, value);
            });
        }
        if let Some(run) = result.runs.get(&variant) {
            put(Metric::Pass, share(*run == Run::Passed));
        }
    }
    if in_a_hole {
        let mut put = |metric, value| values.insert(Figure::whole(metric), value);
        if result.completion.stop != Stop::Unsaid {
            put(Metric::Ended, share(result.completion.stop == Stop::End));
        }
        put(
            Metric::OverGeneration,
            share(over_generates(text, &row.golden)),
        );
        if let (Some(golden), Some(rejected)) = (result.golden, result.rejected) {
            let summed = golden.log_probability > rejected.log_probability;
            put(Metric::Preference, share(summed));
            let per_token = golden.per_token() > rejected.per_token();
            put(Metric::PreferencePerToken, share(per_token));
        }
    }
    if let (Cut::Statement, Question::Infill { .. }, Some(language)) =
        (&row.cut, &row.question, row.grammar)
    {
        let found = CrossCode::of(language, &row.prefix(), text, &row.golden);
        let mut put = |metric, value| {
            let variant = Variant::Cut;
            values.insert(Figure::new(metric, variant), value)
        };
        put(Metric::StatementMatch, share(found.exact_match));
        put(
            Metric::StatementSimilarity,
            f64::from(found.edit_similarity) / 100.0,
        );
        put(Metric::IdentifierMatch, share(found.identifiers.exact));
        put(Metric::IdentifierF1, found.identifiers.f1);
    }
    RowFigures {
        id: row.id.clone(),
        kind: row.kind.clone(),
        language: row.language.clone(),
        cluster: row.cluster.clone(),
        values,
    }
}

fn compare(row: &EvalRow, text: &str, put: &mut dyn FnMut(Metric, f64)) {
    let golden = &*row.golden;
    let exact = [
        (Metric::ExactMatch, Normalisation::Collapse),
        (Metric::ExactMatchStrip, Normalisation::Strip),
        (Metric::ExactMatchNoSpace, Normalisation::RemoveAll),
    ];
    for (metric, normalisation) in exact {
        put(metric, share(normalisation.matches(text, golden)));
    }
    put(
        Metric::EditSimilarity,
        sequence_matcher::ratio(text, golden),
    );
    let levenshtein = levenshtein::similarity(text, golden);
    put(Metric::EditSimilarityLevenshtein, levenshtein);
    let rejected = row.rejected.as_deref();
    let aligned =
        rejected.and_then(|rejected| aligned::hallucination_aligned(text, golden, rejected));
    if let Some(aligned) = aligned {
        put(Metric::HallucinationAligned, aligned);
    }
}

fn share(part: bool) -> f64 {
    f64::from(u8::from(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::figures::Figure;

    fn row(golden: &str, language: &str, cut: Cut) -> EvalRow {
        let question = Question::Infill {
            prefix: "x = ".into(),
            suffix: "\n".into(),
        };
        let row = EvalRow::new("r".into(), question, golden.into(), language);
        EvalRow {
            rejected: Some("made_up()".into()),
            cut,
            ..row
        }
    }

    fn result(text: &str) -> RowResult {
        RowResult {
            completion: Completion {
                text: text.into(),
                stop: Stop::End,
                tokens: None,
                prompt_tokens: None,
                shortened: false,
            },
            golden: None,
            rejected: None,
            runs: BTreeMap::new(),
        }
    }

    fn value(found: &RowFigures, metric: Metric, variant: Variant) -> Option<f64> {
        found.values.get(&Figure::new(metric, variant)).copied()
    }

    /// Summed, the shorter completion is the likelier one here; by token the longer one.
    #[test]
    fn a_preference_is_for_the_likelier_of_two() {
        let row = row("f()", "python", Cut::None);
        let likelihood = |log_probability, tokens| {
            Some(Likelihood {
                log_probability,
                tokens,
            })
        };
        let preferences = |golden, rejected| {
            let result = RowResult {
                golden,
                rejected,
                ..result("f()")
            };
            let found = figures(&row, &result);
            let metrics = [Metric::Preference, Metric::PreferencePerToken];
            metrics.map(|metric| value(&found, metric, Variant::Whole))
        };
        let (short, long) = (likelihood(-3.0, 2), likelihood(-4.0, 4));
        assert_eq!(preferences(short, long), [Some(1.0), Some(0.0)]);
        assert_eq!(preferences(long, short), [Some(0.0), Some(1.0)]);
        assert_eq!(preferences(short, short), [Some(0.0), Some(0.0)]);
        assert_eq!(preferences(short, None), [None, None]);
    }

    #[test]
    fn an_end_that_nobody_told_is_no_figure() {
        let row = row("f()", "python", Cut::None);
        let ended = |stop| {
            let mut result = result("f()");
            result.completion.stop = stop;
            value(&figures(&row, &result), Metric::Ended, Variant::Whole)
        };
        let found = [Stop::End, Stop::Text, Stop::Limit, Stop::Unsaid].map(ended);
        assert_eq!(found, [Some(1.0), Some(0.0), Some(0.0), None]);
    }

    /// Each variant is measured by itself, and CrossCodeEval's own figures are of what it cuts.
    #[test]
    fn what_is_cut_is_measured_beside_the_whole() {
        let row = row("f(a)", "python", Cut::Statement);
        let found = figures(&row, &result("f(a)  # done\nmore = f(b)\n"));
        for (metric, variant, expected) in [
            (Metric::ExactMatch, Variant::Whole, Some(0.0)),
            (Metric::ExactMatch, Variant::FirstLines, Some(0.0)),
            (Metric::ExactMatchStrip, Variant::Cut, Some(0.0)),
            (Metric::OverGeneration, Variant::Whole, Some(1.0)),
            (Metric::OverGeneration, Variant::Cut, None),
            (Metric::HallucinationAligned, Variant::Cut, Some(0.0)),
            // The comment is left out there.
            (Metric::StatementMatch, Variant::Cut, Some(1.0)),
            (Metric::StatementSimilarity, Variant::Cut, Some(1.0)),
            (Metric::IdentifierMatch, Variant::Cut, Some(1.0)),
            (Metric::IdentifierF1, Variant::Cut, Some(1.0)),
            (Metric::StatementMatch, Variant::Whole, None),
        ] {
            assert_eq!(
                value(&found, metric, variant),
                expected,
                "{metric:?} {variant:?}"
            );
        }
        let wrong = figures(&row, &result("f(b)\n"));
        assert_eq!(
            value(&wrong, Metric::StatementMatch, Variant::Cut),
            Some(0.0)
        );
        let f1 = value(&wrong, Metric::IdentifierF1, Variant::Cut).expect("measured");
        assert!((f1 - 0.5).abs() < 1e-9, "one of two names: {f1}");
        let whole = figures(&row, &result("f(a)"));
        assert_eq!(value(&whole, Metric::ExactMatch, Variant::Cut), Some(1.0));
    }
}
