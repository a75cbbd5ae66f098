//! Jobs for other programs.

use std::fmt::Write as _;
use std::path::Path;
#[cfg(unix)]
use std::process::Command;

use serde_json::{Value, json};
#[cfg(unix)]
use truefill_model::store::Kind;

use crate::Place;
#[cfg(unix)]
use crate::adapter;

fn rows(place: &Place) {
    let row = |nth: usize, prefix: &str, golden: &str| {
        json!({
            "context_id": format!("c{nth}"), "language": "python", "type": "method",
            "repo": format!("r{nth}"), "license": "MIT", "path": "src/a.py", "prefix": prefix,
            "golden": golden, "suffix": "\n    return total\n", "rejected": "total = items.count_all()",
        })
        .to_string()
    };
    let long = "x = 1\n".repeat(400);
    let train = [
        row(1, "def add(items):\n    ", "total = sum(items)"),
        row(
            2,
            &format!("{long}def add(items):\n    "),
            "total = len(items)",
        ),
        row(3, "def é(items):\n    ", &"y".repeat(900)),
        row(4, "a = '<|fim_middle|>'\n", "total = 3"),
    ];
    std::fs::write(place.path("pairs.jsonl"), train.join("\n")).unwrap();
    let held_out = [
        row(9, "def f(items):\n    ", "total = 1"),
        row(8, "def g(items):\n    ", "total = 2").replace("\"rejected\"", "\"unused\""),
        row(7, "def h(items):\n    ", &"z".repeat(900)),
    ];
    std::fs::write(place.path("valid.jsonl"), held_out.join("\n")).unwrap();
}

/// Writes a recipe into a folder of its own, with paths that mean something only from there.
fn recipe(place: &Place, keys: &str) {
    let text = format!(
        "[train]\ndata = [\"../pairs.jsonl\"]\ncheckpoint = \"../base\"\nsentinels = \"drop\"\n\
         context_tokens = 200\nmax_tokens = 260\n{keys}\n[train.eval]\n\
         data = [\"../valid.jsonl\"]\n"
    );
    std::fs::create_dir_all(place.path("recipes")).unwrap();
    std::fs::write(place.path("recipes/recipe.toml"), text).unwrap();
}

const RECIPE: [&str; 2] = ["--recipe", "recipes/recipe.toml"];

#[test]
fn jobs_are_whole_and_lose_no_sentinel() {
    let place = Place::new();
    rows(&place);
    for (to, objective) in [
        ("llama-factory", "sft"),
        ("llama-factory", "orpo"),
        ("trl", "sft"),
        ("trl", "dpo"),
        ("axolotl", "sft"),
        ("axolotl", "orpo"),
    ] {
        let more = match (to, objective) {
            (_, "sft") => "parameters = \"lora\"\n",
            ("axolotl", "orpo") => "orpo.nll = \"prompt_response\"\n",
            _ => "",
        };
        recipe(&place, &format!("objective = \"{objective}\"\n{more}"));
        let out = format!("{to}-{objective}");
        let base = place.path("base").canonicalize().unwrap();
        let base = base.display().to_string();
        let mut args = vec!["export", "--to", to, "--out", &out, "--json"];
        args.extend(RECIPE);
        let report: Value = serde_json::from_str(&place.out(&args)).unwrap();
        let (training, evaluation) = (&report["training"], &report["evaluation"]);
        let evaluated = if objective == "sft" { 2 } else { 1 };
        assert_eq!(
            (training["rows"].as_u64(), evaluation["rows"].as_u64()),
            (Some(2), Some(evaluated))
        );
        assert!(training["longest"].as_u64().unwrap() <= 260);
        let mut shown = String::new();
        for file in report["files"].as_array().unwrap() {
            let name = file.as_str().unwrap();
            let text = std::fs::read_to_string(place.path(&out).join(name)).unwrap();
            if name == "train.jsonl" {
                for line in text.lines() {
                    for sentinel in ["fim_prefix", "fim_suffix", "fim_middle"] {
                        assert_eq!(line.matches(sentinel).count(), 1, "{line}");
                    }
                }
            }
            if name == "ds_z3_config.json" && to != "llama-factory" {
                continue;
            }
            let text = match name.ends_with(".jsonl") {
                true => text.lines().next().unwrap_or_default().to_owned() + "\n",
                false => text,
            };
            let _ = writeln!(shown, "== {name}\n{}", text.replace(&base, "BASE"));
        }
        insta::assert_snapshot!(out, shown);
    }
}

