use proptest::prelude::*;

use super::*;

fn source(checkpoint: &str) -> Source {
    Source {
        checkpoint: checkpoint.to_owned(),
        format: "causal@1".to_owned(),
        document: "file:///a.rs".to_owned(),
    }
}

fn offer(text: &str) -> Vec<Offer> {
    vec![Offer {
        id: format!("id of {text}"),
        text: text.to_owned(),
    }]
}

fn place<'a>(before: &'a str, after: &'a str) -> Place<'a> {
    Place { before, after }
}

/// A cache that served `text` at the place `at`, asked for at `now`.
fn rest(at: (&str, &str), text: &str, now: (&str, &str)) -> Option<String> {
    let mut cache = TypedThrough::new(8, 1 << 20);
    cache.remember(
        &source("m"),
        Trigger::Automatic,
        place(at.0, at.1),
        offer(text),
    );
    let mut rests = cache.rest(&source("m"), Trigger::Automatic, place(now.0, now.1));
    let rest = rests.pop()?;
    assert_eq!(rest.id, format!("id of {text}"));
    Some(rest.text)
}

#[test]
fn what_is_left_while_typing() {
    let table: &[((&str, &str), &str, (&str, &str), Option<&str>)] = &[
        (("x = ", "\n"), "foo(a)", ("x = ", "\n"), Some("foo(a)")),
        (("x = ", "\n"), "foo(a)", ("x = fo", "\n"), Some("o(a)")),
        (("x = ", "\n"), "foo(a)", ("x = foo(a)", "\n"), None),
        (("x = ", "\n"), "foo(a)", ("x = fu", "\n"), None),
        (("x = ", "\n"), "foo(a)", ("y = fo", "\n"), None),
        (("x = ", "\n"), "foo(a)", ("x = fo", ";\n"), None),
        (("x = ", "\n"), "foo(a)", ("x =", "\n"), None),
        // Line breaks of the document.
        (
            ("x\r\n", ""),
            "a {\n  b\n}",
            ("x\r\na {\r\n  ", ""),
            Some("b\n}"),
        ),
        // The editor closes brackets and quotes by itself.
        (
            ("x = ", "\n"),
            "foo(a, g(b))",
            ("x = foo(", ")\n"),
            Some("a, g(b)"),
        ),
        (
            ("x = ", "\n"),
            "foo(a, g(b))",
            ("x = foo(a, g(", "))\n"),
            Some("b"),
        ),
        (
            ("x = ", "\n"),
            "f(\"ab\")",
            ("x = f(\"", "\")\n"),
            Some("ab"),
        ),
        (("x = ", "\n"), "foo()", ("x = foo(", ")\n"), None),
        (("x = ", "\n"), "foo", ("x = f", ")\n"), None),
    ];
    for (at, text, now, left) in table {
        assert_eq!(
            rest(*at, text, *now).as_deref(),
            *left,
            "{at:?} {text:?} {now:?}"
        );
    }
}

#[test]
fn edits_far_above_do_not_lose_it() {
    let near = "let near = the_place;\n".repeat(20);
    let (before, now) = (format!("a\n{near}x = "), format!("a\nmore\n{near}x = f"));
    assert_eq!(
        rest((&before, ""), "foo", (&now, "")).as_deref(),
        Some("oo")
    );
    let other = format!("a\n{near}changed\nx = f");
    assert_eq!(rest((&before, ""), "foo", (&other, "")), None);
}

#[test]
fn only_the_same_model_and_document_serve() {
    let mut cache = TypedThrough::new(8, 1 << 20);
    let at = place("x = ", "");
    cache.remember(&source("old"), Trigger::Automatic, at, offer("foo"));
    assert!(
        cache
            .rest(&source("new"), Trigger::Automatic, at)
            .is_empty()
    );
    let other = Source {
        document: "file:///b.rs".to_owned(),
        ..source("old")
    };
    assert!(cache.rest(&other, Trigger::Automatic, at).is_empty());
    assert_eq!(cache.rest(&source("old"), Trigger::Automatic, at).len(), 1);
}

