//! Made-up rows: files of calls in five languages, holes in them, wrong completions, verdicts.
#![allow(dead_code)]

use std::path::Path;

use sha2::{Digest, Sha256};
use truefill_syntax::{Draw, Language};
use truefill_trainer::rows::{
    Context, Difficulty, HallucinationType, HoleKind, Negative, Resolution, RowWriter, Score, Span,
    Split, Subject, Verdict, VerdictKind,
};

/// How much is made up.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub contexts: usize,
    /// Bytes of a window, about.
    pub window: usize,
    /// Contexts of a repository, about.
    pub repo: usize,
    pub seed: u64,
}

pub const GENERATORS: [&str; 2] = ["mutate", "local"];
pub const JUDGES: [&str; 3] = ["ann", "ben", "cleo"];

/// A context with everything about it.
pub struct Case {
    pub context: Context,
    pub negatives: Vec<Negative>,
}

const LANGUAGES: [(Language, &str, &str, &str, &str); 5] = [
    (
        Language::Python,
        "py",
        "import {m}\n",
        "    {a} = {call}\n",
        "def run(items, limit):\n",
    ),
    (
        Language::JavaScript,
        "js",
        "import {m} from '{m}';\n",
        "  const {a} = {call};\n",
        "function run(items, limit) {\n",
    ),
    (
        Language::Go,
        "go",
        "import \"{m}\"\n",
        "\t{a} := {call}\n",
        "func run(items []int, limit int) {\n",
    ),
    (
        Language::Ruby,
        "rb",
        "require '{m}'\n",
        "  {a} = {call}\n",
        "def run(items, limit)\n",
    ),
    (
        Language::Java,
        "java",
        "import app.{m};\n",
        "    var {a} = {call};\n",
        "class Run { void run(int items, int limit) {\n",
    ),
];

const WORDS: [&str; 24] = [
    "load", "order", "total", "cache", "parse", "route", "event", "token", "frame", "queue",
    "match", "store", "graph", "value", "field", "batch", "index", "point", "color", "shape",
    "track", "input", "write", "digest",
];

fn name(draw: &mut Draw) -> String {
    let words = [WORDS[draw.below(24)], WORDS[draw.below(24)]];
    format!("{}_{}_{}", words[0], words[1], draw.below(1000))
}

/// The `number`th case; the same for the same size.
pub fn case(size: Size, number: usize) -> Case {
    // Every twentieth file is the one before it in another repository, with another name in it.
    let copy = number % 20 == 19;
    let source = if copy { number - 1 } else { number };
    let mut draw = Draw::new(size.seed.wrapping_mul(1_000_003) + source as u64);
    let (language, extension, import, line, head) = LANGUAGES[draw.below(5)];
    let module = name(&mut draw);
    let mut before = import.replace("{m}", &module);
    before.push_str(head);
    let mut after = String::new();
    let place = draw.below(size.window / 2) + size.window / 4;
    let mut hole = None;
    // Calls are made on what the file defines, so that a golden completion has no unknown name.
    let mut receiver = "items".to_owned();
    while before.len() + after.len() < size.window {
        let (value, method) = (name(&mut draw), name(&mut draw));
        let call = format!("{receiver}.{method}(items, limit)");
        let text = line.replace("{a}", &value);
        let (start, end) = text.split_once("{call}").unwrap_or_default();
        match &hole {
            None if before.len() < place => before.push_str(&text.replace("{call}", &call)),
            None => {
                before.push_str(start);
                after.push_str(end);
                hole = Some((receiver.clone(), method));
            }
            Some(_) => after.push_str(&text.replace("{call}", &call)),
        }
        receiver = value;
    }
    let (receiver, method) = hole.unwrap_or_else(|| ("self".into(), "run".into()));
    if copy {
        after.push_str(&line.replace("{a}", "copied").replace("{call}", "0"));
    }
    let golden = format!("{receiver}.{method}(items, limit)");
    let window = [&*before, &golden, &after].concat();
    let span = Span {
        file_sha256: hex::encode(Sha256::digest(window)),
        window_start: 0,
        hole_start: before.len(),
        hole_end: before.len() + golden.len(),
    };
    let context = Context {
        id: span.id(),
        language,
        repo: format!("owner/repo-{}", number / size.repo),
        license: ["MIT", "Apache-2.0"][number % 2].into(),
        path: format!("src/file_{number}.{extension}"),
        hole_kind: HoleKind::CallSite,
        prefix: before,
        golden,
        suffix: after,
        span,
    };
    let negatives = negatives(&context, &receiver, &method, import, &module);
    Case { context, negatives }
}

