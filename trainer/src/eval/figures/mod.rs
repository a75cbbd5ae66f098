//! Figures of many rows: a row's values, their averages by type and by language with intervals, and what
//! differs between two checkpoints.
//!
//! Pure functions of values. `bootstrap` is where intervals come from.

mod bootstrap;
mod compare;
mod metric;
mod summary;

pub use bootstrap::{Bootstrap, Clusters};
pub use compare::{Comparison, Difference, Verdict, compare};
pub use metric::{Figure, Metric, Variant};
pub use summary::{Estimate, Group, GroupFigures, RowFigures, summarise};
