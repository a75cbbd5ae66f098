//! What passes the gate and what does not.

use super::*;
use crate::eval::backend::{Completion, Stop};
use crate::eval::decoding::Decoding;
use crate::eval::figures::{Bootstrap, Figure, Metric, RowFigures, Verdict, summarise};
use crate::eval::measure::RowResult;
use crate::eval::output::MeasuredRow;
use crate::eval::suite::Form;

fn difference(metric: Metric, interval: [f64; 2], rows: u64) -> Difference {
    Difference {
        group: Group::All,
        figure: Figure::whole(metric),
        before: 0.5,
        after: 0.5 + f64::midpoint(interval[0], interval[1]),
        interval,
        rows,
        clusters: rows,
        verdict: Verdict::Open,
    }
}

#[test]
fn rules_look_at_the_worse_end_of_the_interval() {
    use Metric::{ExactMatch, HallucinationAligned};
    use Require::{Holds, Rises};
    for (metric, require, by, interval, rows, passed) in [
        (ExactMatch, Rises, 0.0, [0.001, 0.2], 200, true),
        (ExactMatch, Rises, 0.0, [-0.001, 0.2], 200, false),
        (ExactMatch, Rises, 0.05, [0.04, 0.2], 200, false),
        (ExactMatch, Holds, 0.02, [-0.019, 0.0], 200, true),
        // What may have fallen by more has not held, whatever its middle says.
        (ExactMatch, Holds, 0.02, [-0.03, 0.04], 200, false),
        (ExactMatch, Rises, 0.0, [0.1, 0.2], 99, false),
        // Of hallucinations less is better.
        (HallucinationAligned, Rises, 0.0, [-0.2, -0.1], 200, true),
        (HallucinationAligned, Rises, 0.0, [0.1, 0.2], 200, false),
        (HallucinationAligned, Holds, 0.01, [-0.2, 0.005], 200, true),
        (HallucinationAligned, Holds, 0.01, [-0.2, 0.02], 200, false),
    ] {
        let rule = Rule::new("s", metric, require, by);
        let compared = Comparison {
            rows,
            unpaired: 0,
            differences: vec![difference(metric, interval, rows)],
        };
        let found = rule.judge(&Ok(compared));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].passed, passed, "{:?}", found[0]);
        assert_eq!(found[0].problem.is_none(), passed);
    }
}

#[test]
fn what_was_not_measured_does_not_pass() {
    let rule = Rule::new("s", Metric::Pass, Require::Holds, 0.5);
    let empty = Comparison {
        rows: 0,
        unpaired: 0,
        differences: Vec::new(),
    };
    for compared in [Ok(empty), Err("no figures".to_owned())] {
        let found = rule.judge(&compared);
        assert!(!found[0].passed && found[0].problem.is_some());
    }
}

#[test]
fn every_language_has_to_pass() {
    let rule = Rule {
        over: Over::EachLanguage,
        ..Rule::new("s", Metric::ExactMatch, Require::Holds, 0.05)
    };
    let of = |name: &str, low: f64| Difference {
        group: Group::Language(name.into()),
        ..difference(Metric::ExactMatch, [low, 0.1], 200)
    };
    let compared = Comparison {
        rows: 400,
        unpaired: 0,
        differences: vec![
            difference(Metric::ExactMatch, [-1.0, 1.0], 400),
            of("go", -0.01),
            of("ruby", -0.2),
        ],
    };
    let found = rule.judge(&Ok(compared));
    let passed: Vec<bool> = found.iter().map(|finding| finding.passed).collect();
    assert_eq!(passed, [true, false]);
}

/// A language whose rows have other figures, but not this one, has not been seen to hold.
#[test]
fn a_language_without_the_figure_does_not_pass() {
    let rule = Rule {
        over: Over::EachLanguage,
        ..Rule::new("s", Metric::Preference, Require::Holds, 0.05)
    };
    let of = |metric, name: &str| Difference {
        group: Group::Language(name.into()),
        ..difference(metric, [-0.01, 0.1], 200)
    };
    let compared = Comparison {
        rows: 400,
        unpaired: 0,
        differences: vec![
            difference(Metric::Preference, [-0.01, 0.1], 400),
            of(Metric::ExactMatch, "go"),
            of(Metric::Preference, "go"),
            of(Metric::ExactMatch, "ruby"),
        ],
    };
    let found = rule.judge(&Ok(compared));
    let passed: Vec<(&Group, bool)> = found.iter().map(|it| (&it.group, it.passed)).collect();
    let [go, ruby] = ["go", "ruby"].map(|name| Group::Language(name.into()));
    assert_eq!(passed, [(&go, true), (&ruby, false)]);
}

