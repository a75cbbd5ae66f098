//! `initialize`.

use std::path::PathBuf;
use std::sync::Arc;

use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{InitializeParams, InitializeResult, ServerInfo};

use super::backend::{Backend, invalid_params};
use super::{capabilities, parent};
use crate::config::Layer;
use crate::workspace::file_path;

impl Backend {
    /// Synchronous, so that the messages behind it find the server initialised. The model
    /// is opened in the background.
    pub(super) fn on_initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let session = &self.session;
        let options = params.initialization_options.clone().unwrap_or_default();
        let mut config = session.base.clone();
        config
            .overlay(&options, Layer::InitializationOptions)
            .map_err(|error| invalid_params(error.to_string()))?;
        session.set_initial(options);
        let encoding = capabilities::encoding(&params.capabilities);
        // A second `initialize` is only possible where the first one failed.
        let _ = session.encoding.set(encoding);
        session
            .serving
            .workspace
            .change_folders(folders(&params), &[]);
        session.serving.configure(config).map_err(|error| {
            let message = format!("the engine's thread could not be started: {error}");
            Error {
                message: message.into(),
                ..Error::internal_error()
            }
        })?;
        if let Some(process) = params.process_id {
            parent::watch(process, Arc::clone(session));
        }
        Ok(InitializeResult {
            capabilities: capabilities::of_server(&params.capabilities, encoding),
            server_info: Some(ServerInfo {
                name: "truefill".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            ..InitializeResult::default()
        })
    }
}

/// The workspace's folders; older clients name one root.
fn folders(params: &InitializeParams) -> Vec<PathBuf> {
    if let Some(folders) = params
        .workspace_folders
        .as_ref()
        .filter(|list| !list.is_empty())
    {
        return folders
            .iter()
            .filter_map(|folder| file_path(folder.uri.as_str()))
            .collect();
    }
    #[expect(deprecated, reason = "clients that know nothing newer")]
    let root = params
        .root_uri
        .as_ref()
        .and_then(|uri| file_path(uri.as_str()));
    root.into_iter().collect()
}
