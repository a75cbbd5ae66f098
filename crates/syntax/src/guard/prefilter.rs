//! Most completions name nothing new. Whether that is so shows in their words alone: then there is
//! no finding, and no need to parse.
//!
//! A rule needs a name that stands nowhere, with two exceptions: what is imported is looked up in
//! its module, and so is a member of a module that was imported whole. Where either may be the
//! case, this says no; a test compares it with the rules on every kind of hole.

use std::{cell::LazyCell, collections::HashSet, ops::Range};

use crate::{builtins, index::Table, language::Language};

use super::words::{Words, is_word};

/// Words of statements that import.
const IMPORTS: [&str; 7] = [
    "import", "require", "include", "using", "use", "from", "export",
];

/// Lines of an import that are followed up or down from the cursor.
const IMPORT_LINES: usize = 200;

/// The rules have nothing to find in the completion between the two parts of the file.
/// `near_imports` gives the file's words near imports.
pub(super) fn passes<'w>(
    language: Language,
    file: [&str; 2],
    completion: &str,
    words: &Words,
    near_imports: impl FnOnce() -> &'w HashSet<&'w str>,
    table: &Table,
) -> bool {
    let whole = words.whole(completion);
    let known = |word: &str| {
        word.len() < 2
            || word.starts_with(|c: char| c.is_ascii_digit())
            || builtins::contains(language, word)
            || words.around(completion, word)
            || table.files_with(word) > 0
    };
    is_plain(language, &whole)
        && whole.split(|c| !is_word(c)).all(known)
        && !imports(file, completion)
        && !takes_of_module(language, file, &whole, near_imports)
}

/// Identifiers are words and nothing else: no `a$b`, `r#a`, `a?`, no escapes.
fn is_plain(language: Language, text: &str) -> bool {
    let bytes = text.as_bytes();
    let word = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    text.is_ascii()
        && !text.contains("\\u")
        && bytes.iter().enumerate().all(|(at, byte)| match byte {
            b'$' | b'#' | b'@' => !word(at.checked_sub(1)),
            b'?' | b'!' => language != Language::Ruby || !word(at.checked_sub(1)),
            _ => true,
        })
}

/// The completion imports, or may stand inside of an import.
fn imports([prefix, suffix]: [&str; 2], completion: &str) -> bool {
    let above = prefix.rsplit('\n').take(IMPORT_LINES);
    let below = suffix.split('\n').take(IMPORT_LINES);
    has_import(completion) || may_import(above) || may_import(below)
}

/// An import may reach from the cursor into `lines`, the nearest first.
fn may_import<'t>(lines: impl Iterator<Item = &'t str>) -> bool {
    let mut seen = 0;
    for line in lines {
        if has_import(line) {
            return true;
        }
        // No import goes on over a line with an operator; comments may hold anything.
        let code = line.split(['#', '/']).next().unwrap_or(line);
        if code.contains(['=', ';', '+', '?', '!', '<', '>', '&', '|']) {
            return false;
        }
        seen += 1;
    }
    seen == IMPORT_LINES
}

pub(super) fn has_import(text: &str) -> bool {
    let mut words = text.split(|c| !is_word(c));
    // `require_relative`, `requireAll`: the rules look at the start of the word.
    words.any(|word| IMPORTS.contains(&word) || word.starts_with("require"))
}

/// Bytes before the completion in which the receiver of its first member stands.
const RECEIVER: usize = 400;

/// A member may be taken of a module of which the file takes no such member yet.
fn takes_of_module<'w>(
    language: Language,
    file: [&str; 2],
    whole: &str,
    near_imports: impl FnOnce() -> &'w HashSet<&'w str>,
) -> bool {
    use Language::{CSharp, Java, Php, Rust};
    // Their imports bind no modules whose files are known.
    if matches!(language, CSharp | Java | Php | Rust) {
        return false;
    }
    let mut before = file[0];
    if whole.starts_with(is_word) {
        before = before.trim_end_matches(is_word);
    }
    let near = before.ceil_char_boundary(before.len().saturating_sub(RECEIVER));
    let text = [&before[near..], whole].concat();
    let cursor = text.len() - whole.len();
    let near_imports = LazyCell::new(near_imports);
    let is_module = |word: &str| near_imports.contains(word);
    members(&text).any(|(dot, member)| {
        let in_completion = member.end > cursor;
        in_completion
            && match receiver(&text[..dot]) {
                Receiver::Word(word) => {
                    let written = format!("{word}.{}", &text[member]);
                    !file.iter().any(|part| part.contains(&written)) && is_module(word)
                }
                Receiver::Value => false,
                Receiver::Unclear => text.split(|c| !is_word(c)).any(is_module),
            }
    })
}

/// The members in `text`: the end of the mark before each (`.`, `::`, `->`), and its place.
fn members(text: &str) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
    let marks = text.match_indices(['.', ':', '>']);
    let marks = marks.filter(|(at, mark)| match *mark {
        ":" => text[..*at].ends_with(':'),
        ">" => text[..*at].ends_with('-'),
        _ => true,
    });
    marks.filter_map(|(at, _)| {
        let rest = text[at + 1..].trim_start();
        let start = text.len() - rest.len();
        let length = rest.len() - rest.trim_start_matches(is_word).len();
        // A comment may hide the member.
        (length > 0 || rest.starts_with(['/', '#', '\\'])).then_some((at, start..start + length))
    })
}

/// What stands before the mark of a member.
enum Receiver<'t> {
    Word(&'t str),
    /// A literal or an element: no module.
    Value,
    /// A bracket, or something on another line, perhaps behind a comment.
    Unclear,
}

fn receiver(before: &str) -> Receiver<'_> {
    let before = before.trim_end_matches(['.', ':', '-', '?', '!', '&']);
    let head = before.trim_end();
    let word = &head[head.trim_end_matches(is_word).len()..];
    if before[head.len()..].contains('\n') {
        Receiver::Unclear
    } else if !word.is_empty() {
        Receiver::Word(word)
    } else if head.ends_with([']', '"', '\'', '`']) {
        Receiver::Value
    } else {
        Receiver::Unclear
    }
}