#[test]
fn what_no_other_program_has_is_refused() {
    let place = Place::new();
    rows(&place);
    for (to, more, expected) in [
        (
            "trl",
            "objective = \"fgit\"\n",
            "which no other program has",
        ),
        (
            "trl",
            "sft.prompt_weight = 1.0\n",
            "`sft.prompt_weight` is not 0",
        ),
        (
            "trl",
            "objective = \"dpo\"\ndpo.dpop = 50.0\n",
            "which no other program has",
        ),
        ("axolotl", "tokens_per_step = 900\n", "`rows_per_step`"),
        (
            "llama-factory",
            "parameters = \"lora\"\nlora.alpha = 0.5\n",
            "whole number in `lora.alpha`",
        ),
        ("trl", "objective = \"orpo\"\n", "\"prompt_response\""),
        ("axolotl", "objective = \"orpo\"\n", "\"prompt_response\""),
        (
            "llama-factory",
            "objective = \"orpo\"\norpo.nll = \"prompt_response\"\n",
            "`orpo.nll = \"response\"`",
        ),
    ] {
        recipe(&place, more);
        let mut args = vec!["export", "--to", to, "--out", "x"];
        args.extend(RECIPE);
        let error = place.refused(&args, 2);
        assert!(error.contains(expected), "{more}: {error}");
        assert!(!place.path("x").exists());
    }
}

#[test]
fn keys_are_carried_over_or_named() {
    let place = Place::new();
    rows(&place);
    let keys = "objective = \"dpo\"\nrows_per_step = 20\nepochs = 9\nprecision = \"f32\"\n\
                recompute = false\ndpo.pref_ftx = 0.5\nsave.keep = 3\nschedule.min_ratio = 0.1\n\
                schedule.decay = \"linear\"\nschedule.warmup_ratio = 0.25\n";
    recipe(&place, keys);
    for (to, file, expected) in [
        (
            "axolotl",
            "axolotl.yaml",
            &[
                "dpo_loss_weights: [1.0,0.5]",
                "lr_scheduler: \"polynomial\"",
                "lr_scheduler_kwargs: {\"lr_end\":1.0e-7,\"power\":1.0}",
                "warmup_steps: 3\n",
                "save_total_limit: 3\n",
                "gradient_checkpointing: false\n",
                "\nflash_attention: true\n",
            ][..],
        ),
        (
            "trl",
            "train.py",
            &[
                "loss_weights=[1.0,0.5],",
                "warmup_steps=3,",
                "save_total_limit=3,",
                "gradient_checkpointing=False,",
                "attn_implementation=\"flash_attention_2\"",
            ],
        ),
        (
            "llama-factory",
            "train.yaml",
            &[
                "pref_ftx: 0.5\n",
                "warmup_steps: 3\n",
                "disable_gradient_checkpointing: true\n",
                "flash_attn: \"fa2\"\n",
            ],
        ),
    ] {
        let mut args = vec!["export", "--to", to, "--out", to];
        args.extend(RECIPE);
        let told = place.out(&args);
        let read = |name: &str| std::fs::read_to_string(place.path(to).join(name)).unwrap();
        for key in expected {
            assert!(read(file).contains(key), "{key}: {}", read(file));
        }
        let readme = read("README.md");
        for difference in ["a step has 16 rows and not 20", "in bf16, and not in f32"] {
            assert!(readme.contains(difference), "{readme}");
            assert!(told.contains(difference), "{told}");
        }
        let other_mean = readme.contains("`dpo.pref_ftx` weighs");
        assert_eq!(other_mean, to != "llama-factory", "{readme}");
    }
}

