//! Training's log-probabilities and gradients: against the reference implementation's on tiny random
//! models, against finite differences, and against themselves however the work is split.
#![allow(
    clippy::single_range_in_vec_init,
    reason = "a list of ranges may hold one"
)]

mod parity_support;

use std::path::Path;

use parity_support::{Reference, TOLERANCE, data, distance, models, open};
use truefill_model::error::ModelError;
use truefill_model::tokens::TokenId;
use truefill_model::training::{
    AdapterOptions, Batch, GradDecoder, Options, Precision, Sequence, Trained,
};
use truefill_model::weights::LayerPart;

/// Bits of all gradients by name.
type Gradients = Vec<(String, Vec<f32>)>;

fn load(model: &Path, options: &Options) -> GradDecoder {
    let (config, weights) = open(model);
    GradDecoder::load(config, &weights, options).expect("loads")
}

/// Our kernels, and the tensor library's operations.
fn engines(model: &Path) -> [(&'static str, GradDecoder); 2] {
    [("kernels", false), ("tensors", true)].map(|(name, tensors)| {
        let options = Options {
            tensors,
            ..Options::default()
        };
        (name, load(model, &options))
    })
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
    sequences(vocabulary, [1, 67, 2, 130, 33, 64, 65, 9])
}

/// As [`ragged`], one of them longer than the blocks that sums are cut into.
fn long(vocabulary: usize) -> Vec<Sequence> {
    sequences(vocabulary, [1, 67, 2, 700, 33, 64, 65, 9])
}

fn sequences(vocabulary: usize, lengths: [usize; 8]) -> Vec<Sequence> {
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
            for (i, sequence) in sequences.iter().enumerate() {
                let logits = reference.floats(&format!("logits_{i}"));
                for (row, next) in logits.chunks_exact(vocabulary).zip(&sequence.tokens[1..]) {
                    expected.push(log_softmax(row, next.0));
                }
            }
            let gap = distance(&scores.log_probabilities, &expected);
            assert!(gap <= TOLERANCE, "{model:?} {name}: {gap}");
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

const BOTH: [Precision; 2] = [Precision::F32, Precision::Bf16];

fn with(precision: Precision, recompute: usize) -> Options {
    Options {
        precision,
        recompute,
        ..Options::default()
    }
}

/// All parameters, or an adapter with rows, each in both precisions.
fn cases() -> Vec<(Trained, Precision)> {
    use LayerPart::{Down, K, O, Q, Up, V};
    let adapter = Trained::Adapter(AdapterOptions {
        rank: 4,
        alpha: 8.0,
        targets: vec![Q, K, V, O, Up, Down],
        rows: [3, 5, 31, 159].map(TokenId).to_vec(),
        seed: 7,
    });
    let both = [Trained::All, adapter].into_iter();
    both.flat_map(|trained| BOTH.map(|precision| (trained.clone(), precision)))
        .collect()
}

fn load_case(
    (trained, precision): &(Trained, Precision),
    model: &Path,
    recompute: usize,
) -> GradDecoder {
    let options = Options {
        trained: trained.clone(),
        ..with(*precision, recompute)
    };
    let mut decoder = load(model, &options);
    let names = decoder.parameters().iter().map(|p| p.name.clone());
    let names: Vec<String> = names.filter(|name| name.contains("lora_B")).collect();
    for name in names {
        // An adapter begins with zeros, through which no gradient of its other half comes.
        let count = decoder.values(&name).expect("values").len();
        let values: Vec<f32> = (0..count).map(|i| (i % 11) as f32 / 50.0 - 0.1).collect();
        decoder.set_values(&name, &values).expect("set");
    }
    decoder
}

/// One model a family.
fn families() -> [std::path::PathBuf; 3] {
    ["llama-tied", "qwen2-untied", "starcoder2"].map(|name| data().join(name))
}

fn assert_same_bits(found: &(Vec<f32>, Gradients), expected: &(Vec<f32>, Gradients), what: &str) {
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(
        bits(&found.0),
        bits(&expected.0),
        "{what}: log-probabilities"
    );
    assert_eq!(found.1.len(), expected.1.len());
    for ((name, found), (_, expected)) in found.1.iter().zip(&expected.1) {
        assert!(bits(found) == bits(expected), "{what}: {name}");
    }
}

/// The largest distance of any gradient, each relative to its own largest value.
fn largest_gap(found: &Gradients, expected: &Gradients) -> (f32, String) {
    let gaps = found
        .iter()
        .zip(expected)
        .filter(|((name, _), _)| !name.ends_with("k_proj.bias"));
    gaps.map(|((name, found), (_, expected))| (distance(found, expected), name.clone()))
        .fold((0.0, String::new()), |worst, gap| {
            if gap.0 > worst.0 { gap } else { worst }
        })
}

#[test]
fn kernels_and_tensors_agree_on_ragged_batches() {
    for model in models() {
        let [(_, mut kernels), (_, mut tensors)] = engines(&model);
        let sequences = ragged(kernels.config().vocabulary);
        let (found, gradients) = run(&mut kernels, std::slice::from_ref(&sequences));
        let (expected, others) = run(&mut tensors, &[sequences]);
        assert!(distance(&found, &expected) <= 1e-5, "{model:?}");
        let (gap, name) = largest_gap(&gradients, &others);
        assert!(gap <= 1e-4, "{model:?} {name}: {gap}");
    }
}

#[test]
fn a_sequence_is_scored_the_same_alone_and_in_company() {
    for model in families() {
        for precision in BOTH {
            let decoder = load(&model, &with(precision, 0));
            let sequences = ragged(decoder.config().vocabulary);
            let together = decoder.score(&batch(&decoder, &sequences)).expect("score");
            let mut alone = Vec::new();
            for sequence in sequences {
                let scores = decoder.score(&batch(&decoder, &[sequence])).expect("score");
                alone.extend(scores.log_probabilities);
            }
            assert!(
                together.log_probabilities == alone,
                "{model:?} {precision:?}"
            );
        }
    }
}

#[test]
fn recomputing_changes_no_bit() {
    for model in families() {
        for case in cases() {
            let kept = |recompute| {
                let mut decoder = load_case(&case, &model, recompute);
                let sequences = long(decoder.config().vocabulary);
                run(&mut decoder, &[sequences])
            };
            let expected = kept(0);
            for recompute in [1, 2, 100] {
                let what = format!("{model:?} {case:?} {recompute}");
                assert_same_bits(&kept(recompute), &expected, &what);
            }
        }
    }
    // The tensor library recomputes the same operations too.
    for precision in BOTH {
        let gradients = [0, 2].map(|recompute| {
            let options = Options {
                tensors: true,
                ..with(precision, recompute)
            };
            let mut decoder = load(&families()[0], &options);
            let sequences = ragged(decoder.config().vocabulary);
            run(&mut decoder, &[sequences])
        });
        assert_same_bits(&gradients[1], &gradients[0], "tensors");
    }
}

/// One batch of eight, eight of one, or three and five: the sums are the same sums.
#[test]
fn accumulation_does_not_depend_on_the_split() {
    for model in families() {
        for case in cases() {
            let mut decoder = load_case(&case, &model, 0);
            let sequences = long(decoder.config().vocabulary);
            let expected = run(&mut decoder, std::slice::from_ref(&sequences));
            let ones: Vec<Vec<Sequence>> = sequences.iter().cloned().map(|s| vec![s]).collect();
            let (three, five) = sequences.split_at(3);
            for batches in [ones, vec![three.to_vec(), five.to_vec()]] {
                let found = run(&mut decoder, &batches);
                assert_same_bits(&found, &expected, &format!("{model:?} {case:?}"));
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for model in families() {
        for case in cases() {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                pool.expect("threads").install(|| {
                    let mut decoder = load_case(&case, &model, 1);
                    let sequences = long(decoder.config().vocabulary);
                    run(&mut decoder, &[sequences])
                })
            };
            let expected = on(1);
            for threads in [2, 3] {
                assert_same_bits(&on(threads), &expected, &format!("{model:?} {case:?}"));
            }
        }
    }
}

/// `bf16` operands have eight bits: the error of a gradient is some percent of its size.
#[test]
fn half_precision_stays_close() {
    let both = models()
        .into_iter()
        .flat_map(|model| [false, true].map(|tensors| (model.clone(), tensors)));
    for (model, tensors) in both {
        let found = BOTH.map(|precision| {
            let options = Options {
                tensors,
                ..with(precision, 0)
            };
            let mut decoder = load(&model, &options);
            let sequences = ragged(decoder.config().vocabulary);
            run(&mut decoder, &[sequences])
        });
        let relative = |a: &[f32], b: &[f32]| {
            let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
            let error = square(&mut a.iter().zip(b).map(|(a, b)| a - b));
            (error / square(&mut a.iter().copied())).sqrt()
        };
        let scores = relative(&found[0].0, &found[1].0);
        assert!(
            scores > 0.0 && scores < 0.02,
            "{model:?} {tensors}: {scores}"
        );
        for ((name, full), (_, half)) in found[0].1.iter().zip(&found[1].1) {
            let gap = relative(full, half);
            assert!(
                gap < 0.08 || name.ends_with("k_proj.bias"),
                "{model:?} {tensors} {name}: {gap}"
            );
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for model in families() {
        let mut decoder = load(&model, &Options::default());
        let sequences: Vec<Sequence> = ragged(decoder.config().vocabulary).split_off(4);
        let (_, gradients) = run(&mut decoder, std::slice::from_ref(&sequences));
        let batch = batch(&decoder, &sequences);
        let loss = |decoder: &GradDecoder| -> f64 {
            let found = decoder.score(&batch).expect("score").log_probabilities;
            let given = coefficients(found.len());
            let terms = found.iter().zip(given);
            terms.map(|(p, c)| f64::from(*p) * f64::from(c)).sum()
        };
        for (index, (name, gradient)) in gradients.iter().enumerate() {
            let values = decoder.values(name).expect("values");
            let largest = gradient.iter().fold(0.0f32, |max, g| max.max(g.abs()));
            let steepest = gradient
                .iter()
                .position(|g| g.abs() == largest)
                .expect("one");
            for at in [steepest, (index * 7919 + 13) % values.len()] {
                let mut slope = 0.0;
                let step = 2e-3f32;
                for side in [1.0, -1.0] {
                    let mut moved = values.clone();
                    moved[at] += side * step;
                    decoder.set_values(name, &moved).expect("set");
                    slope += f64::from(side) * loss(&decoder) / (2.0 * f64::from(step));
                }
                decoder.set_values(name, &values).expect("set");
                let gap = (slope - f64::from(gradient[at])).abs();
                let bound = 0.02 * f64::from(largest) + 5e-3;
                assert!(
                    gap <= bound,
                    "{model:?} {name}[{at}]: {slope} {}",
                    gradient[at]
                );
            }
        }
    }
}

#[test]
fn damaged_gradients_have_no_finite_norm() {
    for (_, mut decoder) in engines(&families()[0]) {
        let sequences = ragged(decoder.config().vocabulary);
        run(&mut decoder, std::slice::from_ref(&sequences));
        assert!(decoder.gradient_norm().expect("norm") > 0.0);
        let forward = decoder
            .forward(&batch(&decoder, &sequences))
            .expect("forward");
        let mut given = coefficients(forward.scores().log_probabilities.len());
        given[5] = f32::NAN;
        decoder.backward(forward, &given).expect("backward");
        assert!(decoder.gradient_norm().expect("norm").is_nan());
        decoder.clear_gradients().expect("clear");
        assert_eq!(decoder.gradient_norm().expect("norm"), 0.0);
        let forward = decoder
            .forward(&batch(&decoder, &sequences))
            .expect("forward");
        let given = coefficients(forward.scores().log_probabilities.len());
        decoder.backward(forward, &given).expect("backward");
        decoder.clear_gradients().expect("clear");
        let norm = decoder.gradient_norm().expect("norm");
        assert_eq!(norm, 0.0, "cleared before anybody asked for them");
    }
}

#[test]
fn batches_and_coefficients_are_checked() {
    let mut decoder = load(&families()[0], &Options::default());
    let sequence = |wanted: Vec<std::ops::Range<usize>>| Sequence {
        tokens: vec![TokenId(1), TokenId(2), TokenId(3)],
        wanted,
    };
    let refused = |sequences: Vec<Sequence>| match Batch::new(sequences, 160) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    };
    assert!(refused(vec![]).contains("at least one sequence"));
    assert!(refused(vec![Sequence::completion(vec![], 0)]).contains("at least one token"));
    for wanted in [vec![0..3], vec![1..2, 0..1], vec![0..2, 1..2]] {
        assert!(refused(vec![sequence(wanted)]).contains("ascending ranges"));
    }
    let strange = Sequence::completion(vec![TokenId(1), TokenId(160)], 1);
    assert!(matches!(
        Batch::new(vec![strange], 160),
        Err(ModelError::UnknownToken { token: 160, .. })
    ));
    let forward = decoder
        .forward(&batch(&decoder, &[sequence(vec![0..2])]))
        .expect("forward");
    let error = decoder
        .backward(forward, &[1.0])
        .expect_err("one too few")
        .to_string();
    assert!(error.contains("expected 2, found 1"), "{error}");
    // Nothing wanted is no error: there is nothing to learn.
    let forward = decoder
        .forward(&batch(&decoder, &[sequence(vec![])]))
        .expect("forward");
    decoder.backward(forward, &[]).expect("backward");
    assert_eq!(decoder.gradient_norm().expect("norm"), 0.0);
}
