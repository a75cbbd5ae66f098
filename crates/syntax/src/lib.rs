//! tree-sitter: languages, shapes of completions, symbols, imports, and the resolver behind the
//! hallucination guard.
//!
//! Everything here is a pure function over text; all offsets are UTF-8 bytes. The crate knows
//! neither the editor nor the model.

mod ending;
mod language;
mod lex;
mod parse;
mod shape;
mod site;
mod text;
mod tree;

pub use ending::{EndFinder, syntactic_end};
pub use language::{Indentation, Language};
pub use parse::{MAX_PARSE_BYTES, PARSE_TIME_LIMIT, parse, parse_within};
pub use shape::{Shape, ShapeDecision, completion_shape};
pub use tree::SyntaxTree;
