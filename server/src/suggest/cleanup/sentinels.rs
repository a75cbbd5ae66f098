//! What is no code at all: control tokens, fences, the marks of patches and transcripts.

use super::{Change, Scene, lines};
use crate::suggest::surroundings::WINDOW_BYTES;

/// Longest name inside `<|…|>` that counts as a control token, in bytes.
const LONGEST_NAME: usize = 40;

/// Pairs that control tokens are written in.
const PAIRS: &[(&str, &str)] = &[("<|", "|>"), ("<｜", "｜>"), ("<fim_", ">"), ("<fim-", ">")];

/// Cuts at the first control token that the user's own text does not contain.
///
/// A file about tokenizers may well spell one: then it is plain text.
pub fn sentinel_leak(text: &str, scene: &Scene<'_>) -> Change {
    let known = |token: &str| {
        let near = |part: &str| part.contains(token);
        near(lines::tail(scene.around.prefix, WINDOW_BYTES))
            || near(lines::head(scene.around.suffix, WINDOW_BYTES))
    };
    let own = scene
        .around
        .sentinels
        .iter()
        .filter(|token| !token.is_empty())
        .filter_map(|token| {
            let at = text.find(token)?;
            (!known(token)).then_some(at)
        });
    let shaped = PAIRS
        .iter()
        .filter_map(|(open, close)| first_shaped(text, open, close, &known));
    Change::cut(own.chain(shaped).min())
}

fn first_shaped(
    text: &str,
    open: &str,
    close: &str,
    known: &impl Fn(&str) -> bool,
) -> Option<usize> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '▁' | ' ');
    text.match_indices(open).map(|(at, _)| at).find(|&at| {
        let body = &text[at + open.len()..];
        let Some(end) = body.find(close) else {
            return false;
        };
        let name = &body[..end];
        let named = !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(is_name);
        named && !known(&text[at..at + open.len() + end + close.len()])
    })
}

/// Takes the code out of a Markdown fence; cuts at a fence that closes nothing.
///
/// Prose keeps its fences, and so does a file that has some near the cursor
/// (a doc comment, a template).
pub fn fence(text: &str, scene: &Scene<'_>) -> Change {
    let around = &scene.around;
    if around.facts.prose
        || lines::tail(around.prefix, WINDOW_BYTES).contains("```")
        || lines::head(around.suffix, WINDOW_BYTES).contains("```")
    {
        return Change::None;
    }
    let all = lines::split(text);
    let is_fence = |line: &lines::Line<'_>| line.text.trim_start().starts_with("```");
    let Some(first) = all.iter().position(is_fence) else {
        return Change::None;
    };
    let blank_before = text[..all[first].start].trim().is_empty();
    // A line such as "```x```" is no fence around what follows.
    if !blank_before || all[first].text.trim().matches("```").count() > 1 {
        return Change::Cut(all[first].start);
    }
    let Some(body) = all.get(first + 1) else {
        return Change::Drop;
    };
    let end = all[first + 1..]
        .iter()
        .find(|line| is_fence(line))
        .map(|line| line.start);
    let end = end.unwrap_or(text.len()).max(body.start);
    Change::Text(text[body.start..end].to_owned())
}

/// Lines that only patches, merges and prompts contain.
const FOREIGN: &[&str] = &[
    "diff --git ",
    "<<<<<<< ",
    ">>>>>>> ",
    "<COMPLETION>",
    "<｜",
    "@@ -",
    "Index: ",
];

/// Words that a prompt's header comment begins with.
const HEADERS: &[&str] = &["Path: ", "End of file", "File: "];

/// Cuts at a line that belongs to a patch, a merge conflict or a prompt's header.
pub fn foreign_marker(text: &str, scene: &Scene<'_>) -> Change {
    let around = &scene.around;
    if around.facts.prose {
        return Change::None;
    }
    let near = lines::tail(around.prefix, WINDOW_BYTES);
    let foreign = |line: &str| {
        let bare = line.trim_start();
        let header = around.facts.line_comments.iter().any(|marker| {
            let comment = bare.strip_prefix(marker).map(str::trim_start);
            comment.is_some_and(|c| {
                HEADERS
                    .iter()
                    .any(|h| c.starts_with(h) && !near.contains(h))
            })
        });
        header
            || FOREIGN
                .iter()
                .any(|mark| line.starts_with(mark) && !near.contains(mark))
    };
    let all = lines::split(text);
    let found = all.iter().enumerate().find(|(index, line)| {
        // The first line goes on with the cursor's line: `a @@ -1` is an expression.
        (*index > 0 || around.on_blank_start()) && foreign(line.text)
    });
    Change::cut(found.map(|(_, line)| line.start))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn sentinel_leaks() {
        check(
            sentinel_leak,
            &[
                Case::new("x = |", "1<|endoftext|>junk", "1"),
                Case::new("x = |", "1<fim_middle>y", "1"),
                Case::new("x = |", "1<｜fim▁end｜>y", "1"),
                Case::same("let x = |", "a <|> b <|b"),
                Case::same("if a |", "<| b || c |> d"),
                Case::same("t = '<fim_middle>'\nu = |", "'<fim_middle>'"),
                Case::same("x = |", "vec<fim_t"),
                Case::new("x = |", "1<MID>2", "1").sentinels(&["<MID>"]),
                Case::same("x = |", "1<MID>2"),
            ],
        );
    }

    #[test]
    fn fences() {
        check(
            fence,
            &[
                Case::new("|", "```python\nx = 1\n```\nThis sets x", "x = 1\n"),
                Case::new("x = |", "1\n```\ndone", "1\n"),
                Case::new("|", "\n```\ny\n", "y\n"),
                Case::new("/// ```\n/// |", "x\n```", "x\n```"),
                Case::new("|", "```x\ny\n```", "```x\ny\n```").language("markdown"),
                Case::new("|", "```", ""),
                Case::new("x = |", "`a` + ``", "`a` + ``"),
            ],
        );
    }

    #[test]
    fn foreign_markers() {
        check(
            foreign_marker,
            &[
                Case::new("x = |", "1\ndiff --git a/x b/x\n", "1\n"),
                Case::new("x = |", "1\n# Path: a.py\ny", "1\n").language("python"),
                Case::new(
                    "x = |",
                    "1\n# Path of the file\ny",
                    "1\n# Path of the file\ny",
                )
                .language("python"),
                Case::new("a |", "@@ -1", "@@ -1"),
                Case::new("|", "<<<<<<< HEAD\nx", ""),
            ],
        );
    }
}
