//! Which brackets stand open at the cursor, which of them the text after the
//! cursor already closes, and what a suggestion does to that.

use super::facts::LanguageFacts;
use super::lexer::{self, Bracket, Place};
use super::lines;
use super::surroundings::{Surroundings, WINDOW_BYTES};

/// A bracket that stands open at the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Index of its pair in the language's facts.
    pub kind: usize,
    /// Column of the line in which its statement begins.
    pub column: usize,
    /// Whether the text after the cursor closes it.
    pub closed: bool,
}

/// The brackets around the cursor, read once per request.
#[derive(Clone, Debug)]
pub struct Balance {
    open: Vec<Open>,
    whole_prefix: bool,
    /// Whether the cursor stands in code, a string or a comment.
    pub cursor: Place,
}

/// What a suggestion does to the brackets around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Byte of the first closing bracket that closes what the suffix closes,
    /// or that closes nothing.
    pub first_surplus: Option<usize>,
    /// How many such brackets, openings left open, and strings left open there are.
    pub faults: usize,
}

impl Balance {
    /// Reads the windows around the cursor: one pass over each.
    pub fn read(around: &Surroundings<'_>) -> Self {
        let window = lines::tail(around.prefix, WINDOW_BYTES);
        let (mut open, cursor) = open_at_end(window, around.facts);
        let whole_prefix = window.len() == around.prefix.len();
        let after = lines::head(around.suffix, WINDOW_BYTES);
        let closers = unmatched_closers(after, cursor, around.facts);
        mark_closed(
            &mut open,
            &closers,
            whole_prefix && after.len() == around.suffix.len(),
        );
        Self {
            open,
            whole_prefix,
            cursor,
        }
    }

    /// Whether a bracket stands open at the cursor that nothing after it closes.
    pub fn needs_closer(&self) -> bool {
        self.open.iter().any(|open| !open.closed)
    }

    /// What inserting `text` at the cursor does.
    pub fn effect(&self, text: &str, facts: &LanguageFacts) -> Effect {
        let mut stack: Vec<(Open, bool)> = self.open.iter().map(|&open| (open, false)).collect();
        let mut surplus = Vec::new();
        let mut stray = false;
        let mut unknown = false;
        let end = lexer::scan(text, self.cursor, facts, |bracket| {
            if unknown {
                return;
            }
            if bracket.opens {
                let open = Open {
                    kind: bracket.kind,
                    column: 0,
                    closed: false,
                };
                stack.push((open, true));
                return;
            }
            match close(&mut stack, bracket.kind) {
                Closing::Fits => {}
                Closing::Surplus => surplus.push(bracket.at),
                // The window may have cut off what this bracket closes.
                Closing::Nothing if self.whole_prefix => {
                    stray = true;
                    surplus.push(bracket.at);
                }
                Closing::Nothing => unknown = true,
            }
        });
        let left_open = stack.iter().filter(|(_, new)| *new).count();
        // `a) + (b` between `(` and `)` closes and opens again: nothing is wrong.
        let same_stack = stack.iter().map(|(open, _)| open.kind).eq(self.kinds());
        let reopened = same_stack && !stray;
        if reopened && end == self.cursor {
            return Effect {
                first_surplus: None,
                faults: 0,
            };
        }
        let torn = usize::from(end != self.cursor && self.cursor_in_text(end));
        let first_surplus = if reopened {
            None
        } else {
            surplus.first().copied()
        };
        Effect {
            first_surplus,
            faults: surplus.len() + left_open + torn,
        }
    }

    fn kinds(&self) -> impl Iterator<Item = usize> {
        self.open.iter().map(|open| open.kind)
    }

    /// Whether one of the two ends stands in a string: the other end is then torn.
    fn cursor_in_text(&self, end: Place) -> bool {
        matches!(self.cursor, Place::Text(_)) || matches!(end, Place::Text(_))
    }
}

enum Closing {
    Fits,
    Surplus,
    Nothing,
}

/// Closes the innermost bracket of `kind`; unfinished ones inside it are given up.
fn close(stack: &mut Vec<(Open, bool)>, kind: usize) -> Closing {
    let Some(at) = stack.iter().rposition(|(open, _)| open.kind == kind) else {
        return Closing::Nothing;
    };
    let (open, new) = stack[at];
    stack.truncate(at);
    if !new && open.closed {
        Closing::Surplus
    } else {
        Closing::Fits
    }
}

fn open_at_end(text: &str, facts: &LanguageFacts) -> (Vec<Open>, Place) {
    let mut open: Vec<Open> = Vec::new();
    let mut line_start = 0;
    let mut column = lines::columns(text);
    let mut scanned = 0;
    let place = lexer::scan(text, Place::Code, facts, |bracket| {
        if let Some(at) = text[scanned..bracket.at].rfind('\n') {
            line_start = scanned + at + 1;
            column = lines::columns(&text[line_start..]);
        }
        scanned = bracket.at;
        if bracket.opens {
            open.push(Open {
                kind: bracket.kind,
                column,
                closed: false,
            });
        } else if let Some(at) = open.iter().rposition(|open| open.kind == bracket.kind) {
            // `…) {` belongs to the line in which its `(` stands.
            column = column.min(open[at].column);
            open.truncate(at);
        }
    });
    (open, place)
}

