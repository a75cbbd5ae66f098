//! Adapters on disk and in their bases.

use std::path::{Path, PathBuf};

use truefill_model::adapter::{Adapter, AdapterSpec, CONFIG, WEIGHTS};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::config::RopeLayout;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::error::ModelError;
use truefill_model::tokens::TokenId;
use truefill_model::weights::{LayerPart, SafetensorsFiles, TensorName, WeightDtype, WeightSource};
use truefill_model::write::{Model, tensors};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity")
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&data().join(name)).expect("opens")
}

fn spec(targets: &[LayerPart]) -> AdapterSpec {
    AdapterSpec {
        rank: 3,
        alpha: 6.0,
        base: "the/base".into(),
        targets: targets.to_vec(),
        tokens: vec![TokenId(9), TokenId(2), TokenId(9)],
    }
}

/// Values that tell a tensor and a place in it.
fn made_up(name: &str, count: usize) -> Vec<f32> {
    let seed: usize = name.bytes().map(usize::from).sum();
    (0..count)
        .map(|at| ((at * 31 + seed * 7) % 97) as f32 / 97.0 - 0.5)
        .collect()
}

/// As a trainer gives its parameters, by the checkpoint's names.
fn gather(checkpoint: &Checkpoint, targets: &[LayerPart]) -> Adapter {
    let config = &checkpoint.config;
    let values = |name: &str| {
        let table = name.strip_suffix(".rows");
        let matrix = name.split(".lora_").next().expect("a matrix");
        let source = table.map_or(format!("{matrix}.weight"), str::to_owned);
        let shape = checkpoint.weights.tensor(&source)?.shape;
        let count = match table {
            Some(_) => 2 * shape[1],
            None if name.ends_with("lora_A.weight") => 3 * shape[1],
            None => 3 * shape[0],
        };
        Ok::<_, ModelError>(made_up(name, count))
    };
    let naming = checkpoint.weights.naming();
    Adapter::gather(config, naming, spec(targets), &values).expect("gathers")
}

const MODELS: [(&str, &[LayerPart]); 4] = [
    (
        "llama-untied",
        &[LayerPart::Q, LayerPart::K, LayerPart::O, LayerPart::Gate],
    ),
    ("qwen2-tied", &[LayerPart::Down, LayerPart::V]),
    (
        "starcoder2",
        &[LayerPart::Up, LayerPart::Down, LayerPart::Q],
    ),
    (
        "gguf/llama-f32.gguf",
        &[LayerPart::Q, LayerPart::K, LayerPart::Up],
    ),
];

#[test]
fn an_adapter_is_read_as_it_was_written() {
    for (model, targets) in MODELS {
        let checkpoint = open(model);
        let adapter = gather(&checkpoint, targets);
        assert_eq!(
            adapter.matrices.len(),
            targets.len() * checkpoint.config.layers
        );
        let rows = adapter.rows.as_ref().expect("rows");
        assert_eq!(rows.tokens, [TokenId(2), TokenId(9)]);
        assert_eq!(rows.head.is_some(), !checkpoint.config.tied_head);
        let folder = tempfile::tempdir().expect("a folder");
        for (dtype, rounding) in [
            (WeightDtype::F16, 1.0 / 2048.0),
            (WeightDtype::BF16, 1.0 / 256.0),
            (WeightDtype::F32, 0.0),
        ] {
            adapter
                .write(folder.path(), &checkpoint.config, dtype)
                .expect("written");
            let read = Adapter::read(folder.path(), &checkpoint.config).expect("read");
            let pairs = read.matrices.iter().zip(&adapter.matrices);
            let values = pairs.flat_map(|(read, low)| read.a.iter().zip(&low.a));
            let far = values.map(|(read, low)| (read - low).abs() / low.abs().max(0.01));
            assert!(far.fold(0.0, f32::max) <= rounding, "{model} {dtype:?}");
            assert!(dtype != WeightDtype::F32 || read == adapter, "{model}");
        }
    }
}

