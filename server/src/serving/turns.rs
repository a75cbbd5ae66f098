//! Who waits for a pause in the typing, and what ends the waiting early: a newer request
//! or another edit of the same document.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::silence::Silence;

/// What happened last to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Asked,
    Edited,
}

/// The last happening of each document.
#[derive(Default)]
pub struct Turns {
    documents: Mutex<HashMap<String, watch::Sender<Last>>>,
}

/// A request's turn: it lasts until something newer happens to the document.
pub struct Turn(watch::Receiver<Last>);

impl Turns {
    /// A request came; it ends the turn of the one before.
    pub fn asked(&self, uri: &str) -> Turn {
        let mut documents = self.lock();
        let sender = documents
            .entry(uri.to_owned())
            .or_insert_with(|| watch::Sender::new(Last::Asked));
        sender.send_replace(Last::Asked);
        Turn(sender.subscribe())
    }

    /// An edit came; it ends the turn of who waits.
    pub fn edited(&self, uri: &str) {
        if let Some(sender) = self.lock().get(uri) {
            sender.send_replace(Last::Edited);
        }
    }

    /// The document was closed.
    pub fn forget(&self, uri: &str) {
        self.lock().remove(uri);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Last>>> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
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
            changed = self.0.changed() => Err(match changed.map(|()| *self.0.borrow()) {
                Ok(Last::Asked) => Silence::Superseded,
                Ok(Last::Edited) => Silence::TypedOn,
                Err(_) => Silence::NotOpen,
            }),
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
        assert_eq!(turn.wait(LONG).await, Err(Silence::Superseded));
        turns.forget("a");
        assert_eq!(newer.wait(LONG).await, Err(Silence::NotOpen));
    }
}
