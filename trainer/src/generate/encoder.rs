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

use crate::checkpoint;
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
        let [before, behind] = &self.frame;
        let room = self.longest - before.len() - behind.len();
        let inside = self.tokenizer.encode_lossy(text)?;
        let inside = inside.iter().take(room).map(|id| id.0);
        let ids: Vec<u32> = before
            .iter()
            .copied()
            .chain(inside)
            .chain(behind.iter().copied())
            .collect();
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
        let (decoder, tokenizer) = checkpoint::load(path, "cpu", Precision::Exact, LONGEST)?;
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
mod tests {
    use std::collections::HashMap;

    use truefill_syntax::Draw;

    use super::*;

    const HIDDEN: usize = 16;

    /// The character by which byte-level vocabularies spell a byte.
    fn spelled(byte: u8) -> char {
        let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        match plain(byte) {
            true => char::from(byte),
            false => {
                let before = (0..byte).filter(|byte| !plain(*byte)).count();
                char::from_u32(256 + before as u32).expect("a character")
            }
        }
    }

    fn vocab(specials: &[&str]) -> Value {
        let bytes = (0..=255).map(|byte| spelled(byte).to_string());
        let words = specials.iter().map(|word| (*word).to_owned()).chain(bytes);
        let merged = words.chain(["lo".to_owned(), "load".to_owned(), "ad".to_owned()]);
        let ids = merged.enumerate().map(|(id, word)| (word, json!(id)));
        Value::Object(ids.collect())
    }

    fn tensors(vocab: usize, prefix: &str) -> HashMap<String, Tensor> {
        let mut draw = Draw::new(7);
        let mut random = |shape: &[usize]| {
            let count = shape.iter().product();
            let value = |_| (draw.next_u64() >> 40) as f32 / (1 << 24) as f32 - 0.5;
            let values: Vec<f32> = (0..count).map(value).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
        };
        let mut shapes: Vec<(String, Vec<usize>)> = vec![
            (
                "embeddings.word_embeddings.weight".into(),
                vec![vocab, HIDDEN],
            ),
            (
                "embeddings.position_embeddings.weight".into(),
                vec![40, HIDDEN],
            ),
            (
                "embeddings.token_type_embeddings.weight".into(),
                vec![1, HIDDEN],
            ),
        ];
        let mut both = |name: String, out: usize, inside: usize| {
            shapes.push((format!("{name}.weight"), vec![out, inside]));
            shapes.push((format!("{name}.bias"), vec![out]));
        };
        for layer in 0..2 {
            let at = format!("encoder.layer.{layer}");
            for part in ["query", "key", "value"] {
                both(format!("{at}.attention.self.{part}"), HIDDEN, HIDDEN);
            }
            both(format!("{at}.attention.output.dense"), HIDDEN, HIDDEN);
            both(format!("{at}.intermediate.dense"), 32, HIDDEN);
            both(format!("{at}.output.dense"), HIDDEN, 32);
        }
        for at in [
            "embeddings",
            "encoder.layer.0.attention.output",
            "encoder.layer.0.output",
        ]
        .into_iter()
        .chain(["encoder.layer.1.attention.output", "encoder.layer.1.output"])
        {
            shapes.push((format!("{at}.LayerNorm.weight"), vec![HIDDEN]));
            shapes.push((format!("{at}.LayerNorm.bias"), vec![HIDDEN]));
        }
        let named = shapes.into_iter();
        named
            .map(|(name, shape)| (format!("{prefix}{name}"), random(&shape)))
            .collect()
    }

    fn write(folder: &Path, specials: &[&str], prefix: &str) {
        let vocab = vocab(specials);
        let size = vocab.as_object().expect("words").len();
        let config = json!({
            "model_type": "roberta", "hidden_size": HIDDEN, "layer_norm_eps": 1e-5,
            "num_attention_heads": 2, "intermediate_size": 32, "hidden_act": "gelu",
            "num_hidden_layers": 2, "vocab_size": size, "max_position_embeddings": 40,
            "type_vocab_size": 1, "pad_token_id": 1
        });
        std::fs::write(folder.join("config.json"), config.to_string()).expect("written");
        std::fs::write(folder.join("vocab.json"), vocab.to_string()).expect("written");
        let merges = "#version: 0.2\nl o\na d\nlo ad\n";
        std::fs::write(folder.join("merges.txt"), merges).expect("written");
        let weights = folder.join("model.safetensors");
        candle_core::safetensors::save(&tensors(size, prefix), weights).expect("written");
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    const PLAIN: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];
    const UNIXCODER: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<encoder-only>"];

