//! `workspace/didChangeWorkspaceFolders`.

use std::path::PathBuf;

use tower_lsp::ls_types::{DidChangeWorkspaceFoldersParams, WorkspaceFolder};

use super::backend::Backend;
use crate::workspace::file_path;

impl Backend {
    pub(super) fn on_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let paths = |folders: &[WorkspaceFolder]| -> Vec<PathBuf> {
            folders
                .iter()
                .filter_map(|folder| file_path(folder.uri.as_str()))
                .collect()
        };
        let event = &params.event;
        self.session
            .serving
            .change_folders(paths(&event.added), &paths(&event.removed));
    }
}
