//! Putting a checkpoint into the store, all at once.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{StoreError, io_error};
use super::{
    CheckpointId, Disk, Draft, FileEntry, FileName, Manifest, Result, Store, Verification, disk,
    manifest,
};

/// A folder in the store's file system in which a checkpoint is put together. Dropped without
/// an install, it is removed; after a crash, the next install or [`Store::prune`] removes it.
pub struct Staging {
    folder: PathBuf,
    lock_path: PathBuf,
    // Held while the install is under way, so that it is not mistaken for one that crashed.
    _lock: File,
    disk: Arc<dyn Disk>,
}

/// What an install did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The checkpoint.
    pub id: CheckpointId,
    /// Whether it is new; the same contents under another name keep the name they had first.
    pub new: bool,
}

impl Staging {
    /// The folder; every file in it becomes part of the checkpoint.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Copies a file's contents in. Its permissions stay behind: the store's files are the store's.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub fn copy(&self, name: &FileName, from: &Path) -> Result<()> {
        let to = self.folder.join(name.as_str());
        let copied =
            File::open(from).and_then(|mut from| std::io::copy(&mut from, &mut File::create(&to)?));
        copied.map_err(|error| io_error(from, "copy into the store", error))?;
        Ok(())
    }

    /// Moves a file in where it lies in the same file system, else copies it.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub fn take(&self, name: &FileName, from: &Path) -> Result<()> {
        match std::fs::rename(from, self.folder.join(name.as_str())) {
            Ok(()) => Ok(()),
            Err(_) => self.copy(name, from),
        }
    }

    fn hash(&self) -> Result<Vec<FileEntry>> {
        let mut files = Vec::new();
        for name in super::entries(&self.folder)? {
            let path = self.folder.join(&name);
            let name = name
                .parse::<FileName>()
                .map_err(|problem| StoreError::Refused {
                    path: path.clone(),
                    problem,
                })?;
            let (bytes, sha256) =
                disk::hash_file(&path).map_err(|error| io_error(&path, "read", error))?;
            files.push(FileEntry {
                name,
                bytes,
                sha256,
            });
        }
        Ok(files)
    }

    /// Writes the manifest and flushes everything, so that only the rename is left.
    fn seal(&self, manifest: &Manifest) -> Result<()> {
        let mut paths: Vec<_> = manifest
            .files()
            .iter()
            .map(|file| self.folder.join(file.name.as_str()))
            .collect();
        let path = self.folder.join(manifest::FILE);
        self.disk
            .create(&path, &manifest.to_json()?)
            .map_err(|error| io_error(&path, "write", error))?;
        paths.push(path);
        for path in &paths {
            self.disk
                .sync_file(path)
                .map_err(|error| io_error(path, "flush", error))?;
        }
        self.disk
            .sync_folder(&self.folder)
            .map_err(|error| io_error(&self.folder, "flush", error))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After an install the folder is gone; else what is left goes now, or with a prune.
        let _ = self.disk.remove(&self.folder);
        let _ = self.disk.remove(&self.lock_path);
    }
}

impl Store {
    /// Starts a checkpoint, and removes the remains of installs that crashed.
    ///
    /// # Errors
    /// Where the folder cannot be created.
    pub fn stage(&self) -> Result<Staging> {
        let name = disk::unique();
        let folder = self.staging().join(&name);
        let lock_path = self.staging().join(format!("{name}.lock"));
        // Under the store's lock, or a prune could meet the file before it is locked.
        let _guard = self.lock()?;
        self.remove_abandoned()?;
        let lock = disk::lock_file(&lock_path)?;
        std::fs::create_dir(&folder).map_err(|error| io_error(&folder, "create", error))?;
        Ok(Staging {
            folder,
            lock_path,
            _lock: lock,
            disk: Arc::clone(&self.disk),
        })
    }

    /// Installs what was staged: hashes and flushes every file, writes the manifest, renames
    /// the folder into place. Contents that are installed already are not installed again, but
    /// if they are damaged there, the damaged files are replaced.
    ///
    /// # Errors
    /// Where the draft is not valid, a base is not installed, or the disk refuses; the store is
    /// then as it was, or as much of a damaged checkpoint is repaired as could be.
    pub fn install(&self, staging: Staging, about: Draft) -> Result<Installed> {
        let manifest = Manifest::new(about, staging.hash()?)?;
        staging.seal(&manifest)?;
        // Gigabytes are hashed before the lock is taken: who holds it keeps all others waiting.
        let verified = self.verify_same(&manifest)?;
        let _guard = self.lock()?;
        if let Some(base) = &manifest.about().base {
            self.get(base)?;
        }
        if let Some(id) = self.same_content(&manifest)? {
            // One that has come since was hashed by whoever installed it. One that was repaired
            // since gets the same contents once more.
            if let Some(damaged) = verified.filter(|found| found.id == id && !found.holds()) {
                self.repair(&damaged, &staging)?;
            }
            return Ok(Installed { id, new: false });
        }
        let folder = self.folder(manifest.id());
        self.disk
            .rename(staging.folder(), &folder)
            .map_err(|error| match error.kind() {
                ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => StoreError::Refused {
                    path: folder.clone(),
                    problem:
                        "expected no such folder or a readable checkpoint in it, found another; \
                          move it away"
                            .into(),
                },
                _ => io_error(&folder, "rename into place", error),
            })?;
        self.disk
            .sync_folder(&self.checkpoints())
            .map_err(|error| io_error(&self.checkpoints(), "flush", error))?;
        Ok(Installed {
            id: manifest.id().clone(),
            new: true,
        })
    }

    /// The state of the checkpoint with the same contents, if there is one.
    fn verify_same(&self, manifest: &Manifest) -> Result<Option<Verification>> {
        let Some(id) = self.same_content(manifest)? else {
            return Ok(None);
        };
        match self.verify(&id, &mut |_| ()) {
            Ok(verification) => Ok(Some(verification)),
            // Pruned meanwhile.
            Err(StoreError::Unknown { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the damaged files of a checkpoint by the staged ones, one after the other, and
    /// removes what does not belong to it. Manifest and evidence stay where they are, so that a
    /// crash in between leaves a checkpoint that is less damaged than before.
    fn repair(&self, damaged: &Verification, staging: &Staging) -> Result<()> {
        let folder = self.folder(&damaged.id);
        let swap = || {
            for check in damaged.files.iter().filter(|check| !check.holds()) {
                let name = check.expected.name.as_str();
                let target = folder.join(name);
                if target.is_dir() && !target.is_symlink() {
                    self.disk.remove(&target)?;
                }
                self.disk.rename(&staging.folder().join(name), &target)?;
            }
            for name in &damaged.unlisted {
                match self.disk.remove(&folder.join(name)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            self.disk.sync_folder(&folder)
        };
        swap().map_err(|error| io_error(&folder, "repair", error))
    }

    fn same_content(&self, manifest: &Manifest) -> Result<Option<CheckpointId>> {
        let listing = self.list()?;
        let same = listing
            .checkpoints
            .iter()
            .find(|stored| stored.manifest.content_sha256() == manifest.content_sha256());
        Ok(same.map(|stored| stored.manifest.id().clone()))
    }
}
