//! The sample that is shown before the first step.

use truefill_trainer::train::sample::{Colour, show};

use crate::support::{FORMATS, everything, example, place, renderer, row, settings};

const PREFIX: &str = "def total(items):\n    sum = 0\n    for item in items:\n";
const CHOSEN: &str = "        sum += item.price\n        item.count(\"é\")";
const REJECTED: &str = "        sum += item.cost\n        item.count(\"é\")";
const SUFFIX: &str = "\n    return sum\n";

fn sample(format: &str, colour: Colour) -> String {
    let settings = truefill_trainer::train::example::Settings {
        context_tokens: 96,
        max_tokens: 192,
        ..settings(everything())
    };
    let renderer = renderer(format, &[], settings);
    let row = row("c0ffee", [PREFIX, CHOSEN, SUFFIX], Some(REJECTED));
    let example = example(&renderer, &row, 0);
    show(&example, &renderer, &place("c0ffee"), colour)
}

#[test]
fn the_sample_shows_prompt_and_marks_in_every_format() {
    for format in FORMATS {
        insta::assert_snapshot!(format, sample(format, Colour::Never));
    }
}

/// A text without its colours.
fn colourless(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('m').unwrap().1);
    std::iter::once(first.as_str()).chain(rest).collect()
}

#[test]
fn colours_add_nothing_to_the_text() {
    for format in FORMATS {
        let coloured = sample(format, Colour::Always);
        assert!(coloured.contains("\x1b[2m") && coloured.contains("\x1b[1;31m"));
        assert_eq!(colourless(&coloured), sample(format, Colour::Never));
        // No colour goes on behind a line's end.
        for line in coloured.lines() {
            let ends = line.matches("\x1b[0m").count();
            assert_eq!(line.matches('\x1b').count(), 2 * ends, "{line:?}");
        }
    }
}

#[test]
fn a_file_does_not_drive_the_terminal() {
    let renderer = renderer("qwen2.5-coder", &[], settings(everything()));
    let row = row(
        "a",
        ["\x1b]0;x\x07 \u{202e}", "a\x1b[2J\r\n日", ""],
        Some("b"),
    );
    let shown = show(
        &example(&renderer, &row, 0),
        &renderer,
        &place("a"),
        Colour::Never,
    );
    assert!(
        !shown.contains(['\x1b', '\x07', '\r', '\u{202e}']),
        "{shown:?}"
    );
    assert!(shown.contains("<U+001B>") && shown.contains('␍'), "{shown}");
    // The vocabulary has no token for the character: its bytes are shown.
    assert!(shown.contains("⟦<E6>"), "{shown}");
}
