//! Steps of the optimiser: against torch's, and resumed.

mod parity_support;

use parity_support::{Reference, data, distance, open};
use truefill_model::training::{
    AdamSettings, AdamState, AdamW, Batch, GradDecoder, Options, Precision, Sequence, clip_factor,
};

fn load(on_tensors: bool, precision: Precision) -> GradDecoder {
    let (config, weights) = open(&data().join("llama-untied"));
    let options = Options {
        precision,
        tensors: on_tensors,
        ..Options::default()
    };
    GradDecoder::load(config, &weights, &options).expect("loads")
}

/// The settings of `scripts/reference/dump_adamw.py`.
const SETTINGS: AdamSettings = AdamSettings {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-4,
    weight_decay: 0.1,
};

/// One step on a sequence of the parity data; gives the mean loss and the gradients' norm.
fn step(decoder: &mut GradDecoder, optimizer: &mut AdamW, index: usize) -> (f32, f32) {
    let reference = Reference::open(&data().join("llama-untied"));
    let tokens = reference.tokens(&format!("ids_{}", index % 2));
    let sequence = Sequence::completion(tokens, 1);
    let batch = Batch::new(vec![sequence], decoder.config().vocabulary).expect("a batch");
    let forward = decoder.forward(&batch).expect("forward");
    let count = forward.scores().log_probabilities.len() as f32;
    let loss = -forward.scores().log_probabilities.iter().sum::<f32>() / count;
    let coefficients = vec![-1.0 / count; count as usize];
    decoder.backward(forward, &coefficients).expect("backward");
    let norm = decoder.gradient_norm().expect("norm");
    let factor = clip_factor(norm, 0.5);
    optimizer.step(decoder, 1e-3, factor).expect("step");
    (loss, norm as f32)
}

fn values(decoder: &GradDecoder) -> Vec<(String, Vec<f32>)> {
    let parameters = decoder.parameters().iter();
    parameters
        .map(|p| (p.name.clone(), decoder.values(&p.name).expect("values")))
        .collect()
}

fn exported(adam: &AdamW, decoder: &GradDecoder) -> Vec<AdamState> {
    let states = adam.export(decoder);
    let states = states.iter().map(|state| AdamState {
        name: state.name.clone(),
        shape: state.shape.to_vec(),
        values: state.values().expect("values").into_owned(),
    });
    states.collect()
}

#[test]
fn steps_equal_those_of_torch() {
    let reference = Reference::read(&data().join("../training/adamw.safetensors"));
    for on_tensors in [false, true] {
        let mut decoder = load(on_tensors, Precision::F32);
        let before = values(&decoder);
        let mut optimizer = AdamW::new(SETTINGS);
        let (losses, norms): (Vec<f32>, Vec<f32>) = (0..4)
            .map(|index| step(&mut decoder, &mut optimizer, index))
            .unzip();
        assert!(
            distance(&losses, &reference.floats("losses")) <= 1e-5,
            "{losses:?}"
        );
        assert!(
            distance(&norms, &reference.floats("norms")) <= 1e-4,
            "{norms:?}"
        );
        for ((name, old), (_, new)) in before.iter().zip(values(&decoder)) {
            let expected = reference.floats(&format!("after.{name}"));
            let moved =
                |new: &[f32]| -> Vec<f32> { new.iter().zip(old).map(|(a, b)| a - b).collect() };
            let gap = distance(&moved(&new), &moved(&expected));
            assert!(gap <= 2e-3, "{name}: {gap}");
        }
    }
}

#[test]
fn clipping_is_torchs() {
    assert_eq!(clip_factor(0.25, 1.0), 1.0);
    assert_eq!(clip_factor(3.0, 1.5), 1.5 / (3.0 + 1e-6));
}

/// A run that was stopped, written down and begun again ends with the same bits.
#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    for (on_tensors, precision) in [
        (false, Precision::F32),
        (false, Precision::Bf16),
        (true, Precision::F32),
        (true, Precision::Bf16),
    ] {
        let mut whole = load(on_tensors, precision);
        let mut optimizer = AdamW::new(SETTINGS);
        let mut first = load(on_tensors, precision);
        let mut stopped = AdamW::new(SETTINGS);
        for index in 0..2 {
            step(&mut whole, &mut optimizer, index);
            step(&mut first, &mut stopped, index);
        }
        let (weights, states) = (values(&first), exported(&stopped, &first));
        assert!(
            states
                .iter()
                .any(|state| state.name == "model.norm.weight.second_moment")
        );
        let mut second = load(on_tensors, precision);
        for (name, values) in &weights {
            second.set_values(name, values).expect("set");
        }
        let mut resumed =
            AdamW::import(SETTINGS, &second, stopped.steps(), states).expect("import");
        for index in 2..4 {
            step(&mut whole, &mut optimizer, index);
            step(&mut second, &mut resumed, index);
        }
        assert!(
            values(&second) == values(&whole),
            "{on_tensors} {precision:?}"
        );
        assert!(exported(&resumed, &second) == exported(&optimizer, &whole));
        assert_ne!(weights, values(&second), "the later steps moved something");
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused() {
    let mut decoder = load(false, Precision::F32);
    let mut optimizer = AdamW::new(SETTINGS);
    step(&mut decoder, &mut optimizer, 0);
    let states = exported(&optimizer, &decoder);
    let refused = |states| match AdamW::import(SETTINGS, &decoder, 1, states) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    };
    let error = refused(states[1..].to_vec());
    assert!(error.contains("found none"), "{error}");
    let fewer = states[..states.len() - 2].to_vec();
    let error = AdamW::import(SETTINGS, &decoder, 0, fewer);
    let error = error.err().expect("refused").to_string();
    assert!(error.contains("found none"), "{error}");
    let mut other = states.clone();
    other[0].shape.push(1);
    let error = refused(other);
    assert!(error.contains("expected shape"), "{error}");
    let mut more = states;
    more.push(more[0].clone());
    more.last_mut().expect("one").name = "lm_tail.weight.first_moment".into();
    let error = refused(more);
    assert!(error.contains("lm_tail"), "{error}");
}
