//! What the server offers, and what it takes from what the client offers.

use tower_lsp::ls_types::{
    ClientCapabilities, CompletionOptions, ExecuteCommandOptions, InlineCompletionOptions, OneOf,
    PositionEncodingKind, SaveOptions, ServerCapabilities, TextDocumentSyncCapability,
    TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions,
    WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};

use super::commands;
use crate::documents::Encoding;

/// The first encoding in the client's order that the server knows; UTF-16 without one.
pub fn encoding(client: &ClientCapabilities) -> Encoding {
    let offered = client
        .general
        .as_ref()
        .and_then(|general| general.position_encodings.as_ref());
    let known = |kind: &PositionEncodingKind| match kind {
        kind if *kind == PositionEncodingKind::UTF8 => Some(Encoding::Utf8),
        kind if *kind == PositionEncodingKind::UTF16 => Some(Encoding::Utf16),
        _ => None,
    };
    offered
        .and_then(|offered| offered.iter().find_map(known))
        .unwrap_or_default()
}

/// The server's capabilities for a client.
pub fn of_server(client: &ClientCapabilities, encoding: Encoding) -> ServerCapabilities {
    let document = client.text_document.as_ref();
    let ghost_text = document.is_some_and(|document| document.inline_completion.is_some());
    ServerCapabilities {
        position_encoding: Some(match encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }),
        text_document_sync: Some(sync()),
        inline_completion_provider: Some(OneOf::Right(InlineCompletionOptions::default())),
        // Where there is ghost text, the same suggestions in the menu would be in its way.
        completion_provider: (!ghost_text).then(CompletionOptions::default),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: commands::NAMES.map(str::to_owned).to_vec(),
            ..ExecuteCommandOptions::default()
        }),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            ..WorkspaceServerCapabilities::default()
        }),
        ..ServerCapabilities::default()
    }
}

fn sync() -> TextDocumentSyncCapability {
    TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::INCREMENTAL),
        save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions {
            include_text: Some(false),
        })),
        ..TextDocumentSyncOptions::default()
    })
}
