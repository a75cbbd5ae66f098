//! Whole runs on hub folders with real sentinels, from `import` to what other programs read.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use truefill_model::adapter::Adapter;
use truefill_model::checkpoint::Checkpoint;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::store::Kind;
use truefill_model::weights::{GgufFile, WeightSource};

use crate::fim_support::STARCODER2;
use crate::left::{checkpoint, text};
use crate::{Place, code_llama, fim_support, write_model};

fn rows(place: &Place, name: &str, first: usize, count: usize) {
    let line = |nth: usize| {
        json!({
            "context_id": format!("c{nth}"), "repo": format!("r{nth}"), "path": "a.py",
            "prefix": format!("def f{nth}(items):\n    "), "suffix": "\n    return total\n",
            "golden": format!("total = items.count({nth})"),
            "rejected": format!("total = items.count_all({nth})"),
        })
    };
    let mut text = String::new();
    for nth in first..first + count {
        writeln!(text, "{}", line(nth)).unwrap();
    }
    std::fs::write(place.path(name), text).unwrap();
}

fn recipe(place: &Place, checkpoint: &str, lr: &str, keys: &str) {
    let text = format!(
        "[train]\ncheckpoint = {checkpoint:?}\ndata = [\"pairs.jsonl\"]\ncontext_tokens = 120\n\
         max_tokens = 200\nrows_per_step = 8\nlr = {lr}\n{keys}"
    );
    std::fs::write(place.path("recipe.toml"), text).unwrap();
}

const TRAIN: [&str; 3] = ["train", "--recipe", "recipe.toml"];

/// An adapter of a base in the store stays one, in two layouts, and goes out merged.
#[test]
fn a_base_with_sentinels_gets_an_adapter() {
    let place = Place::new();
    let base = place.import(&["base"]);
    rows(&place, "pairs.jsonl", 0, 24);
    rows(&place, "held-out.jsonl", 100, 4);
    let keys = "objective = \"fgit\"\nparameters = \"lora\"\nlayouts = { psm-line = 0.5, psm = 0.5 }\n\
                resplit = 0.3\nsteps = 6\noutput = \"run\"\n[train.lora]\nrank = 4\nnew_rows = true\n\
                [train.eval]\ndata = [\"held-out.jsonl\"]\nmax_tokens = 8\nevery = 100\n";
    recipe(&place, &base, "1e-12", keys);
    let ran = place.run(&TRAIN);
    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert!(ran.status.success(), "{err}");
    assert!(err.contains("loss ") && err.contains(" tokens/s"), "{err}");
    assert!(out.contains("<|fim_suffix|>"), "{out}");
    // At this rate nothing rises: what is no better than the base is no checkpoint.
    assert!(out.contains("nothing is put into the store"), "{out}");
    assert_eq!(place.store().list().unwrap().checkpoints.len(), 1);

    let keys = keys
        .split("[train.eval]")
        .next()
        .unwrap()
        .replace("\"run\"", "\"all\"");
    recipe(&place, &base, "1e-2", &keys);
    let figures = place.out(&[&TRAIN[..], &["--json", "--no-install"]].concat());
    let sample_ends = figures.find("\n{").unwrap_or(0);
    let figures: Value = serde_json::from_str(&figures[sample_ends..]).unwrap();
    assert_eq!(
        (&figures["ended"], &figures["step"]),
        (&json!("done"), &json!(6))
    );
    assert!(figures["checkpoint"].is_null() && figures["best"].is_null());
    let out = place.out(&TRAIN);
    let made = checkpoint(&out);
    let stored = place.store().get(&made.parse().unwrap()).unwrap();
    let about = stored.manifest.about();
    assert_eq!(about.kind, Kind::Adapter);
    assert_eq!(about.base.as_ref().map(|base| base.as_str()), Some(&*base));
    assert_eq!(about.format.name, "qwen2.5-coder");
    place.out(&["export", made, "--to", "peft", "--out", "peft"]);
    let config = Checkpoint::open(&place.path("base")).unwrap().config;
    let adapter = Adapter::read(&place.path("peft"), &config).unwrap();
    assert_eq!(adapter.rank, 4);
    assert!(adapter.rows.is_some_and(|rows| !rows.tokens.is_empty()));
    let query = |checkpoint: &str, to: &str| {
        place.out(&["export", checkpoint, "--to", "gguf", "--out", to]);
        let file = GgufFile::open(place.path(to)).unwrap();
        let weight = file.tensor("blk.0.attn_q.weight").unwrap();
        (weight.shape.clone(), weight.data.to_vec())
    };
    let (merged, bare) = (query(made, "m.gguf"), query(&base, "base.gguf"));
    assert_eq!(merged.0, bare.0);
    assert!(merged.1 != bare.1, "the adapter is not merged");
}

