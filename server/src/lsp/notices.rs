//! Sends the client what it did not ask for, so that no handler waits for it.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tower_lsp::Client;
use tower_lsp::ls_types::MessageType;
use tower_lsp::ls_types::notification::Notification;

use super::backend::Session;
use crate::serving::status::Notice;

/// `truefill/status`.
struct StatusNotification;

impl Notification for StatusNotification {
    type Params = serde_json::Value;
    const METHOD: &'static str = "truefill/status";
}

/// Sends until all senders are gone, from when the client is ready for it. A status that was
/// just sent is not sent again.
pub async fn send(client: Client, mut notices: UnboundedReceiver<Notice>, session: Arc<Session>) {
    session.initialized.notified().await;
    let mut last = None;
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::Status(status) if last.as_ref() != Some(&status) => {
                last = Some(status.clone());
                let params = serde_json::to_value(status).unwrap_or_default();
                client.send_notification::<StatusNotification>(params).await;
            }
            Notice::Status(_) => {}
            Notice::Warning(sentence) => client.show_message(MessageType::WARNING, sentence).await,
        }
    }
}
