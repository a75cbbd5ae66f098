//! `export` and `import`: through the store and back, and jobs for other programs.
#![allow(clippy::unwrap_used)]

mod families;
#[path = "../../../crates/model/tests/fim_support/mod.rs"]
mod fim_support;
mod jobs;
#[path = "../support/left.rs"]
mod left;
mod named;
mod stale;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::store::{Kind, Store};
use truefill_model::tokenizer::json_from_gguf;
use truefill_model::tokens::TokenId;
use truefill_model::weights::{GgufFile, WeightDtype};
use truefill_model::write::{HubFolder, Model, write_hub};

const TEMPLATE: &str = "{% for m in messages %}{{ m.content }}{% endfor %}";

/// A tiny Qwen2 in the hub's layout, its embedding large enough for a real tokenizer's bytes.
fn model(folder: &Path, scale: f32) {
    let vocabulary = fim_support::byte_level("qwen2", fim_support::QWEN, 40);
    let config = json!({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 64, "vocab_size": 320, "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6, "tie_word_embeddings": true, "eos_token_id": 0,
    });
    let said = json!({
        "chat_template": TEMPLATE, "pad_token": "<|fim_pad|>", "eos_token": "<|file_sep|>",
    });
    write_model(folder, scale, vocabulary, (config, said), "<|endoftext|>");
}

/// A tiny CodeLlama: spaces are U+2581 in its vocabulary, also in its sentinels, and it begins
/// prompts with a token.
fn code_llama(folder: &Path) {
    let vocabulary = truefill_model::tokenizer::GgufVocabulary {
        add_bos: Some(true),
        ..fim_support::sentencepiece(fim_support::CODELLAMA)
    };
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32,
        "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 64, "vocab_size": vocabulary.tokens.len(),
        "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "tie_word_embeddings": false,
        "bos_token_id": 1, "eos_token_id": 2,
    });
    write_model(folder, 1.0, vocabulary, (config, json!({})), "▁<EOT>");
}

/// Writes a model of made-up weights by its `config.json` and `tokenizer_config.json`.
fn write_model(
    folder: &Path,
    scale: f32,
    vocabulary: truefill_model::tokenizer::GgufVocabulary,
    (config, said): (Value, Value),
    end: &str,
) {
    let json = json_from_gguf(vocabulary).unwrap();
    let parsed = truefill_model::config::ModelConfig::from_hub_json(config.to_string().as_bytes());
    let parsed = parsed.unwrap();
    let shapes: BTreeMap<String, usize> = truefill_model::write::tensors(&parsed)
        .into_iter()
        .map(|(name, shape)| {
            let spelled = name.spell(parsed.family, truefill_model::weights::Naming::Hub);
            (spelled.unwrap(), shape.iter().product())
        })
        .collect();
    let model = Model::of_values(&parsed, truefill_model::weights::Naming::Hub, |name| {
        let seed: usize = name.bytes().map(usize::from).sum();
        let draw = |at: usize| ((at * 7919 + seed * 31) % 1009) as f32 / 1009.0 - 0.5;
        Ok((0..shapes[name]).map(|at| scale * draw(at)).collect())
    });
    let tokenizer = truefill_model::tokenizer::Tokenizer::from_json(&json).unwrap();
    std::fs::create_dir_all(folder).unwrap();
    let about = HubFolder {
        dtype: WeightDtype::F32,
        shard_bytes: HubFolder::SHARD_BYTES,
        config: Some(config),
        tokenizer_config: Some(said),
        tokenizer: &tokenizer,
        tokenizer_json: json.clone(),
        others: BTreeMap::new(),
        end: tokenizer.id(end),
        ends: Vec::new(),
    };
    write_hub(folder, &model, &about).unwrap();
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        model(&folder.path().join("base"), 1.0);
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
        let command = command.args(args).current_dir(self.folder.path());
        command
            .env("TRUEFILL_HOME", self.path("home"))
            .output()
            .unwrap()
    }

    fn out(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{args:?}: {told}");
        String::from_utf8(ran.stdout).unwrap()
    }

    fn refused(&self, args: &[&str], code: i32) -> String {
        let ran = self.run(args);
        assert_eq!(ran.status.code(), Some(code), "{args:?}");
        let folder = self
            .folder
            .path()
            .canonicalize()
            .unwrap()
            .display()
            .to_string();
        String::from_utf8_lossy(&ran.stderr).replace(&folder, "FOLDER")
    }

    fn tokenizer_config(&self, folder: &str) -> Value {
        let text = std::fs::read(self.path(folder).join("tokenizer_config.json"));
        serde_json::from_slice(&text.unwrap()).unwrap()
    }

    fn import(&self, args: &[&str]) -> String {
        let mut words = vec!["import"];
        words.extend(args);
        self.out(&words).trim().to_owned()
    }

    fn store(&self) -> Store {
        Store::open(&self.path("home")).unwrap()
    }
}

