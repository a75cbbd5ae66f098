//! Made-up evaluations as a page.

pub(super) mod made;

use std::path::Path;

use made::{HOSTILE, evaluation, study};

use super::charts::FoolRate;
use super::page::{Options, Page};
use super::study::Study;

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
    // Five figures by suite (one of them of the other suite alone), four each by type and by language, three of
    // the other suite by type; gain by suite, of `pairs` by type and language, twice of the other suite; five
    // over sizes; fool rate.
    let svg = 5 + 4 + 4 + 3 + 1 + 1 + 2 + 5 + 1;
    assert_eq!((count("svg"), count("h2")), (svg, 6));
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
    evaluation(folder.path(), "only", "d", &|at| at % 2 == 0);
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

#[test]
fn suites_of_different_models_in_a_folder_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    evaluation(folder.path(), "first", "d", &|at| at % 2 == 0);
    made::infilling(folder.path(), "second", "d", &|at| at % 2 == 0);
    let named = format!("a={}", folder.path().display());
    let study = Study::read(&[named.parse().expect("a folder")], 1).expect("figures");
    assert_eq!(
        study.warnings(),
        [
            "`a`: the suites of its folder are of different models, which the page shows as one: pairs of first \
             (engine-1 first); infilling of second (engine-1 second)"
        ]
    );
}

/// "Hard negatives", Tables 3 to 5: checkpoints side by side, each benchmark and its `+trunc` below; Table 7 of
/// it and FGit's I to VII have a line for each checkpoint, as the headlines have.
#[test]
fn tables_are_shaped_as_the_papers_are() {
    const NAMES: [&str; 5] = ["base", "sft", "dpo", "orpo", "fgit"];
    let folder = tempfile::tempdir().expect("a folder");
    let folders: Vec<super::study::Folder> = (NAMES.iter().enumerate())
        .map(|(skill, name)| {
            // As an ablation lays its cells out.
            let path = folder.path().join(name).join("figures");
            evaluation(&path, "m", "d", &|at| at % 5 <= skill);
            made::infilling(&path, "m", "d", &|at| at % 6 <= skill);
            let path = folder.path().join(name);
            path.display().to_string().parse().expect("a folder")
        })
        .collect();
    let study = Study::read(&folders, 1).expect("figures");
    assert_eq!(study.names, NAMES);
    let page = Page::new(&study, &Options::default());
    let markdown = page.markdown().expect("Markdown");
    let table = |title: &str| -> Vec<Vec<String>> {
        let from = markdown.split(&format!("### {title}\n")).nth(1);
        let lines = from.unwrap_or_else(|| panic!("{title}")).lines();
        let lines = lines.skip_while(|line| !line.starts_with('|'));
        let lines = lines.take_while(|line| line.starts_with('|'));
        // What stands in front of an interval.
        let first = |cell: &str| {
            cell.split([',', '['])
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let cells = |line: &str| line.trim_matches('|').split('|').map(first).collect();
        lines.map(cells).collect()
    };
    let across = table("All suites: EM");
    assert_eq!(
        across[0],
        [&["suite", "figure", "rows"], &NAMES[..]].concat()
    );
    let names: Vec<[&str; 2]> = across[2..].iter().map(|row| [&*row[0], &*row[1]]).collect();
    assert_eq!(
        names,
        [
            ["infilling", "EM"],
            ["", "EM +trunc"],
            ["infilling: multi-line", "EM"],
            ["", "EM +trunc"],
            ["infilling: single-line", "EM"],
            ["", "EM +trunc"],
            ["pairs", "EM"],
            ["", "EM +trunc"],
            ["pairs: import", "EM"],
            ["", "EM +trunc"],
            ["pairs: method", "EM"],
            ["", "EM +trunc"],
            ["pairs: parameter", "EM"],
            ["", "EM +trunc"],
        ]
    );
    // Two to six of each six rows are right.
    assert_eq!(
        across[2][2..],
        ["12", "16.7", "33.3", "50.0", "66.7", "83.3"]
    );
    let rows = |title: &str| -> Vec<String> {
        let found = table(title);
        found[2..].iter().map(|row| row[0].clone()).collect()
    };
    assert_eq!(rows("pairs"), NAMES);
    assert_eq!(rows("infilling"), NAMES);
    assert_eq!(table("pairs: by language")[0][3..], NAMES);
    assert_eq!(table("All suites: pass@1")[2][..2], ["infilling", "pass@1"]);
    assert_eq!(
        rows("pairs: all figures"),
        [
            "EM",
            "EM +trunc",
            "EM (strip)",
            "ES",
            "ES (Levenshtein)",
            "hallucination-aligned ↓",
            "hallucination-aligned +trunc ↓",
            "over-generation ↓",
            "preference",
            "preference per token",
        ]
    );
}
