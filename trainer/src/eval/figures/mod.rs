//! Figures of many rows: a row's values, their averages by type and by language with intervals, and what
//! differs between two checkpoints.
//!
//! Pure functions of values. `bootstrap` is where intervals come from, `shown` how figures are rounded.

mod bootstrap;
mod clusters;
mod compare;
mod metric;
mod shown;
mod summary;

pub use bootstrap::{Bootstrap, Of};
pub use clusters::Clusters;
pub use compare::{Comparison, Difference, Verdict, compare};
pub use metric::{Figure, Metric, Variant};
pub use shown::{percent, points};
pub use summary::{Estimate, Group, GroupFigures, RowFigures, summarise};
