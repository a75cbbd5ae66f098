//! Runs on a tiny random model: what they learn, and what does not change the result.

mod heart;
mod held_out;
mod states;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::folder::Start;
use super::job::{Ended, Job, Outcome};
use super::measure::{HeldOutRows, Measured};
use super::state::restore_parameters;
use super::{engine, step};
use crate::checkpoint;
use crate::left::names;
use crate::progress::Progress;
use crate::train::example::Renderer;
use crate::train::recipe::TrainRecipe;
use crate::train::sample::Colour;
use candle_core::Device;
use truefill_model::fim::BoundFormat;
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;
use truefill_model::training::GradDecoder;

const WORDS: [&str; 8] = [
    "alpha", "beta", "gamma", "delta", "omega", "sigma", "kappa", "theta",
];

/// Pairs whose golden completion depends on the prefix alone.
fn pairs(folder: &Path, rows: usize) -> PathBuf {
    let path = folder.join("pairs.jsonl");
    let line = |row: usize| {
        let (one, other) = (WORDS[row % 8], WORDS[(row * 3 + row / 8) % 8]);
        let golden = format!("{one}.{other}({row})");
        serde_json::json!({
            "context_id": format!("c{row}"), "repo": format!("o/r{row}"), "path": "a.py",
            "prefix": format!("x{row} = "), "golden": golden, "suffix": "\n",
            "rejected": format!("{one}.{other}_all({row})"),
        })
    };
    let text: String = (0..rows).map(|row| format!("{}\n", line(row))).collect();
    std::fs::write(&path, text).expect("written");
    path
}

fn model() -> PathBuf {
    let tiny = "../crates/model/tests/data/parity/gguf/llama-f32.gguf";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(tiny)
}

fn format() -> BoundFormat {
    Tiny::of(&model(), Some("causal")).format
}

fn recipe(folder: &Path, keys: &str) -> TrainRecipe {
    let data = pairs(folder, 32);
    let head = "[train]\ncheckpoint = \"tiny\"\nformat = \"causal\"\ncontext_tokens = 48\n\
                max_tokens = 96\nrows_per_step = 32\nlr = 5e-3\nsteps = 120\nprecision = \"f32\"\n";
    let tail = "\n[train.schedule]\nwarmup_steps = 5\ndecay = \"constant\"\n";
    let text = format!("{head}data = [{:?}]\n{keys}{tail}", data);
    let path = folder.join("recipe.toml");
    std::fs::write(&path, text).expect("written");
    TrainRecipe::read(&path).expect("a recipe")
}

fn try_run(recipe: &TrainRecipe, output: &Path) -> anyhow::Result<Outcome> {
    try_start(recipe, output, Start::GoOn)
}

fn try_start(recipe: &TrainRecipe, output: &Path, start: Start) -> anyhow::Result<Outcome> {
    stopping(recipe, output, start, &|| false)
}

fn stopping(
    recipe: &TrainRecipe,
    output: &Path,
    start: Start,
    stop: &dyn Fn() -> bool,
) -> anyhow::Result<Outcome> {
    Tiny::of(&model(), Some("causal")).start(recipe, output, start, stop)
}

fn load(recipe: &TrainRecipe, renderer: &Renderer) -> GradDecoder {
    Tiny::of(&model(), Some("causal")).load(recipe, renderer)
}

fn remembered(recipe: &TrainRecipe, output: &Path, step: u64) -> Measured {
    Tiny::of(&model(), Some("causal")).remembered(recipe, output, step)
}

/// A checkpoint and the format that it is prompted in.
struct Tiny {
    checkpoint: PathBuf,
    format: BoundFormat,
}

impl Tiny {
    fn of(checkpoint: &Path, format: Option<&str>) -> Self {
        let opened = truefill_model::checkpoint::Checkpoint::open(checkpoint).expect("opens");
        let tokenizer: &Tokenizer = opened.tokenizer().expect("there");
        Self {
            checkpoint: checkpoint.to_owned(),
            format: checkpoint::format(format, tokenizer).expect("fits"),
        }
    }

