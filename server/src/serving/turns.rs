//! Who waits for a pause in the typing, and what ends the waiting early: a newer request
//! or another edit of the same document.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::silence::Silence;

/// What happened to a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Happened {
    /// Number of the newest request.
    newest: u64,
    /// The last happening was an edit, not a request.
    edited: bool,
}

/// Held by who asks the file system about a document.
pub type FileLock = Arc<tokio::sync::Mutex<()>>;

/// An open document.
#[derive(Default)]
struct Document {
    happened: watch::Sender<Happened>,
    file: FileLock,
}

/// The last happening of each open document.
#[derive(Default)]
pub struct Turns {
    documents: Mutex<HashMap<String, Document>>,
    last: AtomicU64,
}

/// A request's turn: it lasts until something newer happens to the document.
pub struct Turn {
    number: u64,
    happened: watch::Receiver<Happened>,
    file: FileLock,
    /// Of a document that is not open, to which nothing else happens.
    _own: Option<watch::Sender<Happened>>,
}

impl Turns {
    /// A document was opened; opened again, it is as if it was edited.
    pub fn opened(&self, uri: &str) {
        self.lock().entry(uri.to_owned()).or_default();
        self.edited(uri);
    }

    /// A request came; it ends the turn of the one before.
    pub fn asked(&self, uri: &str) -> Turn {
        let documents = self.lock();
        let number = self.number();
        let happened = Happened {
            newest: number,
            edited: false,
        };
        match documents.get(uri) {
            Some(document) => {
                document.happened.send_replace(happened);
                Turn {
                    number,
                    happened: document.happened.subscribe(),
                    file: Arc::clone(&document.file),
                    _own: None,
                }
            }
            None => {
                let own = watch::Sender::new(happened);
                Turn {
                    number,
                    happened: own.subscribe(),
                    file: FileLock::default(),
                    _own: Some(own),
                }
            }
        }
    }

    /// A number for what happens now: larger than that of each request before.
    pub fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An edit came; it ends the turn of who waits.
    pub fn edited(&self, uri: &str) {
        if let Some(document) = self.lock().get(uri) {
            document
                .happened
                .send_modify(|happened| happened.edited = true);
        }
    }

    /// The lock of a document's file.
    pub fn file_lock(&self, uri: &str) -> FileLock {
        let documents = self.lock();
        let document = documents.get(uri);
        document.map_or_else(FileLock::default, |document| Arc::clone(&document.file))
    }

    /// The document was closed.
    pub fn forget(&self, uri: &str) {
        self.lock().remove(uri);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Document>> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// The order of asking: the newer of two requests has the larger number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The lock of the document's file.
    pub fn file_lock(&self) -> FileLock {
        Arc::clone(&self.file)
    }

    /// Does some work that may take long. An edit does not end it.
    ///
    /// # Errors
    /// [`Silence::Superseded`] as soon as a newer request came, or the work's own.
    pub async fn unless_newer<T>(
        &self,
        work: impl Future<Output = Result<T, Silence>>,
    ) -> Result<T, Silence> {
        // Another receiver, so that an edit meanwhile is still new to who waits afterwards.
        let mut happened = self.happened.clone();
        tokio::select! {
            biased;
            done = work => done,
            newer = happened.wait_for(|happened| happened.newest != self.number) => match newer {
                Ok(_) => Err(Silence::Superseded),
                Err(_) => Err(Silence::NotOpen),
            },
        }
    }

    /// Whether no newer request came.
    ///
    /// # Errors
    /// [`Silence::Superseded`] where one did.
    pub fn check_newest(&self) -> Result<(), Silence> {
        match self.happened.borrow().newest == self.number {
            true => Ok(()),
            false => Err(Silence::Superseded),
        }
    }

    /// Waits until a newer request comes; what was begun for this one is then of no use.
    pub async fn superseded(&mut self) -> Silence {
        loop {
            if let Err(silence) = self.check_newest() {
                return silence;
            }
            if self.happened.changed().await.is_err() {
                return Silence::NotOpen;
            }
        }
    }

    /// Waits so long.
    ///
    /// # Errors
    /// [`Silence::Superseded`] or [`Silence::TypedOn`] as soon as the turn ends.
    pub async fn wait(&mut self, duration: Duration) -> Result<(), Silence> {
        if duration.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            changed = self.happened.changed() => {
                changed.map_err(|_| Silence::NotOpen)?;
                self.check_newest()?;
                Err(Silence::TypedOn)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_turn_ends_with_what_happens_next() {
        let turns = Turns::default();
        turns.opened("a");
        turns.opened("b");
        let mut turn = turns.asked("a");
        let mut other = turns.asked("b");
        assert_eq!(other.wait(Duration::from_millis(1)).await, Ok(()));
        turns.edited("a");
        assert_eq!(turn.wait(LONG).await, Err(Silence::TypedOn));
        let mut turn = turns.asked("a");
        let mut newer = turns.asked("a");
        assert!(turn.number() < newer.number());
        assert_eq!(newer.check_newest(), Ok(()));
        assert_eq!(turn.check_newest(), Err(Silence::Superseded));
        assert_eq!(turn.wait(LONG).await, Err(Silence::Superseded));
        assert_eq!(turn.superseded().await, Silence::Superseded);
        turns.edited("a");
        let edited = tokio::time::timeout(Duration::from_millis(20), newer.superseded());
        assert!(edited.await.is_err(), "an edit alone ends no work");
        turns.forget("a");
        assert_eq!(newer.superseded().await, Silence::NotOpen);
        assert_eq!(newer.wait(LONG).await, Err(Silence::NotOpen));
    }
    #[tokio::test]
    async fn an_edit_during_work_is_still_new_afterwards() {
        let turns = Turns::default();
        turns.opened("a");
        let mut turn = turns.asked("a");
        let work = async {
            turns.edited("a");
            tokio::task::yield_now().await;
            Ok(7)
        };
        assert_eq!(turn.unless_newer(work).await, Ok(7));
        assert_eq!(turn.wait(LONG).await, Err(Silence::TypedOn));
    }

    #[tokio::test]
    async fn work_without_end_ends_with_a_newer_request_or_the_document() {
        let turns = Turns::default();
        turns.opened("a");
        let turn = turns.asked("a");
        let hangs = || std::future::pending::<Result<(), Silence>>();
        let older = turn.unless_newer(hangs());
        let newer = turns.asked("a");
        assert_eq!(older.await, Err(Silence::Superseded));
        let older = newer.unless_newer(hangs());
        turns.forget("a");
        assert_eq!(older.await, Err(Silence::NotOpen));
    }

    #[tokio::test]
    async fn a_document_that_is_not_open_leaves_nothing_behind() {
        let turns = Turns::default();
        let turn = turns.asked("a");
        assert_eq!(turn.unless_newer(async { Ok(7) }).await, Ok(7));
        assert_eq!(turn.check_newest(), Ok(()));
        assert!(turns.lock().is_empty());
    }
}
