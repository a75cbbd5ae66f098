//! Drives the real binaries for the end-to-end tests.
//!
//! [`Server`] is an editor's side of the protocol over the process's stdin and stdout. It
//! is strict: an answer that nobody asked for, a second answer, an answer that a test does
//! not look at, and "panicked" on stderr fail the test.

mod backend;
mod binaries;
mod client;
mod command;
mod default_model;
mod folder;
mod journal;
mod oracle;
mod process;
mod script;
mod store;

pub use backend::Backend;
pub use binaries::{Binaries, binaries};
pub use client::{ErrorObject, Exit, Server, frame};
pub use command::{Output, User, tiny_model};
pub use default_model::{default_model, default_store};
pub use folder::{Folder, wait_indexed, why};
pub use oracle::{Edit, Oracle, Units};
pub use process::{alive, cpu_time, peak_memory_kib};
pub use script::{Answer, Event, Script, micros_now};
pub use store::{install_named, truefill};
