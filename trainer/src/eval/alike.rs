//! What two evaluations of one suite do not have in common, beside who was measured.

use std::fmt;

use super::decoding::Decoding;
use super::figures::Comparison;
use super::output::Evaluated;

/// Something that a difference between two evaluations' figures may be due to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlike {
    /// The files.
    Data,
    /// How many tokens prompts and completions may have.
    Limits,
    /// Temperature, share, and the seed where there is a draw.
    Sampling,
    /// The FIM format or its layout, as it was asked for.
    Format,
    /// How tasks were put.
    Form,
    /// What programs were run with.
    Programs,
    /// The kind of device: weights are rounded to eight bits on one and not on the other.
    Device,
}

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "other data",
            Self::Limits => "other limits of tokens",
            Self::Sampling => "another sampling",
            Self::Format => "another FIM format",
            Self::Form => "another form of its tasks",
            Self::Programs => "another way to run programs",
            Self::Device => "another kind of device",
        })
    }
}

/// What two evaluations do not have in common. What one of them does not say is not told.
#[must_use]
pub fn unlike(before: &Evaluated, after: &Evaluated) -> Vec<Unlike> {
    let (old, new) = (&before.decoding, &after.decoding);
    let limits = |it: &Decoding| (it.context_tokens, it.max_tokens);
    // A greedy completion has nothing to draw.
    let sampling = |it: &Decoding| match it.temperature > 0.0 {
        true => Some((it.temperature, it.top_p, it.seed)),
        false => None,
    };
    let other = [
        (Unlike::Data, before.data_sha256 != after.data_sha256),
        (Unlike::Limits, limits(old) != limits(new)),
        (Unlike::Sampling, sampling(old) != sampling(new)),
        (
            Unlike::Format,
            (&old.format, old.layout) != (&new.format, new.layout),
        ),
        (Unlike::Form, before.form != after.form),
        (Unlike::Programs, told(&before.programs, &after.programs)),
        (
            Unlike::Device,
            told(&before.model.device, &after.model.device),
        ),
    ];
    let other = other.into_iter().filter(|(_, differs)| *differs);
    other.map(|(what, _)| what).collect()
}

fn told<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
    one.is_some() && other.is_some() && one != other
}

/// Several of them in a sentence.
#[must_use]
pub fn listed(unlike: &[Unlike]) -> String {
    let names: Vec<String> = unlike.iter().map(Unlike::to_string).collect();
    names.join(" and ")
}

/// What has to be known before figures of two evaluations, named `base` and `own`, are compared.
#[must_use]
pub fn warnings(
    [base, own]: [&str; 2],
    [before, after]: [&Evaluated; 2],
    compared: &Comparison,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let other = unlike(before, after);
    if !other.is_empty() {
        warnings.push(format!(
            "`{own}` was measured with {} than `{base}`; what differs between them may be due to that",
            listed(&other)
        ));
    }
    let Comparison { rows, unpaired, .. } = compared;
    if *unpaired > 0 {
        warnings.push(format!(
            "`{own}` and `{base}` are compared on the {rows} rows that both have; {unpaired} rows only one \
             of them has, so a gain is not the difference of the figures beside it"
        ));
    }
    warnings
}
