//! The text around a cursor as a model gets it: each secret is replaced by its kind.
//!
//! Deterministic, and stable while text is appended: a line that the cursor has left stays
//! redacted in the same way, so the KV cache holds.

use std::ops::Range;

use truefill_journal::redact::{self, Secret};
use truefill_model::fim::MAX_BYTES_PER_TOKEN;

/// What is farther away is in no window: twice what one looks at, as it begins and ends at lines and
/// on a grid.
const BYTES_A_TOKEN: usize = 2 * MAX_BYTES_PER_TOKEN;

/// What is done about the line that the cursor stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorLine {
    /// It stays as it is: the text does not leave the machine, and the model has to go on with
    /// exactly what is being typed.
    AsItIs,
    /// What may become a secret is hidden from its beginning on. `code`: the document is a
    /// program, whose secrets stand in quotes.
    Hidden {
        /// See there.
        code: bool,
    },
}

/// The text around a cursor for a model on this machine, redacted as far as a window of so many
/// tokens reaches.
pub fn near(
    prefix: &str,
    suffix: &str,
    window_tokens: usize,
    suffix_share: f32,
) -> (String, String) {
    let reach = window_tokens.saturating_mul(BYTES_A_TOKEN);
    let from = line_start(prefix, prefix.len().saturating_sub(reach));
    let to = suffix.floor_char_boundary((reach as f32 * suffix_share) as usize);
    let (far, near) = prefix.split_at(from);
    let (before, after) = around((near, 0), (&suffix[..to], to), CursorLine::AsItIs);
    (format!("{far}{before}"), after + &suffix[to..])
}

/// The text around a cursor without its secrets: of the prefix from a byte on, of the suffix up
/// to a byte. The rest of both is read all the same, because a secret may reach into the part.
pub fn around(
    (prefix, from): (&str, usize),
    (suffix, to): (&str, usize),
    line: CursorLine,
) -> (String, String) {
    let whole = [prefix, suffix].concat();
    let cursor = prefix.len();
    let found = redact::secrets(&whole);
    let hidden = match line {
        CursorLine::AsItIs => beside(&whole, found, &cursor_line(prefix, suffix)),
        CursorLine::Hidden { code } => {
            let here = at_cursor(prefix, suffix, code);
            redact::merged(found.into_iter().chain(here).collect())
        }
    };
    (
        shown(&whole, &hidden, from..cursor),
        shown(&whole, &hidden, cursor..cursor + to),
    )
}

/// The bytes of the line that the cursor stands in, without its line break.
fn cursor_line(prefix: &str, suffix: &str) -> Range<usize> {
    let start = prefix.rfind('\n').map_or(0, |at| at + 1);
    let rest = suffix.find('\n').unwrap_or(suffix.len());
    start..prefix.len() + rest
}

/// What of the secrets lies on other lines. Above the cursor's line they are looked for without
/// it, so that no key typed changes them.
fn beside(whole: &str, found: Vec<Secret>, line: &Range<usize>) -> Vec<Secret> {
    let above = redact::secrets(&whole[..line.start]);
    // The line break behind the line stays.
    let below = line.end + 1;
    let rest = |secret: Secret| Secret {
        kind: secret.kind,
        range: secret.range.start.max(below)..secret.range.end,
    };
    let reaches = |secret: &Secret| secret.range.end > below;
    above
        .into_iter()
        .chain(found.into_iter().filter(reaches).map(rest))
        .collect()
}

/// Secrets that show only where the text is cut at the cursor, and the one that is being typed.
fn at_cursor(prefix: &str, suffix: &str, code: bool) -> Vec<Secret> {
    let line = cursor_line(prefix, suffix);
    let cursor = prefix.len();
    let moved = |by: usize| {
        move |secret: Secret| Secret {
            kind: secret.kind,
            range: secret.range.start + by..secret.range.end + by,
        }
    };
    let before = redact::secrets(&prefix[line.start..]);
    let after = redact::secrets(&suffix[..line.end - cursor]);
    let typed = redact::begun(prefix, code).map(|secret| {
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
        let rest = suffix.find(ends).unwrap_or(suffix.len());
        Secret {
            kind: secret.kind,
            range: secret.range.start..cursor + rest,
        }
    });
    let before = before.into_iter().map(moved(line.start));
    let after = after.into_iter().map(moved(cursor));
    before.chain(after).chain(typed).collect()
}

/// A part of the text. Where it begins inside of a secret there is no sign of it: the part
/// before has that.
fn shown(whole: &str, hidden: &[Secret], part: Range<usize>) -> String {
    let mut out = String::with_capacity(part.len());
    let mut at = part.start;
    for Secret { kind, range } in hidden {
        if range.end <= at || range.start >= part.end {
            continue;
        }
        if range.start >= at {
            out.push_str(&whole[at..range.start]);
            out.push_str(&format!("<{}>", kind.as_str()));
        }
        at = range.end.min(part.end);
    }
    out.push_str(&whole[at..part.end]);
    out
}

/// The first line that starts at a byte or after it; the byte itself in one endless line.
fn line_start(text: &str, at: usize) -> usize {
    let at = text.ceil_char_boundary(at);
    match at {
        0 => 0,
        _ => {
            let rest = &text.as_bytes()[at - 1..];
            let found = rest.iter().position(|byte| *byte == b'\n');
            found.map_or(at, |found| at + found)
        }
    }
}

#[cfg(test)]
mod tests;
