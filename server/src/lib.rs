//! The language server and its user commands.
//!
//! A keystroke's way through this crate: `framing` → `lsp` → `documents` → `serving`
//! (which asks `suggest` and `truefill_syntax`) → `engine` → `suggest` → `lsp`.

pub mod arms;
pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod documents;
pub mod engine;
pub mod framing;
pub mod logging;
pub mod lsp;
pub mod paths;
pub mod redacted;
pub mod retention;
pub mod serving;
pub mod silence;
pub mod stats;
pub mod suggest;
pub mod workspace;
