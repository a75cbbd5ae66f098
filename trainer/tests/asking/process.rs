//! The steps as a user runs them.

use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use truefill_syntax::Language;
use truefill_trainer::rows::{Context, HallucinationType, Negative, RowReader, RowWriter};

use crate::{left, support};

/// A folder with a recipe for a server and rows for it.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// `count` contexts with a negative each; `keys` are the recipe's further lines.
    pub fn new(count: usize, url: &str, keys: &str) -> Self {
        let contexts: Vec<Context> = (0..count).map(context).collect();
        Self::of(&contexts, url, keys)
    }

    /// These contexts, with a negative each.
    pub fn of(rows: &[Context], url: &str, keys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { folder };
        let mut contexts = RowWriter::create(&bench.path("contexts.jsonl")).unwrap();
        let mut negatives = RowWriter::create(&bench.path("negatives.jsonl")).unwrap();
        for (number, context) in rows.iter().enumerate() {
            contexts.write(context).unwrap();
            negatives.write(&negative(context, number)).unwrap();
        }
        contexts.finish().unwrap();
        negatives.finish().unwrap();
        bench.recipe(url, keys);
        bench
    }

    pub fn recipe(&self, url: &str, keys: &str) {
        let text = format!(
            "[members.mock]\nurl = '{url}'\nprotocol = 'openai-chat'\nmodel = 'm'\nconcurrency = 8\n\
             retries = 20\ntimeout_s = 1\nfirst_delay_ms = 2\nreply_bytes = 32768\n{keys}"
        );
        std::fs::write(self.path("recipe.toml"), text).unwrap();
    }

    /// Gives up a question after so many further attempts.
    pub fn retry(&self, retries: usize) {
        let text = String::from_utf8(self.read("recipe.toml")).unwrap();
        let text = text.replace("retries = 20", &format!("retries = {retries}"));
        std::fs::write(self.path("recipe.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn lines(&self, name: &str) -> usize {
        self.read(name)
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    }

    /// The names of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        left::names(self.folder.path())
    }

    pub fn manifest(&self) -> Value {
        serde_json::from_slice(&self.read("out.jsonl.manifest.json")).unwrap()
    }

    fn command(&self, step: Step) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
        command.current_dir(self.folder.path());
        command.args(match step {
            Step::Generate => &["generate", "contexts.jsonl", "--types", "method"][..],
            Step::Judge => &[
                "judge",
                "contexts.jsonl",
                "negatives.jsonl",
                "--judges",
                "panel",
            ],
        });
        command.args(["--out", "out.jsonl", "--recipe", "recipe.toml"]);
        command
    }

    /// The negatives that were generated.
    pub fn generated(&self) -> Vec<Negative> {
        let rows = RowReader::open(&self.path("out.jsonl"), "negatives").unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// Runs to the end.
    pub fn run(&self, step: Step) -> Output {
        self.run_with(step, &[])
    }

    pub fn run_with(&self, step: Step, flags: &[&str]) -> Output {
        self.command(step).args(flags).output().unwrap()
    }

    pub fn start(&self, step: Step) -> Running {
        let mut command = self.command(step);
        let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
        Running(silent.spawn().unwrap())
    }

    /// Attempts that the ledger says were under way.
    pub fn under_way(&self) -> usize {
        support::under_way(&self.path("out.jsonl.ledger.db"))
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Generate,
    Judge,
}

/// A process that is killed when it is dropped.
pub struct Running(Child);

impl Running {
    pub fn ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process said on standard error.
pub fn told(output: &Output) -> String {
    left::text(&output.stderr)
}

pub fn context(number: usize) -> Context {
    let prefix = format!("def f{number}(store, row):\n    x = ");
    let (repo, path) = (format!("o/r{}", number % 7), format!("f{number}.py"));
    let parts = [&*prefix, "store.load(row)", "\n    return x\n"];
    Context::of_file(Language::Python, &repo, "MIT", &path, parts)
}

fn negative(context: &Context, number: usize) -> Negative {
    Negative {
        context_id: context.id.clone(),
        kind: HallucinationType::Method,
        generator: "made-up".into(),
        prompt_version: "1".into(),
        rejected: format!("store.load_kit{number}(row)"),
        split: None,
    }
}
