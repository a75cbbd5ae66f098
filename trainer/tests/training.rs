//! `truefill-trainer train` as a process: killed, stopped by a signal, and refused.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use left::{checkpoint, names};
use serde_json::json;

#[path = "support/left.rs"]
mod left;

/// Steps of a run, and between two states.
const STEPS: u64 = 240;
const EVERY: u64 = 8;

const KILLS: usize = 20;

fn model() -> PathBuf {
    let tiny = "../crates/model/tests/data/parity/gguf/llama-f32.gguf";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(tiny)
}

fn rows(path: &Path, first: usize, count: usize) {
    let line = |row: usize| {
        json!({
            "context_id": format!("c{row}"), "repo": format!("o/r{row}"), "path": "a.py",
            "prefix": format!("x{row} = "), "golden": format!("call_{}({row})", row % 5),
            "suffix": "\n", "rejected": format!("call_{}_all({row})", row % 5),
            "license": if row.is_multiple_of(2) { json!("MIT") } else { json!(["MIT", "Zlib"]) },
        })
    };
    let text: String = (first..first + count)
        .map(|row| format!("{}\n", line(row)))
        .collect();
    std::fs::write(path, text).expect("written");
}

fn recipe(folder: &Path) -> PathBuf {
    recipe_with(folder, "objective = \"fgit+orpo\"\n", "")
}

fn recipe_with(folder: &Path, keys: &str, tables: &str) -> PathBuf {
    rows(&folder.join("pairs.jsonl"), 0, 48);
    rows(&folder.join("held-out.jsonl"), 100, 6);
    let path = folder.join("recipe.toml");
    let text = format!(
        "[train]\n{keys}data = [\"pairs.jsonl\"]\ncheckpoint = {:?}\n\
         format = \"causal\"\ncontext_tokens = 48\nmax_tokens = 96\nrows_per_step = 16\nlr = 1e-3\n\
         steps = {STEPS}\nresplit = 0.3\n\n[train.save]\nevery = {EVERY}\n\n[train.eval]\n\
         data = [\"held-out.jsonl\"]\nevery = 60\nmax_tokens = 12\n{tables}",
        model()
    );
    std::fs::write(&path, text).expect("written");
    path
}

fn command(recipe: &Path, output: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    command
        .args(["train", "--recipe"])
        .arg(recipe)
        .arg("--output")
        .arg(output)
        .arg("--store")
        .arg(output.with_extension("store"))
        .args(more)
        .stdout(Stdio::piped());
    command
}

fn start(recipe: &Path, output: &Path, more: &[&str]) -> Child {
    let mut command = command(recipe, output, more);
    command.stderr(Stdio::piped()).spawn().expect("starts")
}

fn finish(mut child: Child) -> (Option<i32>, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reader = std::thread::spawn(move || {
        let mut stderr = stderr.expect("piped");
        let _ = stderr.read_to_string(&mut err);
        err
    });
    let _ = stdout.expect("piped").read_to_string(&mut out);
    let code = child.wait().expect("ends").code();
    (code, out, reader.join().expect("reads"))
}

/// The trained weights and the figures of a whole run. Times and rates are not compared.
fn result(output: &Path) -> (Vec<u8>, Vec<String>) {
    let last = output.join(format!("states/step-{STEPS:08}/parameters.safetensors"));
    let csv = std::fs::read_to_string(output.join("metrics.csv")).expect("figures");
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let kept = |line: &str| {
        let cells = head.iter().zip(line.split(','));
        let cells = cells.filter(|(name, _)| !matches!(**name, "seconds" | "tokens_per_second"));
        cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(",")
    };
    (
        std::fs::read(last).expect("the last state"),
        lines.map(kept).collect(),
    )
}

