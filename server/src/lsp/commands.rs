//! `workspace/executeCommand`.

use std::sync::Arc;

use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, ErrorCode, Result};
use tower_lsp::ls_types::{self as lsp, ExecuteCommandParams};

use super::backend::{Backend, invalid_params};
use super::convert;
use crate::serving::ask::{Ask, Trigger};
use crate::serving::status::Status;
use crate::workspace::index::WorkspaceIndex;

/// A suggestion was accepted; its argument is the id.
pub const ACCEPT: &str = "truefill.accept";
/// Why is there no suggestion? Arguments: the document's URI, and a position if one is meant.
pub const WHY: &str = "truefill.why";
/// All commands.
pub const NAMES: [&str; 2] = [ACCEPT, WHY];

impl Backend {
    pub(super) async fn on_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        match params.command.as_str() {
            ACCEPT => self.accept(&params.arguments),
            WHY => self.why(&params.arguments).await.map(Some),
            other => {
                let message = format!("there is no command `{other}`");
                Err(Error {
                    code: ErrorCode::MethodNotFound,
                    message: message.into(),
                    data: None,
                })
            }
        }
    }

    fn accept(&self, arguments: &[Value]) -> Result<Option<Value>> {
        let id = arguments.first().and_then(Value::as_str).ok_or_else(|| {
            invalid_params(format!(
                "`{ACCEPT}` expects the suggestion's id as its argument"
            ))
        })?;
        self.session.serving.accepted(id);
        Ok(None)
    }

    /// The engine's status, whether a place could get a suggestion now, and what became
    /// of the document's last request.
    async fn why(&self, arguments: &[Value]) -> Result<Value> {
        let serving = &self.session.serving;
        let status = Status::of_engine(&serving.engine_state());
        let Some(uri) = arguments.first() else {
            return Ok(json!({ "status": status }));
        };
        let uri = uri.as_str().ok_or_else(|| {
            invalid_params(format!(
                "`{WHY}` expects the document's URI as its first argument"
            ))
        })?;
        let last = serving.last_verdict(uri);
        let here = match arguments.get(1) {
            Some(position) => Some(self.here(uri, position).await?),
            None => None,
        };
        let index = match serving.index() {
            Some(index) => Some(told(index).await),
            None => None,
        };
        Ok(json!({ "status": status, "here": here, "last": last, "index": index }))
    }

    /// Takes the document as it is now: nothing is awaited before.
    async fn here(&self, uri: &str, position: &Value) -> Result<Value> {
        let position: lsp::Position = serde::Deserialize::deserialize(position).map_err(|_| {
            invalid_params(format!("`{WHY}` expects a position as its second argument"))
        })?;
        let ask = Ask {
            uri: uri.to_owned(),
            position: convert::position(position),
            encoding: self.session.encoding(),
            trigger: Trigger::Automatic,
            selected: None,
            version: None,
        };
        Ok(match self.session.serving.eligible(&ask).await {
            Ok(()) => json!({ "eligible": true, "message": "A suggestion is possible here." }),
            Err(silence) => json!({
                "eligible": false, "reason": silence.code(), "message": silence.sentence(),
            }),
        })
    }
}

/// How far the index is. Its size is counted file by file, which the reader of messages must
/// not wait for.
async fn told(index: Arc<WorkspaceIndex>) -> Value {
    let complete = index.is_complete();
    let counted = tokio::task::spawn_blocking(move || index.index().size());
    match counted.await {
        Ok(size) => json!({ "complete": complete, "size": size }),
        Err(_) => json!({ "complete": complete }),
    }
}
