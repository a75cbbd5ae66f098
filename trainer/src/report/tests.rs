//! Two made-up evaluations as a page.

use std::collections::BTreeMap;
use std::path::Path;

use super::charts::FoolRate;
use super::page::{Options, Page};
use super::study::Study;
use crate::eval::backend::{Completion, Likelihood, Stop};
use crate::eval::decoding::Decoding;
use crate::eval::figures::{Bootstrap, Figure, Metric, RowFigures, Variant, summarise};
use crate::eval::measure::RowResult;
use crate::eval::output::{self, Evaluated, MeasuredRow, ModelInfo, Speed};

/// Characters that would be markup, were they not text.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)> | `a` & \"b\"\u{1b}[0m";

const KINDS: [&str; 3] = ["import", "method", "parameter"];
const LANGUAGES: [&str; 2] = ["go", "python"];

/// Row `at`: the base is right in one of three, the other one in two of three, and both in few.
fn row(at: usize, right: bool) -> MeasuredRow {
    let golden = format!("value_{at} = call({at})");
    let text = match (right, at) {
        (true, _) => golden.clone(),
        (false, 0..=2) => format!("{golden}\n{HOSTILE}"),
        (false, _) => format!("value_{at} = cell({at})\nmore()"),
    };
    let share = f64::from(u8::from(right));
    let trunc = Figure {
        metric: Metric::ExactMatch,
        variant: Variant::FirstLines,
    };
    let values = [
        (Figure::whole(Metric::ExactMatch), share),
        (trunc, share.max(f64::from(u8::from(at < 3)))),
        (Figure::whole(Metric::EditSimilarity), 0.5 + share / 2.0),
        (Figure::whole(Metric::OverGeneration), 1.0 - share),
        (Figure::whole(Metric::Preference), share),
    ];
    let likelihood = |log_probability| Likelihood {
        log_probability,
        tokens: 4,
    };
    MeasuredRow {
        figures: RowFigures {
            id: format!("row-{at:02}"),
            kind: KINDS[at % 3].into(),
            language: LANGUAGES[at % 2].into(),
            cluster: format!("repo-{}", at / 2),
            values: values.into(),
        },
        before: format!("def f{at}():\n    "),
        golden,
        rejected: Some(format!(
            "value_{at} = {}",
            if at == 0 { HOSTILE } else { "made_up()" }
        )),
        behind: "\n    return value\n".into(),
        result: RowResult {
            completion: Completion {
                text,
                stop: if right { Stop::End } else { Stop::Limit },
                tokens: Some(9),
                prompt_tokens: Some(40),
                shortened: false,
                first_ms: 10.0 + at as f64,
                ms: 50.0 + at as f64,
                width: 8,
            },
            golden: Some(likelihood(-1.0)),
            rejected: Some(likelihood(-2.0)),
            runs: BTreeMap::new(),
        },
    }
}

/// A folder with one suite of 48 rows.
fn evaluation(folder: &Path, name: &str, data: &str, right: impl Fn(usize) -> bool) {
    let rows: Vec<MeasuredRow> = (0..48).map(|at| row(at, right(at))).collect();
    let rows_file = output::write_rows(folder, "pairs", &rows).expect("written");
    let figures: Vec<RowFigures> = rows.iter().map(|row| row.figures.clone()).collect();
    let bootstrap = Bootstrap::default();
    let evaluated = Evaluated {
        version: output::VERSION,
        program: "0.1.0".into(),
        suite: "pairs".into(),
        model: ModelInfo {
            name: name.into(),
            id: None,
            identity: format!("engine-1 {name}"),
            parent: None,
        },
        decoding: Decoding::default(),
        form: None,
        programs: None,
        files: vec!["pairs.jsonl".into()],
        data_sha256: data.into(),
        rows_in_files: 50,
        rows: 48,
        failed: [("row-99".to_owned(), HOSTILE.to_owned())].into(),
        shortened: 0,
        groups: summarise(&figures, bootstrap),
        bootstrap: Some(bootstrap),
        runs: BTreeMap::new(),
        speed: Speed::of(rows.iter().map(|row| &row.result)),
        notes: vec!["made up".into()],
        rows_file,
    };
    output::write(folder, &evaluated).expect("written");
}

fn study(folder: &Path, data: [&str; 2]) -> Study {
    let [base, tuned] = ["base", "tuned-10k"].map(|name| folder.join(name));
    evaluation(&base, "base|<b>", data[0], |at| at % 3 == 1);
    evaluation(&tuned, "tuned", data[1], |at| at % 3 != 0 && at % 7 != 1);
    let named = |name: &str, path: &Path| format!("{name}={}", path.display());
    let folders = [named("a", &base), named("tuned-10k", &tuned)];
    let folders = folders.map(|text| {
        // The name that hostile text is in is the model's, which nobody chose here.
        let mut folder: super::study::Folder = text.parse().expect("a folder");
        folder.name = folder.name.filter(|name| name != "a");
        folder
    });
    Study::read(&folders, 1).expect("figures")
}

