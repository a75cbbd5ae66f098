//! The language server and its user commands.
//!
//! A keystroke's way through this crate: `framing` → `lsp` → `documents` → `serving`
//! (which asks `suggest` and `truefill_syntax`) → `engine` → `suggest` → `lsp`.

pub mod documents;
pub mod engine;
pub mod suggest;
