//! What became of suggestions, as far as clients tell it.

use serde::Deserialize;

use super::backend::Backend;

/// `textDocument/didShowCompletion`.
pub const SHOWN: &str = "textDocument/didShowCompletion";
/// `textDocument/didPartiallyAcceptCompletion`.
pub const PARTIALLY_ACCEPTED: &str = "textDocument/didPartiallyAcceptCompletion";
/// `truefill/didReject`.
pub const REJECTED: &str = "truefill/didReject";

/// An item as it was sent: its command holds the id, its text tells which of the times it was
/// that a suggestion was sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    command: ItemCommand,
    #[serde(default)]
    insert_text: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct ItemCommand {
    arguments: Vec<serde_json::Value>,
}

impl Item {
    fn id(&self) -> Option<&str> {
        self.command.arguments.first()?.as_str()
    }
}

/// Parameters of `textDocument/didShowCompletion`.
#[derive(Debug, Deserialize)]
pub struct Shown {
    item: Item,
}

/// Parameters of `textDocument/didPartiallyAcceptCompletion`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartiallyAccepted {
    item: Item,
    /// UTF-16 units from the text's start, all partial acceptances together.
    accepted_length: usize,
}

/// Parameters of `truefill/didReject`.
#[derive(Debug, Deserialize)]
pub struct Rejected {
    id: String,
    #[serde(default)]
    reason: String,
}

impl Backend {
    pub(super) async fn did_show_completion(&self, params: Shown) {
        if let Some(id) = params.item.id() {
            self.session.serving.shown(id);
        }
    }

    pub(super) async fn did_partially_accept_completion(&self, params: PartiallyAccepted) {
        if let Some(id) = params.item.id() {
            let (inserts, length) = (params.item.insert_text.as_str(), params.accepted_length);
            self.session.serving.partially_accepted(id, inserts, length);
        }
    }

    pub(super) async fn did_reject(&self, params: Rejected) {
        self.session.serving.rejected(&params.id, &params.reason);
    }
}