/// What a trainer is given back is what it gave.
#[test]
fn an_adapter_goes_back_into_the_parameters_that_it_came_from() {
    for (model, targets) in MODELS {
        let checkpoint = open(model);
        let adapter = gather(&checkpoint, targets);
        let mut told = 0;
        let mut set = |name: &str, values: &[f32]| {
            assert_eq!(values, made_up(name, values.len()), "{model} {name}");
            told += 1;
            Ok(())
        };
        let naming = checkpoint.weights.naming();
        let scattered = adapter.scatter(&checkpoint.config, naming, &mut set);
        scattered.expect("scattered");
        let tables = 1 + usize::from(!checkpoint.config.tied_head);
        assert_eq!(told, 2 * adapter.matrices.len() + tables, "{model}");
    }
}

#[test]
fn merging_adds_the_product_to_the_matrices_and_replaces_rows() {
    for (model, targets) in MODELS {
        let checkpoint = open(model);
        let config = &checkpoint.config;
        let adapter = gather(&checkpoint, targets);
        let base = Model::of_source(config, &*checkpoint.weights);
        let merged = Model::of_source(config, &*checkpoint.weights).merged(&adapter);
        let mut changed = 0;
        for (name, shape) in tensors(config) {
            let mut expected = base.values(name).expect("values");
            let found = merged.values(name).expect("values");
            if let TensorName::Layer {
                index,
                part,
                bias: false,
            } = name
                && let Some(low) = adapter
                    .matrices
                    .iter()
                    .find(|l| (l.layer, l.part) == (index, part))
            {
                for row in 0..shape[0] {
                    for column in 0..shape[1] {
                        let terms =
                            (0..3).map(|k| low.b[row * 3 + k] * low.a[k * shape[1] + column]);
                        expected[row * shape[1] + column] += 2.0 * terms.sum::<f32>();
                    }
                }
            } else if matches!(name, TensorName::Embedding | TensorName::Head) {
                let rows = adapter.rows.as_ref().expect("rows");
                let table = match name {
                    TensorName::Head => rows.head.as_ref().expect("a head"),
                    _ => &rows.embedding,
                };
                for (token, row) in rows.tokens.iter().zip(table.chunks(shape[1])) {
                    expected[token.0 as usize * shape[1]..][..shape[1]].copy_from_slice(row);
                }
            }
            changed += usize::from(found != base.values(name).expect("values"));
            let close = found
                .iter()
                .zip(&expected)
                .all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(close, "{model} {name:?}");
        }
        let tables = 1 + usize::from(!config.tied_head);
        assert_eq!(changed, adapter.matrices.len() + tables, "{model}");
    }
}

/// A trainer's `b` has the rows of its source, which in Llama's GGUF files are interleaved.
#[test]
fn rows_of_an_interleaved_source_are_brought_into_the_hubs_order() {
    let checkpoint = open("gguf/llama-f32.gguf");
    assert_eq!(checkpoint.config.rope_layout, RopeLayout::Interleaved);
    let adapter = gather(&checkpoint, &[LayerPart::Q]);
    let head_dim = checkpoint.config.head_dim;
    let low = &adapter.matrices[0];
    let stored = made_up("blk.0.attn_q.lora_B.weight", low.b.len());
    assert_eq!(
        low.b[3..6],
        stored[2 * 3..3 * 3],
        "row 1 is the file's row 2"
    );
    assert_eq!(
        low.b[head_dim / 2 * 3..][..3],
        stored[3..6],
        "the second half begins at row 1"
    );
}

