//! `truefill-trainer ablate`: each cell is trained and measured once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use left::{names, text};

use crate::rows::{golden, model, pairs, rejected};

#[path = "../support/left.rs"]
mod left;
#[path = "../support/made_up.rs"]
mod made_up;

/// Rows to train on, rows to measure with, and a recipe of both.
fn recipe(folder: &Path, axes: &str) {
    rows(folder);
    let model = format!("{:?}", model());
    write_recipe(folder, &model, "[\"train.jsonl\"]", axes);
}

fn rows(folder: &Path) {
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
}

fn write_recipe(folder: &Path, checkpoint: &str, data: &str, axes: &str) {
    let text = format!(
        "[train]\nobjective = \"sft\"\ndata = {data}\ncheckpoint = {checkpoint}\nformat = \"causal\"\n\
         context_tokens = 48\nmax_tokens = 96\nrows_per_step = 8\nlr = 1e-3\n\n[train.lora]\nrank = 4\n\n\
         [eval]\ndevice = \"cpu\"\n[eval.decoding]\nformat = \"causal\"\ncontext_tokens = 48\nmax_tokens = 8\n\
         [[eval.suite]]\nname = \"pairs\"\ndata = [\"p.jsonl\"]\n\n[ablate]\n{axes}"
    );
    std::fs::write(folder.join("r.toml"), text).unwrap();
}

fn ablate(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    let args = ["ablate", "r.toml", "--store", "store"];
    command.current_dir(folder).args(args).args(more);
    command.output().unwrap()
}

/// The files below a folder, each with its bytes and when it was written.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let written = path.metadata().unwrap().modified().unwrap();
            found.insert(path.clone(), (std::fs::read(&path).unwrap(), written));
        }
    }
    found
}

/// What costs hours: runs and checkpoints, with when they were written, and what was completed, which has the
/// time that it took in it.
fn costly(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, Option<SystemTime>)> {
    let of = |name: &str| files(&folder.join(name)).into_iter();
    let mut found = BTreeMap::new();
    for name in ["ablation/runs", "store/checkpoints"] {
        found.extend(of(name).map(|(path, (bytes, written))| (path, (bytes, Some(written)))));
    }
    found.extend(of("store/evaluations").map(|(path, (bytes, _))| (path, (bytes, None))));
    found
}

/// How often something was measured.
fn measured(ran: &Output) -> usize {
    text(&ran.stderr).matches("figures and rows: ").count()
}

/// Nothing of it was made again.
fn assert_kept(folder: &Path, before: &BTreeMap<PathBuf, (Vec<u8>, Option<SystemTime>)>) {
    let after = costly(folder);
    let paths = |files: &BTreeMap<PathBuf, _>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(&after), paths(before));
    for (path, found) in after {
        assert!(found == before[&path], "{}: made again", path.display());
    }
}

fn succeeds(folder: &Path, more: &[&str]) -> Output {
    let ran = ablate(folder, more);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    ran
}

