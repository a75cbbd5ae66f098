//! What a developer does to a file, key by key: made from the real file, by rules and a seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Which habits a trace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Types from the first to the last character.
    Append,
    /// Also deletes and retypes, jumps to a line above, edits there and returns, and pastes.
    Mixed,
}

/// One event that the editor reports as one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// Puts the cursor at a byte of the text, a character's start; nothing changes.
    Jump {
        /// Byte offset in the text as it is then.
        to: usize,
    },
    /// Inserts at the cursor: a key, Enter with the indentation that the editor adds, or a paste.
    Insert {
        /// The text.
        text: String,
    },
    /// Deletes this many bytes before the cursor.
    Delete {
        /// A whole character's.
        bytes: usize,
    },
}

/// A part of the file that is typed in one place.
#[derive(Clone, Debug)]
pub struct Session {
    /// The file without the typed part, and where the cursor stands in it.
    pub start_text: String,
    /// Byte offset of the cursor in `start_text`.
    pub cursor: usize,
    /// What is to be typed there.
    pub target: String,
}

/// The typed part of `text`: `lines` lines from `first_line` (from 1) are taken out, to be typed
/// again. `None` where the file has no such lines or they are blank.
pub fn session(text: &str, first_line: usize, lines: usize) -> Option<Session> {
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let begin = *starts.get(first_line.checked_sub(1)?)?;
    let end = starts
        .get(first_line - 1 + lines)
        .map_or(text.len(), |end| end - 1);
    let target = text.get(begin..end)?;
    if target.trim().is_empty() {
        return None;
    }
    // The editor has indented the first line already.
    let indent = target.len() - target.trim_start_matches([' ', '\t']).len();
    let mut start_text = String::with_capacity(text.len());
    start_text.push_str(&text[..begin + indent]);
    start_text.push_str(&text[end..]);
    Some(Session {
        start_text,
        cursor: begin + indent,
        target: target[indent..].to_owned(),
    })
}

impl Session {
    /// Characters that a person types for the target: all but the indentation of its lines.
    pub fn typed_characters(&self) -> usize {
        typed_in(&self.target)
    }
}

/// Characters of `text` that a person types: the indentation after a line's end is the editor's.
pub fn typed_in(text: &str) -> usize {
    let mut rest = text;
    let mut count = 0;
    while let Some(key) = next_key(rest) {
        count += key.typed;
        rest = &rest[key.bytes..];
    }
    count
}

/// The next thing that a person's key inserts.
struct Key {
    bytes: usize,
    typed: usize,
}

fn next_key(rest: &str) -> Option<Key> {
    let first = rest.chars().next()?;
    if first == '\n' || rest.starts_with("\r\n") {
        let line_end = if first == '\n' { 1 } else { 2 };
        let indent = rest[line_end..].find(|c| c != ' ' && c != '\t');
        let indent = indent.unwrap_or(rest.len() - line_end);
        return Some(Key {
            bytes: line_end + indent,
            typed: 1,
        });
    }
    Some(Key {
        bytes: first.len_utf8(),
        typed: 1,
    })
}

/// Plays a session: gives the strokes one by one and is told what was accepted in between.
pub struct Player {
    target: String,
    done: usize,
    habit: Habit,
    random: ChaCha8Rng,
    /// Bytes that were deleted and are to be typed again count as typed but not as progress.
    retype: usize,
    queued: Vec<Stroke>,
    home: usize,
    /// Ends of the lines above the typed part, in bytes: where a jump goes to.
    line_ends: Vec<usize>,
}

impl Player {
    /// A player at the session's start.
    pub fn new(session: &Session, habit: Habit, seed: u64) -> Self {
        Self {
            target: session.target.clone(),
            done: 0,
            habit,
            random: ChaCha8Rng::seed_from_u64(seed),
            retype: 0,
            queued: Vec::new(),
            home: session.cursor,
            line_ends: line_ends(&session.start_text[..session.cursor]),
        }
    }

    /// What is still to be typed.
    pub fn rest(&self) -> &str {
        &self.target[self.done..]
    }

    /// Where the next key belongs, in bytes of the text; after a jump the cursor stands elsewhere.
    pub fn place(&self) -> usize {
        self.home + self.done
    }

