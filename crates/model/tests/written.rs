//! Models that are written and read again: the same numbers, the same tokenizer.

mod fim_support;

use std::path::{Path, PathBuf};

use truefill_model::checkpoint::Checkpoint;
use truefill_model::config::ModelConfig;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::tokenizer::{GgufVocabulary, Tokenizer, gguf_from_json, json_from_gguf};
use truefill_model::tokens::TokenId;
use truefill_model::weights::{GgufFile, MemoryWeights, Naming, WeightDtype};
use truefill_model::write::{FileType, HubFolder, Labels, Model, tensors, write_gguf, write_hub};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity")
}

fn entries(folder: &Path, fits: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| fits(path));
    found.sort();
    found
}

fn folders() -> Vec<PathBuf> {
    let found = entries(&data(), |path| path.join("config.json").is_file());
    assert!(found.len() >= 9);
    found
}

fn ggufs() -> Vec<PathBuf> {
    let found = entries(&data().join("gguf"), |path| {
        path.extension().is_some_and(|kind| kind == "gguf")
    });
    assert!(found.len() >= 6);
    found
}

/// A vocabulary that is smaller than the tiny models' embeddings.
fn tokenizer_json() -> Vec<u8> {
    let mut vocabulary = fim_support::byte_level("smollm", &["<|endoftext|>"], 0);
    vocabulary.tokens.truncate(150);
    vocabulary.token_types.truncate(150);
    json_from_gguf(vocabulary).expect("converts")
}

fn logits(checkpoint: &Checkpoint) -> Vec<f32> {
    let config = checkpoint.config.clone();
    let decoder = Decoder::on_cpu(config, &*checkpoint.weights, Precision::Exact, 64);
    let decoder = decoder.expect("loads");
    let tokens: Vec<TokenId> = (0..40).map(|at| TokenId(at * 37 % 157)).collect();
    let wanted: Vec<usize> = (0..tokens.len()).collect();
    let mut cache = decoder.cache(64).expect("a cache");
    let found = decoder.forward(&mut cache, &tokens, &wanted, &|| false);
    found.expect("computes")
}

/// The largest difference, by the largest magnitude.
fn gap(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let gaps = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    gaps.fold(0.0f32, f32::max) / largest
}

fn to_gguf(from: &Checkpoint, path: &Path, kind: FileType) -> Checkpoint {
    let vocabulary = gguf_from_json(&tokenizer_json(), from.config.vocabulary).expect("converts");
    let tokenizer = Tokenizer::from_json(&tokenizer_json()).expect("a tokenizer");
    let model = Model::of_source(&from.config, &*from.weights);
    let labels = Labels {
        name: "tiny".into(),
        ..Labels::default()
    };
    write_gguf(path, &model, &tokenizer, vocabulary, kind, &labels).expect("written");
    Checkpoint::open(path).expect("opens")
}

/// Every tensor is the original's, rounded.
fn assert_same_values(written: &Checkpoint, original: &Checkpoint, kind: FileType) {
    let most = match kind {
        FileType::F32 => 0.0,
        FileType::F16 => 5e-4,
        FileType::Q8_0 => 5e-3,
        FileType::Q4_0 | FileType::Q4K => 0.13,
    };
    for (name, _) in tensors(&original.config) {
        let [ours, theirs] = [written, original].map(|checkpoint| {
            let model = Model::of_source(&checkpoint.config, &*checkpoint.weights);
            model.values(name).expect("values")
        });
        let found = gap(&ours, &theirs);
        assert!(
            found <= most,
            "{:?} {kind:?} {name:?}: {found}",
            original.path
        );
    }
}