/// Paper B's setting. What ends a response is what the model was taught, for every program that reads it.
#[test]
fn instructions_are_learned_and_end_as_their_chat_does() {
    let place = Place::new();
    let mut lines = String::new();
    for nth in 0..32 {
        let row = json!({
            "id": format!("t{nth}"), "instruction": format!("Count {nth}."),
            "response": format!("count({nth})"), "rejected": format!("count_all({nth})"),
        });
        writeln!(lines, "{row}").unwrap();
    }
    std::fs::write(place.path("pairs.jsonl"), lines).unwrap();
    let keys = "objective = \"fgit\"\nrows = \"instruct\"\nsteps = 60\noutput = \"run\"\n[train.chat]\n\
                template = \"<|repo_name|>{{instruction}}<|fim_pad|>\"\nend = \"<|file_sep|>\"\n";
    let unknown = keys.replace("instruction}}", "task}}");
    recipe(&place, "base", "1e-2", &unknown);
    let error = place.refused(&TRAIN, 2);
    let expected = "section `[train.chat]`: expected `{{system}}` or `{{instruction}}` in `template`, found `{{task}}`";
    assert!(error.contains(expected), "{error}");
    recipe(&place, "base", "1e-2", keys);
    let out = place.out(&TRAIN);
    assert!(out.contains("<|file_sep|>"), "{out}");
    let figures = std::fs::read_to_string(place.path("run/metrics.csv")).unwrap();
    let rows: Vec<Vec<&str>> = figures
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    let loss = rows[0].iter().position(|name| *name == "loss").unwrap();
    let loss = |row: &[&str]| row[loss].parse::<f64>().unwrap();
    let (first, last) = (loss(&rows[1]), loss(&rows[rows.len() - 1]));
    assert!(last < first / 4.0, "{first} {last}");
    let made = checkpoint(&out);
    let folder = place.path("home/checkpoints").join(made);
    ends_as_its_chat(&folder);
    place.out(&["export", made, "--to", "hub", "--out", "full"]);
    ends_as_its_chat(&place.path("full"));

    let base = place.import(&["base"]);
    let keys = keys
        .replace("60", "2")
        .replace("\"run\"", "\"adapter\"\nparameters = \"lora\"");
    recipe(&place, &base, "1e-2", &keys);
    let out = place.out(&TRAIN);
    let made = checkpoint(&out);
    let stored = place.store().get(&made.parse().unwrap()).unwrap();
    assert_eq!(stored.manifest.about().kind, Kind::Adapter);
    place.out(&["export", made, "--to", "hub", "--out", "merged"]);
    ends_as_its_chat(&place.path("merged"));
    place.out(&["export", made, "--to", "gguf", "--out", "merged.gguf"]);
    let file = GgufFile::open(place.path("merged.gguf")).unwrap();
    let end = Checkpoint::open(&folder).unwrap();
    let end = end.tokenizer().unwrap().id("<|file_sep|>").unwrap();
    let eot = file.unsigned("tokenizer.ggml.eot_token_id").unwrap();
    assert_eq!(eot, Some(u64::from(end.0)));
    let card = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(
        card.contains("{{instruction}}") && !card.contains("FIM format"),
        "{card}"
    );
}

/// Its own end token comes first; what ended a text before still does.
fn ends_as_its_chat(folder: &Path) {
    let opened = Checkpoint::open(folder).unwrap();
    let id = |token: &str| opened.tokenizer().unwrap().id(token).unwrap().0;
    let json = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let ends = &json("generation_config.json")["eos_token_id"];
    assert_eq!(ends, &json!([id("<|file_sep|>"), id("<|endoftext|>")]));
    assert_eq!(json("tokenizer_config.json")["eos_token"], "<|file_sep|>");
}