/// The adapters and the logits are PEFT's own (scripts/reference/dump_adapters.py).
#[test]
fn peft_and_we_merge_alike() {
    for name in ["llama-untied", "qwen2-tied", "starcoder2"] {
        let base = open(name);
        let folder = data().with_file_name("adapters").join(name);
        let adapter = Adapter::read(&folder, &base.config).expect("read");
        let model = Model::of_source(&base.config, &*base.weights).merged(&adapter);
        let (config, weights) = model.in_memory().expect("merged");
        let decoder = Decoder::on_cpu(config, &weights, Precision::Exact, 64).expect("loads");
        let bytes = std::fs::read(folder.join("reference.safetensors")).expect("there");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("valid");
        let ids = file.tensor("ids").expect("ids").data().to_vec();
        let ids = ids
            .chunks_exact(8)
            .map(|b| TokenId(u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        let ids: Vec<TokenId> = ids.collect();
        let logits = file.tensor("logits").expect("logits").data().to_vec();
        let expected = logits
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let wanted: Vec<usize> = (0..ids.len()).collect();
        let mut cache = decoder.cache(64).expect("a cache");
        let found = decoder
            .forward(&mut cache, &ids, &wanted, &|| false)
            .expect("computes");
        let largest = expected.clone().fold(0.0f32, |most, v| most.max(v.abs()));
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-4 * largest, "{name}: {a} {b}");
        }
        // Written again, the tensors are PEFT's, name by name.
        let again = tempfile::tempdir().expect("a folder");
        adapter
            .write(again.path(), &base.config, WeightDtype::F32)
            .expect("written");
        let (ours, theirs) = (again.path().join(WEIGHTS), folder.join(WEIGHTS));
        let [ours, theirs] =
            [ours, theirs].map(|path| SafetensorsFiles::open(path).expect("opens"));
        assert_eq!(ours.names(), theirs.names());
        for name in ours.names() {
            let [a, b] = [&ours, &theirs].map(|file| file.tensor(&name).expect("there"));
            assert_eq!(
                (a.shape.clone(), a.to_f32()),
                (b.shape.clone(), b.to_f32()),
                "{name}"
            );
        }
    }
}

#[test]
fn what_is_no_plain_adapter_of_the_base_is_refused_by_name() {
    let checkpoint = open("llama-tied");
    let adapter = gather(&checkpoint, &[LayerPart::Q, LayerPart::Down]);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |key: &str, value: serde_json::Value| {
        adapter
            .write(folder.path(), &checkpoint.config, WeightDtype::F32)
            .expect("written");
        let path = folder.path().join(CONFIG);
        let text = std::fs::read_to_string(&path).expect("there");
        let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        json[key] = value;
        std::fs::write(&path, json.to_string()).expect("written");
    };
    let error = |key: &str, value: serde_json::Value| {
        write(key, value);
        let error = Adapter::read(folder.path(), &checkpoint.config).expect_err("refused");
        let folder = folder.path().display().to_string();
        error.to_string().replace(&folder, "FOLDER")
    };
    let mut told = String::new();
    for (key, value) in [
        ("peft_type", "IA3".into()),
        ("use_dora", true.into()),
        ("init_lora_weights", "pissa_niter_16".into()),
        ("layer_replication", serde_json::json!([[0, 2], [1, 3]])),
        ("bias", "all".into()),
        ("modules_to_save", serde_json::json!(["lm_head"])),
        ("r", 4.into()),
        ("r", 0.into()),
        ("trainable_token_indices", serde_json::json!([2, 1000])),
        ("trainable_token_indices", serde_json::Value::Null),
        ("lora_alpha", "x".into()),
    ] {
        told += &format!("{key}: {}\n", error(key, value));
    }
    for harmless in [serde_json::json!(true), "gaussian".into(), "eva".into()] {
        write("init_lora_weights", harmless);
        Adapter::read(folder.path(), &checkpoint.config).expect("a plain adapter");
    }
    let other = open("starcoder2");
    adapter
        .write(folder.path(), &checkpoint.config, WeightDtype::F32)
        .expect("written");
    let refused = Adapter::read(folder.path(), &other.config).expect_err("another family");
    told += &format!("family: {refused}\n");
    std::fs::remove_file(folder.path().join(WEIGHTS)).expect("removed");
    let refused = Adapter::read(folder.path(), &checkpoint.config).expect_err("no weights");
    told += &format!("weights: {refused}\n");
    let told = told.replace(&folder.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(told);
}