fn page(folder: &Path, options: &Options) -> [String; 2] {
    let page = Page::new(&study(folder, ["d1", "d1"]), options);
    [
        page.html().expect("HTML"),
        page.markdown().expect("Markdown"),
    ]
}

#[test]
fn the_twin_has_tables_and_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        failures: 3,
        ..Options::default()
    };
    let [_, markdown] = page(folder.path(), &options);
    insta::assert_snapshot!(markdown);
}

#[test]
fn the_page_is_whole_and_nothing_in_it_acts() {
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = folder.path().join("curated.manifest.json");
    let table = serde_json::json!({"tables": {"fool_rate": [
        {"judges fooled": "0 / 3", "band": "easy", "pairs": 12, "share": null},
        {"judges fooled": "2 / 3", "band": "hard", "pairs": 30, "share": null},
        {"judges fooled": "no verdict", "band": null, "pairs": 4, "share": null},
    ]}});
    std::fs::write(&manifest, table.to_string()).expect("written");
    let options = Options {
        failures: 20,
        sizes: vec![("base|<b>".into(), 1000)],
        fool_rate: Some(FoolRate::read(&manifest).expect("a table")),
    };
    let [html, markdown] = page(folder.path(), &options);
    let parsing = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    let tree = roxmltree::Document::parse_with_options(&html, parsing).expect("well formed");
    let names: Vec<&str> = tree.descendants().map(|it| it.tag_name().name()).collect();
    let count = |name: &str| names.iter().filter(|it| **it == name).count();
    assert_eq!((count("script"), count("img"), count("link")), (0, 0, 0));
    // By suite, by type, by language, gain by type and language, over sizes, fool rate.
    assert_eq!((count("svg"), count("h2")), (6, 5));
    let attributes = tree.descendants().flat_map(|it| it.attributes());
    let acts = attributes.filter(|it| it.name().starts_with("on") || it.value().contains("://"));
    assert_eq!(acts.count(), 0);
    for text in [&html, &markdown] {
        assert!(!text.contains("http:") && !text.contains("https:"));
        assert!(!text.contains('\u{1b}') && !text.contains("NaN"));
    }
    let shown = tree.descendants().filter(|it| it.is_text());
    let shown: String = shown.filter_map(|it| it.text()).collect();
    assert!(shown.contains(&HOSTILE.replace('\u{1b}', "␛")));
    outside_of_fences(&markdown);
}

/// What is hostile stands in fences alone, or is escaped.
fn outside_of_fences(markdown: &str) {
    let mut fence = "";
    for line in markdown.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match (ticks.len() >= 3, fence.is_empty()) {
            (true, true) => fence = ticks,
            (true, false) if ticks == fence => fence = "",
            (_, true) => assert!(!line.contains("<img") && !line.contains("<b>"), "{line}"),
            _ => {}
        }
    }
    assert!(fence.is_empty());
}

#[test]
fn what_is_not_alike_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let study = study(folder.path(), ["d1", "d2"]);
    let warnings = study.warnings();
    assert!(warnings[0].contains("other data"), "{warnings:?}");
    let page = Page::new(&study, &Options::default());
    assert!(page.html().expect("HTML").contains("other data"));
    assert!(page.markdown().expect("Markdown").contains("other data"));
}

#[test]
fn one_checkpoint_has_no_gains_and_no_rows_where_none_are_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    evaluation(folder.path(), "only", "d", |at| at % 2 == 0);
    let named = format!("{}", folder.path().display());
    let study = Study::read(&[named.parse().expect("a folder")], 1).expect("figures");
    assert_eq!(study.names, ["only"]);
    let page = Page::new(&study, &Options::default());
    let html = page.html().expect("HTML");
    assert!(!html.contains("class=\"gain") && !html.contains("Rows to read"));
}

#[test]
fn folders_without_figures_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let none = |path: &Path| {
        let named = path.display().to_string().parse().expect("a folder");
        let error = Study::read(&[named], 1).expect_err("refused");
        format!("{error:#}")
    };
    assert!(none(folder.path()).contains("found no `.json` file"));
    assert!(none(&folder.path().join("none")).contains("cannot be read"));
    let file = folder.path().join("data.json");
    std::fs::write(&file, "{}").expect("written");
    assert!(none(folder.path()).contains("expected figures that"));
    let error = FoolRate::read(&file).expect_err("refused");
    assert!(format!("{error:#}").contains("fool_rate"));
}
