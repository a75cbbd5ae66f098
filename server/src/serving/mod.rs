//! From a request to suggestions, without a protocol.
//!
//! [`Serving`] holds what all requests share. The way of one request is in `pipeline`:
//! reasons to stay silent, delay, engine, clean-up. Every request that ends without a
//! suggestion ends with a [`Silence`](crate::silence::Silence).

pub mod ask;
mod eligible;
mod generate;
mod outcomes;
mod pipeline;
pub mod status;
mod text;
pub mod why;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;

use crate::config::Config;
use crate::documents::{Change, Documents, EditError, Encoding};
use crate::engine::{EngineHandle, EngineState, EngineThread, Loader};
use crate::silence::Silence;
use crate::workspace::Workspace;
use status::{Notice, Status};
use why::{Verdict, Why};

/// Makes what opens the engine of a configuration.
pub type EngineFactory = Arc<dyn Fn(&Config) -> Loader + Send + Sync>;

/// What all requests share.
pub struct Serving {
    /// The open documents.
    pub documents: Documents,
    /// The open folders and the rules for their files.
    pub workspace: Workspace,
    config: RwLock<Arc<Config>>,
    engine: RwLock<Option<EngineThread>>,
    factory: EngineFactory,
    why: Why,
    notices: UnboundedSender<Notice>,
}

impl Serving {
    /// Serving without an engine yet; [`Serving::configure`] starts it.
    pub fn new(factory: EngineFactory, notices: UnboundedSender<Notice>) -> Self {
        Self {
            documents: Documents::default(),
            workspace: Workspace::default(),
            config: RwLock::default(),
            engine: RwLock::default(),
            factory,
            why: Why::default(),
            notices,
        }
    }

    /// Takes over a configuration, and opens another engine where it asks for one.
    ///
    /// # Errors
    /// Where the system gives no thread for the engine.
    pub fn configure(&self, config: Config) -> std::io::Result<()> {
        self.workspace.configure(&config.files);
        let config = Arc::new(config);
        let before = {
            let mut held = self.config.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *held, Arc::clone(&config))
        };
        if self.engine().is_some() && !before.engine_differs(&config) {
            return Ok(());
        }
        let thread = EngineThread::spawn((self.factory)(&config))?;
        self.tell_states(&thread.handle());
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        let old = engine.replace(thread);
        drop(engine);
        // Stopping the old one waits for its token in hand; nobody here should.
        std::thread::spawn(move || drop(old));
        Ok(())
    }

    /// Sends the engine's states to the client until the engine is gone.
    fn tell_states(&self, handle: &EngineHandle) {
        let mut states = handle.watch();
        let notices = self.notices.clone();
        tokio::spawn(async move {
            loop {
                let status = Status::of_engine(&states.borrow_and_update().clone());
                if notices.send(Notice::Status(status)).is_err() || states.changed().await.is_err()
                {
                    return;
                }
            }
        });
    }

    /// The configuration as it is now.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The engine, once one is configured.
    pub fn engine(&self) -> Option<EngineHandle> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        engine.as_ref().map(EngineThread::handle)
    }

    /// Whether the engine can be asked.
    pub fn engine_state(&self) -> EngineState {
        self.engine()
            .map_or(EngineState::Loading, |engine| engine.state())
    }

    /// A document was opened.
    pub fn opened(&self, uri: &str, language_id: &str, version: i32, text: &str) {
        self.documents.open(uri, language_id, version, text);
    }

    /// A document was changed.
    pub fn changed(&self, uri: &str, version: i32, changes: &[Change], encoding: Encoding) {
        let result = self
            .documents
            .change(uri, version, changes, encoding, Instant::now());
        if let Err(error) = result {
            self.poisoned(uri, error);
        }
    }

    /// A change came that could not be read.
    pub fn unreadable_change(&self, uri: &str) {
        if self.documents.poison(uri, EditError::Unreadable) {
            self.poisoned(uri, EditError::Unreadable);
        }
    }

    fn poisoned(&self, uri: &str, error: EditError) {
        tracing::warn!(%error, "a change could not be applied");
        if error != EditError::NotOpen {
            self.note(uri, Verdict::silent(&Silence::Poisoned(error)));
        }
    }

    /// A document was closed.
    pub fn closed(&self, uri: &str) {
        self.documents.close(uri);
        self.why.forget(uri);
        if let Some(engine) = self.engine() {
            engine.forget(uri);
        }
    }

    /// A document was saved.
    pub fn saved(&self, uri: &str) {
        let _ = uri;
    }

    /// Folders were added to the workspace or removed from it.
    pub fn change_folders(&self, added: Vec<std::path::PathBuf>, removed: &[std::path::PathBuf]) {
        self.workspace.change_folders(added, removed);
    }

    /// What became of the document's last request.
    pub fn last_verdict(&self, uri: &str) -> Option<Verdict> {
        self.why.last(uri)
    }

    /// Tells the user.
    pub fn warn(&self, sentence: String) {
        let _ = self.notices.send(Notice::Warning(sentence));
    }

    fn note(&self, uri: &str, verdict: Verdict) {
        if let Some(notice) = self.why.note(uri, verdict) {
            let _ = self.notices.send(notice);
        }
    }

    /// Stops the engine and keeps what must be kept.
    pub fn shut_down(&self) {
        if let Some(engine) = self.engine() {
            engine.close();
        }
    }
}
