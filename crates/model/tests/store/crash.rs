//! A write that stops at any of its steps leaves the complete old state or the complete new one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;

use tempfile::TempDir;
use truefill_model::store::{Arm, Disk, RealDisk, Serving, Store, StoreError};

use crate::shared::{draft, install};

/// Carries out the first `allowed` operations and refuses all later ones, as a disk does whose
/// process is dead; keeps what was done.
struct Crashing {
    allowed: usize,
    done: Mutex<Vec<(&'static str, PathBuf)>>,
}

impl Crashing {
    fn new(allowed: usize) -> Arc<Self> {
        Arc::new(Self {
            allowed,
            done: Mutex::default(),
        })
    }

    fn step(&self, what: &'static str, path: &Path) -> std::io::Result<()> {
        let mut done = self.done.lock().unwrap();
        if done.len() >= self.allowed {
            return Err(std::io::Error::other("crashed"));
        }
        done.push((what, path.to_owned()));
        Ok(())
    }
}

impl Disk for Crashing {
    fn create(&self, path: &Path, contents: &[u8]) -> std::io::Result<()> {
        self.step("create", path)?;
        RealDisk.create(path, contents)
    }
    fn sync_file(&self, path: &Path) -> std::io::Result<()> {
        self.step("sync file", path)?;
        RealDisk.sync_file(path)
    }
    fn sync_folder(&self, path: &Path) -> std::io::Result<()> {
        self.step("sync folder", path)?;
        RealDisk.sync_folder(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.step("rename", to)?;
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.step("remove", path)?;
        RealDisk.remove(path)
    }
}

fn try_install(store: &Store) -> Result<(), StoreError> {
    let staging = store.stage()?;
    std::fs::write(staging.folder().join("model.gguf"), b"weights").unwrap();
    std::fs::write(staging.folder().join("tokenizer.json"), b"{}").unwrap();
    store.install(staging, draft("m")).map(|_| ())
}

#[test]
fn an_install_is_complete_or_absent_wherever_it_stops() {
    let mut outcomes = Vec::new();
    for allowed in 0.. {
        let root = TempDir::new().unwrap();
        let disk = Crashing::new(allowed);
        let crashing = Store::with_disk(root.path(), disk.clone()).unwrap();
        let finished = try_install(&crashing).is_ok();

        let after = Store::open(root.path()).unwrap();
        let listing = after.list().unwrap();
        assert!(listing.damaged.is_empty(), "after {allowed} steps");
        for stored in &listing.checkpoints {
            assert!(
                after
                    .verify(stored.manifest.id(), &mut |_| ())
                    .unwrap()
                    .holds()
            );
        }
        outcomes.push(listing.checkpoints.len());

        // The next start installs as if nothing had happened, and the remains go.
        try_install(&after).unwrap();
        assert_eq!(after.list().unwrap().checkpoints.len(), 1);
        let id = after.list().unwrap().checkpoints[0].manifest.id().clone();
        after.prune(&[id], false).unwrap();
        let left = std::fs::read_dir(root.path().join("staging"))
            .unwrap()
            .count();
        assert_eq!(left, 0, "after {allowed} steps");
        if finished && disk.done.lock().unwrap().len() < allowed {
            break;
        }
    }
    assert_eq!(outcomes.first(), Some(&0));
    assert_eq!(outcomes.last(), Some(&1));
    assert!(outcomes.is_sorted(), "{outcomes:?}");
}

/// Two checkpoints' worth of damage: a changed file, one that has become a folder, a stranger.
fn damage(folder: &Path) {
    std::fs::write(folder.join("model.gguf"), b"weXghts").unwrap();
    std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
    std::fs::create_dir(folder.join("tokenizer.json")).unwrap();
    std::fs::write(folder.join("stranger"), b"").unwrap();
}

#[test]
fn a_repair_keeps_the_evidence_wherever_it_stops() {
    for allowed in 0.. {
        let root = TempDir::new().unwrap();
        let healthy = Store::open(root.path()).unwrap();
        try_install(&healthy).unwrap();
        let id = healthy.find("m").unwrap();
        healthy
            .add_evidence(&id, &"gate.json".parse().unwrap(), b"{}")
            .unwrap();
        damage(&healthy.folder(&id));
        let disk = Crashing::new(allowed);
        let crashing = Store::with_disk(root.path(), disk.clone()).unwrap();
        let finished = try_install(&crashing).is_ok();

        // The next start sweeps the remains away before it repairs.
        let after = Store::open(root.path()).unwrap();
        after.prune(std::slice::from_ref(&id), false).unwrap();
        assert_eq!(after.evidence(&id).unwrap().len(), 1, "after {allowed}");
        assert_eq!(after.get(&id).unwrap().manifest.id(), &id);
        let holds = after.verify(&id, &mut |_| ()).unwrap().holds();
        assert!(holds || !finished, "after {allowed} steps");
        try_install(&after).unwrap();
        assert!(after.verify(&id, &mut |_| ()).unwrap().holds());
        if finished && disk.done.lock().unwrap().len() < allowed {
            break;
        }
    }
}

/// The program that runs cannot be opened for writing, whoever asks; others' files cannot by an
/// ordinary user.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_may_only_be_read_is_flushed() {
    let program = std::env::current_exe().unwrap();
    RealDisk.sync_file(&program).unwrap();
}

#[test]
fn everything_is_flushed_before_the_rename_and_the_parent_after_it() {
    let root = TempDir::new().unwrap();
    let disk = Crashing::new(usize::MAX);
    let store = Store::with_disk(root.path(), disk.clone()).unwrap();
    try_install(&store).unwrap();
    let done = disk.done.lock().unwrap();
    let steps: Vec<(&str, String)> = done
        .iter()
        .map(|(what, path)| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let folder = path
                .parent()
                .unwrap()
                .file_name()
                .unwrap()
                .to_str()
                .unwrap();
            // Staging folders have names of their own each time.
            let name = if folder == "staging" {
                "<staged>"
            } else {
                name
            };
            let name = if folder == "checkpoints" {
                "<id>"
            } else {
                name
            };
            (*what, name.to_owned())
        })
        .collect();
    let expected = [
        ("create", "manifest.json"),
        ("sync file", "model.gguf"),
        ("sync file", "tokenizer.json"),
        ("sync file", "manifest.json"),
        ("sync folder", "<staged>"),
        ("rename", "<id>"),
        ("sync folder", "checkpoints"),
    ];
    for (found, (what, name)) in steps.iter().zip(expected) {
        assert_eq!((found.0, found.1.as_str()), (what, name));
    }
    assert!(steps.len() >= expected.len(), "{steps:?}");
}

