//! Opening what a user names as a model: a GGUF file, or a folder in the hub's layout.

use std::path::{Path, PathBuf};

use crate::adapter::Adapter;
use crate::config::ModelConfig;
use crate::decoder::{Decoder, Precision};
use crate::device::Choice;
use crate::error::{ModelError, Result};
use crate::tokenizer::Tokenizer;
use crate::tokens::TokenId;
use crate::weights::{GgufFile, SafetensorsFiles, WeightSource};
use crate::write::Model;

/// Largest `config.json` that is read.
const CONFIG_LIMIT: u64 = 1 << 20;
/// Largest `tokenizer.json` that is read.
const TOKENIZER_LIMIT: u64 = 256 << 20;

/// An opened checkpoint: its weights stay on disk, memory-mapped.
pub struct Checkpoint {
    /// Where it was opened.
    pub path: PathBuf,
    /// The architecture.
    pub config: ModelConfig,
    /// The weights.
    pub weights: Box<dyn WeightSource>,
    /// Absent where a folder has no `tokenizer.json`.
    pub tokenizer: Option<Tokenizer>,
}

impl Checkpoint {
    /// Opens a `.gguf` file, a folder with one, or a folder with `config.json`, `tokenizer.json`
    /// and safetensors.
    ///
    /// # Errors
    /// What is missing or damaged, by file.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() {
            return Self::open_gguf(path);
        }
        if !path.is_dir() {
            return Err(problem(path, "no such file or folder"));
        }
        if !path.join("config.json").is_file()
            && let Some(gguf) = only_gguf(path)?
        {
            return Self::open_gguf(&gguf);
        }
        Self::open_folder(path)
    }

    fn open_gguf(path: &Path) -> Result<Self> {
        let file = GgufFile::open(path)?;
        let config = ModelConfig::from_gguf(&file)?;
        let tokenizer = Tokenizer::from_gguf(file.vocabulary()?)
            .map_err(|error| problem(path, &error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            config,
            weights: Box::new(file),
            tokenizer: Some(tokenizer),
        })
    }

    fn open_folder(path: &Path) -> Result<Self> {
        let config_path = path.join("config.json");
        let config_json = read_limited(&config_path, CONFIG_LIMIT)?;
        let config = ModelConfig::from_hub_bytes(&config_path, &config_json)?;
        let (bos, eos) = ends(&config_json);
        let tokenizer_path = path.join("tokenizer.json");
        let tokenizer = tokenizer_path
            .is_file()
            .then(|| read_limited(&tokenizer_path, TOKENIZER_LIMIT))
            .transpose()?
            .map(|bytes| Tokenizer::from_json(&bytes))
            .transpose()
            .map_err(|error| problem(&tokenizer_path, &error.to_string()))?
            .map(|tokenizer| tokenizer.with_ends(bos, eos));
        let weights = SafetensorsFiles::open(path)?;
        Ok(Self {
            path: path.to_owned(),
            config,
            weights: Box::new(weights),
            tokenizer,
        })
    }

    /// The model on a device, with an adapter of it: beside the base's weights on the CPU, merged into them
    /// on a GPU.
    ///
    /// # Errors
    /// Where a tensor is missing, damaged, or of another shape than the configuration says, or the device
    /// refuses.
    pub fn decoder(
        &self,
        adapter: Option<&Adapter>,
        device: &Choice,
        precision: Precision,
        max_positions: usize,
    ) -> Result<Decoder> {
        let (config, weights) = (self.config.clone(), &*self.weights);
        match (device, adapter) {
            (Choice::Cpu, None) => Decoder::on_cpu(config, weights, precision, max_positions),
            (Choice::Cpu, Some(adapter)) => {
                let base = Decoder::on_cpu(config, weights, precision, max_positions)?;
                let adapted = base.adapted(adapter)?;
                adapted.ok_or(ModelError::internal("the base is on the CPU"))
            }
            (Choice::Accelerator { device, .. }, None) => {
                Decoder::on_device(config, weights, device, precision, max_positions)
            }
            (Choice::Accelerator { device, .. }, Some(adapter)) => {
                let merged = Model::of_source(&self.config, weights).merged(adapter);
                let (config, weights) = merged.in_memory()?;
                Decoder::on_device(config, &weights, device, precision, max_positions)
            }
        }
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// Where the checkpoint has none.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| {
            problem(
                &self.path,
                "expected a `tokenizer.json` beside the weights, found none",
            )
        })
    }
}

/// The begin and end tokens of a `config.json`; of several end tokens the first.
fn ends(config: &[u8]) -> (Option<TokenId>, Option<TokenId>) {
    let config: serde_json::Value = serde_json::from_slice(config).unwrap_or_default();
    let id = |name: &str| {
        let value = config.get(name)?;
        let first = value.as_array().map_or(Some(value), |ids| ids.first())?;
        first
            .as_u64()
            .and_then(|id| u32::try_from(id).ok())
            .map(TokenId)
    };
    (id("bos_token_id"), id("eos_token_id"))
}

fn only_gguf(folder: &Path) -> Result<Option<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| problem(folder, &error.to_string()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        })
        .collect();
    match found.len() {
        0 | 1 => Ok(found.pop()),
        count => Err(problem(
            folder,
            &format!("expected one .gguf file, found {count}; name the one to use"),
        )),
    }
}

fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let size = std::fs::metadata(path)
        .map_err(|error| problem(path, &error.to_string()))?
        .len();
    if size > limit {
        return Err(problem(
            path,
            &format!("expected at most {limit} bytes, found {size}"),
        ));
    }
    std::fs::read(path).map_err(|error| problem(path, &error.to_string()))
}

fn problem(path: &Path, problem: &str) -> ModelError {
    ModelError::Checkpoint {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}
