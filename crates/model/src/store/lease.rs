//! Leases: a running process says which checkpoints it uses, by a lock that ends with it.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::io_error;
use super::{CheckpointId, Result, Store, disk};

const VERSION: u32 = 1;
const LIMIT: u64 = 1 << 20;

/// While it lives, the checkpoints that it names are not pruned. A process that ends, however
/// it does, frees its leases. To change checkpoints, take the new lease before dropping the old.
#[derive(Debug)]
pub struct Lease {
    // Free as soon as this is closed; the files are only removed to keep the folder tidy.
    lock: Option<File>,
    lock_path: PathBuf,
    list_path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    version: u32,
    process: u32,
    checkpoints: Vec<CheckpointId>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The list goes first: a lock without a list protects nothing, while a list without a
        // lock would stay for the next prune.
        let _ = std::fs::remove_file(&self.list_path);
        self.lock.take();
        let _ = std::fs::remove_file(&self.lock_path);
    }
}

impl Store {
    /// Keeps these checkpoints, and the bases of adapters among them, from being pruned.
    ///
    /// # Errors
    /// Where one is not installed, or the lease cannot be written.
    pub fn lease(&self, ids: &[CheckpointId]) -> Result<Lease> {
        let _guard = self.lock()?;
        for id in ids {
            self.get(id)?;
        }
        let name = disk::unique();
        let lock_path = self.leases().join(format!("{name}.lock"));
        let lock = disk::lock_file(&lock_path)?;
        let list_path = self.leases().join(format!("{name}.json"));
        let lease = Lease {
            lock: Some(lock),
            lock_path,
            list_path,
        };
        let list = List {
            version: VERSION,
            process: std::process::id(),
            checkpoints: ids.to_vec(),
        };
        disk::replace(&*self.disk, &lease.list_path, &disk::to_json(&list)?)?;
        Ok(lease)
    }

    /// Every checkpoint that a running process uses. Leases of processes that ended are
    /// recognised by their free lock, and removed. The caller holds the store's lock.
    pub(super) fn leased(&self) -> Result<BTreeSet<CheckpointId>> {
        let mut leased = BTreeSet::new();
        let names = super::entries(&self.leases())?;
        for name in names.iter().filter_map(|name| name.strip_suffix(".json")) {
            let list_path = self.leases().join(format!("{name}.json"));
            let lock_path = self.leases().join(format!("{name}.lock"));
            if is_free(&lock_path)? {
                let _ = std::fs::remove_file(&list_path);
                let _ = std::fs::remove_file(&lock_path);
                continue;
            }
            // A lease that is held but cannot be read stops the prune: it might name anything.
            // One that vanished has just been given up.
            let Some(bytes) = absent_as_none(disk::read_limited(&list_path, LIMIT))? else {
                continue;
            };
            leased.extend(disk::parse::<List>(&list_path, &bytes, VERSION)?.checkpoints);
        }
        Ok(leased)
    }
}

/// Whether nobody holds the lock; a file that is not there is held by nobody.
pub(super) fn is_free(lock_path: &std::path::Path) -> Result<bool> {
    let file = match File::open(lock_path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(io_error(lock_path, "open", error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(io_error(lock_path, "lock", error)),
    }
}

fn absent_as_none<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(super::StoreError::Io { reason, .. })
            if reason.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
