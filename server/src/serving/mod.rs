//! From a request to suggestions, without a protocol.
//!
//! [`Serving`] holds what all requests share. The way of one request is in `pipeline`:
//! reasons to stay silent, delay, engine, clean-up. Every request that ends without a
//! suggestion ends with a [`Silence`](crate::silence::Silence).

pub mod ask;
mod eligible;
mod generate;
mod guard;
mod outcomes;
mod pipeline;
mod plan;
mod polish;
mod prepare;
mod retained;
mod served;
mod shadow;
pub mod status;
mod swap;
mod text;
mod trail;
mod trouble;
mod turns;
mod warm;
pub mod why;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use truefill_journal::{Censored, Clock, Journal, system_clock};

use crate::arms::{Assigner, Guardrail};
use crate::config::Config;
use crate::documents::{Change, Documents, EditError, Encoding};
use crate::engine::{EngineFactory, EngineHandle, EngineState, EngineThread};
use crate::retention::{Times, Watch};
use crate::silence::Silence;
use crate::suggest::delay::Mean;
use crate::suggest::typed_through::TypedThrough;
use crate::workspace::index::WorkspaceIndex;
use crate::workspace::{Workspace, file_path};
use served::ServedLast;
use status::{Notice, Status};
use trouble::Trouble;
use turns::Turns;
use why::{Verdict, Why};

pub use retained::follow;
pub use swap::follow_store;

/// What all requests share.
pub struct Serving {
    /// The open documents.
    pub documents: Documents,
    /// The open folders and the rules for their files.
    pub workspace: Arc<Workspace>,
    index: RwLock<Option<Arc<WorkspaceIndex>>>,
    config: RwLock<Arc<Config>>,
    engine: RwLock<Option<EngineThread>>,
    factory: EngineFactory,
    /// Engines opened so far.
    engines: Arc<AtomicU64>,
    why: Why,
    trouble: Trouble,
    notices: UnboundedSender<Notice>,
    turns: Turns,
    cache: Mutex<TypedThrough>,
    served: ServedLast,
    latency: Mutex<Mean>,
    journal_path: Option<PathBuf>,
    journal: RwLock<Option<Arc<Journal>>>,
    /// Id of this process's session in the journal.
    session: String,
    assigner: Assigner,
    guardrail: Guardrail,
    /// The checkpoint store, where an arm is stopped.
    store: Option<PathBuf>,
    clock: Clock,
    watch: Mutex<Watch>,
    /// Woken when the watch may want to be asked sooner.
    due: Arc<Notify>,
    /// For work that outlives a request.
    itself: OnceLock<Weak<Serving>>,
}

