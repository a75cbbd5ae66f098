//! The id of a suggestion.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// A suggestion's id: a ULID, so ids sort by the time of their making.
///
/// Text form: 26 characters of Crockford's base 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SuggestionId(Ulid);

/// A text that is no ULID.
#[derive(Debug, thiserror::Error)]
#[error("suggestion id: expected 26 characters of base 32 (a ULID), found `{found}`")]
pub struct InvalidId {
    found: String,
}

impl SuggestionId {
    /// A new id from the machine's clock and randomness.
    pub fn generate() -> Self {
        Self(Ulid::generate())
    }

    /// The id of a time in milliseconds and 80 random bits.
    pub fn from_parts(unix_millis: u64, random: u128) -> Self {
        Self(Ulid::from_parts(unix_millis, random))
    }

    /// When the id was made, in milliseconds since 1970.
    pub fn unix_millis(&self) -> u64 {
        self.0.timestamp_ms()
    }
}

impl fmt::Display for SuggestionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SuggestionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |_| InvalidId {
            found: text.chars().take(64).collect(),
        };
        Ulid::from_string(text).map(Self).map_err(invalid)
    }
}

impl From<SuggestionId> for String {
    fn from(id: SuggestionId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for SuggestionId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let id = SuggestionId::from_parts(1_700_000_000_000, 42);
        assert_eq!(id.to_string().len(), 26);
        assert_eq!(id.to_string().parse::<SuggestionId>().unwrap(), id);
        assert_eq!(id.unix_millis(), 1_700_000_000_000);
        let error = "x"
            .repeat(500)
            .parse::<SuggestionId>()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("26 characters") && error.len() < 200,
            "{error}"
        );
    }
}