#[test]
fn a_gate_without_rules_is_no_gate() {
    let recipe: GateRecipe = toml::from_str("rule = []").expect("TOML");
    assert!(recipe.check().is_err());
    let recipe: GateRecipe =
        toml::from_str("[[rule]]\nsuite = 'a'\nfigure = 'pass+trunc'\nrequire = 'rises'\nby = 2.0")
            .expect("TOML");
    assert!(
        recipe
            .check()
            .expect_err("refused")
            .to_string()
            .contains("0.01")
    );
    assert!(GateRecipe::default().check().is_ok());
}

#[test]
fn one_repository_says_nothing_of_others() {
    let rule = Rule::new("s", Metric::ExactMatch, Require::Holds, 0.02);
    let compared = Comparison {
        rows: 200,
        unpaired: 0,
        differences: vec![Difference {
            clusters: 1,
            ..difference(Metric::ExactMatch, [-1.0, 1.0], 200)
        }],
    };
    let found = rule.judge(&Ok(compared));
    let problem = found[0].problem.as_deref().unwrap_or_default();
    assert!(problem.contains("one repository"), "{problem}");
}

/// A suite's rows: `in_each` of each cluster, the clusters' languages in turn.
fn rows(clusters: usize, in_each: usize, languages: usize) -> Vec<RowFigures> {
    let row = |at: usize| RowFigures {
        id: format!("{at}"),
        kind: format!("k{}", at % 3),
        language: format!("l{}", at / in_each % languages),
        cluster: format!("c{}", at / in_each),
        values: [
            (Metric::ExactMatch, share(at.is_multiple_of(2))),
            (
                Metric::EditSimilarity,
                0.5 + share(at.is_multiple_of(2)) / 2.0,
            ),
            (Metric::HallucinationAligned, share(at.is_multiple_of(5))),
            (Metric::Ended, 1.0),
            (Metric::Preference, share(!at.is_multiple_of(3))),
        ]
        .map(|(metric, value)| (Figure::whole(metric), value))
        .into(),
    };
    (0..clusters * in_each).map(row).collect()
}

fn share(part: bool) -> f64 {
    f64::from(u8::from(part))
}

/// The same rows with another value where `which` says.
fn changed(
    rows: &[RowFigures],
    metric: Metric,
    which: impl Fn(usize, &RowFigures) -> Option<f64>,
) -> Vec<RowFigures> {
    let mut rows = rows.to_vec();
    for (at, row) in rows.iter_mut().enumerate() {
        if let Some(value) = which(at, row) {
            row.values.insert(Figure::whole(metric), value);
        }
    }
    rows
}

fn model(name: &str) -> ModelInfo {
    ModelInfo {
        name: name.into(),
        id: None,
        identity: format!("engine-1 {name}"),
        parent: None,
        device: Some("cpu".into()),
    }
}

/// Writes a suite into a folder.
fn write(folder: &Path, suite: &str, of: &str, rows: &[RowFigures], with: fn(&mut Evaluated)) {
    let measured = rows.iter().map(|figures| MeasuredRow {
        figures: figures.clone(),
        before: String::new(),
        golden: String::new(),
        rejected: None,
        behind: String::new(),
        result: RowResult {
            completion: Completion {
                text: String::new(),
                stop: Stop::End,
                tokens: None,
                prompt_tokens: None,
                shortened: false,
            },
            golden: None,
            rejected: None,
            runs: [].into(),
        },
    });
    let measured: Vec<MeasuredRow> = measured.collect();
    let rows_file = output::write_rows(folder, suite, &measured).expect("written");
    let bootstrap = Bootstrap {
        draws: 500,
        seed: 1,
    };
    let mut evaluated = Evaluated {
        version: output::VERSION,
        program: String::new(),
        suite: suite.into(),
        model: model(of),
        decoding: Decoding::default(),
        form: Form::Complete,
        programs: Some("python-2 CPython 3.11.2".into()),
        files: Vec::new(),
        data_sha256: "d".into(),
        rows_in_files: rows.len() as u64,
        rows: rows.len() as u64,
        failed: [].into(),
        shortened: 0,
        groups: summarise(&rows[..2], bootstrap),
        bootstrap,
        runs: [].into(),
        speed: None,
        notes: Vec::new(),
        rows_file,
    };
    with(&mut evaluated);
    output::write(folder, &evaluated).expect("written");
}

