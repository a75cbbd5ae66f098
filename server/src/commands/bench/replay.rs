//! Plays a trace against whoever completes, in real time, and notes what each key got.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::trace::{Habit, Player, Session, Stroke, typed_in};

/// Text and cursor as the editor has them.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// The whole document.
    pub text: String,
    /// Byte offset of the cursor.
    pub cursor: usize,
}

/// A change of the buffer, in bytes of the text before it.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Start of what is replaced.
    pub start: usize,
    /// End of what is replaced.
    pub end: usize,
    /// What stands there afterwards.
    pub text: String,
}

/// What came back for the newest request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// When it was complete.
    pub at: Instant,
    /// When its first token was seen, where the peer tells it.
    pub first_token: Option<Instant>,
    /// The text to insert at the cursor; `None` for no suggestion.
    pub suggestion: Option<String>,
}

/// Whoever completes: our server, or another engine's.
pub trait Peer {
    /// The document as it is before the first key.
    fn open(&mut self, buffer: &Buffer) -> Result<()>;
    /// The buffer changed: `before` is the text that `edit` applies to. An open request is
    /// cancelled.
    fn change(&mut self, before: &str, edit: &Edit) -> Result<()>;
    /// Asks for a suggestion at the cursor; an older request is cancelled.
    fn ask(&mut self, buffer: &Buffer) -> Result<()>;
    /// The answer to the newest request, if it comes within `wait`.
    fn answer(&mut self, wait: Duration) -> Result<Option<Answer>>;
    /// The suggestion was taken.
    fn accept(&mut self) -> Result<()>;
    /// The document is closed.
    fn close(&mut self) -> Result<()>;
}

/// How fast the keys come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A key every so often, whether there is an answer or not.
    Every {
        /// The mean time from key to key within a word.
        interval: Duration,
        /// Uneven as a person's: longer after a word, a mark and above all a line.
        human: bool,
    },
    /// The next key waits for the answer, so that each request is answered.
    Answered,
}

/// What one key got.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// From the key to the complete answer, milliseconds; `None` where the next key came first.
    pub reply_ms: Option<f64>,
    /// From the key to the first token, where the peer tells it.
    pub first_token_ms: Option<f64>,
    /// There was a suggestion.
    pub suggested: bool,
}

/// What a whole session got.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// One for each key that asked.
    pub keys: Vec<Key>,
    /// Characters that a person would have typed without suggestions.
    pub characters: usize,
    /// Those of them that came from accepted suggestions.
    pub accepted_characters: usize,
    /// Suggestions accepted.
    pub accepts: usize,
}

/// An answer that takes longer than this counts as none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Plays one session.
///
/// A suggestion is accepted if and only if the whole of it equals the next characters of the file.
///
/// # Errors
/// Where the peer is gone.
pub fn play(
    peer: &mut dyn Peer,
    session: &Session,
    habit: Habit,
    seed: u64,
    pace: Pace,
) -> Result<Played> {
    let mut replay = Replay {
        peer,
        buffer: Buffer {
            text: session.start_text.clone(),
            cursor: session.cursor,
        },
        player: Player::new(session, habit, seed),
        played: Played {
            characters: session.typed_characters(),
            ..Played::default()
        },
        pace,
        asked: None,
    };
    replay.peer.open(&replay.buffer)?;
    let mut rhythm = Rhythm::new(seed);
    let mut due = Instant::now();
    loop {
        // An accepted suggestion changes what the next stroke is.
        replay.until(due)?;
        let Some(stroke) = replay.player.next_stroke() else {
            break;
        };
        if let Pace::Every { interval, human } = pace {
            let times = if human { rhythm.next(&stroke) } else { 1.0 };
            due = Instant::now() + interval.mul_f64(times);
        }
        replay.stroke(stroke)?;
    }
    replay.until(due)?;
    replay.peer.close()?;
    Ok(replay.played)
}

/// How long a person takes to the next key, in multiples of the pace.
struct Rhythm(ChaCha8Rng);

impl Rhythm {
    fn new(seed: u64) -> Self {
        // A stream of its own: the same keys come at every pace.
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(1);
        Self(random)
    }

    fn next(&mut self, stroke: &Stroke) -> f64 {
        let steady = self.0.random_range(0.6..1.4);
        let pause = match stroke {
            Stroke::Insert { text } if text.contains('\n') => self.0.random_range(3.0..8.0),
            Stroke::Insert { text } if text.ends_with(|c: char| !c.is_alphanumeric()) => {
                self.0.random_range(1.0..3.0)
            }
            Stroke::Jump { .. } => 4.0,
            Stroke::Insert { .. } | Stroke::Delete { .. } => 1.0,
        };
        steady * pause
    }
}

struct Replay<'a> {
    peer: &'a mut dyn Peer,
    buffer: Buffer,
    player: Player,
    played: Played,
    pace: Pace,
    /// When the key that the open request belongs to was struck.
    asked: Option<Instant>,
}

