//! The language server and its user commands.
