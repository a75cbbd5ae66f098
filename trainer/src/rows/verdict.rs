//! What a judge said.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A negative: a judge that calls it correct was fooled.
    Rejected,
    /// A golden completion: a judge that calls it wrong rejects good code.
    Golden,
}

/// How the judge was asked. Verdicts of the two kinds are never averaged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// One candidate, without a word that it may be wrong: 1 is "correct".
    Blind,
    /// Two candidates: 1 is a preference for the negative.
    Preference,
}

/// A row of `verdicts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The negative's id, or for a golden completion the context's.
    pub row: String,
    /// What was judged.
    pub subject: Subject,
    /// How the judge was asked.
    pub kind: VerdictKind,
    /// The judge's name in the recipe.
    pub judge: String,
    /// Version of the judge's prompt.
    pub prompt_version: String,
    /// The candidate that was shown first; only where there were two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Subject>,
    /// 0 or 1; nothing where there is no verdict.
    #[serde(deserialize_with = "zero_or_one")]
    pub verdict: Option<u8>,
    /// Why there is none: a blocked or unreadable answer is missing, never 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

fn zero_or_one<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    let verdict = Option::<u8>::deserialize(from)?;
    match verdict {
        Some(2..) => Err(D::Error::custom("a verdict that is neither 0 nor 1")),
        _ => Ok(verdict),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_0_or_1_or_missing() {
        let row = |verdict: &str| {
            let text = format!(
                r#"{{"row":"r","subject":"golden","kind":"blind","judge":"j","prompt_version":"1","verdict":{verdict}}}"#
            );
            serde_json::from_str::<Verdict>(&text).map(|row| row.verdict)
        };
        assert_eq!(row("1").expect("read"), Some(1));
        assert_eq!(row("null").expect("read"), None);
        assert!(row("2").is_err());
    }
}
