//! From what the model writes to what the editor shows: when to ask, when to
//! stop, what to clean, what to serve again. Pure functions and small states
//! without IO; time comes in as a value.

pub mod alternatives;
pub mod brackets;
pub mod cleanup;
pub mod delay;
pub mod facts;
pub mod flow;
pub mod lexer;
pub mod lines;
pub mod stops;
pub mod surroundings;
pub mod torn;
pub mod typed_through;
