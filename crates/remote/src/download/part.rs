//! The bytes of a download that is not complete: `<name>.part`, and beside it in
//! `<name>.part.json` what they are the beginning of.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::DownloadError;

/// Largest state file, in bytes.
const STATE_LIMIT: u64 = 16 << 10;

/// What the server said about the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) total: Option<u64>,
    pub(super) validator: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    url: String,
    state: State,
}

pub(super) struct Part {
    file: File,
    path: PathBuf,
    state_path: PathBuf,
    url: String,
    state: State,
    bytes: u64,
    hasher: Sha256,
}

impl Part {
    /// Opens what is there for this address, or begins anew; nobody else may have it open.
    pub(super) async fn open(to: &Path, url: &str) -> Result<Self, DownloadError> {
        let path = beside(to, ".part");
        let state_path = beside(to, ".part.json");
        let file = open_alone(&path, &mut || ())?;
        let mut part = Self {
            file: File::from_std(file),
            path,
            state: State::default(),
            url: url.to_owned(),
            bytes: 0,
            hasher: Sha256::new(),
            state_path,
        };
        match part.saved().await {
            Some(state) => {
                part.state = state;
                part.hash_what_is_there().await?;
            }
            None => part.restart().await?,
        }
        Ok(part)
    }

    /// The state, if it is of the same address and can be trusted to continue.
    async fn saved(&self) -> Option<State> {
        let mut text = String::new();
        let file = File::open(&self.state_path).await.ok()?;
        file.take(STATE_LIMIT)
            .read_to_string(&mut text)
            .await
            .ok()?;
        let saved: Saved = serde_json::from_str(&text).ok()?;
        (saved.url == self.url).then_some(saved.state)
    }

    async fn hash_what_is_there(&mut self) -> Result<(), DownloadError> {
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = self.file.read(&mut buffer).await;
            let count = count.map_err(|source| disk(&self.path, "read", source))?;
            let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else {
                return Ok(());
            };
            self.hasher.update(chunk);
            self.bytes += count as u64;
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn sha256(&self) -> String {
        hex::encode(self.hasher.clone().finalize())
    }

    /// Whether these are all bytes of the file, as far as the server has said: what a process
    /// leaves that ended before it gave them their name.
    pub(super) fn is_complete(&self) -> bool {
        self.state.total.is_some_and(|total| self.bytes == total)
    }

    /// What the server must still say about its file for these bytes to be its beginning;
    /// `None` where there are none or nothing could tell.
    pub(super) fn resumable(&self) -> Option<&str> {
        if self.bytes == 0 || self.state.total.is_some_and(|total| self.bytes >= total) {
            return None;
        }
        self.state.validator.as_deref()
    }

    /// Forgets the bytes.
    pub(super) async fn restart(&mut self) -> Result<(), DownloadError> {
        self.state = State::default();
        self.bytes = 0;
        self.hasher = Sha256::new();
        // Gone first: a state must never stand beside bytes of another version.
        let _ = tokio::fs::remove_file(&self.state_path).await;
        let emptied = async {
            if self.file.metadata().await?.len() > 0 {
                self.file.set_len(0).await?;
            }
            self.file.seek(SeekFrom::Start(0)).await
        };
        emptied
            .await
            .map(|_| ())
            .map_err(|source| disk(&self.path, "empty", source))
    }

    /// Keeps what the server said, for a later process.
    pub(super) async fn remember(&mut self, state: State) -> Result<(), DownloadError> {
        self.state = state.clone();
        let saved = Saved {
            url: self.url.clone(),
            state,
        };
        // A file cut short by a crash does not parse, and the download begins anew.
        let text = serde_json::to_vec(&saved).unwrap_or_default();
        tokio::fs::write(&self.state_path, text)
            .await
            .map_err(|source| disk(&self.state_path, "write", source))
    }

    pub(super) async fn append(&mut self, chunk: &[u8]) -> Result<(), DownloadError> {
        let written = async {
            self.file.write_all(chunk).await?;
            // Errors of the write itself are told at the flush.
            self.file.flush().await
        };
        if let Err(source) = written.await {
            // How much arrived is unknown: keep what is certain.
            let _ = self.file.set_len(self.bytes).await;
            let _ = self.file.seek(SeekFrom::Start(self.bytes)).await;
            return Err(disk(&self.path, "write", source));
        }
        self.hasher.update(chunk);
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    /// Flushes the bytes and gives them their name.
    pub(super) async fn finish(self, to: &Path) -> Result<(), DownloadError> {
        self.file
            .sync_all()
            .await
            .map_err(|source| disk(&self.path, "flush", source))?;
        tokio::fs::rename(&self.path, to)
            .await
            .map_err(|source| disk(to, "rename into place", source))?;
        let _ = tokio::fs::remove_file(&self.state_path).await;
        Ok(())
    }

    /// Removes the bytes, which are wrong.
    pub(super) async fn discard(self) {
        let _ = tokio::fs::remove_file(&self.state_path).await;
        let _ = tokio::fs::remove_file(&self.path).await;
    }
}

/// Opens a file and locks it. Between the two, whoever had it may have given it its name: the
/// handle would then be of the finished file. `opened` is called there, for tests.
fn open_alone(path: &Path, opened: &mut dyn FnMut()) -> Result<std::fs::File, DownloadError> {
    loop {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|source| disk(path, "open", source))?;
        opened();
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(DownloadError::Busy { path: path.into() });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(disk(path, "lock", source)),
        }
        if is_still_at(&file, path).map_err(|source| disk(path, "look at", source))? {
            return Ok(file);
        }
    }
}

/// Whether the path still leads to this file.
#[cfg(unix)]
fn is_still_at(file: &std::fs::File, path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((own.dev(), own.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere the name alone can be asked for.
#[cfg(not(unix))]
fn is_still_at(_file: &std::fs::File, path: &Path) -> std::io::Result<bool> {
    path.try_exists()
}

fn beside(to: &Path, ending: &str) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn disk(path: &Path, action: &'static str, reason: std::io::Error) -> DownloadError {
    DownloadError::Disk {
        path: path.to_owned(),
        action,
        reason,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_finished_while_it_was_opened_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (part, to) = (folder.path().join("x.part"), folder.path().join("x"));
        std::fs::write(&part, b"complete").unwrap();
        let mut times = 0;
        let file = open_alone(&part, &mut || {
            times += 1;
            if times == 1 {
                // The process that had it ends its work here.
                std::fs::rename(&part, &to).unwrap();
            }
        });
        file.unwrap().set_len(0).unwrap();
        assert_eq!(times, 2);
        assert_eq!(std::fs::read(&to).unwrap(), b"complete");
        assert_eq!(std::fs::read(&part).unwrap(), b"");
    }
}