fn read_json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
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
    let first = succeeds(path, &[]);
    // The base, and a checkpoint for each run.
    assert_eq!(measured(&first), 4, "{}", text(&first.stderr));
    let tables = text(&first.stdout);
    for expected in [
        "objective: percent",
        "epochs: percent",
        "objective by type, pairs EM: percent",
        "the recipe",
        "pairs EM",
        "pairs ES +trunc",
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
    let preference = page
        .lines()
        .find(|line| line.starts_with("| orpo"))
        .unwrap();
    assert!(
        preference.contains("; ") && preference.contains(" to "),
        "{page}"
    );
    let figures = read_json(&path.join("ablation/ablation.json"));
    let cell = &figures["cells"][2];
    assert_eq!(cell["cell"], "objective=orpo");
    assert_eq!(cell["trained"]["rows"], 16);
    let suite = &cell["suites"][0];
    assert_eq!(
        (&suite["suite"], &suite["rows"]),
        (&"pairs".into(), &6.into())
    );
    assert!(
        suite["gains"]["differences"][0]["interval"].is_array(),
        "{figures:#}"
    );
    let before = costly(path);
    assert!(before.keys().any(|path| path.ends_with("trained.json")));
    assert!(
        before
            .keys()
            .any(|path| path.starts_with(folder.path().join("store/evaluations")))
    );
    assert_eq!(text(&succeeds(path, &[]).stdout), tables);
    assert_kept(path, &before);
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

/// What lies at the same place, or answers to the same alias, may be something else tomorrow.
#[test]
fn other_inputs_are_other_cells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let axes = "[[ablate.axis]]\nname = \"epochs\"\nvalues = [1, 2]\n";
    rows(path);
    std::fs::copy(model(), path.join("base.gguf")).unwrap();
    write_recipe(path, "\"base.gguf\"", "[\"train.jsonl\"]", axes);
    // A recipe that says the same in other words is the same.
    let runs = || {
        succeeds(path, &[]);
        names(&path.join("ablation/runs")).len()
    };
    assert_eq!(runs(), 2);
    let train = path.join("train.jsonl");
    let text = std::fs::read_to_string(&train).unwrap();
    std::fs::write(&train, text.replacen("x0 = ", "y0 = ", 1)).unwrap();
    assert_eq!(runs(), 4);
    // A folder of an alias' name is not meant; another checkpoint of the alias is.
    let mut ids = Vec::new();
    for run in names(&path.join("ablation/runs")) {
        let trained = read_json(&path.join("ablation/runs").join(run).join("trained.json"));
        ids.push(trained["checkpoint"].as_str().unwrap().to_owned());
    }
    let name = |id: &str| {
        let store = truefill_model::store::Store::open(&path.join("store")).unwrap();
        store
            .set_alias("mine".parse().unwrap(), &id.parse().unwrap())
            .unwrap();
    };
    std::fs::create_dir(path.join("mine")).unwrap();
    write_recipe(path, "\"mine\"", "[\"train.jsonl\"]", axes);
    for (at, id) in ids.iter().take(2).enumerate() {
        name(id);
        assert_eq!(runs(), 6 + 2 * at);
    }
    // A run that cannot be read is named.
    for run in names(&path.join("ablation/runs")) {
        let file = path.join("ablation/runs").join(run).join("trained.json");
        std::fs::write(file, "{").unwrap();
    }
    let refused = ablate(path, &[]);
    let said = self::text(&refused.stderr);
    assert!(said.contains("trained.json: expected"), "{said}");
}

/// Hours of a big model, and of a repository's tests.
#[test]
fn figures_that_are_there_are_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    recipe(path, "[[ablate.axis]]\nname = \"epochs\"\nvalues = [2]\n");
    let first = succeeds(path, &[]);
    assert_eq!(measured(&first), 3);
    let figures = path.join("ablation/eval");
    let before = files(&figures);
    std::fs::remove_dir_all(path.join("store/evaluations")).unwrap();
    let second = succeeds(path, &[]);
    assert_eq!(measured(&second), 0, "{}", text(&second.stderr));
    assert_eq!(text(&second.stdout), text(&first.stdout));
    assert!(files(&figures) == before, "written again");
    assert!(
        !path.join("store/evaluations").exists(),
        "a model was asked"
    );
    // Gains over figures of other data are no gains, and that is said before them.
    let base = before.keys().find(|file| {
        let base = file.parent().unwrap().parent().unwrap();
        file.ends_with("figures/pairs.json") && base.to_string_lossy().contains("llama-f32")
    });
    let base = base.unwrap();
    let mut other = read_json(base);
    other["data_sha256"] = "0".into();
    std::fs::write(base, other.to_string()).unwrap();
    let warned = text(&succeeds(path, &[]).stdout);
    let at = |what: &str| {
        warned
            .find(what)
            .unwrap_or_else(|| panic!("{what}: {warned}"))
    };
    assert!(at("pairs: `epochs=2` was measured with other data") < at("epochs: percent"));
    let page = std::fs::read_to_string(path.join("ablation/ablation.md")).unwrap();
    assert!(
        page.find("other data") < page.find("epochs: percent"),
        "{page}"
    );
    let all = read_json(&path.join("ablation/ablation.json"));
    assert!(all["cells"][1]["warnings"][0].is_string(), "{all:#}");
    // Figures without their rows are none.
    std::fs::remove_file(base.with_file_name("pairs.rows.jsonl.zst")).unwrap();
    let third = succeeds(path, &[]);
    assert_eq!(measured(&third), 1);
    assert_eq!(text(&third.stdout), text(&first.stdout));
}

