//! Delulu's hallucination rate.

use super::levenshtein::similarity;

/// Whether a completion is on the hallucination's side: 1 where it is nearer to the rejected completion
/// than to the golden one, 0 where it is farther, 0.5 where it is as near; `None` where both are
/// empty, since nothing is asked then. The average is the benchmark's hallucination rate.
///
/// As in Delulu's `evaluations/run_completion_metrics.py`: nearness is Levenshtein's similarity of the
/// texts as they are, white space included (its exact match alone strips them). "Hard negatives"
/// reports no such rate of its own.
#[must_use]
pub fn hallucination_aligned(prediction: &str, golden: &str, rejected: &str) -> Option<f64> {
    if golden.is_empty() && rejected.is_empty() {
        return None;
    }
    let to_golden = similarity(prediction, golden);
    let to_rejected = similarity(prediction, rejected);
    Some(if to_rejected > to_golden {
        1.0
    } else if to_rejected < to_golden {
        0.0
    } else {
        0.5
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::eval::{metrics::exact::Normalisation, reference};

    #[derive(Deserialize)]
    struct Row {
        prediction: String,
        golden: String,
        rejected: String,
        exact_match: bool,
        edit_similarity: f64,
        aligned: Option<f64>,
    }

    #[test]
    fn figures_are_those_of_delulu() {
        let rows: Vec<Row> = reference::rows("delulu.jsonl");
        assert!(rows.len() >= 30);
        let mut seen = [false; 3];
        for row in rows {
            let Row {
                prediction,
                golden,
                rejected,
                ..
            } = &row;
            let exact = Normalisation::Strip.matches(prediction, golden);
            assert_eq!(exact, row.exact_match, "{prediction:?}");
            assert_eq!(
                similarity(prediction, golden),
                row.edit_similarity,
                "{prediction:?}"
            );
            let aligned = hallucination_aligned(prediction, golden, rejected);
            assert_eq!(aligned, row.aligned, "{prediction:?}");
            if let Some(aligned) = aligned {
                seen[(aligned * 2.0) as usize] = true;
            }
        }
        assert_eq!(seen, [true; 3]);
    }
}
