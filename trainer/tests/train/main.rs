//! Training, as far as it needs no weights: objectives, marks, examples, batches, schedules.
#![allow(clippy::unwrap_used)]

mod gradients;
mod reference;
