//! What offline judges found about a negative: columns, never verdicts.

use serde::{Deserialize, Serialize};

/// A row of `scores`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The negative's id.
    pub row: String,
    /// What the resolver says; nothing where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver: Option<Resolution>,
    /// How much more likely the golden completion is, by scorer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub margins: Vec<Margin>,
    /// From the margins of at least three scorers; nothing where one of them could not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<Difficulty>,
}

/// What the language server's resolver says about a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// The negative names something that the resolver is sure does not exist.
    pub caught: bool,
    /// That name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why it cannot exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The golden completion of the same hole is caught too: the resolver sees too little here.
    pub golden_caught: bool,
}

impl Resolution {
    /// Whether the resolver tells the negative apart; nothing where it catches the golden
    /// completion as well, which says more about the resolver than about the negative.
    pub const fn finding(&self) -> Option<bool> {
        match (self.caught, self.golden_caught) {
            (true, true) => None,
            (caught, _) => Some(caught),
        }
    }
}

/// One scorer's `log P(golden) − log P(rejected)`, in nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    /// The scorer's name in the recipe.
    pub scorer: String,
    /// Summed log-probability of the golden completion.
    pub golden: f64,
    /// Summed log-probability of the negative.
    pub rejected: f64,
}

impl Margin {
    /// The margin: small or below zero where the scorer takes the negative for likely.
    pub fn value(&self) -> f64 {
        self.golden - self.rejected
    }
}

/// How hard a negative is for models that see it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// The golden completion is clearly more likely.
    Easy,
    /// Between the two.
    Medium,
    /// The negative is nearly as likely, or more.
    Hard,
}

impl Difficulty {
    /// All three, from easy to hard.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Medium, Self::Hard];

    /// The name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }
}
