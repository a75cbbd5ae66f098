//! Merging adapters on a device.

use super::*;
use crate::checkpoint::Checkpoint;
use crate::training::{AdapterOptions, Engine as Any, GradDecoder, Trained};
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
        let set = decoder.set_decoder_values(adapter.b, vec![0.1; size]);
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
