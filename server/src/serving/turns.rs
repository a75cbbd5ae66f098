//! Who waits for a pause in the typing, and what ends the waiting early: a newer request
//! or another edit of the same document.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
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

/// The last happening of each document.
#[derive(Default)]
pub struct Turns {
    documents: Mutex<HashMap<String, watch::Sender<Happened>>>,
    asked: AtomicU64,
}

/// A request's turn: it lasts until something newer happens to the document.
pub struct Turn {
    number: u64,
    happened: watch::Receiver<Happened>,
}

impl Turns {
    /// A request came; it ends the turn of the one before.
    pub fn asked(&self, uri: &str) -> Turn {
        let mut documents = self.lock();
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let sender = documents
            .entry(uri.to_owned())
            .or_insert_with(|| watch::Sender::new(Happened::default()));
        sender.send_replace(Happened {
            newest: number,
            edited: false,
        });
        Turn {
            number,
            happened: sender.subscribe(),
        }
    }

    /// An edit came; it ends the turn of who waits.
    pub fn edited(&self, uri: &str) {
        if let Some(sender) = self.lock().get(uri) {
            sender.send_modify(|happened| happened.edited = true);
        }
    }

    /// The document was closed.
    pub fn forget(&self, uri: &str) {
        self.lock().remove(uri);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Happened>>> {
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
}
