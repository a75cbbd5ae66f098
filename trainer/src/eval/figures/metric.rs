//! What is measured, under which name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is measured of a row. All are shares or similarities from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// The golden completion, runs of white space taken for one space.
    ExactMatch,
    /// The golden completion, white space at both ends aside.
    ExactMatchStrip,
    /// The golden completion, all white space aside.
    ExactMatchNoSpace,
    /// CPython's `SequenceMatcher(None, prediction, golden).ratio()`.
    EditSimilarity,
    /// 1 − Levenshtein's distance over the longer text's length.
    EditSimilarityLevenshtein,
    /// Nearer to the rejected completion than to the golden one; 0.5 where as near (Delulu).
    HallucinationAligned,
    /// The tests pass.
    Pass,
    /// CrossCodeEval's exact match of statements.
    StatementMatch,
    /// CrossCodeEval's edit similarity of statements.
    StatementSimilarity,
    /// CrossCodeEval's exact match of the identifiers.
    IdentifierMatch,
    /// CrossCodeEval's F1 of the identifiers.
    IdentifierF1,
    /// The completion ended by itself, before the limit of tokens.
    Ended,
    /// The completion has more lines than the golden one.
    OverGeneration,
    /// log P(golden) > log P(rejected), summed over tokens.
    Preference,
    /// The same, averaged over each completion's tokens.
    PreferencePerToken,
}

impl Metric {
    /// Every one, in the order of tables.
    pub const ALL: [Self; 15] = [
        Self::ExactMatch,
        Self::ExactMatchStrip,
        Self::ExactMatchNoSpace,
        Self::EditSimilarity,
        Self::EditSimilarityLevenshtein,
        Self::HallucinationAligned,
        Self::Pass,
        Self::StatementMatch,
        Self::StatementSimilarity,
        Self::IdentifierMatch,
        Self::IdentifierF1,
        Self::Ended,
        Self::OverGeneration,
        Self::Preference,
        Self::PreferencePerToken,
    ];

    /// The name in files and recipes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExactMatch => "exact_match",
            Self::ExactMatchStrip => "exact_match_strip",
            Self::ExactMatchNoSpace => "exact_match_no_space",
            Self::EditSimilarity => "edit_similarity",
            Self::EditSimilarityLevenshtein => "edit_similarity_levenshtein",
            Self::HallucinationAligned => "hallucination_aligned",
            Self::Pass => "pass",
            Self::StatementMatch => "statement_match",
            Self::StatementSimilarity => "statement_similarity",
            Self::IdentifierMatch => "identifier_match",
            Self::IdentifierF1 => "identifier_f1",
            Self::Ended => "ended",
            Self::OverGeneration => "over_generation",
            Self::Preference => "preference",
            Self::PreferencePerToken => "preference_per_token",
        }
    }

    /// The heading in tables for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::ExactMatch => "EM",
            Self::ExactMatchStrip => "EM (strip)",
            Self::ExactMatchNoSpace => "EM (no space)",
            Self::EditSimilarity => "ES",
            Self::EditSimilarityLevenshtein => "ES (Levenshtein)",
            Self::HallucinationAligned => "hallucination-aligned",
            Self::Pass => "pass@1",
            Self::StatementMatch => "statement EM",
            Self::StatementSimilarity => "statement ES",
            Self::IdentifierMatch => "identifier EM",
            Self::IdentifierF1 => "identifier F1",
            Self::Ended => "stop rate",
            Self::OverGeneration => "over-generation",
            Self::Preference => "preference",
            Self::PreferencePerToken => "preference per token",
        }
    }

    /// Whether more of it is worse.
    #[must_use]
    pub const fn lower_is_better(self) -> bool {
        matches!(self, Self::HallucinationAligned | Self::OverGeneration)
    }
}

/// What of a completion is measured.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// All that the model wrote.
    #[default]
    Whole,
    /// Its first lines, as many as the golden completion has: "+trunc".
    FirstLines,
    /// What the benchmark's own post-processing leaves of it: "+cut".
    Cut,
}

impl Variant {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Whole, Self::FirstLines, Self::Cut];

    /// What is put behind a metric's name.
    #[must_use]
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::FirstLines => "+trunc",
            Self::Cut => "+cut",
        }
    }
}

/// A metric of a variant. In files `exact_match`, `exact_match+trunc`, `pass+cut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Figure {
    /// What is measured.
    pub metric: Metric,
    /// Of what.
    pub variant: Variant,
}

impl Figure {
    /// Of a part of a completion.
    #[must_use]
    pub const fn new(metric: Metric, variant: Variant) -> Self {
        Self { metric, variant }
    }

    /// Of all that the model wrote.
    #[must_use]
    pub const fn whole(metric: Metric) -> Self {
        Self::new(metric, Variant::Whole)
    }

    /// The heading in tables for people.
    #[must_use]
    pub fn title(self) -> String {
        let mark = self.variant.mark();
        match mark.is_empty() {
            true => self.metric.title().to_owned(),
            false => format!("{} {mark}", self.metric.title()),
        }
    }

    /// The figure of a name in files.
    ///
    /// # Errors
    /// A sentence with the names that there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        let variant = Variant::ALL.into_iter().rev();
        let mut variant = variant.filter(|variant| name.ends_with(variant.mark()));
        let variant = variant.next().unwrap_or_default();
        let metric = name.strip_suffix(variant.mark()).unwrap_or(name);
        let found = Metric::ALL.into_iter().find(|known| known.name() == metric);
        let metric = found.ok_or_else(|| {
            let known = Metric::ALL.map(Metric::name).join(", ");
            format!(
                "expected one of {known}, with `+trunc` or `+cut` behind it or without, found `{name}`"
            )
        })?;
        Ok(Self { metric, variant })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.metric.name(), self.variant.mark())
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for metric in Metric::ALL {
            for variant in Variant::ALL {
                let figure = Figure { metric, variant };
                assert_eq!(Figure::parse(&figure.to_string()), Ok(figure));
            }
        }
        assert_eq!(Figure::whole(Metric::ExactMatch).to_string(), "exact_match");
        let error = Figure::parse("exact+trunc").expect_err("no such metric");
        assert!(error.contains("`exact+trunc`") && error.contains("edit_similarity"));
    }
}
