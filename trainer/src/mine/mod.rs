//! `mine`: contexts with golden completions from real repositories (paper "hard negatives", §3 and
//! appendix E.1).
//!
//! Files are read twice. The first reading ([`first`]) does not parse: it hashes, counts, looks for
//! licences, secrets, sentinels, benchmarks and marks of generated code, and keeps a constant
//! number of bytes for each file. Then it is decided which files stay: percentiles and
//! (near-)duplicates need all of them. The second reading ([`second`]) parses those, cuts holes,
//! follows calls through the file's imports and keeps what the selector's rules call good; rows go
//! into one shard a source. At last the sample is written, with a manifest that counts every
//! reason for which something was left out.
//!
//! Memory does not grow with the text: files come in batches of 8 MB, shards are on the disk, and
//! the sample keeps one number for each row that may stay. What grows is a record for each file
//! (see [`survey::decide`]): 0.25 GB at 400,000 files, and with the sample's numbers at the
//! defaults (6 kinds of 50,000 rows in 11 languages) 26 MB.
//!
//! The result depends on the sources, the recipe and the seed, not on threads, and not on where a
//! run was killed and started again.

mod bench;
pub mod command;
mod draw;
mod extract;
mod first;
mod holes;
mod licence;
mod packages;
mod reason;
mod recipe;
mod resolve;
mod run;
mod sample;
mod second;
mod select;
mod sidecar;
mod source;
mod survey;
mod tally;
mod window;
mod work;

pub use crate::progress::Progress;
pub use bench::Rates;
pub use holes::{FolderHole, holes};
pub use reason::{HoleReason, Reason};
pub use recipe::{Limits, Recipe, Selector};
pub use run::{Job, Outcome, SOURCES, SourceRow};
pub use select::ModelSelector;
pub use source::{Source, repository_name};
