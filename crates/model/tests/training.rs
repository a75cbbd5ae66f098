//! Training's log-probabilities and gradients: against the reference implementation's on tiny random
//! models, against finite differences, and against themselves however the work is split.

mod parity_support;

use std::path::Path;

use parity_support::{Reference, TOLERANCE, data, distance, models, open};
use truefill_model::decoder::{Decoder, Precision as Serving};
use truefill_model::tokens::TokenId;
use truefill_model::training::{Batch, GradDecoder, Options, Precision, Sequence};

/// Bits of all gradients by name.
type Gradients = Vec<(String, Vec<f32>)>;

fn load(model: &Path, options: &Options) -> GradDecoder {
    let (config, weights) = open(model);
    GradDecoder::load(config, &weights, options).expect("loads")
}

/// Our kernels, and the tensor library's operations.
fn engines(model: &Path) -> [(&'static str, GradDecoder); 2] {
    let (config, weights) = open(model);
    let options = Options::default();
    let tensors = GradDecoder::load_on_tensors(config, &weights, &options);
    [
        ("kernels", load(model, &options)),
        ("tensors", tensors.expect("loads")),
    ]
}

/// Every next token is wanted.
fn whole(tokens: Vec<TokenId>) -> Sequence {
    Sequence::completion(tokens, 1)
}

fn batch(decoder: &GradDecoder, sequences: &[Sequence]) -> Batch {
    Batch::new(sequences.to_vec(), decoder.config().vocabulary).expect("a batch")
}

fn gradients(decoder: &mut GradDecoder) -> Gradients {
    let names = decoder.parameters().iter().map(|p| p.name.clone());
    let names: Vec<String> = names.collect();
    let trained = names.into_iter().filter_map(|name| {
        let gradient = decoder.gradient(&name).expect("gradient")?;
        Some((name, gradient))
    });
    trained.collect()
}

/// Coefficients that differ from position to position.
fn coefficients(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 37 % 23) as f32 - 9.0) / 40.0)
        .collect()
}

/// The gradients of `coefficients` times the log-probabilities.
fn run(decoder: &mut GradDecoder, batches: &[Vec<Sequence>]) -> (Vec<f32>, Gradients) {
    decoder.clear_gradients().expect("clear");
    let mut all = Vec::new();
    let total: usize = batches.iter().flatten().map(Sequence::wanted_len).sum();
    let given = coefficients(total);
    for sequences in batches {
        let forward = decoder
            .forward(&batch(decoder, sequences))
            .expect("forward");
        let found = forward.scores().log_probabilities.clone();
        let given = &given[all.len()..all.len() + found.len()];
        decoder.backward(forward, given).expect("backward");
        all.extend(found);
    }
    (all, gradients(decoder))
}

/// Ragged sequences with gaps between what is wanted.
fn ragged(vocabulary: usize) -> Vec<Sequence> {
    let lengths = [1, 67, 2, 130, 33, 64, 65, 9];
    let sequence = |(seed, length): (usize, usize)| {
        let tokens =
            (0..length).map(|i| TokenId(((i * i + 31 * seed + 7 * i) % vocabulary) as u32));
        let wanted = if length > 20 {
            vec![3..9, 12..length - 1]
        } else {
            vec![0..length - 1]
        };
        Sequence {
            tokens: tokens.collect(),
            wanted,
        }
    };
    lengths.into_iter().enumerate().map(sequence).collect()
}

fn log_softmax(logits: &[f32], target: u32) -> f32 {
    let largest = logits.iter().fold(f32::NEG_INFINITY, |max, v| max.max(*v));
    let sum: f64 = logits.iter().map(|v| f64::from(v - largest).exp()).sum();
    logits[target as usize] - largest - sum.ln() as f32
}

#[test]
fn log_probabilities_are_those_of_the_reference_logits() {
    for model in models() {
        let reference = Reference::open(&model);
        for (name, decoder) in engines(&model) {
            let vocabulary = decoder.config().vocabulary;
            let sequences = [0, 1].map(|i| whole(reference.tokens(&format!("ids_{i}"))));
            let scores = decoder.score(&batch(&decoder, &sequences)).expect("score");
            let mut expected = Vec::new();
            let mut correct = Vec::new();
            for (i, sequence) in sequences.iter().enumerate() {
                let logits = reference.floats(&format!("logits_{i}"));
                for (row, next) in logits.chunks_exact(vocabulary).zip(&sequence.tokens[1..]) {
                    expected.push(log_softmax(row, next.0));
                    let best = row.iter().fold(f32::NEG_INFINITY, |max, v| max.max(*v));
                    correct.push(row[next.0 as usize] == best);
                }
            }
            let gap = distance(&scores.log_probabilities, &expected);
            assert!(gap <= TOLERANCE, "{model:?} {name}: {gap}");
            assert_eq!(scores.correct, correct, "{model:?} {name}");
        }
    }
}

#[test]
fn gradients_equal_the_reference_and_reach_every_parameter() {
    let mut compared = 0;
    for model in models() {
        let reference = Reference::open(&model);
        let names = reference.names();
        for (engine, mut decoder) in engines(&model) {
            let sequence = whole(reference.tokens("ids_0"));
            let count = sequence.wanted_len();
            let forward = decoder
                .forward(&batch(&decoder, &[sequence]))
                .expect("forward");
            // Mean cross-entropy.
            let given = vec![-1.0 / count as f32; count];
            decoder.backward(forward, &given).expect("backward");
            for (name, gradient) in gradients(&mut decoder) {
                let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
                // Adding the same to every key changes no softmax: its bias has no gradient.
                let without_effect = name.ends_with("k_proj.bias");
                assert!(
                    norm > 0.0 || without_effect,
                    "{model:?} {engine}: no gradient reaches {name}"
                );
                if names.contains(&format!("grad.{name}")) && !without_effect {
                    let expected = reference.floats(&format!("grad.{name}"));
                    let gap = distance(&gradient, &expected);
                    assert!(gap <= 1e-4, "{model:?} {engine} {name}: {gap}");
                    compared += 1;
                }
                if names.contains(&format!("grad_norm.{name}")) && !without_effect {
                    let expected = reference.floats(&format!("grad_norm.{name}"))[0];
                    let gap = (norm - expected).abs() / expected;
                    assert!(gap <= 1e-4, "{model:?} {engine} {name}: {norm} {expected}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 120, "{compared} gradients compared");
}