impl Replay<'_> {
    /// Waits for the answer, at most until the next key is due, and takes it where it fits.
    fn until(&mut self, due: Instant) -> Result<()> {
        while let Some(struck) = self.asked.take() {
            let wait = match self.pace {
                Pace::Every { .. } => due.saturating_duration_since(Instant::now()),
                Pace::Answered => PATIENCE,
            };
            let Some(answer) = self.peer.answer(wait)? else {
                self.played.keys.push(Key::default());
                break;
            };
            let since = |at: Instant| at.saturating_duration_since(struck).as_secs_f64() * 1e3;
            self.played.keys.push(Key {
                reply_ms: Some(since(answer.at)),
                first_token_ms: answer.first_token.map(since),
                suggested: answer.suggestion.is_some(),
            });
            if let Some(suggestion) = answer.suggestion {
                self.take(&suggestion)?;
            }
        }
        let left = due.saturating_duration_since(Instant::now());
        if matches!(self.pace, Pace::Every { .. }) && !left.is_zero() {
            std::thread::sleep(left);
        }
        Ok(())
    }

    /// Accepts a suggestion that says exactly what comes next.
    fn take(&mut self, suggestion: &str) -> Result<()> {
        let here = self.buffer.cursor == self.player.place();
        if !here || suggestion.is_empty() || !self.player.rest().starts_with(suggestion) {
            return Ok(());
        }
        let fresh = self.player.fresh_part(suggestion);
        self.played.accepts += 1;
        self.played.accepted_characters += typed_in(fresh);
        self.player.accepted(suggestion.len());
        self.peer.accept()?;
        self.insert(suggestion)?;
        self.ask(Instant::now())
    }

    fn stroke(&mut self, stroke: Stroke) -> Result<()> {
        let struck = Instant::now();
        match stroke {
            Stroke::Jump { to } => self.buffer.cursor = to,
            Stroke::Insert { text } => {
                self.insert(&text)?;
                self.ask(struck)?;
            }
            Stroke::Delete { bytes } => {
                let start = self.buffer.cursor - bytes;
                self.change(Edit {
                    start,
                    end: self.buffer.cursor,
                    text: String::new(),
                })?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, struck: Instant) -> Result<()> {
        self.asked = Some(struck);
        self.peer.ask(&self.buffer)
    }

    fn insert(&mut self, text: &str) -> Result<()> {
        let at = self.buffer.cursor;
        self.change(Edit {
            start: at,
            end: at,
            text: text.to_owned(),
        })
    }

    fn change(&mut self, edit: Edit) -> Result<()> {
        self.peer.change(&self.buffer.text, &edit)?;
        self.buffer
            .text
            .replace_range(edit.start..edit.end, &edit.text);
        self.buffer.cursor = edit.start + edit.text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::trace::session;

    const TEXT: &str = "a\nfor item in items:\n    print(item)\nb\n";

    /// Suggests the rest of the line where it stands in `TEXT`, every second time.
    #[derive(Default)]
    struct Oracle {
        text: String,
        asks: usize,
        suggestion: Option<String>,
        accepts: usize,
    }

    impl Peer for Oracle {
        fn open(&mut self, buffer: &Buffer) -> Result<()> {
            self.text = buffer.text.clone();
            Ok(())
        }
        fn change(&mut self, before: &str, edit: &Edit) -> Result<()> {
            assert_eq!(before, self.text);
            self.text.replace_range(edit.start..edit.end, &edit.text);
            Ok(())
        }
        fn ask(&mut self, buffer: &Buffer) -> Result<()> {
            self.asks += 1;
            let rest = TEXT
                .strip_prefix(&buffer.text[..buffer.cursor])
                .unwrap_or_default();
            let line = rest.split('\n').next().unwrap_or_default();
            let wrong = self.asks.is_multiple_of(2);
            self.suggestion = Some(if wrong {
                format!("{line}?")
            } else {
                line.to_owned()
            });
            Ok(())
        }
        fn answer(&mut self, _wait: Duration) -> Result<Option<Answer>> {
            let at = Instant::now();
            Ok(Some(Answer {
                at,
                first_token: None,
                suggestion: self.suggestion.take(),
            }))
        }
        fn accept(&mut self) -> Result<()> {
            self.accepts += 1;
            Ok(())
        }
        fn close(&mut self) -> Result<()> {
            assert_eq!(self.text, TEXT);
            Ok(())
        }
    }

    #[test]
    fn whole_right_suggestions_are_accepted_and_counted_once() {
        let session = session(TEXT, 2, 2).expect("lines");
        let mut peer = Oracle::default();
        let played = play(&mut peer, &session, Habit::Append, 1, Pace::Answered).expect("plays");
        assert_eq!(played.characters, 18 + 1 + 11);
        assert_eq!((played.accepts, peer.accepts), (2, 2));
        // "f" was typed, the rest of the line accepted; the same at "p".
        assert!(played.accepted_characters >= 17 + 10, "{played:?}");
    }

    #[test]
    fn what_was_typed_before_saves_nothing_again() {
        let text = format!("{}\n", "abcdefghij".repeat(40));
        let session = session(&text, 1, 1).expect("lines");
        for seed in 0..20 {
            let mut player = Player::new(&session, Habit::Mixed, seed);
            let mut fresh = 0;
            while player.next_stroke().is_some() {
                let rest = player.rest().to_owned();
                fresh = player.fresh_part(&rest).len();
                assert!(fresh <= rest.len());
            }
            assert_eq!(fresh, 0);
        }
    }
}