    fn start(
        &self,
        recipe: &TrainRecipe,
        output: &Path,
        start: Start,
        stop: &dyn Fn() -> bool,
    ) -> anyhow::Result<Outcome> {
        let job = Job {
            recipe,
            checkpoint: &self.checkpoint,
            adapter: None,
            checkpoint_sha256: "tiny".into(),
            format: &self.format,
            output,
            start,
            show: &mut |sample| {
                anyhow::ensure!(sample.contains("to learn"), "{sample}");
                Ok(())
            },
            colour: Colour::Never,
            progress: &Progress::silent(),
            stop,
            clock: &|| SystemTime::UNIX_EPOCH,
        };
        job.run()
    }

    fn load(&self, recipe: &TrainRecipe, renderer: &Renderer) -> GradDecoder {
        let computing = engine::Computing::of(recipe).expect("a processor");
        engine::load(recipe, &computing, &self.checkpoint, None, renderer).expect("loads")
    }

    /// The figures of the last state on the rows that it was trained on.
    fn remembered(&self, recipe: &TrainRecipe, output: &Path, step: u64) -> Measured {
        let renderer = recipe.renderer(&self.format).expect("renders");
        let mut decoder = self.load(recipe, &renderer);
        let state = output.join(format!("states/step-{step:08}"));
        let place = restore_parameters(&state, &mut decoder).expect("restores");
        assert_eq!(place.step, step);
        let mut asked = recipe.clone();
        asked.eval.data = recipe.data.clone();
        asked.eval.max_tokens = 40;
        let rows = HeldOutRows::open(&asked, &self.format, &Device::Cpu).expect("opens");
        let measured = rows.measure(&mut decoder, step, &|| false);
        measured.expect("measures").expect("was not stopped")
    }
}

#[test]
fn every_objective_that_teaches_the_golden_completion_learns_rows_by_heart() {
    let lora = "parameters = \"lora\"\n[train.lora]\nrank = 8\nalpha = 32\nnew_rows = true\n";
    for (name, keys) in [
        ("sft", "objective = \"sft\"\n"),
        ("orpo", "objective = \"orpo\"\n"),
        ("fgit", "objective = \"fgit\"\n"),
        ("fgit+orpo", "objective = \"fgit+orpo\"\n"),
        ("sft, adapter", lora),
        (
            "fgit+orpo, adapter",
            &format!("objective = \"fgit+orpo\"\n{lora}"),
        ),
        (
            "dpo that learns golden completions, too",
            "objective = \"dpo\"\n[train.dpo]\npref_ftx = 1.0\n",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let recipe = recipe(folder.path(), keys);
        let output = folder.path().join("run");
        let outcome = try_run(&recipe, &output).expect(name);
        assert_eq!(
            (outcome.ended, outcome.place.step),
            (Ended::Done, 120),
            "{name}"
        );
        let measured = remembered(&recipe, &output, 120);
        assert_eq!(measured.rows, 32, "{name}");
        assert!(
            measured.exact_match == 1.0 && measured.end_rate == 1.0,
            "{name}: {measured:?}"
        );
        assert_eq!(measured.over_generation, 0.0, "{name}");
    }
}

/// DPO does not teach the golden completion; it moves the pair apart from where the reference stands.
#[test]
fn dpo_moves_pairs_apart_from_the_reference() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = recipe(folder.path(), "objective = \"dpo\"\n");
    let output = folder.path().join("run");
    try_run(&recipe, &output).expect("runs");
    let measured = remembered(&recipe, &output, 120);
    assert_eq!(measured.pairs, 32);
    assert_eq!(measured.preference_accuracy, 1.0, "{measured:?}");
    let losses = column(&output, "loss");
    // Before the first step policy and reference agree: −ln σ(0).
    assert!(
        (losses[0] - std::f64::consts::LN_2).abs() < 1e-6,
        "{}",
        losses[0]
    );
    assert!(losses[119] < 0.05, "{}", losses[119]);
    // A kill may leave all of the last line but its end.
    let file = output.join("reference.jsonl");
    let kept = std::fs::read(&file).expect("there");
    std::fs::write(&file, &kept[..kept.len() - 1]).expect("written");
    try_run(&recipe, &output).expect("goes on");
    assert!(std::fs::read(&file).expect("there") == kept);
}

