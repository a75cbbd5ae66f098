//! What was changed, or left behind, since it was written.

use std::path::Path;

use serde_json::Value;

use crate::{Place, adapter, fim_support, write_model};

/// Training by the recipe, and the same as a job for other programs.
const TRAIN: [&str; 3] = ["train", "--recipe", "recipe.toml"];
const JOB: [&str; 7] = [
    "export",
    "--to",
    "trl",
    "--out",
    "x",
    "--recipe",
    "recipe.toml",
];

fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

fn row(id: &str, repo: &str) -> String {
    serde_json::json!({
        "context_id": id, "repo": repo, "path": "a.py", "prefix": "def f(items):\n    ",
        "golden": format!("total = sum({id})"), "suffix": "\n", "rejected": "total = all(items)",
    })
    .to_string()
}

/// A recipe over rows of its own; with `held_out` some are measured.
fn recipe(place: &Place, checkpoint: &str, keys: &str, held_out: bool) {
    std::fs::write(place.path("pairs.jsonl"), row("a", "o/a")).unwrap();
    std::fs::write(place.path("valid.jsonl"), row("b", "o/b")).unwrap();
    let eval = match held_out {
        true => "[train.eval]\ndata = [\"valid.jsonl\"]\n",
        false => "",
    };
    let text = format!(
        "[train]\ncheckpoint = {checkpoint:?}\ndata = [\"pairs.jsonl\"]\noutput = \"run\"\nsteps = 1\n\
         {keys}{eval}"
    );
    std::fs::write(place.path("recipe.toml"), text).unwrap();
}

/// Nobody trains on weights that are not those that were stored, nor passes them on, until the same
/// checkpoint is brought in once more.
#[test]
fn damaged_weights_are_neither_trained_on_nor_passed_on() {
    let place = Place::new();
    adapter(&place.path("lora"), None);
    let base = place.import(&["base"]);
    let lora = place.import(&["lora", "--adapter", "--base", &base]);
    let weights = place
        .path("home/checkpoints")
        .join(&base)
        .join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    flip(&weights);
    recipe(&place, &base, "", false);
    let hub = |name: &'static str| ["--to", "hub", "--out", name];
    let commands = [
        TRAIN.to_vec(),
        [&["export", &*base][..], &hub("x")].concat(),
        [&["export", &*lora][..], &hub("x")].concat(),
        JOB.to_vec(),
        vec!["import", "lora", "--adapter", "--base", &base, "--merge"],
    ];
    for command in &commands {
        let told = place.refused(command, 1);
        for expected in [
            "model.safetensors: expected the ",
            "found ",
            "into the store again",
        ] {
            assert!(told.contains(expected), "{command:?}: {told}");
        }
    }
    assert!(!place.path("run").exists() && !place.path("x").exists());
    place.import(&["base"]);
    assert_eq!(std::fs::read(&weights).unwrap(), whole);
    for command in &commands {
        place.out(command);
    }
}

/// `config.json` of one model, `tokenizer.json` of another: nothing would ever end.
#[test]
fn an_end_token_that_is_no_control_token_is_refused() {
    let place = Place::new();
    let file = place.path("base/config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    recipe(&place, "base", "", false);
    for (id, found) in [("151643", "beyond its tokens"), ("40", "the text ")] {
        let other = text.replace("\"eos_token_id\": 0", &format!("\"eos_token_id\": {id}"));
        assert_ne!(other, text);
        std::fs::write(&file, other).unwrap();
        for command in [
            &["train", "--recipe", "recipe.toml"][..],
            &["import", "base"],
        ] {
            let told = place.refused(command, 1);
            assert!(
                told.contains("base/config.json: `eos_token_id` is") && told.contains(found),
                "{told}"
            );
        }
    }
}

/// A vocabulary in which nothing ends a completion.
#[test]
fn what_cannot_learn_to_stop_is_not_imported() {
    let place = Place::new();
    let vocabulary = fim_support::byte_level("qwen2", &["<|other|>"], 40);
    let text = std::fs::read(place.path("base/config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&text).unwrap();
    config.as_object_mut().unwrap().remove("eos_token_id");
    let said = serde_json::json!({});
    write_model(
        &place.path("endless"),
        1.0,
        vocabulary,
        (config, said),
        "none",
    );
    let told = place.refused(&["import", "endless"], 1);
    recipe(&place, "endless", "", false);
    let trained = place.refused(&["train", "--recipe", "recipe.toml"], 1);
    for told in [&told, &trained] {
        assert!(told.contains("`causal` has no end token"), "{told}");
    }
    assert!(told.contains("endless: "), "{told}");
}

/// What a recipe says wrong is told with its name, as wrong usage.
#[test]
fn a_recipe_is_named_where_it_does_not_fit_the_checkpoint() {
    let place = Place::new();
    for (keys, expected) in [
        ("layouts = { spm = 1.0 }\n", "has no layout `spm`"),
        ("format = \"nope\"\n", "unknown FIM format `nope`"),
    ] {
        recipe(&place, "base", keys, false);
        for command in [&TRAIN[..], &JOB] {
            let told = place.refused(command, 2);
            assert!(
                told.contains("recipe.toml: ") && told.contains(expected),
                "{told}"
            );
        }
    }
    std::fs::write(place.path("valid.jsonl"), "").unwrap();
    let file = place.path("base/config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let fewer = text.replace("\"vocab_size\": 320", "\"vocab_size\": 160");
    std::fs::write(&file, fewer).unwrap();
    recipe(&place, "base", "", false);
    let told = place.refused(&["train", "--recipe", "recipe.toml"], 1);
    assert!(
        told.contains("base: expected a model of at least"),
        "{told}"
    );
}

/// A folder has one job: what the one before had and this one lacks goes, what others put there stays.
#[test]
fn a_job_leaves_nothing_of_the_one_before() {
    let place = Place::new();
    let names = || {
        let entries = std::fs::read_dir(place.path("job")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let export = |to: &str, held_out: bool| {
        recipe(&place, "base", "", held_out);
        place.out(&[
            "export",
            "--to",
            to,
            "--out",
            "job",
            "--recipe",
            "recipe.toml",
        ]);
        names()
    };
    std::fs::create_dir(place.path("job")).unwrap();
    std::fs::write(place.path("job/train.py"), "a program of somebody's").unwrap();
    let factory = [
        "README.md",
        "dataset_info.json",
        "ds_z3_config.json",
        "eval.jsonl",
        "train.jsonl",
        "train.py",
        "train.yaml",
    ];
    assert_eq!(export("llama-factory", true), factory);
    std::fs::write(place.path("job/notes.txt"), "mine").unwrap();
    let trl = [
        "README.md",
        "accelerate.yaml",
        "ds_z3_config.json",
        "notes.txt",
        "train.jsonl",
        "train.py",
    ];
    assert_eq!(export("trl", false), trl);
    assert!(export("axolotl", true).contains(&"eval.jsonl".to_owned()));
    assert!(!names().contains(&"train.py".to_owned()));
    let readme = || std::fs::read_to_string(place.path("job/README.md")).unwrap();
    assert!(!readme().contains("dropout"));
    let file = place.path("base/config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let more = text.replacen('{', "{\"attention_dropout\": 0.1,", 1);
    std::fs::write(&file, more).unwrap();
    export("trl", false);
    assert!(
        readme().contains("says so in `attention_dropout`"),
        "{}",
        readme()
    );
}
