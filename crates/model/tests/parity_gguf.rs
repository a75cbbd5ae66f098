//! Logits of tiny GGUF files against the reference implementation's on the dequantised weights.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use truefill_model::config::ModelConfig;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::tokens::TokenId;
use truefill_model::weights::GgufFile;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity/gguf");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("GGUF references")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        })
        .collect();
    found.sort();
    assert!(found.len() >= 6, "{found:?}");
    found
}

fn reference(path: &Path) -> (Vec<TokenId>, Vec<f32>) {
    let bytes = std::fs::read(path.with_extension("reference.safetensors")).expect("reference");
    let file = SafeTensors::deserialize(&bytes).expect("valid");
    let words = |name: &str| file.tensor(name).expect(name).data().to_vec();
    let ids = words("ids_0");
    let ids = ids
        .chunks_exact(8)
        .map(|b| TokenId(u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    let logits = words("logits_0");
    let logits = logits
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    (ids.collect(), logits.collect())
}

fn logits(path: &Path, precision: Precision) -> Vec<f32> {
    let file = GgufFile::open(path).expect("opens");
    let config = ModelConfig::from_gguf(&file).expect("a config");
    let decoder = Decoder::on_cpu(config, &file, precision, 128).expect("loads");
    let (tokens, _) = reference(path);
    let mut cache = decoder.cache(tokens.len()).expect("cache");
    let wanted: Vec<usize> = (0..tokens.len()).collect();
    decoder
        .forward(&mut cache, &tokens, &wanted, &|| false)
        .expect("forward")
}

#[test]
fn exact_logits_equal_the_reference() {
    for path in files() {
        let (_, expected) = reference(&path);
        let found = logits(&path, Precision::Exact);
        let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-4 * largest, "{path:?}: {a} {b}");
        }
        assert_eq!(found.len(), expected.len());
    }
}

/// Int8 products on the files' own quants: the root of the mean squared error stays small.
#[test]
fn served_logits_are_close() {
    for path in files() {
        let (_, expected) = reference(&path);
        let found = logits(&path, Precision::Serving);
        let power: f32 = expected.iter().map(|v| v * v).sum();
        let error: f32 = found
            .iter()
            .zip(&expected)
            .map(|(a, b)| (a - b) * (a - b))
            .sum();
        let relative = (error / power).sqrt();
        assert!(relative < 0.05, "{path:?}: {relative}");
    }
}
