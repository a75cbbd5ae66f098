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

/// The tokens and the logits of PEFT's own model.
fn reference(folder: &Path) -> (Vec<TokenId>, Vec<f32>) {
    let bytes = std::fs::read(folder.join("reference.safetensors")).expect("there");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("valid");
    let ids = file.tensor("ids").expect("ids").data().to_vec();
    let ids = ids
        .chunks_exact(8)
        .map(|b| TokenId(u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    let logits = file.tensor("logits").expect("logits").data().to_vec();
    let logits = logits
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    (ids.collect(), logits.collect())
}

/// The logits at every position, in one pass and, the same, token by token.
fn logits(decoder: &Decoder, ids: &[TokenId]) -> Vec<f32> {
    let wanted: Vec<usize> = (0..ids.len()).collect();
    let mut cache = decoder.cache(64).expect("a cache");
    let all = decoder.forward(&mut cache, ids, &wanted, &|| false);
    let all = all.expect("computes");
    let mut cache = decoder.cache(64).expect("a cache");
    let single = ids.iter().flat_map(|id| {
        let one = decoder.forward(&mut cache, std::slice::from_ref(id), &[0], &|| false);
        one.expect("computes")
    });
    let single: Vec<f32> = single.collect();
    assert!(largest_error(&single, &all) < 1e-4, "cut into passes");
    all
}

/// The largest difference, as a share of the largest logit.
fn largest_error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

/// On packed weights what an adapter adds is rounded to eight bits, as activations are: no further from
/// the exact numbers than the base itself.
#[test]
fn an_adapter_beside_packed_weights_is_as_near_as_the_base() {
    for name in ["gguf/llama-q8_0.gguf", "gguf/llama-q4_1.gguf"] {
        let checkpoint = open(name);
        let targets = [
            LayerPart::Q,
            LayerPart::K,
            LayerPart::V,
            LayerPart::O,
            LayerPart::Gate,
            LayerPart::Up,
            LayerPart::Down,
        ];
        let mut adapter = gather(&checkpoint, &targets);
        // About as large as what it is added to.
        for low in &mut adapter.matrices {
            low.b.iter_mut().for_each(|value| *value *= 0.05);
        }
        let ids: Vec<TokenId> = (0..24).map(|at| TokenId(at * 7 % 60)).collect();
        let [packed, exact] = [Precision::Serving, Precision::Exact].map(|precision| {
            let weights = &*checkpoint.weights;
            let decoder = Decoder::on_cpu(checkpoint.config.clone(), weights, precision, 64);
            decoder.expect("loads")
        });
        let of_base = largest_error(&logits(&packed, &ids), &logits(&exact, &ids));
        let [packed_bytes, with_bytes] =
            [&packed, &with(&packed, &adapter)].map(Decoder::weight_bytes);
        let expected = logits(&with(&exact, &adapter), &ids);
        let adapted = largest_error(&logits(&with(&packed, &adapter), &ids), &expected);
        let without = largest_error(&logits(&packed, &ids), &expected);
        assert!(
            without > 4.0 * adapted,
            "{name}: {adapted}, without it {without}"
        );
        assert!(
            adapted <= 2.0 * of_base + 0.01,
            "{name}: {adapted}, base {of_base}"
        );
        assert!(with_bytes > packed_bytes, "{name}");
    }
}

fn with(decoder: &Decoder, adapter: &Adapter) -> Decoder {
    let adapted = decoder.adapted(adapter).expect("fits");
    adapted.expect("on the CPU")
}

/// What does not fit the base, or is no number, is refused.
#[test]
fn an_adapter_of_another_shape_is_not_put_beside() {
    let checkpoint = open("gguf/llama-q8_0.gguf");
    let (config, weights) = (checkpoint.config.clone(), &*checkpoint.weights);
    let whole = gather(&checkpoint, &[LayerPart::O]);
    for precision in [Precision::Serving, Precision::Exact] {
        let decoder = Decoder::on_cpu(config.clone(), weights, precision, 64).expect("loads");
        let mut short = whole.clone();
        short.matrices[0].a.pop();
        assert!(decoder.adapted(&short).is_err());
        let mut rows = whole.clone();
        rows.rows.as_mut().expect("rows").embedding[0] = f32::NAN;
        assert!(decoder.adapted(&rows).is_err());
    }
    let decoder = Decoder::on_cpu(config, weights, Precision::Serving, 64).expect("loads");
    let mut damaged = whole.clone();
    damaged.matrices[1].b[0] = f32::INFINITY;
    assert!(decoder.adapted(&damaged).is_err());
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
        let (ids, expected) = reference(&folder);
        let [merged, whole] = [&weights as &dyn WeightSource, &*base.weights]
            .map(|source| Decoder::on_cpu(config.clone(), source, Precision::Exact, 64));
        let merged = merged.expect("loads");
        let whole = whole.expect("loads");
        let before = logits(&whole, &ids);
        let beside = whole.adapted(&adapter).expect("fits").expect("on the CPU");
        for decoder in [&merged, &beside] {
            let error = largest_error(&logits(decoder, &ids), &expected);
            assert!(error <= 1e-4, "{name}: {error}");
        }
        assert_eq!(
            logits(&whole, &ids),
            before,
            "{name}: the base is as it was"
        );
        assert!(
            largest_error(&before, &expected) > 0.01,
            "{name}: it does something"
        );
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