/// A closing bracket after the cursor that closes something before it.
struct Closer {
    kind: usize,
    /// Column of its line, where it is the first thing in it.
    leads: Option<usize>,
}

fn unmatched_closers(text: &str, place: Place, facts: &LanguageFacts) -> Vec<Closer> {
    let mut inner: Vec<usize> = Vec::new();
    let mut closers = Vec::new();
    // The cursor's own line has its beginning before the cursor: nothing leads it.
    let mut line_start = None;
    let mut scanned = 0;
    lexer::scan(text, place, facts, |bracket: Bracket| {
        if let Some(at) = text[scanned..bracket.at].rfind('\n') {
            line_start = Some(scanned + at + 1);
        }
        scanned = bracket.at;
        if bracket.opens {
            inner.push(bracket.kind);
        } else if let Some(at) = inner.iter().rposition(|&kind| kind == bracket.kind) {
            inner.truncate(at);
        } else {
            let leads = line_start.and_then(|start| leading_column(&text[start..bracket.at]));
            closers.push(Closer {
                kind: bracket.kind,
                leads,
            });
        }
    });
    closers
}

/// The column that a line's beginning reaches to, if it is nothing but indentation.
fn leading_column(beginning: &str) -> Option<usize> {
    const DEEPEST: usize = 256;
    let blank = beginning.len() <= DEEPEST && beginning.trim().is_empty();
    blank.then(|| lines::columns(beginning))
}

/// Marks what the suffix closes. By count where the whole file is known and
/// agrees; else a closer that leads its line closes what began in its column.
fn mark_closed(open: &mut [Open], closers: &[Closer], whole_file: bool) {
    let fits = closers
        .iter()
        .zip(open.iter().rev())
        .all(|(closer, open)| closer.kind == open.kind);
    if whole_file && fits && closers.len() >= open.len() {
        open.iter_mut().for_each(|open| open.closed = true);
        return;
    }
    // In a whole file it is known how many are missing: of several in one column,
    // those opened last have not been closed yet.
    let mut missing = if whole_file {
        open.len().saturating_sub(closers.len())
    } else {
        0
    };
    let mut left = open.len();
    for closer in closers {
        if let Some(column) = closer.leads {
            while left > 0
                && (open[left - 1].column > column
                    || (missing > 0 && left > 1 && open[left - 2].column == column))
            {
                left -= 1;
                missing = missing.saturating_sub(1);
            }
        }
        if left == 0 || open[left - 1].kind != closer.kind {
            return;
        }
        left -= 1;
        open[left].closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suggest::surroundings::Shape;

    /// `|` is the cursor; the result marks each open bracket `+` (closed after it) or `-`.
    fn around(id: &str, text: &str) -> String {
        let (prefix, suffix) = text.split_once('|').unwrap();
        let facts = LanguageFacts::for_lsp_id(id);
        let balance = Balance::read(&Surroundings::new(prefix, suffix, facts, Shape::Block));
        let mark = |open: &Open| {
            format!(
                "{}{}",
                facts.brackets[open.kind].0,
                if open.closed { '+' } else { '-' }
            )
        };
        balance.open.iter().map(mark).collect()
    }

    #[test]
    fn what_stands_open_and_what_is_closed() {
        let table = [
            ("f(|)", "(+"),
            ("f(|", "(-"),
            ("f(g(|)", "(-(+"),
            ("f(a)[|]", "[+"),
            ("fn f() {\n    if x {\n        |\n}\n", "{+{-"),
            ("fn f() {\n    if x {\n        |\n    }\n}\n", "{+{+"),
            (
                "fn f() {\n    if (a &&\n            b) {\n        |\n    }\n",
                "{-{+",
            ),
            ("f(|, g(x))", "(+"),
            ("{\n{\n|\n}\n", "{+{-"),
            ("x = \"( |", ""),
        ];
        for (text, expected) in table {
            assert_eq!(around("rust", text), expected, "{text:?}");
        }
    }

    #[test]
    fn effects() {
        let table: &[(&str, &str, Option<usize>, usize)] = &[
            ("f(|)", "a", None, 0),
            ("f(|)", "a)", Some(1), 1),
            ("f(|)", "g(a)", None, 0),
            ("f(|)", "a) + (b", None, 0),
            ("f(|", "a)", None, 0),
            ("f(|)", "g(a", None, 1),
            ("|", "}", Some(0), 1),
            ("fn f() {\n    |\n}\n", "x;\n}\nfn g() {", None, 0),
            ("fn f() {\n    |\n}\n", "x;\n}\n", Some(3), 1),
            ("f(\"|\")", "a\"", None, 1),
            ("f(\"|\")", "a\")", Some(2), 2),
        ];
        let facts = LanguageFacts::for_lsp_id("rust");
        for (text, insert, surplus, faults) in table {
            let (prefix, suffix) = text.split_once('|').unwrap();
            let balance = Balance::read(&Surroundings::new(prefix, suffix, facts, Shape::Block));
            let effect = balance.effect(insert, facts);
            assert_eq!(
                (effect.first_surplus, effect.faults),
                (*surplus, *faults),
                "{text} {insert}"
            );
        }
    }
}
