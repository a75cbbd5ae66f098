//! The companion of the language server: hard negatives from real code, judged and curated,
//! fine-tuning, evaluation, promotion, and the harvest of the journal.

pub mod ablate;
pub mod chart;
pub mod checkpoint;
pub mod cli;
pub mod contract;
pub mod controls;
pub mod corpus;
pub mod curate;
pub mod dedup;
pub mod deliver;
pub mod eval;
pub mod export;
pub mod generate;
pub mod harvest;
pub mod hidden;
pub mod import;
pub mod judge;
pub mod kept;
#[cfg(test)]
#[path = "../tests/support/left.rs"]
mod left;
pub mod mine;
pub mod panel;
pub mod progress;
pub mod promote;
pub mod prompt;
pub mod recipe;
pub mod report;
pub mod rows;
pub mod run;
pub mod score;
pub mod sentinels;
pub mod signals;
pub mod stats;
pub mod stored;
pub mod table;
pub mod train;
pub mod usage;
