//! What only tests ask; answered only by a server that was started with a scripted engine.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::TextDocumentIdentifier;

use super::backend::Backend;

/// `truefill/text`: a document as the server holds it.
pub const TEXT: &str = "truefill/text";

/// `truefill/flush`: commits the journal's rows; the answer says whether they are.
pub const FLUSH: &str = "truefill/flush";

/// The parameters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    text_document: TextDocumentIdentifier,
    /// The handler panics instead.
    #[serde(default)]
    panic: bool,
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct Text {
    /// The text, absent where the document is unknown or poisoned.
    text: Option<String>,
    /// The version, absent where the document is not open.
    version: Option<i32>,
}

impl Backend {
    pub(super) async fn flush(&self) -> Result<bool> {
        let serving = Arc::clone(&self.session.serving);
        let flushed = tokio::task::spawn_blocking(move || serving.flush_journal());
        Ok(flushed.await.unwrap_or(false))
    }

    pub(super) async fn text(&self, params: Params) -> Result<Text> {
        assert!(!params.panic, "the test asks for a panic");
        let documents = &self.session.serving.documents;
        let uri = params.text_document.uri.as_str();
        let text = documents.snapshot(uri).ok().map(|snapshot| snapshot.text());
        Ok(Text {
            text,
            version: documents.version(uri),
        })
    }
}
