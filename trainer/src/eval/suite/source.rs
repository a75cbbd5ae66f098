//! Files, folders and what is packed.

use std::cell::Cell;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::Suite;
use super::error::SuiteError;

/// The longest row, in bytes, as that of our own files.
pub(super) const LONGEST_ROW: u64 = 32 << 20;

/// The first bytes of what can be told by them.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const PARQUET: &[u8] = b"PAR1";

/// A file, as it lies on the disk.
pub(super) struct Source<'p> {
    pub(super) path: &'p Path,
    bytes: Vec<u8>,
}

impl<'p> Source<'p> {
    fn open(path: &'p Path) -> Result<Self, SuiteError> {
        let bytes = fs::read(path).map_err(|reason| file(path, reason))?;
        Ok(Self { path, bytes })
    }

    /// Its text, unpacked where its name or its first bytes say that it is packed.
    pub(super) fn text(&self) -> Result<Box<dyn BufRead + '_>, SuiteError> {
        let bytes = &self.bytes[..];
        let named = |ending: &str| self.path.extension().is_some_and(|end| end == ending);
        Ok(if named("gz") || bytes.starts_with(GZIP) {
            Box::new(BufReader::new(MultiGzDecoder::new(bytes)))
        } else if named("zst") || bytes.starts_with(ZSTD) {
            let decoder = zstd::Decoder::with_buffer(bytes);
            Box::new(BufReader::new(
                decoder.map_err(|reason| file(self.path, reason))?,
            ))
        } else {
            Box::new(bytes)
        })
    }
}

/// The error of a file.
pub(super) fn file(path: &Path, reason: io::Error) -> SuiteError {
    let path = path.to_owned();
    SuiteError::File { path, reason }
}

/// Reads files one after the other; returns the SHA-256 of their bytes.
pub(super) fn read_all(
    files: &[PathBuf],
    mut read: impl FnMut(&Source) -> Result<(), SuiteError>,
) -> Result<String, SuiteError> {
    let mut hasher = Sha256::new();
    for path in files {
        let source = Source::open(path)?;
        hasher.update(&source.bytes);
        if source.bytes.starts_with(PARQUET) {
            return Err(parquet(path));
        }
        read(&source)?;
    }
    Ok(hex::encode(hasher.finalize()))
}

/// The files that are named, and those of the folders that are named.
pub(super) fn files(suite: Suite, data: &[PathBuf]) -> Result<Vec<PathBuf>, SuiteError> {
    let mut files = Vec::new();
    for path in data {
        match path.is_dir() {
            true => files.extend(files_of(suite, path)?),
            false => files.push(path.clone()),
        }
    }
    match files.iter().find(|path| is_parquet(path)) {
        Some(path) => Err(parquet(path)),
        None => Ok(files),
    }
}

fn files_of(suite: Suite, folder: &Path) -> Result<Vec<PathBuf>, SuiteError> {
    let entries = fs::read_dir(folder).map_err(|reason| file(folder, reason))?;
    let paths: io::Result<Vec<PathBuf>> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let mut paths = paths.map_err(|reason| file(folder, reason))?;
    paths.sort();
    let known: Vec<PathBuf> = paths
        .iter()
        .filter(|path| is_known(suite, path))
        .cloned()
        .collect();
    if !known.is_empty() {
        return Ok(known);
    }
    if let Some(path) = paths.iter().find(|path| is_parquet(path)) {
        return Err(parquet(path));
    }
    let endings = suite.endings().join("` or `.");
    Err(SuiteError::Data {
        path: folder.to_owned(),
        expected: format!("files of `{suite}` that end in `.{endings}` (with `.gz` or `.zst`)"),
        found: format!("{} entries of other names", paths.len()),
        advice: "name the file itself".to_owned(),
    })
}

fn is_known(suite: Suite, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let packed = [".gz", ".zst"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let ending = packed.unwrap_or(&name).rsplit_once('.');
    let known = ending.is_some_and(|(_, ending)| suite.endings().contains(&ending));
    known && !name.starts_with('.') && path.is_file()
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "parquet")
}

fn parquet(path: &Path) -> SuiteError {
    let name = path.display();
    let plain = path.with_extension("jsonl");
    let plain = plain.display();
    SuiteError::Data {
        path: path.to_owned(),
        expected: "JSON lines".to_owned(),
        found: "Parquet".to_owned(),
        advice: format!(
            "convert it: python3 -c \"import pandas; pandas.read_parquet('{name}').to_json('{plain}', \
             orient='records', lines=True)\""
        ),
    }
}

/// Gives no more than a number of bytes until it is filled again: no record is read without end.
pub(super) struct Bounded<'c, R> {
    pub(super) inner: R,
    pub(super) left: &'c Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left.set(self.left.get().saturating_sub(read as u64));
        match self.left.get() {
            0 => Err(io::Error::other("too long")),
            _ => Ok(read),
        }
    }
}
