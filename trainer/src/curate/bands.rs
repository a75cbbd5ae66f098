//! Bands of the fool rate, as exact fractions of the verdicts that exist.
//!
//! With three judges the fool rate is 0, 1/3, 2/3 or 1, and the paper's buckets are sets of these
//! (`easy` {0, 1/3}, `medium` {2/3}, `hard` {1}). A row in which a verdict is missing may have 1/2,
//! which is none of them: it is in no band, and counted as such, unless the recipe says otherwise.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::rows::Difficulty;
use crate::stats::Share;
use crate::usage::Usage;

/// The bands in a recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BandsRecipe {
    /// Rows of each band's subset at most.
    pub rows: usize,
    /// Verdicts that a row needs to be in a band; without a number those of the whole panel: of two
    /// verdicts in three nobody knows what the third would have been.
    pub min_verdicts: Option<u64>,
    /// Fool rates of the easy band.
    pub easy: Vec<Fraction>,
    /// Of the medium band.
    pub medium: Vec<Fraction>,
    /// Of the hard band.
    pub hard: Vec<Fraction>,
}

impl Default for BandsRecipe {
    fn default() -> Self {
        Self {
            rows: 5000,
            min_verdicts: None,
            easy: vec![Fraction { part: 0, of: 1 }, Fraction { part: 1, of: 3 }],
            medium: vec![Fraction { part: 2, of: 3 }],
            hard: vec![Fraction { part: 1, of: 1 }],
        }
    }
}

/// A fraction, written `2/3`, `0` or `1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fraction {
    part: u64,
    of: u64,
}

impl Fraction {
    fn equals(self, share: Share) -> bool {
        self.part * share.of == share.part * self.of
    }
}

impl FromStr for Fraction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a fraction from 0 to 1 such as `2/3`, found `{text}`");
        let (part, of) = text.split_once('/').unwrap_or((text, "1"));
        let number = |digits: &str| digits.trim().parse::<u32>().map(u64::from);
        match (number(part), number(of)) {
            (Ok(part), Ok(of)) if of > 0 && part <= of => Ok(Self { part, of }),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Fraction {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Fraction> for String {
    fn from(fraction: Fraction) -> Self {
        match fraction {
            Fraction { part, of: 1 } => part.to_string(),
            Fraction { part, of } => format!("{part}/{of}"),
        }
    }
}

impl BandsRecipe {
    fn sets(&self) -> [(Difficulty, &[Fraction]); 3] {
        [
            (Difficulty::Easy, &*self.easy),
            (Difficulty::Medium, &*self.medium),
            (Difficulty::Hard, &*self.hard),
        ]
    }

    /// Refuses a fraction in two bands.
    ///
    /// # Errors
    /// [`Usage`], which names it.
    pub fn check(&self) -> anyhow::Result<()> {
        let all: Vec<Fraction> = self
            .sets()
            .into_iter()
            .flat_map(|(_, set)| set.to_vec())
            .collect();
        for (at, fraction) in all.iter().enumerate() {
            let Fraction { part, of } = *fraction;
            if all[..at]
                .iter()
                .any(|other| other.equals(Share { part, of }))
            {
                let text = String::from(*fraction);
                return Err(Usage::error(format!(
                    "section `[curate.bands]`: expected each fool rate in one band, found `{text}` \
                     twice"
                )));
            }
        }
        Ok(())
    }

    /// The band of a row whose blind verdicts fooled so many, of a panel of so many judges.
    pub fn band(&self, fooled: Share, panel: u64) -> Option<Difficulty> {
        if fooled.of == 0 || fooled.of < self.min_verdicts.unwrap_or(panel) {
            return None;
        }
        let sets = self.sets().into_iter();
        let mut found = sets.filter(|(_, set)| set.iter().any(|rate| rate.equals(fooled)));
        found.next().map(|(band, _)| band)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_exact_fractions_of_existing_verdicts() {
        let bands = BandsRecipe::default();
        let table = [
            (0, 3, Some(Difficulty::Easy)),
            (1, 3, Some(Difficulty::Easy)),
            (2, 3, Some(Difficulty::Medium)),
            (3, 3, Some(Difficulty::Hard)),
            // A verdict is missing.
            (0, 2, None),
            (1, 2, None),
            (2, 2, None),
            (0, 0, None),
            // Six judges.
            (2, 6, Some(Difficulty::Easy)),
            (4, 6, Some(Difficulty::Medium)),
            (3, 6, None),
        ];
        for (part, of, expected) in table {
            assert_eq!(bands.band(Share { part, of }, 3), expected, "{part}/{of}");
        }
        let lenient = BandsRecipe {
            min_verdicts: Some(2),
            ..bands
        };
        let two = Share { part: 2, of: 2 };
        assert_eq!(lenient.band(two, 3), Some(Difficulty::Hard));
    }

    #[test]
    fn fractions_are_read_and_refused() {
        for text in ["0", "1", "2/3"] {
            assert_eq!(
                String::from(text.parse::<Fraction>().expect("a fraction")),
                text
            );
        }
        for text in ["", "2", "3/2", "1/0", "-1/3", "0.5", "a"] {
            assert!(text.parse::<Fraction>().expect_err(text).contains("2/3"));
        }
        let twice = BandsRecipe {
            hard: vec![
                "2/2".parse().expect("a fraction"),
                "4/6".parse().expect("a fraction"),
            ],
            ..BandsRecipe::default()
        };
        assert!(
            twice
                .check()
                .expect_err("refused")
                .to_string()
                .contains("`4/6`")
        );
    }
}
