//! Parsing with limits: one parser a thread and language, a size limit and a time limit, so that no
//! text can hold up the server.
//!
//! The parser's own stack grows with the nesting of the text, and the C library frees it by
//! recursion. A text that is large enough to overflow a thread's stack that way (a hundred thousand
//! opening brackets) is parsed on a thread whose stack is as large as the text requires.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, hash_map::Entry},
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use crate::language::Language;

/// Longer texts are not parsed, in bytes.
pub const MAX_PARSE_BYTES: usize = 1 << 20;

/// Texts up to this many bytes are parsed on any caller's thread.
const SMALL_TEXT: usize = 8 << 10;

/// Bytes of stack for each byte of text: one frame of the recursion for each token, with room for
/// tokens without width. The pages are touched by hostile texts alone.
const STACK_PER_BYTE: usize = 256;

/// Time that one parse may take when the caller names no limit.
pub const PARSE_TIME_LIMIT: Duration = Duration::from_millis(500);

thread_local! {
    static PARSERS: RefCell<HashMap<Language, Parser>> = RefCell::new(HashMap::new());
    /// Texts up to this many bytes are parsed on this thread's own stack.
    static OWN_STACK: Cell<usize> = const { Cell::new(SMALL_TEXT) };
}

/// The stack that a thread needs to parse texts of `text` bytes itself, in bytes.
#[must_use]
pub const fn stack_for(text: usize) -> usize {
    (1 << 20) + text * STACK_PER_BYTE
}

/// Parses texts of up to `text` bytes on this thread from now on. Its stack must be as large as
/// [`stack_for`] says: a smaller one overflows on texts that were written for it.
pub fn parse_on_own_stack(text: usize) {
    OWN_STACK.set(text);
}

/// Parses `text` within [`MAX_PARSE_BYTES`] and [`PARSE_TIME_LIMIT`]; `None` beyond either.
#[must_use]
pub fn parse(language: Language, text: &str) -> Option<Tree> {
    parse_within(language, text, None, PARSE_TIME_LIMIT)
}

/// Parses `text`, reusing what `old` still describes (it must have been edited to fit `text`).
/// `None` when `text` is longer than [`MAX_PARSE_BYTES`] or `limit` has passed.
#[must_use]
pub fn parse_within(
    language: Language,
    text: &str,
    old: Option<&Tree>,
    limit: Duration,
) -> Option<Tree> {
    if text.len() > MAX_PARSE_BYTES {
        return None;
    }
    PARSERS.with_borrow_mut(|parsers| {
        let parser = match parsers.entry(language) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut parser = Parser::new();
                parser.set_language(&language.grammar()).ok()?;
                entry.insert(parser)
            }
        };
        if text.len() <= OWN_STACK.get() {
            return run(parser, text, old, limit);
        }
        thread::scope(|scope| {
            let thread = thread::Builder::new()
                .name("parse".to_owned())
                .stack_size(stack_for(text.len()));
            let parsing = thread
                .spawn_scoped(scope, || run(parser, text, old, limit))
                .ok()?;
            parsing.join().ok().flatten()
        })
    })
}

fn run(parser: &mut Parser, text: &str, old: Option<&Tree>, limit: Duration) -> Option<Tree> {
    let deadline = Instant::now() + limit;
    let mut stop_when_late = |_: &ParseState| {
        if Instant::now() > deadline {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut stop_when_late);
    let bytes = text.as_bytes();
    let tree = parser.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        old,
        Some(options),
    );
    if tree.is_none() {
        // Without a reset the next parse would go on with this text.
        parser.reset();
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_come_back_in_time() {
        let deep = "(".repeat(200_000);
        let long = format!("x = \"{}\"", "a".repeat(500_000));
        let braces = "{[<".repeat(50_000);
        let unary = "!- ".repeat(100_000);
        for language in Language::ALL {
            for text in [
                deep.as_str(),
                &long,
                &braces,
                &unary,
                "\0\u{feff}\u{202e}",
                "",
            ] {
                let started = Instant::now();
                drop(parse_within(
                    language,
                    text,
                    None,
                    Duration::from_millis(200),
                ));
                assert!(started.elapsed() < Duration::from_secs(3), "{language}");
            }
        }
    }

    #[test]
    fn a_parse_beyond_its_limits_is_refused_and_the_next_one_is_sound() {
        let big = "x".repeat(MAX_PARSE_BYTES + 1);
        assert!(parse(Language::Rust, &big).is_none());
        let slow = "fn f() { a(b(c[d])); }\n".repeat(40_000);
        assert!(parse_within(Language::Rust, &slow, None, Duration::ZERO).is_none());
        let tree = parse(Language::Rust, "fn f() {}").unwrap();
        assert!(!tree.root_node().has_error());
        assert_eq!(tree.root_node().end_byte(), 9);
    }
}
