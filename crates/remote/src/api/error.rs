//! Why there is no answer.

use std::time::Duration;

use super::ledger::LedgerError;
use super::money;
use crate::MissingKey;
use crate::endpoint::EndpointError;

/// Why a question has no answer. No message holds the key.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The recipe's table for the endpoint cannot be used.
    #[error("{0}")]
    Config(String),
    /// The named key is missing.
    #[error(transparent)]
    Key(#[from] MissingKey),
    /// Key, account, address or model were refused: nothing further is sent to this endpoint.
    #[error("{host} refused with status {status}: {excerpt}; nothing further is sent there")]
    Refused {
        /// The host and port.
        host: String,
        /// The status.
        status: u16,
        /// The beginning of what it said.
        excerpt: String,
    },
    /// The server asks for a longer wait than is allowed: nothing further is sent to this endpoint.
    #[error(
        "{host} asks to wait {wait:?}, which is longer than `longest_wait_s` allows; nothing further \
         is sent there"
    )]
    Wait {
        /// The host and port.
        host: String,
        /// The wait.
        wait: Duration,
    },
    /// No attempt of a question reached the server, and none did before: nothing further is sent to
    /// this endpoint.
    #[error("{host}: {last} (tried {attempts} times); nothing further is sent there")]
    Unreachable {
        /// The host and port.
        host: String,
        /// Attempts made.
        attempts: usize,
        /// Why the last one failed.
        last: Failure,
    },
    /// The budget has no room for the most that the request can cost.
    #[error(
        "the request can cost {:.4} and the budget has {:.4} left; raise it and run again, what was \
         answered is kept",
        money(*needed), money(*left)
    )]
    Budget {
        /// The most that it can cost.
        needed: u64,
        /// What is left of the budget, reservations taken off.
        left: u64,
    },
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// This request failed, each of its attempts.
    #[error("{host} gave no answer in {attempts} attempts, the last: {last}")]
    Failed {
        /// The host and port.
        host: String,
        /// Attempts made.
        attempts: usize,
        /// Why the last one failed.
        last: Failure,
    },
}

/// Why one attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A status that is not success.
    #[error("status {status}: {excerpt}")]
    Status {
        /// The status.
        status: u16,
        /// The beginning of what it said.
        excerpt: String,
    },
    /// No connection.
    #[error("cannot be reached ({0}); is it running?")]
    Unreachable(String),
    /// The connection ended within the reply.
    #[error("the connection broke ({0})")]
    Cut(String),
    /// Too slow.
    #[error("no whole reply within {0:?}")]
    TimedOut(Duration),
    /// Too much.
    #[error("a reply of more than {0} bytes")]
    TooLarge(usize),
    /// The question is refused for what it says.
    #[error("a content filter refused it")]
    Filtered,
    /// A reply that is not what the protocol says.
    #[error("a reply that is not understood: {0}")]
    Malformed(String),
}

impl Failure {
    /// Whether the server may have done the work, and will ask to be paid for it.
    pub(super) fn may_cost(&self) -> bool {
        match self {
            // Of a gateway that gave up waiting for the server behind it, which may go on.
            Self::Status { status, .. } => matches!(status, 502 | 504),
            Self::Unreachable(_) => false,
            _ => true,
        }
    }

    /// Whether another attempt may succeed.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                reqwest::StatusCode::from_u16(*status).is_ok_and(crate::retry::is_transient)
            }
            _ => true,
        }
    }
}

impl From<EndpointError> for ApiError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Address(found) => Self::Config(format!(
                "expected `url` to be a server's address, such as `https://api.openai.com`, found \
                 {found}"
            )),
            EndpointError::Key(missing) => Self::Key(missing),
            EndpointError::Client(problem) => {
                Self::Config(format!("cannot set up HTTPS: {problem}"))
            }
        }
    }
}
