//! `truefill-trainer run` and `promote` as processes: a whole recipe on tiny models, broken off and gone on.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use truefill_model::store::{Alias, Draft, FormatName, Store};

fn model() -> PathBuf {
    let tiny = "../crates/model/tests/data/parity/gguf/llama-f32.gguf";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(tiny)
}

/// Six repositories of Python that `mine` takes, each with its licence.
fn corpus(folder: &Path) {
    for repo in 0..6 {
        let root = folder.join(format!("corpus/repo{repo}"));
        std::fs::create_dir_all(&root).unwrap();
        let licence = concat!(env!("CARGO_MANIFEST_DIR"), "/../LICENSE-MIT");
        std::fs::copy(licence, root.join("LICENSE")).unwrap();
        for file in 0..4 {
            let mut text = format!("\"\"\"Stock number {repo} {file}.\"\"\"\n\nimport json\n\n\n");
            for part in 0..4 {
                let name = format!(
                    "{}_{repo}_{file}_{part}",
                    ["count", "total", "price"][part % 3]
                );
                writeln!(
                    text,
                    "def {name}(items, limit):\n    rows = json.loads(items)\n    found = [row for row in \
                     rows if len(row) > limit]\n    result = sorted(found, key=len)\n    print({name}.__name__, \
                     result)\n    return result[{part}:limit + {file}]\n\n"
                )
                .unwrap();
            }
            std::fs::write(root.join(format!("stock{file}.py")), text).unwrap();
        }
    }
}

/// A store with the tiny model as `default`, and a recipe that trains it.
fn prepare(folder: &Path, rules: &str, run: &str) {
    corpus(folder);
    let store = Store::open(&folder.join("store")).unwrap();
    let staging = store.stage().unwrap();
    std::fs::copy(model(), staging.folder().join("model.gguf")).unwrap();
    let draft = Draft::full(
        "tiny",
        "a test",
        "llama",
        FormatName::new("causal", 1),
        tokenizer(),
    );
    let id = store.install(staging, draft).unwrap().id;
    let default: Alias = "default".parse().unwrap();
    store.set_alias(default, &id).unwrap();
    let text = format!(
        "[run]\n{run}\n[mine]\neach = [\"corpus\"]\nper_file = 3\npercentiles = [0.0, 100.0]\n\
         window_bytes = 1024\nnear_duplicate = 1.0\n[mine.selector]\nprefix_lines = 1\nsuffix_bytes = 0\nmin_score = 0.0\n\
         [curate]\nvalid = 0.0\ntest = 0.3\nnear_duplicates = 0.0\n\
         [train]\nobjective = \"orpo\"\ncheckpoint = \"default\"\ncontext_tokens = 64\nmax_tokens = 128\n\
         rows_per_step = 4\nsteps = 3\nlr = 1e-3\noverlap = \"drop\"\n[train.lora]\nrank = 4\n\
         [eval]\ndevice = \"cpu\"\n[eval.decoding]\ncontext_tokens = 64\nmax_tokens = 8\n{rules}"
    );
    std::fs::write(folder.join("r.toml"), text).unwrap();
}

fn tokenizer() -> truefill_model::store::Sha256Hex {
    let checkpoint = truefill_model::checkpoint::Checkpoint::open(&model()).unwrap();
    checkpoint.tokenizer().unwrap().sha256().parse().unwrap()
}

const LENIENT: &str = "[[promote.rule]]\nsuite = \"pairs\"\nfigure = \"exact_match\"\nrequire = \"holds\"\nby = 0.9\n\
                       least_rows = 1\n";
const STRICT: &str = "[[promote.rule]]\nsuite = \"pairs\"\nfigure = \"exact_match\"\nrequire = \"rises\"\nby = 0.9\n\
                      least_rows = 1\n";

fn trainer(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    command.current_dir(folder).args(arguments);
    command.output().unwrap()
}

