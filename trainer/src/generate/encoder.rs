//! Embeddings from models that run here: a RoBERTa encoder (UniXcoder), or the mean hidden state of a
//! checkpoint of ours.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::xlm_roberta::{Config, XLMRobertaModel};
use serde_json::{Value, json};
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::kv::KvCache;
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;

use crate::checkpoint::{self, Loaded};
use crate::rows::Input;

/// Tokens of a text at most; what is behind them says nothing.
const LONGEST: usize = 512;

/// Makes a vector of a text.
pub trait Embed: Send + Sync {
    /// Its name in the manifest.
    fn name(&self) -> String;

    /// The vector.
    ///
    /// # Errors
    /// What the model reports.
    fn embed(&self, text: &str) -> Result<Vec<f32>>;
}

/// A RoBERTa encoder in the hub's layout: the mean over the last layer's states, as UniXcoder's
/// authors take it.
pub struct Encoder {
    model: XLMRobertaModel,
    tokenizer: Tokenizer,
    /// Before the text, and behind it.
    frame: [Vec<u32>; 2],
    longest: usize,
    sha256: String,
}

impl Encoder {
    /// Opens a folder with `config.json`, `model.safetensors`, and `tokenizer.json` or `vocab.json`
    /// with `merges.txt`.
    ///
    /// # Errors
    /// With the file, what was expected and what was found.
    pub fn open(folder: &Path) -> Result<Self> {
        let config = config(&folder.join("config.json"))?;
        let weights = folder.join("model.safetensors");
        let shown = weights.display();
        ensure!(
            weights.exists(),
            "{shown}: expected an encoder's weights, found none; convert a `pytorch_model.bin` with \
             `safetensors.torch.save_file`"
        );
        let sha256 = Input::of(&weights)?.sha256;
        let tensors = candle_core::safetensors::load(&weights, &Device::Cpu)
            .with_context(|| format!("{shown}: expected safetensors"))?;
        // Models with a head keep the encoder below a name.
        let prefixed = tensors.keys().any(|name| name.starts_with("roberta."));
        let vars = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let vars = if prefixed { vars.pp("roberta") } else { vars };
        let model = XLMRobertaModel::new(&config, vars)
            .with_context(|| format!("{shown}: expected the tensors of a RoBERTa encoder"))?;
        let tokenizer = tokenizer(folder)?;
        let frame = frame(folder, &tokenizer)?;
        let inside = config.vocab_size as u32;
        for id in frame.iter().flatten() {
            ensure!(
                *id < inside,
                "{shown}: expected a vocabulary beyond {inside} tokens"
            );
        }
        // Positions start behind the padding's.
        let positions = config.max_position_embeddings - 1 - config.pad_token_id as usize;
        Ok(Self {
            model,
            tokenizer,
            longest: positions.min(LONGEST),
            frame,
            sha256,
        })
    }

    /// The tokens of a text in its frame; the text is cut where they have no room.
    fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        let [before, behind] = &self.frame;
        let room = self.longest - before.len() - behind.len();
        let inside = self.tokenizer.encode_lossy(text)?;
        let inside = inside.iter().take(room).map(|id| id.0);
        let before = before.iter().copied().chain(inside);
        Ok(before.chain(behind.iter().copied()).collect())
    }
}

/// The encoder's configuration; only BERT's plain layout is the one that is built.
fn config(path: &Path) -> Result<Config> {
    let shown = path.display();
    let text = std::fs::read(path)
        .with_context(|| format!("{shown}: expected the configuration of an encoder"))?;
    let mut value: Value =
        serde_json::from_slice(&text).with_context(|| format!("{shown}: expected JSON"))?;
    let family = value["model_type"].as_str().unwrap_or("none").to_owned();
    ensure!(
        matches!(&*family, "roberta" | "xlm-roberta"),
        "{shown}: expected `model_type` `roberta`, found `{family}`"
    );
    let fields = value
        .as_object_mut()
        .with_context(|| format!("{shown}: expected an object"))?;
    for (name, usual) in [
        ("position_embedding_type", json!("absolute")),
        ("pad_token_id", json!(1)),
        ("attention_probs_dropout_prob", json!(0.0)),
        ("hidden_dropout_prob", json!(0.0)),
    ] {
        fields.entry(name).or_insert(usual);
    }
    let config: Config = serde_json::from_value(value)
        .with_context(|| format!("{shown}: expected the configuration of a RoBERTa encoder"))?;
    ensure!(
        config.position_embedding_type == "absolute",
        "{shown}: expected `position_embedding_type` `absolute`, found `{}`",
        config.position_embedding_type
    );
    ensure!(
        config.max_position_embeddings > config.pad_token_id as usize + 8,
        "{shown}: expected more positions than {}",
        config.max_position_embeddings
    );
    Ok(config)
}

