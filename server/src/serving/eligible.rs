//! The reasons to stay silent that show before a model is asked.

use ropey::RopeSlice;

use crate::config::{Config, Files};
use crate::documents::{ByteOffset, Snapshot};
use crate::silence::Silence;
use crate::suggest::lines;

/// Lines around the cursor whose length counts: about what a prompt can hold.
const NEARBY_LINES: usize = 100;

/// Whether a document and a place in it can get suggestions at all, apart from its path.
///
/// # Errors
/// The reason why not.
pub fn check(config: &Config, snapshot: &Snapshot, cursor: ByteOffset) -> Result<(), Silence> {
    let language = &*snapshot.language_id;
    if config
        .suggest
        .disabled_languages
        .iter()
        .any(|disabled| disabled == language)
    {
        return Err(Silence::DisabledLanguage(language.to_owned()));
    }
    check_size(&config.files, snapshot, cursor)?;
    if inside_word(snapshot, cursor) {
        return Err(Silence::InsideWord);
    }
    Ok(())
}

fn check_size(files: &Files, snapshot: &Snapshot, cursor: ByteOffset) -> Result<(), Silence> {
    let bytes = snapshot.rope.len_bytes();
    if bytes > files.max_bytes {
        return Err(Silence::TooLarge {
            bytes,
            limit: files.max_bytes,
        });
    }
    if snapshot
        .rope
        .chunks()
        .any(|chunk| chunk.as_bytes().contains(&0))
    {
        return Err(Silence::Binary);
    }
    let line = snapshot.rope.byte_to_line(cursor.0.min(bytes));
    let nearby = snapshot.rope.lines_at(line.saturating_sub(NEARBY_LINES));
    let longest = nearby
        .take(2 * NEARBY_LINES)
        .map(|line: RopeSlice<'_>| line.len_bytes())
        .max();
    match longest {
        Some(bytes) if bytes > files.max_line_bytes => Err(Silence::LongLine {
            bytes,
            limit: files.max_line_bytes,
        }),
        _ => Ok(()),
    }
}

/// Whether the cursor stands in a word that goes on to the right.
fn inside_word(snapshot: &Snapshot, cursor: ByteOffset) -> bool {
    let at = snapshot
        .rope
        .byte_to_char(cursor.0.min(snapshot.rope.len_bytes()));
    let left = at.checked_sub(1).and_then(|at| snapshot.rope.get_char(at));
    let right = snapshot.rope.get_char(at);
    left.is_some_and(lines::is_word) && right.is_some_and(lines::is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Documents;

    /// The verdict at `|` of a text.
    fn at(marked: &str, adjust: impl Fn(&mut Config)) -> Result<(), Silence> {
        let cursor = marked.find('|').expect("the text marks the cursor");
        let documents = Documents::default();
        documents.open("file:///a", "rust", 1, &marked.replacen('|', "", 1));
        let mut config = Config::default();
        adjust(&mut config);
        check(
            &config,
            &documents.snapshot("file:///a").unwrap(),
            ByteOffset(cursor),
        )
    }

    #[test]
    fn places_and_documents_are_judged() {
        let limits = |config: &mut Config| {
            config.files.max_bytes = 60;
            config.files.max_line_bytes = 20;
        };
        let long_far_away = format!("{}{}", "x\n".repeat(8), "|");
        assert_eq!(at("let x = |;\n", limits), Ok(()));
        assert_eq!(at("let x = foo|\n", limits), Ok(()));
        assert_eq!(at(&long_far_away, limits), Ok(()));
        assert_eq!(at("let x = fo|o;\n", limits), Err(Silence::InsideWord));
        assert_eq!(at("let x = |foo;\n", limits), Ok(()));
        assert_eq!(at("let x = a|é;\n", limits), Err(Silence::InsideWord));
        assert_eq!(at("a\0b|\n", limits), Err(Silence::Binary));
        let large = Silence::TooLarge {
            bytes: 62,
            limit: 60,
        };
        assert_eq!(at(&format!("|{}", "x\n".repeat(31)), limits), Err(large));
        let long = Silence::LongLine {
            bytes: 24,
            limit: 20,
        };
        assert_eq!(at(&format!("|\n{}\n", " ".repeat(23)), limits), Err(long));
        let disabled = |config: &mut Config| {
            config.suggest.disabled_languages = vec!["rust".into()];
        };
        assert_eq!(
            at("|", disabled),
            Err(Silence::DisabledLanguage("rust".into()))
        );
    }

    #[test]
    fn a_long_line_far_from_the_cursor_does_not_matter() {
        let far = format!("|\n{}{}", "x\n".repeat(2 * NEARBY_LINES), "y".repeat(6000));
        assert_eq!(at(&far, |_| {}), Ok(()));
    }
}