/// The tiny models' rows fill no block of 256; these do.
#[test]
fn blocks_of_256_hold_what_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = serde_json::json!({
        "model_type": "llama", "hidden_size": 256, "num_hidden_layers": 1,
        "num_attention_heads": 4, "intermediate_size": 512, "vocab_size": 160,
        "max_position_embeddings": 64, "tie_word_embeddings": true,
    });
    let config = ModelConfig::from_hub_json(json.to_string().as_bytes()).expect("a config");
    let mut weights = MemoryWeights::new(Naming::Hub);
    for (name, shape) in tensors(&config) {
        let count = shape.iter().product::<usize>();
        let draw = |at: usize| ((at * 7919 + count) % 1009) as f32 / 1009.0 - 0.5;
        let values: Vec<f32> = (0..count).map(draw).collect();
        let spelled = name.spell(config.family, Naming::Hub).expect("a name");
        let inserted = weights.insert(spelled, WeightDtype::F32, &shape, &values);
        inserted.expect("fits");
    }
    let original = Checkpoint {
        path: "made up".into(),
        config,
        weights: Box::new(weights),
        tokenizer: None,
    };
    let path = folder.path().join("model.gguf");
    let written = to_gguf(&original, &path, FileType::Q4K);
    for (name, dtype) in [
        ("token_embd.weight", WeightDtype::Q6K),
        ("blk.0.attn_q.weight", WeightDtype::Q4K),
        ("blk.0.ffn_down.weight", WeightDtype::Q4K),
    ] {
        let tensor = written.weights.tensor(name).expect("there");
        assert_eq!(tensor.dtype, dtype, "{name}");
    }
    assert_same_values(&written, &original, FileType::Q4K);
}

#[test]
fn a_gguf_file_of_every_family_gives_the_same_logits() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    for from in folders() {
        let original = Checkpoint::open(&from).expect("opens");
        let expected = logits(&original);
        for (kind, most) in [
            (FileType::F32, Some(1e-5)),
            (FileType::F16, Some(4e-3)),
            (FileType::Q8_0, Some(0.15)),
            // Four bits make other logits of tiny random models: their values tell.
            (FileType::Q4_0, None),
            (FileType::Q4K, None),
        ] {
            let written = to_gguf(&original, &path, kind);
            let found = gap(&logits(&written), &expected);
            assert!(
                most.is_none_or(|most| found <= most),
                "{from:?} {kind:?}: {found}"
            );
            assert_same_values(&written, &original, kind);
            let text = "def add(a, b):\n    return a\n";
            let tokenizer = Tokenizer::from_json(&tokenizer_json()).expect("a tokenizer");
            assert_eq!(
                written
                    .tokenizer()
                    .expect("one")
                    .encode(text)
                    .expect("spelled"),
                tokenizer.encode(text).expect("spelled"),
            );
        }
    }
}

#[test]
fn a_gguf_file_becomes_a_hub_folder_that_gives_the_same_logits() {
    for from in ggufs() {
        let original = Checkpoint::open(&from).expect("opens");
        let vocabulary = GgufFile::open(&from).and_then(|file| file.vocabulary());
        let json = json_from_gguf(vocabulary.expect("a vocabulary")).expect("converts");
        let tokenizer = original.tokenizer().expect("one");
        // One folder: a later model replaces the former one, whatever files that had.
        let folder = tempfile::tempdir().expect("a folder");
        for (dtype, shard_bytes, most, others) in [
            (WeightDtype::F32, usize::MAX, 1e-6, &HubFolder::OTHERS[..]),
            (WeightDtype::BF16, 20_000, 0.08, &[HubFolder::TEMPLATE]),
            (WeightDtype::F32, 60_000, 1e-6, &[]),
            (WeightDtype::F32, usize::MAX, 1e-6, &[]),
        ] {
            let others = others
                .iter()
                .map(|name| ((*name).to_owned(), b"{}".to_vec()));
            std::fs::write(folder.path().join("special_tokens_map.json"), "{}").expect("written");
            let about = HubFolder {
                dtype,
                shard_bytes,
                config: None,
                tokenizer_config: None,
                tokenizer,
                tokenizer_json: json.clone(),
                others: others.collect(),
                end: Some(TokenId(0)),
                ends: Vec::new(),
            };
            let model = Model::of_source(&original.config, &*original.weights);
            let files = write_hub(folder.path(), &model, &about).expect("written");
            let shards = files
                .iter()
                .filter(|file| file.extension().is_some_and(|kind| kind == "safetensors"));
            assert_eq!(shards.count() > 1, shard_bytes < 100_000, "{files:?}");
            let mut there = entries(folder.path(), |_| true);
            there.sort();
            assert_eq!(there, files);
            let written = Checkpoint::open(folder.path()).expect("opens");
            let found = gap(&logits(&written), &logits(&original));
            assert!(found <= most, "{from:?} {dtype}: {found}");
            let again = written.tokenizer().expect("one");
            let text = "def add(a, b):\n    return a\n";
            let ids = again.encode(text).expect("spelled");
            assert_eq!(ids, tokenizer.encode(text).expect("spelled"), "{from:?}");
            // Rows that fill a vocabulary up have no place in a `tokenizer.json`.
            if again.vocabulary_size() == tokenizer.vocabulary_size() {
                assert_eq!(again.sha256(), tokenizer.sha256(), "{from:?}");
            }
            assert_eq!(
                (again.bos(), again.eos()),
                (tokenizer.bos(), tokenizer.eos())
            );
        }
    }
}

