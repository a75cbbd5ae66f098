use clap::Parser;
use truefill_model::store::{Draft, FormatName};

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ArmsArgs,
}

struct User {
    _folder: tempfile::TempDir,
    store: Store,
    salts: u32,
}

impl User {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        for name in ["base", "run"] {
            let staging = store.stage().unwrap();
            std::fs::write(staging.folder().join("model.gguf"), name).unwrap();
            let tokenizer = "ab".repeat(32).parse().unwrap();
            let draft = Draft::full(
                name,
                "a test",
                "llama",
                FormatName::new("causal", 1),
                tokenizer,
            );
            let id = store.install(staging, draft).unwrap().id;
            store.set_alias(name.parse().unwrap(), &id).unwrap();
        }
        Self {
            _folder: folder,
            store,
            salts: 0,
        }
    }

    /// What the command prints, or why it fails.
    fn run(&mut self, line: &str) -> Result<String, String> {
        let words = std::iter::once("arms").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        let mut salt = || {
            self.salts += 1;
            format!("salt {}", self.salts)
        };
        run_in(&line.args, &self.store, &mut salt, &mut out).map_err(|it| format!("{it:#}"))?;
        Ok(String::from_utf8(out).unwrap())
    }
}

#[test]
fn arms_are_set_shown_stopped_and_taken_back() {
    let mut user = User::new();
    let id = |name: &str| user.store.find(name).unwrap().to_string();
    let (base, run) = (id("base"), id("run"));
    assert!(user.run("show").unwrap().starts_with("Nothing is compared"));
    let shown = user.run("set base=70 cand=30@run").unwrap();
    let expected = format!(
        "base  {base}  70.0 %\ncand  {run:width$}  30.0 %\nAssigned by document and half hour, generation 1.\n",
        width = base.len()
    );
    assert_eq!(shown, expected);
    let before = user.store.serving().unwrap();
    user.run("set base=50 cand=50@run").unwrap();
    assert_eq!(
        user.store.serving().unwrap().salt,
        before.salt,
        "units stay where they are"
    );
    user.run("set base=1 cand=shadow@run --unit user --reassign")
        .unwrap();
    let serving = user.store.serving().unwrap();
    assert_ne!(serving.salt, before.salt);
    assert!(serving.arms[1].shadow && serving.unit == Unit::User);
    assert!(user.run("stop base").unwrap_err().contains("the last arm"));
    user.run("rollback").unwrap();
    let serving = user.store.serving().unwrap();
    assert_eq!(
        (serving.arms[1].weight, &serving.salt),
        (50.0, &before.salt)
    );
    let stopped = user.run("stop cand --reason slow").unwrap();
    assert!(
        stopped.contains("stopped: slow") && stopped.contains("100.0 %"),
        "{stopped}"
    );
    assert!(
        user.run("clear")
            .unwrap()
            .starts_with("Nothing is compared")
    );
    assert_eq!(user.store.serving().unwrap().generation, 6);
    let json: serde_json::Value = serde_json::from_str(&user.run("show --json").unwrap()).unwrap();
    assert_eq!(
        (&json["generation"], &json["arms"]),
        (&json!(6), &json!([]))
    );
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let mut user = User::new();
    for (line, expected) in [
        ("set base", "expected `NAME=WEIGHT`"),
        ("set base=much", "a number or `shadow`"),
        ("set base=1 cand=1@nowhere", "arm `cand`"),
        ("set base=1 base=2", "each arm once"),
        ("set base=shadow", "a sum above 0"),
        ("set base=-1 cand=2@run", "0 or more"),
        ("stop cand", "there are no arms"),
        ("rollback", "nothing to go back to"),
    ] {
        let error = user.run(line).unwrap_err();
        assert!(error.contains(expected), "{line}: {error}");
        assert_eq!(user.store.serving().unwrap().generation, 0);
    }
}
