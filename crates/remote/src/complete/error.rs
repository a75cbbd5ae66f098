//! Why a completion did not come from another machine.

use std::time::Duration;

use crate::MissingKey;
use crate::endpoint::EndpointError;

/// What was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The first piece of text.
    FirstPiece,
    /// The next piece of text.
    NextPiece,
    /// The whole completion.
    Total,
}

/// A backend's error. None holds the API key, and a body's excerpt has it taken out.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The configured address is none.
    #[error("expected the server's address, such as `http://localhost:8080`, found {problem}")]
    Address {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The named key is missing.
    #[error(transparent)]
    Key(#[from] MissingKey),
    /// The request does not fit the protocol.
    #[error("{0}")]
    Unsupported(&'static str),
    /// No connection.
    #[error("cannot reach the completion server {host} ({problem}); is it running?")]
    Unreachable {
        /// The host and port.
        host: String,
        /// What the system says.
        problem: String,
    },
    /// A status that is not success.
    #[error("the completion server {host} refused with status {status}: {excerpt}")]
    Status {
        /// The host and port.
        host: String,
        /// The status.
        status: u16,
        /// The beginning of what it said.
        excerpt: String,
    },
    /// An error in the midst of a stream.
    #[error("the completion server {host} failed: {excerpt}")]
    Server {
        /// The host and port.
        host: String,
        /// The beginning of what it said.
        excerpt: String,
    },
    /// A reply that is not what the protocol says.
    #[error("the completion server {host} sent what is not understood: {problem}")]
    Malformed {
        /// The host and port.
        host: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// The connection ended within the reply.
    #[error("the connection to the completion server {host} broke ({problem})")]
    Cut {
        /// The host and port.
        host: String,
        /// What the system says.
        problem: String,
    },
    /// Too slow.
    #[error("the completion server {host} took longer than {limit:?} for {}", wait.name())]
    TimedOut {
        /// The host and port.
        host: String,
        /// What was waited for.
        wait: Wait,
        /// How long.
        limit: Duration,
    },
    /// Too much.
    #[error("the completion server {host} sent more than {limit} bytes in {what}")]
    TooLarge {
        /// The host and port.
        host: String,
        /// In what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// No HTTP client.
    #[error("cannot set up HTTPS: {0}")]
    Client(String),
}

impl Wait {
    fn name(self) -> &'static str {
        match self {
            Self::FirstPiece => "the first piece of text",
            Self::NextPiece => "the next piece of text",
            Self::Total => "the whole completion",
        }
    }
}

impl From<EndpointError> for BackendError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Address(problem) => Self::Address { problem },
            EndpointError::Key(missing) => Self::Key(missing),
            EndpointError::Client(problem) => Self::Client(problem),
        }
    }
}
