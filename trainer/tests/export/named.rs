//! Steps that read a checkpoint by its name in the store, an adapter as its base with it.

use serde_json::Value;
use truefill_syntax::Language;
use truefill_trainer::rows::{Context, RowWriter};

use crate::{Place, adapter};

/// What the step's manifest says of the models that it read: the end of each path, and the hash.
fn models(place: &Place, manifest: &str, ids: &[&str]) -> Vec<(String, String)> {
    let manifest = std::fs::read(place.path(manifest)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let inputs = manifest["inputs"].as_array().unwrap().iter();
    let named = inputs.filter_map(|input| {
        let path = input["path"].as_str()?;
        let id = ids.iter().find(|id| path.ends_with(**id))?;
        Some(((*id).to_owned(), input["sha256"].as_str()?.to_owned()))
    });
    named.collect()
}

#[test]
fn an_adapter_is_sampled_and_scores_under_its_name() {
    let place = Place::new();
    let base = place.import(&["base"]);
    adapter(&place.path("lora"), None);
    let tuned = place.import(&["lora", "--adapter", "--base", &base, "--name", "tuned"]);
    let parts = ["import os\nx = ", "os.getcwd()", "\nprint(x)\n"];
    let context = Context::of_file(Language::Python, "o/r", "MIT", "a.py", parts);
    let mut writer = RowWriter::create(&place.path("contexts.jsonl")).unwrap();
    writer.write(&context).unwrap();
    writer.finish().unwrap();
    let recipe = "[generate]\ngenerators = ['local', 'mutate']\ntypes = ['method']\n\
        [generate.local]\nmodel = 'tuned'\ndevice = 'cpu'\nsamples = 1\nwindow_tokens = 48\n\
        max_tokens = 4\n[judge]\n\
        [[judge.scorer]]\nname = 'tuned'\nmodel = 'tuned'\ndevice = 'cpu'\ncontext_tokens = 64\n\
        [[judge.scorer]]\nname = 'psm'\nmodel = 'tuned'\nlayout = 'psm'\ndevice = 'cpu'\n\
        context_tokens = 64\n\
        [[judge.scorer]]\nname = 'base'\nmodel = 'base'\ndevice = 'cpu'\ncontext_tokens = 64\n";
    std::fs::write(place.path("recipe.toml"), recipe).unwrap();
    let contexts = "contexts.jsonl";
    place.out(&[
        "generate",
        contexts,
        "--out",
        "n.jsonl",
        "--recipe",
        "recipe.toml",
    ]);
    let sampled = models(&place, "n.jsonl.manifest.json", &[&tuned, &base]);
    assert_eq!(sampled.len(), 1);
    assert_eq!(sampled[0].0, tuned);
    let samples = std::fs::read_to_string(place.path("n.jsonl.samples.jsonl")).unwrap();
    assert_eq!(samples.lines().count(), 1);

    place.out(&[
        "judge",
        contexts,
        "n.jsonl",
        "--out",
        "v.jsonl",
        "--recipe",
        "recipe.toml",
        "--judges",
        "likelihood",
    ]);
    let scored = models(&place, "v.jsonl.manifest.json", &[&tuned, "base"]);
    let hashes: Vec<&str> = scored.iter().map(|(_, sha256)| &**sha256).collect();
    assert_eq!(hashes.len(), 2, "each model once");
    assert_ne!(hashes[0], hashes[1], "an adapter is not its base");
    assert_eq!(sampled[0].1, hashes[0]);
}
