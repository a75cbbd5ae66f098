//! Merging adapters on a device, and its head in chunks.

use super::*;
use crate::checkpoint::Checkpoint;
use crate::tokens::TokenId;
use crate::training::{AdapterOptions, Engine as Any, GradDecoder, Sequence, Trained};
use crate::weights::LayerPart;

fn adapted() -> GradDecoder {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let checkpoint = Checkpoint::open(&folder.join("tests/data/parity/llama-tied"));
    let checkpoint = checkpoint.expect("opens");
    let options = Options {
        trained: Trained::Adapter(AdapterOptions {
            rank: 2,
            alpha: 4.0,
            targets: vec![LayerPart::Q, LayerPart::Down],
            rows: Vec::new(),
            seed: 1,
        }),
        tensors: true,
        ..Options::default()
    };
    let decoder = GradDecoder::load(checkpoint.config, &*checkpoint.weights, &options);
    let mut decoder = decoder.expect("loads");
    for adapter in decoder.model.adapters.clone() {
        let size = decoder.decoder_values(adapter.b).expect("values").len();
        let set = decoder.set_decoder_values(adapter.b, &vec![0.1; size]);
        set.expect("set");
    }
    decoder
}

fn tensor(decoder: &mut GradDecoder, id: Id) -> &mut Tensor {
    match &mut decoder.engine {
        Any::Device(engine) => &mut engine.tensors[id],
        Any::Cpu(_) => panic!("on tensors"),
    }
}

#[test]
fn a_merge_that_fails_half_way_changes_nothing() {
    let mut decoder = adapted();
    let count = decoder.model.parameters.len();
    let all = |decoder: &GradDecoder| -> Vec<Vec<f32>> {
        let ids = 0..count;
        ids.map(|id| decoder.decoder_values(id).expect("values"))
            .collect()
    };
    let before = all(&decoder);
    let last = decoder.model.adapters.last().expect("adapters").b;
    let sound = tensor(&mut decoder, last).clone();
    *tensor(&mut decoder, last) = sound.to_dtype(DType::F64).expect("converts");
    assert!(decoder.merge().is_err());
    *tensor(&mut decoder, last) = sound;
    assert!(all(&decoder) == before);
    decoder.merge().expect("merges");
    assert!(all(&decoder) != before);
    decoder.unmerge().expect("unmerges");
    assert!(all(&decoder) == before);
}

/// Log-probabilities of some sequences, and every gradient, with a head that is cut into chunks of
/// at least so many tokens.
fn in_chunks(trained: &Trained, model: &str, narrowest: usize) -> Vec<Vec<f32>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let checkpoint = Checkpoint::open(&folder.join("tests/data/parity").join(model));
    let checkpoint = checkpoint.expect("opens");
    let options = Options {
        trained: trained.clone(),
        tensors: true,
        ..Options::default()
    };
    let decoder = GradDecoder::load(checkpoint.config, &*checkpoint.weights, &options);
    let mut decoder = decoder.expect("loads");
    let Any::Device(engine) = &mut decoder.engine else {
        panic!("on tensors")
    };
    // No bytes at all: as narrow as may be.
    engine.chunks = (0, narrowest);
    let vocabulary = decoder.config().vocabulary as u32;
    let sequence = |length: u32| {
        let tokens = (0..length).map(|at| TokenId((at * 37 + length) % vocabulary));
        Sequence::completion(tokens.collect(), 2)
    };
    let batch = Batch::new(vec![sequence(40), sequence(9)], vocabulary as usize);
    let forward = decoder.forward(&batch.expect("a batch")).expect("forward");
    let scores = forward.scores().log_probabilities.clone();
    let given: Vec<f32> = (0..scores.len()).map(|at| at as f32 / 9.0 - 2.0).collect();
    decoder.backward(forward, &given).expect("backward");
    let names = decoder.parameters().iter().map(|p| p.name.clone());
    let names: Vec<String> = names.collect();
    let gradients = names
        .iter()
        .filter_map(|name| decoder.gradient(name).expect("a gradient"));
    std::iter::once(scores).chain(gradients).collect()
}

#[test]
fn the_chunks_of_a_head_do_not_change_what_it_gives() {
    let rows = Trained::Adapter(AdapterOptions {
        rank: 2,
        alpha: 4.0,
        targets: vec![LayerPart::Q],
        rows: [3, 63, 64, 159].map(TokenId).to_vec(),
        seed: 1,
    });
    for model in ["llama-tied", "llama-untied"] {
        for trained in [&Trained::All, &rows] {
            let whole = in_chunks(trained, model, 160);
            // Two whole chunks and a part of one, of 160 tokens.
            let cut = in_chunks(trained, model, 64);
            assert_eq!(whole.len(), cut.len());
            for (whole, cut) in whole.iter().zip(&cut) {
                let most = whole.iter().fold(1e-3_f32, |most, v| most.max(v.abs()));
                for (left, right) in whole.iter().zip(cut) {
                    assert!((left - right).abs() <= 1e-5 * most, "{left} {right}");
                }
            }
        }
    }
}
