//! What the rules make of the golden corpus, pinned.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use truefill_trainer::corpus::WindowCheck;
use truefill_trainer::generate::{Mutate, Vocabulary, Work, over};
use truefill_trainer::rows::{Context, HallucinationType, Negative};

use crate::corpus;

async fn mutated(count: usize) -> (Vec<Context>, Vec<Negative>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("contexts.jsonl");
    let contexts = corpus::write(&path, count);
    let (vocabulary, rows) = Vocabulary::gather(&path).unwrap();
    assert_eq!(rows, contexts.len() as u64);
    let work = Work {
        generators: vec![Arc::new(Mutate::new(Arc::new(vocabulary)))],
        kinds: HallucinationType::ALL.into(),
        seed: 1,
        in_flight: 4,
    };
    let mut rows = Vec::new();
    let mut take = |row: &Negative| {
        rows.push(row.clone());
        Ok(())
    };
    let tally = over(&work, &path, &mut take, &mut |_| {}).await.unwrap();
    (contexts, rows, tally.show())
}

#[tokio::test(flavor = "multi_thread")]
async fn mutations_of_each_language() {
    let (contexts, rows, table) = mutated(3).await;
    let by_id: HashMap<&str, &Context> = contexts.iter().map(|c| (&*c.id, c)).collect();
    let mut text = String::new();
    let mut last = "";
    for row in &rows {
        let context = by_id[&*row.context_id];
        WindowCheck::of(context).check(row).unwrap();
        if context.path != last {
            last = &context.path;
            writeln!(text, "== {last}").unwrap();
        }
        let [_, golden, _] = row.hole(context);
        let way = row.prompt_version.rsplit('-').next().unwrap_or("");
        writeln!(
            text,
            "{} by {way}\n  - {golden}\n  + {}",
            row.kind, row.rejected
        )
        .unwrap();
    }
    writeln!(text, "\n{table}").unwrap();
    assert_no_fingerprint(&rows, &by_id);
    insta::with_settings!({snapshot_path => "../data/generate", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("mutations", text);
    });
}

/// Names that are always longer, or always the old one with a word glued to it, would be told by
/// that alone.
fn assert_no_fingerprint(rows: &[Negative], contexts: &HashMap<&str, &Context>) {
    let pairs: Vec<(&str, &str)> = rows
        .iter()
        .filter(|row| row.kind != HallucinationType::Parameter)
        .map(|row| (row.hole(contexts[&*row.context_id])[1], &*row.rejected))
        .collect();
    let share = |is: &dyn Fn(&str, &str) -> bool| {
        let found = pairs
            .iter()
            .filter(|(golden, rejected)| is(golden, rejected));
        found.count() as f64 / pairs.len() as f64
    };
    let longer = share(&|golden, rejected| rejected.len() > golden.len());
    let shorter = share(&|golden, rejected| rejected.len() < golden.len());
    assert!(
        longer < 0.6 && shorter > 0.25,
        "{longer:.2} longer, {shorter:.2} shorter"
    );
    let glued = rows
        .iter()
        .filter(|row| row.prompt_version.ends_with("-longer"))
        .count();
    assert!(
        glued * 5 < pairs.len(),
        "{glued} of {} with one word more",
        pairs.len()
    );
}