/// The tokenizer's one file, or the two that RoBERTa's own tokenizer has.
fn tokenizer(folder: &Path) -> Result<Tokenizer> {
    let whole = folder.join("tokenizer.json");
    let read = |name: &str| {
        let path = folder.join(name);
        let expected = || {
            let shown = path.display();
            format!("{shown}: expected `tokenizer.json`, or `vocab.json` with `merges.txt`")
        };
        std::fs::read_to_string(&path).with_context(expected)
    };
    let text = if whole.exists() {
        read("tokenizer.json")?
    } else {
        let vocab: Value = serde_json::from_str(&read("vocab.json")?)
            .with_context(|| format!("{}: vocab.json: expected JSON", folder.display()))?;
        let merges = read("merges.txt")?;
        let merges: Vec<&str> = merges
            .lines()
            .filter(|line| !line.starts_with("#version") && !line.trim().is_empty())
            .collect();
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true, "trim_offsets": true});
        let model = json!({"type": "BPE", "vocab": vocab, "merges": merges});
        json!({"added_tokens": [], "pre_tokenizer": bytes, "decoder": bytes, "model": model})
            .to_string()
    };
    Tokenizer::from_json(text.as_bytes())
        .with_context(|| format!("{}: the tokenizer cannot be read", folder.display()))
}

/// What stands around a text: UniXcoder's mode `<encoder-only>`, or RoBERTa's plain frame.
fn frame(folder: &Path, tokenizer: &Tokenizer) -> Result<[Vec<u32>; 2]> {
    let id = |token: &str| tokenizer.id(token).map(|id| id.0);
    let (Some(start), Some(end)) = (id("<s>"), id("</s>")) else {
        let shown = folder.display();
        bail!("{shown}: expected the tokens `<s>` and `</s>` in the vocabulary, found none");
    };
    let mode = id("<encoder-only>").map(|mode| [mode, end]);
    let before = std::iter::once(start).chain(mode.into_iter().flatten());
    Ok([before.collect(), vec![end]])
}

impl Embed for Encoder {
    fn name(&self) -> String {
        let mode = match self.frame[0].len() {
            1 => "a RoBERTa encoder",
            _ => "UniXcoder",
        };
        format!("cosine of embeddings by {mode} (SHA-256 {})", self.sha256)
    }

    fn embed(&self, text: &str) -> Result<Vec<f32>> {
        let ids = self.tokens(text)?;
        let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        let (ones, zeros) = (ids.ones_like()?, ids.zeros_like()?);
        let states = self.model.forward(&ids, &ones, &zeros, None, None, None)?;
        Ok(states.squeeze(0)?.mean(0)?.to_vec1()?)
    }
}

/// A checkpoint's mean hidden state behind its last layer.
pub struct Hidden {
    decoder: Decoder,
    tokenizer: Tokenizer,
    cache: Mutex<KvCache>,
    path: PathBuf,
    sha256: String,
}

impl Hidden {
    /// Opens a checkpoint, exact: similarities of a few percent must not drown in quantisation.
    ///
    /// # Errors
    /// What is wrong with the checkpoint.
    pub fn open(path: &Path) -> Result<Self> {
        let Loaded {
            decoder, tokenizer, ..
        } = checkpoint::load(path, "cpu", Precision::Exact, LONGEST)?;
        Ok(Self {
            cache: Mutex::new(decoder.cache(LONGEST)?),
            decoder,
            tokenizer,
            path: path.to_owned(),
            sha256: checkpoint::sha256(path)?,
        })
    }
}

impl Embed for Hidden {
    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let hash = &self.sha256;
        format!("cosine of mean hidden states of `{name}` (SHA-256 {hash})")
    }

    fn embed(&self, text: &str) -> Result<Vec<f32>> {
        let mut tokens = self.tokenizer.encode_lossy(text)?;
        tokens.truncate(LONGEST);
        if tokens.is_empty() {
            tokens.extend(self.tokenizer.eos().or(Some(TokenId(0))));
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.truncate(0);
        Ok(self.decoder.mean_hidden(&mut cache, &tokens, &|| false)?)
    }
}

#[cfg(test)]
mod tests;
