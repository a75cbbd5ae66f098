//! FGit's marks.

use std::ops::Range;

use proptest::prelude::*;
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;
use truefill_trainer::train::mask::{
    Cases, Difference, Granularity, Marking, Marks, OneLine, Side, differences, mark, token_ranges,
};

use crate::fim_support::{hostile, smollm};

const HYBRID: Marking = Marking {
    granularity: Granularity::Hybrid,
    one_line: OneLine::Token,
};

/// Tokens of a text as they are trained on, the end token last, with their bytes.
fn tokens(tokenizer: &Tokenizer, text: &str) -> Vec<Range<usize>> {
    let mut ids = tokenizer.encode(text).unwrap();
    ids.push(TokenId(0));
    token_ranges(tokenizer, &ids)
}

/// Each character is a token.
fn characters(text: &str) -> Vec<Range<usize>> {
    let ranges = text.char_indices().map(|(at, c)| at..at + c.len_utf8());
    ranges
        .chain(std::iter::once(text.len()..text.len()))
        .collect()
}

fn marked(chosen: &str, rejected: &str, how: Marking) -> Marks {
    let ranges = [chosen, rejected].map(characters);
    let side = |text, tokens| Side { text, tokens };
    mark(side(chosen, &ranges[0]), side(rejected, &ranges[1]), how)
}

/// Marks of the characters, the end token's last.
fn shown(chosen: &str, rejected: &str, how: Marking) -> [String; 2] {
    let marks = marked(chosen, rejected, how);
    let text = |marks: Vec<u8>| marks.iter().map(u8::to_string).collect();
    [marks.chosen, marks.rejected].map(text)
}

#[test]
fn tokens_in_differing_lines_have_one_and_differing_ones_two() {
    let found = shown("a = 1\nb = f(x)\nc", "a = 1\nb = g(x)\nc", HYBRID);
    assert_eq!(found, ["00000011112111100", "00000011112111100"]);
    let line = Marking {
        granularity: Granularity::Line,
        ..HYBRID
    };
    let found = shown("a\nbc\n", "a\nbd\n", line);
    assert_eq!(found, ["001110", "001110"]);
    let token = Marking {
        granularity: Granularity::Token,
        ..HYBRID
    };
    assert_eq!(shown("a\nbc\n", "a\nbd\n", token), ["000100", "000100"]);
}

#[test]
fn one_line_is_marked_by_its_characters_alone() {
    assert_eq!(shown("f(x)", "f(y)", HYBRID), ["00100", "00100"]);
    assert_eq!(shown("f(x)\n", "f(y)\n", HYBRID), ["001000", "001000"]);
    assert_eq!(marked("f(x)", "f(y)", HYBRID).cases.one_line, 1);
    let keep = Marking {
        one_line: OneLine::Keep,
        ..HYBRID
    };
    assert_eq!(shown("f(x)", "f(y)", keep), ["11210", "11210"]);
    assert_eq!(marked("f(x)", "f(y)", keep).cases.one_line, 0);
}

#[test]
fn what_is_only_added_to_is_marked_on_both_sides_of_the_addition() {
    // The rejected completion goes on where the golden one ends: its end token is what differs.
    assert_eq!(shown("f(x)", "f(x) + 1", HYBRID), ["00011", "000011110"]);
    assert_eq!(shown("f(x) + 1", "f(x)", HYBRID), ["000011110", "00011"]);
    assert_eq!(shown("f()", "f(x)", HYBRID), ["0110", "00100"]);
    assert_eq!(shown("", "x", HYBRID), ["1", "10"]);
    assert_eq!(marked("f()", "f(x)", HYBRID).cases.addition, 1);
    // A whole line more.
    assert_eq!(shown("a\nb\n", "a\nx\nb\n", HYBRID), ["01100", "0022000"]);
}

#[test]
fn equal_completions_have_no_marks() {
    let marks = marked("a\nb", "a\nb", HYBRID);
    assert!(
        marks
            .chosen
            .iter()
            .chain(&marks.rejected)
            .all(|mark| *mark == 0)
    );
    let expected = Cases {
        identical: 1,
        ..Cases::default()
    };
    assert_eq!(marks.cases, expected);
}

