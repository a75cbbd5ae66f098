//! Putting a checkpoint into the store, all at once.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{StoreError, io_error};
use super::{
    CheckpointId, Disk, Draft, FileEntry, FileName, Manifest, Result, Store, disk, manifest,
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

    /// Copies a file in.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub fn copy(&self, name: &FileName, from: &Path) -> Result<()> {
        let to = self.folder.join(name.as_str());
        std::fs::copy(from, &to).map_err(|error| io_error(from, "copy into the store", error))?;
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
    /// if they are damaged there, they are replaced.
    ///
    /// # Errors
    /// Where the draft is not valid, a base is not installed, or the disk refuses; the store is
    /// then as it was.
    pub fn install(&self, staging: Staging, about: Draft) -> Result<Installed> {
        let manifest = Manifest::new(about, staging.hash()?)?;
        staging.seal(&manifest)?;
        let _guard = self.lock()?;
        if let Some(base) = &manifest.about().base {
            self.get(base)?;
        }
        if let Some(id) = self.same_content(&manifest)? {
            if !self.verify(&id, &mut |_| ())?.holds() {
                self.repair(&id, &staging, &manifest)?;
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

    /// Puts what was staged in the place of a damaged checkpoint with the same contents, under
    /// the id, the manifest and the evidence that it has.
    fn repair(&self, id: &CheckpointId, staging: &Staging, staged: &Manifest) -> Result<()> {
        let (folder, grave) = (self.folder(id), self.staging().join(disk::unique()));
        let swap = || {
            // Names differ where the checkpoint was installed under another one first.
            if staged.id() != id {
                let manifest = staging.folder().join(manifest::FILE);
                self.disk.remove(&manifest)?;
                std::fs::copy(folder.join(manifest::FILE), &manifest)?;
                self.disk.sync_file(&manifest)?;
            }
            if folder.join("evidence").is_dir() {
                self.disk
                    .rename(&folder.join("evidence"), &staging.folder().join("evidence"))?;
            }
            self.disk.sync_folder(staging.folder())?;
            self.disk.rename(&folder, &grave)?;
            self.disk.rename(staging.folder(), &folder)?;
            self.disk.sync_folder(&self.checkpoints())?;
            self.disk.remove(&grave)
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