#[test]
fn values_that_are_not_finite_are_not_written() {
    let from = Checkpoint::open(&folders()[0]).expect("opens");
    let model = Model::of_values(&from.config, from.weights.naming(), |name| {
        let mut values = from.weights.tensor(name)?.to_f32();
        if name.contains("layers.1.mlp") {
            values[3] = f32::NAN;
        }
        Ok(values)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    let tokenizer = Tokenizer::from_json(&tokenizer_json()).expect("a tokenizer");
    let vocabulary = gguf_from_json(&tokenizer_json(), from.config.vocabulary).expect("converts");
    let labels = Labels::default();
    let error = write_gguf(
        &path,
        &model,
        &tokenizer,
        vocabulary,
        FileType::F16,
        &labels,
    )
    .expect_err("refused")
    .to_string();
    assert!(error.contains("model.layers.1.mlp"), "{error}");
    assert!(!path.exists());
}

fn vocabularies() -> Vec<(&'static str, GgufVocabulary)> {
    let sentence = |add_space| GgufVocabulary {
        add_bos: Some(true),
        add_space_prefix: Some(add_space),
        ..fim_support::sentencepiece(&["▁<PRE>", "▁<EOT>"])
    };
    let bytes = |pre| fim_support::byte_level(pre, &["<|endoftext|>", "<|im_start|>"], 2000);
    let mut all = vec![("sentence", sentence(true)), ("no space", sentence(false))];
    for pre in [
        "smollm",
        "qwen2",
        "llama-bpe",
        "gpt-2",
        "deepseek-coder",
        "default",
        "dbrx",
    ] {
        all.push((pre, bytes(pre)));
    }
    all
}

#[test]
fn tokenizers_survive_both_conversions() {
    let text = "fn main() {\n\tlet x1 = 23.5; // naïve 漢字 🙂\n    print(\"  a\")\n}\r\n";
    for (name, vocabulary) in vocabularies() {
        let original = Tokenizer::from_gguf(vocabulary.clone()).expect("a tokenizer");
        let json = json_from_gguf(vocabulary).unwrap_or_else(|error| panic!("{name}: {error}"));
        let parsed = Tokenizer::from_json(&json).expect("parses");
        assert_eq!(parsed.sha256(), original.sha256(), "{name}");
        let rows = original.vocabulary_size();
        let back =
            gguf_from_json(&json, rows + 7).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(back.tokens.len(), rows + 7);
        let back = Tokenizer::from_gguf(back).expect("a tokenizer");
        for tokenizer in [&parsed, &back] {
            let ids = tokenizer.encode(text).expect("spelled");
            assert_eq!(ids, original.encode(text).expect("spelled"), "{name}");
            assert_eq!(
                tokenizer.add_bos(),
                original.add_bos() && original.bos().is_some()
            );
        }
    }
}

#[test]
fn rules_without_a_name_are_refused() {
    let json = json_from_gguf(fim_support::byte_level("smollm", &["<|endoftext|>"], 10));
    let mut file: serde_json::Value =
        serde_json::from_slice(&json.expect("converts")).expect("JSON");
    file["pre_tokenizer"]["pretokenizers"][0]["individual_digits"] = false.into();
    let error = gguf_from_json(file.to_string().as_bytes(), 0)
        .expect_err("refused")
        .to_string();
    assert!(error.contains("digit runs"), "{error}");
}
