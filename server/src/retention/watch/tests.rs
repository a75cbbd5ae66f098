use std::time::Duration;

use truefill_journal::{Document, PathPolicy};
use truefill_syntax::{Language, Shape};

use super::*;

mod menus;

const SECOND: Duration = Duration::from_secs(1);
const URI: &str = "file:///w/a.py";

/// A document with its watch, and what was recorded, a line each.
struct Scene {
    rope: Rope,
    watch: Watch,
    start: Instant,
    now: Instant,
    head: String,
    log: Vec<String>,
}

fn id(number: u128) -> SuggestionId {
    SuggestionId::from_parts(1, number)
}

fn served(number: u128, at: usize, text: &str, shape: Shape) -> Served {
    let document = Document {
        path: "/w/a.py".into(),
        repository: None,
        policy: PathPolicy::Open,
    };
    Served {
        id: id(number),
        document,
        at,
        replaces: 0,
        text: text.into(),
        language: Some(Language::Python),
        shape,
        menu: false,
    }
}

impl Scene {
    fn new(text: &str) -> Self {
        let now = Instant::now();
        let mut watch = Watch::new(Times::default());
        watch.keep_text(true);
        Self {
            rope: Rope::from_str(text),
            watch,
            start: now,
            now,
            head: "main".into(),
            log: Vec::new(),
        }
    }

    fn find(&self, text: &str) -> usize {
        let whole = self.rope.to_string();
        let byte = whole.find(text).expect("it is there");
        whole[..byte].chars().count()
    }

    /// Serves a suggestion right before a text.
    fn serve(&mut self, number: u128, before: &str, text: &str, shape: Shape) {
        self.serve_at(number, self.find(before), text, shape);
    }

    fn serve_at(&mut self, number: u128, at: usize, text: &str, shape: Shape) {
        let served = served(number, at, text, shape);
        let events = self.watch.served(URI, vec![served], self.now);
        self.note(events);
    }

    /// Serves an item of a menu right before a text.
    fn serve_item(&mut self, number: u128, before: &str, text: &str) {
        let menu = true;
        let item = served(number, self.find(before), text, Shape::OneLine);
        let events = self
            .watch
            .served(URI, vec![Served { menu, ..item }], self.now);
        self.note(events);
    }

    fn accept(&mut self, number: u128, text: &str) {
        let rope = self.rope.clone();
        self.watch
            .accepted(id(number), text, |_| Some(rope.clone()), self.now);
    }

    /// Replaces a text by another one.
    fn edit(&mut self, old: &str, new: &str) {
        self.splice(self.find(old), old.chars().count(), new);
    }

    fn splice(&mut self, at: usize, removed: usize, new: &str) {
        let old = Rope::from(self.rope.slice(at..at + removed));
        let splice = Splice::of(at, &old, &Rope::from_str(new));
        self.rope.remove(at..at + removed);
        self.rope.insert(at, new);
        let events = self.watch.edited(URI, &[splice], &self.rope, self.now);
        self.note(events);
    }

    /// What a formatter does: the whole text at once.
    fn format(&mut self) {
        let new = self.rope.to_string().replace('=', " = ").replace("  ", " ");
        self.splice(0, self.rope.len_chars(), &new);
    }

    /// Lets the time pass, and takes what is due when it is.
    fn wait(&mut self, seconds: u32) {
        let until = self.now + seconds * SECOND;
        while let Some(next) = self.watch.next().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            let rope = self.rope.clone();
            let asked = self.watch.asks_heads(self.now).into_iter();
            let heads = asked.map(|it| (it.path, Some(self.head.clone()))).collect();
            let events = self.watch.take(self.now, |_| Some(rope.clone()), &heads);
            self.note(events);
        }
        self.now = until;
    }

    fn note(&mut self, events: Vec<Event>) {
        let at = (self.now - self.start).as_secs();
        self.log
            .extend(events.iter().map(|event| format!("{at}: {}", told(event))));
    }
}

