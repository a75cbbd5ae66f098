//! Checkpoints in a home's store, for engines that do not read them.

use std::path::Path;
use std::process::Command;

use truefill_model::store::{Draft, FormatName, Store};

use crate::binaries::binaries;

/// Installs a checkpoint of no weights under a name, and gives its id.
///
/// # Panics
/// Where it cannot be installed.
pub fn install_named(home: &Path, name: &str) -> String {
    let store = Store::open(home).expect("the store opens");
    let staging = store.stage().expect("a folder to install from");
    std::fs::write(staging.folder().join("model.gguf"), name).expect("written");
    let tokenizer = "ab".repeat(32).parse().expect("a hash");
    let draft = Draft::full(
        name,
        "a test",
        "llama",
        FormatName::new("causal", 1),
        tokenizer,
    );
    let id = store.install(staging, draft).expect("it is installed").id;
    let alias = name.parse().expect("a name");
    store.set_alias(alias, &id).expect("it has the name");
    id.to_string()
}

/// Runs `truefill` with a home, and gives what it printed.
///
/// # Panics
/// Where it fails.
pub fn truefill(home: &Path, arguments: &[&str]) -> String {
    let output = Command::new(&binaries().truefill)
        .args(arguments)
        .env("TRUEFILL_HOME", home)
        .output()
        .expect("the binary can be run");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {err}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
