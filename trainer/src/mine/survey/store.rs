//! What the first reading found, one file on the disk for each source, so that a run that was
//! killed goes on where it stopped.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::FileRow;
use crate::dedup::minhash::Signature;
use crate::mine::packages::Project;
use crate::rows::{RowReader, RowWriter};

/// A row on the disk: the repository, then its files.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Row {
    Repository(Box<Repository>),
    File(FileRow),
}

/// What is known of a source after the first reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// What rows call the repository that it is from; several sources may be from one.
    #[serde(default)]
    pub name: String,
    /// Why it could not be read to its end; its files are not counted then.
    pub broken: Option<String>,
    /// What it declares.
    pub project: Project,
    /// The folder around everything, as archives of releases have one; not part of rows' paths.
    pub root: Option<String>,
    /// SHA-256 of the archive, or over the paths and hashes of a folder's files, in hex.
    pub sha256: String,
}

/// A source that has been read.
pub struct Finished {
    /// What it declares.
    pub repository: Repository,
    /// Its files in the languages.
    pub files: Vec<FileRow>,
}

/// The folder of the first reading's files.
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens the folder, which is made with the first file.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn path(&self, source: usize) -> PathBuf {
        self.folder.join(format!("survey-{source:06}.jsonl.zst"))
    }

    /// The source has been read.
    pub fn has(&self, source: usize) -> bool {
        self.path(source).exists()
    }

    /// Keeps a source's files.
    pub fn write(&self, source: usize, finished: &Finished) -> Result<()> {
        let mut writer = RowWriter::create(&self.path(source))?;
        let repository = Box::new(finished.repository.clone());
        writer.write(&Row::Repository(repository))?;
        for file in &finished.files {
            writer.write(&Row::File(file.clone()))?;
        }
        writer.finish()?;
        Ok(())
    }

    /// A source's repository alone.
    pub fn repository(&self, source: usize) -> Result<Repository> {
        match self.open(source)?.next().transpose()? {
            Some(Row::Repository(repository)) => Ok(*repository),
            _ => anyhow::bail!(
                "{}: expected the source's repository in the first row; delete the folder to begin anew",
                self.path(source).display()
            ),
        }
    }

    /// A source with its files.
    pub fn read(&self, source: usize) -> Result<Finished> {
        let repository = self.repository(source)?;
        let mut files = Vec::new();
        for row in self.open(source)? {
            if let Row::File(file) = row? {
                files.push(file);
            }
        }
        Ok(Finished { repository, files })
    }

    fn open(&self, source: usize) -> Result<RowReader<Row>> {
        RowReader::open(&self.path(source), "survey").context("the first reading's file")
    }
}

/// Signatures are written in hex.
pub(super) mod signature {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::Signature;
    use crate::dedup::minhash::BINS;

    pub fn serialize<S: Serializer>(
        signature: &Option<Box<Signature>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let hex = signature.as_ref().map(|signature| {
            let bytes: Vec<u8> = signature
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            hex::encode(bytes)
        });
        hex.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Box<Signature>>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let bytes = hex::decode(text).map_err(D::Error::custom)?;
        if bytes.len() != 2 * BINS {
            return Err(D::Error::custom("expected a signature of 512 bytes"));
        }
        let mut signature = Box::new([0; BINS]);
        for (value, pair) in signature.iter_mut().zip(bytes.chunks_exact(2)) {
            *value = u16::from_le_bytes([pair[0], pair[1]]);
        }
        Ok(Some(signature))
    }
}
