//! Document sync against an oracle that knows nothing but UTF-16 code units.

use std::time::Instant;

use proptest::prelude::*;
use truefill_server::documents::{
    Change, Documents, EditError, Encoding, Position, Range, Unusable,
};

/// A text as a vector of UTF-16 code units and the protocol's rules on it, written
/// without regard for speed and without the rope.
#[derive(Clone)]
struct Oracle(Vec<u16>);

impl Oracle {
    fn new(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }

    fn text(&self) -> String {
        String::from_utf16(&self.0).expect("the oracle holds whole characters")
    }

    /// Start and end (without line end) of each line.
    fn lines(&self) -> Vec<(usize, usize)> {
        let (cr, lf) = (u16::from(b'\r'), u16::from(b'\n'));
        let mut lines = Vec::new();
        let mut start = 0;
        let mut at = 0;
        while at < self.0.len() {
            let unit = self.0[at];
            if unit == cr && self.0.get(at + 1) == Some(&lf) {
                lines.push((start, at));
                at += 2;
                start = at;
            } else if unit == cr || unit == lf {
                lines.push((start, at));
                at += 1;
                start = at;
            } else {
                at += 1;
            }
        }
        lines.push((start, self.0.len()));
        lines
    }

    /// The index of a column, `None` where it is inside a character.
    fn index(&self, line: usize, column: usize, encoding: Encoding) -> Option<usize> {
        let lines = self.lines();
        if line == lines.len() && column == 0 {
            return Some(self.0.len());
        }
        let &(start, end) = lines.get(line)?;
        let text = String::from_utf16(&self.0[start..end]).expect("whole characters");
        let mut units = 0;
        let mut index = start;
        for character in text.chars() {
            if units >= column {
                break;
            }
            units += match encoding {
                Encoding::Utf8 => character.len_utf8(),
                Encoding::Utf16 => character.len_utf16(),
            };
            index += character.len_utf16();
        }
        (units <= column || index == start).then_some(index)
    }

    fn apply(&mut self, change: &Change, encoding: Encoding) -> bool {
        let text: Vec<u16> = change.text.encode_utf16().collect();
        let Some(range) = change.range else {
            self.0 = text;
            return true;
        };
        let index = |position: Position| {
            self.index(
                position.line.0 as usize,
                position.column.0 as usize,
                encoding,
            )
        };
        match (index(range.start), index(range.end)) {
            (Some(start), Some(end)) if start <= end => {
                self.0.splice(start..end, text);
                true
            }
            _ => false,
        }
    }
}

/// Pieces that have broken other servers, beside plain ones.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "fn f() {}",
        "  ",
        "é",
        "世",
        "😀",
        "👩\u{200d}💻",
        "\r\n",
        "\r",
        "\n",
        "\u{2028}",
        "\u{85}",
        "\u{feff}",
        "\0",
        "\u{200d}",
        "\t",
        "e\u{301}",
        "\u{10ffff}",
    ])
}

fn text(pieces: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..pieces).prop_map(|pieces| pieces.concat())
}

fn encoding() -> impl Strategy<Value = Encoding> {
    prop::sample::select(vec![Encoding::Utf8, Encoding::Utf16])
}

/// Positions near a text of a few lines, some of them nowhere.
fn position() -> impl Strategy<Value = Position> {
    (0u32..8, prop_oneof![9 => 0u32..12, 1 => Just(u32::MAX)])
        .prop_map(|(line, column)| Position::new(line, column))
}

fn change() -> impl Strategy<Value = Change> {
    let range = (position(), position()).prop_map(|(one, other)| {
        Some(Range {
            start: one.min(other),
            end: one.max(other),
        })
    });
    let range = prop_oneof![19 => range, 1 => Just(None)];
    (range, text(4)).prop_map(|(range, text)| Change { range, text })
}

