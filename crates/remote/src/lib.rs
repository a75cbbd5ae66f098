//! All HTTP of the project, and whatever else reaches over the network: model downloads,
//! remote completion backends, and models behind an API for the trainer's panels.
//!
//! Nothing here runs unless the user asked for a download or named an endpoint. Keys and tokens
//! are [`Secret`]s, which neither messages nor logs show; where an address appears in a message,
//! it has lost its query and user part, since both may carry credentials.

pub mod api;
pub mod complete;
pub mod download;
mod endpoint;
pub mod hub;
mod message;
pub mod retry;
mod secret;
pub mod wheel;

pub use secret::{MissingKey, Secret};
