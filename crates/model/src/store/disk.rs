//! The few operations whose order makes a write durable, and what is built from them.
//!
//! They stand behind a trait so that tests can stop a write at each of them, as a crash would.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{StoreError, io_error};
use super::{Result, Sha256Hex};

/// What the store does to a disk when it writes. Each call either happened or did not.
pub trait Disk: Send + Sync {
    /// Creates a file with these contents; it must not exist.
    ///
    /// # Errors
    /// From the file system.
    fn create(&self, path: &Path, contents: &[u8]) -> std::io::Result<()>;
    /// Flushes a file's contents to the device.
    ///
    /// # Errors
    /// From the file system.
    fn sync_file(&self, path: &Path) -> std::io::Result<()>;
    /// Flushes a folder's entries to the device.
    ///
    /// # Errors
    /// From the file system.
    fn sync_folder(&self, path: &Path) -> std::io::Result<()>;
    /// Renames; a file in the way is replaced, a non-empty folder is not.
    ///
    /// # Errors
    /// From the file system.
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()>;
    /// Removes a file or a folder with all in it.
    ///
    /// # Errors
    /// From the file system.
    fn remove(&self, path: &Path) -> std::io::Result<()>;
}

/// The machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path, contents: &[u8]) -> std::io::Result<()> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)?
            .write_all(contents)
    }

    fn sync_file(&self, path: &Path) -> std::io::Result<()> {
        // Windows flushes only through a handle that may write; elsewhere a file that may only be
        // read is flushed as well.
        OpenOptions::new()
            .read(true)
            .write(cfg!(windows))
            .open(path)?
            .sync_all()
    }

    fn sync_folder(&self, path: &Path) -> std::io::Result<()> {
        if cfg!(windows) {
            // There a folder cannot be opened for this; its journal orders the entries.
            return Ok(());
        }
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        if std::fs::symlink_metadata(path)?.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        }
    }
}

/// Replaces `path` in one step: readers see the old contents or the new ones.
pub(super) fn replace(disk: &dyn Disk, path: &Path, contents: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}", unique()));
    let written = disk
        .create(&temporary, contents)
        .and_then(|()| disk.sync_file(&temporary))
        .and_then(|()| disk.rename(&temporary, path))
        .and_then(|()| disk.sync_folder(folder));
    written.map_err(|error| {
        // What is left of the attempt is of no use; whether it goes does not matter.
        let _ = disk.remove(&temporary);
        io_error(path, "write", error)
    })
}

/// A name part that no other process and no other call of this one uses.
pub(super) fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    format!(
        "{:x}-{nanoseconds:x}-{:x}",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    )
}

/// Opens a lock file and waits until it is ours; it is free again when the handle is dropped
/// or its process ends.
pub(super) fn lock_file(path: &Path) -> Result<File> {
    let file = open_lock(path)?;
    file.lock().map_err(|error| io_error(path, "lock", error))?;
    Ok(file)
}

pub(super) fn open_lock(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| io_error(path, "open", error))
}

/// Reads a small file, refusing one beyond `limit` bytes without reading it.
pub(super) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|error| io_error(path, "read", error))?;
    let mut contents = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut contents)
        .map_err(|error| io_error(path, "read", error))?;
    if contents.len() as u64 > limit {
        return Err(StoreError::Refused {
            path: path.to_owned(),
            problem: format!("expected at most {limit} bytes, found more"),
        });
    }
    Ok(contents)
}

/// The version that a file of the store states, looked at before anything else in it.
#[derive(serde::Deserialize)]
struct Versioned {
    version: u32,
}

/// Parses a file of the store, whose first duty is to be of the version that is understood.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8], version: u32) -> Result<T> {
    let refused = |problem: String| StoreError::Refused {
        path: path.to_owned(),
        problem,
    };
    let found: Versioned = serde_json::from_slice(bytes)
        .map_err(|error| refused(format!("expected JSON with a `version`: {error}")))?;
    if found.version != version {
        return Err(refused(format!(
            "expected version {version}, found {}; it was written by another release of truefill",
            found.version
        )));
    }
    serde_json::from_slice(bytes).map_err(|error| refused(error.to_string()))
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| StoreError::Invalid(format!("cannot be written as JSON: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The length in bytes and the hash of a regular file; links are refused, so that a
/// checkpoint's contents lie in its folder.
pub(super) fn hash_file(path: &Path) -> std::io::Result<(u64, Sha256Hex)> {
    use sha2::Digest;
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(std::io::Error::other("expected a regular file"));
    }
    let mut file = File::open(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else {
            return Ok((bytes, Sha256Hex::from_digest(&hasher.finalize())));
        };
        hasher.update(chunk);
        bytes += count as u64;
    }
}