/// A figure of every step.
fn column(output: &Path, name: &str) -> Vec<f64> {
    let csv = std::fs::read_to_string(output.join("metrics.csv")).expect("there");
    let mut lines = csv.lines();
    let mut head = lines.next().expect("a head").split(',');
    let at = head.position(|found| found == name).expect("there");
    let cells = lines.filter_map(|line| line.split(',').nth(at));
    cells.filter_map(|cell| cell.parse().ok()).collect()
}

fn parameters(output: &Path, step: u64) -> Vec<u8> {
    let state = format!("states/step-{step:08}/parameters.safetensors");
    std::fs::read(output.join(state)).expect("there")
}

/// How a step is cut is no matter of the result, down to the bit.
#[test]
fn micro_batches_and_recomputing_change_no_weight() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut weights = Vec::new();
    for (name, keys) in [
        ("whole", "rows_at_once = 64\nrecompute = false\n"),
        ("one by one", "rows_at_once = 1\nrecompute = false\n"),
        ("recomputed", "rows_at_once = 8\nrecompute = true\n"),
    ] {
        let mut recipe = recipe(folder.path(), &format!("objective = \"orpo\"\n{keys}"));
        recipe.steps = Some(6);
        let output = folder.path().join(name);
        try_run(&recipe, &output).expect(name);
        weights.push(parameters(&output, 6));
    }
    assert!(weights.windows(2).all(|two| two[0] == two[1]));
}

/// States that were saved while the loss climbed are none to go on from; with a lower rate the run goes
/// on from the last one before.
#[test]
fn a_run_that_diverges_goes_on_from_before_it_did() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = "max_rise = 0.5\n[train.save]\nevery = 5\nkeep = 1\n";
    let mut recipe = recipe(folder.path(), keys);
    let output = folder.path().join("run");
    recipe.steps = Some(60);
    try_run(&recipe, &output).expect("runs");
    recipe.steps = Some(400);
    recipe.lr = Some(0.3);
    let error = try_start(&recipe, &output, Start::WithChanges).expect_err("diverges");
    let told = format!("{error:#}");
    assert!(told.contains("training diverges"), "{told}");
    let states = names(&output.join("states"));
    let [state] = &states[..] else {
        panic!("{states:?}");
    };
    assert!(
        ["step-00000060", "step-00000065"].contains(&&**state),
        "{state}"
    );
    recipe.lr = Some(1e-4);
    recipe.steps = Some(100);
    let outcome = try_start(&recipe, &output, Start::WithChanges).expect("goes on");
    assert_eq!((outcome.ended, outcome.place.step), (Ended::Done, 100));
}

/// FGit's loss is a sum over a row's tokens, so it follows the length of a step's rows.
#[test]
fn rows_of_many_lengths_are_no_divergence() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = recipe(folder.path(), "objective = \"fgit\"\nlength_pool = 16\n");
    let text: String = (0..64)
        .map(|row: usize| {
            let call = "call(alpha, beta) ".repeat(1 + row % 16 / 4);
            let line = serde_json::json!({
                "context_id": format!("c{row}"), "repo": format!("o/r{row}"), "path": "a.py",
                "prefix": format!("x{row} = "), "golden": format!("{call}end"), "suffix": "\n",
                "rejected": format!("{call}rend"),
            });
            format!("{line}\n")
        })
        .collect();
    std::fs::write(&recipe.data[0], text).expect("written");
    recipe.lr = Some(1e-12);
    recipe.rows_per_step = 4;
    recipe.max_rise = 0.5;
    recipe.steps = Some(160);
    let output = folder.path().join("run");
    let outcome = try_run(&recipe, &output).expect("does not diverge");
    assert_eq!(outcome.place.step, 160);
    let losses = column(&output, "loss");
    let least = losses.iter().copied().fold(f64::MAX, f64::min);
    let most = losses.iter().copied().fold(0.0, f64::max);
    assert!(most > 2.0 * least, "{least} to {most}");
}

