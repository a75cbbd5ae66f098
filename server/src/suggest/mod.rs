//! From what the model writes to what the editor shows: when to ask, when to
//! stop, what to clean, what to serve again. Pure functions and small states
//! without IO; time comes in as a value.

pub mod brackets;
pub mod cleanup;
pub mod facts;
pub mod lexer;
pub mod lines;
pub mod surroundings;
