use std::sync::Arc;

use truefill_model::store::Serving;

use super::*;
use crate::engine::scripted::{Script, ScriptedEngine};

fn lineup(unit: Unit, shares: &[(&str, f64)]) -> Lineup {
    let engine: Arc<dyn crate::engine::Engine> =
        Arc::new(ScriptedEngine::new(Script::default()).expect("an engine"));
    let slot = |(name, share): &(&str, f64)| Slot {
        name: (*name).into(),
        share: *share,
        shadow: *share == 0.0,
        info: engine.info(),
        engine: Arc::clone(&engine),
    };
    let serving = Serving {
        generation: 3,
        salt: "salt".into(),
        unit,
        ..Serving::default()
    };
    Lineup::of(&serving, shares.iter().map(slot)).expect("an arm")
}

const MINUTE: i64 = 60_000_000;

fn arm(assigner: &Assigner, lineup: &Lineup, document: &str, minute: i64) -> (String, String) {
    let place = Place {
        document,
        workspace: Some("/w"),
    };
    let assigned = assigner.assign(lineup, place, UnixMicros(minute * MINUTE));
    let unit = assigned.assignment.expect("arms are assigned").unit;
    (assigned.slot.name.to_string(), unit)
}

#[test]
fn a_unit_keeps_its_arm_on_every_machine() {
    let lineup = lineup(Unit::Document, &[("base", 0.5), ("candidate", 0.5)]);
    let (one, other) = (Assigner::new("ada".into()), Assigner::new("ada".into()));
    for number in 0..200 {
        let document = format!("/w/{number}.rs");
        let first = arm(&one, &lineup, &document, 1);
        assert_eq!(first, arm(&one, &lineup, &document, 29));
        assert_eq!(first, arm(&other, &lineup, &document, 15));
    }
}

#[test]
fn a_look_sees_the_arm_of_the_next_request_and_begins_no_burst() {
    let lineup = lineup(Unit::Document, &[("base", 0.5), ("candidate", 0.5)]);
    for number in 0..100 {
        let document = format!("/w/{number}.rs");
        let place = Place {
            document: &document,
            workspace: None,
        };
        let (looked, other) = (Assigner::new("ada".into()), Assigner::new("ada".into()));
        // The first request comes at the end of a half hour, and the burst goes on in the next one.
        let seconds = |seconds: i64| UnixMicros(30 * MINUTE + seconds * 1_000_000);
        for at in [-50, -40, -10, 10, 30, 70] {
            let seen = looked.look(&lineup, place, seconds(at)).name.clone();
            assert_eq!(seen, other.assign(&lineup, place, seconds(at)).slot.name);
            looked.assign(&lineup, place, seconds(at));
        }
    }
    let fresh = Assigner::new("ada".into());
    let place = Place {
        document: "/w/a.rs",
        workspace: None,
    };
    fresh.look(&lineup, place, UnixMicros(0));
    assert!(fresh.blocks.lock().is_ok_and(|blocks| blocks.is_empty()));
}

#[test]
fn shares_are_what_was_asked_for() {
    let shares = [
        ("base", 0.7),
        ("silent", 0.0),
        ("candidate", 0.2),
        ("third", 0.1),
    ];
    let lineup = lineup(Unit::Document, &shares);
    let assigner = Assigner::new("ada".into());
    let mut counts = HashMap::<String, f64>::new();
    for number in 0..20_000 {
        let (name, _) = arm(&assigner, &lineup, &format!("/w/{number}.rs"), 1);
        *counts.entry(name).or_default() += 1.0;
    }
    assert_eq!(counts.len(), 3);
    for (name, share) in shares.into_iter().filter(|(_, share)| *share > 0.0) {
        let found = counts[name] / 20_000.0;
        // Four standard errors.
        assert!(
            (found - share).abs() < 4.0 * (share * (1.0 - share) / 20_000.0).sqrt(),
            "{name}"
        );
    }
}

#[test]
fn a_larger_share_takes_units_and_loses_none() {
    let small = lineup(Unit::Document, &[("candidate", 0.1), ("base", 0.9)]);
    let large = lineup(Unit::Document, &[("candidate", 0.3), ("base", 0.7)]);
    let assigner = Assigner::new("ada".into());
    for number in 0..500 {
        let document = format!("/w/{number}.rs");
        let (before, _) = arm(&assigner, &small, &document, 1);
        let (after, _) = arm(&assigner, &large, &document, 1);
        assert!(before == "base" || after == "candidate");
    }
}

#[test]
fn a_burst_keeps_its_unit_and_a_pause_ends_it() {
    let lineup = lineup(Unit::Document, &[("base", 0.5), ("candidate", 0.5)]);
    let assigner = Assigner::new("ada".into());
    let at = |seconds: i64| {
        let place = Place {
            document: "/w/a.rs",
            workspace: None,
        };
        let now = UnixMicros(seconds * 1_000_000);
        let assigned = assigner.assign(&lineup, place, now);
        assigned.assignment.expect("arms are assigned").unit
    };
    let end = 30 * 60;
    let unit = at(end - 10);
    assert_eq!(at(end + 10), unit, "typing goes on");
    assert_eq!(at(end + 35), unit, "and on");
    let next = at(end + 100);
    assert_ne!(next, unit);
    assert_eq!(at(2 * end - 1), next, "the same half hour");
    assert_ne!(at(2 * end + 60), next);
}

#[test]
fn users_and_workspaces_are_units_on_request() {
    let arms = [("base", 0.5), ("candidate", 0.5)];
    let (ada, bob) = (Assigner::new("ada".into()), Assigner::new("bob".into()));
    let user = lineup(Unit::User, &arms);
    assert_eq!(
        arm(&ada, &user, "/w/a.rs", 1),
        arm(&ada, &user, "/x/b.rs", 9999)
    );
    assert_ne!(
        arm(&ada, &user, "/w/a.rs", 1).1,
        arm(&bob, &user, "/w/a.rs", 1).1
    );
    let workspace = lineup(Unit::Workspace, &arms);
    assert_eq!(
        arm(&ada, &workspace, "/w/a.rs", 1),
        arm(&ada, &workspace, "/w/b.rs", 9999)
    );
    assert_ne!(
        arm(&ada, &workspace, "/w/a.rs", 1).1,
        arm(&ada, &user, "/w/a.rs", 1).1
    );
}

#[test]
fn without_arms_nothing_is_assigned() {
    let engine = ScriptedEngine::new(Script::default()).expect("an engine");
    let lineup = Lineup::single(Arc::new(engine));
    let place = Place {
        document: "/w/a.rs",
        workspace: None,
    };
    let assigned = Assigner::new("ada".into()).assign(&lineup, place, UnixMicros(0));
    assert_eq!(
        (&*assigned.slot.name, assigned.assignment),
        ("default", None)
    );
}
