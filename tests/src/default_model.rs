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

/// The store that holds the default model: `default`, an adapter, and `default-base`.
///
/// It is the build folder's `default-model/`, and the model is fetched where it is not there yet; a lock
/// keeps test processes that run side by side from fetching it twice. The environment variable
/// `TRUEFILL_TEST_MODEL` names a file to take the base from instead.
///
/// # Panics
/// Where the model cannot be had.
pub fn default_store() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(provide)
}

/// The GGUF file of the default model's base, which was never taught to fill in.
///
/// # Panics
/// As [`default_store`].
pub fn default_model() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| base(default_store()))
}

impl Server {
    /// Starts a server that serves the default model as users get it, performs the handshake and waits
    /// until the model is loaded. `suggest` are keys of that section of the configuration.
    ///
    /// # Panics
    /// Where the server refuses or the model cannot be had.
    pub fn with_default_model(suggest: Value) -> Self {
        let store = default_store();
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(&binaries().truefill);
        command.arg("serve").env("TRUEFILL_STORE", store);
        let mut server = Self::run(command, home);
        let options = json!({ "suggest": suggest });
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
    let home = build_folder().join("default-model");
    fs::create_dir_all(&home).unwrap_or_else(|error| panic!("`{}`: {error}", home.display()));
    let lock = File::create(home.join("fetch.lock")).expect("a lock file can be made");
    lock.lock().expect("the file system knows locks");
    // What is there already stays; the adapter may be of an earlier build.
    pull(&home);
    home
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

/// The file of the model that the store names `default-base`.
fn base(home: &Path) -> PathBuf {
    let store = Store::open(home).expect("the store can be opened");
    let Ok(Resolved::Stored(stored)) = store.resolve("default-base") else {
        panic!("`{}` holds no default model", home.display());
    };
    let entries = fs::read_dir(&stored.folder).expect("the checkpoint can be read");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    let found = paths.find(|path| {
        path.extension()
            .is_some_and(|extension| extension == "gguf")
    });
    found.expect("the base is a GGUF file")
}

/// As users do it.
fn pull(home: &Path) {
    let mut command = Command::new(&binaries().truefill);
    command
        .args(["models", "pull", "default"])
        .env("TRUEFILL_HOME", home);
    if let Some(given) = std::env::var_os(GIVEN).filter(|given| !given.is_empty()) {
        command.arg("--from").arg(given);
    }
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
