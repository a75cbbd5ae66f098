//! Checking a checkpoint's files against its manifest.

use std::collections::BTreeSet;

use super::{
    CheckpointId, FileEntry, Result, Sha256Hex, Store, StoreError, Stored, disk, manifest,
};

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file of this length and hash.
    File {
        /// Its length.
        bytes: u64,
        /// Its hash.
        sha256: Sha256Hex,
    },
    /// Nothing.
    Missing,
    /// Something that cannot be read as a file.
    Unreadable(String),
}

/// One file of the manifest: what it should be, what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCheck {
    /// From the manifest.
    pub expected: FileEntry,
    /// On disk.
    pub found: Found,
}

impl FileCheck {
    /// Whether they agree.
    pub fn holds(&self) -> bool {
        matches!(&self.found, Found::File { bytes, sha256 }
            if *bytes == self.expected.bytes && *sha256 == self.expected.sha256)
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The checkpoint.
    pub id: CheckpointId,
    /// Each file of the manifest.
    pub files: Vec<FileCheck>,
    /// What lies in the folder and is not in the manifest.
    pub unlisted: Vec<String>,
}

impl Verification {
    /// Whether the checkpoint is what its manifest says, and nothing else lies beside it.
    pub fn holds(&self) -> bool {
        self.unlisted.is_empty() && self.files.iter().all(FileCheck::holds)
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { bytes, sha256 } => write!(f, "{bytes} bytes with SHA-256 {sha256}"),
            Self::Missing => f.write_str("no file"),
            Self::Unreadable(problem) => write!(f, "what cannot be read ({problem})"),
        }
    }
}

impl Store {
    /// As [`Store::get`], for who trusts the weights with hours of work: every file of the manifest
    /// is hashed again.
    ///
    /// # Errors
    /// As [`Store::get`]; the first file that is not what the manifest says.
    pub fn get_whole(&self, id: &CheckpointId) -> Result<Stored> {
        let stored = self.get(id)?;
        let files = self.verify(id, &mut |_| ())?.files;
        match files.into_iter().find(|file| !file.holds()) {
            None => Ok(stored),
            Some(FileCheck { expected, found }) => Err(StoreError::Refused {
                path: stored.folder.join(expected.name.as_str()),
                problem: format!(
                    "expected the {} bytes with SHA-256 {} that were stored, found {found}; bring the \
                     checkpoint into the store again, which repairs it",
                    expected.bytes, expected.sha256
                ),
            }),
        }
    }

    /// Hashes every file of a checkpoint again. `progress` is told the bytes of each file when it
    /// is done.
    ///
    /// # Errors
    /// Where the checkpoint is not installed or its manifest is refused; damage to files is in
    /// the result.
    pub fn verify(
        &self,
        id: &CheckpointId,
        progress: &mut dyn FnMut(&FileEntry),
    ) -> Result<Verification> {
        let stored = self.get(id)?;
        let mut files = Vec::new();
        for entry in stored.manifest.files() {
            let path = stored.folder.join(entry.name.as_str());
            let found = match disk::hash_file(&path) {
                Ok((bytes, sha256)) => Found::File { bytes, sha256 },
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::Missing,
                Err(error) => Found::Unreadable(error.to_string()),
            };
            progress(entry);
            files.push(FileCheck {
                expected: entry.clone(),
                found,
            });
        }
        let listed: BTreeSet<&str> = stored
            .manifest
            .files()
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        let unlisted = super::entries(&stored.folder)?
            .into_iter()
            .filter(|name| {
                name != manifest::FILE && name != "evidence" && !listed.contains(name.as_str())
            })
            .collect();
        Ok(Verification {
            id: id.clone(),
            files,
            unlisted,
        })
    }
}
