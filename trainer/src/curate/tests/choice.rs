//! Which rows are chosen.

use std::collections::{BTreeMap, BTreeSet};

use truefill_syntax::Language;

use super::*;

#[test]
fn one_sft_row_a_context_and_types_are_filled_evenly() {
    let found = curated(
        &contexts(10, 8),
        &HallucinationType::ALL,
        &all_for_training(),
    );
    let (sft, pairs) = (found.sft(""), found.pairs(""));
    assert_eq!((sft.len(), pairs.len()), (80, 80));
    let ids: BTreeSet<&str> = sft.iter().map(|row| &*row.context_id).collect();
    assert_eq!(ids.len(), 80);
    let mut buckets: BTreeMap<(Language, HallucinationType), usize> = BTreeMap::new();
    for row in &sft {
        *buckets.entry((row.language, row.kind)).or_default() += 1;
    }
    assert!(buckets.values().all(|rows| *rows == 10), "{buckets:?}");
    let generators: BTreeSet<&str> = pairs.iter().map(|pair| &*pair.generator).collect();
    assert_eq!(generators.len(), 2);
}

#[test]
fn more_pairs_of_a_context_leave_one_sft_row() {
    let recipe = CurateRecipe {
        pairs_per_context: 3,
        ..all_for_training()
    };
    let found = curated(&contexts(2, 5), &HallucinationType::ALL, &recipe);
    assert_eq!(found.sft("").len(), 10);
    assert_eq!(found.pairs("").len(), 30);
}

#[test]
fn an_import_hole_that_contexts_share_is_trained_on_once() {
    let same_file: Vec<Context> = (0..6).map(|hole| context("o/r", 0, hole)).collect();
    let found = curated(
        &same_file,
        &[HallucinationType::Import],
        &all_for_training(),
    );
    let sft = found.sft("");
    assert_eq!(sft.len(), 1);
    assert_eq!((&*sft[0].prefix, &*sft[0].golden), ("", "import os"));
    let key = "negatives not chosen: another context has the hole";
    assert_eq!(found.manifest.counts[key], 10);
}

#[test]
fn caps_and_mixes_hold() {
    let rows = contexts(10, 10);
    let count = |recipe: &CurateRecipe| {
        let found = curated(&rows, &HallucinationType::ALL, recipe);
        let sft = found.sft("");
        let method = |row: &&SftRow| row.kind == HallucinationType::Method;
        (sft.len(), sft.iter().filter(method).count())
    };
    let by_bucket = CurateRecipe {
        cap: 5,
        ..all_for_training()
    };
    assert_eq!(count(&by_bucket), (2 * 4 * 5, 2 * 5));
    let by_repo = CurateRecipe {
        repo_cap: 3,
        ..all_for_training()
    };
    assert_eq!(count(&by_repo).0, 30);
    let mixed = CurateRecipe {
        rows: Some(40),
        types: BTreeMap::from([
            (HallucinationType::Method, 2.0),
            (HallucinationType::Import, 0.0),
            (HallucinationType::Parameter, 0.0),
        ]),
        ..all_for_training()
    };
    let (rows, methods) = count(&mixed);
    assert!(rows == 40 && (26..=28).contains(&methods), "{methods}");
    let python_only = CurateRecipe {
        languages: BTreeMap::from([(Language::Go, 0.0)]),
        ..all_for_training()
    };
    assert_eq!(count(&python_only).0, 50);
}

#[test]
fn a_file_in_two_repositories_counts_once() {
    let long = |repo: &str, hole: usize| {
        let mut context = context(repo, 0, hole);
        context.suffix = (0..200).map(|word| format!("word{word}\n")).collect();
        context
    };
    let rows = [
        long("o/a", 0),
        long("o/a", 5),
        // The same id, and the same text with another hole.
        long("o/b", 0),
        long("o/b", 7),
    ];
    let found = curated(&rows, &[HallucinationType::Method], &all_for_training());
    let repos: Vec<String> = found.sft("").into_iter().map(|row| row.repo).collect();
    assert_eq!(repos, ["o/a", "o/a"]);
    let count = |name: &str| found.manifest.counts[name];
    assert_eq!(count("contexts with an id that stood before"), 1);
    let near = "contexts dropped: a near-duplicate in another file";
    assert_eq!(count(near), 1);
}

#[test]
fn a_teachers_rows_are_left_out_unless_they_are_named() {
    let kinds = [HallucinationType::Method, HallucinationType::Similar];
    let similar = |recipe: &CurateRecipe| {
        let found = curated(&contexts(5, 4), &kinds, recipe);
        let table = found.manifest.tables["languages_and_types"].to_string();
        let of_kind = |pair: &&PairRow| pair.chosen.kind == HallucinationType::Similar;
        let pairs = found.pairs("");
        let count = pairs.iter().filter(of_kind).count();
        assert_eq!(table.contains("similar"), count > 0, "{table}");
        (count, pairs.len())
    };
    assert_eq!(similar(&all_for_training()), (0, 20));
    let named = CurateRecipe {
        types: BTreeMap::from([(HallucinationType::Similar, 1.0)]),
        ..all_for_training()
    };
    assert_eq!(similar(&named), (10, 20));
}

#[test]
fn what_a_language_cannot_fill_goes_to_the_others() {
    // 30 contexts in Go, 90 in Python.
    let rows: Vec<Context> = contexts(20, 9)
        .into_iter()
        .enumerate()
        .filter(|(number, _)| number % 2 == 0 || *number < 60)
        .map(|(_, context)| context)
        .collect();
    let recipe = CurateRecipe {
        rows: Some(100),
        ..all_for_training()
    };
    let found = curated(&rows, &[HallucinationType::Method], &recipe);
    let go = |row: &&SftRow| row.language == Language::Go;
    let sft = found.sft("");
    assert_eq!((sft.len(), sft.iter().filter(go).count()), (100, 30));
}
