//! tree-sitter: languages, shapes of completions, symbols, imports, and the resolver behind the
//! hallucination guard.
//!
//! Everything here is a pure function over text; all offsets are UTF-8 bytes. The crate knows
//! neither the editor nor the model.

mod builtins;
mod ending;
mod guard;
mod holes;
mod index;
mod language;
mod leaves;
mod lex;
mod parse;
mod reading;
#[cfg(test)]
mod real_files;
mod roles;
mod shape;
mod site;
mod symbols;
mod text;
mod tree;

pub use ending::EndFinder;
pub use guard::{Evidence, Finding, Judge, Judgement, NameKind, findings, judge};
pub use holes::{
    Draw, Hole, HoleKind, NameSite, holes, holes_in, invent_name, name_sites, sample_holes,
};
pub use index::{Index, IndexSize};
pub use language::{Indentation, Language};
pub use leaves::{Leaf, NameUse, is_common_name, is_standard_module, is_standard_name, leaves};
pub use parse::{
    MAX_PARSE_BYTES, PARSE_TIME_LIMIT, parse, parse_on_own_stack, parse_within, stack_for,
};
pub use reading::holes_and_symbols;
pub use roles::SymbolKind;
pub use shape::{Shape, ShapeDecision};
pub use site::Site;
pub use symbols::{
    Class, Definition, Import, Signature, Symbols, symbols, symbols_of, symbols_of_words,
};