/// An adapter of PEFT's layout for [`model`].
fn adapter(folder: &Path, bad: Option<f32>) {
    use truefill_model::adapter::{Adapter, LowRank, Rows};
    use truefill_model::weights::LayerPart;
    let draw =
        |count: usize| -> Vec<f32> { (0..count).map(|at| (at % 13) as f32 / 13.0 - 0.4).collect() };
    let mut matrices = Vec::new();
    for layer in 0..2 {
        let mut b = draw(32 * 2);
        b[5] = bad.unwrap_or(b[5]);
        matrices.push(LowRank {
            layer,
            part: LayerPart::Q,
            a: draw(2 * 32),
            b,
        });
    }
    let adapter = Adapter {
        rank: 2,
        alpha: 4.0,
        base: "base".into(),
        matrices,
        rows: Some(Rows {
            tokens: vec![TokenId(1), TokenId(2)],
            embedding: draw(64),
            head: None,
        }),
    };
    std::fs::create_dir_all(folder).unwrap();
    let config = Checkpoint::open(&folder.parent().unwrap().join("base"))
        .unwrap()
        .config;
    adapter
        .write(folder, &config, truefill_model::weights::WeightDtype::F32)
        .unwrap();
}

#[test]
fn a_folder_goes_into_the_store_and_out_again() {
    let place = Place::new();
    let id = place.import(&["base", "--name", "My Run"]);
    assert!(id.starts_with("my-run-"), "{id}");
    let again = place.import(&["base", "--name", "My Run"]);
    assert_eq!(again, format!("{id} (it was there already)"));
    let stored = place.store().get(&id.parse().unwrap()).unwrap();
    let about = stored.manifest.about();
    assert_eq!(
        (about.kind, about.format.name.as_str()),
        (Kind::Full, "qwen2.5-coder")
    );
    let names: Vec<&str> = stored
        .manifest
        .files()
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    let expected = [
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(names, expected);
    std::fs::write(place.path("text.py"), "def add(a, b):\n    return a + b\n").unwrap();
    let args = [
        "export", &id, "--to", "gguf", "--out", "m.gguf", "--text", "text.py", "--json",
    ];
    let mut told = String::new();
    for kind in ["f32", "f16", "q8_0", "q4_0", "q4_k"] {
        let mut args = args.to_vec();
        args.extend(["--type", kind]);
        let figures: Value = serde_json::from_str(&place.out(&args)).unwrap();
        let nats = figures["divergence"]["mean_nats"].as_f64().unwrap();
        let (tensors, fallbacks) = (&figures["tensors"], &figures["fallbacks"]);
        assert!(nats < 0.02, "{kind}: {nats}");
        assert!(kind == "f32" || nats > 0.0, "{kind}: {nats}");
        assert_eq!(figures["divergence"]["left_out_tokens"], 0);
        let _ = writeln!(told, "{kind}: {tensors}, {fallbacks} of another type");
    }
    insta::assert_snapshot!("types_of_tensors", told);
    let file = GgufFile::open(place.path("m.gguf")).unwrap();
    let template = file.string("tokenizer.chat_template").unwrap();
    assert_eq!(template, Some(TEMPLATE));
    place.out(&[
        "export", "m.gguf", "--to", "hub", "--type", "f32", "--out", "again",
    ]);
    let again = Checkpoint::open(&place.path("again")).unwrap();
    let base = Checkpoint::open(&place.path("base")).unwrap();
    assert_eq!(
        again.tokenizer().unwrap().sha256(),
        base.tokenizer().unwrap().sha256()
    );
    assert_eq!(place.tokenizer_config("again")["chat_template"], TEMPLATE);
}

/// What only the original's files say about special tokens and chats stays, and there is one end
/// token, the format's.
#[test]
fn a_folder_keeps_what_its_tokenizer_says_of_chats() {
    let place = Place::new();
    let map = json!({ "eos_token": "<|file_sep|>", "sep_token": "<|file_sep|>" });
    std::fs::write(place.path("base/special_tokens_map.json"), map.to_string()).unwrap();
    place.out(&["export", "./base", "--to", "hub", "--out", "again"]);
    let found = place.tokenizer_config("again");
    for (key, expected) in [
        ("chat_template", TEMPLATE),
        ("pad_token", "<|fim_pad|>"),
        ("sep_token", "<|file_sep|>"),
        ("eos_token", "<|endoftext|>"),
    ] {
        assert_eq!(found[key], expected, "{key}");
    }
    assert!(!place.path("again/special_tokens_map.json").exists());
    code_llama(&place.path("llama"));
    place.out(&["export", "./llama", "--to", "hub", "--out", "llama-again"]);
    let found = place.tokenizer_config("llama-again");
    assert_eq!(found["eos_token"], "▁<EOT>");
    assert_eq!(found["bos_token"], "<s>");
}

#[test]
fn an_adapter_is_stored_on_its_base_or_merged_into_it() {
    let place = Place::new();
    adapter(&place.path("lora"), None);
    let base = place.import(&["base"]);
    let id = place.import(&["lora", "--adapter", "--base", &base]);
    let stored = place.store().get(&id.parse().unwrap()).unwrap();
    assert_eq!(stored.manifest.about().kind, Kind::Adapter);
    assert_eq!(
        stored.manifest.about().base.as_ref().unwrap().as_str(),
        base
    );
    place.out(&["export", &id, "--to", "peft", "--out", "back"]);
    let half = [
        "export", &id, "--to", "peft", "--type", "f16", "--out", "half",
    ];
    let told = place.out(&half);
    // Two layers with `a` and `b` of 64 numbers, and two rows of 32.
    let values = 2 * (64 + 64) + 64;
    assert!(told.contains(&format!(" {} bytes", 2 * values)), "{told}");
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let read = |folder: &str| std::fs::read(place.path(folder).join(file)).unwrap();
        assert_eq!(read("back"), read("lora"), "{file}");
    }
    let merged = place.import(&[
        "lora",
        "--adapter",
        "--base",
        &base,
        "--merge",
        "--name",
        "merged",
    ]);
    place.out(&[
        "export", &id, "--to", "hub", "--type", "f32", "--out", "exported",
    ]);
    let merged = place.store().get(&merged.parse().unwrap()).unwrap();
    let read = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(read(&merged.folder), read(&place.path("exported")));
    assert_ne!(read(&merged.folder), read(&place.path("base")));
}