fn run(folder: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["run", "r.toml", "--store", "store", "--out", "out"], more].concat();
    let output = trainer(folder, &arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn store(folder: &Path) -> Store {
    Store::open(&folder.join("store")).unwrap()
}

#[test]
fn a_recipe_is_run_whole_and_never_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder, LENIENT, "promotion = \"full\"\n");
    let (code, _, err) = run(folder, &["--until", "curate"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("step 1 of 5: mine") && !folder.join("out/train").exists(),
        "{err}"
    );
    let mined = std::fs::metadata(folder.join("out/mined.jsonl"))
        .unwrap()
        .modified()
        .unwrap();
    let (code, out, err) = run(folder, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        !err.contains("mine") && err.contains("step 6 of 7: train"),
        "{err}"
    );
    assert!(
        out.contains("The gate lets it pass.") && out.contains("| promote | done |"),
        "{out}"
    );
    let again = std::fs::metadata(folder.join("out/mined.jsonl"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(mined, again);
    // It is served now, and its evidence lies beside its manifest.
    let store = store(folder);
    let serving = store.serving().unwrap();
    let promoted = &serving.arms[0].checkpoint;
    assert_eq!((serving.generation, serving.arms.len()), (1, 1));
    assert_eq!(serving.arms[0].name.as_str(), promoted.as_str());
    assert!(out.contains(promoted.as_str()));
    let evidence = store.evidence(promoted).unwrap();
    assert!(
        evidence
            .iter()
            .any(|name| name.as_str().starts_with("promotion-"))
    );
    let (code, _, err) = run(folder, &[]);
    assert_eq!((code, &*err), (Some(0), ""), "nothing is left to do");
    assert_eq!(store.serving().unwrap().generation, 1);
    // Another rate is another training, of the same data.
    let recipe = std::fs::read_to_string(folder.join("r.toml")).unwrap();
    std::fs::write(
        folder.join("r.toml"),
        recipe.replace("lr = 1e-3", "lr = 2e-3"),
    )
    .unwrap();
    let (_, _, err) = run(folder, &["--until", "train"]);
    assert!(err.contains("train") && !err.contains("curate"), "{err}");
}

#[test]
fn a_refused_candidate_ends_the_run_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder, STRICT, "promotion = \"canary\"\ncanary = 20.0\n");
    let (code, out, err) = run(folder, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("The gate refuses it") && out.contains("| promote | refused |"),
        "{out}"
    );
    assert_eq!(store(folder).serving().unwrap().generation, 0);
    // By hand: the same gate refuses with 1; a lenient one starts a comparison.
    let id = candidate(folder);
    let promote = |rules: &str| {
        let recipe = std::fs::read_to_string(folder.join("r.toml")).unwrap();
        let (head, _) = recipe.split_once("[[promote.rule]]").unwrap();
        std::fs::write(folder.join("p.toml"), format!("{head}{rules}")).unwrap();
        let data = ["--suite", "pairs", "--data", "out/data/test/pairs.jsonl"];
        let arguments = [
            "promote", &id, "--recipe", "p.toml", "--store", "store", "--canary", "20",
        ];
        trainer(folder, &[&arguments[..], &data].concat())
    };
    let refused = promote(STRICT);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not promoted"));
    assert_eq!(promote(LENIENT).status.code(), Some(0));
    let serving = store(folder).serving().unwrap();
    let shares: Vec<f64> = serving.shares().map(|(_, share)| share).collect();
    assert_eq!(shares, [0.8, 0.2]);
    assert_eq!(serving.arms[1].checkpoint.as_str(), id);
    let names: Vec<&str> = serving.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(names, ["default", &id]);
    let twice = trainer(
        folder,
        &[
            "promote", "default", "--recipe", "p.toml", "--store", "store",
        ],
    );
    let err = String::from_utf8_lossy(&twice.stderr);
    assert!(
        twice.status.success() && err.contains("served already"),
        "{err}"
    );
}

fn candidate(folder: &Path) -> String {
    let state = std::fs::read(folder.join("out/run.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    state["candidate"].as_str().unwrap().to_owned()
}

#[test]
fn a_step_that_fails_is_named_with_its_log_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder, LENIENT, "promotion = \"none\"\n");
    let recipe = std::fs::read_to_string(folder.join("r.toml")).unwrap();
    let broken = recipe.replace("checkpoint = \"default\"", "checkpoint = \"nowhere\"");
    std::fs::write(folder.join("r.toml"), broken).unwrap();
    let (code, _, err) = run(folder, &[]);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("`train` ended with 1") && err.contains("logs/train.log"),
        "{err}"
    );
    std::fs::write(folder.join("r.toml"), recipe).unwrap();
    let (code, out, err) = run(folder, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        !err.contains("mine") && out.contains("## The candidate"),
        "{err}{out}"
    );
}

#[test]
fn what_cannot_be_meant_is_refused_and_a_dry_run_shows_commands() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare(folder, LENIENT, "");
    let (code, out, _) = run(folder, &["--dry-run"]);
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("truefill-trainer mine --out out/mined.jsonl"),
        "{out}"
    );
    assert!(
        out.contains("promote {candidate}") && out.contains("--dry-run"),
        "{out}"
    );
    assert!(!folder.join("out").exists());
    let (code, _, err) = run(folder, &["--until", "nowhere"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("expected one of mine, generate"), "{err}");
    for (text, expected) in [
        (
            "[run]\ncanary = 100.0\n[mine]\neach = [\"corpus\"]\n",
            "between 0 and 100",
        ),
        ("[run]\npromotion = \"soon\"\n", "soon"),
        ("[curate]\n", "something to learn from"),
    ] {
        std::fs::write(folder.join("r.toml"), text).unwrap();
        let (code, _, err) = run(folder, &["--dry-run"]);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(expected), "{err}");
    }
}