fn told(event: &Event) -> String {
    match event {
        Event::Outcome(record) => {
            let number = record.suggestion.to_string();
            let number = number
                .trim_start_matches(|c| c != '0')
                .trim_start_matches('0');
            let number = number.trim_start_matches('1').trim_start_matches('0');
            match &record.outcome {
                Outcome::Kept { after_s, of, kept } => {
                    format!("{number} after {after_s} of {of}: {kept:?}")
                }
                other => format!("{number} {other:?}"),
            }
        }
        Event::Hole(hole) => {
            let own: Vec<&str> = hole
                .own
                .iter()
                .map(|(from, to)| &hole.golden[*from as usize..*to as usize])
                .collect();
            format!("hole {:?} {:?} own {own:?}", hole.kind, hole.golden)
        }
        Event::Suggestion(_) => "suggestion".into(),
    }
}

#[test]
fn what_is_kept_is_sampled_by_the_clock_without_an_edit() {
    let mut scene = Scene::new("x = \ny = 2\n");
    scene.serve(7, "\ny", "total(a)", Shape::OneLine);
    scene.edit("x = ", "x = total(a)");
    scene.accept(7, "total(a)");
    scene.wait(100);
    scene.edit("total(a)", "total(b)");
    scene.wait(1000);
    assert_eq!(
        scene.log,
        [
            "30: 7 after 30 of 8: Chars(8)",
            "60: hole Line \"total(a)\" own [\"total(a)\"]",
            "90: 7 after 90 of 8: Chars(8)",
            "180: 7 after 180 of 8: Chars(7)",
            "360: 7 after 360 of 8: Chars(7)",
        ]
    );
}

#[test]
fn what_can_not_be_told_is_recorded_as_such() {
    let accepted = || {
        let lines = "a=1\n".repeat(50);
        let mut scene = Scene::new(&format!("{lines}x = \ny=2\n{lines}"));
        scene.serve(7, "\ny", "total(a)", Shape::OneLine);
        scene.edit("x = ", "x = total(a)");
        scene.accept(7, "total(a)");
        scene.wait(40);
        assert_eq!(scene.log.len(), 1);
        scene
    };
    let mut undone = accepted();
    undone.edit("total(a)", "");
    undone.wait(1000);
    assert_eq!(undone.log[1], "40: 7 after 90 of 8: Censored(Undone)");

    let mut reformatted = accepted();
    reformatted.format();
    reformatted.wait(1000);
    assert_eq!(
        reformatted.log[1],
        "40: 7 after 90 of 8: Censored(Reformatted)"
    );

    let mut switched = accepted();
    switched.head = "other".into();
    switched.wait(1000);
    assert_eq!(
        switched.log[2],
        "90: 7 after 90 of 8: Censored(BranchSwitched)"
    );

    let mut closed = accepted();
    let events = closed.watch.lost(URI, Censored::Closed);
    closed.note(events);
    closed.wait(1000);
    assert_eq!(closed.log[1], "40: 7 after 90 of 8: Censored(Closed)");
    for scene in [undone, reformatted, switched, closed] {
        let kept = scene.log.iter().filter(|it| it.contains("after")).count();
        assert_eq!(kept, 2, "{:?}", scene.log);
    }
}

#[test]
fn a_command_may_come_before_its_change_and_words_before_the_whole() {
    let mut scene = Scene::new("x = \n");
    scene.serve(7, "\n", "total(a, b)", Shape::OneLine);
    scene.accept(7, "total");
    scene.edit("x = ", "x = total");
    scene.wait(35);
    scene.accept(7, "total(a, b)");
    scene.edit("total", "total(a, b)");
    scene.wait(40);
    assert_eq!(
        scene.log,
        ["30: 7 after 30 of 5: Chars(5)"],
        "the first sample is not taken twice"
    );
    scene.wait(1000);
    assert!(
        scene
            .log
            .contains(&"125: 7 after 90 of 11: Chars(11)".into()),
        "{:?}",
        scene.log
    );
}

