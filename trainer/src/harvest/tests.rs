use std::path::Path;

use truefill_journal::{
    Completion, Document, Event, Extent, Format, HoleKind, HoleRecord, Journal, Options, Outcome,
    OutcomeRecord, PathPolicy, Retained, Stages, SuggestionId, SuggestionRecord, Trigger,
};

use super::command::{HarvestArgs, run};
use crate::rows::{Context, HallucinationType, Manifest, Negative, RowReader};

fn id(number: u64) -> SuggestionId {
    SuggestionId::from_parts(number, 7)
}

/// A suggestion in a folder, what became of it, and what stands there in the end.
fn suggest(
    journal: &Journal,
    number: u64,
    folder: &str,
    text: &str,
    golden: &str,
    fate: &[Outcome],
) {
    let document = Document {
        path: format!("{folder}/{number}.py"),
        repository: Some(folder.to_owned()),
        policy: PathPolicy::Open,
    };
    journal.record(Event::Suggestion(Box::new(SuggestionRecord {
        id: id(number),
        request: id(number),
        session: "s".into(),
        document: document.clone(),
        language: "python".into(),
        checkpoint: "champion".into(),
        arm: "default".into(),
        assignment: None,
        shadow_of: None,
        format: Format {
            name: "truefill-spm".into(),
            version: 1,
        },
        prompt_sha256: None,
        context: None,
        trigger: Trigger::Automatic,
        shape: None,
        prompt_tokens: None,
        cached_tokens: None,
        completion_tokens: None,
        stages: Stages::default(),
        completion: Some(Completion {
            text: text.into(),
            ..Completion::default()
        }),
        stop_reason: None,
        guard: None,
        seed: None,
        silence: None,
    })));
    for (sequence, outcome) in fate.iter().enumerate() {
        journal.record(Event::Outcome(OutcomeRecord {
            suggestion: id(number),
            sequence: sequence as u32,
            outcome: outcome.clone(),
            inferred: true,
        }));
    }
    let whole = |it: &Outcome| match it {
        Outcome::Kept { of, kept, .. } => *kept == Retained::Chars(*of),
        _ => false,
    };
    let accepted = fate.iter().any(whole);
    let length = golden.len() as u32;
    journal.record(Event::Hole(Box::new(HoleRecord {
        suggestion: id(number),
        document,
        prefix: format!("import shop\n\ndef f{number}(a):\n    total = "),
        golden: golden.into(),
        suffix: "\n    return total\n".into(),
        kind: HoleKind::Line,
        own: if accepted {
            vec![(0, length)]
        } else {
            Vec::new()
        },
    })));
}

fn rejected() -> Vec<Outcome> {
    let reason = Some("rewritten".to_owned());
    vec![Outcome::Served, Outcome::Rejected { reason }]
}

fn accepted(chars: u32, kept: u32) -> Vec<Outcome> {
    let extent = Extent::Whole;
    let kept = Outcome::Kept {
        after_s: 360,
        of: chars,
        kept: Retained::Chars(kept),
    };
    vec![Outcome::Served, Outcome::Accepted { extent, chars }, kept]
}

fn journal(path: &Path, fill: impl Fn(&Journal)) {
    let options = Options {
        context: true,
        ..Options::default()
    };
    let journal = Journal::open(path, options);
    fill(&journal);
    journal
        .close(std::time::Duration::from_secs(10))
        .expect("written");
}

fn args(folder: &Path) -> HarvestArgs {
    HarvestArgs {
        out: folder.join("harvest"),
        recipe: None,
        journal: Some(folder.join("journal.db")),
        exports: Vec::new(),
        days: None,
        hold_out: Vec::new(),
        json: false,
    }
}

fn rows<T: serde::de::DeserializeOwned>(path: &Path) -> Vec<T> {
    let reader = RowReader::open(path, "rows").expect("it opens");
    reader.collect::<Result<_, _>>().expect("rows")
}

/// What the user wrote.
const WRITTEN: &str = "shop.total(a)";