/// Another family, another tokenizer: only the format differs.
#[test]
fn code_llama_is_trained_on_the_same_rows() {
    let place = Place::new();
    code_llama(&place.path("llama"));
    rows(&place, "pairs.jsonl", 0, 16);
    recipe(
        &place,
        "llama",
        "1e-2",
        "objective = \"orpo\"\nsteps = 2\noutput = \"run\"\n",
    );
    let out = place.out(&TRAIN);
    assert!(out.contains("<PRE>"), "{out}");
    let stored = place
        .store()
        .get(&checkpoint(&out).parse().unwrap())
        .unwrap();
    assert_eq!(stored.manifest.about().kind, Kind::Full);
    is_another_model_that_goes_out_alike(&place, checkpoint(&out), "llama");
}

/// Logits of a text, computed exactly.
fn logits(path: &Path) -> Vec<f32> {
    let opened = Checkpoint::open(path).unwrap();
    let text = opened
        .tokenizer()
        .unwrap()
        .encode_lossy("def f(x): total")
        .unwrap();
    let config = opened.config.clone();
    let decoder = Decoder::on_cpu(config, &*opened.weights, Precision::Exact, 64).unwrap();
    let mut cache = decoder.cache(text.len()).unwrap();
    let all: Vec<usize> = (0..text.len()).collect();
    decoder.forward(&mut cache, &text, &all, &|| false).unwrap()
}

fn gap(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let gaps = one
        .iter()
        .zip(other)
        .map(|(one, other)| (one - other).abs());
    gaps.fold(0.0, f32::max)
}

/// What was trained from `base` has other weights, and both kinds of file that it is written as give the
/// same logits.
fn is_another_model_that_goes_out_alike(place: &Place, made: &str, base: &str) {
    let out = |to: &str, name: &str| {
        place.out(&["export", made, "--to", to, "--type", "f32", "--out", name]);
        logits(&place.path(name))
    };
    let (folder, file) = (out("hub", "made"), out("gguf", "made.gguf"));
    assert!(gap(&folder, &file) < 1e-4, "{}", gap(&folder, &file));
    let before = logits(&place.path(base));
    assert!(gap(&folder, &before) > 1e-3, "{}", gap(&folder, &before));
    let stored = place.store().get(&made.parse().unwrap()).unwrap();
    if stored.manifest.about().kind == Kind::Full {
        assert_eq!(logits(&stored.folder), folder);
    }
}

#[test]
fn starcoder2_is_trained_on_the_same_rows() {
    let place = Place::new();
    let config = json!({
        "architectures": ["Starcoder2ForCausalLM"], "model_type": "starcoder2", "hidden_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 64, "vocab_size": 320, "max_position_embeddings": 512,
        "norm_epsilon": 1e-5, "norm_type": "layer_norm", "mlp_type": "default", "use_bias": true,
        "hidden_act": "gelu_pytorch_tanh", "tie_word_embeddings": true, "bos_token_id": 0,
        "eos_token_id": 0, "residual_dropout": 0.1,
    });
    let vocabulary = fim_support::byte_level("starcoder", &STARCODER2[..7], 40);
    let folder = place.path("star");
    write_model(&folder, 1.0, vocabulary, (config, json!({})), STARCODER2[0]);
    rows(&place, "pairs.jsonl", 0, 16);
    let keys = "objective = \"fgit+orpo\"\nsteps = 4\noutput = \"run\"\n";
    recipe(&place, "star", "1e-2", keys);
    let out = place.out(&TRAIN);
    assert!(out.contains("<fim_suffix>"), "{out}");
    let stored = place
        .store()
        .get(&checkpoint(&out).parse().unwrap())
        .unwrap();
    let about = stored.manifest.about();
    assert_eq!(
        (about.kind, &*about.architecture),
        (Kind::Full, "starcoder2")
    );
    assert_eq!(about.format.name, "starcoder2");
    is_another_model_that_goes_out_alike(&place, checkpoint(&out), "star");
}

