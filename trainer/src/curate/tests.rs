//! The step over made-up rows.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::corpus::stable_hash;
use crate::rows::{
    Context, HallucinationType, Negative, PairRow, RowReader, RowWriter, SftRow, Subject, Verdict,
    VerdictKind,
};
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

fn verdict(negative: &Negative, judge: usize, score: Option<u8>) -> Verdict {
    Verdict {
        row: negative.id(),
        subject: Subject::Rejected,
        kind: VerdictKind::Blind,
        judge: format!("j{judge}"),
        prompt_version: "1".into(),
        first: None,
        verdict: score,
        missing: score.is_none().then(|| "blocked".into()),
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
    judged(contexts, kinds, recipe, |_| Vec::new())
}

/// Curates with the verdicts that `judges` gives for each negative, one for each judge.
fn judged(
    contexts: &[Context],
    kinds: &[HallucinationType],
    recipe: &CurateRecipe,
    judges: impl Fn(&Negative) -> Vec<Option<u8>>,
) -> Curated {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let mut rows = RowWriter::create(&path("contexts.jsonl")).expect("begun");
    let mut rejected = RowWriter::create(&path("negatives.jsonl")).expect("begun");
    let mut verdicts = RowWriter::create(&path("verdicts.jsonl")).expect("begun");
    let mut seen = BTreeSet::new();
    for context in contexts {
        rows.write(context).expect("room");
        for generator in ["g", "h"] {
            for kind in kinds {
                let negative = negative(context, *kind, generator);
                rejected.write(&negative).expect("room");
                if !seen.insert(negative.id()) {
                    continue;
                }
                for (judge, score) in judges(&negative).into_iter().enumerate() {
                    let verdict = verdict(&negative, judge, score);
                    verdicts.write(&verdict).expect("room");
                }
            }
        }
    }
    rows.finish().expect("whole");
    rejected.finish().expect("whole");
    verdicts.finish().expect("whole");
    let args = Args {
        contexts: path("contexts.jsonl"),
        negatives: path("negatives.jsonl"),
        verdicts: Some(path("verdicts.jsonl")),
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
    let missing = "subset of 999 rows not written: rows that are missing";
    assert_eq!(found.manifest.counts[missing], 919);
    let methods = found.sft("subsets/size-16");
    let methods = methods
        .iter()
        .filter(|row| row.kind == HallucinationType::Method);
    assert_eq!(methods.count(), 4);
}

/// Each judge is fooled by two in three, each in a way of its own, and one answer in ten is missing.
fn drawn(negative: &Negative) -> Vec<Option<u8>> {
    let judge = |judge: u64| {
        let key = stable_hash(judge, &[negative.id().as_bytes()]);
        (!key.is_multiple_of(10)).then(|| u8::from(!(key / 10).is_multiple_of(3)))
    };
    (0..3).map(judge).collect()
}

#[test]
fn bands_have_equally_many_rows_of_each_language_and_type() {
    for pairs_per_context in [1, 3] {
        let recipe = CurateRecipe {
            pairs_per_context,
            ..all_for_training()
        };
        let found = judged(&contexts(40, 12), &HallucinationType::ALL, &recipe, drawn);
        let band = |name: &str| {
            let folder = format!("subsets/band-{name}");
            let mut buckets: BTreeMap<(Language, HallucinationType), usize> = BTreeMap::new();
            let mut rates = BTreeSet::new();
            for pair in found.pairs(&folder) {
                *buckets
                    .entry((pair.chosen.language, pair.chosen.kind))
                    .or_default() += 1;
                rates.insert((pair.fool_rate.expect("judged") * 3.0).round() as u8);
            }
            assert_eq!(found.sft(&folder).len(), found.pairs(&folder).len());
            (buckets, rates)
        };
        let (easy, medium, hard) = (band("easy"), band("medium"), band("hard"));
        assert_eq!(easy.0.len(), 8, "two languages, four types: {easy:?}");
        assert_eq!(easy.0, medium.0);
        assert_eq!(easy.0, hard.0);
        assert_eq!(easy.1, BTreeSet::from([0, 1]));
        assert_eq!(medium.1, BTreeSet::from([2]));
        assert_eq!(hard.1, BTreeSet::from([3]));
        let rows: usize = easy.0.values().sum();
        let counted = found.manifest.counts["rows of each band's subset"];
        assert_eq!(counted, rows as u64);
    }
}

#[test]
fn a_row_without_all_verdicts_is_in_no_band() {
    let two_of_three = |_: &Negative| vec![Some(1), Some(1), None];
    let all_or_two = |negative: &Negative| match negative.generator.as_str() {
        "g" => vec![Some(1); 3],
        _ => two_of_three(negative),
    };
    let found = judged(
        &contexts(4, 4),
        &[HallucinationType::Method],
        &all_for_training(),
        all_or_two,
    );
    let table = found.manifest.tables["fool_rate"].to_string();
    assert!(
        table.contains("2 / 2") && table.contains("3 / 3"),
        "{table}"
    );
    assert_eq!(table.matches("hard").count(), 1, "{table}");
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

#[test]
fn a_second_run_leaves_nothing_of_the_first() {
    let recipe = |sizes: &[usize], compress| CurateRecipe {
        sizes: sizes.to_vec(),
        compress,
        ..all_for_training()
    };
    let found = curated(
        &contexts(5, 4),
        &[HallucinationType::Method],
        &recipe(&[10], false),
    );
    let out = found.folder.path().join("out");
    std::fs::write(out.join("mine.txt"), "x").expect("written");
    let args = Args {
        contexts: found.folder.path().join("contexts.jsonl"),
        negatives: found.folder.path().join("negatives.jsonl"),
        verdicts: None,
        scores: None,
        out: out.clone(),
        recipe: None,
        seed: None,
        benchmarks: Vec::new(),
        json: false,
    };
    curate(&args, &recipe(&[7], true)).expect("curated");
    let exists = |name: &str| out.join(name).exists();
    assert!(exists("mine.txt") && exists("subsets/size-7/sft.jsonl.zst"));
    assert!(exists("curated.manifest.json") && exists("sft.jsonl.zst"));
    assert!(!exists("subsets/size-10") && !exists("sft.jsonl") && !exists("out.work"));
    // A run that fails leaves no manifest that speaks for half of the files.
    let torn = out.join("valid/sft.jsonl.zst");
    std::fs::remove_file(&torn).expect("removed");
    std::fs::create_dir(&torn).expect("made");
    assert!(curate(&args, &recipe(&[7], true)).is_err());
    assert!(!exists("curated.manifest.json"));
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