#[test]
fn what_is_written_instead_is_the_golden_text() {
    let mut scene = Scene::new("x = \ny = 2\n");
    scene.serve(7, "\ny", "totale(a)", Shape::OneLine);
    scene.wait(1);
    scene.edit("x = ", "x = t");
    scene.wait(1);
    scene.edit("x = t", "x = total(a)");
    scene.wait(59);
    scene.edit("y = 2", "y = 3");
    scene.wait(10);
    assert_eq!(
        scene.log,
        [
            "62: 7 Rejected { reason: Some(\"rewritten\") }",
            "62: hole Line \"total(a)\" own []",
        ]
    );
}

#[test]
fn told_rejections_are_not_inferred_again() {
    let mut scene = Scene::new("x = \n");
    scene.serve(7, "\n", "totale(a)", Shape::OneLine);
    scene.watch.rejected(id(7));
    scene.edit("x = ", "x = total(a)");
    scene.wait(100);
    assert_eq!(scene.log, ["60: hole Line \"total(a)\" own []"]);
}

#[test]
fn typing_on_supersedes() {
    let mut scene = Scene::new("x = \nz = \n");
    scene.serve(6, "\nz", "one", Shape::OneLine);
    scene.wait(1);
    scene.edit("x = ", "x = t");
    scene.serve(7, "\nz", "two", Shape::OneLine);
    scene.edit("x = t", "x = to");
    scene.serve_at(8, scene.find("\nz"), "tal", Shape::OneLine);
    scene.serve_at(9, scene.rope.len_chars() - 1, "1", Shape::OneLine);
    scene.edit("x = to", "x = total");
    scene.wait(100);
    assert_eq!(
        scene.log,
        [
            "1: 6 Superseded",
            "1: 7 Superseded",
            // It was written by hand as suggested.
            "61: hole Line \"tal\" own []",
            "61: 9 Rejected { reason: Some(\"left_alone\") }",
        ]
    );
}

#[test]
fn what_was_gone_before_it_could_be_seen_was_not_shown() {
    let mut scene = Scene::new("x = \n");
    scene.watch.keep_text(false);
    scene.serve(7, "\n", "totale(a)", Shape::OneLine);
    scene.edit("x = ", "x = w");
    scene.wait(100);
    assert_eq!(
        scene.log,
        ["60: 7 NotShown { reason: \"typed_on\" }"],
        "and no text"
    );
}

#[test]
fn of_alternatives_the_one_that_was_taken_counts() {
    let mut scene = Scene::new("x = \n");
    let at = scene.find("\n");
    let offers = [(7, "one"), (8, "two")];
    let offers = offers.map(|(number, text)| served(number, at, text, Shape::OneLine));
    assert_eq!(scene.watch.served(URI, offers.into(), scene.now), []);
    scene.edit("x = ", "x = two");
    scene.accept(8, "two");
    scene.wait(61);
    assert_eq!(
        scene.log,
        [
            "30: 8 after 30 of 3: Chars(3)",
            "60: hole Line \"two\" own [\"two\"]"
        ]
    );
}

#[test]
fn a_tool_that_rewrites_the_file_leaves_no_hole() {
    let lines = "a=1\n".repeat(50);
    let mut scene = Scene::new(&format!("{lines}x=\n{lines}"));
    scene.serve_at(7, 202, "totale(a)", Shape::OneLine);
    scene.format();
    scene.wait(100);
    assert!(scene.log.is_empty(), "{:?}", scene.log);
    assert_eq!(scene.watch.next(), None);
}

#[test]
fn line_ends_are_the_documents_own() {
    let mut scene = Scene::new("def f():\r\n    \r\n");
    scene.serve_at(7, 14, "a = 1\n    b = 2", Shape::Block);
    scene.splice(14, 0, "a = 1\r\n    b = 2");
    scene.accept(7, "a = 1\n    b = 2");
    scene.wait(61);
    assert_eq!(
        scene.log,
        [
            "30: 7 after 30 of 15: Chars(15)",
            "60: hole Block \"a = 1\\n    b = 2\" own [\"a = 1\\n    b = 2\"]",
        ]
    );
}

