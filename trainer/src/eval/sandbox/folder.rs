//! Folders on the host that are shown in the sandbox, and no one else's to read.

use std::fs::{self, File, Metadata};
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
    // Whom files belong to that this process makes here.
    let own = tempfile::tempfile_in(folder).and_then(|file| file.metadata());
    let Ok(own) = own.map(|own| owner(&own)) else {
        return;
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let path = entry.path();
        if !named || !is_private(&path, own) {
            continue;
        }
        let lock = File::open(path.join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            // Where it cannot be removed it stays; nothing depends on it.
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Whether a folder and the lock in it are this user's. Anyone may put a folder of the name beside them, with a
/// lock that is a pipe: opening it waits for ever.
fn is_private(folder: &Path, own: u32) -> bool {
    let is_own = |path: &Path, kind: fn(&Metadata) -> bool| {
        let found = fs::symlink_metadata(path);
        found.is_ok_and(|found| kind(&found) && owner(&found) == own)
    };
    is_own(folder, Metadata::is_dir) && is_own(&folder.join(LOCK), Metadata::is_file)
}

#[cfg(unix)]
fn owner(file: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(file)
}

#[cfg(not(unix))]
fn owner(_: &Metadata) -> u32 {
    0
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn what_others_may_have_put_there_is_left_alone() {
        let all = tempfile::tempdir().expect("a folder");
        let folder = |name: &str| {
            let path = all.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&path).expect("made");
            path
        };
        let [left, pipe, link, none] = ["left", "pipe", "link", "none"].map(folder);
        fs::write(left.join(LOCK), "").expect("written");
        let made = Command::new("mkfifo").arg(pipe.join(LOCK)).status();
        assert!(made.is_ok_and(|made| made.success()));
        fs::write(all.path().join("file"), "").expect("written");
        std::os::unix::fs::symlink(all.path().join("file"), link.join(LOCK)).expect("linked");
        let running = folder("running");
        let lock = File::create(running.join(LOCK)).expect("made");
        lock.lock().expect("locked");
        let own = owner(&left.metadata().expect("there"));
        assert!(is_private(&left, own) && !is_private(&left, own + 1));

        let (ended, end) = mpsc::channel();
        let path = all.path().to_owned();
        std::thread::spawn(move || {
            remove_left_behind(&path);
            ended.send(())
        });
        let waited = end.recv_timeout(Duration::from_secs(20));
        assert!(waited.is_ok(), "it waits for a pipe");
        assert!(!left.exists());
        for kept in [pipe, link, none, running] {
            assert!(kept.exists(), "{}", kept.display());
        }
    }
}
