//! SIGKILL at every write, flush and rename that the journal and the store make: the real binaries under
//! `strace`, which kills them at the K-th call, for every K until one run comes through.
//!
//! SIGKILL leaves what the system was given; what a power failure would leave is a matter of the order of
//! flushes, which the store's own tests look at.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod server;
mod store;
mod trainer;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// More calls than any of these processes makes.
const MOST: usize = 150;

/// Whether processes can be watched here. In CI they have to be.
fn can_trace() -> bool {
    let works = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    assert!(
        works || std::env::var_os("CI").is_none(),
        "strace does not work here"
    );
    works
}

/// A program under `strace`, killed at its K-th call of these.
fn killed_at(calls: &str, number: usize, program: &Path) -> Command {
    let mut command = Command::new("strace");
    let inject = format!("inject={calls}:signal=KILL:when={number}");
    command.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &format!("trace={calls}"),
        "-e",
        &inject,
        "--",
    ]);
    // Without Cargo's: the loader would try each of its folders for each library.
    command.arg(program).env_remove("LD_LIBRARY_PATH");
    command
}

/// Whether it came through; a failure that is no kill is the test's.
fn came_through(status: ExitStatus, which: &str) -> bool {
    let killed = status.signal() == Some(9);
    assert!(killed || status.success(), "{which}: {status}");
    !killed
}
