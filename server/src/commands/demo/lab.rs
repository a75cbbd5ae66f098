//! The demo's own home and store, and the trainer beside this program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use truefill_model::store::{Resolved, Store};

use super::say;
use crate::paths::Paths;

/// A temporary home with the model in its store.
pub struct Lab {
    folder: tempfile::TempDir,
    project: PathBuf,
    model: String,
}

impl Lab {
    /// Sets up a home; a model of the user's store is copied into its own, a path stays where it is.
    ///
    /// # Errors
    /// Where the model cannot be found or copied.
    pub fn new(paths: &Paths, model: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let project = folder.path().join("project");
        std::fs::create_dir_all(&project)?;
        let lab = Self {
            project,
            model: model.to_owned(),
            folder,
        };
        let store = Store::open(&paths.store())?;
        match store.resolve(model)? {
            Resolved::Stored(stored) => {
                let own = Store::open(&lab.home())?;
                let id = stored.manifest.id().clone();
                if let Some(base) = &stored.manifest.about().base {
                    copy(&store.get(base)?.folder, &own.folder(base))?;
                    own.set_alias(name("default-base")?, base)?;
                }
                copy(&stored.folder, &own.folder(&id))?;
                own.set_alias(name("default")?, &id)?;
                Ok(Self {
                    model: "default".to_owned(),
                    ..lab
                })
            }
            Resolved::Path(_) => Ok(lab),
        }
    }

    /// The folder of the project that is typed into.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// What the server is told to serve.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the model is in the store, so that it can be trained and replaced.
    pub fn is_stored(&self) -> bool {
        self.model == "default"
    }

    /// The home with journal, store and runs.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// This program in that home.
    ///
    /// # Errors
    /// Where the system does not tell its path.
    pub fn truefill(&self) -> Result<Command> {
        let program = std::env::current_exe().context("this program's own path")?;
        Ok(self.command(&program))
    }

    /// A program in that home.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("TRUEFILL_HOME", self.home())
            .env_remove("TRUEFILL_STORE")
            .current_dir(self.folder.path());
        command
    }
}

fn name(alias: &str) -> Result<truefill_model::store::Alias> {
    alias.parse().map_err(|why: String| anyhow::anyhow!(why))
}

/// Copies a checkpoint's folder, by links where the file system has them: its files never change.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let Some(file) = path.file_name().filter(|_| path.is_file()) else {
            continue;
        };
        let target = to.join(file);
        if std::fs::hard_link(&path, &target).is_err() {
            std::fs::copy(&path, &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

/// The trainer beside this program. In a checkout that has not built it yet, cargo does now; elsewhere
/// `None`, after a word about it.
///
/// # Errors
/// Where cargo fails.
pub fn trainer() -> Result<Option<PathBuf>> {
    let program = std::env::current_exe().context("this program's own path")?;
    let name = format!("truefill-trainer{}", std::env::consts::EXE_SUFFIX);
    let beside = program.with_file_name(name);
    if let (Some(cargo), Some(package)) = (
        std::env::var_os("CARGO"),
        std::env::var_os("CARGO_MANIFEST_DIR"),
    ) {
        // `cargo run` sets these; the trainer of another checkout may be an old one.
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "truefill-trainer"]);
        if program
            .components()
            .any(|part| part.as_os_str() == "release")
        {
            build.arg("--release");
        }
        if !beside.exists() {
            say("The trainer is built first, once; this takes some minutes.\n")?;
        }
        let status = build.current_dir(package).status().context("cargo")?;
        if !status.success() {
            bail!("cargo could not build `truefill-trainer`; `truefill demo --quick` goes without");
        }
    }
    if beside.exists() {
        return Ok(Some(beside));
    }
    say(&format!(
        "`{}` is not there, so the demo ends before the training.\n",
        beside.display()
    ))?;
    Ok(None)
}
