//! `truefill-trainer run`: all steps of a recipe, one after the other, in one folder.
//!
//! Each step is a command that a user could type, run as a process of its own by this program. What was
//! done is written down after each; a step whose command, section and predecessors are the same as then
//! is not run again, and one that was broken off is told to go on by the same command.

mod command;
mod merge;
mod plan;
mod recipe;
mod state;
mod summary;
#[cfg(test)]
mod tests;

pub use command::{RunArgs, run};
pub use recipe::{Promotion, RunRecipe};
