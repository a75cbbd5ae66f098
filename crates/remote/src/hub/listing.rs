//! What a repository holds.

use serde::Deserialize;

use super::reference::is_path;

/// Most files of a repository.
const FILES_LIMIT: usize = 100_000;

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoFile {
    /// Its path in the repository.
    pub name: String,
    /// Its length, where the hub tells.
    pub bytes: Option<u64>,
    /// Its hash in lower-case hexadecimal digits, which the hub tells of large files.
    pub sha256: Option<String>,
}

impl RepoFile {
    /// The last part of its path, the name that it gets on disk.
    pub fn base_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    pub(super) fn is_weights(&self) -> bool {
        self.name.ends_with(".gguf") || self.name.ends_with(".safetensors")
    }
}

/// The files of a repository at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) commit: String,
    pub(super) files: Vec<RepoFile>,
}

// The hub adds keys as it likes: only what is needed is looked at.
#[derive(Deserialize)]
struct Reply {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
}

impl Listing {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let reply: Reply = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if !is_commit(&reply.sha) {
            return Err(format!("expected a commit, found {:?}", reply.sha));
        }
        if reply.siblings.len() > FILES_LIMIT {
            return Err(format!(
                "expected at most {FILES_LIMIT} files, found {}",
                reply.siblings.len()
            ));
        }
        let file = |sibling: Sibling| {
            let sha256 = sibling
                .lfs
                .and_then(|lfs| lfs.sha256)
                .filter(|text| is_sha256(text));
            // A path that leaves the repository belongs to no model.
            is_path(&sibling.rfilename).then_some(RepoFile {
                name: sibling.rfilename,
                bytes: sibling.size,
                sha256,
            })
        };
        Ok(Self {
            commit: reply.sha,
            files: reply.siblings.into_iter().filter_map(file).collect(),
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<&RepoFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

pub(super) fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
