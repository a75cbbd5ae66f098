//! Logits against the reference implementation's, on tiny random models.

mod parity_support;

use std::path::Path;

use candle_core::Device;
use parity_support::{Reference, TOLERANCE, data, distance, models, open};
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::error::ModelError;
use truefill_model::tokens::TokenId;

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