#[test]
fn asked_for_by_hand_it_needs_what_was_asked_for_by_hand() {
    let mut cache = TypedThrough::new(8, 1 << 20);
    let at = place("x = ", "");
    cache.remember(&source("m"), Trigger::Automatic, at, offer("foo"));
    assert!(cache.rest(&source("m"), Trigger::Invoked, at).is_empty());
    let both = [offer("foo"), offer("fan")].concat();
    cache.remember(&source("m"), Trigger::Invoked, at, both);
    assert_eq!(
        cache
            .rest(&source("m"), Trigger::Invoked, place("x = f", ""))
            .len(),
        2
    );
    assert_eq!(
        cache
            .rest(&source("m"), Trigger::Automatic, place("x = fo", ""))
            .len(),
        1
    );
}

#[test]
fn deleting_goes_back_to_what_was_served() {
    let mut cache = TypedThrough::new(8, 1 << 20);
    let ask = |cache: &mut TypedThrough, before| {
        cache
            .rest(&source("m"), Trigger::Automatic, place(before, ""))
            .pop()
            .map(|r| r.text)
    };
    cache.remember(
        &source("m"),
        Trigger::Automatic,
        place("x = ", ""),
        offer("foo(a)"),
    );
    cache.remember(
        &source("m"),
        Trigger::Automatic,
        place("x = fu", ""),
        offer("n()"),
    );
    assert_eq!(ask(&mut cache, "x = fu").as_deref(), Some("n()"));
    assert_eq!(ask(&mut cache, "x = f").as_deref(), Some("oo(a)"));
}

#[test]
fn the_least_recently_used_goes_first_and_the_rejected_at_once() {
    let mut cache = TypedThrough::new(2, 1 << 20);
    let served = |cache: &mut TypedThrough, before: &str| {
        !cache
            .rest(&source("m"), Trigger::Automatic, place(before, ""))
            .is_empty()
    };
    for before in ["a", "b"] {
        cache.remember(
            &source("m"),
            Trigger::Automatic,
            place(before, ""),
            offer("one"),
        );
    }
    assert!(served(&mut cache, "a"));
    cache.remember(
        &source("m"),
        Trigger::Automatic,
        place("c", ""),
        offer("two"),
    );
    assert!(served(&mut cache, "a") && served(&mut cache, "c") && !served(&mut cache, "b"));
    cache.forget("id of two");
    assert!(!served(&mut cache, "c"));
    assert_eq!(cache.len(), 1);
}

#[test]
fn bytes_are_bounded() {
    let mut cache = TypedThrough::new(1000, 10_000);
    for number in 0..100 {
        let before = format!("place {number}");
        let text = "x".repeat(500);
        cache.remember(
            &source("m"),
            Trigger::Automatic,
            place(&before, ""),
            offer(&text),
        );
    }
    assert!(cache.bytes <= 10_000 && !cache.is_empty());
    (0..100).for_each(|_| cache.forget(&format!("id of {}", "x".repeat(500))));
    assert!(cache.is_empty() && cache.bytes == 0 && cache.places.is_empty());
}

proptest! {
    #[test]
    fn every_step_of_typing_is_served(
        before in "[a-c\u{e9}\u{1F600}\n ]{0,300}", text in "[a-z(\u{e9}\n]{2,100}x", after in "[a-c\n]{0,200}",
    ) {
        let mut cache = TypedThrough::new(8, 1 << 20);
        let at = place(&before, &after);
        cache.remember(&source("m"), Trigger::Automatic, at, offer(&text));
        for (typed, _) in text.char_indices() {
            let now = format!("{before}{}", &text[..typed]);
            let tail = lines::tail(&now, LOOK_BEHIND_BYTES);
            for before in [now.as_str(), tail] {
                let rests = cache.rest(&source("m"), Trigger::Automatic, place(before, &after));
                prop_assert_eq!(rests.len(), 1);
                prop_assert_eq!(&rests[0].text, &text[typed..]);
                prop_assert_eq!(rests[0].typed_bytes, typed);
            }
        }
    }
}
