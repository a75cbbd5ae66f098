//! How near a completion is to the golden one.
//!
//! Pure functions of texts. Each module names the protocol that its figure belongs to and is held to that
//! protocol's own implementation (`scripts/reference/dump_eval.py`). Similarities and rates are shares
//! from 0 to 1, but for [`fuzz`], whose unit is the percent. Lengths are counted in Unicode code points.

pub mod aligned;
pub mod cross_code;
pub mod exact;
pub mod fuzz;
pub mod identifiers;
pub mod levenshtein;
pub mod sequence_matcher;