#[test]
fn shadows_are_held_against_what_was_written() {
    let mut scene = Scene::new("x = \n");
    scene.serve(7, "\n", "totale(a)", Shape::OneLine);
    scene.watch.shadowed(id(7), id(8), "total(a)".into());
    scene.watch.shadowed(id(5), id(9), "nobody's".into());
    scene.edit("x = ", "x = total(a)");
    scene.wait(61);
    assert_eq!(
        scene.log[1..3],
        [
            "60: 7 Agreed { chars: 8, of: 9 }",
            "60: 8 Agreed { chars: 8, of: 8 }"
        ]
    );
}

#[test]
fn what_is_undone_leaves_no_hole_and_what_is_redone_is_followed_again() {
    let accepted = || {
        let mut scene = Scene::new("x = \ny = 2\n");
        scene.serve(7, "\ny", "total(a)", Shape::OneLine);
        scene.edit("x = ", "x = total(a)");
        scene.accept(7, "total(a)");
        scene.wait(1);
        scene.edit("total(a)", "");
        scene
    };
    let mut undone = accepted();
    undone.edit("x = ", "x = sum(b)");
    undone.wait(1000);
    assert_eq!(undone.log, ["1: 7 after 30 of 8: Censored(Undone)"]);

    let mut redone = accepted();
    redone.edit("x = ", "x = total(a)");
    redone.serve(8, "\ny", ".x", Shape::OneLine);
    redone.wait(1);
    redone.edit("total(a)", "total(a).y");
    redone.wait(100);
    assert_eq!(
        redone.log,
        [
            "1: 7 after 30 of 8: Censored(Undone)",
            "62: 8 Rejected { reason: Some(\"rewritten\") }",
            "62: hole Line \".y\" own []",
            "90: 7 after 90 of 8: Chars(8)",
        ],
        "what was put back is the model's own"
    );
}

#[test]
fn a_suggestion_may_be_accepted_after_a_long_time() {
    let mut scene = Scene::new("x = \n");
    scene.serve(7, "\n", "total(a)", Shape::OneLine);
    scene.wait(600);
    scene.edit("x = ", "x = total(a)");
    scene.accept(7, "total(a)");
    scene.wait(100);
    assert_eq!(
        scene.log,
        [
            "60: 7 Rejected { reason: Some(\"left_alone\") }",
            "630: 7 after 30 of 8: Chars(8)",
            "660: hole Line \"total(a)\" own [\"total(a)\"]",
            "690: 7 after 90 of 8: Chars(8)",
        ]
    );
}

#[test]
fn the_first_key_tells_whether_it_could_be_seen() {
    let mut scene = Scene::new("x = \n");
    scene.serve(7, "\n", "totale(a)", Shape::OneLine);
    scene.edit("x = ", "x = w");
    scene.wait(2);
    scene.edit("x = w", "x = what");
    scene.wait(100);
    assert_eq!(scene.log[0], "62: 7 NotShown { reason: \"typed_on\" }");
}

#[test]
fn a_formatter_ends_an_accepted_hole_too() {
    let lines = "a=1\n".repeat(50);
    let mut scene = Scene::new(&format!("{lines}x=\n{lines}"));
    scene.serve_at(7, 202, "total(a)", Shape::OneLine);
    scene.splice(202, 0, "total(a)");
    scene.accept(7, "total(a)");
    scene.format();
    scene.wait(1000);
    assert_eq!(scene.log, ["0: 7 after 30 of 8: Censored(Reformatted)"]);
}

#[test]
fn what_a_menu_stands_for_is_in_the_hole() {
    let mut scene = Scene::new("x = to\n");
    let mut menu = served(7, 4, "total(a)", Shape::OneLine);
    menu.replaces = 2;
    assert_eq!(scene.watch.served(URI, vec![menu], scene.now), []);
    scene.wait(1);
    scene.edit("x = to", "x = tower(a)");
    scene.wait(100);
    assert_eq!(
        scene.log,
        [
            "61: 7 Rejected { reason: Some(\"rewritten\") }",
            "61: hole Line \"tower(a)\" own []",
        ]
    );
}
