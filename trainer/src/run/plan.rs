//! From a recipe to commands.

use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::recipe::{Promotion, RunRecipe};
use crate::usage::Usage;

/// Stands for the id of the checkpoint that was trained, which is not known before.
pub const CANDIDATE: &str = "{candidate}";

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Runs this program with these arguments.
    Command(Vec<String>),
    /// Puts files of rows behind each other.
    Merge(Vec<PathBuf>),
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, which its log has, too.
    pub name: &'static str,
    /// What it does.
    pub work: Work,
    /// What it writes: without these it was not done.
    pub outputs: Vec<PathBuf>,
    /// What of the recipe it hangs on, as a hash.
    pub settings: String,
}

/// The steps of a recipe in their order.
///
/// # Errors
/// [`Usage`] where the recipe gives nothing to do.
pub fn plan(
    recipe: &Path,
    sections: &toml::Table,
    run: &RunRecipe,
    folder: &Path,
    store: Option<&Path>,
) -> Result<Vec<Step>> {
    let planner = Planner {
        recipe,
        sections,
        folder,
        store,
    };
    let mut steps = Vec::new();
    let (mut contexts, mut negatives) = (Vec::new(), Vec::new());
    if run.harvest.unwrap_or(sections.contains_key("harvest")) {
        let rows = folder.join("harvest");
        contexts.push(rows.join("contexts.jsonl"));
        negatives.push(rows.join("negatives.jsonl"));
        let arguments = ["--out", &text(&rows)];
        let outputs = vec![contexts[0].clone(), negatives[0].clone()];
        steps.push(planner.step("harvest", &["harvest"], &arguments, outputs));
    }
    if run.mine.unwrap_or(planner.mines()) {
        let mined = folder.join("mined.jsonl");
        let arguments = ["--out", &text(&mined)];
        steps.push(planner.step(
            "mine",
            &["mine", "members"],
            &arguments,
            vec![mined.clone()],
        ));
        contexts.push(mined);
    }
    if contexts.is_empty() {
        return Err(Usage::error(format!(
            "{}: expected something to learn from: `[harvest]`, or sources in `[mine]`",
            recipe.display()
        )));
    }
    let all = planner.merged(&mut steps, "merge-contexts", contexts, "contexts.jsonl");
    let made = folder.join("made.jsonl");
    let arguments = [&*text(&all), "--out", &text(&made)];
    steps.push(planner.step(
        "generate",
        &["generate", "members"],
        &arguments,
        vec![made.clone()],
    ));
    negatives.push(made);
    let negatives = planner.merged(&mut steps, "merge-negatives", negatives, "negatives.jsonl");
    planner.curated(&mut steps, &all, &negatives);
    planner.trained(&mut steps, run);
    Ok(steps)
}

struct Planner<'a> {
    recipe: &'a Path,
    sections: &'a toml::Table,
    folder: &'a Path,
    store: Option<&'a Path>,
}

