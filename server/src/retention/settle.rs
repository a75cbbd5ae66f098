//! From a place that the user has left alone to what stands there.

use ropey::Rope;
use truefill_journal::HoleKind;
use truefill_syntax::{EndFinder, Language, Shape, Site};

use super::span::Span;

/// Characters before and behind a hole that are kept with it.
const BEFORE: usize = 6000;
const BEHIND: usize = 3000;

/// Characters of a place that are read: what is longer is no answer to one suggestion.
const LONGEST: usize = 8192;

/// A hole with what stands in it and around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Text before the hole, from the beginning of a line on.
    pub prefix: String,
    /// What the user left there: the syntactic unit that begins there.
    pub golden: String,
    /// Text behind it, up to the end of a line.
    pub suffix: String,
    /// Whether it is one line or more.
    pub kind: HoleKind,
}

/// Reads what stands at a place; `None` where the user left nothing there, or too much.
pub fn settled(
    rope: &Rope,
    place: Span,
    language: Option<Language>,
    shape: Shape,
) -> Option<Settled> {
    if place.len() > LONGEST || place.end > rope.len_chars() {
        return None;
    }
    let content = rope.slice(place.start..place.end).to_string();
    let prefix = before(rope, place.start);
    let rest = behind(rope, place.end);
    let length = unit(&prefix, &content, &rest, language, shape);
    let golden = content[..length].trim_end_matches(['\n', '\r']);
    if golden.trim().is_empty() {
        return None;
    }
    Some(Settled {
        kind: match golden.contains('\n') {
            true => HoleKind::Block,
            false => HoleKind::Line,
        },
        suffix: format!("{}{rest}", &content[golden.len()..]),
        golden: golden.to_owned(),
        prefix,
    })
}

/// Bytes of what was written that belong to the unit that begins there.
fn unit(
    prefix: &str,
    content: &str,
    rest: &str,
    language: Option<Language>,
    shape: Shape,
) -> usize {
    let line = content.find('\n').unwrap_or(content.len());
    let Some(language) = language else {
        return line;
    };
    let ends = EndFinder::new(&Site::new(language, prefix, rest), shape);
    match (ends.find(content), shape) {
        (Some(end), _) => end,
        // It has not ended: the line has, and a block is what the user left there.
        (None, Shape::OneLine) => line,
        (None, Shape::Block) => content.len(),
    }
}

fn before(rope: &Rope, at: usize) -> String {
    let from = at.saturating_sub(BEFORE);
    let from = match from {
        0 => 0,
        // The next line's beginning, so that no line is torn.
        _ => rope.line_to_char(rope.char_to_line(from) + 1).min(at),
    };
    rope.slice(from..at).to_string()
}

fn behind(rope: &Rope, at: usize) -> String {
    let to = (at + BEHIND).min(rope.len_chars());
    let to = match to == rope.len_chars() {
        true => to,
        false => rope.line_to_char(rope.char_to_line(to)).max(at),
    };
    rope.slice(at..to).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place between the two marks `[` and `]` of a text.
    fn of(text: &str, language: Option<Language>, shape: Shape) -> Option<(String, String)> {
        let start = text.chars().position(|c| c == '«').expect("a mark");
        let end = text.chars().position(|c| c == '»').expect("a mark") - 1;
        let rope = Rope::from_str(&text.replace(['«', '»'], ""));
        let settled = settled(&rope, Span { start, end }, language, shape)?;
        let whole = [&*settled.prefix, &settled.golden, &settled.suffix].concat();
        assert_eq!(whole, rope.to_string());
        Some((settled.golden, settled.suffix))
    }

    #[test]
    fn the_golden_text_is_the_unit_that_begins_there() {
        let python = Some(Language::Python);
        let table = [
            (
                "x = «total(1)\ny = 2\n»",
                python,
                Shape::OneLine,
                "total(1)",
            ),
            (
                "é = «total(1)»\ny = 2\n",
                python,
                Shape::OneLine,
                "total(1)",
            ),
            ("x = f(«a, b»)\n", python, Shape::OneLine, "a, b"),
            ("any «text\nmore»", None, Shape::Block, "text"),
            (
                "def f(a):\n    «if a:\n        return 1\n    return 2\n\n\nx = f(3)\n»y = 1\n",
                python,
                Shape::Block,
                "if a:\n        return 1\n    return 2",
            ),
        ];
        for (text, language, shape, golden) in table {
            let found = of(text, language, shape).map(|(golden, _)| golden);
            assert_eq!(found.as_deref(), Some(golden), "{text}");
        }
        assert_eq!(of("x = «»1\n", python, Shape::OneLine), None);
        assert_eq!(of("x = «  \n»1\n", python, Shape::OneLine), None);
        let long = format!("x = «{}»", "y".repeat(LONGEST + 1));
        assert_eq!(of(&long, python, Shape::OneLine), None);
    }

    #[test]
    fn windows_begin_and_end_at_lines() {
        let lines: String = (0..2000).map(|n| format!("line {n}\n")).collect();
        let rope = Rope::from_str(&lines);
        let start = rope.line_to_char(1000);
        let place = Span {
            start,
            end: start + 9,
        };
        let found = settled(&rope, place, None, Shape::OneLine).expect("a line");
        assert_eq!(found.golden, "line 1000");
        assert!(found.prefix.starts_with("line "));
        assert!(found.prefix.len() > BEFORE - 20 && found.suffix.len() > BEHIND - 20);
        assert!(found.suffix.starts_with('\n') && found.suffix.ends_with('\n'));
    }
}