/// A repository may have changed since; within a run it is measured once with each checkpoint.
#[test]
#[cfg(target_os = "linux")]
fn a_repository_is_measured_once_in_each_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    recipe(
        path,
        "[[ablate.axis]]\nname = \"epochs\"\nvalues = [1, 2]\n",
    );
    let recipe = path.join("r.toml");
    let suite = "[[eval.suite]]\nname = \"holes\"\ndata = [\"repo\"]\nlimit = 2\n\
        test = \"python3 -m unittest\"\n\n[ablate]";
    let with_holes = std::fs::read_to_string(&recipe).unwrap();
    std::fs::write(&recipe, with_holes.replace("[ablate]", suite)).unwrap();
    std::fs::create_dir(path.join("repo")).unwrap();
    let sums = |more: &str| {
        let code = "def add(one, other):\n    total = one + other\n    return total\n\n\n\
            def twice(one):\n    doubled = add(one, one)\n    return doubled\n";
        std::fs::write(path.join("repo/sums.py"), format!("{code}{more}")).unwrap();
    };
    let tests = "import unittest\nfrom sums import add, twice\n\n\nclass Sums(unittest.TestCase):\n    \
        def test_sums(self):\n        self.assertEqual(add(1, 2), 3)\n        self.assertEqual(twice(2), 4)\n";
    std::fs::write(path.join("repo/test_sums.py"), tests).unwrap();
    sums("");
    let first = ablate(path, &[]);
    // Without `bwrap` nothing is run, but not where CI runs.
    let refused = text(&first.stderr).contains("bwrap");
    if refused && std::env::var_os("CI").is_none() {
        return;
    }
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert_eq!(measured(&first), 3);
    let shas = || {
        let all = files(&path.join("ablation/eval"));
        let holes = all.keys().filter(|file| file.ends_with("holes.json"));
        let shas = holes.map(|file| read_json(file)["data_sha256"].to_string());
        shas.collect::<std::collections::BTreeSet<_>>()
    };
    let before = shas();
    assert_eq!(before.len(), 1);
    sums("\n\nMORE = 1\n");
    assert_eq!(measured(&succeeds(path, &[])), 3);
    assert_ne!(shas(), before);
}

#[test]
fn rows_are_curated_for_each_cell_and_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let made_up = |seed| {
        let size = made_up::Size {
            contexts: 60,
            window: 120,
            repo: 3,
            seed,
        };
        made_up::write(&path.join("rows"), size, "jsonl").unwrap();
    };
    made_up(1);
    pairs(&path.join("p.jsonl"), 6);
    let axes = "[[ablate.axis]]\nname = \"size\"\nvalues = [8]\n\
        [[ablate.axis]]\nname = \"source\"\nvalues = [\"local\"]\n\
        [ablate.rows]\ncontexts = \"rows/contexts.jsonl\"\nnegatives = \"rows/negatives.jsonl\"\n\
        [curate]\nvalid = 0.1\ntest = 0.1\ncompress = true\n";
    let model = format!("{:?}", model());
    write_recipe(path, &model, "[\"{data}/pairs.jsonl\"]", axes);
    let counts = || ["data", "runs"].map(|name| names(&path.join("ablation").join(name)).len());
    succeeds(path, &[]);
    assert_eq!(counts(), [3, 3]);
    let figures = read_json(&path.join("ablation/ablation.json"));
    let trained = |cell: usize| figures["cells"][cell]["trained"]["rows"].as_u64().unwrap();
    assert_eq!(trained(1), 8, "size=8");
    assert!(trained(0) > 8 && trained(2) > 8, "{figures:#}");
    let before = costly(path);
    succeeds(path, &[]);
    assert_eq!(counts(), [3, 3]);
    assert_kept(path, &before);
    made_up(2);
    succeeds(path, &[]);
    assert_eq!(counts(), [6, 6]);
    // More rows than there are: said when it is known, with the cell.
    write_recipe(
        path,
        &model,
        "[\"{data}/pairs.jsonl\"]",
        &axes.replace("[8]", "[8000]"),
    );
    let refused = ablate(path, &[]);
    let said = text(&refused.stderr);
    assert!(
        said.contains("size=8000") && said.contains("too few rows"),
        "{said}"
    );
}