#[test]
fn serving_and_aliases_are_old_or_new_wherever_the_write_stops() {
    for allowed in 0..12 {
        let root = TempDir::new().unwrap();
        let healthy = Store::open(root.path()).unwrap();
        let old = install(&healthy, &draft("old"), &[("model.gguf", b"1")]).id;
        let new = install(&healthy, &draft("new"), &[("model.gguf", b"2")]).id;
        let arm = |id: &_| Serving {
            arms: vec![Arm::new("champion".parse().unwrap(), Clone::clone(id), 1.0)],
            ..Serving::default()
        };
        healthy.swap_serving(0, arm(&old)).unwrap();
        healthy.set_alias("default".parse().unwrap(), &old).unwrap();

        let crashing = Store::with_disk(root.path(), Crashing::new(allowed)).unwrap();
        let swapped = crashing.swap_serving(1, arm(&new));
        let named = crashing.set_alias("default".parse().unwrap(), &new);

        let serving = healthy.serving().unwrap();
        let expected = if serving.generation == 2 { &new } else { &old };
        assert_eq!(&serving.arms[0].checkpoint, expected);
        assert!(swapped.is_err() || serving.generation == 2);
        let default = healthy.find("default").unwrap();
        assert!(default == old || default == new);
        assert!(named.is_err() || default == new);
    }
}
