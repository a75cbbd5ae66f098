//! The service: which handler answers what.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;
use tower_lsp::jsonrpc::{Error, ErrorCode, Result};
use tower_lsp::ls_types::{
    CompletionParams, CompletionResponse, DidChangeConfigurationParams,
    DidChangeTextDocumentParams, DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DidSaveTextDocumentParams, ExecuteCommandParams, InitializeParams,
    InitializeResult, InitializedParams,
};
use tower_lsp::{Client, ClientSocket, LanguageServer, LspService};

use super::{notices, outcomes, testing};
use crate::config::Config;
use crate::documents::Encoding;
use crate::engine::EngineFactory;
use crate::retention::Times;
use crate::serving::{Serving, follow, follow_store};

/// What a server is made of.
pub struct Options {
    /// Opens the engine of a configuration.
    pub factory: EngineFactory,
    /// The user's configuration, under what the client says.
    pub base: Config,
    /// The journal's file, `None` to keep none.
    pub journal: Option<PathBuf>,
    /// The checkpoint store, to follow what it serves; `None` to look at it at the start alone.
    pub store: Option<PathBuf>,
    /// Whether requests that only tests need are answered.
    pub testing: bool,
    /// When samples are taken of what became of suggestions.
    pub times: Times,
}

/// What handlers share, and who started the server can see.
pub struct Session {
    /// The pipeline.
    pub serving: Arc<Serving>,
    pub(super) base: Config,
    /// The client's `initializationOptions`, which later settings lie on top of.
    pub(super) initial: Mutex<Value>,
    pub(super) encoding: OnceLock<Encoding>,
    shut_down: AtomicBool,
    /// Woken when the client may be told things.
    pub(super) initialized: Notify,
    /// Woken when the process that started the server is gone.
    pub(super) client_gone: Notify,
}

impl Session {
    /// Whether the client asked for the shutdown.
    pub fn was_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Acquire)
    }

    /// Waits until the process that started the server is gone.
    pub async fn client_gone(&self) {
        self.client_gone.notified().await;
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding.get().copied().unwrap_or_default()
    }

    pub(super) fn set_initial(&self, options: Value) {
        *self.initial.lock().unwrap_or_else(PoisonError::into_inner) = options;
    }
}

/// The service's handlers.
pub struct Backend {
    pub(super) session: Arc<Session>,
}

/// A service and the shared state behind it. Must be called inside a runtime.
pub fn service(options: Options) -> (LspService<Backend>, ClientSocket, Arc<Session>) {
    let Options {
        factory,
        base,
        journal,
        store,
        testing,
        times,
    } = options;
    let (sender, receiver) = unbounded_channel();
    let session = Arc::new(Session {
        serving: Arc::new(
            Serving::new(factory, sender, journal)
                .with_times(times)
                .with_store(store.clone()),
        ),
        base,
        initial: Mutex::default(),
        encoding: OnceLock::new(),
        shut_down: AtomicBool::new(false),
        initialized: Notify::new(),
        client_gone: Notify::new(),
    });
    session.serving.attach();
    tokio::spawn(follow(Arc::downgrade(&session.serving)));
    if let Some(store) = store {
        follow_store(store, Arc::downgrade(&session.serving));
    }
    let build = |client: Client| {
        tokio::spawn(notices::send(client, receiver, Arc::clone(&session)));
        Backend {
            session: Arc::clone(&session),
        }
    };
    let mut builder = LspService::build(build)
        .custom_method("textDocument/inlineCompletion", Backend::inline_completion)
        .custom_method(outcomes::SHOWN, Backend::did_show_completion)
        .custom_method(
            outcomes::PARTIALLY_ACCEPTED,
            Backend::did_partially_accept_completion,
        )
        .custom_method(outcomes::REJECTED, Backend::did_reject);
    if testing {
        builder = builder
            .custom_method(testing::TEXT, Backend::text)
            .custom_method(testing::FLUSH, Backend::flush);
    }
    let (service, socket) = builder.finish();
    (service, socket, session)
}

impl LanguageServer for Backend {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        self.on_initialize(params)
    }

    async fn initialized(&self, _: InitializedParams) {
        self.session.initialized.notify_one();
    }

    async fn shutdown(&self) -> Result<()> {
        self.session.shut_down.store(true, Ordering::Release);
        self.session.serving.shut_down();
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        self.on_open(params);
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        self.on_change(params);
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        self.on_save(&params);
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.on_close(&params);
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        self.on_configuration(params.settings);
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        self.on_workspace_folders(params);
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        self.on_completion(params).await
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        self.on_command(params).await
    }
}

/// An error about parameters, with a sentence that the transport leaves alone because
/// `data` says that it is ours.
pub(super) fn invalid_params(sentence: String) -> Error {
    let data = Some(Value::from("truefill"));
    Error {
        code: ErrorCode::InvalidParams,
        message: sentence.into(),
        data,
    }
}
