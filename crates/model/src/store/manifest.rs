//! What a checkpoint says about itself, once and for all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::error::StoreError;
use super::{CheckpointId, FileName, Result, Sha256Hex, disk};

pub(super) const FILE: &str = "manifest.json";
const VERSION: u32 = 1;
/// Largest manifest, in bytes.
const LIMIT: u64 = 1 << 20;
/// Most files of a checkpoint.
const FILES_LIMIT: usize = 4096;
/// Longest free text, in bytes.
const TEXT_LIMIT: usize = 1000;

/// Whether a checkpoint stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// All weights.
    Full,
    /// Low-rank changes to the weights of its base.
    Adapter,
}

/// A FIM format and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatName {
    /// Such as `causal`.
    pub name: String,
    /// Rises whenever the rendered tokens change.
    pub version: u32,
}

/// One file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name in the checkpoint's folder.
    pub name: FileName,
    /// Its length.
    pub bytes: u64,
    /// Its hash.
    pub sha256: Sha256Hex,
}

/// What the installer says about a checkpoint; the store adds the files and the id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The readable part of the id, see [`super::slug`].
    pub name: String,
    /// All weights, or changes to a base.
    pub kind: Kind,
    /// The checkpoint that training started from.
    pub parent: Option<CheckpointId>,
    /// The checkpoint whose weights an adapter changes.
    pub base: Option<CheckpointId>,
    /// Such as `llama`.
    pub architecture: String,
    /// The FIM format that the checkpoint is prompted with.
    pub format: FormatName,
    /// The token that ends its answers, by its spelling, where it is not the format's: it answers
    /// instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// The tokenizer's hash, as the tokenizer itself tells it.
    pub tokenizer_sha256: Sha256Hex,
    /// The training recipe's hash.
    pub recipe_sha256: Option<Sha256Hex>,
    /// Hashes of the training data, by file name.
    #[serde(default)]
    pub data_sha256: BTreeMap<String, Sha256Hex>,
    /// Where it came from: a file, a hub's repository and revision, a training run.
    pub source: String,
    /// When it was made, in seconds since 1970 UTC.
    pub created: u64,
}

impl Draft {
    /// A full model of which nothing more is known.
    pub fn full(
        name: &str,
        source: &str,
        architecture: &str,
        format: FormatName,
        tokenizer_sha256: Sha256Hex,
    ) -> Self {
        Self {
            name: name.to_owned(),
            kind: Kind::Full,
            parent: None,
            base: None,
            architecture: architecture.to_owned(),
            format,
            end: None,
            tokenizer_sha256,
            recipe_sha256: None,
            data_sha256: BTreeMap::new(),
            source: source.to_owned(),
            created: 0,
        }
    }
}

impl FormatName {
    /// A format's name with a version.
    pub fn new(name: &str, version: u32) -> Self {
        Self {
            name: name.to_owned(),
            version,
        }
    }
}

/// A checkpoint's manifest. It is checked when it is read and cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    id: CheckpointId,
    content_sha256: Sha256Hex,
    about: Draft,
    files: Vec<FileEntry>,
}

/// What the id depends on: everything that changes what is served, and nothing else, so that the
/// same model from two places is one checkpoint. The tokenizer's hash is not in it: the files
/// determine it, and how it is computed may change with a release of this program.
#[derive(Serialize)]
struct Content<'a> {
    kind: Kind,
    base: Option<&'a CheckpointId>,
    architecture: &'a str,
    format: &'a FormatName,
    files: &'a [FileEntry],
}

impl Manifest {
    /// Makes the manifest of these files, sorting them and deriving the id.
    pub(super) fn new(about: Draft, mut files: Vec<FileEntry>) -> Result<Self> {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let content_sha256 = content_hash(&about, &files)?;
        let id = CheckpointId::new(&super::slug(&about.name), &content_sha256)
            .map_err(StoreError::Invalid)?;
        let manifest = Self {
            version: VERSION,
            id,
            content_sha256,
            about,
            files,
        };
        manifest.check().map_err(StoreError::Invalid)?;
        Ok(manifest)
    }

    /// Reads `manifest.json` in a checkpoint's folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = disk::read_limited(&path, LIMIT)?;
        let manifest: Self = disk::parse(&path, &bytes, VERSION)?;
        manifest
            .check()
            .map_err(|problem| StoreError::Refused { path, problem })?;
        Ok(manifest)
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let bytes = disk::to_json(self)?;
        if bytes.len() as u64 > LIMIT {
            return Err(StoreError::Invalid(format!(
                "expected a manifest of at most {LIMIT} bytes, found {}",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// Its id.
    pub fn id(&self) -> &CheckpointId {
        &self.id
    }

    /// The hash that the id is derived from.
    pub fn content_sha256(&self) -> &Sha256Hex {
        &self.content_sha256
    }

    /// What the installer said.
    pub fn about(&self) -> &Draft {
        &self.about
    }

    /// Its files, by name.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Length of all files together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    fn check(&self) -> Result<(), String> {
        let about = &self.about;
        match (about.kind, &about.base) {
            (Kind::Full, Some(base)) => {
                return Err(format!("expected no base of a full model, found `{base}`"));
            }
            (Kind::Adapter, None) => {
                return Err("expected the base of an adapter, found none".into());
            }
            _ => {}
        }
        if self.files.is_empty() || self.files.len() > FILES_LIMIT {
            let count = self.files.len();
            return Err(format!("expected 1 to {FILES_LIMIT} files, found {count}"));
        }
        check_distinct(&self.files)?;
        for (what, text) in [
            ("name", &about.name),
            ("architecture", &about.architecture),
            ("format", &about.format.name),
            ("source", &about.source),
        ] {
            if text.is_empty() || text.len() > TEXT_LIMIT {
                return Err(format!(
                    "expected 1 to {TEXT_LIMIT} bytes of {what}, found {}",
                    text.len()
                ));
            }
        }
        let content = content_hash(about, &self.files).map_err(|error| error.to_string())?;
        if content != self.content_sha256 || !self.id.names(&content) {
            return Err(format!(
                "expected the content hash {content} and an id that ends with it, found {} and \
                 `{}`; the manifest was changed",
                self.content_sha256, self.id
            ));
        }
        Ok(())
    }
}

/// File systems that ignore case must hold the same files.
fn check_distinct(files: &[FileEntry]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for file in files {
        if !seen.insert(file.name.as_str().to_ascii_lowercase()) {
            return Err(format!(
                "expected each file once, found `{}` again",
                file.name
            ));
        }
    }
    Ok(())
}

fn content_hash(about: &Draft, files: &[FileEntry]) -> Result<Sha256Hex> {
    let content = Content {
        kind: about.kind,
        base: about.base.as_ref(),
        architecture: &about.architecture,
        format: &about.format,
        files,
    };
    let bytes = serde_json::to_vec(&content)
        .map_err(|error| StoreError::Invalid(format!("cannot be written as JSON: {error}")))?;
    Ok(Sha256Hex::from_digest(&sha2::Sha256::digest(&bytes)))
}