/// On a base whose format has no sentinels an adapter with rows of sentinels would be served without them.
#[test]
fn an_adapter_with_rows_of_sentinels_does_not_become_causal_unasked() {
    let place = Place::new();
    adapter(&place.path("lora"), None);
    let base = place.import(&["base", "--format", "causal", "--teach-format"]);
    let plain = ["import", "lora", "--adapter", "--base", &base];
    insta::assert_snapshot!(place.refused(&plain, 2).replace(&base, "BASE"), @"error: lora: the adapter has trained rows of `<|im_start|>`, `<|im_end|>`, and the base's format, `causal`, has no sentinels; name the format that the adapter was trained with, such as `--format truefill-spm --teach-format`, or say `--format causal`");
    for format in ["qwen2.5-coder", "causal"] {
        let mut args = plain.to_vec();
        args.extend(["--format", format, "--teach-format", "--name", format]);
        let id = place.out(&args).trim().to_owned();
        let stored = place.store().get(&id.parse().unwrap()).unwrap();
        assert_eq!(stored.manifest.about().format.name, format);
    }
}

#[test]
fn what_is_wrong_is_refused_by_file() {
    let place = Place::new();
    let base = place.import(&["base"]);
    adapter(&place.path("lora"), None);
    let lora = place.import(&["lora", "--adapter", "--base", &base, "--name", "tuned"]);
    adapter(&place.path("nan"), Some(f32::NAN));
    model(&place.path("other"), 1.0);
    let file = place.path("other/tokenizer.json");
    let text = std::fs::read_to_string(&file)
        .unwrap()
        .replace("<|repo_name|>", "<|repo_nome|>");
    std::fs::write(&file, text).unwrap();
    model(&place.path("infinite"), 1.0);
    let file = place.path("infinite/model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&file, bytes).unwrap();
    model(&place.path("extra"), 1.0);
    let file = place.path("extra/config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let fewer = text.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
    std::fs::write(&file, fewer).unwrap();
    let mut told = String::new();
    for (args, code) in [
        (&["import", "nowhere"][..], 1),
        (&["import", "lora"], 2),
        (&["import", "lora", "--adapter"], 2),
        (&["import", "nan", "--adapter", "--base", &base], 1),
        (&["import", "lora", "--adapter", "--base", &lora], 2),
        (&["import", "infinite"], 1),
        (&["import", "extra"], 1),
        (&["import", "other", "--base", &base], 1),
        (
            &["import", "base", "--base", &base, "--format", "causal"],
            1,
        ),
        (&["export", "--to", "gguf", "--out", "x"], 2),
        (
            &[
                "export", "base", "--to", "gguf", "--type", "q9", "--out", "x",
            ],
            2,
        ),
        (&["export", "base", "--to", "peft", "--out", "x"], 2),
        (&["export", "lora", "--to", "hub", "--out", "x"], 1),
        (&["export", "--to", "trl", "--out", "x"], 2),
    ] {
        let named = |text: &str| text.replace(&base, "BASE").replace(&lora, "ADAPTER");
        let error = named(&place.refused(args, code));
        let _ = writeln!(told, "{}\n  {error}", named(&args.join(" ")));
    }
    insta::assert_snapshot!("refusals", told);
}
