//! The companion of the language server: hard negatives from real code, judged and curated,
//! fine-tuning, evaluation, promotion. This version names its commands; they are filled one by one.

pub mod cli;
pub mod contract;
pub mod generate;
pub mod mine;
pub mod panel;
pub mod progress;
pub mod prompt;
pub mod rows;
