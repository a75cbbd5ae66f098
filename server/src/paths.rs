//! Where the user's configuration, models and journal lie.

pub use truefill_model::store::{NoHome, Paths};
