//! What is in the folder after a run.

use super::*;

#[test]
fn a_second_run_leaves_nothing_of_the_first() {
    let recipe = |sizes: &[usize], compress| CurateRecipe {
        sizes: sizes.to_vec(),
        compress,
        ..all_for_training()
    };
    let found = curated(
        &contexts(5, 4),
        &[HallucinationType::Method],
        &recipe(&[10], false),
    );
    let out = found.folder.path().join("out");
    std::fs::write(out.join("mine.txt"), "x").expect("written");
    let args = Args {
        contexts: found.folder.path().join("contexts.jsonl"),
        negatives: found.folder.path().join("negatives.jsonl"),
        verdicts: None,
        scores: None,
        out: out.clone(),
        recipe: None,
        seed: None,
        benchmarks: Vec::new(),
        json: false,
    };
    curate(&args, &recipe(&[7], true)).expect("curated");
    let exists = |name: &str| out.join(name).exists();
    assert!(exists("mine.txt") && exists("subsets/size-7/sft.jsonl.zst"));
    assert!(exists("curated.manifest.json") && exists("sft.jsonl.zst"));
    assert!(!exists("subsets/size-10") && !exists("sft.jsonl") && !exists("out.work"));
    // A run that fails leaves no manifest that speaks for half of the files.
    let torn = out.join("valid/sft.jsonl.zst");
    std::fs::remove_file(&torn).expect("removed");
    std::fs::create_dir(&torn).expect("made");
    assert!(curate(&args, &recipe(&[7], true)).is_err());
    assert!(!exists("curated.manifest.json"));
}