#[test]
fn a_line_end_of_another_kind_is_a_difference() {
    // The golden one has a character more, so the rejected one is marked on both sides of it.
    assert_eq!(shown("a\r\nb\n", "a\nb\n", HYBRID), ["121000", "22000"]);
}

#[test]
fn tokens_that_hold_a_part_of_a_character_are_marked_with_it() {
    let tokenizer = smollm();
    let (chosen, rejected) = ("x = \"日\"", "x = \"月\"");
    let ranges = [chosen, rejected].map(|text| tokens(&tokenizer, text));
    let split = ranges[0]
        .iter()
        .filter(|range| !chosen.is_char_boundary(range.start));
    assert!(split.count() > 0, "the vocabulary has the whole character");
    let side = |text, tokens| Side { text, tokens };
    let marks = mark(side(chosen, &ranges[0]), side(rejected, &ranges[1]), HYBRID);
    for (range, mark) in ranges[0].iter().zip(&marks.chosen) {
        let inside = range.start < 8 && range.end > 5;
        assert_eq!(*mark, u8::from(inside), "{range:?}: {marks:?}");
    }
}

fn overlaps(token: &Range<usize>, ranges: &[Range<usize>]) -> bool {
    let meets = |range: &Range<usize>| token.start < range.end && range.start < token.end;
    ranges.iter().any(meets)
}

/// A text without its differing characters.
fn common(text: &str, difference: &Difference) -> String {
    let kept = |(at, _): &(usize, char)| !difference.spans.iter().any(|span| span.contains(at));
    text.char_indices().filter(kept).map(|(_, c)| c).collect()
}

fn check_side(text: &str, tokens: &[Range<usize>], marks: &[u8], difference: &Difference) {
    assert_eq!(marks.len(), tokens.len());
    assert_eq!(tokens.last(), Some(&(text.len()..text.len())));
    for (token, mark) in tokens.iter().zip(marks) {
        let by_character = overlaps(token, &difference.spans);
        let by_line = overlaps(token, &difference.lines);
        if !difference.spans.is_empty() {
            assert!(
                *mark < 2 || by_character,
                "{token:?} has {mark}: {difference:?}"
            );
            assert!(
                *mark > 0 || !by_character,
                "{token:?} has none: {difference:?}"
            );
            assert!(!by_character || by_line, "{token:?}: {difference:?}");
        }
    }
}

/// A text and what an edit makes of it.
fn pairs() -> impl Strategy<Value = (String, String)> {
    let edited = (hostile(), hostile(), any::<[prop::sample::Index; 2]>());
    let edited = edited.prop_map(|(text, more, places)| {
        let mut at = places.map(|place| {
            let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            starts
                .get(place.index(starts.len() + 1))
                .copied()
                .unwrap_or(text.len())
        });
        at.sort_unstable();
        let other = format!("{}{more}{}", &text[..at[0]], &text[at[1]..]);
        (text, other)
    });
    prop_oneof![edited, (hostile(), hostile())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn marks_fit_tokens_and_differences((chosen, rejected) in pairs()) {
        let tokenizer = smollm_once();
        let sides = differences(&chosen, &rejected);
        prop_assert_eq!(common(&chosen, &sides[0]), common(&rejected, &sides[1]));
        let ranges = [&chosen, &rejected].map(|text| tokens(tokenizer, text));
        let side = |text, tokens| Side { text, tokens };
        let marks = mark(side(&chosen, &ranges[0]), side(&rejected, &ranges[1]), HYBRID);
        check_side(&chosen, &ranges[0], &marks.chosen, &sides[0]);
        check_side(&rejected, &ranges[1], &marks.rejected, &sides[1]);
        let any = |marks: &[u8]| marks.iter().any(|mark| *mark > 0);
        prop_assert_eq!(any(&marks.chosen), chosen != rejected);
        prop_assert_eq!(any(&marks.rejected), chosen != rejected);
    }
}

fn smollm_once() -> &'static Tokenizer {
    static TOKENIZER: std::sync::LazyLock<Tokenizer> = std::sync::LazyLock::new(smollm);
    &TOKENIZER
}
