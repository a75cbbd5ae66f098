//! Why a download failed, each in one sentence that says what to do.

use std::path::PathBuf;
use std::time::Duration;

/// A failed download.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No connection.
    #[error("cannot reach {host} ({problem}); check the network and the proxy settings")]
    Unreachable {
        /// The host, with its port where that is not the usual one.
        host: String,
        /// What the system says.
        problem: String,
    },
    /// A connection without bytes.
    #[error("{host} stopped sending; try again, the download goes on where it stopped")]
    Silent {
        /// The host.
        host: String,
    },
    /// A connection that ended within the file.
    #[error(
        "the connection to {host} broke ({problem}); try again, the download goes on where it \
         stopped"
    )]
    Cut {
        /// The host.
        host: String,
        /// What the system says.
        problem: String,
    },
    /// A status that is not success.
    #[error("{url}: expected the file, found status {status}{}", explain(*status, *wait))]
    Status {
        /// The address without its query.
        url: String,
        /// The status.
        status: u16,
        /// How long the server asks to wait.
        wait: Option<Duration>,
    },
    /// The file on the server is another one than at the beginning, again and again.
    #[error("{url}: the file changes on the server while it is downloaded; try again later")]
    Changed {
        /// The address without its query.
        url: String,
    },
    /// More bytes than announced or allowed.
    #[error("{url}: expected at most {limit} bytes, found {}", more(*found))]
    TooLarge {
        /// The address without its query.
        url: String,
        /// The limit.
        limit: u64,
        /// What the server announced; `None` where it sent more than it had announced.
        found: Option<u64>,
    },
    /// Another length than the repository says.
    #[error("{url}: expected {expected} bytes, found a file of {found}")]
    WrongSize {
        /// The address without its query.
        url: String,
        /// From the repository.
        expected: u64,
        /// What the server announced.
        found: u64,
    },
    /// The body ended too early, again and again.
    #[error(
        "{url}: expected {expected} bytes, found only {found}; try again, the download goes on \
         where it stopped"
    )]
    Short {
        /// The address without its query.
        url: String,
        /// Announced.
        expected: u64,
        /// Received.
        found: u64,
    },
    /// Other contents than the repository says.
    #[error("{url}: expected SHA-256 {expected}, found {found}; the file was discarded")]
    WrongHash {
        /// The address without its query.
        url: String,
        /// From the repository, or pinned in this program.
        expected: String,
        /// Received.
        found: String,
    },
    /// A reply that is none.
    #[error("{url}: {problem}")]
    Malformed {
        /// The address without its query.
        url: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// The disk refused.
    #[error("{}: cannot {action}: {}", path.display(), disk(reason))]
    Disk {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        reason: std::io::Error,
    },
    /// Two processes at the same file.
    #[error("{}: another process is downloading this file; wait for it", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// No HTTP client.
    #[error("cannot set up HTTPS: {0}")]
    Client(String),
}

fn explain(status: u16, wait: Option<Duration>) -> String {
    match (status, wait) {
        (401 | 403, _) => "; access to it must be granted first".into(),
        (404 | 410, _) => "; there is no such file".into(),
        (429, Some(wait)) => {
            format!(
                "; too many requests, try again in {} s",
                wait.as_secs().max(1)
            )
        }
        (429, None) => "; too many requests, try again later".into(),
        (500.., Some(wait)) => {
            format!(
                "; the server fails, try again in {} s",
                wait.as_secs().max(1)
            )
        }
        (500.., None) => "; the server fails, try again later".into(),
        _ => String::new(),
    }
}

fn more(found: Option<u64>) -> String {
    found.map_or_else(|| "more".to_owned(), |found| found.to_string())
}

fn disk(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::StorageFull => {
            "the disk is full; make room and run it again, it goes on where it stopped".into()
        }
        _ => error.to_string(),
    }
}
