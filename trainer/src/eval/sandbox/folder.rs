//! Folders on the host that are shown in the sandbox, and no one else's to read.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// How such folders are called, and the file in them that is locked.
const PREFIX: &str = "truefill-sandbox-";
const LOCK: &str = "lock";

/// A folder of the user's alone, and one in it that the sandbox's user may enter, whoever that is and
/// whatever this process's mask of permissions: root shows the inner one to nobody. Both go away with this.
#[derive(Debug)]
pub(in crate::eval) struct PrivateFolder {
    inner: PathBuf,
    _outer: TempDir,
    /// Locked while this is there.
    _lock: File,
}

impl PrivateFolder {
    /// A new one, its inner folder empty and called `name`.
    pub(in crate::eval) fn new(name: &str) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix(PREFIX);
        #[cfg(unix)]
        let builder = {
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(fs::Permissions::from_mode(0o700))
        };
        let outer = builder.tempdir()?;
        let begun = outer.path().join("begun");
        let lock = File::create(&begun)?;
        lock.lock()?;
        // Who finds the name finds it locked.
        fs::rename(&begun, outer.path().join(LOCK))?;
        let inner = outer.path().join(name);
        new_folder(&inner)?;
        Ok(Self {
            inner,
            _outer: outer,
            _lock: lock,
        })
    }

    /// The inner folder.
    pub(in crate::eval) fn path(&self) -> &Path {
        &self.inner
    }
}

/// A run that was killed leaves its folders in `folder` behind; the next one removes them.
pub(in crate::eval) fn remove_left_behind(folder: &Path) {
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

/// A folder that the sandbox's user may enter.
pub(in crate::eval) fn new_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Lets the sandbox's user read a file, and run it where it is a program.
#[cfg(unix)]
pub(in crate::eval) fn readable(file: &File, runs: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if runs { 0o755 } else { 0o644 };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(in crate::eval) fn readable(_: &File, _: bool) -> io::Result<()> {
    Ok(())
}