/// The default model's case: spare tokens become sentinels, whose rows are trained beside an adapter.
#[test]
fn a_base_without_sentinels_is_taught_them() {
    let place = Place::new();
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 64, "vocab_size": 320, "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2,
    });
    let vocabulary = fim_support::byte_level("smollm", fim_support::SMOLLM_CONTROL, 40);
    let folder = place.path("small");
    write_model(&folder, 1.0, vocabulary, (config, json!({})), "<|im_end|>");
    let base = place.import(&["small"]);
    let of_base = place.store().get(&base.parse().unwrap()).unwrap();
    assert_eq!(of_base.manifest.about().format.name, "causal");
    rows(&place, "pairs.jsonl", 0, 16);
    let keys = "format = \"truefill-spm\"\nparameters = \"lora\"\nsteps = 4\noutput = \"run\"\n";
    let lora = "[train.lora]\nrank = 4\nnew_rows = true\n";
    recipe(&place, &base, "1e-2", &format!("{keys}{lora}"));
    let told = place.refused(&TRAIN, 1);
    assert!(told.contains("teach_format = true"), "{told}");
    recipe(
        &place,
        &base,
        "1e-2",
        &format!("{keys}teach_format = true\n{lora}"),
    );
    let out = place.out(&TRAIN);
    assert!(out.contains("<jupyter_output>"), "{out}");
    let made = checkpoint(&out);
    let stored = place.store().get(&made.parse().unwrap()).unwrap();
    let about = stored.manifest.about();
    assert_eq!(
        (about.kind, &*about.format.name),
        (Kind::Adapter, "truefill-spm")
    );
    let small = Checkpoint::open(&folder).unwrap();
    let tokenizer = small.tokenizer().unwrap();
    let adapter = Adapter::read(&stored.folder, &small.config).unwrap();
    let rows = adapter.rows.unwrap();
    for sentinel in [
        "<jupyter_output>",
        "<jupyter_code>",
        "<jupyter_script>",
        "<|endoftext|>",
    ] {
        let token = tokenizer.id(sentinel).unwrap();
        assert!(rows.tokens.contains(&token), "{sentinel}");
    }
    is_another_model_that_goes_out_alike(&place, made, "small");
}

/// Training that starts from an adapter trains that one further: one adapter of the same base comes out.
#[test]
fn an_adapter_is_trained_further() {
    let place = Place::new();
    let base = place.import(&["base"]);
    rows(&place, "pairs.jsonl", 0, 16);
    let run = |checkpoint: &str, lr: &str, output: &str, keys: &str| {
        let keys = format!("steps = 3\noutput = {output:?}\n{keys}");
        recipe(&place, checkpoint, lr, &keys);
    };
    let lora =
        |rank| format!("parameters = \"lora\"\n[train.lora]\nrank = {rank}\nnew_rows = true\n");
    run(&base, "1e-2", "first", &lora(4));
    let first = checkpoint(&place.out(&TRAIN)).to_owned();
    for (code, keys, expected) in [
        (2, lora(8), "expected `rank = 4`, found 8"),
        (
            2,
            "parameters = \"lora\"\nlora.rank = 4\nlora.targets = [\"q_proj\"]\n".to_owned(),
            "found [\"q_proj\"]; expected `new_rows`",
        ),
        (1, String::new(), "set `parameters = \"lora\"`"),
    ] {
        run(&first, "1e-2", "other", &keys);
        let told = place.refused(&TRAIN, code);
        assert!(told.contains(expected) && told.contains("export"), "{told}");
    }
    run(&first, "1e-9", "second", &lora(4));
    let second = checkpoint(&place.out(&TRAIN)).to_owned();
    let [first, second] =
        [first, second].map(|id| place.store().get(&id.parse().unwrap()).unwrap());
    assert_ne!(first.manifest.id(), second.manifest.id());
    let about = second.manifest.about();
    assert_eq!(about.base, first.manifest.about().base);
    assert_eq!(about.parent.as_ref(), Some(first.manifest.id()));
    let config = Checkpoint::open(&place.path("base")).unwrap().config;
    let [first, second] = [first, second].map(|it| Adapter::read(&it.folder, &config).unwrap());
    assert_eq!(first.base, second.base);
    let values = |adapter: &Adapter| -> Vec<f32> {
        let low = adapter
            .matrices
            .iter()
            .flat_map(|low| low.a.iter().chain(&low.b));
        low.chain(&adapter.rows.as_ref().unwrap().embedding)
            .copied()
            .collect()
    };
    let (first, second) = (values(&first), values(&second));
    let far = first
        .iter()
        .zip(&second)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(far < 1e-6, "{far}");
    assert!(first.iter().any(|value| value.abs() > 1e-3));
}
