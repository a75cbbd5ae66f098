//! The step over made-up rows.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::rows::{Context, HallucinationType, Negative, PairRow, RowReader, RowWriter, SftRow};
use truefill_syntax::{HoleKind, Language};

/// A context of `repo`, with a number for its file and its hole.
fn context(repo: &str, file: usize, hole: usize) -> Context {
    let prefix = format!("import os\n{}y = ", "\n".repeat(hole));
    let golden = "os.getcwd()";
    let span = crate::rows::Span {
        file_sha256: format!("{file:064}"),
        window_start: 0,
        hole_start: prefix.len(),
        hole_end: prefix.len() + golden.len(),
    };
    Context {
        id: span.id(),
        language: [Language::Python, Language::Go][file % 2],
        repo: repo.into(),
        license: "MIT".into(),
        path: format!("f{file}.py"),
        hole_kind: HoleKind::CallSite,
        prefix,
        golden: golden.into(),
        suffix: "\n".into(),
        span,
    }
}

fn negative(context: &Context, kind: HallucinationType, generator: &str) -> Negative {
    let window = context.window();
    let split = crate::rows::Split {
        prefix: String::new(),
        golden: "import os".into(),
        suffix: window["import os".len()..].to_owned(),
        hole_start: 0,
        hole_end: "import os".len(),
    };
    Negative {
        context_id: context.id.clone(),
        kind,
        generator: generator.into(),
        prompt_version: "1".into(),
        rejected: format!("{kind}_{generator}"),
        split: (kind == HallucinationType::Import).then_some(split),
    }
}

struct Curated {
    folder: tempfile::TempDir,
    manifest: Manifest,
}

impl Curated {
    fn sft(&self, file: &str) -> Vec<SftRow> {
        let path = self.folder.path().join("out").join(file).join("sft.jsonl");
        let rows = RowReader::open(&path, "sft").expect("there");
        rows.collect::<Result<_, _>>().expect("rows")
    }

    fn pairs(&self, file: &str) -> Vec<PairRow> {
        let path = self
            .folder
            .path()
            .join("out")
            .join(file)
            .join("pairs.jsonl");
        let rows = RowReader::open(&path, "pairs").expect("there");
        rows.collect::<Result<_, _>>().expect("rows")
    }
}

fn curated(contexts: &[Context], kinds: &[HallucinationType], recipe: &CurateRecipe) -> Curated {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let mut rows = RowWriter::create(&path("contexts.jsonl")).expect("begun");
    let mut rejected = RowWriter::create(&path("negatives.jsonl")).expect("begun");
    for context in contexts {
        rows.write(context).expect("room");
        for generator in ["g", "h"] {
            for kind in kinds {
                rejected
                    .write(&negative(context, *kind, generator))
                    .expect("room");
            }
        }
    }
    rows.finish().expect("whole");
    rejected.finish().expect("whole");
    let args = Args {
        contexts: path("contexts.jsonl"),
        negatives: path("negatives.jsonl"),
        verdicts: None,
        scores: None,
        out: path("out"),
        recipe: None,
        seed: None,
        benchmarks: Vec::new(),
        json: false,
    };
    curate(&args, recipe).expect("curated");
    let manifest = std::fs::read(path("out/curated.manifest.json")).expect("there");
    let manifest = serde_json::from_slice(&manifest).expect("a manifest");
    Curated { folder, manifest }
}

fn contexts(repos: usize, files: usize) -> Vec<Context> {
    (0..repos * files)
        .map(|file| context(&format!("o/{}", file % repos), file, 0))
        .collect()
}

fn all_for_training() -> CurateRecipe {
    CurateRecipe {
        valid: 0.0,
        test: 0.0,
        ..CurateRecipe::default()
    }
}

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
fn sizes_nest_and_keep_the_mix() {
    let recipe = CurateRecipe {
        sizes: vec![16, 40, 999],
        ..all_for_training()
    };
    let found = curated(&contexts(20, 4), &HallucinationType::ALL, &recipe);
    let ids = |file| -> BTreeSet<String> {
        found
            .sft(file)
            .into_iter()
            .map(|row| row.context_id)
            .collect()
    };
    let [small, middle, all] = [ids("subsets/size-16"), ids("subsets/size-40"), ids("")];
    assert_eq!((small.len(), middle.len(), all.len()), (16, 40, 80));
    assert!(small.is_subset(&middle) && middle.is_subset(&all));
    assert!(!found.folder.path().join("out/subsets/size-999").exists());
    let methods = found.sft("subsets/size-16");
    let methods = methods
        .iter()
        .filter(|row| row.kind == HallucinationType::Method);
    assert_eq!(methods.count(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_repository_and_no_context_is_in_two_splits(
        seed in any::<u64>(),
        repos in 1usize..40,
        files in 1usize..4,
        valid in 0.0f64..0.5,
        test in 0.0f64..0.45,
    ) {
        let recipe = CurateRecipe { seed, valid, test, ..CurateRecipe::default() };
        let found = curated(&contexts(repos, files), &HallucinationType::ALL, &recipe);
        let mut split_of: BTreeMap<String, &str> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for split in ["", "valid", "test"] {
            for row in found.sft(split) {
                prop_assert!(seen.insert(row.context_id.clone()));
                let known = split_of.entry(row.repo).or_insert(split);
                prop_assert_eq!(*known, split);
            }
            for pair in found.pairs(split) {
                let known = split_of.get(&pair.chosen.repo).copied();
                prop_assert_eq!(known, Some(split));
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_gives_others() {
    let rows = contexts(30, 3);
    let hashes = |seed| {
        let recipe = CurateRecipe {
            seed,
            ..CurateRecipe::default()
        };
        let outputs = curated(&rows, &HallucinationType::ALL, &recipe)
            .manifest
            .outputs;
        outputs
            .into_iter()
            .map(|file| file.sha256)
            .collect::<Vec<_>>()
    };
    assert_eq!(hashes(1), hashes(1));
    assert_ne!(hashes(1), hashes(2));
}

#[test]
fn recipes_that_cannot_be_meant_are_refused() {
    for (text, key) in [
        ("valid = 0.6\ntest = 0.5", "valid"),
        ("near_duplicates = 1.5", "near_duplicates"),
        ("cap = 0", "cap"),
        ("sizes = [0]", "sizes"),
        ("[types]\nmethod = -1.0", "types"),
        ("[bands]\nhard = [\"2/3\"]", "2/3"),
    ] {
        let recipe: CurateRecipe = toml::from_str(text).expect(text);
        let error = recipe.check().expect_err(text).to_string();
        assert!(error.contains(key), "{text}: {error}");
    }
    assert!(toml::from_str::<CurateRecipe>("[bands]\neasy = [\"x\"]").is_err());
}
