//! The user commands, run as a user runs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::binaries::binaries;

/// What a command did.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it printed to stderr.
    pub err: String,
}

/// A user with a home of their own, in which nothing is set up.
pub struct User {
    home: tempfile::TempDir,
}

impl Default for User {
    fn default() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        Self { home }
    }
}

impl User {
    /// A user whose configuration names a model.
    pub fn with_model(model: &Path) -> Self {
        let user = Self::default();
        user.write("truefill.toml", &format!("[model]\nid = {model:?}\n"));
        user
    }

    /// Writes a file under the home and gives its path.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("a folder can be made");
        }
        std::fs::write(&path, text).expect("the file can be written");
        path
    }

    /// The folder with the user's files.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs `truefill` with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    /// As [`User::run`], with variables of the environment.
    ///
    /// # Panics
    /// Where the process cannot be started.
    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> Output {
        let output = Command::new(&binaries().truefill)
            .args(arguments)
            .current_dir(self.home.path())
            .env("TRUEFILL_HOME", self.home.path())
            .env_remove("TRUEFILL_LOG")
            // The demo would ask the cargo that runs the tests to build the trainer, which is there.
            .env_remove("CARGO")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("the binary can be run");
        Output {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A model of random numbers, small enough to open at once; what it writes means nothing.
pub fn tiny_model() -> PathBuf {
    let data = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/model/tests/data/parity/gguf"
    );
    Path::new(data)
        .join("llama-q8_0.gguf")
        .canonicalize()
        .expect("the repository holds tiny models")
}
