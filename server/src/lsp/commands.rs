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
/// What does the model get? Arguments: the document's URI and a position.
pub const PROMPT: &str = "truefill.prompt";
/// All commands.
pub const NAMES: [&str; 3] = [ACCEPT, WHY, PROMPT];

/// The protocol's code of a request that was right and failed all the same.
const REQUEST_FAILED: i64 = -32803;

impl Backend {
    pub(super) async fn on_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        match params.command.as_str() {
            ACCEPT => self.accept(&params.arguments),
            WHY => self.why(&params.arguments).await.map(Some),
            PROMPT => self.prompt(&params.arguments).await.map(Some),
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

    /// The engine's status, whether a place could get a suggestion now, what became of the
    /// document's last request, and its arm.
    async fn why(&self, arguments: &[Value]) -> Result<Value> {
        let serving = &self.session.serving;
        let status = Status::of_engine(&serving.engine_state());
        let Some(uri) = arguments.first() else {
            return Ok(json!({ "status": status }));
        };
        let uri = document(WHY, uri)?;
        let last = serving.last_verdict(uri);
        let here = match arguments.get(1) {
            Some(position) => Some(self.here(self.place(WHY, uri, position)?).await),
            None => None,
        };
        let index = match serving.index() {
            Some(index) => Some(told(index).await),
            None => None,
        };
        let arm = serving
            .arm(uri)
            .map(|slot| json!({ "name": &*slot.name, "checkpoint": slot.info.checkpoint }));
        Ok(json!({ "status": status, "here": here, "last": last, "index": index, "arm": arm }))
    }

    /// Takes the document as it is now: nothing is awaited before.
    async fn here(&self, ask: Ask) -> Value {
        match self.session.serving.eligible(&ask).await {
            Ok(()) => json!({ "eligible": true, "message": "A suggestion is possible here." }),
            Err(silence) => json!({
                "eligible": false, "reason": silence.code(), "message": silence.sentence(),
            }),
        }
    }

    /// The exact prompt at a place, with visible sentinels.
    async fn prompt(&self, arguments: &[Value]) -> Result<Value> {
        let uri = document(PROMPT, arguments.first().unwrap_or(&Value::Null))?;
        let position = arguments.get(1).unwrap_or(&Value::Null);
        let ask = self.place(PROMPT, uri, position)?;
        match self.session.serving.prompt(&ask).await {
            Ok(prompt) => Ok(json!({
                "prompt": prompt.text, "tokens": prompt.tokens, "sha256": prompt.sha256,
            })),
            Err(silence) => Err(Error {
                code: ErrorCode::ServerError(REQUEST_FAILED),
                message: format!("there is no prompt here: {}", silence.sentence()).into(),
                data: Some(json!({ "reason": silence.code() })),
            }),
        }
    }

    fn place(&self, command: &str, uri: &str, position: &Value) -> Result<Ask> {
        let position: lsp::Position = serde::Deserialize::deserialize(position).map_err(|_| {
            invalid_params(format!(
                "`{command}` expects a position as its second argument"
            ))
        })?;
        Ok(Ask {
            uri: uri.to_owned(),
            position: convert::position(position),
            encoding: self.session.encoding(),
            trigger: Trigger::Automatic,
            selected: None,
            version: None,
            menu: false,
        })
    }
}

fn document<'a>(command: &str, uri: &'a Value) -> Result<&'a str> {
    uri.as_str().ok_or_else(|| {
        invalid_params(format!(
            "`{command}` expects the document's URI as its first argument"
        ))
    })
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