fn negatives(
    context: &Context,
    receiver: &str,
    method: &str,
    import: &str,
    module: &str,
) -> Vec<Negative> {
    let mut rows = Vec::new();
    for generator in GENERATORS {
        for kind in HallucinationType::ALL {
            let rejected = match kind {
                HallucinationType::Method => {
                    format!("{receiver}.{method}_{generator}(items, limit)")
                }
                HallucinationType::Parameter => {
                    format!("{receiver}.{method}(items, limit, {generator}ed)")
                }
                HallucinationType::UndefinedVariable => {
                    format!("{receiver}.{method}({generator}_items, limit)")
                }
                HallucinationType::Similar => continue,
                HallucinationType::Import => import
                    .replace("{m}", &format!("{module}_{generator}"))
                    .trim_end()
                    .to_owned(),
            };
            rows.push(Negative {
                context_id: context.id.clone(),
                kind,
                generator: generator.into(),
                prompt_version: "1".into(),
                rejected,
                split: (kind == HallucinationType::Import).then(|| split(context)),
            });
        }
    }
    rows
}

/// The hole on the first line, which is the import.
fn split(context: &Context) -> Split {
    let window = context.window();
    let end = window.find('\n').unwrap_or(0);
    Split {
        prefix: String::new(),
        golden: window[..end].to_owned(),
        suffix: window[end..].to_owned(),
        hole_start: 0,
        hole_end: end,
    }
}

/// Writes everything about `size.contexts` cases into files of a folder; `end` is the end of their
/// names.
pub fn write(folder: &Path, size: Size, end: &str) -> anyhow::Result<()> {
    let path = |name: &str| folder.join(format!("{name}.{end}"));
    let mut contexts = RowWriter::create(&path("contexts"))?;
    let mut negatives = RowWriter::create(&path("negatives"))?;
    let mut all_verdicts = RowWriter::create(&path("verdicts"))?;
    let mut all_scores = RowWriter::create(&path("scores"))?;
    for number in 0..size.contexts {
        let case = case(size, number);
        contexts.write(&case.context)?;
        for row in &case.negatives {
            negatives.write(row)?;
        }
        for row in verdicts(&case, size.seed) {
            all_verdicts.write(&row)?;
        }
        for row in scores(&case, size.seed) {
            all_scores.write(&row)?;
        }
    }
    contexts.finish()?;
    negatives.finish()?;
    all_verdicts.finish()?;
    all_scores.finish()?;
    Ok(())
}

/// Three judges on every negative, imports harder than others, one answer in thirty missing.
pub fn verdicts(case: &Case, seed: u64) -> Vec<Verdict> {
    let mut rows = Vec::new();
    for negative in &case.negatives {
        for judge in JUDGES {
            let key = truefill_trainer::corpus::stable_hash(
                seed,
                &[negative.id().as_bytes(), judge.as_bytes()],
            );
            let fooled = key % 100
                < if negative.kind == HallucinationType::Import {
                    90
                } else {
                    65
                };
            let missing = (key / 100).is_multiple_of(30);
            rows.push(Verdict {
                row: negative.id(),
                subject: Subject::Rejected,
                kind: VerdictKind::Blind,
                judge: judge.into(),
                prompt_version: "judge-blind-1".into(),
                first: None,
                verdict: (!missing).then_some(u8::from(fooled)),
                missing: missing.then(|| "blocked".to_owned()),
            });
        }
    }
    rows
}

/// Scores of every negative.
pub fn scores(case: &Case, seed: u64) -> Vec<Score> {
    let score = |negative: &Negative| {
        let key = truefill_trainer::corpus::stable_hash(seed, &[negative.id().as_bytes()]);
        let caught = key.is_multiple_of(3);
        Score {
            row: negative.id(),
            resolver: Some(Resolution {
                caught,
                name: caught.then(|| "name".to_owned()),
                reason: caught.then(|| "nothing defines it".to_owned()),
                golden_caught: false,
            }),
            margins: Vec::new(),
            difficulty: Some(Difficulty::ALL[(key / 3 % 3) as usize]),
        }
    };
    case.negatives.iter().map(score).collect()
}
