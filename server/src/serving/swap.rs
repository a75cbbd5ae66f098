//! What the store serves is followed while the server runs: something new is opened beside what is
//! served, tried, and takes over between two requests; what fails there is told and serves nobody.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use notify::{Event, RecursiveMode, Watcher};
use truefill_model::store::{Alias, Store, StoreError};

use super::Serving;
use super::status::{Notice, Status, StatusKind};
use crate::arms::{Fared, Limits, stopped};
use crate::engine::lineup::Lineup;
use crate::engine::{EngineError, EngineState, canary};

/// Files of the store that say what is served.
const TELLING: [&str; 2] = ["serving.json", "aliases.json"];

/// Several changes that come together are one.
const TOGETHER: Duration = Duration::from_millis(150);

/// How often the store is looked at where the system tells of no changes.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Follows a store from a thread of its own, until the server is gone. Must be called inside a
/// runtime.
pub fn follow_store(store: PathBuf, serving: Weak<Serving>) {
    let thread = std::thread::Builder::new().name("truefill-store".into());
    let runtime = tokio::runtime::Handle::current();
    let started = thread.spawn(move || {
        let _within = runtime.enter();
        let (changes, told) = channel();
        let _watcher = watcher(&store, changes);
        follow(&store, &told, &serving);
    });
    if let Err(error) = started {
        tracing::warn!(%error, "changes of what is served are seen at the next start");
    }
}

fn watcher(store: &Path, changes: Sender<()>) -> Option<notify::RecommendedWatcher> {
    let send = move |event: notify::Result<Event>| {
        let telling = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| TELLING.contains(&name))
        };
        if event.is_ok_and(|event| event.paths.iter().any(telling)) {
            let _ = changes.send(());
        }
    };
    let watcher = std::fs::create_dir_all(store)
        .map_err(notify::Error::io)
        .and_then(|()| notify::recommended_watcher(send))
        .and_then(|mut watcher| {
            watcher.watch(store, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
    watcher
        .inspect_err(|error| tracing::warn!(%error, "the store is looked at now and then"))
        .ok()
}

fn follow(store: &Path, told: &Receiver<()>, serving: &Weak<Serving>) {
    let mut seen = contents(store);
    loop {
        match told.recv_timeout(LOOK_EVERY) {
            Ok(()) => std::thread::sleep(TOGETHER),
            Err(RecvTimeoutError::Timeout) => {}
            // Without a watcher nobody sends.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK_EVERY),
        }
        while told.try_recv().is_ok() {}
        let Some(serving) = serving.upgrade() else {
            return;
        };
        let now = contents(store);
        if now != seen {
            seen = now;
            serving.swap();
        }
    }
}

/// What the files say; a broken one is told where it is read.
fn contents(store: &Path) -> [Option<Vec<u8>>; 2] {
    TELLING.map(|name| std::fs::read(store.join(name)).ok())
}

impl Serving {
    /// Serves what the store says now, if it is something else and passes its trial.
    fn swap(self: &Arc<Self>) {
        let Some(handle) = self.engine() else {
            return;
        };
        let served = match handle.state() {
            EngineState::Ready(served) => served,
            // It reads the store when it opens.
            EngineState::Loading => return self.swap_later(),
            EngineState::Failed(_) => return self.reopen(),
        };
        let load = (self.factory)(&self.config());
        let opened = catch_unwind(AssertUnwindSafe(|| load(Some(&served))));
        let opened = opened.unwrap_or(Err(EngineError::Panicked));
        match opened
            .map_err(|error| error.to_string())
            .and_then(|new| tried(new, &served))
        {
            Ok(new) if new == *served => {}
            Ok(new) => {
                tracing::info!(?new, "what is served changes");
                handle.replace(new);
                self.warm_all();
            }
            Err(reason) => self.refuse(&served, &reason),
        }
    }

    /// The old one goes on, and the user gets to know why.
    fn refuse(&self, served: &Lineup, reason: &str) {
        tracing::warn!(reason, "the new checkpoint is not served");
        let message = format!(
            "A new checkpoint is not served: {reason}. `{}` goes on.",
            served.first().info.checkpoint
        );
        let _ = self.notices.send(Notice::Status(Status {
            kind: StatusKind::Warning,
            message,
            uri: None,
            reason: None,
        }));
    }

    /// A model that could not be opened may be there by now.
    fn reopen(self: &Arc<Self>) {
        match self.open_engine(&self.config()) {
            Ok(()) => self.warm_all(),
            Err(error) => tracing::error!(%error, "no thread for the engine"),
        }
    }

    fn swap_later(self: &Arc<Self>) {
        let serving = Arc::downgrade(self);
        let Some(handle) = self.engine() else {
            return;
        };
        tokio::spawn(async move {
            let mut states = handle.watch();
            let _ = states.wait_for(|it| *it != EngineState::Loading).await;
            if let Some(serving) = serving.upgrade() {
                let _ = tokio::task::spawn_blocking(move || serving.swap()).await;
            }
        });
    }
}

impl Serving {
    /// Takes note of how an arm fared, and stops it where it is clearly bad.
    pub(super) fn note_arm(&self, arm: &str, fared: Fared) {
        let lineup = self.engine().and_then(|engine| engine.lineup());
        let Some(lineup) = lineup.filter(|lineup| lineup.assigns()) else {
            return;
        };
        let arms = &self.config().arms;
        let limits = Limits {
            failures: f64::from(arms.max_failures),
            slowdown: f64::from(arms.max_slowdown),
        };
        let Some(reason) = self.guardrail.note(&lineup, arm, fared, limits) else {
            return;
        };
        let Some(store) = self.store.clone() else {
            return;
        };
        let (arm, notices) = (arm.to_owned(), self.notices.clone());
        // The store's lock may be held by somebody else; no request waits for it.
        std::thread::spawn(move || match stop(&store, &arm, &reason) {
            Ok(()) => {
                let sentence = format!("The arm `{arm}` was stopped: {reason}.");
                let _ = notices.send(Notice::Warning(sentence));
            }
            Err(error) => tracing::error!(%error, arm, reason, "an arm could not be stopped"),
        });
    }
}

/// Takes an arm's share away, once for all servers.
fn stop(store: &Path, arm: &str, reason: &str) -> anyhow::Result<()> {
    let store = Store::open(store)?;
    let name: Alias = arm.parse().map_err(|why: String| anyhow::anyhow!(why))?;
    loop {
        let before = store.serving()?;
        let known = before.arms.iter().find(|known| known.name == name);
        // Another server was quicker, or the arm is gone.
        if known.is_none_or(|known| known.stopped.is_some()) {
            return Ok(());
        }
        let generation = before.generation;
        let new = stopped(before, &name, reason)?;
        match store.swap_serving(generation, new) {
            Err(StoreError::Conflict { .. }) => {}
            result => return Ok(result.map(|_| ())?),
        }
    }
}

/// Asks each engine that is new a few prompts; local ones were asked when they were opened.
fn tried(new: Lineup, served: &Lineup) -> Result<Lineup, String> {
    if !new.refused.is_empty() {
        return Err(new.refused.join("; "));
    }
    let mut known: BTreeSet<String> = served
        .slots()
        .map(|slot| slot.info.checkpoint.clone())
        .collect();
    for slot in new.slots() {
        if known.insert(slot.info.checkpoint.clone()) && slot.engine.local().is_none() {
            canary::check(&*slot.engine)
                .map_err(|reason| format!("`{}`: {reason}", slot.info.checkpoint))?;
        }
    }
    Ok(new)
}
