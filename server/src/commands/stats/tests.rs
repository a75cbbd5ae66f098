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
    Report::of(&requests, Some("base"))
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
    assert!(verdict(None)[0].contains("truefill arms set"));
    let mut off: Vec<Request> = (0..300).map(|number| request(number, "base", 5)).collect();
    off.extend((0..100).map(|number| request(number, "cand", 5)));
    off.sort_by_key(|it| it.at);
    let off = Report::of(&off, None).verdict.join(" ");
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
    Report::of(&[], None).print(&mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "The journal has no requests yet.\n"
    );
}
