//! Text from tokens whose borders fall inside characters.

/// Decodes bytes as they come and never gives out part of a character.
///
/// ```
/// # use truefill_model::tokenizer::Utf8Stream;
/// let mut stream = Utf8Stream::default();
/// assert_eq!(stream.push(b"caf\xc3"), "caf");
/// assert_eq!(stream.push(b"\xa9"), "é");
/// assert_eq!(stream.finish(), "");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Utf8Stream {
    /// The first bytes of a character that is not complete yet, at most 3.
    pending: Vec<u8>,
    text: String,
}

impl Utf8Stream {
    /// Takes bytes and returns the text that they complete. Bytes that no continuation can make
    /// valid become U+FFFD, in the places where [`String::from_utf8_lossy`] puts it.
    pub fn push(&mut self, bytes: &[u8]) -> &str {
        self.text.clear();
        self.pending.extend_from_slice(bytes);
        let mut chunks = self.pending.utf8_chunks().peekable();
        let mut kept = 0;
        while let Some(chunk) = chunks.next() {
            self.text.push_str(chunk.valid());
            if chunk.invalid().is_empty() {
                continue;
            }
            if chunks.peek().is_none() && may_continue(chunk.invalid()) {
                kept = chunk.invalid().len();
            } else {
                self.text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        let done = self.pending.len() - kept;
        self.pending.drain(..done);
        &self.text
    }

    /// What is left: nothing, or one U+FFFD for a character that was begun. The stream is as new
    /// afterwards.
    pub fn finish(&mut self) -> String {
        let left = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        left
    }
}

/// Whether the bytes begin a character, rather than being invalid whatever follows.
fn may_continue(bytes: &[u8]) -> bool {
    matches!(std::str::from_utf8(bytes), Err(error) if error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_wait_and_rubbish_does_not() {
        let mut stream = Utf8Stream::default();
        assert_eq!(stream.push(b"\xf0\x9f"), "");
        assert_eq!(stream.push(b"\x98\x80!"), "😀!");
        assert_eq!(stream.push(b"\xf0\x9fa"), "\u{fffd}a");
        assert_eq!(stream.push(b"\xff"), "\u{fffd}");
        assert_eq!(stream.push(b"\xe4\xb8"), "");
        assert_eq!(stream.finish(), "\u{fffd}");
        assert_eq!(stream.finish(), "");
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_text(bytes in prop::collection::vec(any::<u8>(), 0..64), step in 1usize..7) {
            let mut stream = Utf8Stream::default();
            let mut text = String::new();
            for piece in bytes.chunks(step) {
                text.push_str(stream.push(piece));
            }
            text.push_str(&stream.finish());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes).into_owned());
        }

        #[test]
        fn valid_text_never_shows_a_replacement(text in any::<String>(), step in 1usize..5) {
            let text = text.replace('\u{fffd}', "?");
            let mut stream = Utf8Stream::default();
            let mut out = String::new();
            for piece in text.as_bytes().chunks(step) {
                let piece = stream.push(piece);
                prop_assert!(!piece.contains(char::REPLACEMENT_CHARACTER));
                out.push_str(piece);
            }
            prop_assert_eq!(out, text);
        }
    }
}
