//! The repository as it is now, copied once: what is tested does not change while somebody works on it.

use std::fs::{self, File, FileType};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ignore::{DirEntry, Walk, WalkBuilder};
use sha2::{Digest, Sha256};

use crate::eval::sandbox::folder::{PrivateFolder, new_folder, readable, remove_left_behind};

/// Bytes at most: a copy lies in memory while it is tested.
#[derive(Clone, Copy)]
pub(super) struct Most {
    /// Of one file.
    pub(super) file: u64,
    /// Of all.
    pub(super) all: u64,
}

impl Most {
    /// What docs/eval.md says.
    pub(super) const USUAL: Self = Self {
        file: 512 << 20,
        all: 2 << 30,
    };
}

/// Things left out that are named.
const NAMED: usize = 3;

/// A copy that goes away with this.
pub(super) struct Snapshot {
    /// Where it is.
    pub(super) root: PathBuf,
    /// SHA-256 of its paths and contents.
    pub(super) sha256: String,
    /// What could not be copied, with the reason.
    left_out: Vec<String>,
    _folder: PrivateFolder,
}

impl Snapshot {
    /// Copies what git does not ignore, hidden files too; `.git` and what is mounted are no part of it.
    pub(super) fn take(repository: &Path, mounted: Vec<PathBuf>, most: Most) -> Result<Self> {
        remove_left_behind(&std::env::temp_dir());
        let folder = PrivateFolder::new("copy")
            .context("a temporary folder for the copy of the repository")?;
        let mut copy = Copy {
            to: folder.path().to_owned(),
            hasher: Sha256::new(),
            most,
            left: most.all,
            is_full: false,
            left_out: Vec::new(),
        };
        for entry in walk(repository, mounted) {
            match entry {
                Ok(entry) => copy.entry(repository, &entry)?,
                Err(error) => copy.left_out.push(error.to_string()),
            }
        }
        Ok(Self {
            root: copy.to,
            sha256: hex::encode(copy.hasher.finalize()),
            left_out: copy.left_out,
            _folder: folder,
        })
    }

    /// What is not in the copy, as a sentence.
    pub(super) fn left_out(&self) -> Option<String> {
        let named = self.left_out.iter().take(NAMED);
        let named: Vec<&str> = named.map(String::as_str).collect();
        let more = self.left_out.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        (!named.is_empty()).then(|| format!("not in the copy: {}{more}", named.join("; ")))
    }

    /// The same as the end of an error.
    pub(super) fn told(&self) -> String {
        let left_out = self.left_out();
        left_out.map_or_else(String::new, |sentence| format!("; {sentence}"))
    }
}

/// What git would: its rules up to the repository's root, those of the clone and of the user. A folder that
/// is in no repository has its own `.gitignore` files alone: what lies above it means something else.
fn walk(repository: &Path, mounted: Vec<PathBuf>) -> Walk {
    let is_git = repository
        .ancestors()
        .any(|folder| folder.join(".git").exists());
    WalkBuilder::new(repository)
        .standard_filters(false)
        .git_ignore(true)
        .require_git(is_git)
        .parents(is_git)
        .git_exclude(is_git)
        .git_global(is_git)
        .follow_links(false)
        .sort_by_file_path(Path::cmp)
        .filter_entry(move |entry| {
            entry.file_name() != ".git" && !mounted.iter().any(|path| path == entry.path())
        })
        .build()
}

struct Copy {
    to: PathBuf,
    hasher: Sha256,
    most: Most,
    /// Bytes that may still come.
    left: u64,
    /// More would have come.
    is_full: bool,
    left_out: Vec<String>,
}

impl Copy {
    fn entry(&mut self, repository: &Path, entry: &DirEntry) -> Result<()> {
        let path = entry.path();
        let Ok(inside) = path.strip_prefix(repository) else {
            return Ok(());
        };
        if inside.as_os_str().is_empty() {
            return Ok(());
        }
        let to = self.to.join(inside);
        let copied = match entry.file_type() {
            Some(kind) if kind.is_dir() => {
                new_folder(&to).map(|()| self.add("folder", inside, b""))
            }
            Some(kind) if kind.is_symlink() => self.link(path, inside, &to),
            Some(kind) if kind.is_file() => self.file(path, inside, &to),
            kind => Err(io::Error::other(format!("{} is no file", shown(kind)))),
        };
        match copied {
            Ok(()) => Ok(()),
            Err(error) if is_full(&error) => {
                Err(error).with_context(|| format!("{}: not copied", path.display()))
            }
            Err(error) => {
                self.left_out.push(format!("{}: {error}", inside.display()));
                self.check(repository)
            }
        }
    }

    /// What comes first to an end is told once, with the whole.
    fn check(&self, repository: &Path) -> Result<()> {
        if self.is_full {
            bail!(
                "{}: expected at most {} MiB of files that git does not ignore, found more; let git ignore what \
                 the tests do not need, and name with `--mount` what they only read",
                repository.display(),
                self.most.all >> 20
            );
        }
        Ok(())
    }

    fn link(&mut self, path: &Path, inside: &Path, to: &Path) -> io::Result<()> {
        let target = fs::read_link(path)?;
        #[cfg(unix)]
        std::os::unix::fs::symlink(&target, to)?;
        #[cfg(not(unix))]
        let _ = to;
        self.add("link", inside, target.as_os_str().as_encoded_bytes());
        Ok(())
    }

    fn file(&mut self, path: &Path, inside: &Path, to: &Path) -> io::Result<()> {
        let bytes = fs::symlink_metadata(path)?.len();
        if bytes > self.most.file {
            let most = self.most.file >> 20;
            return Err(io::Error::other(format!(
                "{bytes} bytes, more than {most} MiB"
            )));
        }
        if bytes > self.left {
            self.is_full = true;
            return Err(io::Error::other("too much"));
        }
        let mut from = File::open(path)?;
        let runs = is_executable(&from)?;
        let mut copy = File::create(to)?;
        let mut own = Sha256::new();
        let mut chunk = vec![0; 64 << 10];
        // It may be growing.
        let mut left = self.left.min(self.most.file);
        loop {
            let read = from.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            if read as u64 > left {
                drop(copy);
                fs::remove_file(to)?;
                return Err(io::Error::other("it grows while it is read"));
            }
            left -= read as u64;
            copy.write_all(&chunk[..read])?;
            own.update(&chunk[..read]);
            self.left = self.left.saturating_sub(read as u64);
        }
        readable(&copy, runs)?;
        let kind = if runs { "program" } else { "file" };
        self.add(kind, inside, &own.finalize());
        Ok(())
    }

    fn add(&mut self, kind: &str, inside: &Path, content: &[u8]) {
        for part in [
            kind.as_bytes(),
            inside.as_os_str().as_encoded_bytes(),
            content,
        ] {
            self.hasher.update((part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

fn shown(kind: Option<FileType>) -> String {
    kind.map_or_else(|| "it".to_owned(), |kind| format!("{kind:?}"))
}

#[cfg(unix)]
fn is_executable(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o100 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &File) -> io::Result<bool> {
    Ok(false)
}