/// Judges two folders that `make` has filled, of the models `old` and `new`.
fn judged(recipe: &GateRecipe, make: impl FnOnce([&Path; 2])) -> Judgement {
    let folder = tempfile::tempdir().expect("a folder");
    let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
    for path in [&old, &new] {
        std::fs::create_dir(path).expect("made");
    }
    make([&old, &new]);
    judge(recipe, &old, &new, &model("new")).expect("figures")
}

/// What did not pass: suite, figure, group and reason.
fn refused(judgement: &Judgement) -> Vec<String> {
    let findings = judgement.findings.iter();
    let refused = findings.filter(|found| !found.passed).map(|found| {
        format!(
            "{} {} {:?}: {}",
            found.rule.suite,
            found.rule.figure,
            found.group,
            found.problem.as_deref().unwrap_or_default()
        )
    });
    refused.collect()
}

/// The sizes of HumanEval-Infilling and of a small set of held-out pairs.
fn by_default(
    pairs: impl Fn(&[RowFigures]) -> Vec<RowFigures>,
    infilling: impl Fn(&[RowFigures]) -> Vec<RowFigures>,
) -> Vec<String> {
    let [held_out, holes] = [rows(30, 20, 5), rows(164, 6, 1)];
    let judgement = judged(&GateRecipe::default(), |[old, new]| {
        let same = |_: &mut Evaluated| {};
        write(old, "pairs", "old", &held_out, same);
        write(old, "humaneval-infilling", "old", &holes, same);
        write(new, "pairs", "new", &pairs(&held_out), same);
        write(new, "humaneval-infilling", "new", &infilling(&holes), same);
    });
    refused(&judgement)
}

/// Nothing but the preference: it has to rise, and here it does in one row of nine.
#[test]
fn what_lost_nothing_passes_the_default_rules() {
    let same = |rows: &[RowFigures]| rows.to_vec();
    let unchanged = by_default(same, same);
    assert_eq!(unchanged.len(), 1, "{unchanged:?}");
    assert!(
        unchanged[0].contains("preference All: no gain"),
        "{unchanged:?}"
    );
    let prefers = |rows: &[RowFigures]| {
        changed(rows, Metric::Preference, |at, _| {
            (at % 9 == 0).then_some(1.0)
        })
    };
    assert_eq!(by_default(prefers, same), [""; 0]);
}

/// A fall of twice what may be lost is seen in each figure.
#[test]
fn what_lost_twice_as_much_does_not_pass() {
    let same = |rows: &[RowFigures]| rows.to_vec();
    let fell = by_default(same, |rows| {
        // Half of the rows are right: four in a hundred of all.
        changed(rows, Metric::ExactMatch, |at, _| {
            (at % 26 == 0).then_some(0.0)
        })
    });
    assert!(fell.iter().any(|it| it.contains("exact_match")), "{fell:?}");
    for (metric, every, value) in [
        (Metric::Ended, 25, 0.0),
        (Metric::HallucinationAligned, 21, 1.0),
    ] {
        let fell = by_default(
            |rows| changed(rows, metric, |at, _| (at % every == 1).then_some(value)),
            same,
        );
        assert_eq!(fell.len(), 2, "{metric:?}: {fell:?}");
    }
    let fell = by_default(
        |rows| {
            changed(rows, Metric::EditSimilarity, |at, row| {
                let value = 0.3 + share(at % 2 == 0) / 2.0;
                (row.language == "l3").then_some(value)
            })
        },
        same,
    );
    assert_eq!(fell.len(), 2, "{fell:?}");
    assert!(fell[1].contains("\"l3\""), "{fell:?}");
}

fn holding(suite: &str) -> GateRecipe {
    GateRecipe {
        suites: Vec::new(),
        rule: vec![Rule::new(suite, Metric::ExactMatch, Require::Holds, 0.05)],
    }
}

/// Of one language the figure of all rows is the language's.
#[test]
fn the_only_language_is_all_rows() {
    for over in [Over::EachLanguage, Over::EachKind] {
        let mut recipe = holding("pairs");
        recipe.rule[0].over = over;
        let mut own = rows(60, 5, 1);
        own.iter_mut().for_each(|row| row.kind = "method".into());
        let judgement = judged(&recipe, |[old, new]| {
            write(old, "pairs", "old", &own, |_| {});
            write(new, "pairs", "new", &own, |_| {});
        });
        assert!(judgement.passed, "{:?}", refused(&judgement));
        assert_eq!(judgement.findings[0].group, Group::All);
    }
}

