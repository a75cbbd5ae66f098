//! What the journal says about the suggestions: how far they got, what was kept of them, and which arm
//! of a comparison is better.
//!
//! Everything is computed from rows, one machine's or those of several exports together. A *request*
//! is one question to an engine; alternatives of it count together. What is compared is the number of
//! kept characters for each request **by the arm that it was assigned to**: an arm that is slow, or
//! that the guard holds back, is shown less, so figures of what was shown would flatter it.

mod compare;
mod funnel;
mod requests;
mod sequence;
mod shadow;
mod units;

pub use compare::{Arm, Comparison, Difference, compare};
pub use funnel::{Counts, Latency};
pub use requests::{Request, requests};
pub use sequence::{Sequence, confidence, half_width};
pub use shadow::{Shadow, shadows};
pub use units::{RatioCheck, ratio_check};
