//! How likely a model takes a completion to be.

mod difficulty;
mod divergence;
mod likelihood;

pub use difficulty::{FEWEST_SCORERS, Thresholds, difficulty};
pub use divergence::{Divergence, divergence, likeliest};
pub use likelihood::{LONGEST_MIDDLE, Scored, Scorer, ScorerRecipe, open};
