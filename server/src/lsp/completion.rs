//! `textDocument/completion`, for editors without ghost text: the suggestion is an item
//! of the menu.

use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionParams, CompletionResponse,
    CompletionTextEdit, Documentation, InsertTextMode, TextEdit,
};

use super::backend::Backend;
use super::convert;
use crate::serving::ask::{Ask, Suggestion, Trigger};
use crate::suggest::lines;

/// Characters of an item's label at most.
const LABEL: usize = 60;

impl Backend {
    pub(super) async fn on_completion(
        &self,
        params: CompletionParams,
    ) -> Result<Option<CompletionResponse>> {
        let place = params.text_document_position;
        let ask = Ask {
            uri: place.text_document.uri.as_str().to_owned(),
            position: convert::position(place.position),
            encoding: self.session.encoding(),
            // Editors call typing `Invoked` as well here, so it cannot be told apart.
            trigger: Trigger::Automatic,
            selected: None,
            version: None,
            menu: true,
        };
        let suggestions = self.session.serving.suggest(&ask).await.unwrap_or_default();
        let word = self.word_before(&ask);
        let items = suggestions
            .iter()
            .map(|suggestion| item(suggestion, &word))
            .collect();
        let list = CompletionList {
            is_incomplete: true,
            items,
        };
        Ok(Some(CompletionResponse::List(list)))
    }

    /// The part of a word in front of the cursor: menus filter items by it.
    fn word_before(&self, ask: &Ask) -> String {
        let documents = &self.session.serving.documents;
        let line = documents.snapshot(&ask.uri).ok().and_then(|snapshot| {
            let cursor = snapshot.byte_offset(ask.position, ask.encoding).ok()?;
            Some(snapshot.line_around(cursor).0)
        });
        let line = line.unwrap_or_default();
        line[line.trim_end_matches(lines::is_word).len()..].to_owned()
    }
}

fn item(suggestion: &Suggestion, word: &str) -> CompletionItem {
    let first = suggestion
        .text
        .trim_start()
        .lines()
        .next()
        .unwrap_or_default();
    let label: String = format!("{word}{first}").chars().take(LABEL).collect();
    let edit = TextEdit {
        range: convert::lsp_range(suggestion.range),
        new_text: suggestion.text.clone(),
    };
    CompletionItem {
        label,
        kind: Some(CompletionItemKind::TEXT),
        detail: Some("Truefill".to_owned()),
        documentation: Some(Documentation::String(format!("{word}{}", suggestion.text))),
        filter_text: Some(format!("{word}{first}")),
        text_edit: Some(CompletionTextEdit::Edit(edit)),
        // The text has its indentation already; by default editors add that of the line.
        insert_text_mode: Some(InsertTextMode::AS_IS),
        command: Some(convert::accept_command(suggestion)),
        ..CompletionItem::default()
    }
}