/// The checkpoint that a run put into the store can be served: it opens, and says how it is prompted.
fn installed(output: &Path, out: &str) {
    let store = output.with_extension("store");
    let folder = store.join("checkpoints").join(checkpoint(out));
    let opened = truefill_model::checkpoint::Checkpoint::open(&folder).expect("opens");
    assert!(opened.tokenizer().is_ok());
    let manifest = std::fs::read(folder.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    assert_eq!(manifest["about"]["format"]["name"], "causal");
    assert!(
        manifest["about"]["data_sha256"]["pairs.jsonl"].is_string(),
        "{manifest}"
    );
    let card = std::fs::read_to_string(folder.join("README.md")).expect("a card");
    for expected in ["`fgit+orpo` on 48 rows", "| MIT | 48 |", "| Zlib | 24 |"] {
        assert!(card.contains(expected), "{card}");
    }
}

#[test]
fn a_run_that_is_killed_anywhere_comes_to_the_same_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = recipe(folder.path());
    let (whole, out) = killed_and_whole(folder.path(), &recipe, KILLS);
    assert!(
        out.contains("to learn") && out.contains("best: step"),
        "{out}"
    );
    installed(&whole, &out);
}

/// So does one with a reference, an adapter and rows of its own.
#[test]
fn dpo_with_an_adapter_that_is_killed_comes_to_the_same_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = "objective = \"dpo\"\nparameters = \"lora\"\n";
    let tables = "\n[train.lora]\nrank = 4\nnew_rows = true\n\n[train.dpo]\npref_ftx = 1.0\n";
    let recipe = recipe_with(folder.path(), keys, tables);
    let (_, out) = killed_and_whole(folder.path(), &recipe, KILLS / 4);
    assert!(out.contains("rejected"), "{out}");
}

/// Runs a recipe twice, once with kills, and compares what it came to. The folder of the run that was
/// not killed, and what it said.
fn killed_and_whole(folder: &Path, recipe: &Path, kills: usize) -> (PathBuf, String) {
    let whole = folder.join("whole");
    let began = std::time::Instant::now();
    let (code, out, err) = finish(start(recipe, &whole, &[]));
    let took = began.elapsed();
    assert_eq!(code, Some(0), "{err}");

    let killed = folder.join("killed");
    // Pauses are drawn so that about each run gets somewhere and none gets far.
    let mut draw = truefill_syntax::Draw::new(7);
    let longest = (took.as_millis() as usize / 8).max(40);
    let (mut hits, mut went_on) = (0, 0);
    for _ in 0..400 {
        // Some runs are killed behind a state, so that there is something to go on from.
        if hits >= kills && went_on > 0 {
            break;
        }
        let mut child = start(recipe, &killed, &[]);
        // A machine that became slower than it was needs longer.
        let longest = longest * (1 + hits / kills);
        std::thread::sleep(Duration::from_millis(20 + draw.below(longest) as u64));
        match child.try_wait().expect("a process") {
            None => {
                child.kill().expect("killed");
                child.wait().expect("ends");
                hits += 1;
                let states = killed.join("states");
                went_on += usize::from(states.exists() && !names(&states).is_empty());
            }
            // It came to its end: what is left of the kills begins anew.
            Some(_) => std::fs::remove_dir_all(&killed).expect("removed"),
        }
    }
    assert!(hits >= kills && went_on > 0, "{hits} {went_on}");
    let (code, _, err) = finish(start(recipe, &killed, &[]));
    assert_eq!(code, Some(0), "{err}");
    let (expected, found) = (result(&whole), result(&killed));
    assert!(expected.0 == found.0, "other weights");
    assert_eq!(expected.1, found.1);
    assert_eq!(names(&whole.join("states")), names(&killed.join("states")));
    for kept in ["best/parameters.safetensors", "best/state.json"] {
        let [whole, killed] =
            [&whole, &killed].map(|run| std::fs::read(run.join(kept)).expect("kept"));
        assert!(whole == killed, "other {kept}");
    }
    let stored = |run: &Path| {
        let checkpoints = run.with_extension("store").join("checkpoints");
        let [id] = &names(&checkpoints)[..] else {
            panic!("expected one checkpoint");
        };
        let weights = checkpoints.join(id).join("model.safetensors");
        std::fs::read(&weights).unwrap_or_else(|error| panic!("{}: {error}", weights.display()))
    };
    assert!(stored(&whole) == stored(&killed), "another checkpoint");
    (whole, out)
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_after_its_step_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = recipe(folder.path());
    let (whole, stopped) = (folder.path().join("whole"), folder.path().join("stopped"));
    assert_eq!(
        finish(start(&recipe, &whole, &["--threads", "1"])).0,
        Some(0)
    );
    let mut stops = 0;
    for (nth, (name, number)) in [("TERM", 143), ("INT", 130)]
        .repeat(3)
        .into_iter()
        .enumerate()
    {
        let fresh = nth == 0;
        let flags = if fresh { &["--fresh"][..] } else { &[] };
        let mut command = command(&recipe, &stopped, flags);
        let mut child = command.stderr(Stdio::null()).spawn().expect("starts");
        // The sample is shown when the handlers stand.
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut said = String::new();
        while !said.contains("to learn, token by token") {
            assert!(stdout.read_line(&mut said).expect("reads") > 0, "{said}");
        }
        std::thread::sleep(Duration::from_millis(60));
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill runs").success());
        stdout.read_to_string(&mut said).expect("reads");
        let stopped = said.contains("stopped after step");
        let again = said.contains("the same command without `--fresh` goes on");
        assert_eq!(again, stopped && fresh, "{said}");
        let expected = if stopped { number } else { 0 };
        assert_eq!(child.wait().expect("ends").code(), Some(expected), "{said}");
        stops += usize::from(stopped);
    }
    assert!(stops > 0);
    assert_eq!(finish(start(&recipe, &stopped, &[])).0, Some(0));
    assert!(
        result(&whole) == result(&stopped),
        "other weights or figures"
    );
}

