//! A step's figures as the columns of the figures' file.

use super::metrics::Row;
use super::step::Stepped;

/// What is said of a step beside its own figures.
pub struct Around {
    /// From 1.
    pub step: u64,
    /// From 0.
    pub epoch: u64,
    /// Since 1970, UTC.
    pub seconds: f64,
    /// That the step was made at.
    pub rate: f64,
    /// Of the whole run so far.
    pub tokens: u64,
    /// That the step took.
    pub took: f64,
}

/// The row of a step.
pub fn row(stepped: &Stepped, around: &Around) -> Row {
    let figures = &stepped.figures;
    let mut row: Row = figures.averages().into_iter().collect();
    row.extend([
        ("step", around.step as f64),
        ("epoch", around.epoch as f64),
        ("seconds", around.seconds),
        ("learning_rate", around.rate),
        ("gradient_norm", stepped.norm),
        ("tokens", around.tokens as f64),
        (
            "tokens_per_second",
            stepped.tokens as f64 / around.took.max(1e-9),
        ),
    ]);
    let degenerate = &figures.degenerate;
    if degenerate.clamped > 0 {
        row.insert("clamped", degenerate.clamped as f64);
    }
    if degenerate.unmarked > 0 {
        row.insert("unmarked", degenerate.unmarked as f64);
    }
    row
}
