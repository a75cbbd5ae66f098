//! What the server tells about itself unasked.

use serde::Serialize;

use crate::engine::EngineState;
use crate::engine::lineup::{Lineup, Slot};

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
            EngineState::Ready(lineup) => ready(lineup),
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

/// What is served; where there are several arms, all of them.
fn ready(lineup: &Lineup) -> (StatusKind, String) {
    let first = lineup.first();
    let mut message = format!(
        "`{}` is ready on {}.",
        first.info.checkpoint, first.info.device
    );
    let others: Vec<String> = lineup.slots().map(described).collect();
    if lineup.assigns() && others.len() > 1 {
        message = format!("Compared on {}: {}.", first.info.device, others.join(", "));
    }
    if lineup.refused.is_empty() {
        return (StatusKind::Normal, message);
    }
    let refused = lineup.refused.join("; ");
    (
        StatusKind::Warning,
        format!("{message} Left out: {refused}."),
    )
}

fn described(slot: &Slot) -> String {
    let share = match slot.shadow {
        true => "shadow".to_owned(),
        false => format!("{:.0} %", 100.0 * slot.share),
    };
    format!("`{}` ({share}, `{}`)", slot.name, slot.info.checkpoint)
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
