//! The step over made-up rows.

mod choice;
mod folder;
mod splits;
mod subsets;

use std::collections::BTreeSet;

use truefill_syntax::{HoleKind, Language};

use super::*;
use crate::rows::{
    Context, HallucinationType, Negative, PairRow, RowReader, RowWriter, SftRow, Subject, Verdict,
    VerdictKind,
};

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

/// Blind verdicts on a negative, one for each judge.
fn blind(negative: &Negative, scores: impl IntoIterator<Item = Option<u8>>) -> Vec<Verdict> {
    let verdict = |(judge, score): (usize, Option<u8>)| Verdict {
        row: negative.id(),
        subject: Subject::Rejected,
        kind: VerdictKind::Blind,
        judge: format!("j{judge}"),
        prompt_version: "1".into(),
        first: None,
        verdict: score,
        missing: score.is_none().then(|| "blocked".into()),
    };
    scores.into_iter().enumerate().map(verdict).collect()
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

/// Curates with the verdicts that `judges` gives for each negative.
fn judged(
    contexts: &[Context],
    kinds: &[HallucinationType],
    recipe: &CurateRecipe,
    judges: impl Fn(&Negative) -> Vec<Verdict>,
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
                for verdict in judges(&negative) {
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