/// The rows for evaluation are drawn as training draws them; a pair is cut otherwise where one of its
/// sides is.
#[test]
fn evaluation_rows_are_drawn_and_both_sides_of_a_pair_are_compared() {
    let place = Place::new();
    let row = |nth: usize, rejected: &str| {
        json!({
            "context_id": format!("c{nth}"), "repo": format!("r{nth}"), "path": "src/a.py",
            "prefix": format!("def f{nth}(items):\n    total = i"), "golden": "xs",
            "suffix": "\n    return total\n", "rejected": rejected,
        })
        .to_string()
    };
    let train = [row(1, "x"), row(2, "nner"), row(3, "xyz")];
    std::fs::write(place.path("pairs.jsonl"), train.join("\n")).unwrap();
    let held_out: Vec<String> = (10..30).map(|nth| row(nth, "x")).collect();
    std::fs::write(place.path("valid.jsonl"), held_out.join("\n")).unwrap();
    let mut drawn = Vec::new();
    for to in ["trl", "llama-factory", "axolotl"] {
        recipe(
            &place,
            "objective = \"dpo\"\nlayouts = { psm-line = 1.0 }\n",
        );
        let file = place.path("recipes/recipe.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + "rows = 5\n").unwrap();
        let mut args = vec!["export", "--to", to, "--out", to, "--json"];
        args.extend(RECIPE);
        let report: Value = serde_json::from_str(&place.out(&args)).unwrap();
        assert_eq!(report["evaluation"]["rows"], 5, "{report}");
        let text = std::fs::read_to_string(place.path(to).join("eval.jsonl")).unwrap();
        let numbers = text.split("def f").skip(1);
        let numbers = numbers.map(|text| text.split('(').next().unwrap().to_owned());
        drawn.push(numbers.collect::<Vec<_>>());
        // TRL makes tokens of prompt and completion together.
        let others = u64::from(to == "trl");
        assert_eq!(report["training"]["other_tokens"], others, "{to}: {report}");
    }
    assert_eq!(drawn[0].len(), 5);
    assert!(
        drawn.iter().all(|numbers| *numbers == drawn[0]),
        "{drawn:?}"
    );
    assert!(drawn[0] != ["10", "11", "12", "13", "14"], "{drawn:?}");
}

/// Tokens are spelled as the vocabulary has them, not as text reads; a begin token is there once.
#[test]
fn a_vocabulary_of_marked_spaces_keeps_its_sentinels_and_its_begin_token() {
    let place = Place::new();
    rows(&place);
    crate::code_llama(&place.path("base"));
    for (to, objective, begins, column) in [
        ("llama-factory", "sft", true, "output"),
        ("llama-factory", "orpo", true, "chosen"),
        ("trl", "sft", false, "completion"),
        ("trl", "dpo", false, "chosen"),
        ("axolotl", "sft", true, ""),
        ("axolotl", "dpo", false, "chosen"),
    ] {
        recipe(&place, &format!("objective = \"{objective}\"\n"));
        let out = format!("{to}-{objective}");
        let mut args = vec!["export", "--to", to, "--out", &out, "--json"];
        args.extend(RECIPE);
        let report: Value = serde_json::from_str(&place.out(&args)).unwrap();
        let training = &report["training"];
        // A space goes before each text between two control tokens there.
        assert!(training["rows"].as_u64() >= Some(1), "{out}");
        assert_eq!(training["other_tokens"], training["rows"], "{out}");
        let read = |name: &str| std::fs::read_to_string(place.path(&out).join(name)).unwrap();
        let row: Value = serde_json::from_str(read("train.jsonl").lines().next().unwrap()).unwrap();
        let (prompt, completion) = match row.get("segments") {
            Some(segments) => (&segments[0]["text"], &segments[1]["text"]),
            None => (
                row.get("prompt").unwrap_or(&row["instruction"]),
                &row[column],
            ),
        };
        let (prompt, completion) = (prompt.as_str().unwrap(), completion.as_str().unwrap());
        let begin = if begins { "<s>▁<PRE>" } else { "▁<PRE>" };
        assert!(prompt.starts_with(begin), "{out}: {prompt}");
        for sentinel in ["▁<PRE>", "▁<SUF>", "▁<MID>"] {
            assert_eq!(prompt.matches(sentinel).count(), 1, "{out}: {prompt}");
        }
        assert!(completion.ends_with("▁<EOT>"), "{out}: {completion}");
        if (to, objective) == ("trl", "sft") {
            assert!(read("train.py").contains("eos_token=\"▁<EOT>\""));
        }
    }
}

/// TRL's ORPO puts a begin token wherever the tokenizer names one.
#[test]
fn a_begin_token_that_prompts_do_not_have_is_not_put_there() {
    let place = Place::new();
    rows(&place);
    let file = place.path("base/config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    config["bos_token_id"] = 5.into();
    std::fs::write(&file, config.to_string()).unwrap();
    let mut longest = Vec::new();
    for (to, objective) in [("trl", "orpo"), ("trl", "dpo"), ("axolotl", "orpo")] {
        let keys = format!("objective = \"{objective}\"\norpo.nll = \"prompt_response\"\n");
        recipe(&place, &keys);
        let out = format!("{to}-{objective}");
        let mut args = vec!["export", "--to", to, "--out", &out, "--json"];
        args.extend(RECIPE);
        let report: Value = serde_json::from_str(&place.out(&args)).unwrap();
        longest.push(report["training"]["longest"].as_u64().unwrap());
        let told = report["differences"].to_string().contains("`bos_token`");
        assert_eq!(told, to == "axolotl", "{report}");
        if to == "trl" {
            let program = std::fs::read_to_string(place.path(&out).join("train.py")).unwrap();
            let none = program.contains("\ntokenizer.bos_token = None\n");
            assert_eq!(none, objective == "orpo", "{program}");
        }
    }
    assert_eq!(longest, [longest[0], longest[0], longest[0] + 1]);
}

/// Runs the README's commands, with `out` in the place of what the other program would write.
#[cfg(unix)]
fn by_readme(place: &Place, job: &str, out: &Path) -> String {
    let folder = place.path(job);
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let commands = readme.split("```").nth(1).unwrap();
    let own = commands.lines().filter(|line| !line.contains("train.yaml"));
    let own: Vec<&str> = own.filter(|line| *line != "sh").collect();
    std::fs::create_dir_all(folder.join("out")).unwrap();
    for file in std::fs::read_dir(out).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_owned();
        std::fs::copy(&file, folder.join("out").join(name)).unwrap();
    }
    let script = format!("set -e\n{}", own.join("\n"));
    let program = Path::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    let mut folders = vec![program.parent().unwrap().to_owned()];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let ran = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&folder)
        .env("TRUEFILL_HOME", place.path("home"))
        .env("PATH", std::env::join_paths(folders).unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{script}\n{told}");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
#[cfg(unix)]
fn the_commands_of_a_readme_work_in_the_jobs_folder() {
    let place = Place::new();
    rows(&place);
    adapter(&place.path("lora"), None);
    let gguf = ["--to", "gguf", "--type", "f32", "--out", "it's.gguf"];
    place.out(&[&["export", "base"], &gguf[..]].concat());
    recipe(&place, "format = \"causal\"\n");
    let mut args = vec!["export", "it's.gguf", "--to", "trl", "--out", "named"];
    args.extend(RECIPE);
    place.out(&args);
    let readme = std::fs::read_to_string(place.path("named/README.md")).unwrap();
    assert!(readme.contains("--out model --format causal"), "{readme}");
    let stored = place.import(&["base", "--name", "stored"]);
    for checkpoint in ["base", "it's.gguf", &stored] {
        for parameters in ["full", "lora"] {
            recipe(&place, &format!("parameters = \"{parameters}\"\n"));
            let job = format!("{checkpoint}-{parameters}");
            let mut args = vec!["export", checkpoint, "--to", "llama-factory", "--out", &job];
            args.extend(RECIPE);
            place.out(&args);
            let out = match parameters {
                "full" => place.path("base"),
                _ => place.path("lora"),
            };
            let told = by_readme(&place, &job, &out);
            let last = told.lines().last().unwrap();
            let id = last.split(' ').next().unwrap();
            let found = place.store().get(&id.parse().unwrap()).unwrap();
            let kind = match parameters {
                "full" => Kind::Full,
                _ => Kind::Adapter,
            };
            assert_eq!(found.manifest.about().kind, kind, "{job}");
        }
    }
}
