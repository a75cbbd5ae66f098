//! `mine` with a model that says which holes are good.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use truefill_trainer::rows::{Context, RowReader};

use crate::mock::{self, Books};
use crate::process::told;
use crate::support::Server;

/// Mines the golden corpus, with a model where a server is given.
fn mine(folder: &Path, server: Option<&Server>, keys: &str) -> Output {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mine");
    let member = server.map(|server| {
        format!(
            "[members.mock]\nurl = '{}'\nprotocol = 'openai-chat'\nmodel = 'm'\nfirst_delay_ms = 2\n\
             timeout_s = 1\nreply_bytes = 32768\nretries = 20\nprice_input_per_million = 1.0\n\
             price_output_per_million = 1.0\n[mine.selector]\nmodel = 'mock'\n{keys}",
            server.url
        )
    });
    let recipe = format!(
        "[mine]\nsources = ['{0}/python', '{0}/go']\nper_language = 6\npercentiles = [0.0, 100.0]\n{1}",
        corpus.display(),
        member.unwrap_or_default()
    );
    std::fs::write(folder.join("recipe.toml"), recipe).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    command.current_dir(folder);
    command.args(["mine", "--recipe", "recipe.toml", "--out", "out.jsonl"]);
    command.output().unwrap()
}

fn rows(folder: &Path) -> Vec<Context> {
    let rows = RowReader::open(&folder.join("out.jsonl"), "contexts").unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("out.jsonl.manifest.json")).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_model_refuses_are_replaced() {
    let without = tempfile::tempdir().unwrap();
    let ran = mine(without.path(), None, "");
    assert!(ran.status.success(), "{}", told(&ran));
    let drawn = rows(without.path());
    let books = Books::default();
    let server = mock::serve(&books, true).await;
    let with = tempfile::tempdir().unwrap();
    let ran = mine(with.path(), Some(&server), "");
    assert!(ran.status.success(), "{}", told(&ran));
    let chosen = rows(with.path());
    let manifest = manifest(with.path());
    let refused = manifest["counts"]["rows.rejected.model"].as_u64().unwrap();
    assert!(refused > 0, "the model refuses one row in three");
    assert_eq!(chosen.len() as u64 + refused, books.questions() as u64);
    // What was drawn and not refused is there, and others are in the place of those that were.
    assert!(chosen.len() + refused as usize > drawn.len());
    let strangers = chosen.iter().filter(|row| !drawn.contains(row)).count();
    assert!(
        strangers > 0 && strangers <= refused as usize,
        "{strangers}"
    );
    assert!(chosen.len() <= drawn.len());
    assert_eq!(manifest["tables"]["members"]["mock"]["model"], "m");
    assert_eq!(manifest["tables"]["prompts"][0]["prompt"], "select/hole");
    // Again: everything is answered from the ledger, and the rows are the same.
    let bytes = std::fs::read(with.path().join("out.jsonl")).unwrap();
    let asked = books.requests();
    assert!(mine(with.path(), Some(&server), "").status.success());
    assert_eq!(std::fs::read(with.path().join("out.jsonl")).unwrap(), bytes);
    assert_eq!(books.requests(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_keeps_to_its_budget_and_its_recipe() {
    let books = Books::default();
    let server = mock::serve(&books, false).await;
    let folder = tempfile::tempdir().unwrap();
    let ran = mine(folder.path(), Some(&server), "budget = 0.003\n");
    assert_eq!(ran.status.code(), Some(1), "{}", told(&ran));
    assert!(told(&ran).contains("the budget is spent"), "{}", told(&ran));
    let some = rows(folder.path()).len();
    let ran = mine(folder.path(), Some(&server), "budget = 5.0\n");
    assert!(ran.status.success(), "{}", told(&ran));
    assert!(rows(folder.path()).len() > some);
    assert_eq!(books.duplicates(), 0);
    for (keys, expected) in [
        ("prompts = 'none'\n", "select/hole.toml"),
        ("budgt = 3.0\n", "the nearest key is `budget`"),
    ] {
        let ran = mine(folder.path(), Some(&server), keys);
        assert_eq!(ran.status.code(), Some(2), "{}", told(&ran));
        assert!(told(&ran).contains(expected), "{}", told(&ran));
    }
}