/// What was not measured alike is refused, and it says why.
#[test]
fn evaluations_that_cannot_be_compared_do_not_pass() {
    type With = fn(&mut Evaluated);
    let cases: [(With, &str); 10] = [
        (
            |it| it.programs = Some("python-2 CPython 3.9.1".into()),
            "another way to run",
        ),
        (
            |it| it.model.device = Some("gpu".into()),
            "another kind of device",
        ),
        (|it| it.data_sha256 = "e".into(), "other data"),
        (|it| it.decoding.max_tokens = Some(9), "other limits"),
        (|it| it.decoding.context_tokens = 99, "other limits"),
        (|it| it.decoding.temperature = 0.5, "another sampling"),
        (|it| it.form = Form::Instruct, "another form"),
        (
            |it| drop(it.failed.insert("9".into(), "x".into())),
            "could not be completed",
        ),
        (
            |it| it.model.identity = "engine-1 stale".into(),
            "of another model",
        ),
        (
            |it| {
                // Trained from the other one, so that it is asked as that one.
                it.model.parent = Some("a".into());
                it.decoding.format = Some("causal".into());
            },
            "another FIM format",
        ),
    ];
    let own = rows(60, 5, 2);
    let problem = |with: With, rows: &[RowFigures]| {
        let judgement = judged(&holding("pairs"), |[old, new]| {
            write(old, "pairs", "old", &own, |it| {
                it.model.id = Some("a".into())
            });
            write(new, "pairs", "new", rows, with);
        });
        refused(&judgement)
    };
    for (with, expected) in cases {
        let found = problem(with, &own);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{expected}: {found:?}"
        );
    }
    let fewer = problem(|_| {}, &own[..250]);
    assert!(fewer[0].contains("50 are in one folder alone"), "{fewer:?}");
    // These change nothing that was measured.
    for with in [
        (|it| it.decoding.seed = 9) as With,
        (|it| it.decoding.format = Some("causal".into())) as With,
    ] {
        assert_eq!(problem(with, &own), [""; 0]);
    }
}

/// A folder is one model's: what another one left there is no evidence.
#[test]
fn a_folder_of_two_models_does_not_pass() {
    let mut recipe = holding("pairs");
    recipe.rule.extend(holding("delulu").rule);
    let own = rows(60, 5, 2);
    for (stale, suites) in [("old", 2), ("new", 1)] {
        let judgement = judged(&recipe, |[old, new]| {
            for (folder, name) in [(old, "old"), (new, "new")] {
                let other = if name == stale { "stale" } else { name };
                write(folder, "pairs", other, &own, |_| {});
                write(folder, "delulu", name, &own, |_| {});
                // No rule speaks of it.
                write(folder, "safim", "other", &own, |_| {});
            }
        });
        let found = refused(&judgement);
        assert_eq!(found.len(), suites, "{stale}: {found:?}");
        assert!(
            found.iter().all(|it| it.contains("another model")),
            "{found:?}"
        );
    }
}

/// What other steps write beside figures is left alone; figures that are torn are not.
#[test]
fn files_of_other_steps_are_no_figures() {
    let own = rows(60, 5, 2);
    let judgement = judged(&holding("pairs"), |[old, new]| {
        write(old, "pairs", "old", &own, |_| {});
        write(new, "pairs", "new", &own, |_| {});
        let manifest = "{\"version\": 7, \"tables\": {}}";
        std::fs::write(new.join("curated.manifest.json"), manifest).expect("written");
    });
    assert!(judgement.passed, "{:?}", refused(&judgement));
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "pairs", "old", &own, |_| {});
    for (text, expected) in [
        ("{\"suite\": \"pairs\", \"version\": 99}", "found 99"),
        ("{\"suite\": \"pairs\"}", "take the file elsewhere"),
        ("{", "take the file elsewhere"),
    ] {
        std::fs::write(folder.path().join("other.json"), text).expect("written");
        let error = output::read(folder.path()).expect_err(text).to_string();
        assert!(
            error.contains(expected) && error.contains("other.json"),
            "{error}"
        );
    }
    let none = tempfile::tempdir().expect("a folder");
    std::fs::write(none.path().join("a.json"), "{}").expect("written");
    assert!(output::read(none.path()).is_err());
}