impl Planner<'_> {
    fn step(
        &self,
        name: &'static str,
        sections: &[&str],
        arguments: &[&str],
        outputs: Vec<PathBuf>,
    ) -> Step {
        let mut all = vec![name.to_owned()];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        all.extend(["--recipe".to_owned(), text(self.recipe)]);
        Step {
            name,
            work: Work::Command(all),
            outputs,
            settings: self.settings(sections),
        }
    }

    /// A hash of what the recipe says in some sections.
    fn settings(&self, sections: &[&str]) -> String {
        let mut hash = Sha256::new();
        for section in sections {
            let found = self.sections.get(*section);
            let written = found.map(|it| toml::to_string(it).unwrap_or_default());
            hash.update(format!("[{section}]\n{}\n", written.unwrap_or_default()));
        }
        hex::encode(&hash.finalize()[..16])
    }

    fn mines(&self) -> bool {
        let mine = self.sections.get("mine").and_then(toml::Value::as_table);
        mine.is_some_and(|mine| mine.contains_key("sources") || mine.contains_key("each"))
    }

    /// One file of several; the file itself where there is one.
    fn merged(
        &self,
        steps: &mut Vec<Step>,
        name: &'static str,
        mut files: Vec<PathBuf>,
        whole: &str,
    ) -> PathBuf {
        if files.len() == 1 {
            return files.remove(0);
        }
        let whole = self.folder.join(whole);
        steps.push(Step {
            name,
            work: Work::Merge(files),
            outputs: vec![whole.clone()],
            settings: String::new(),
        });
        whole
    }

    fn curated(&self, steps: &mut Vec<Step>, contexts: &Path, negatives: &Path) {
        let verdicts = self.folder.join("verdicts.jsonl");
        let scores = self.folder.join("scores.jsonl");
        let [contexts, negatives] = [text(contexts), text(negatives)];
        let arguments = [
            &*contexts,
            &negatives,
            "--out",
            &text(&verdicts),
            "--scores",
            &text(&scores),
        ];
        steps.push(self.step(
            "judge",
            &["judge", "members"],
            &arguments,
            vec![scores.clone()],
        ));
        let data = self.folder.join("data");
        let mut arguments = vec![contexts, negatives];
        // Without a panel there are no verdicts, and scores come fourth.
        let has_panel = self.has_panel();
        if !has_panel {
            steps.push(Step {
                name: "no-verdicts",
                work: Work::Merge(Vec::new()),
                outputs: vec![verdicts.clone()],
                settings: String::new(),
            });
        }
        arguments.extend([text(&verdicts), text(&scores), "--out".into(), text(&data)]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let outputs = vec![data.join("pairs.jsonl"), data.join("curated.manifest.json")];
        steps.push(self.step("curate", &["curate"], &arguments, outputs));
    }

    fn has_panel(&self) -> bool {
        let judge = self.sections.get("judge");
        let panel = judge
            .and_then(|it| it.get("panel"))
            .and_then(toml::Value::as_array);
        panel.is_some_and(|panel| !panel.is_empty())
    }

    fn trained(&self, steps: &mut Vec<Step>, run: &RunRecipe) {
        let data = self.folder.join("data");
        let train = self.sections.get("train");
        let objective = train
            .and_then(|it| it.get("objective"))
            .and_then(toml::Value::as_str);
        let rows = match objective {
            None | Some("sft") => "sft.jsonl",
            Some(_) => "pairs.jsonl",
        };
        let output = self.folder.join("train");
        let [rows, held_out, shown] = [
            text(&data.join(rows)),
            text(&data.join("test/pairs.jsonl")),
            text(&output),
        ];
        let mut arguments = vec!["--output", &*shown, "--json"];
        let names = |key: &str| train.is_some_and(|it| it.get(key).is_some());
        if !names("data") {
            arguments.extend(["--data", &*rows]);
        }
        if !names("held_out") {
            arguments.extend(["--held-out", &*held_out]);
        }
        let store = self.store.map(text);
        if let Some(store) = &store {
            arguments.extend(["--store", &**store]);
        }
        steps.push(self.step("train", &["train"], &arguments, Vec::new()));
        if run.promotion == Promotion::None {
            return;
        }
        let folder = text(&self.folder.join("evaluations"));
        let canary = run.canary.to_string();
        let mut arguments = vec![CANDIDATE, "--out", &*folder, "--json"];
        match run.promotion {
            Promotion::Canary => arguments.extend(["--canary", &*canary]),
            Promotion::Gate => arguments.push("--dry-run"),
            Promotion::None | Promotion::Full => {}
        }
        let eval = self.sections.get("eval");
        if eval.is_none_or(|it| it.get("suite").is_none()) {
            arguments.extend(["--suite", "pairs", "--data", &*held_out]);
        }
        if let Some(store) = &store {
            arguments.extend(["--store", &**store]);
        }
        let step = self.step(
            "promote",
            &["eval", "promote", "run"],
            &arguments,
            Vec::new(),
        );
        steps.push(step);
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
