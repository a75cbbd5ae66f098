//! The way of one request.

use std::time::Instant;

use crate::config::Config;
use crate::documents::{EditKind, Snapshot};
use crate::silence::Silence;

use super::ask::{Ask, Suggestion, Trigger};
use super::generate::{Order, generate, never, ready};
use super::text::{Around, around, cursor};
use super::why::Verdict;
use super::{Serving, eligible};

/// Notes a request as cancelled unless it came to its end: its future was dropped.
struct Unanswered<'a> {
    serving: &'a Serving,
    uri: &'a str,
    answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.serving
                .note(self.uri, Verdict::silent(&Silence::Cancelled));
        }
    }
}

impl Serving {
    /// Suggestions for a request, best first. Dropping the future cancels the work.
    ///
    /// # Errors
    /// The reason for giving none.
    pub async fn suggest(&self, ask: &Ask) -> Result<Vec<Suggestion>, Silence> {
        let mut unanswered = Unanswered {
            serving: self,
            uri: &ask.uri,
            answered: false,
        };
        let result = self.try_suggest(ask).await;
        unanswered.answered = true;
        let verdict = match &result {
            Ok(suggestions) => Verdict::suggested(suggestions.len(), None),
            Err(silence) => Verdict::silent(silence),
        };
        self.note(&ask.uri, verdict);
        result
    }

    /// Whether there could be a suggestion at a place now, for `truefill.why`.
    ///
    /// # Errors
    /// The reason why not.
    pub fn eligible(&self, ask: &Ask) -> Result<(), Silence> {
        self.prepare(&self.config(), ask)?;
        ready(self.engine()).map(|_| ())
    }

    fn prepare(&self, config: &Config, ask: &Ask) -> Result<(Snapshot, Around), Silence> {
        let snapshot = self.documents.snapshot(&ask.uri)?;
        if let Some(asked) = ask.version.filter(|asked| *asked != snapshot.version) {
            return Err(Silence::OtherVersion {
                asked,
                current: snapshot.version,
            });
        }
        self.workspace.check(&ask.uri)?;
        let nowhere =
            |error: crate::documents::PositionError| Silence::NoSuchPosition(error.to_string());
        let cursor = cursor(&snapshot, ask).map_err(nowhere)?;
        eligible::check(config, &snapshot, cursor)?;
        let around = around(&snapshot, ask).map_err(nowhere)?;
        Ok((snapshot, around))
    }

    async fn try_suggest(&self, ask: &Ask) -> Result<Vec<Suggestion>, Silence> {
        let asked = Instant::now();
        let config = self.config();
        let (snapshot, around) = self.prepare(&config, ask)?;
        if ask.trigger == Trigger::Automatic {
            check_automatic(&config, &snapshot)?;
        }
        let engine = ready(self.engine())?;
        // From here on there is work to do, and the reader of messages should not wait for it.
        tokio::task::yield_now().await;
        let order = Order {
            uri: &ask.uri,
            around: &around,
            path: self.workspace.shown_path(&ask.uri),
            trigger: ask.trigger,
            max_new_tokens: config.suggest.line_tokens,
            make_stop: never(),
            asked,
        };
        let written = generate(&config, &engine, order).await?;
        let suggestion = |text: &str| Suggestion {
            id: ulid::Ulid::generate().to_string(),
            text: format!("{}{text}", around.selected),
            range: around.replaces,
        };
        Ok(written
            .samples
            .iter()
            .map(|sample| suggestion(&sample.text))
            .collect())
    }
}

/// What speaks against a suggestion that nobody asked for.
fn check_automatic(config: &Config, snapshot: &Snapshot) -> Result<(), Silence> {
    if !config.suggest.automatic {
        return Err(Silence::AutomaticOff);
    }
    match snapshot.typing.last_kind() {
        Some(EditKind::Deletion) => Err(Silence::AfterDeletion),
        _ => Ok(()),
    }
}
