//! Removing what nothing refers to.

use std::collections::BTreeMap;

use super::error::io_error;
use super::lease::is_free;
use super::{CheckpointId, Result, Store, StoreError, disk};

/// Why a checkpoint stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// An arm serves it.
    Arm(String),
    /// A name stands for it.
    Alias(String),
    /// A running process uses it.
    Leased,
    /// A kept adapter changes its weights.
    BaseOf(CheckpointId),
    /// The caller asked.
    Asked,
}

/// What a prune did, or would do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Removed checkpoints.
    pub removed: Vec<CheckpointId>,
    /// Length of their files, in bytes.
    pub removed_bytes: u64,
    /// What stays, with the first reason found.
    pub kept: BTreeMap<CheckpointId, Kept>,
    /// Installs that crashed, whose remains were removed.
    pub abandoned: usize,
}

impl Store {
    /// Removes checkpoints that no arm, alias, lease, kept adapter and no entry of `keep` refers
    /// to, and the remains of crashed installs. With `dry_run` it only says what it would do.
    /// Damaged checkpoints are left alone.
    ///
    /// # Errors
    /// Where references cannot be read (then nothing is removed) or a removal fails.
    pub fn prune(&self, keep: &[CheckpointId], dry_run: bool) -> Result<PruneReport> {
        let _guard = self.lock()?;
        let mut report = PruneReport {
            kept: self.referenced(keep)?,
            ..PruneReport::default()
        };
        for stored in self.list()?.checkpoints {
            let id = stored.manifest.id();
            if report.kept.contains_key(id) {
                continue;
            }
            if !dry_run {
                self.remove_checkpoint(id)?;
            }
            report.removed_bytes += stored.manifest.bytes();
            report.removed.push(id.clone());
        }
        if !dry_run {
            report.abandoned = self.remove_abandoned()?;
        }
        Ok(report)
    }

    fn referenced(&self, keep: &[CheckpointId]) -> Result<BTreeMap<CheckpointId, Kept>> {
        let mut kept = BTreeMap::new();
        let serving = self.serving()?;
        // The state before is what one goes back to.
        let before = serving
            .history
            .into_iter()
            .take(1)
            .flat_map(|past| past.arms);
        for arm in serving.arms.into_iter().chain(before) {
            kept.entry(arm.checkpoint)
                .or_insert_with(|| Kept::Arm(arm.name.into()));
        }
        for (alias, id) in self.aliases()? {
            kept.entry(id).or_insert_with(|| Kept::Alias(alias.into()));
        }
        for id in self.leased()? {
            kept.entry(id).or_insert(Kept::Leased);
        }
        for id in keep {
            kept.entry(id.clone()).or_insert(Kept::Asked);
        }
        // A base may itself be an adapter's: follow until nothing new turns up.
        let mut open: Vec<CheckpointId> = kept.keys().cloned().collect();
        while let Some(id) = open.pop() {
            match self.get(&id) {
                Ok(stored) => {
                    if let Some(base) = &stored.manifest.about().base
                        && !kept.contains_key(base)
                    {
                        kept.insert(base.clone(), Kept::BaseOf(id));
                        open.push(base.clone());
                    }
                }
                // A reference to what is gone keeps nothing; damage might hide a base.
                Err(StoreError::Unknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }

    /// Out of `checkpoints/` in one step, so that no reader meets a checkpoint half removed.
    fn remove_checkpoint(&self, id: &CheckpointId) -> Result<()> {
        let folder = self.folder(id);
        let grave = self.staging().join(disk::unique());
        self.disk
            .rename(&folder, &grave)
            .and_then(|()| self.disk.sync_folder(&self.checkpoints()))
            .and_then(|()| self.disk.remove(&grave))
            .map_err(|error| io_error(&folder, "remove", error))
    }

    /// Removes what nobody is putting together any more. The caller holds the store's lock.
    pub(super) fn remove_abandoned(&self) -> Result<usize> {
        let staging = self.staging();
        let mut removed = 0;
        for name in super::entries(&staging)? {
            // A crash after the rename leaves a lock without its folder.
            let stem = name.strip_suffix(".lock").unwrap_or(&name);
            let lock_path = staging.join(format!("{stem}.lock"));
            if !is_free(&lock_path)? {
                continue;
            }
            let path = staging.join(&name);
            match self.disk.remove(&path) {
                Ok(()) => removed += usize::from(stem == name),
                // Its owner was faster.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error(&path, "remove", error)),
            }
        }
        Ok(removed)
    }
}
