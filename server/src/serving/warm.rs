//! Brings a document's KV session up to date before it is asked for: when it is opened,
//! and when the typing rests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Serving;
use super::ask::{Ask, Trigger};
use super::generate::{Order, never, ready, request};
use super::prepare::place;
use crate::documents::{ByteOffset, CharOffset, Encoding, Snapshot};
use crate::engine::{EngineRequest, EngineState, RenderedPrompt};
use crate::silence::Silence;

/// Rest after an edit from which on the session is warmed.
const REST: Duration = Duration::from_millis(400);

impl Serving {
    /// Warms a document that was just opened, at its end or where it was edited last.
    pub fn warm_opened(self: &Arc<Self>, uri: &str) {
        self.warm_later(uri, Duration::ZERO);
    }

    /// Warms a document after a rest, unless it changes meanwhile.
    pub fn warm_rested(self: &Arc<Self>, uri: &str) {
        self.warm_later(uri, REST);
    }

    /// Warms every open document: another engine has no session of any.
    pub fn warm_all(self: &Arc<Self>) {
        for uri in self.documents.uris() {
            self.warm_later(&uri, Duration::ZERO);
        }
    }

    fn warm_later(self: &Arc<Self>, uri: &str, rest: Duration) {
        let serving = Arc::clone(self);
        let uri = uri.to_owned();
        let version = self.documents.version(&uri);
        tokio::spawn(async move {
            tokio::time::sleep(rest).await;
            if let Some(engine) = serving.engine() {
                let mut states = engine.watch();
                // A document that was opened while the model was being opened is warmed then.
                let _ = states
                    .wait_for(|state| *state != EngineState::Loading)
                    .await;
            }
            if serving.documents.version(&uri) == version {
                serving.warm(&uri, version).await;
            }
        });
    }

    /// Queues the warming, if a suggestion is possible at the place.
    async fn warm(&self, uri: &str, version: Option<i32>) {
        let Ok(snapshot) = self.documents.snapshot(uri) else {
            return;
        };
        let end = CharOffset(snapshot.rope.len_chars());
        let at = snapshot.edited.unwrap_or(end).0.min(end.0);
        let byte = ByteOffset(snapshot.rope.char_to_byte(at));
        let ask = Ask {
            uri: uri.to_owned(),
            position: snapshot.position(byte, Encoding::Utf8),
            encoding: Encoding::Utf8,
            trigger: Trigger::Automatic,
            selected: None,
            version: None,
            menu: false,
        };
        let allowed = self.allowed(uri, self.turns.file_lock(uri)).await;
        if self.documents.version(uri) != version {
            return;
        }
        let request = allowed.and_then(|path| self.request_at(&ask, &snapshot, path));
        let (Ok(request), Ok(engine)) = (request, ready(self.engine())) else {
            return;
        };
        // Its arm's session alone: nobody asks another one for this document now.
        if let Some(lineup) = engine.lineup() {
            let assigned = self.assigned(&lineup, uri);
            engine.warm(assigned.slot.engine, request);
        }
    }

    /// The exact prompt that the document's arm would get at a place.
    ///
    /// # Errors
    /// The reason why nothing would be asked.
    pub async fn prompt(&self, ask: &Ask) -> Result<RenderedPrompt, Silence> {
        let snapshot = self.snapshot(ask)?;
        let path = self
            .allowed(&ask.uri, self.turns.file_lock(&ask.uri))
            .await?;
        let request = self.request_at(ask, &snapshot, path)?;
        let engine = ready(self.engine())?;
        let slot = self.arm(&ask.uri).ok_or(Silence::ModelLoading)?;
        let rendered = engine.render(slot.engine, request).await;
        rendered.map_err(|error| Silence::EngineFailed(error.to_string()))
    }

    /// What the engine would be asked at a place, without a deadline.
    fn request_at(
        &self,
        ask: &Ask,
        snapshot: &Snapshot,
        path: Option<String>,
    ) -> Result<EngineRequest, Silence> {
        let config = self.config();
        let around = place(&config, snapshot, ask)?;
        let order = Order {
            uri: &ask.uri,
            around: &around,
            path,
            trigger: ask.trigger,
            max_new_tokens: config.suggest.line_tokens,
            make_stop: never(),
            begun: Instant::now(),
            sequence: 0,
        };
        Ok(EngineRequest {
            deadline: None,
            ..request(&config, &order)
        })
    }
}
