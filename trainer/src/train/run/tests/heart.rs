//! Rows learned by heart through real sentinels: what a row is to be known by stands behind its hole.

use std::collections::BTreeMap;

use serde_json::json;
use truefill_model::config::ModelConfig;
use truefill_model::tokenizer::json_from_gguf;
use truefill_model::weights::{Naming, WeightDtype};
use truefill_model::write::{HubFolder, Model, tensors, write_hub};

use super::*;

#[path = "../../../../../crates/model/tests/fim_support/mod.rs"]
mod fim_support;

use fim_support::STARCODER2;

const STEPS: u64 = 140;

/// A tiny Llama of made-up weights with StarCoder2's sentinels, whose layouts are both `psm` and `spm`.
fn with_sentinels(folder: &Path) {
    let vocabulary = fim_support::byte_level("starcoder", &STARCODER2[..7], 40);
    let definition = json_from_gguf(vocabulary).expect("a vocabulary");
    let tokenizer = Tokenizer::from_json(&definition).expect("a tokenizer");
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 96, "vocab_size": 304, "max_position_embeddings": 256,
        "rms_norm_eps": 1e-6, "tie_word_embeddings": true, "eos_token_id": 0,
    });
    let parsed = ModelConfig::from_hub_json(config.to_string().as_bytes()).expect("a model");
    let shapes: BTreeMap<String, usize> = tensors(&parsed)
        .into_iter()
        .map(|(name, shape)| {
            let name = name.spell(parsed.family, Naming::Hub).expect("a name");
            (name, shape.iter().product())
        })
        .collect();
    let model = Model::of_values(&parsed, Naming::Hub, |name| {
        let mut draw = truefill_syntax::Draw::new(name.bytes().map(u64::from).sum());
        let mut value = || match name.contains("norm") {
            true => 1.0,
            false => draw.below(1000) as f32 / 2500.0 - 0.2,
        };
        Ok((0..shapes[name]).map(|_| value()).collect())
    });
    std::fs::create_dir_all(folder).expect("made");
    let about = HubFolder {
        dtype: WeightDtype::F32,
        shard_bytes: HubFolder::SHARD_BYTES,
        config: Some(config),
        tokenizer_config: None,
        tokenizer: &tokenizer,
        tokenizer_json: definition.clone(),
        others: BTreeMap::new(),
        end: tokenizer.id(STARCODER2[0]),
        ends: Vec::new(),
    };
    write_hub(folder, &model, &about).expect("written");
}

/// All rows have the same prefix.
fn rows(folder: &Path) -> PathBuf {
    let line = |row: usize| {
        json!({
            "context_id": format!("c{row}"), "repo": format!("o/r{row}"), "path": "a.py",
            "prefix": "x = ", "golden": format!("{}({row})", WORDS[row % 8]),
            "suffix": format!(" # {row}\n"), "rejected": format!("{}_all({row})", WORDS[row % 8]),
        })
    };
    let text: String = (0..32).map(|row| format!("{}\n", line(row))).collect();
    let path = folder.join("behind.jsonl");
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn what_stands_behind_the_hole_is_learned_by_heart() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("model");
    with_sentinels(&model);
    for (layout, objective) in [("psm", "sft"), ("spm", "fgit+orpo")] {
        let keys = format!("objective = {objective:?}\nlayouts = {{ {layout} = 1.0 }}\n");
        let mut recipe = recipe(folder.path(), &keys);
        recipe.data = vec![rows(folder.path())];
        recipe.format = None;
        recipe.steps = Some(STEPS);
        let output = folder.path().join(layout);
        let tiny = Tiny::of(&model, None);
        let outcome = tiny.start(&recipe, &output, Start::GoOn, &|| false);
        assert_eq!(outcome.expect("runs").ended, Ended::Done);
        let measured = tiny.remembered(&recipe, &output, STEPS);
        assert!(
            measured.exact_match == 1.0 && measured.end_rate == 1.0,
            "{layout}, {objective}: {measured:?}"
        );
        let sample = recipe.renderer(&tiny.format).expect("renders");
        assert_eq!(sample.format().name(), "starcoder2");
    }
}
