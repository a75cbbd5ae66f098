//! A folder of a workspace, and what a server says about its documents.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Server;

/// A temporary folder with files, such as an editor has open.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    _held: tempfile::TempDir,
}

impl Folder {
    /// A folder with these files.
    ///
    /// # Panics
    /// Where they cannot be written.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let held = tempfile::tempdir().expect("a temporary folder");
        let root = held.path().canonicalize().expect("the folder is there");
        let folder = Self { root, _held: held };
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    /// Where a file is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A file's URI; the folder's own with an empty name.
    pub fn uri(&self, name: &str) -> String {
        let path = self.path(name);
        format!("file://{}", path.display())
            .trim_end_matches('/')
            .to_owned()
    }

    /// Writes a file and the folders on the way to it.
    ///
    /// # Panics
    /// Where it cannot.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("the folder can be made");
        }
        std::fs::write(path, text).expect("the file can be written");
    }

    /// The folder as one of `workspaceFolders`.
    pub fn as_workspace(&self) -> Value {
        json!({ "uri": self.uri(""), "name": "root" })
    }
}

/// What the server answers to "why is there no suggestion here?" about a document.
///
/// # Panics
/// Where it answers with an error.
pub fn why(server: &mut Server, uri: &str) -> Value {
    let params = json!({ "command": "truefill.why", "arguments": [uri] });
    server
        .call("workspace/executeCommand", params)
        .expect("why is answered")
}

/// Waits until the server has read the workspace.
///
/// # Panics
/// Where that takes too long.
pub fn wait_indexed(server: &mut Server) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while why(server, "file:///none")["index"]["complete"] != true {
        assert!(Instant::now() < deadline, "the index is not complete");
        std::thread::sleep(Duration::from_millis(10));
    }
}
