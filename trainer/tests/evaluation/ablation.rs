//! `truefill-trainer ablate`: each cell is trained and measured once.

use std::path::Path;
use std::process::{Command, Output};

use crate::rows::{golden, model, pairs, rejected};

fn recipe(folder: &Path, axes: &str) {
    let line = |row: usize| {
        serde_json::json!({
            "context_id": format!("t{row}"), "repo": format!("o/t{row}"), "path": "a.py",
            "prefix": format!("x{row} = "), "golden": golden(row), "suffix": "\n",
            "rejected": rejected(row), "license": "MIT",
        })
    };
    let rows: String = (0..16).map(|row| format!("{}\n", line(row))).collect();
    std::fs::write(folder.join("train.jsonl"), rows).unwrap();
    pairs(&folder.join("p.jsonl"), 6);
    let text = format!(
        "[train]\nobjective = \"sft\"\ndata = [\"train.jsonl\"]\ncheckpoint = {:?}\nformat = \"causal\"\n\
         context_tokens = 48\nmax_tokens = 96\nrows_per_step = 8\nlr = 1e-3\n\n[train.lora]\nrank = 4\n\n\
         [eval]\ndevice = \"cpu\"\n[eval.decoding]\nformat = \"causal\"\ncontext_tokens = 48\nmax_tokens = 8\n\
         [[eval.suite]]\nname = \"pairs\"\ndata = [\"p.jsonl\"]\n\n[ablate]\n{axes}",
        model()
    );
    std::fs::write(folder.join("r.toml"), text).unwrap();
}

fn ablate(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    let args = ["ablate", "r.toml", "--store", "store"];
    command.current_dir(folder).args(args).args(more);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.collect()
}

#[test]
fn each_cell_is_trained_and_measured_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    recipe(
        path,
        "[[ablate.axis]]\nname = \"objective\"\nvalues = [\"sft\", \"orpo\"]\n\
         [[ablate.axis]]\nname = \"epochs\"\nvalues = [2]\n",
    );
    let listed = text(&ablate(path, &["--list"]).stdout);
    assert_eq!(listed, "recipe\nobjective=sft\nobjective=orpo\nepochs=2\n");
    assert!(!path.join("ablation").exists(), "nothing was run");
    let ran = ablate(path, &[]);
    assert!(ran.status.success(), "{ran:?}");
    let tables = text(&ran.stdout);
    for expected in [
        "objective: percent",
        "epochs: percent",
        "the recipe",
        "pairs EM",
        "pairs preference",
    ] {
        assert!(tables.contains(expected), "{expected}: {tables}");
    }
    // The recipe as it stands is the cell `sft`.
    assert_eq!(names(&path.join("ablation/runs")).len(), 3);
    let page = std::fs::read_to_string(path.join("ablation/ablation.md")).unwrap();
    assert!(
        page.starts_with("# Ablation\n") && page.contains("| orpo"),
        "{page}"
    );
    let again = ablate(path, &[]);
    assert_eq!(text(&again.stdout), tables);
    let said = text(&again.stderr);
    assert!(
        !said.contains("training:") && !said.contains("completing:"),
        "{said}"
    );
    // A cell's recipe can be run by hand.
    let run = names(&path.join("ablation/runs")).remove(0);
    let own = path.join("ablation/runs").join(run).join("recipe.toml");
    let own: toml::Table = toml::from_str(&std::fs::read_to_string(own).unwrap()).unwrap();
    let data = own["train"]["data"][0].as_str().unwrap();
    assert!(
        Path::new(data).is_absolute() && Path::new(data).exists(),
        "{data}"
    );
}

#[test]
fn a_recipe_that_cannot_be_meant_is_refused_before_anything_runs() {
    for (axes, expected) in [
        ("", "[[ablate.axis]]"),
        (
            "[[ablate.axis]]\nname = \"objectiv\"\nvalues = [\"sft\"]\n",
            "objective",
        ),
        (
            "[[ablate.axis]]\nname = \"size\"\nvalues = [4]\n",
            "[ablate.rows]",
        ),
        (
            "figures = [\"exact\"]\n[[ablate.axis]]\nname = \"epochs\"\nvalues = [1]\n",
            "`exact`",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        recipe(folder.path(), axes);
        let refused = ablate(folder.path(), &[]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(
            said.contains("r.toml") && said.contains(expected),
            "{axes}: {said}"
        );
        assert!(!folder.path().join("ablation").exists());
    }
}
