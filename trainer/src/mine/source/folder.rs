//! Clones and folders.

use std::fs::File;
use std::path::Path;

use ignore::{DirEntry, WalkBuilder};
use sha2::{Digest, Sha256};

use super::{Entry, Kind, Source, SourceError, Visit, stamp_file};

/// The files below a source, sorted, links aside. Of a clone, what it ignores is not in it; the
/// user's own ignore lists say nothing, so that every machine reads the same.
fn files(source: &Source) -> impl Iterator<Item = Result<DirEntry, ignore::Error>> {
    let clone = source.kind == Kind::Clone;
    WalkBuilder::new(&source.path)
        .standard_filters(false)
        .hidden(true)
        .git_ignore(clone)
        .follow_links(false)
        .sort_by_file_path(Path::cmp)
        .build()
        .filter(|entry| match entry {
            Ok(entry) => entry.file_type().is_some_and(|kind| kind.is_file()),
            Err(_) => true,
        })
}

pub(super) fn visit(source: &Source, visit: &mut Visit<'_>) -> Result<(), SourceError> {
    for entry in files(source) {
        let entry = entry.map_err(|error| SourceError::File {
            path: source.path.clone(),
            reason: std::io::Error::other(error),
        })?;
        let wrong = |error| SourceError::File {
            path: entry.path().to_owned(),
            reason: error,
        };
        let inside = entry.path().strip_prefix(&source.path);
        let path = inside
            .unwrap_or(entry.path())
            .to_string_lossy()
            .replace('\\', "/");
        let bytes = entry.metadata().map_or(0, |data| data.len());
        // Opened when it is read: most files are not.
        let mut reader = Lazy {
            path: entry.path(),
            file: None,
        };
        visit(Entry {
            path: &path,
            bytes,
            reader: &mut reader,
        })
        .map_err(wrong)?;
    }
    Ok(())
}

/// A file that is opened by the first read.
struct Lazy<'a> {
    path: &'a Path,
    file: Option<File>,
}

impl std::io::Read for Lazy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.file {
            Some(file) => file.read(buffer),
            empty => empty.insert(File::open(self.path)?).read(buffer),
        }
    }
}

pub(super) fn stamp(source: &Source, hasher: &mut Sha256) {
    for entry in files(source) {
        match entry {
            Ok(entry) => stamp_file(entry.path(), hasher),
            Err(error) => hasher.update(error.to_string().as_bytes()),
        }
    }
}
