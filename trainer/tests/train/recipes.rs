//! The section `[train]`.

use std::path::Path;

use truefill_model::checkpoint::Checkpoint;
use truefill_model::fim::Layout;
use truefill_trainer::train::objective::{
    Fgit, Needs, Nll, Normalise, Objective, Sft, Weight, WeightForm,
};
use truefill_trainer::train::recipe::{Parameters, TrainRecipe};
use truefill_trainer::train::schedule::Warmup;
use truefill_trainer::usage::Usage;

use crate::support::bound;

fn read(text: &str) -> anyhow::Result<TrainRecipe> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.toml");
    std::fs::write(&path, text).unwrap();
    TrainRecipe::read(&path)
}

const LEAST: &str = "[train]\ndata = [\"sft.jsonl\"]\ncheckpoint = \"default\"\n";

#[test]
fn a_recipe_of_two_keys_is_enough() {
    let recipe = read(LEAST).unwrap();
    assert_eq!(recipe.objective(), Objective::Sft(Sft::default()));
    assert_eq!(recipe.learning_rate(), 1e-5);
    assert!(recipe.data[0].is_absolute() && recipe.data[0].ends_with("sft.jsonl"));
    assert_eq!(recipe.settings().needs, Needs::default());
    assert_eq!(recipe.schedule(100).factor(5), 0.5);
}

#[test]
fn each_objective_has_its_own_rate_and_keys() {
    let of = |more: &str| read(&format!("{LEAST}{more}")).unwrap();
    let cases = [
        ("objective = \"sft\"", 1e-5, "sft"),
        ("objective = \"orpo\"", 5e-6, "orpo"),
        ("objective = \"dpo\"", 1e-6, "dpo"),
        ("objective = \"fgit\"", 5e-6, "fgit"),
        ("objective = \"fgit+orpo\"", 5e-6, "fgit+orpo"),
    ];
    for (text, lr, name) in cases {
        let recipe = of(text);
        assert_eq!(recipe.learning_rate(), lr, "{text}");
        assert_eq!(recipe.objective().name(), name);
        let lora = of(&format!("{text}\nparameters = \"lora\"\n"));
        assert_eq!(lora.parameters, Parameters::Lora);
        assert!((lora.learning_rate() - 10.0 * lr).abs() < 1e-12);
        assert_eq!(of(&format!("{text}\nlr = 0.5")).learning_rate(), 0.5);
    }
    let fgit = of(
        "objective = \"fgit\"\n[train.fgit]\nalpha = 3\nweight_form = \"f2\"\ndetach = true\nnormalise = \"token\"\n",
    );
    let weight = Weight::Dynamic {
        alpha: 3.0,
        form: WeightForm::F2,
        detach: true,
    };
    let normalise = Normalise::Token;
    assert_eq!(
        fgit.objective(),
        Objective::Fgit(Fgit { weight, normalise })
    );
    let fixed = of("objective = \"fgit\"\nfgit.fixed_weight = 2");
    assert!(fixed.objective().needs().mask && !fixed.objective().needs().rejected);
    let orpo = of("objective = \"orpo\"\n[train.orpo]\nnll = \"prompt_response\"");
    assert!(matches!(orpo.objective(), Objective::Orpo(orpo) if orpo.nll == Nll::PromptResponse));
    assert!(orpo.settings().needs.prompt);
    let steps = of("[train.schedule]\nwarmup_steps = 20");
    assert_eq!(steps.schedule.warmup(), Warmup::Steps(20));
}

#[test]
fn by_default_an_adapter_changes_all_matrices_that_the_family_has() {
    let recipe = read(&format!("{LEAST}parameters = \"lora\"\n")).unwrap();
    for name in ["llama-tied", "qwen2-tied", "starcoder2"] {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/model/tests/data/parity");
        let found = Checkpoint::open(&data.join(name)).unwrap();
        let mut matrices = recipe.lora.matrices(found.config.family);
        matrices.sort();
        let names = found.weights.names();
        let of_layer = names.iter().filter_map(|name| {
            let name = name.strip_prefix("model.layers.0.")?;
            let name = name.strip_suffix(".weight")?;
            let (block, matrix) = name.split_once('.')?;
            ["self_attn", "mlp"].contains(&block).then_some(matrix)
        });
        let mut of_layer: Vec<&str> = of_layer.collect();
        of_layer.sort_unstable();
        assert_eq!(matrices, of_layer, "{name}");
    }
    let named = read(&format!("{LEAST}lora.targets = [\"q_proj\"]\n")).unwrap();
    let found = named.lora.matrices(truefill_model::config::Family::Qwen2);
    assert_eq!(found, ["q_proj"]);
}

