//! `textDocument/didOpen`, `didChange`, `didSave` and `didClose`: all synchronous.

use tower_lsp::ls_types::{
    self as lsp, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DidSaveTextDocumentParams,
};

use super::backend::Backend;
use super::convert;
use crate::documents::Change;

impl Backend {
    pub(super) fn on_open(&self, params: DidOpenTextDocumentParams) {
        let document = params.text_document;
        let uri = document.uri.as_str();
        let (version, text) = (document.version, document.text.as_str());
        let serving = &self.session.serving;
        serving.opened(uri, &document.language_id, version, text);
        serving.warm_opened(uri);
    }

    pub(super) fn on_change(&self, params: DidChangeTextDocumentParams) {
        let changes: Vec<Change> = params.content_changes.into_iter().map(change).collect();
        let document = params.text_document;
        let encoding = self.session.encoding();
        let (uri, serving) = (document.uri.as_str(), &self.session.serving);
        serving.changed(uri, document.version, &changes, encoding);
        serving.warm_rested(uri);
    }

    pub(super) fn on_save(&self, params: &DidSaveTextDocumentParams) {
        self.session
            .serving
            .saved(params.text_document.uri.as_str());
    }

    pub(super) fn on_close(&self, params: &DidCloseTextDocumentParams) {
        self.session
            .serving
            .closed(params.text_document.uri.as_str());
    }
}

fn change(event: lsp::TextDocumentContentChangeEvent) -> Change {
    Change {
        range: event.range.map(convert::range),
        text: event.text,
    }
}