    /// The part of what comes next that was not typed before.
    pub fn fresh_part<'a>(&self, next: &'a str) -> &'a str {
        let old = self.retype.saturating_sub(self.done).min(next.len());
        &next[old..]
    }

    /// A suggestion equal to the start of [`Player::rest`] was accepted: this many bytes.
    pub fn accepted(&mut self, bytes: usize) {
        self.done += bytes;
    }

    /// The next stroke; `None` at the end.
    pub fn next_stroke(&mut self) -> Option<Stroke> {
        if let Some(stroke) = self.queued.pop() {
            return Some(stroke);
        }
        if self.habit == Habit::Mixed && self.done < self.target.len() {
            match self.random.random_range(0..200u32) {
                0..4 => return Some(self.delete()),
                4..6 => return Some(self.jump()),
                6 => return Some(self.paste()),
                _ => {}
            }
        }
        self.key()
    }

    fn key(&mut self) -> Option<Stroke> {
        let key = next_key(self.rest())?;
        let text = self.rest()[..key.bytes].to_owned();
        self.done += key.bytes;
        Some(Stroke::Insert { text })
    }

    /// Backspace over a few characters, which are then typed again.
    fn delete(&mut self) -> Stroke {
        let wanted = self.random.random_range(1..9usize);
        let line = self.target[..self.done].rfind('\n').map_or(0, |at| at + 1);
        let back: usize = self.target[line..self.done]
            .chars()
            .rev()
            .take(wanted)
            .map(char::len_utf8)
            .sum();
        if back == 0 {
            return self.key().unwrap_or(Stroke::Jump { to: self.home });
        }
        self.retype = self.retype.max(self.done);
        let mut chars = self.target[self.done - back..self.done].chars();
        let first = chars.next_back().map_or(0, char::len_utf8);
        for c in chars {
            self.queued.push(Stroke::Delete {
                bytes: c.len_utf8(),
            });
        }
        self.done -= back;
        Stroke::Delete { bytes: first }
    }

    /// A key at the end of a line above, which is taken back, and then the jump back: the text
    /// above the cursor was another one for a moment.
    fn jump(&mut self) -> Stroke {
        let here = self.place();
        if self.line_ends.is_empty() {
            return self.key().unwrap_or(Stroke::Jump { to: here });
        }
        let place = self.random.random_range(0..self.line_ends.len());
        self.queued.push(Stroke::Jump { to: here });
        self.queued.push(Stroke::Delete { bytes: 1 });
        self.queued.push(Stroke::Insert { text: "x".into() });
        Stroke::Jump {
            to: self.line_ends[place],
        }
    }

    /// The rest of the line comes from the clipboard.
    fn paste(&mut self) -> Stroke {
        let end = self.rest().find('\n').unwrap_or(self.rest().len());
        if end == 0 {
            return self.key().unwrap_or(Stroke::Jump { to: self.home });
        }
        let text = self.rest()[..end].to_owned();
        self.done += end;
        Stroke::Insert { text }
    }
}

/// Lines above that a jump may reach.
const REACH: usize = 100;

fn line_ends(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at);
    ends.rev().take(REACH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "fn a() {\n    let x = 1;\n    if x > 0 {\n        run(x, \"é\");\n    }\n}\n";

    #[test]
    fn the_typed_part_is_taken_out_and_its_indentation_is_the_editors() {
        let session = session(TEXT, 2, 3).expect("lines");
        assert_eq!(
            session.target,
            "let x = 1;\n    if x > 0 {\n        run(x, \"é\");"
        );
        assert_eq!(&session.start_text[..session.cursor], "fn a() {\n    ");
        assert_eq!(&session.start_text[session.cursor..], "\n    }\n}\n");
        assert_eq!(session.typed_characters(), 10 + 1 + 10 + 1 + 12);
    }

    #[test]
    fn lines_that_are_not_there_are_refused() {
        assert!(session(TEXT, 0, 1).is_none());
        assert!(session(TEXT, 40, 1).is_none());
        assert!(session("a\n\n\nb", 2, 2).is_none());
    }

    /// Whatever the habits, the text ends as the file is, and every character counts once.
    #[test]
    fn every_trace_ends_at_the_files_own_text() {
        let session = session(TEXT, 2, 4).expect("lines");
        let mut jumped = 0;
        for (habit, seeds) in [(Habit::Append, 0..1), (Habit::Mixed, 0..200)] {
            for seed in seeds {
                let mut player = Player::new(&session, habit, seed);
                let (mut text, mut cursor) = (session.start_text.clone(), session.cursor);
                let (mut keys, mut elsewhere) = (0, 0);
                while let Some(stroke) = player.next_stroke() {
                    match stroke {
                        Stroke::Jump { to } => {
                            assert!(text.is_char_boundary(to));
                            cursor = to;
                        }
                        Stroke::Insert { text: new } => {
                            text.insert_str(cursor, &new);
                            keys += 1;
                            elsewhere += usize::from(cursor < session.cursor);
                            cursor += new.len();
                        }
                        Stroke::Delete { bytes } => {
                            text.replace_range(cursor - bytes..cursor, "");
                            cursor -= bytes;
                        }
                    }
                }
                assert_eq!(text, TEXT, "{habit:?} {seed}");
                match habit {
                    Habit::Append => assert_eq!(keys, session.typed_characters()),
                    Habit::Mixed => jumped += elsewhere,
                }
            }
        }
        assert!(jumped > 20, "{jumped} keys elsewhere");
    }
}