#[test]
fn a_recipe_leads_to_rows_that_are_ready() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let row = |id: &str, repo: &str| {
        let text =
            ["prefix", "golden", "suffix"].map(|part| format!("\"{part}\": \"{part} {id}\""));
        let text = text.join(", ");
        format!("{{\"context_id\": \"{id}\", \"repo\": \"{repo}\", \"path\": \"a.py\", {text}}}\n")
    };
    write("sft.jsonl", &[row("a", "o/a"), row("b", "o/b")].concat());
    write("valid.jsonl", &row("c", "o/b"));
    let read = |more: &str| {
        write(
            "r.toml",
            &format!("{LEAST}layouts = {{ psm = 1.0 }}\n{more}"),
        );
        let recipe = TrainRecipe::read(&folder.path().join("r.toml")).unwrap();
        let renderer = recipe.renderer(&bound("qwen2.5-coder")).unwrap();
        assert_eq!(renderer.format().layout(), Layout::Psm);
        recipe.training_set(&renderer)
    };
    assert_eq!(read("").unwrap().rows.len(), 2);
    let error = read("[train.eval]\ndata = [\"valid.jsonl\"]\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("sft.jsonl:2 (`b`)") && error.contains("repository"),
        "{error}"
    );
}

#[test]
fn files_of_measurements_are_held_out() {
    let recipe = read(&format!(
        "{LEAST}held_out = [\"a.jsonl\"]\n[train.eval]\ndata = [\"valid/sft.jsonl\"]\n"
    ));
    let recipe = recipe.unwrap();
    let files: Vec<_> = recipe.held_out_files().collect();
    assert!(files[0].ends_with("a.jsonl") && files[1].ends_with("valid/sft.jsonl"));
    assert!(files.iter().all(|file| file.is_absolute()));
}

#[test]
fn what_cannot_be_meant_is_named() {
    let cases = [
        ("[train]\ncheckpoint = \"x\"", "`data`"),
        ("[train]\ndata = [\"a\"]", "`checkpoint`"),
        ("objectiv = \"sft\"", "the nearest key is `objective`"),
        ("objective = \"ppo\"", "fgit+orpo"),
        ("[train.fgit]\nalpah = 2", "the nearest key is `alpha`"),
        ("[train.fgit]\nalpha = 0.5", "`fgit.alpha` from 1"),
        ("[train.fgit]\nweight_form = \"f3\"", "one_sided"),
        ("[train.dpo]\nbeta = 0", "`dpo.beta` above 0"),
        ("lr = nan", "`lr` above 0"),
        ("resplit = 1.5", "`resplit` from 0 to 1, found 1.5"),
        (
            "holes = { own = -1.0 }",
            "`holes.own` from 0 to 1000000, found -1",
        ),
        (
            "objective = \"orpo\"\nholes = { lines = 0.5 }",
            "for the objective `sft`",
        ),
        (
            "context_tokens = 4096",
            "`context_tokens` up to `max_tokens`, which is 1536",
        ),
        ("layouts = { psm = 0 }", "`layouts` above 0"),
        ("rows_per_step = 0", "`rows_per_step` above 0"),
        ("rows = \"instruct\"", "[train.chat]"),
        ("layouts = { psm = -1 }", "`layouts` from 0"),
        ("layouts = { pms = 1 }", "psm"),
        (
            "[train.schedule]\nwarmup_ratio = 2",
            "`schedule.warmup_ratio` from 0 to 1",
        ),
        ("[train.lora]\nrank = 0", "`lora.rank` above 0"),
    ];
    for (text, expected) in cases {
        let text = match text.starts_with("[train]") {
            true => text.to_owned(),
            false => format!("{LEAST}{text}\n"),
        };
        let error = read(&text).unwrap_err();
        assert!(error.is::<Usage>(), "{text}: {error}");
        let message = error.to_string();
        assert!(
            message.contains(expected) && message.contains("r.toml"),
            "{text}: {message}"
        );
    }
    assert!(TrainRecipe::read(Path::new("/nowhere.toml")).is_err());
}
