//! Files that are there whole or not at all.

use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;

/// Writes a whole file so that a reader sees the old one or the new one.
///
/// # Errors
/// What the file system says.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = begin(path)?;
    file.write_all(bytes)?;
    put(file, path)
}

/// The same with the file's name in what went wrong.
///
/// # Errors
/// As [`write_whole`].
pub fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_whole(path, bytes).with_context(|| format!("{}: cannot be written", path.display()))
}

/// Begins a file beside `path` under the name `.<name>.tmp`; its folder is made where it is not there.
/// The name is always the same, so that what a killed run left is found by the next one. Whoever
/// writes holds a lock, which ends with the process.
///
/// # Errors
/// What the file system says; [`ErrorKind::WouldBlock`] while another run writes the file.
pub(super) fn begin(path: &Path) -> Result<NamedTempFile> {
    let folder = folder_of(path)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    remove_stale(&folder.join(&name).with_added_extension("tmp"))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).suffix(".tmp").rand_bytes(0);
    // The permissions that the user's mask allows: others may be meant to read it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = match builder.tempfile_in(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(busy()),
        made => made?,
    };
    match file.as_file().try_lock() {
        Err(TryLockError::WouldBlock) => Err(busy()),
        // Where there are no locks, two runs at once end with an error when the first gives its file
        // the name.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Gives a file its own name, for good.
///
/// # Errors
/// What the file system says.
pub(super) fn put(file: NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The new name is on the disk only when its folder is.
    File::open(folder_of(path)?)?.sync_all()
}

/// Removes what a killed run left, unless somebody writes it now.
fn remove_stale(path: &Path) -> Result<()> {
    let left = match File::options().write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        left => left?,
    };
    if let Err(TryLockError::WouldBlock) = left.try_lock() {
        return Err(busy());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn busy() -> Error {
    let why = "another run is writing it; wait until that ends, or stop it";
    Error::new(ErrorKind::WouldBlock, why)
}

fn folder_of(path: &Path) -> Result<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::left::names;

    #[test]
    fn what_a_killed_run_left_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.jsonl");
        for left in [".rows.jsonl.tmp", ".rows.jsonl.zst.tmp"] {
            std::fs::write(folder.path().join(left), "half of a longer file").expect("written");
        }
        write_whole(&path, b"whole").expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"whole");
        // Another output's is that output's own matter.
        assert_eq!(names(folder.path()), [".rows.jsonl.zst.tmp", "rows.jsonl"]);
    }

    #[test]
    fn what_another_run_is_writing_is_left_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.jsonl");
        let mut first = begin(&path).expect("begun");
        first.write_all(b"first").expect("room");
        let error = begin(&path).expect_err("refused").to_string();
        assert!(error.contains("another run is writing it"), "{error}");
        put(first, &path).expect("whole");
        assert_eq!(std::fs::read(&path).expect("there"), b"first");
        drop(begin(&path).expect("begun again"));
        assert_eq!(names(folder.path()), ["rows.jsonl"]);
    }

    #[cfg(unix)]
    #[test]
    fn files_may_be_read_as_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (plain, ours) = (folder.path().join("plain"), folder.path().join("ours"));
        std::fs::write(&plain, "x").expect("written");
        write_whole(&ours, b"x").expect("written");
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode();
        assert_eq!(mode(&plain), mode(&ours));
    }
}
