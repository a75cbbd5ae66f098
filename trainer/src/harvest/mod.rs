//! `truefill-trainer harvest`: what developers accepted, rejected and rewrote becomes training data.
//!
//! The journal has text only where the user opted in (`journal.context`), redacted. What is harvested
//! has the form that `mine` and `generate` give, so the same steps judge and curate it.

mod command;
mod recipe;
mod select;
#[cfg(test)]
mod tests;

pub use command::{HarvestArgs, run};
pub use recipe::HarvestRecipe;