/// Every write of a file beyond a size fails in its middle, as on a disk that is full: no state is saved,
/// and the run comes to its end and delivers all the same.
#[cfg(unix)]
#[test]
fn a_full_disk_costs_states_and_not_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = recipe(folder.path());
    let (whole, full) = (folder.path().join("whole"), folder.path().join("full"));
    let (code, _, err) = finish(start(&recipe, &whole, &["--steps", "24"]));
    assert_eq!(code, Some(0), "{err}");
    let state = whole.join("states/step-00000024");
    let size = |name: &str| state.join(name).metadata().expect("there").len();
    let (parameters, optimiser) = (
        size("parameters.safetensors"),
        size("optimiser.safetensors"),
    );
    assert!(parameters + 8192 < optimiser, "{parameters} {optimiser}");
    let child = Command::new("bash")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"",
            "bash",
        ])
        .arg((parameters / 1024 + 4).to_string())
        .arg(env!("CARGO_BIN_EXE_truefill-trainer"))
        .args(["train", "--steps", "24", "--recipe"])
        .arg(&recipe)
        .arg("--output")
        .arg(&full)
        .arg("--store")
        .arg(full.with_extension("store"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let (code, out, err) = finish(child);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("not saved") && err.contains("there is no state yet"),
        "{err}"
    );
    assert!(out.contains("is in the store"), "{out}");
    assert_eq!(names(&full.join("states")), [""; 0]);
    let best = |run: &Path| std::fs::read(run.join("best/parameters.safetensors")).expect("kept");
    assert!(best(&whole) == best(&full), "other weights");
}

#[test]
fn what_must_not_be_trained_on_is_refused_with_its_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = recipe(folder.path());
    rows(&folder.path().join("held-out.jsonl"), 47, 2);
    let (code, _, err) = finish(start(&recipe, &folder.path().join("run"), &[]));
    assert_eq!(code, Some(1));
    assert!(
        err.contains("pairs.jsonl:48 (`c47`)") && err.contains("held out"),
        "{err}"
    );
    let (code, _, err) = finish(start(
        &recipe,
        &folder.path().join("run"),
        &["--checkpoint", "nope"],
    ));
    assert_eq!(code, Some(1));
    assert!(err.contains("nope"), "{err}");
    std::fs::write(&recipe, "[train]\nobjectiv = \"sft\"\n").expect("written");
    let (code, _, err) = finish(start(&recipe, &folder.path().join("run"), &[]));
    assert_eq!(code, Some(2));
    assert!(err.contains("objective"), "{err}");
}