/// The user's name on this machine; without one all such users are the same.
fn user() -> String {
    let name = ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(std::env::var_os);
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// Suggestions that can be typed through, and their bytes.
const CACHE: (usize, usize) = (512, 1 << 20);

impl Serving {
    /// Serving without an engine yet; [`Serving::configure`] starts it.
    ///
    /// `journal` is the journal's file; without it nothing is recorded, whatever the
    /// configuration says.
    pub fn new(
        factory: EngineFactory,
        notices: UnboundedSender<Notice>,
        journal: Option<PathBuf>,
    ) -> Self {
        Self {
            documents: Documents::default(),
            workspace: Arc::default(),
            index: RwLock::default(),
            config: RwLock::default(),
            engine: RwLock::default(),
            factory,
            engines: Arc::default(),
            why: Why::default(),
            trouble: Trouble::default(),
            notices,
            turns: Turns::default(),
            cache: Mutex::new(TypedThrough::new(CACHE.0, CACHE.1)),
            served: ServedLast::default(),
            latency: Mutex::default(),
            journal_path: journal,
            journal: RwLock::default(),
            session: ulid::Ulid::generate().to_string(),
            assigner: Assigner::new(user()),
            guardrail: Guardrail::default(),
            store: None,
            clock: system_clock(),
            watch: Mutex::new(Watch::new(Times::default())),
            due: Arc::default(),
            itself: OnceLock::new(),
        }
    }

    /// Lets work go on after the request that began it: shadows.
    pub fn attach(self: &Arc<Self>) {
        let _ = self.itself.set(Arc::downgrade(self));
    }

    fn itself(&self) -> Option<Weak<Self>> {
        self.itself.get().cloned()
    }

    /// With the checkpoint store.
    #[must_use]
    pub fn with_store(self, store: Option<PathBuf>) -> Self {
        Self { store, ..self }
    }

    /// With other times for what became of suggestions, for tests.
    #[must_use]
    pub fn with_times(mut self, times: Times) -> Self {
        self.watch = Mutex::new(Watch::new(times));
        self
    }

    /// Takes over a configuration, and opens another engine where it asks for one; says
    /// whether it did.
    ///
    /// # Errors
    /// Where the system gives no thread for the engine.
    pub fn configure(&self, config: Config) -> std::io::Result<bool> {
        self.workspace.configure(&config.files);
        let config = Arc::new(config);
        let before = {
            let mut held = self.config.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *held, Arc::clone(&config))
        };
        self.configure_journal(&before, &config);
        self.watch_text(config.journal.enabled && config.journal.context);
        self.configure_index(&before, &config);
        if self.engine().is_some() && !before.engine_differs(&config) {
            return Ok(false);
        }
        self.open_engine(&config)?;
        Ok(true)
    }

    /// Opens the engine of a configuration anew.
    fn open_engine(&self, config: &Config) -> std::io::Result<()> {
        let thread = EngineThread::spawn((self.factory)(config))?;
        self.trouble.forget();
        self.tell_states(&thread.handle());
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        let old = engine.replace(thread);
        drop(engine);
        // Stopping the old one waits for its token in hand; nobody here should.
        std::thread::spawn(move || drop(old));
        Ok(())
    }

    /// Sends the engine's states to the client until the engine is gone or another one is
    /// configured: an old engine that is ready at last says nothing about the new one.
    fn tell_states(&self, handle: &EngineHandle) {
        let mut states = handle.watch();
        let notices = self.notices.clone();
        let newest = Arc::clone(&self.engines);
        let number = newest.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::spawn(async move {
            loop {
                let status = Status::of_engine(&states.borrow_and_update().clone());
                if newest.load(Ordering::Relaxed) != number {
                    return;
                }
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
        // Opened again, it may be another text.
        self.watch_lost(uri, Censored::Unreadable);
        self.documents.open(uri, language_id, version, text);
        self.turns.opened(uri);
        self.why.opened(uri, self.turns.number());
    }

    /// A document was changed.
    pub fn changed(&self, uri: &str, version: i32, changes: &[Change], encoding: Encoding) {
        self.turns.edited(uri);
        let result = self
            .documents
            .change(uri, version, changes, encoding, Instant::now());
        match result {
            Ok(splices) => self.watch_edited(uri, &splices),
            Err(error) => self.poisoned(uri, error),
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
        self.watch_lost(uri, Censored::Unreadable);
        if error != EditError::NotOpen {
            let number = self.turns.number();
            self.note(uri, number, Verdict::silent(&Silence::Poisoned(error)));
        }
    }

    /// A document was closed.
    pub fn closed(&self, uri: &str) {
        self.documents.close(uri);
        self.watch_lost(uri, Censored::Closed);
        self.why.forget(uri);
        self.turns.forget(uri);
        if let Some(engine) = self.engine() {
            engine.forget(uri);
        }
    }

    /// A document was saved.
    pub fn saved(&self, uri: &str) {
        if let (Some(index), Some(path)) = (self.index(), file_path(uri)) {
            index.saved(path);
        }
    }

    /// Folders were added to the workspace or removed from it.
    pub fn change_folders(&self, added: Vec<std::path::PathBuf>, removed: &[std::path::PathBuf]) {
        if let Some(index) = self.index() {
            removed.iter().for_each(|folder| index.remove(folder));
            added.iter().for_each(|folder| index.add(folder.clone()));
        }
        self.workspace.change_folders(added, removed);
    }

    /// The index of the workspace's symbols, once it is configured.
    pub fn index(&self) -> Option<Arc<WorkspaceIndex>> {
        self.index
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The index to judge a file's names by. A half-built one, or one of other folders, would
    /// miss names that exist.
    fn index_for(&self, path: &Path) -> Option<Arc<WorkspaceIndex>> {
        let index = self.index().filter(|index| index.is_complete());
        index.filter(|_| self.workspace.indexes_around(path))
    }

    /// Starts the index, and again where its rules or settings changed.
    fn configure_index(&self, before: &Config, config: &Config) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let same = before.index == config.index && before.files == config.files;
        if index.is_none() || !same {
            let (rules, folders) = (self.workspace.rules(), self.workspace.folders());
            *index = Some(Arc::new(WorkspaceIndex::start(
                &config.index,
                rules,
                folders,
            )));
        }
    }

    /// What became of the document's last request. Requests for a document that is not open
    /// all end the same way and are not remembered.
    pub fn last_verdict(&self, uri: &str) -> Option<Verdict> {
        match self.documents.version(uri) {
            Some(_) => self.why.last(uri),
            None => Some(Verdict::silent(&Silence::NotOpen)),
        }
    }

    /// Tells the user.
    pub fn warn(&self, sentence: String) {
        let _ = self.notices.send(Notice::Warning(sentence));
    }

    fn cache(&self) -> MutexGuard<'_, TypedThrough> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Mean time from asking the model to its answer.
    fn latency(&self) -> Option<Duration> {
        self.latency
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get()
    }

    fn add_latency(&self, took: Duration) {
        self.latency
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(took);
    }

    fn note(&self, uri: &str, number: u64, verdict: Verdict) {
        if let Some(notice) = self.why.note(uri, number, verdict) {
            let _ = self.notices.send(notice);
        }
    }

    /// Takes note of what became of a request that asked the engine.
    fn note_engine(&self, result: Result<(), &Silence>) {
        let status = match self.trouble.note(result) {
            Some(trouble::Change::Began(status)) => status,
            Some(trouble::Change::Ended) => Status::of_engine(&self.engine_state()),
            None => return,
        };
        let _ = self.notices.send(Notice::Status(status));
    }

    /// Stops the engine and keeps what must be kept.
    pub fn shut_down(&self) {
        if let Some(engine) = self.engine() {
            engine.close();
        }
        self.watch_ends();
        self.flush_journal();
    }
}
