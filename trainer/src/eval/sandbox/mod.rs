//! Running what a model wrote without trusting it.
//!
//! Isolation is bubblewrap's (`bwrap`, what Flatpak runs programs with): namespaces of its own for users,
//! processes, network, mounts and IPC, nothing of the host's files but `/usr` and what is named, no
//! capabilities. What is here builds its command line ([`arguments`]), gives limits (`setup.sh`), feeds
//! input, keeps the end of the output and ends everything at the time limit ([`process`]). There is no
//! mode without it: where `bwrap` does not work, [`Sandbox::open`] refuses.
//!
//! A completion can spoil its own score and use its limits up. What it could do beyond that stands in
//! docs/eval.md.

mod arguments;
pub(in crate::eval) mod folder;
mod probe;
mod process;
pub mod python;
#[cfg(test)]
pub(in crate::eval) mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// How much a program may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From its first instruction to its last.
    pub wall: Duration,
    /// Of one process, in whole seconds; the second line behind `wall`.
    pub cpu: Duration,
    /// Bytes of address space of one process.
    pub memory: u64,
    /// Bytes of one file.
    pub file: u64,
    /// Processes and threads at a time.
    pub processes: u64,
    /// Files that a process has open at a time; fewer where the host allows fewer.
    pub open_files: u64,
    /// Bytes of the working folder, and of `/tmp`; both are memory.
    pub folder: u64,
    /// Bytes of each output that are kept, from its end.
    pub output: usize,
}

impl Limits {
    /// For a short program: the benchmarks' own time (3 s for HumanEval-Infilling), 4 GiB of address
    /// space (NumPy fails below 1 GiB).
    pub fn program(wall: Duration) -> Self {
        Self {
            wall,
            cpu: wall + Duration::from_secs(1),
            memory: 4 << 30,
            file: 64 << 20,
            processes: 64,
            open_files: 1024,
            folder: 256 << 20,
            output: 64 << 10,
        }
    }

    /// For a repository's own tests, which may build first.
    pub fn repository(wall: Duration) -> Self {
        Self {
            memory: 16 << 30,
            file: 2 << 30,
            processes: 1024,
            open_files: 4096,
            folder: 4 << 30,
            cpu: wall * 16,
            ..Self::program(wall)
        }
    }
}

/// A file or folder of the host that is seen inside, read-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is.
    pub host: PathBuf,
    /// Where it is seen, an absolute path.
    pub inside: PathBuf,
}

impl Mount {
    /// Seen where it is.
    pub fn same(path: &Path) -> Self {
        Self {
            host: path.to_path_buf(),
            inside: path.to_path_buf(),
        }
    }
}

/// Where a program starts, and a job's folder is copied to.
pub const WORKING_FOLDER: &str = "/sandbox";

/// The home folder inside: empty, in memory.
pub const HOME: &str = "/tmp";

/// Where programs are looked up.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// One program to run.
#[derive(Clone, Debug, Default)]
pub struct Job<'a> {
    /// The program, looked up inside, and its arguments.
    pub command: Vec<OsString>,
    /// What it reads; then its input is at its end.
    pub stdin: &'a [u8],
    /// A folder that is copied into the working folder first; the folder itself is never written.
    pub source: Option<&'a Path>,
    /// Files that are then written over the copy: path in the folder, content.
    pub changed: &'a [(PathBuf, Vec<u8>)],
    /// Set beside the few variables that every program has.
    pub environment: &'a [(String, String)],
}

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The end of what it printed, invalid UTF-8 replaced.
    pub stdout: String,
    /// The same of its errors.
    pub stderr: String,
    /// How long it ran.
    pub wall: Duration,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// By itself, with exit status 0.
    Passed,
    /// By itself with another exit status, or by a signal: then it is 128 and the signal's number, as
    /// shells have it. Memory that was refused shows as one of these.
    Failed(i32),
    /// At a limit of time, with everything that it had started.
    TimedOut,
}

/// Why nothing was run.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// This machine cannot isolate a program.
    #[error("completions run in a sandbox or not at all: tried {tried}, found {found}; {advice}")]
    Refused {
        /// What was done.
        tried: String,
        /// What came of it.
        found: String,
        /// What to do.
        advice: String,
    },
    /// The sandbox could not be made ready for this program.
    #[error("the sandbox did not start `{command}`: {said}")]
    SetUp {
        /// The program.
        command: String,
        /// What `bwrap` or the shell said.
        said: String,
    },
    /// A path that cannot be used.
    #[error("cannot use {path} in the sandbox: {why}")]
    Path {
        /// The path.
        path: PathBuf,
        /// The reason, and what is expected.
        why: String,
    },
    /// The host's side of it failed.
    #[error("sandbox: {0}")]
    Io(#[from] std::io::Error),
}

/// Runs programs in isolation, any number at a time.
#[derive(Clone, Debug)]
pub struct Sandbox {
    bwrap: PathBuf,
    /// Root steps down before the sandbox is made: the kernel does not count root's processes, and no
    /// slip then gives root's rights.
    root: bool,
    limits: Limits,
    mounts: Vec<Mount>,
}

impl Sandbox {
    /// Opens it after a program was run inside that tried to get out. Refuses otherwise.
    pub fn open(limits: Limits) -> Result<Self, SandboxError> {
        let sandbox = Self {
            bwrap: probe::installed()?,
            root: probe::is_root()?,
            limits,
            mounts: Vec::new(),
        };
        probe::verify(&sandbox)?;
        Ok(sandbox)
    }

    /// The same with these files and folders seen inside.
    pub fn with_mounts(mut self, mounts: &[Mount]) -> Result<Self, SandboxError> {
        for mount in mounts {
            check(mount)?;
            self.mounts.push(mount.clone());
        }
        Ok(self)
    }

    /// The same with other limits.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Runs one program; when this returns, nothing of it is left.
    pub fn run(&self, job: &Job) -> Result<Outcome, SandboxError> {
        let inputs = arguments::Inputs::write(job)?;
        let command = arguments::command(self, job, &inputs);
        process::run(command, job, &self.limits)
    }
}

/// A mount must exist, and must not hide what isolates.
fn check(mount: &Mount) -> Result<(), SandboxError> {
    let path = |path: &Path, why: &str| SandboxError::Path {
        path: path.to_path_buf(),
        why: why.to_owned(),
    };
    if !mount.host.exists() {
        return Err(path(&mount.host, "it does not exist"));
    }
    // Who may not write to it may still connect to it.
    #[cfg(unix)]
    if is_socket(&mount.host) {
        return Err(path(
            &mount.host,
            "a file or a folder is expected; this is a socket, through which a program outside can be told what \
             to do",
        ));
    }
    let plain = |part| {
        matches!(
            part,
            std::path::Component::Normal(_) | std::path::Component::RootDir
        )
    };
    let inside = &mount.inside;
    if !inside.is_absolute() || !inside.components().all(plain) || inside.parent().is_none() {
        return Err(path(
            inside,
            "where it is seen must be an absolute path below /, without `..`",
        ));
    }
    if ["/proc", "/dev", "/input"]
        .iter()
        .any(|own| inside.starts_with(own))
        || ["/tmp", "/sandbox"]
            .iter()
            .any(|own| inside == Path::new(own))
    {
        return Err(path(
            inside,
            "the sandbox has its own /proc, /dev, /input, /tmp and /sandbox",
        ));
    }
    Ok(())
}

#[cfg(unix)]
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    path.metadata()
        .is_ok_and(|metadata| metadata.file_type().is_socket())
}
