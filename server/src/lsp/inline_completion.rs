//! `textDocument/inlineCompletion`. The answer is always a list, never `null`: Neovim
//! keeps showing what is stale otherwise.

use serde::Deserialize;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{
    InlineCompletionContext, InlineCompletionItem, InlineCompletionList,
    InlineCompletionTriggerKind, Position, Uri,
};

use super::backend::Backend;
use super::convert;
use crate::serving::ask::{Ask, Selected, Suggestion, Trigger};
use crate::silence::Silence;

/// The request's parameters. As in the protocol, with the document's version, which some
/// clients add, and without the progress tokens, which are not used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    text_document: Document,
    position: Position,
    context: InlineCompletionContext,
}

#[derive(Debug, Deserialize)]
struct Document {
    uri: Uri,
    version: Option<i32>,
}

impl Backend {
    pub(super) async fn inline_completion(&self, params: Params) -> Result<InlineCompletionList> {
        let ask = self.ask(params);
        match self.session.serving.suggest(&ask).await {
            Ok(suggestions) => Ok(InlineCompletionList {
                items: suggestions.iter().map(item).collect(),
            }),
            Err(Silence::EnginePanicked) => Err(Error::internal_error()),
            Err(_) => Ok(InlineCompletionList { items: Vec::new() }),
        }
    }

    fn ask(&self, params: Params) -> Ask {
        let Params {
            text_document,
            position,
            context,
        } = params;
        let trigger = match context.trigger_kind {
            InlineCompletionTriggerKind::INVOKED => Trigger::Invoked,
            _ => Trigger::Automatic,
        };
        let selected = context.selected_completion_info.map(|selected| Selected {
            range: convert::range(selected.range),
            text: selected.text,
        });
        Ask {
            uri: text_document.uri.as_str().to_owned(),
            position: convert::position(position),
            encoding: self.session.encoding(),
            trigger,
            selected,
            version: text_document.version,
            menu: false,
        }
    }
}

fn item(suggestion: &Suggestion) -> InlineCompletionItem {
    InlineCompletionItem {
        insert_text: suggestion.text.clone(),
        filter_text: None,
        range: Some(convert::lsp_range(suggestion.range)),
        command: Some(convert::accept_command(suggestion)),
        insert_text_format: None,
    }
}
