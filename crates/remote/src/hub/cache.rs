//! The hub's own cache, as its tools lay it out; it is read and never written.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::listing::is_commit;
use super::{HubReference, Listing, RepoFile};
use crate::download::{Downloaded, Progress};

/// One repository's folder of the cache.
pub(super) struct HubCache {
    folder: PathBuf,
    revision: String,
}

impl HubCache {
    pub(super) fn new(root: &Path, reference: &HubReference) -> Self {
        let name = format!("models--{}--{}", reference.owner, reference.repo);
        Self {
            folder: root.join(name),
            revision: reference.revision().to_owned(),
        }
    }

    /// What the cache holds of the revision: the files directly in the snapshot's folder.
    pub(super) fn listing(&self) -> Option<Listing> {
        let commit = self.commit()?;
        let folder = self.folder.join("snapshots").join(&commit);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            // Through the link: the snapshot's names point to where the contents lie.
            let metadata = std::fs::metadata(entry.path()).ok()?;
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                files.push(RepoFile {
                    name,
                    bytes: Some(metadata.len()),
                    sha256: None,
                });
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Listing { commit, files })
    }

    fn commit(&self) -> Option<String> {
        if is_commit(&self.revision) && self.revision.len() == 40 {
            return Some(self.revision.clone());
        }
        let text = std::fs::read_to_string(self.folder.join("refs").join(&self.revision)).ok()?;
        Some(text.trim().to_owned()).filter(|text| is_commit(text))
    }

    pub(super) fn find(&self, commit: &str, name: &str) -> Option<PathBuf> {
        let path = self.folder.join("snapshots").join(commit).join(name);
        path.is_file().then_some(path)
    }

    /// Copies a file out of the cache if it is there and is what the hub says; else nothing is
    /// left at `to`.
    pub(super) async fn copy(
        &self,
        commit: &str,
        file: &RepoFile,
        to: &Path,
        progress: Progress<'_>,
    ) -> Option<Downloaded> {
        let from = self.find(commit, &file.name)?;
        let (bytes, sha256) = copy_hashed(&from, to, file.bytes, progress).await.ok()?;
        let same = file.bytes.is_none_or(|expected| expected == bytes)
            && file
                .sha256
                .as_ref()
                .is_none_or(|expected| *expected == sha256);
        if !same {
            let _ = tokio::fs::remove_file(to).await;
            return None;
        }
        Some(Downloaded {
            path: to.to_owned(),
            bytes,
            sha256,
        })
    }
}

async fn copy_hashed(
    from: &Path,
    to: &Path,
    total: Option<u64>,
    progress: Progress<'_>,
) -> std::io::Result<(u64, String)> {
    let mut source = tokio::fs::File::open(from).await?;
    let mut target = tokio::fs::File::create(to).await?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let count = source.read(&mut buffer).await?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        target.write_all(chunk).await?;
        hasher.update(chunk);
        bytes += count as u64;
        progress(bytes, total);
    }
    target.flush().await?;
    Ok((bytes, hex::encode(hasher.finalize())))
}
