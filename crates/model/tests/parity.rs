//! Logits and gradients against the reference implementation's, on tiny random models.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use truefill_model::config::ModelConfig;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::error::ModelError;
use truefill_model::tokens::TokenId;
use truefill_model::training::GradDecoder;
use truefill_model::weights::SafetensorsFiles;

/// Relative to the largest logit of the reference.
const TOLERANCE: f32 = 1e-4;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity")
}

fn models() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(data())
        .expect("parity data")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("reference.safetensors").is_file())
        .collect();
    found.sort();
    assert!(found.len() >= 9, "one folder a model: {found:?}");
    found
}

fn open(model: &Path) -> (ModelConfig, SafetensorsFiles) {
    let config = std::fs::read(model.join("config.json")).expect("config.json");
    let weights = SafetensorsFiles::open(model).expect("weights");
    (
        ModelConfig::from_hub_json(&config).expect("a config"),
        weights,
    )
}

struct Reference {
    bytes: Vec<u8>,
}

impl Reference {
    fn open(model: &Path) -> Self {
        Self {
            bytes: std::fs::read(model.join("reference.safetensors")).expect("reference"),
        }
    }

    fn names(&self) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.bytes).expect("valid");
        file.names().into_iter().map(str::to_owned).collect()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.bytes).expect("valid");
        let tensor = file.tensor(name).unwrap_or_else(|_| panic!("{name}"));
        let chunks = tensor.data().chunks_exact(4);
        chunks
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    }

    fn tokens(&self, name: &str) -> Vec<TokenId> {
        let file = SafeTensors::deserialize(&self.bytes).expect("valid");
        let tensor = file.tensor(name).unwrap_or_else(|_| panic!("{name}"));
        tensor
            .data()
            .chunks_exact(8)
            .map(|b| TokenId(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
            .collect()
    }
}

/// The largest difference, relative to the largest magnitude of `expected`.
fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
    let gap = found.iter().zip(expected).fold(0.0f32, |max, (a, b)| {
        assert!(a.is_finite());
        max.max((a - b).abs())
    });
    gap / largest
}

fn decoders(model: &Path) -> Vec<(&'static str, Decoder)> {
    let (config, weights) = open(model);
    let positions = config.max_positions;
    let cpu = Decoder::on_cpu(config.clone(), &weights, Precision::Exact, positions);
    let device = Decoder::on_device(config, &weights, &Device::Cpu, Precision::Exact, positions);
    vec![
        ("cpu", cpu.expect("loads")),
        ("device", device.expect("loads")),
    ]
}

/// Logits at every position, the sequence cut into passes of these lengths.
fn logits(decoder: &Decoder, tokens: &[TokenId], cuts: &[usize]) -> Vec<f32> {
    let mut cache = decoder.cache(tokens.len()).expect("cache");
    let mut found = Vec::new();
    let mut start = 0;
    for cut in cuts.iter().copied().chain([tokens.len()]) {
        let end = (start + cut).min(tokens.len());
        let wanted: Vec<usize> = (0..end - start).collect();
        if wanted.is_empty() {
            break;
        }
        let part = decoder.forward(&mut cache, &tokens[start..end], &wanted, &|| false);
        found.extend(part.expect("forward"));
        start = end;
    }
    found
}

