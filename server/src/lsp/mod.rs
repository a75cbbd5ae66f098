//! The language server: the protocol's side of everything. A file each for a family of
//! requests and notifications; what they do is in `serving` and `documents`.
//!
//! Two rules hold in every handler. What changes a document happens before the first
//! await, so that it happens in the order of the messages. And no handler waits for the
//! client: what the client should hear goes through a queue that a task of its own sends.

mod backend;
mod capabilities;
mod commands;
mod completion;
mod configuration;
mod convert;
mod initialize;
mod inline_completion;
mod notices;
mod outcomes;
mod parent;
mod sync;
mod testing;
mod transport;
mod workspace_folders;

pub use backend::{Backend, Options, Session, service};
pub use transport::{End, serve};
