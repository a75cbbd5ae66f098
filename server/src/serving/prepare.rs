//! What comes before a model is asked: the document, whether it may be read, the place.
//!
//! The document is taken as it is when the request comes, before anything is awaited. Whether its
//! file may be read is a question for the file system, which may be slow or hang, so it is asked
//! on a thread that nothing else waits for, and never twice at a time for one document.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ask::Ask;
use super::generate::ready;
use super::text::{Around, around, cursor};
use super::turns::FileLock;
use super::{Serving, eligible};
use crate::config::Config;
use crate::documents::{EditKind, PositionError, Snapshot};
use crate::silence::Silence;
use crate::suggest::delay::{Bounds, Delay, Quiet, Site, delay};

impl Serving {
    /// Whether there would be a suggestion at a place now if nobody asked by hand, for
    /// `truefill.why`.
    ///
    /// # Errors
    /// The reason why not.
    pub async fn eligible(&self, ask: &Ask) -> Result<(), Silence> {
        let snapshot = self.snapshot(ask)?;
        tokio::task::yield_now().await;
        self.allowed(&ask.uri, self.turns.file_lock(&ask.uri))
            .await?;
        let config = self.config();
        let around = place(&config, &snapshot, ask)?;
        self.automatic(&config, &snapshot, &around, Instant::now())?;
        ready(self.engine()).map(|_| ())
    }

    /// The document of a request as it is now.
    ///
    /// # Errors
    /// Where it is unusable or of another version.
    pub(super) fn snapshot(&self, ask: &Ask) -> Result<Snapshot, Silence> {
        let snapshot = self.documents.snapshot(&ask.uri)?;
        match ask.version.filter(|asked| *asked != snapshot.version) {
            Some(asked) => Err(Silence::OtherVersion {
                asked,
                current: snapshot.version,
            }),
            None => Ok(snapshot),
        }
    }

    /// The path of a document as a prompt may show it, if the document may be read.
    ///
    /// # Errors
    /// The reason why it may not.
    pub(super) async fn allowed(
        &self,
        uri: &str,
        lock: FileLock,
    ) -> Result<Option<String>, Silence> {
        let held = lock.lock_owned().await;
        let (workspace, uri) = (Arc::clone(&self.workspace), uri.to_owned());
        let checked = tokio::task::spawn_blocking(move || {
            let _held = held;
            workspace.check(&uri).map(|()| workspace.shown_path(&uri))
        });
        match checked.await {
            Ok(checked) => checked,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime ends.
            Err(_) => Err(Silence::Cancelled),
        }
    }

    /// How long a request waits from `now` on that nobody made by hand.
    ///
    /// # Errors
    /// The reason why it is not asked at all.
    pub(super) fn automatic(
        &self,
        config: &Config,
        snapshot: &Snapshot,
        around: &Around,
        now: Instant,
    ) -> Result<Duration, Silence> {
        let settings = &config.suggest;
        if !settings.automatic {
            return Err(Silence::AutomaticOff);
        }
        let site = Site {
            before: &around.prefix,
            after: &around.suffix,
            after_deletion: snapshot.typing.last_kind() == Some(EditKind::Deletion),
        };
        let bounds = Bounds {
            shortest: Duration::from_millis(settings.delay_min_ms),
            longest: Duration::from_millis(settings.delay_max_ms),
        };
        match delay(&site, snapshot.typing.interval(), self.latency(), bounds) {
            Delay::Never(Quiet::AfterDeletion) => Err(Silence::AfterDeletion),
            Delay::Never(Quiet::InsideWord) => Err(Silence::InsideWord),
            // Editors wait by themselves before they ask; that time counts.
            Delay::Wait(wait) => Ok(match snapshot.typing.last_at() {
                Some(at) => wait.saturating_sub(now.saturating_duration_since(at)),
                None => wait,
            }),
        }
    }
}

/// The text around the cursor, if a suggestion is possible there.
///
/// # Errors
/// The reason why not.
pub fn place(config: &Config, snapshot: &Snapshot, ask: &Ask) -> Result<Around, Silence> {
    let nowhere = |error: PositionError| Silence::NoSuchPosition(error.to_string());
    let cursor = cursor(snapshot, ask).map_err(nowhere)?;
    eligible::check(config, snapshot, cursor)?;
    around(snapshot, ask).map_err(nowhere)
}
