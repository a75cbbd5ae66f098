//! The default model as users get it, fetched once and kept beside the build.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use truefill_model::store::{Resolved, Store};

use crate::binaries::binaries;
use crate::client::Server;

/// Names a GGUF file to use instead of fetching one.
const GIVEN: &str = "TRUEFILL_TEST_MODEL";

/// Time that a slow machine may take to load the model or to write a suggestion.
const MODEL_PATIENCE: Duration = Duration::from_secs(120);

/// The GGUF file of the default model.
///
/// It is fetched into the build folder's `default-model/` where it is not there yet; a lock
/// keeps test processes that run side by side from fetching it twice. The environment
/// variable `TRUEFILL_TEST_MODEL` names a file to use instead.
///
/// # Panics
/// Where there is no such file and it cannot be fetched.
pub fn default_model() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(provide)
}

impl Server {
    /// Starts a server that serves the default model, performs the handshake and waits until
    /// the model is loaded. `suggest` are keys of that section of the configuration.
    ///
    /// # Panics
    /// Where the server refuses or the model cannot be had.
    pub fn with_default_model(suggest: Value) -> Self {
        let model = default_model();
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(&binaries().truefill);
        command.arg("serve");
        let mut server = Self::run(command, home);
        let options = json!({ "model": { "id": model }, "suggest": suggest });
        let params = json!({ "initializationOptions": options });
        server
            .initialize(params)
            .expect("the server accepts the handshake");
        server.set_patience(MODEL_PATIENCE);
        server.wait_ready();
        server
    }
}

fn provide() -> PathBuf {
    if let Some(given) = std::env::var_os(GIVEN).filter(|given| !given.is_empty()) {
        let given = PathBuf::from(given);
        assert!(
            given.is_file(),
            "`{GIVEN}` names `{}`, which is no file",
            given.display()
        );
        return given;
    }
    let home = build_folder().join("default-model");
    fs::create_dir_all(&home).unwrap_or_else(|error| panic!("`{}`: {error}", home.display()));
    let lock = File::create(home.join("fetch.lock")).expect("a lock file can be made");
    lock.lock().expect("the file system knows locks");
    installed(&home).unwrap_or_else(|| {
        pull(&home);
        installed(&home).unwrap_or_else(|| panic!("`{}` holds no default model", home.display()))
    })
}

/// The folder that cargo builds into: this process runs from its `PROFILE/deps/`.
fn build_folder() -> PathBuf {
    let executable = std::env::current_exe().expect("the process has a path");
    let folder = executable
        .ancestors()
        .nth(3)
        .expect("tests run from the build folder");
    folder.to_owned()
}

/// The file of the model that the store names `default`.
fn installed(home: &Path) -> Option<PathBuf> {
    let store = Store::open(home).expect("the store can be opened");
    let Ok(Resolved::Stored(stored)) = store.resolve("default") else {
        return None;
    };
    let entries = fs::read_dir(&stored.folder).expect("the checkpoint can be read");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    paths.find(|path| {
        path.extension()
            .is_some_and(|extension| extension == "gguf")
    })
}

/// As users do it.
fn pull(home: &Path) {
    let mut command = Command::new(&binaries().truefill);
    command
        .args(["models", "pull", "default"])
        .env("TRUEFILL_HOME", home);
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the binary can be run");
    assert!(
        output.status.success(),
        "the default model, which these tests need once, could not be fetched; `{GIVEN}` can \
         name its GGUF file instead. {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
}