/// The weights that a run ends with are those of its best measurement, if they can be read.
#[test]
fn a_run_ends_early_with_its_best_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = serde_json::json!({
        "context_id": "other", "repo": "p/other", "path": "b.py", "prefix": "seen = ",
        "golden": "nothing.of(this)", "suffix": "\n", "rejected": "nothing.by(that)",
    });
    let held_out = folder.path().join("held-out.jsonl");
    std::fs::write(&held_out, format!("{line}\n")).expect("written");
    let eval =
        format!("[train.eval]\ndata = [{held_out:?}]\nevery = 1\nmax_tokens = 8\npatience = 2\n");
    // A rate at which every step makes the model worse.
    let mut recipe = recipe(
        folder.path(),
        &format!("clip = 0.0\nmax_rise = 0.0\n{eval}"),
    );
    recipe.lr = Some(1.0);
    recipe.schedule.warmup_steps = Some(0);
    let output = folder.path().join("run");
    let outcome = try_run(&recipe, &output).expect("runs");
    assert_eq!((outcome.ended, outcome.place.step), (Ended::Early, 2));
    let best = outcome.measured.expect("measured");
    assert_eq!((best.pairs, Some(best)), (1, outcome.place.best));
    assert!(best.step < 2, "{best:?}");
    let renderer = recipe.renderer(&format()).expect("renders");
    let values = |decoder: &GradDecoder| {
        let name = decoder.parameters()[1].name.clone();
        decoder.values(&name).expect("there")
    };
    let mut kept = load(&recipe, &renderer);
    let place = restore_parameters(&output.join("best"), &mut kept).expect("restores");
    assert_eq!(place.best, Some(best));
    let made = values(&outcome.weights.expect("made").0);
    assert!(made == values(&kept));

    // Another way from an earlier state may have come to better ones: what is handed over is told.
    let path = output.join("best/state.json");
    let state = std::fs::read(&path).expect("there");
    let better = |place: &mut super::state::Place| {
        place.best = place.best.map(|best| Measured {
            exact_match: 0.875,
            ..best
        });
    };
    super::state::reseal(&output.join("best"), better).expect("written");
    let again = try_run(&recipe, &output).expect("runs");
    let told = again.best().expect("measured");
    assert_eq!((Some(told), told.exact_match), (again.measured, 0.875));
    let report = std::fs::read_to_string(output.join("report.html")).expect("there");
    assert!(report.contains("exact match 87.5 %"), "{report}");
    std::fs::write(&path, state).expect("written");

    let path = output.join("best/parameters.safetensors");
    let mut bytes = std::fs::read(&path).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let again = try_run(&recipe, &output).expect("runs");
    assert_eq!((again.ended, again.measured), (Ended::Early, None));
    assert!(values(&again.weights.expect("made").0) != made);

    std::fs::write(&held_out, "").expect("written");
    let error = try_run(&recipe, &folder.path().join("none")).expect_err("refused");
    assert!(error.to_string().contains("found none: of 0"), "{error}");
    recipe.eval.data.clear();
    let error = recipe.check().expect_err("refused").to_string();
    assert!(error.contains("`eval.patience`"), "{error}");
}

#[test]
fn sequences_of_a_batch_ask_for_just_the_completions() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = recipe(folder.path(), "objective = \"orpo\"\n");
    let renderer = recipe.renderer(&format()).expect("renders");
    let set = recipe.training_set(&renderer).expect("reads");
    let decoder = load(&recipe, &renderer);
    let example = match renderer.render(&set.rows[0], 0).expect("renders") {
        crate::train::example::Rendered::Whole(example) => *example,
        other => panic!("{other:?}"),
    };
    let both = example.chosen.len() + example.rejected.len();
    let batch = step::batch(&decoder, std::slice::from_ref(&example), false).expect("fits");
    assert_eq!(batch.wanted(), both);
    let prompt = step::batch(&decoder, std::slice::from_ref(&example), true).expect("fits");
    assert_eq!(prompt.wanted(), both + example.prompt.len() - 1);
}
