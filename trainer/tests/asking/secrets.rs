//! Code that holds a secret stays on the machine, whichever way a step asks.

use truefill_syntax::Language;
use truefill_trainer::rows::Context;

use crate::batch::{self, RUN, office};
use crate::mock::{self, Books};
use crate::process::{Bench, Step, context, told};
use crate::support::Seen;

/// In two parts, so that nobody takes this file for one with a key.
const KEY: [&str; 2] = ["AKIA", "Z7QK2M4XW9PL3RTB"];
const RECIPE: &str = "[generate]\ngenerators = ['mock']\n[judge]\npanel = ['mock']\n";

/// Five contexts, of which the third has a key.
fn contexts() -> Vec<Context> {
    let prefix = format!("key = '{}'\n\n\ndef g(store, row):\n    x = ", KEY.concat());
    let parts = [&*prefix, "store.load(row)", "\n    return x\n"];
    let mut contexts: Vec<Context> = (0..5).map(context).collect();
    contexts[2] = Context::of_file(Language::Python, "o/r", "MIT", "g.py", parts);
    contexts
}

fn has_key(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains(&KEY.concat())
}

fn is_sent(seen: &[Seen]) -> bool {
    seen.iter().any(|seen| has_key(&seen.body))
}

fn secrets_of_generate(bench: &Bench) -> u64 {
    let counts = bench.manifest()["counts"].clone();
    counts["rejected.mock.method.secret"].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_with_a_secret_is_counted_and_not_sent() {
    // Judges are asked about the golden completion and the negative.
    for (step, each) in [(Step::Generate, 1), (Step::Judge, 2)] {
        let books = Books::default();
        let server = mock::serve(&books, false).await;
        let bench = Bench::of(&contexts(), &server.url, RECIPE);
        let ran = bench.run(step);
        assert!(ran.status.success(), "{step:?}: {}", told(&ran));
        assert_eq!(books.questions(), 4 * each, "{step:?}");
        assert!(!is_sent(&server.requests()), "{step:?}");
        let counted = match step {
            Step::Generate => secrets_of_generate(&bench) as usize,
            Step::Judge => {
                let rows = String::from_utf8(bench.read("out.jsonl")).unwrap();
                rows.matches("\"missing\":\"secret\"").count()
            }
        };
        assert_eq!(counted, each, "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_with_a_secret_is_in_no_batch() {
    let (office, server) = office(0).await;
    let bench = Bench::of(&contexts(), &server.url, batch::KEYS);
    let ran = bench.run_with(Step::Generate, &["--batch", "files"]);
    assert!(ran.status.success(), "{}", told(&ran));
    let folder = std::fs::read_dir(bench.path("out.jsonl.batches")).unwrap();
    let files: Vec<Vec<u8>> = folder
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(files.len() > 1 && !files.iter().any(|bytes| has_key(bytes)));
    let ran = bench.run_with(Step::Generate, &RUN);
    assert!(ran.status.success(), "{}", told(&ran));
    assert!(!is_sent(&server.requests()));
    assert_eq!(secrets_of_generate(&bench), 1);
    let office = office.lock().unwrap();
    assert_eq!(office.inputs.len(), 1);
    assert_eq!(office.inputs[0].matches("custom_id").count(), 4);
}