    #[test]
    fn an_encoder_embeds_the_same_text_the_same_way() {
        let (one, other) = (folder(), folder());
        write(one.path(), &UNIXCODER, "");
        write(other.path(), &UNIXCODER, "roberta.");
        let encoder = Encoder::open(one.path()).expect("opens");
        assert!(
            encoder.name().contains("UniXcoder (SHA-256 "),
            "{}",
            encoder.name()
        );
        let embed = |text: &str| encoder.embed(text).expect("embeds");
        let load = embed("load(x)");
        assert_eq!(load.len(), HIDDEN);
        assert_eq!(load, embed("load(x)"));
        assert_ne!(load, embed("x(load)"), "order counts");
        assert!(
            embed("é\u{1F600}\n\t")
                .iter()
                .all(|value| value.is_finite())
        );
        let long = "load(x) ".repeat(100);
        assert_eq!(
            embed(&long),
            embed(&format!("{long} and more")),
            "what does not fit is cut"
        );
        let same = Encoder::open(other.path()).expect("opens");
        assert_eq!(same.embed("load(x)").expect("embeds"), load);
    }

    #[test]
    fn the_frame_is_unixcoders_where_the_vocabulary_has_its_mode() {
        let (plain, unixcoder) = (folder(), folder());
        write(plain.path(), &PLAIN, "");
        write(unixcoder.path(), &UNIXCODER, "");
        let frame = |folder: &Path| Encoder::open(folder).expect("opens").frame;
        assert_eq!(frame(plain.path()), [vec![0], vec![2]]);
        assert_eq!(frame(unixcoder.path()), [vec![0, 4, 2], vec![2]]);
    }

    #[test]
    fn folders_that_hold_no_encoder_say_what_is_missing() {
        let folder = folder();
        let error = || match Encoder::open(folder.path()) {
            Ok(_) => panic!("it opened"),
            Err(error) => format!("{error:#}"),
        };
        assert!(error().contains("config.json"), "{}", error());
        write(folder.path(), &UNIXCODER, "");
        std::fs::remove_file(folder.path().join("model.safetensors")).expect("removed");
        assert!(error().contains("pytorch_model.bin"), "{}", error());
        write(folder.path(), &["a1", "a2"], "");
        assert!(error().contains("`<s>`"), "{}", error());
        let bert = r#"{"model_type": "bert"}"#;
        std::fs::write(folder.path().join("config.json"), bert).expect("written");
        assert!(error().contains("found `bert`"), "{}", error());
    }

    #[test]
    fn a_checkpoints_mean_hidden_state_is_an_embedding() {
        let models = "../crates/model/tests/data/parity/gguf/llama-f32.gguf";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(models);
        let hidden = Hidden::open(&path).expect("opens");
        assert!(hidden.name().contains("`llama-f32.gguf` (SHA-256 "));
        let embed = |text: &str| hidden.embed(text).expect("embeds");
        let load = embed("load(x)");
        assert!(load.iter().all(|value| value.is_finite()) && load.len() > 4);
        assert_ne!(load, embed("x(load)"));
        // Another text in between leaves nothing behind.
        assert_eq!(embed("load(x)"), load);
        assert!(embed("").iter().all(|value| value.is_finite()));
        assert!(
            embed(&"load(x) ".repeat(2000))
                .iter()
                .all(|value| value.is_finite())
        );
        assert!(Hidden::open(Path::new("/nowhere.gguf")).is_err());
        // The mean over a text is the mean over its parts, one read behind the other.
        let tokens: Vec<TokenId> = (5..205).map(TokenId).collect();
        let mut cache = hidden.decoder.cache(LONGEST).expect("room");
        let mut mean = |tokens: &[TokenId], fresh: bool| {
            if fresh {
                cache.truncate(0);
            }
            let mean = hidden.decoder.mean_hidden(&mut cache, tokens, &|| false);
            mean.expect("computes")
        };
        let whole = mean(&tokens, true);
        let (first, second) = (mean(&tokens[..50], true), mean(&tokens[50..], false));
        for ((whole, first), second) in whole.iter().zip(first).zip(second) {
            let parts = (50.0 * first + 150.0 * second) / 200.0;
            assert!((whole - parts).abs() < 1e-4, "{whole} {parts}");
        }
    }
}
