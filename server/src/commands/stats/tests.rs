use std::collections::BTreeMap;

use truefill_journal::UnixMicros;

use super::*;

fn request(number: i64, arm: &str, kept: u64) -> Request {
    Request {
        at: UnixMicros(number * 3_600_000_000),
        arm: arm.to_owned(),
        checkpoint: format!("{arm}-1"),
        language: ["rust", "python"][usize::from(number % 2 == 0)].to_owned(),
        trigger: "automatic".to_owned(),
        unit: Some(format!("{arm} {number}")),
        shares: BTreeMap::from([("base".to_owned(), 0.5), ("cand".to_owned(), 0.5)]),
        comparison: Some("1".to_owned()),
        eligible: 1,
        silence: (kept == 0).then(|| "nothing_generated".to_owned()),
        total_us: Some(80_000 + 1000 * number.unsigned_abs()),
        served: kept > 0,
        shown: kept > 0,
        accepted: kept > 0,
        accepted_chars: kept + 1,
        kept_chars: kept,
    }
}

/// `units` of each arm, whose requests keep about so much.
fn report(units: i64, base: u64, candidate: u64) -> Report {
    let pair = |number: i64| {
        let noise = u64::try_from(number % 5).unwrap();
        [
            request(number, "base", base + noise),
            request(number, "cand", candidate + noise),
        ]
    };
    let requests: Vec<Request> = (0..units).flat_map(pair).collect();
    Report::of(&requests, Vec::new(), Some("base"))
}

#[test]
fn the_verdict_is_a_plain_sentence() {
    let told = |units, base, candidate| report(units, base, candidate).verdict.join(" ");
    let early = told(10, 8, 9);
    assert!(
        early.contains("too early") && early.contains("needs 30 units"),
        "{early}"
    );
    let better = told(200, 8, 10);
    assert!(
        better.starts_with("`cand` is better than `base`: +2.00 kept characters"),
        "{better}"
    );
    assert!(
        better.contains("+20.0 % of `base`'s 10.00") && better.contains("sure"),
        "{better}"
    );
    assert!(told(200, 10, 8).starts_with("`cand` is worse than `base`: -2.00"));
    let open = told(40, 9, 9);
    assert!(open.contains("cannot be told apart"), "{open}");
    assert!(verdict(None, &[])[0].contains("truefill arms set"));
    let mut off: Vec<Request> = (0..300).map(|number| request(number, "base", 5)).collect();
    off.extend((0..100).map(|number| request(number, "cand", 5)));
    off.sort_by_key(|it| it.at);
    let off = Report::of(&off, Vec::new(), None).verdict.join(" ");
    assert!(
        off.contains("not what it should be") && off.contains("`cand` has 100 units where 200"),
        "{off}"
    );
}

#[test]
fn the_funnel_is_a_table() {
    let mut out = Vec::new();
    report(40, 0, 7).print(&mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn nothing_is_said_plainly() {
    let mut out = Vec::new();
    Report::of(&[], Vec::new(), None).print(&mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "The journal has no requests yet.\n"
    );
}

#[test]
fn a_shadow_is_held_against_what_was_given() {
    let row = |number: u64, shadow_of: Option<u64>, chars: u32| {
        let id = |number| truefill_journal::SuggestionId::from_parts(number, 7).to_string();
        let arm = if shadow_of.is_some() { "cand" } else { "base" };
        let row = serde_json::json!({
            "id": id(number), "at": number, "session": "s", "document": format!("d{}", number % 50),
            "path_policy": "open", "language": "rust", "checkpoint": format!("{arm}-1"), "arm": arm,
            "format": "f", "format_version": 1, "trigger": "automatic", "stages": {},
            "shadow_of": shadow_of.map(id),
            "outcomes": [{ "event": "agreed", "sequence": 0, "at": number, "chars": chars,
                           "of_chars": 10, "inferred": true }],
        });
        serde_json::from_value::<SuggestionRow>(row).unwrap()
    };
    let rows = |places: u64| -> Vec<SuggestionRow> {
        let pair = |n: u64| {
            let noise = u32::try_from(n % 3).unwrap();
            [row(n, None, 4 + noise), row(1000 + n, Some(n), 8)]
        };
        (0..places).flat_map(pair).collect()
    };
    let found = shadows(&rows(100));
    assert_eq!(
        (found[0].places, found[0].documents, &*found[0].arm),
        (100, 50, "cand")
    );
    assert_eq!(
        format!("{:.3} {:.3}", found[0].agreement, found[0].shown_agreement),
        "0.800 0.499"
    );
    assert!(
        found[0]
            .interval
            .is_some_and(|[low, high]| low > 0.2 && high < 0.4)
    );
    let told = verdict(None, &found);
    assert!(
        told.len() == 1 && told[0].contains("80.0 %") && told[0].contains("points"),
        "{told:?}"
    );
    let few = verdict(None, &shadows(&rows(5)));
    assert!(few[0].contains("too few to say more"), "{few:?}");
    assert!(shadows(&rows(0)).is_empty());
}
