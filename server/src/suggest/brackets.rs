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
    /// Where a suggestion has to end.
    wanted: Place,
}

/// What a suggestion does to the brackets around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Byte of the first closing bracket that closes what the suffix closes,
    /// or that closes nothing.
    pub first_surplus: Option<usize>,
    /// How many such brackets there are, and brackets and strings left open:
    /// by the suggestion, and before the cursor with nothing that closes them.
    pub faults: usize,
}

impl Balance {
    /// Reads the windows around the cursor: one pass over each.
    pub fn read(around: &Surroundings<'_>) -> Self {
        let window = whole_lines(around.prefix);
        let (mut open, cursor) = open_at_end(window, around.facts);
        let whole_prefix = window.len() == around.prefix.len();
        let after = lines::head(around.suffix, WINDOW_BYTES);
        let wanted = wanted_end(cursor, around.rest_of_line(), around.facts);
        let closers = unmatched_closers(after, wanted, around.facts);
        mark_closed(
            &mut open,
            &closers,
            whole_prefix && after.len() == around.suffix.len(),
        );
        Self {
            open,
            whole_prefix,
            cursor,
            wanted,
        }
    }

    /// Whether a bracket stands open at the cursor that nothing after it closes.
    pub fn needs_closer(&self) -> bool {
        self.open.iter().any(|open| !open.closed)
    }

    /// What inserting `text` at the cursor does.
    pub fn effect(&self, text: &str, facts: &LanguageFacts) -> Effect {
        let stack = self.open.iter().map(|&open| (open, false)).collect();
        let mut walk = Walk {
            stack,
            surplus: Vec::new(),
            stray: Vec::new(),
            unknown: false,
        };
        let end = lexer::scan(text, self.cursor, facts, |bracket| {
            walk.step(text, bracket, self.whole_prefix);
        });
        let left_open = walk
            .stack
            .iter()
            .filter(|(open, new)| *new || !open.closed)
            .count();
        let first = walk
            .surplus
            .iter()
            .map(|surplus| surplus.at)
            .chain(walk.stray.first().copied());
        Effect {
            first_surplus: first.min(),
            faults: walk.surplus.len()
                + walk.stray.len()
                + left_open
                + usize::from(self.tears_string(end)),
        }
    }

    /// Whether a suggestion that ends in `end` leaves a string open that the
    /// rest of the line does not close, or closes one that the rest closes.
    fn tears_string(&self, end: Place) -> bool {
        let in_text = |place| matches!(place, Place::Text(_));
        end != self.wanted && (in_text(end) || in_text(self.wanted))
    }
}

/// Where a suggestion has to end for the rest of the cursor's line to follow:
/// in a string, if the rest closes one.
fn wanted_end(cursor: Place, rest: &str, facts: &LanguageFacts) -> Place {
    let end = lexer::scan(rest, cursor, facts, |_| {});
    match (cursor, end) {
        (Place::Text(kind), _) if kind.multiline => cursor,
        (Place::Text(_), Place::Text(_)) => Place::Code,
        (Place::Code, Place::Text(kind)) if !kind.multiline => end,
        _ => cursor,
    }
}

/// A walk over a suggestion's brackets.
struct Walk {
    /// What stands open, and whether the suggestion opened it.
    stack: Vec<(Open, bool)>,
    surplus: Vec<Surplus>,
    /// Closing brackets that close nothing.
    stray: Vec<usize>,
    /// A bracket closed something before the window: what follows cannot be judged.
    unknown: bool,
}

/// A bracket that closes what the suffix closes.
#[derive(Clone, Copy)]
struct Surplus {
    at: usize,
    open: Open,
    depth: usize,
}

impl Walk {
    fn step(&mut self, text: &str, bracket: Bracket, whole_prefix: bool) {
        if self.unknown {
            return;
        }
        if bracket.opens {
            return self.open(text, bracket);
        }
        let found = self
            .stack
            .iter()
            .rposition(|(open, _)| open.kind == bracket.kind);
        let Some(depth) = found else {
            // The window may have cut off what this bracket closes.
            self.unknown = !whole_prefix;
            if whole_prefix {
                self.stray.push(bracket.at);
            }
            return;
        };
        // Unfinished brackets inside it are given up.
        let (open, new) = self.stack[depth];
        self.stack.truncate(depth);
        if !new && open.closed {
            self.surplus.push(Surplus {
                at: bracket.at,
                open,
                depth,
            });
        }
    }

    fn open(&mut self, text: &str, bracket: Bracket) {
        // `a) + (b` between `(` and `)`, and `} else {` between `{` and `}`, close
        // and open again in one line: the suffix closes the new one.
        if let Some(&surplus) = self.surplus.last()
            && surplus.open.kind == bracket.kind
            && surplus.depth == self.stack.len()
            && !text[surplus.at..bracket.at].contains('\n')
        {
            self.surplus.pop();
            return self.stack.push((surplus.open, false));
        }
        let open = Open {
            kind: bracket.kind,
            column: 0,
            closed: false,
        };
        self.stack.push((open, true));
    }
}

/// The prefix's window, begun with a line: in the middle of one, a quote could
/// be taken for its opposite.
fn whole_lines(prefix: &str) -> &str {
    let window = lines::tail(prefix, WINDOW_BYTES);
    if window.len() == prefix.len() {
        return window;
    }
    window.find('\n').map_or(window, |at| &window[at + 1..])
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
            break;
        }
        left -= 1;
        open[left].closed = true;
    }
    close_outer_first(open);
}

/// Of brackets of one kind that stand open in one line, those opened last are
/// the unfinished ones: in `f(g(` before `)`, the next `)` closes `g`.
fn close_outer_first(open: &mut [Open]) {
    for run in open.chunk_by_mut(|a, b| a.kind == b.kind && a.column == b.column) {
        let closed = run.iter().filter(|open| open.closed).count();
        for (index, open) in run.iter_mut().enumerate() {
            open.closed = index < closed;
        }
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
            ("f(g(|)", "(+(-"),
            ("    f(g(|), 1)\n", "(+(+"),
            ("    f(g(| 1)\n", "(+(-"),
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
            ("f(|", "a", None, 1),
            ("f(|)", "g(a", None, 1),
            ("|", "}", Some(0), 1),
            ("fn f() {\n    |\n}\n", "x;\n}\nfn g() {", Some(3), 2),
            ("if a {\n    |\n}\n", "x;\n} else {\n    y;", None, 0),
            ("fn f() {\n    |\n}\n", "x;\n}\n", Some(3), 1),
            ("f(\"|\")", "a", None, 0),
            ("f(\"|\")", "a\"", None, 1),
            ("f(\"|\")", "a\")", Some(2), 2),
            ("f(\"|, \"b\")", "a\"", None, 0),
            ("f(\"|, \"b\")", "a", None, 1),
            ("f(|\")", "b\"", None, 0),
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
