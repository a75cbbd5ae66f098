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
        let mut put = |metric, value: f64| values.insert(Figure { metric, variant }, value);
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
        put(Metric::Ended, share(result.completion.stop == Stop::End));
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
            values.insert(Figure { metric, variant }, value)
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
