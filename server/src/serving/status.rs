//! What the server tells about itself unasked.

use serde::Serialize;

use crate::engine::EngineState;

/// How the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum StatusKind {
    /// It suggests.
    Normal,
    /// It suggests, but something needs attention.
    Warning,
    /// It cannot suggest.
    Error,
    /// It does not suggest here or now.
    Inactive,
}

/// The parameters of `truefill/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// How the server is.
    pub kind: StatusKind,
    /// A sentence for the user.
    pub message: String,
    /// The document that this is about; without one it is about the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The code of the reason for giving no suggestion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

impl Status {
    /// The server's status by its engine's.
    pub fn of_engine(state: &EngineState) -> Self {
        let (kind, message) = match state {
            EngineState::Loading => (
                StatusKind::Inactive,
                "The model is being loaded.".to_owned(),
            ),
            EngineState::Ready(info) => (
                StatusKind::Normal,
                format!("`{}` is ready on {}.", info.checkpoint, info.device),
            ),
            EngineState::Failed(sentence) => (StatusKind::Error, sentence.clone()),
        };
        Self {
            kind,
            message,
            uri: None,
            reason: None,
        }
    }
}

/// What goes to the client without being asked for; sent by a task of its own, because
/// a handler must never wait for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The status changed.
    Status(Status),
    /// The user should read this.
    Warning(String),
}
