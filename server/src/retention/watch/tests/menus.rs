//! Items of a menu whose editor never says that one was taken.

use super::*;

#[test]
fn what_a_menu_writes_at_once_was_taken() {
    const TAKEN: &str = "7 Accepted { extent: Whole, chars: 8 }";
    let served = || {
        let mut scene = Scene::new("x = \ny = 2\n");
        scene.serve_item(7, "\ny", "total(a)");
        scene.wait(1);
        scene
    };
    let mut taken = served();
    // Typed on first: the menu stays and its item writes the rest.
    taken.edit("x = ", "x = t");
    taken.edit("x = t", "x = to");
    taken.edit("x = to", "x = total(a)");
    taken.wait(61);
    let expected = [
        "31: 7 after 30 of 8: Chars(8)".to_owned(),
        format!("61: {TAKEN}"),
        "61: hole Line \"total(a)\" own [\"total(a)\"]".to_owned(),
    ];
    assert_eq!(taken.log, expected);

    let mut goes_on = served();
    goes_on.edit("x = ", "x = total(a)");
    goes_on.serve_item(8, "\ny", ".x");
    assert_eq!(goes_on.log, [format!("1: {TAKEN}")]);

    let mut undone = served();
    undone.edit("x = ", "x = total(a)");
    undone.edit("x = total(a)", "x = ");
    undone.wait(1000);
    let censored = "1: 7 after 30 of 8: Censored(Undone)".to_owned();
    assert_eq!(undone.log, [censored, format!("1: {TAKEN}")]);

    let mut closed = served();
    closed.edit("x = ", "x = total(a)");
    let events = closed.watch.lost(URI, Censored::Closed);
    closed.note(events);
    assert_eq!(closed.log[0], format!("1: {TAKEN}"));
    assert_eq!(closed.log.len(), 2, "and no sample: {:?}", closed.log);

    let mut told = served();
    told.edit("x = ", "x = total(a)");
    told.accept(7, "total(a)");
    told.wait(61);
    assert_eq!(
        told.log,
        [expected[0].clone(), expected[2].clone()],
        "who tells it is believed"
    );

    let mut typed = served();
    for end in 1..="total(a)".len() {
        let (before, now) = (&"total(a)"[..end - 1], &"total(a)"[..end]);
        typed.edit(&format!("x = {before}"), &format!("x = {now}"));
    }
    typed.wait(61);
    assert_eq!(typed.log, ["61: hole Line \"total(a)\" own []"]);

    let mut other = served();
    other.edit("x = ", "x = totals()");
    other.wait(61);
    assert_eq!(
        other.log[0],
        "61: 7 Rejected { reason: Some(\"rewritten\") }"
    );

    let mut late = served();
    late.wait(600);
    late.edit("x = ", "x = total(a)");
    late.wait(61);
    let rejected = "60: 7 Rejected { reason: Some(\"left_alone\") }";
    assert_eq!(late.log[0], rejected);
    assert!(
        late.log.contains(&format!("661: {TAKEN}")),
        "{:?}",
        late.log
    );
}

/// A place for `total()` in which `tota` was typed.
fn begun() -> Scene {
    let mut scene = Scene::new("x = \ny = 2\n");
    scene.serve_item(7, "\ny", "total()");
    scene.wait(1);
    for end in 1..="tota".len() {
        scene.edit(
            &format!("x = {}\n", &"tota"[..end - 1]),
            &format!("x = {}\n", &"tota"[..end]),
        );
    }
    scene
}

#[test]
fn what_hands_write_was_not_taken_from_a_menu() {
    // The editor closes the bracket.
    let mut closed = begun();
    closed.edit("x = tota\n", "x = total\n");
    closed.edit("x = total\n", "x = total()\n");

    // A client that sends keys together.
    let mut together = begun();
    together.edit("x = tota\n", "x = total(\n");
    together.edit("x = total(\n", "x = total()\n");

    // A key, and an edit elsewhere in the same message.
    let mut beside = begun();
    beside.edit("x = tota\n", "x = total(\n");
    let key = Splice {
        at: beside.find("\ny"),
        removed: 0,
        added: 1,
    };
    beside.rope.insert(key.at, ")");
    let elsewhere = Splice {
        at: beside.rope.len_chars(),
        removed: 0,
        added: 6,
    };
    beside.rope.insert(elsewhere.at, "z = 33");
    let events = beside
        .watch
        .edited(URI, &[key, elsewhere], &beside.rope, beside.now);
    beside.note(events);

    // Undone and done again at once.
    let mut again = begun();
    again.edit("x = tota\n", "x = total\n");
    again.edit("x = total\n", "x = total(\n");
    again.edit("x = total(\n", "x = total()\n");
    again.edit("x = total()\n", "x = \n");
    again.edit("x = \n", "x = total()\n");

    for mut scene in [closed, together, beside, again] {
        scene.wait(100);
        assert_eq!(scene.log, ["61: hole Line \"total()\" own []"]);
    }
}
