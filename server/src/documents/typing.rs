//! How the user types: what the last edit was and how fast keys follow each other.

use std::time::{Duration, Instant};

/// What an edit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditKind {
    /// Text was added, as by typing.
    Insertion,
    /// Much text was added at once, as by pasting or accepting a suggestion.
    Paste,
    /// Text was removed.
    Deletion,
    /// Text took the place of other text.
    Replacement,
}

/// Added characters from which an edit is a paste. Longer than what one key adds
/// with auto-indentation and closing brackets, shorter than most suggestions.
const PASTE_CHARS: usize = 40;

/// A longer pause is not typing, so it says nothing about the typing speed.
const PAUSE: Duration = Duration::from_millis(2000);

/// Weight of the newest interval in the moving average.
const NEWEST: f64 = 0.25;

impl EditKind {
    /// The kind of an edit that takes away and adds so many characters; `None` where
    /// it does neither.
    pub fn of(removed: usize, added: usize) -> Option<Self> {
        match (removed, added) {
            (0, 0) => None,
            (_, 0) => Some(Self::Deletion),
            (0, added) if added >= PASTE_CHARS => Some(Self::Paste),
            (0, _) => Some(Self::Insertion),
            _ => Some(Self::Replacement),
        }
    }
}

/// Statistics of one document's edits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Typing {
    last: Option<(EditKind, Instant)>,
    interval_ms: Option<f64>,
}

impl Typing {
    /// Takes note of an edit.
    pub fn note(&mut self, kind: EditKind, now: Instant) {
        if kind == EditKind::Insertion
            && let Some((EditKind::Insertion, before)) = self.last
        {
            let gap = now.saturating_duration_since(before);
            if gap <= PAUSE {
                let gap = gap.as_secs_f64() * 1000.0;
                let mean = self.interval_ms.unwrap_or(gap);
                self.interval_ms = Some(mean + NEWEST * (gap - mean));
            }
        }
        self.last = Some((kind, now));
    }

    /// The last edit's kind, if there was one since the document was opened.
    pub fn last_kind(&self) -> Option<EditKind> {
        self.last.map(|(kind, _)| kind)
    }

    /// When the last edit came.
    pub fn last_at(&self) -> Option<Instant> {
        self.last.map(|(_, at)| at)
    }

    /// Mean time between keys while typing; `None` until two keys followed each other.
    pub fn interval(&self) -> Option<Duration> {
        self.interval_ms
            .map(|ms| Duration::from_secs_f64(ms / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_from_what_was_removed_and_added() {
        assert_eq!(EditKind::of(0, 0), None);
        assert_eq!(EditKind::of(0, 1), Some(EditKind::Insertion));
        assert_eq!(EditKind::of(0, 40), Some(EditKind::Paste));
        assert_eq!(EditKind::of(3, 0), Some(EditKind::Deletion));
        assert_eq!(EditKind::of(3, 5), Some(EditKind::Replacement));
    }

    #[test]
    fn the_interval_follows_the_keys_and_skips_pauses() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut typing = Typing::default();
        typing.note(EditKind::Insertion, at(0));
        assert_eq!(typing.interval(), None);
        typing.note(EditKind::Insertion, at(100));
        assert_eq!(typing.interval(), Some(Duration::from_millis(100)));
        typing.note(EditKind::Insertion, at(5000));
        assert_eq!(typing.interval(), Some(Duration::from_millis(100)));
        typing.note(EditKind::Insertion, at(5200));
        assert_eq!(typing.interval(), Some(Duration::from_millis(125)));
        typing.note(EditKind::Deletion, at(5210));
        assert_eq!(typing.interval(), Some(Duration::from_millis(125)));
        assert_eq!(typing.last_kind(), Some(EditKind::Deletion));
    }
}
