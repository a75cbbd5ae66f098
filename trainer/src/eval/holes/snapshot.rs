//! The repository as it is now, copied once: what is tested does not change while somebody works on it.

use std::fs::{self, File, FileType};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ignore::{DirEntry, WalkBuilder};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Bytes of one file, and of all: a copy lies in memory while it is tested.
const LARGEST: u64 = 512 << 20;
const MOST: u64 = 2 << 30;
/// How copies' folders are called, and the file in them that is locked.
const PREFIX: &str = "truefill-holes-";
const LOCK: &str = "lock";
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
    _folder: TempDir,
    /// Locked while this is there.
    _lock: File,
}

impl Snapshot {
    /// Copies what git does not ignore, hidden files too; `.git` and what is mounted are no part of it.
    pub(super) fn take(repository: &Path, mounted: Vec<PathBuf>) -> Result<Self> {
        // Others may not read it; a sandbox that root opens is shown the folder inside.
        remove_left_behind(&std::env::temp_dir());
        let (folder, lock) =
            private().context("a temporary folder for the copy of the repository")?;
        let root = folder.path().join("copy");
        let mut copy = Copy {
            to: root.clone(),
            hasher: Sha256::new(),
            left: MOST,
            left_out: Vec::new(),
        };
        new_folder(&root).with_context(|| format!("{}: not made", root.display()))?;
        let walk = WalkBuilder::new(repository)
            .standard_filters(false)
            .parents(true)
            .git_ignore(true)
            .require_git(false)
            .follow_links(false)
            .sort_by_file_path(Path::cmp)
            .filter_entry(move |entry| {
                entry.file_name() != ".git" && !mounted.iter().any(|path| path == entry.path())
            })
            .build();
        for entry in walk {
            match entry {
                Ok(entry) => copy.entry(repository, &entry)?,
                Err(error) => copy.left_out.push(error.to_string()),
            }
        }
        Ok(Self {
            root,
            sha256: hex::encode(copy.hasher.finalize()),
            left_out: copy.left_out,
            _folder: folder,
            _lock: lock,
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

struct Copy {
    to: PathBuf,
    hasher: Sha256,
    /// Bytes that may still come.
    left: u64,
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
        if self.left == 0 {
            bail!(
                "{}: expected at most {} GiB of files that git does not ignore, found more; let git ignore what \
                 the tests do not need, and name with `--mount` what they only read",
                repository.display(),
                MOST >> 30
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
        if bytes > LARGEST {
            let most = LARGEST >> 20;
            return Err(io::Error::other(format!(
                "{bytes} bytes, more than {most} MiB"
            )));
        }
        if bytes >= self.left {
            self.left = 0;
            return Err(io::Error::other("too much"));
        }
        let mut from = File::open(path)?;
        let runs = is_executable(&from)?;
        let mut copy = File::create(to)?;
        let mut own = Sha256::new();
        let mut chunk = vec![0; 64 << 10];
        // It may be growing.
        let mut left = self.left.min(LARGEST);
        loop {
            let read = from.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            left = left.saturating_sub(read as u64);
            if left == 0 {
                drop(copy);
                fs::remove_file(to)?;
                return Err(io::Error::other("it grows while it is read"));
            }
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

/// A new folder with a locked file in it.
fn private() -> io::Result<(TempDir, File)> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(PREFIX);
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o700))
    };
    let folder = builder.tempdir()?;
    let begun = folder.path().join("begun");
    let lock = File::create(&begun)?;
    lock.lock()?;
    // Who finds the name finds it locked.
    fs::rename(&begun, folder.path().join(LOCK))?;
    Ok((folder, lock))
}

/// A run that was killed leaves its copy behind; the next one removes it.
fn remove_left_behind(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !named || !is_dir {
            continue;
        }
        let lock = File::open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            // Where it cannot be removed it stays; nothing depends on it.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A folder that the sandbox's user may enter, whoever that is.
fn new_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
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

#[cfg(unix)]
fn readable(file: &File, runs: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if runs { 0o755 } else { 0o644 };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn readable(_: &File, _: bool) -> io::Result<()> {
    Ok(())
}