#[test]
fn what_was_rewritten_and_thrown_away_becomes_pairs() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = args(folder.path());
    journal(&folder.path().join("journal.db"), |journal| {
        // One name is wrong; anything is wrong; it was only shorter; nothing was said of it.
        let shown = [
            ("shop.totle(a)", rejected()),
            ("[x for x in a]", rejected()),
            ("shop", rejected()),
            ("shop.totle(a)", vec![Outcome::Served]),
            ("shop.sum_up(a)", accepted(14, 3)),
            (WRITTEN, accepted(13, 13)),
            ("shop.total(b)", accepted(13, 10)),
        ];
        for (number, (text, outcomes)) in (1..).zip(shown) {
            suggest(journal, number, "/w", text, WRITTEN, &outcomes);
        }
    });
    let mut out = Vec::new();
    run(&args, &mut out).expect("it is harvested");
    let contexts: Vec<Context> = rows(&args.out.join("contexts.jsonl"));
    let negatives: Vec<Negative> = rows(&args.out.join("negatives.jsonl"));
    assert!(
        contexts
            .iter()
            .all(|it| it.check().is_ok() && it.golden == WRITTEN)
    );
    assert_eq!(contexts.len(), 6, "what was changed a little says nothing");
    let mut found: Vec<_> = negatives
        .iter()
        .map(|it| (&*it.rejected, it.kind))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            ("[x for x in a]", HallucinationType::Similar),
            ("shop.sum_up(a)", HallucinationType::Method),
            ("shop.totle(a)", HallucinationType::Method),
        ]
    );
    assert!(negatives.iter().all(|it| it.generator == "journal"));
    let own = std::fs::read_to_string(args.out.join("own.jsonl")).expect("marks");
    assert_eq!(own.lines().count(), 1);
    let manifest =
        std::fs::read(args.out.join("contexts.jsonl.manifest.json")).expect("a manifest");
    let manifest: Manifest = serde_json::from_slice(&manifest).expect("a manifest");
    assert_eq!(
        (
            manifest.counts["suggestions"],
            manifest.counts["left_out/unclear"]
        ),
        (7, 1)
    );
    let told = String::from_utf8(out).expect("text");
    assert!(told.contains("negatives"), "{told}");
}

#[test]
fn the_models_own_text_is_a_small_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = args(folder.path());
    journal(&folder.path().join("journal.db"), |journal| {
        for number in 0..60 {
            let (text, outcomes) = match number < 40 {
                true => (WRITTEN, accepted(13, 13)),
                false => ("shop.totle(a)", rejected()),
            };
            suggest(journal, number, "/w", text, WRITTEN, &outcomes);
        }
    });
    run(&args, &mut Vec::new()).expect("it is harvested");
    let contexts: Vec<Context> = rows(&args.out.join("contexts.jsonl"));
    assert_eq!(contexts.len(), 25, "20 of people, 5 of 25 own");
    let own = std::fs::read_to_string(args.out.join("own.jsonl")).expect("marks");
    assert_eq!(own.lines().count(), 5);
}

#[test]
fn folders_are_held_out_and_places_come_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut args = args(folder.path());
    args.hold_out = vec!["/w/../held/".into()];
    journal(&folder.path().join("journal.db"), |journal| {
        for (number, root) in [(1, "/w"), (2, "/held")] {
            suggest(journal, number, root, "shop.totle(a)", WRITTEN, &rejected());
        }
    });
    run(&args, &mut Vec::new()).expect("it is harvested");
    let training: Vec<Context> = rows(&args.out.join("contexts.jsonl"));
    let testing: Vec<Context> = rows(&args.out.join("held-out/contexts.jsonl"));
    assert_eq!((training.len(), testing.len()), (1, 1));
    assert_ne!(training[0].repo, testing[0].repo);
}

#[test]
fn a_folder_that_is_misspelt_is_not_learned_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut args = args(folder.path());
    journal(&folder.path().join("journal.db"), |journal| {
        suggest(journal, 1, "/w", "shop.totle(a)", WRITTEN, &rejected());
    });
    args.hold_out = vec!["/wrong".into()];
    let error = run(&args, &mut Vec::new()).expect_err("it is not there");
    assert!(error.to_string().contains("no folder /wrong"), "{error}");
    args.hold_out = vec!["/".into(), "/w".into()];
    let error = run(&args, &mut Vec::new()).expect_err("nothing is left");
    assert!(
        error.to_string().contains("all of the 1 rows are held out"),
        "{error}"
    );
}

#[test]
fn nothing_to_harvest_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = args(folder.path());
    let error = run(&args, &mut Vec::new())
        .expect_err("there is no journal")
        .to_string();
    assert!(error.contains("expected a journal"), "{error}");
    journal(&folder.path().join("journal.db"), |_| ());
    let error = run(&args, &mut Vec::new())
        .expect_err("it is empty")
        .to_string();
    assert!(error.contains("journal.context"), "{error}");
}
