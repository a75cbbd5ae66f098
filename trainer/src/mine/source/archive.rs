//! Packed repositories. They come from strangers: nothing is unpacked to the disk, the number of
//! entries and the unpacked bytes are limited, and an archive whose entries lead out of it is
//! refused as a whole.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::limited::{Allowance, Limited};
use super::{Entry, Format, SourceError, Visit};
use crate::mine::packages::GEM_METADATA;
use crate::mine::recipe::Limits;

/// The longest description of a gem, in bytes.
const LONGEST_METADATA: u64 = 1 << 20;

pub(super) fn visit(
    path: &Path,
    format: Format,
    limits: &Limits,
    visit: &mut Visit<'_>,
) -> Result<(), SourceError> {
    let allowance = Allowance::new(limits.bytes);
    let mut opened = Opened {
        path,
        gem: path.extension().is_some_and(|end| end == "gem"),
        limits,
        allowance: &allowance,
        entries: 0,
        visit,
    };
    let file = File::open(path).map_err(|error| opened.wrong(error))?;
    let file = BufReader::with_capacity(1 << 16, file);
    match format {
        Format::TarGz => opened.tar(MultiGzDecoder::new(file)),
        Format::Tar => opened.tar(file),
        Format::Zip => opened.zip(file),
    }
}

struct Opened<'a, 'v> {
    path: &'a Path,
    /// Another archive in it is opened; one, not one in that.
    gem: bool,
    limits: &'a Limits,
    allowance: &'a Allowance,
    entries: u64,
    visit: &'a mut Visit<'v>,
}

impl Opened<'_, '_> {
    fn wrong(&self, reason: std::io::Error) -> SourceError {
        SourceError::File {
            path: self.path.to_owned(),
            reason,
        }
    }

    fn count(&mut self) -> Result<(), SourceError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(SourceError::Entries {
                path: self.path.to_owned(),
                limit: self.limits.entries,
            });
        }
        Ok(())
    }

    /// The entry's path, if it stays inside.
    fn inside(&self, name: &str) -> Result<String, SourceError> {
        let name = name.replace('\\', "/");
        let drive = name.as_bytes().get(1) == Some(&b':');
        let out = name.starts_with('/')
            || drive
            || name.contains('\0')
            || name.split('/').any(|part| part == "..");
        if out {
            return Err(SourceError::Path {
                path: self.path.to_owned(),
                entry: name,
            });
        }
        let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
        Ok(parts.collect::<Vec<_>>().join("/"))
    }

    fn tar(&mut self, reader: impl Read) -> Result<(), SourceError> {
        let allowance = self.allowance;
        allowance.inside(false);
        let mut archive = tar::Archive::new(Limited {
            inner: reader,
            allowance,
        });
        let entries = archive.entries().map_err(|error| self.wrong(error))?;
        for entry in entries {
            let mut entry = entry.map_err(|error| self.wrong(error))?;
            self.count()?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let path = self.inside(&name)?;
            // Links, folders and devices have no content of their own.
            let is_file = entry.header().entry_type().is_file();
            allowance.inside(true);
            if is_file {
                self.tar_file(&path, &mut entry)?;
            }
            // What was not read is skipped here, not by the archive's reader.
            std::io::copy(&mut entry, &mut std::io::sink()).map_err(|error| self.wrong(error))?;
            allowance.inside(false);
        }
        Ok(())
    }

    fn tar_file<R: Read>(
        &mut self,
        path: &str,
        entry: &mut tar::Entry<'_, R>,
    ) -> Result<(), SourceError> {
        match path {
            "data.tar.gz" if self.gem => self.inner_tar(entry),
            "metadata.gz" if self.gem => {
                let mut reader = MultiGzDecoder::new(entry).take(LONGEST_METADATA);
                self.give(GEM_METADATA, LONGEST_METADATA, &mut reader)
            }
            _ => {
                let bytes = entry.size();
                self.give(path, bytes, entry)
            }
        }
    }

    /// A gem's files. The type is erased: a tar in a tar in a tar is not followed.
    fn inner_tar(&mut self, reader: &mut dyn Read) -> Result<(), SourceError> {
        let mut inner = Opened {
            path: self.path,
            gem: false,
            limits: self.limits,
            allowance: self.allowance,
            entries: self.entries,
            visit: &mut *self.visit,
        };
        let result = inner.tar(MultiGzDecoder::new(reader));
        self.entries = inner.entries;
        self.allowance.inside(true);
        result
    }

    fn zip(&mut self, file: BufReader<File>) -> Result<(), SourceError> {
        self.allowance.inside(true);
        let broken = |error: zip::result::ZipError| std::io::Error::other(error);
        let mut archive = zip::ZipArchive::new(file).map_err(|error| self.wrong(broken(error)))?;
        for number in 0..archive.len() {
            self.count()?;
            let mut entry = archive
                .by_index(number)
                .map_err(|error| self.wrong(broken(error)))?;
            let name = entry.name().map_err(|error| self.wrong(broken(error)))?;
            let path = self.inside(&name)?;
            if entry.is_dir() || entry.is_symlink() {
                continue;
            }
            let bytes = entry.size();
            let mut reader = Limited {
                inner: &mut entry,
                allowance: self.allowance,
            };
            self.give(&path, bytes, &mut reader)?;
        }
        Ok(())
    }

    fn give(&mut self, path: &str, bytes: u64, reader: &mut dyn Read) -> Result<(), SourceError> {
        let entry = Entry {
            path,
            bytes,
            reader,
        };
        (self.visit)(entry).map_err(|error| self.wrong(error))
    }
}
