//! Which holes are good ones: enough context on both sides, and a golden completion that says
//! something and that the context can tell (paper "hard negatives", §3 asks a model; here rules do,
//! and a model may be asked about what they keep).

mod model;
mod rules;

pub use model::ModelSelector;
pub use rules::Page;
