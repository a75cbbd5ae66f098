//! Builds the binaries once for each run of a test.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Where the binaries are.
#[derive(Debug)]
pub struct Binaries {
    /// `truefill`.
    pub truefill: PathBuf,
    /// `truefill-trainer`.
    pub trainer: PathBuf,
}

/// The binaries of this checkout, in the profile that the test was built in. Cargo itself
/// says whether there is something to build.
///
/// # Panics
/// Where they cannot be built.
pub fn binaries() -> &'static Binaries {
    static BUILT: OnceLock<Binaries> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> Binaries {
    let mut command = Command::new(env!("CARGO"));
    // The whole workspace, so that features are those of `cargo test --workspace` and
    // nothing is built twice.
    command.args([
        "build",
        "--workspace",
        "--bins",
        "--message-format=json-render-diagnostics",
    ]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "the binaries could not be built");
    let messages = String::from_utf8_lossy(&output.stdout);
    let executables: Vec<PathBuf> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect();
    let named = |name: &str| {
        let found = executables
            .iter()
            .find(|path| path.file_stem().is_some_and(|s| s == name));
        found
            .unwrap_or_else(|| panic!("cargo built no `{name}`"))
            .clone()
    };
    Binaries {
        truefill: named("truefill"),
        trainer: named("truefill-trainer"),
    }
}
