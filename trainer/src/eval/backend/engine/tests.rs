use std::collections::BTreeMap;

use super::*;
use crate::stored;

fn row(id: &str, question: Question) -> EvalRow {
    EvalRow::new(id.into(), question, String::new(), "python")
}

fn completed(engine: &mut Engine, rows: &[EvalRow]) -> BTreeMap<String, Result<String, String>> {
    let rows: Vec<&EvalRow> = rows.iter().collect();
    let mut found = BTreeMap::new();
    let mut done = |at: usize, told: Result<Timed, String>| {
        found.insert(rows[at].id.clone(), told.map(|timed| timed.completion.text));
        Ok(())
    };
    let hear = Hear {
        done: &mut done,
        stop: &|| false,
    };
    engine.complete(&rows, hear).expect("completes");
    found
}

/// Rows that no prompt can be made of (the model has no chat template) stand between others.
#[test]
fn each_row_gets_its_own_completion() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = stored::store(Some(folder.path())).expect("a store");
    let tiny = "../crates/model/tests/data/parity/gguf/llama-f32.gguf";
    let tiny = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(tiny);
    let opened = Opened::open(&store, &tiny.display().to_string()).expect("opens");
    let decoding = Decoding {
        format: Some("causal".into()),
        context_tokens: 48,
        max_tokens: Some(9),
        ..Decoding::default()
    };
    let mut engine = Engine::open(&opened, &decoding, &Choice::Cpu, 2).expect("loads");
    let hole = |at: usize| Question::Infill {
        prefix: format!("def walk_{at}(folder):\n    return "),
        suffix: "\n".into(),
    };
    let holes: Vec<EvalRow> = (0..6).map(|at| row(&format!("{at}"), hole(at))).collect();
    let alone = completed(&mut engine, &holes);
    let task = |at: usize| {
        let prompt = "Walk.".to_owned();
        row(&format!("task {at}"), Question::Instruct { prompt })
    };
    let mixed = holes.iter().cloned().enumerate();
    let mixed: Vec<EvalRow> = mixed.flat_map(|(at, hole)| [task(at), hole]).collect();
    let mut found = completed(&mut engine, &mixed);
    for at in 0..6 {
        let refused = found.remove(&format!("task {at}")).expect("told");
        assert!(refused.expect_err("no template").contains("chat template"));
    }
    assert_eq!(found, alone);
    let texts: std::collections::BTreeSet<_> = alone.values().flatten().collect();
    assert!(texts.len() > 1, "{texts:?}");
}
