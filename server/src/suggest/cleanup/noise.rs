//! What is not worth showing.

use super::{Change, Scene, lines};
use crate::suggest::surroundings::Trigger;

/// Cuts comment markers with nothing behind them from the end.
pub fn empty_comment(text: &str, scene: &Scene<'_>) -> Change {
    let facts = scene.around.facts;
    if facts.prose {
        return Change::None;
    }
    let is_empty = |line: &str| {
        facts.line_comments.iter().any(|marker| {
            let mut rest = line.trim();
            let mut found = false;
            while let Some(next) = rest.strip_prefix(marker) {
                rest = next.trim_start();
                found = true;
            }
            found && rest.is_empty()
        })
    };
    let all = lines::split(text.trim_end());
    let kept = all.iter().enumerate().rposition(|(index, line)| {
        let own_line = index > 0 || scene.around.on_blank_start();
        !(line.text.trim().is_empty() || (own_line && is_empty(line.text)))
    });
    match kept {
        None => Change::Drop,
        Some(last) if last + 1 < all.len() => Change::Cut(all[last].end()),
        Some(_) => Change::None,
    }
}

/// Drops what equals the rest of the line or the next line.
pub fn equals_existing(text: &str, scene: &Scene<'_>) -> Change {
    let own = text.trim();
    let rest = scene.around.rest_of_line().trim();
    if !rest.is_empty() {
        let again = lines::has_word(own) || scene.closes_closed(text);
        return Change::drop_if(own == rest && again);
    }
    let Some(next) = scene.next_line else {
        return Change::None;
    };
    let whole = scene.whole_line(0, text);
    let same = lines::same(&whole, next) && !scene.around.facts.is_closing_line(&whole);
    Change::drop_if(same)
}

/// Drops a suggestion that is one keyword which cannot stand alone, and cuts
/// such a last line that a limit left behind.
pub fn keyword_only(text: &str, scene: &Scene<'_>) -> Change {
    let dangling = scene.around.facts.dangling_words;
    if dangling.contains(&text.trim()) && scene.ends_lines() && scene.around.on_blank_start() {
        return Change::Drop;
    }
    let end = text.trim_end();
    match end.rfind('\n') {
        Some(at) if scene.around.truncated && dangling.contains(&end[at..].trim()) => {
            Change::Cut(at)
        }
        _ => Change::None,
    }
}

/// Characters below which marks without a word say nothing.
const FEWEST_MARKS: usize = 4;

/// Drops a few marks without a word: `})` while typing is noise.
///
/// Asked for by the user, a closing bracket is an answer.
pub fn meaningless(text: &str, scene: &Scene<'_>) -> Change {
    let own = text.trim();
    if lines::has_word(own) {
        return Change::None;
    }
    let mut chars = own.chars();
    let first = chars.next();
    let one_mark = own.chars().count() >= FEWEST_MARKS && chars.all(|c| Some(c) == first);
    let few = own.chars().count() < FEWEST_MARKS && scene.around.trigger == Trigger::Automatic;
    Change::drop_if(one_mark || few)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn empty_comments() {
        check(
            empty_comment,
            &[
                Case::new("|", "x;\n//\n// ", "x;"),
                Case::new("|", "//", ""),
                Case::new("|", "# #", "").language("python"),
                Case::same("|", "x; // why"),
                Case::same("x = a |", "//"),
                Case::same("|", "//\n// a\n"),
            ],
        );
    }

    #[test]
    fn what_is_there_already() {
        check(
            equals_existing,
            &[
                Case::new("x = |foo(a)", "foo(a)", ""),
                Case::same("f(|)", "()"),
                Case::new("f(|)", ")", ""),
                Case::new("|\nx = 1\n", "x = 1", ""),
                Case::same("  |\nx = 1\n", "x = 1"),
                Case::same("{{\n|\n}", "}"),
            ],
        );
    }

    #[test]
    fn lone_keywords() {
        check(
            keyword_only,
            &[
                Case::new("|\n", "pub", ""),
                Case::same("|\n", "pub fn f() {"),
                Case::same("x: |\n", "dyn"),
                Case::new("|\n", "x;\nlet", "x;").truncated(),
                Case::same("|\n", "x;\nlet"),
                Case::same("|\n", "return"),
            ],
        );
    }

    #[test]
    fn marks_that_say_nothing() {
        check(
            meaningless,
            &[
                Case::new("f({|", "})", ""),
                Case::same("f({|", "})").invoked(),
                Case::new("|", "----", "").invoked(),
                Case::same("x|", " += 1"),
                Case::same("f(|", "[], {})"),
                Case::same("se|", "lf"),
            ],
        );
    }
}