#[test]
fn a_recipe_that_cannot_be_meant_is_refused_before_anything_runs() {
    let axis = |name: &str, value: &str| {
        format!("[[ablate.axis]]\nname = \"{name}\"\nvalues = [{value}]\n")
    };
    let rows = "[ablate.rows]\ncontexts = \"c\"\nnegatives = \"negatives.jsonl\"\n";
    let on_data = format!("{}{rows}", axis("size", "4"));
    let nobody = "[[ablate.axis]]\nname = \"who\"\n[[ablate.axis.cell]]\nname = \"nobody\"\n\
        set = { \"curate.generators\" = [\"nobody\"], \"train.data\" = [\"{data}/pairs.jsonl\"] }\n";
    let table = [
        (String::new(), "[[ablate.axis]]"),
        (axis("objectiv", "\"sft\""), "objective"),
        (axis("size", "4"), "[ablate.rows]"),
        (axis("band", "\"hard\""), "[ablate.rows]"),
        (axis("types", "\"method\""), "[ablate.rows]"),
        (
            format!("{}{on_data}", axis("types", "\"method\"")),
            "`types=method`",
        ),
        (
            format!("{}{on_data}", axis("languages", "\"go\"")),
            "`{data}` in `train.data`",
        ),
        (
            format!("{}{on_data}", axis("source", "\"local\"")),
            "`source=local`",
        ),
        (format!("{nobody}{rows}"), "found `nobody`"),
        (
            format!("grid = true\n{}{on_data}", axis("band", "\"hard\"")),
            "both set `train.data`",
        ),
        (format!("{}{rows}", axis("epochs", "1")), "found it nowhere"),
        (
            format!("preset = \"reduced\"\n{}", axis("epochs", "1")),
            "[ablate.rows]",
        ),
        (axis("objective", "\"sftt\""), "`objective=sftt`"),
        (axis("epochs", "1, 0"), "`epochs=0`"),
        (axis("alpha", "\"x\""), "`alpha=x`"),
        // The objective is `sft`.
        (axis("alpha", "1.5, 3.0"), "`alpha=1.5` as `recipe`"),
        (
            format!(
                "grid = true\n{}{}",
                axis("objective", "\"sft\", \"dpo\""),
                axis("alpha", "1.5, 3.0")
            ),
            "axis `alpha` of `[ablate]`: expected cells that differ",
        ),
        (axis("epochs", "1"), "`epochs=1` as `recipe`"),
        (axis("band", "\"hrad\""), "`hrad`"),
        (axis("size", "-5"), "axis `size`"),
        (
            format!("figures = [\"exact\"]\n{}", axis("epochs", "1")),
            "`exact`",
        ),
        (
            "[[ablate.axis]]\nname = \"none\"\nkey = \"eval.suite\"\nvalues = [[]]\n".to_owned(),
            "expected a suite",
        ),
    ];
    for (axes, expected) in table {
        let folder = tempfile::tempdir().unwrap();
        recipe(folder.path(), &axes);
        std::fs::write(folder.path().join("negatives.jsonl"), NEGATIVE).unwrap();
        for more in [&[][..], &["--list"]] {
            let refused = ablate(folder.path(), more);
            let said = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(2), "{axes}: {said}");
            assert!(
                said.contains("r.toml") && said.contains(expected),
                "{axes}: {said}"
            );
            assert!(!folder.path().join("ablation").exists());
        }
    }
}

const NEGATIVE: &str = "{\"context_id\": \"c\", \"type\": \"method\", \"generator\": \"local\", \
    \"prompt_version\": \"1\", \"rejected\": \"x\"}\n";