fn held(documents: &Documents) -> Option<String> {
    documents
        .snapshot("file:///a")
        .ok()
        .map(|snapshot| snapshot.text())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_edit_equals_the_oracles(
        start in text(12),
        changes in prop::collection::vec(change(), 1..60),
        encoding in encoding(),
    ) {
        let documents = Documents::default();
        documents.open("file:///a", "rust", 0, &start);
        let mut oracle = Oracle::new(&start);
        for (version, change) in (1..).zip(&changes) {
            let mut next = oracle.clone();
            let applies = next.apply(change, encoding);
            let result =
                documents.change("file:///a", version, std::slice::from_ref(change), encoding, Instant::now());
            prop_assert_eq!(result.is_ok(), applies, "{:?} of {:?}", change, oracle.text());
            if applies {
                oracle = next;
                prop_assert_eq!(held(&documents), Some(oracle.text()));
            } else {
                prop_assert_eq!(held(&documents), None);
                documents.open("file:///a", "rust", version, &oracle.text());
            }
        }
    }

    #[test]
    fn several_changes_in_one_notification_apply_in_order(
        start in text(8),
        changes in prop::collection::vec(change(), 1..6),
        encoding in encoding(),
    ) {
        let documents = Documents::default();
        documents.open("file:///a", "rust", 0, &start);
        let mut oracle = Oracle::new(&start);
        let full = changes.iter().rposition(|change| change.range.is_none()).unwrap_or(0);
        let applies = changes[full..].iter().all(|change| oracle.apply(change, encoding));
        let result = documents.change("file:///a", 1, &changes, encoding, Instant::now());
        prop_assert_eq!(result.is_ok(), applies);
        prop_assert_eq!(held(&documents), applies.then(|| oracle.text()));
    }

    #[test]
    fn offsets_and_positions_agree(text in text(12), encoding in encoding()) {
        let documents = Documents::default();
        documents.open("file:///a", "rust", 0, &text);
        let snapshot = documents.snapshot("file:///a").unwrap();
        let between_cr_and_lf = |at: usize| text[..at].ends_with('\r') && text[at..].starts_with('\n');
        for (at, _) in text.char_indices().filter(|(at, _)| !between_cr_and_lf(*at)) {
            let offset = truefill_server::documents::ByteOffset(at);
            let there = snapshot.position(offset, encoding);
            prop_assert_eq!(snapshot.byte_offset(there, encoding), Ok(offset));
            let (before, after) = snapshot.split(offset);
            prop_assert_eq!(before.as_str(), &text[..at]);
            prop_assert_eq!(after.as_str(), &text[at..]);
        }
    }
}

#[test]
fn versions_may_jump_but_not_stand_still() {
    let documents = Documents::default();
    documents.open("file:///a", "rust", 0, "x");
    let insert = |version, text: &str| {
        let start = Position::new(0, 0);
        let range = Some(Range { start, end: start });
        let change = Change {
            range,
            text: text.into(),
        };
        documents.change(
            "file:///a",
            version,
            &[change],
            Encoding::Utf16,
            Instant::now(),
        )
    };
    assert!(insert(5, "a").is_ok());
    assert_eq!(held(&documents), Some("ax".into()));
    assert_eq!(
        insert(5, "b"),
        Err(EditError::Version {
            current: 5,
            found: 5
        })
    );
    assert_eq!(held(&documents), None);
    assert!(matches!(insert(6, "c"), Err(EditError::Poisoned(_))));
}

#[test]
fn full_text_or_opening_again_heals() {
    let documents = Documents::default();
    documents.open("file:///a", "rust", 1, "x");
    assert!(documents.poison("file:///a", EditError::Unreadable));
    let poisoned = Unusable::Poisoned(EditError::Unreadable);
    assert_eq!(documents.snapshot("file:///a").err(), Some(poisoned));
    let full = Change {
        range: None,
        text: "new".into(),
    };
    let result = documents.change("file:///a", 2, &[full], Encoding::Utf16, Instant::now());
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(held(&documents), Some("new".into()));
    documents.poison("file:///a", EditError::Unreadable);
    documents.open("file:///a", "rust", 1, "again");
    assert_eq!(held(&documents), Some("again".into()));
    assert!(documents.close("file:///a"));
    assert_eq!(
        documents.snapshot("file:///a").err(),
        Some(Unusable::NotOpen)
    );
}