#[test]
fn logits_equal_the_reference() {
    for model in models() {
        let reference = Reference::open(&model);
        for (name, decoder) in decoders(&model) {
            for sequence in 0..2 {
                let tokens = reference.tokens(&format!("ids_{sequence}"));
                let expected = reference.floats(&format!("logits_{sequence}"));
                for cuts in [&[][..], &[1, 5, 16, 1], &[30, 2]] {
                    let gap = distance(&logits(&decoder, &tokens, cuts), &expected);
                    assert!(
                        gap <= TOLERANCE,
                        "{model:?} {name} {sequence} {cuts:?}: {gap}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_truncated_sequence_continues_as_if_it_had_never_been_longer() {
    for model in models() {
        let reference = Reference::open(&model);
        let (first, second) = (reference.tokens("ids_0"), reference.tokens("ids_1"));
        for (name, decoder) in decoders(&model) {
            let mut cache = decoder.cache(80).expect("cache");
            decoder
                .forward(&mut cache, &second, &[], &|| false)
                .expect("forward");
            let keep = 9;
            let mut tokens = second[..keep].to_vec();
            tokens.extend(&first[..30]);
            cache.truncate(keep);
            assert_eq!(cache.shared_prefix(&tokens), keep);
            let wanted: Vec<usize> = (0..30).collect();
            let found = decoder.forward(&mut cache, &tokens[keep..], &wanted, &|| false);
            let whole = logits(&decoder, &tokens, &[]);
            let gap = distance(
                &found.expect("forward"),
                &whole[keep * decoder.config().vocabulary..],
            );
            assert!(gap <= TOLERANCE, "{model:?} {name}: {gap}");
        }
    }
}

#[test]
fn a_cancelled_pass_leaves_a_cache_that_goes_on() {
    for (_, decoder) in decoders(&data().join("llama-untied")) {
        let tokens: Vec<TokenId> = (0..300).map(|i| TokenId(i * 7 % 160)).collect();
        let mut cache = decoder.cache(300).expect("cache");
        let asked = std::cell::Cell::new(0);
        let result = decoder.forward(&mut cache, &tokens, &[299], &|| {
            asked.set(asked.get() + 1);
            asked.get() > decoder.config().layers
        });
        assert!(
            matches!(result, Err(ModelError::Cancelled)),
            "{:?}",
            result.err()
        );
        assert_eq!(cache.len(), 128, "whole chunks stay");
        let rest = &tokens[cache.len()..];
        let found = decoder.forward(&mut cache, rest, &[rest.len() - 1], &|| false);
        let whole = logits(&decoder, &tokens, &[]);
        let last = &whole[299 * decoder.config().vocabulary..];
        assert!(distance(&found.expect("forward"), last) <= TOLERANCE);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (_, decoder) = decoders(&data().join("qwen2-tied")).remove(0);
    let mut cache = decoder.cache(16).expect("cache");
    let tokens = [TokenId(1); 17];
    let full = decoder.forward(&mut cache, &tokens, &[], &|| false);
    assert!(matches!(
        full,
        Err(ModelError::CacheFull {
            needed: 17,
            capacity: 16
        })
    ));
    let strange = TokenId(decoder.config().vocabulary as u32);
    let unknown = decoder.forward(&mut cache, &[strange], &[], &|| false);
    assert!(matches!(unknown, Err(ModelError::UnknownToken { .. })));
}

/// Int8 products are not exact, but close: the ranking of a random model's logits is the hardest
/// case, so the bound is on the error's size.
#[test]
fn int8_products_stay_close() {
    for model in models() {
        let reference = Reference::open(&model);
        let (config, weights) = open(&model);
        let positions = config.max_positions;
        let decoder = Decoder::on_cpu(config, &weights, Precision::Serving, positions);
        let tokens = reference.tokens("ids_0");
        let found = logits(&decoder.expect("loads"), &tokens, &[]);
        let expected = reference.floats("logits_0");
        let power: f32 = expected.iter().map(|v| v * v).sum();
        let error: f32 = found
            .iter()
            .zip(&expected)
            .map(|(a, b)| (a - b) * (a - b))
            .sum();
        let relative = (error / power).sqrt();
        assert!(relative < 0.08, "{model:?}: {relative}");
    }
}

#[test]
fn training_sees_the_same_logits() {
    for model in models() {
        let reference = Reference::open(&model);
        let (config, weights) = open(&model);
        let vocabulary = config.vocabulary;
        let decoder = GradDecoder::load(config, &weights, &Device::Cpu).expect("loads");
        // The shorter sequence is padded with its own last token to the longer one's length.
        let (mut short, long) = (reference.tokens("ids_0"), reference.tokens("ids_1"));
        let kept = short.len();
        short.resize(long.len(), short[kept - 1]);
        let batch = [short, long.clone()].concat();
        let found = decoder.logits(&batch, long.len()).expect("forward");
        let found = found
            .flatten_all()
            .expect("flat")
            .to_vec1::<f32>()
            .expect("f32");
        let (first, second) = found.split_at(long.len() * vocabulary);
        let gap = distance(&first[..kept * vocabulary], &reference.floats("logits_0"));
        assert!(gap <= TOLERANCE, "{model:?}: {gap}");
        let gap = distance(second, &reference.floats("logits_1"));
        assert!(gap <= TOLERANCE, "{model:?}: {gap}");
    }
}

/// Mean cross-entropy of the next token.
fn loss(logits: &Tensor, tokens: &[TokenId]) -> Tensor {
    let rows = tokens.len() - 1;
    let logits = logits.narrow(0, 0, rows).expect("rows");
    let largest = logits.max_keepdim(1).expect("max").detach();
    let shifted = logits.broadcast_sub(&largest).expect("sub");
    let total = shifted
        .exp()
        .and_then(|e| e.sum_keepdim(1))
        .and_then(|s| s.log())
        .expect("log");
    let targets: Vec<u32> = tokens[1..].iter().map(|token| token.0).collect();
    let targets = Tensor::from_vec(targets, (rows, 1), logits.device()).expect("targets");
    let chosen = shifted.gather(&targets, 1).expect("gather");
    (total - chosen)
        .and_then(|nll| nll.mean_all())
        .expect("mean")
}

#[test]
fn gradients_equal_the_reference_and_reach_every_parameter() {
    let mut compared = 0;
    for model in models() {
        let reference = Reference::open(&model);
        let names = reference.names();
        let (config, weights) = open(&model);
        let decoder = GradDecoder::load(config, &weights, &Device::Cpu).expect("loads");
        let tokens = reference.tokens("ids_0");
        let logits = decoder.logits(&tokens, tokens.len()).expect("forward");
        let gradients = loss(&logits, &tokens).backward().expect("backward");
        for (name, variable) in decoder.variables() {
            let gradient = gradients
                .get(variable)
                .unwrap_or_else(|| panic!("{model:?} {name}"));
            let gradient = gradient.to_dtype(DType::F32).and_then(|g| g.flatten_all());
            let gradient = gradient.expect("flat").to_vec1::<f32>().expect("f32");
            let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            // Adding the same to every key changes no softmax: its bias has no gradient.
            let without_effect = name.ends_with("k_proj.bias");
            assert!(
                norm > 0.0 || without_effect,
                "{model:?}: no gradient reaches {name}"
            );
            if names.contains(&format!("grad.{name}")) {
                let expected = reference.floats(&format!("grad.{name}"));
                assert!(distance(&gradient, &expected) <= 1e-3, "{model:?} {name}");
                compared += 1;
            }
            if names.contains(&format!("grad_norm.{name}")) && !without_effect {
                let expected = reference.floats(&format!("grad_norm.{name}"))[0];
                assert!(
                    (norm - expected).abs() <= 1e-3 * expected,
                    "{model:?} {name} {norm} {expected}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 60, "{compared} gradients compared");
}
