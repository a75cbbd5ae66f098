//! The checkpoint store: where models and adapters lie, and which of them are served.
//!
//! ```text
//! <root>/
//!   checkpoints/<id>/manifest.json   what the checkpoint is; never changes
//!   checkpoints/<id>/<files>         weights, tokenizer, configuration
//!   checkpoints/<id>/evidence/       evaluation results, added later
//!   serving.json                     arms, salt and generation
//!   aliases.json                     names of checkpoints, such as `default`
//!   leases/                          what running processes use
//!   staging/                         installs under way
//!   store.lock                       held by whoever writes
//! ```
//!
//! Every write is made under a temporary name, flushed, renamed into place, and the folder
//! flushed, so that a reader sees the complete old state or the complete new one. Aliases have
//! a file of their own because naming a checkpoint changes nothing that is served: it must not
//! move the generation that servers watch and trainers compare.
//!
//! Nothing here opens a socket, and nothing trusts what it reads: names that would leave the
//! store, oversized files and unknown keys are refused.

mod aliases;
mod disk;
mod error;
mod evidence;
mod install;
mod lease;
mod manifest;
mod names;
mod paths;
mod prune;
mod resolve;
mod serving;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use disk::{Disk, RealDisk};
pub use error::StoreError;
pub use install::{Installed, Staging};
pub use lease::Lease;
pub use manifest::{Draft, FileEntry, FormatName, Kind, Manifest};
pub use names::{Alias, CheckpointId, FileName, Sha256Hex, slug};
pub use paths::{NoHome, Paths};
pub use prune::{Kept, PruneReport};
pub use resolve::Resolved;
pub use serving::{Arm, Past, Serving, Unit};
pub use verify::{FileCheck, Found, Verification};

use error::io_error;

/// The store's result.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A checkpoint store on disk. Cheap to clone; several processes may use one store.
#[derive(Clone)]
pub struct Store {
    root: PathBuf,
    disk: Arc<dyn Disk>,
}

/// A checkpoint of the store: its folder and what its manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where its files lie.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

/// What a listing found: the readable checkpoints, and the folders that are not.
#[derive(Debug, Default)]
pub struct Listing {
    /// By id.
    pub checkpoints: Vec<Stored>,
    /// Folders under `checkpoints/` whose manifest is missing or refused.
    pub damaged: Vec<StoreError>,
}

impl Store {
    /// Opens the store under `root`, creating its folders where they are missing.
    ///
    /// # Errors
    /// Where a folder cannot be created.
    pub fn open(root: &Path) -> Result<Self> {
        Self::with_disk(root, Arc::new(RealDisk))
    }

    /// As [`Store::open`], with the operations that make writes durable given by the caller.
    ///
    /// # Errors
    /// Where a folder cannot be created.
    pub fn with_disk(root: &Path, disk: Arc<dyn Disk>) -> Result<Self> {
        let store = Self {
            root: root.to_owned(),
            disk,
        };
        for folder in [store.checkpoints(), store.staging(), store.leases()] {
            std::fs::create_dir_all(&folder).map_err(|e| io_error(&folder, "create", e))?;
        }
        Ok(store)
    }

    /// The folder that the store was opened at.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a checkpoint, whether or not it is installed.
    pub fn folder(&self, id: &CheckpointId) -> PathBuf {
        self.checkpoints().join(id.as_str())
    }

    /// Whether a checkpoint is installed. An install is atomic, so that its manifest's
    /// presence tells.
    pub fn contains(&self, id: &CheckpointId) -> bool {
        self.folder(id).join(manifest::FILE).is_file()
    }

    /// Reads a checkpoint's manifest.
    ///
    /// # Errors
    /// Where it is not installed, or its manifest is refused.
    pub fn get(&self, id: &CheckpointId) -> Result<Stored> {
        if !self.contains(id) {
            return Err(StoreError::Unknown {
                wanted: id.to_string(),
                known: self.known(),
            });
        }
        let folder = self.folder(id);
        let manifest = Manifest::read(&folder)?;
        if manifest.id() != id {
            return Err(StoreError::Refused {
                path: folder.join(manifest::FILE),
                problem: format!("expected the id `{id}`, found `{}`", manifest.id()),
            });
        }
        Ok(Stored { folder, manifest })
    }

    /// All checkpoints, by id, and what could not be read.
    ///
    /// # Errors
    /// Where the folder cannot be listed.
    pub fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        for name in entries(&self.checkpoints())? {
            match name.parse::<CheckpointId>() {
                Ok(id) => match self.get(&id) {
                    Ok(stored) => listing.checkpoints.push(stored),
                    Err(error) => listing.damaged.push(error),
                },
                Err(problem) => listing.damaged.push(StoreError::Refused {
                    path: self.checkpoints().join(&name),
                    problem,
                }),
            }
        }
        Ok(listing)
    }

    /// Ids of what is installed, for messages; empty where that cannot be told.
    fn known(&self) -> Vec<String> {
        entries(&self.checkpoints()).unwrap_or_default()
    }

    fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    /// Waits for, and holds, the right to write: installs, removals, leases, `serving.json`
    /// and `aliases.json` change only under it.
    fn lock(&self) -> Result<std::fs::File> {
        disk::lock_file(&self.root.join("store.lock"))
    }
}

/// Names in a folder, sorted; names that are not UTF-8 are shown with replacements and refused
/// by whoever parses them.
fn entries(folder: &Path) -> Result<Vec<String>> {
    let read = std::fs::read_dir(folder).map_err(|e| io_error(folder, "list", e))?;
    let mut names = Vec::new();
    for entry in read {
        let entry = entry.map_err(|e| io_error(folder, "list", e))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
