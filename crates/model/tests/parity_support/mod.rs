//! The tiny random models and what the reference implementation computes with them.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use truefill_model::config::ModelConfig;
use truefill_model::tokens::TokenId;
use truefill_model::weights::SafetensorsFiles;

/// Relative to the largest logit of the reference.
pub const TOLERANCE: f32 = 1e-4;

pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity")
}

pub fn models() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(data())
        .expect("parity data")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("reference.safetensors").is_file())
        .collect();
    found.sort();
    assert!(found.len() >= 9, "one folder a model: {found:?}");
    found
}

pub fn open(model: &Path) -> (ModelConfig, SafetensorsFiles) {
    let config = std::fs::read(model.join("config.json")).expect("config.json");
    let weights = SafetensorsFiles::open(model).expect("weights");
    (
        ModelConfig::from_hub_json(&config).expect("a config"),
        weights,
    )
}

/// What the reference implementation computed.
pub struct Reference {
    bytes: Vec<u8>,
}

impl Reference {
    pub fn open(model: &Path) -> Self {
        Self::read(&model.join("reference.safetensors"))
    }

    pub fn read(file: &Path) -> Self {
        Self {
            bytes: std::fs::read(file).expect("reference"),
        }
    }

    pub fn names(&self) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.bytes).expect("valid");
        file.names().into_iter().map(str::to_owned).collect()
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.bytes).expect("valid");
        let tensor = file.tensor(name).unwrap_or_else(|_| panic!("{name}"));
        let chunks = tensor.data().chunks_exact(4);
        chunks
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    }

    pub fn tokens(&self, name: &str) -> Vec<TokenId> {
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
pub fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
    let gap = found.iter().zip(expected).fold(0.0f32, |max, (a, b)| {
        assert!(a.is_finite());
        max.max((a - b).abs())
    });
    gap / largest
}
