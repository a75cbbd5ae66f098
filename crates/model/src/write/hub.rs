//! A folder in the hub's layout: `config.json`, `generation_config.json`, safetensors and the
//! tokenizer's files, as transformers reads them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::Error;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Model, spell, tensors};
use crate::config::{Family, ModelConfig, RopeScaling};
use crate::error::{ModelError, Result};
use crate::tokenizer::Tokenizer;
use crate::tokens::TokenId;
use crate::weights::{Naming, TensorName, WeightDtype, quantise, write_safetensors_with};

/// What is written beside the weights.
#[derive(Clone, Debug)]
pub struct HubFolder<'a> {
    /// `F32`, `F16` or `BF16`.
    pub dtype: WeightDtype,
    /// Bytes of a file at most; a larger model gets several and an index.
    pub shard_bytes: usize,
    /// The original's `config.json`, where it had one: what this crate does not read is kept.
    pub config: Option<Value>,
    /// The original's `tokenizer_config.json`, where it had one: its chat template, its special tokens.
    pub tokenizer_config: Option<Value>,
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Its `tokenizer.json`.
    pub tokenizer_json: Vec<u8>,
    /// Files of the original that are copied as they are, by name: some of [`HubFolder::OTHERS`].
    pub others: BTreeMap<String, Vec<u8>>,
    /// The token that ends a completion.
    pub end: Option<TokenId>,
    /// What ends a text according to the original; still does.
    pub ends: Vec<TokenId>,
}

impl HubFolder<'_> {
    /// What most hub models are cut into.
    pub const SHARD_BYTES: usize = 5 << 30;

    /// Files of a tokenizer that other programs look at beside `tokenizer.json`, which decides.
    pub const OTHERS: [&'static str; 4] = [
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        Self::TEMPLATE,
    ];

    /// Where newer versions of transformers keep a chat template.
    pub const TEMPLATE: &'static str = "chat_template.jinja";
}

/// Writes a model into `folder`, which is there, and gives the files. Weights and a tokenizer of a
/// model that was there before are removed.
///
/// # Errors
/// What cannot be written or removed; rotary factors of a GGUF file, which `config.json` has no key for.
pub fn write_hub(folder: &Path, model: &Model<'_>, about: &HubFolder<'_>) -> Result<Vec<PathBuf>> {
    let config = config_json(&model.config(), about)?;
    let mut files = write_weights(folder, model, about)?;
    let mut texts = BTreeMap::from([
        ("config.json".to_owned(), pretty(&config)),
        (
            "generation_config.json".to_owned(),
            pretty(&generation(about)),
        ),
        (
            "tokenizer_config.json".to_owned(),
            pretty(&tokenizer_config(about)),
        ),
        ("tokenizer.json".to_owned(), about.tokenizer_json.clone()),
    ]);
    for (name, bytes) in &about.others {
        texts.insert(name.clone(), bytes.clone());
    }
    for (name, bytes) in texts {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|error| ModelError::Checkpoint {
            path: path.clone(),
            problem: format!("cannot be written: {error}"),
        })?;
        files.push(path);
    }
    remove_former(folder, &files)?;
    files.sort();
    Ok(files)
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = format!("{value:#}").into_bytes();
    bytes.push(b'\n');
    bytes
}

type Named = (TensorName, String, Vec<usize>);

fn write_weights(folder: &Path, model: &Model<'_>, about: &HubFolder<'_>) -> Result<Vec<PathBuf>> {
    let config = model.config();
    let mut shards: Vec<Vec<Named>> = Vec::new();
    let (mut total, mut filled) = (0, 0);
    for (name, shape) in tensors(&config) {
        let spelled = spell(name, &config, Naming::Hub)?;
        let bytes = about.dtype.bytes_of(shape.iter().product());
        let bytes = bytes.ok_or(ModelError::internal("a plain type has no blocks"))?;
        match shards.last_mut() {
            Some(shard) if filled + bytes <= about.shard_bytes => {
                shard.push((name, spelled, shape));
            }
            _ => {
                shards.push(vec![(name, spelled, shape)]);
                filled = 0;
            }
        }
        filled += bytes;
        total += bytes;
    }
    let count = shards.len();
    let (mut files, mut map) = (Vec::new(), Map::new());
    for (nth, shard) in shards.iter().enumerate() {
        let file = match count {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", nth + 1),
        };
        write_shard(&folder.join(&file), model, shard, about.dtype)?;
        for (_, name, _) in shard {
            map.insert(name.clone(), file.clone().into());
        }
        files.push(folder.join(file));
    }
    if count > 1 {
        let path = folder.join("model.safetensors.index.json");
        let index = json!({"metadata": {"total_size": total}, "weight_map": map});
        std::fs::write(&path, pretty(&index)).map_err(|error| ModelError::Checkpoint {
            path: path.clone(),
            problem: format!("cannot be written: {error}"),
        })?;
        files.push(path);
    }
    Ok(files)
}

/// Files of a model that [`write_hub`] never writes and other programs prefer to what it writes: an end
/// token named again, another tokenizer, an adapter that would be put on top.
const FOREIGN: [&str; 4] = [
    "special_tokens_map.json",
    "tokenizer.model",
    "adapter_config.json",
    "adapter_model.safetensors",
];

/// Readers prefer a single file to shards, and a template of its own to the configuration's, whichever
/// is the newer.
fn remove_former(folder: &Path, written: &[PathBuf]) -> Result<()> {
    let failed = |path: &Path, error: &Error| ModelError::Checkpoint {
        path: path.to_owned(),
        problem: format!("cannot be removed, though it is of a model that is replaced: {error}"),
    };
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let of_model =
            |name| of_weights(name) || HubFolder::OTHERS.contains(&name) || FOREIGN.contains(&name);
        if name.is_some_and(of_model) && !written.contains(&path) {
            std::fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
        }
    }
    Ok(())
}

/// Whether [`write_weights`] gives such a name.
fn of_weights(name: &str) -> bool {
    let shard = |name: &str| {
        let numbers = name.strip_prefix("model-")?.strip_suffix(".safetensors")?;
        let (nth, count) = numbers.split_once("-of-")?;
        let number = |text: &str| text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        Some(number(nth) && number(count))
    };
    matches!(name, "model.safetensors" | "model.safetensors.index.json")
        || shard(name) == Some(true)
}

fn write_shard(path: &Path, model: &Model<'_>, shard: &[Named], dtype: WeightDtype) -> Result<()> {
    let shapes: Vec<_> = shard
        .iter()
        .map(|(_, name, shape)| (name.clone(), dtype, shape.clone()))
        .collect();
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    write_safetensors_with(path, &shapes, &metadata, &mut |index| {
        let values = model.values(shard[index].0).map_err(Error::other)?;
        let bytes = quantise(dtype, &values).map_err(Error::other)?;
        Ok(Cow::Owned(bytes))
    })?;
    Ok(())
}

/// `config.json`: the original's, or one of the same shape.
fn config_json(config: &ModelConfig, about: &HubFolder<'_>) -> Result<Value> {
    let mut out = match &about.config {
        Some(Value::Object(original)) => original.clone(),
        _ => made_up(config, about)?,
    };
    let dtype = match about.dtype {
        WeightDtype::F16 => "float16",
        WeightDtype::BF16 => "bfloat16",
        _ => "float32",
    };
    // The older name is read by every version.
    out.remove("dtype");
    out.insert("torch_dtype".into(), dtype.into());
    Ok(Value::Object(out))
}

fn made_up(config: &ModelConfig, about: &HubFolder<'_>) -> Result<Map<String, Value>> {
    let tokenizer = about.tokenizer;
    let (class, activation) = match config.family {
        Family::Llama => ("LlamaForCausalLM", "silu"),
        Family::Qwen2 => ("Qwen2ForCausalLM", "silu"),
        Family::StarCoder2 => ("Starcoder2ForCausalLM", "gelu_pytorch_tanh"),
    };
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    put("architectures", json!([class]));
    put("model_type", config.family.name().into());
    put("hidden_size", config.hidden.into());
    put("num_hidden_layers", config.layers.into());
    put("num_attention_heads", config.heads.into());
    put("num_key_value_heads", config.kv_heads.into());
    put("intermediate_size", config.ffn.into());
    put("vocab_size", config.vocabulary.into());
    put("max_position_embeddings", config.max_positions.into());
    put("hidden_act", activation.into());
    put("tie_word_embeddings", config.tied_head.into());
    put("rope_theta", decimal(config.rope_base));
    put("rope_scaling", rope_scaling(config)?);
    put("bos_token_id", json!(tokenizer.bos().map(|id| id.0)));
    put("eos_token_id", json!(tokenizer.eos().map(|id| id.0)));
    match config.family {
        Family::StarCoder2 => {
            put("norm_epsilon", decimal(config.norm_epsilon));
            put("use_bias", config.mlp_bias.into());
            put("norm_type", "layer_norm".into());
            put("mlp_type", "default".into());
            put("sliding_window", json!(config.sliding_window));
        }
        Family::Qwen2 => {
            put("rms_norm_eps", decimal(config.norm_epsilon));
            put("use_sliding_window", config.sliding_window.is_some().into());
            put("sliding_window", json!(config.sliding_window));
            put("max_window_layers", 0.into());
        }
        Family::Llama => {
            put("rms_norm_eps", decimal(config.norm_epsilon));
            put("attention_bias", config.attention_bias.into());
            put("mlp_bias", false.into());
            put("head_dim", config.head_dim.into());
        }
    }
    Ok(out)
}

/// A number as a person would write it: 1e-5, and not the nearest single's 17 digits.
fn decimal(value: f32) -> Value {
    json!(value.to_string().parse::<f64>().unwrap_or(value.into()))
}

fn rope_scaling(config: &ModelConfig) -> Result<Value> {
    Ok(match &config.rope_scaling {
        RopeScaling::None => Value::Null,
        RopeScaling::Linear { factor } => {
            json!({"rope_type": "linear", "factor": decimal(*factor)})
        }
        RopeScaling::Llama3 {
            factor,
            low_frequency,
            high_frequency,
            original_positions,
        } => json!({
            "rope_type": "llama3",
            "factor": decimal(*factor),
            "low_freq_factor": decimal(*low_frequency),
            "high_freq_factor": decimal(*high_frequency),
            "original_max_position_embeddings": *original_positions as u64,
        }),
        RopeScaling::Factors(_) => {
            return Err(ModelError::Checkpoint {
                path: "config.json".into(),
                problem: "expected rotary scaling that the file has keys for, found factors of a \
                          GGUF file; write GGUF, or start from the model's folder on the hub"
                    .into(),
            });
        }
    })
}

/// What ends a generation: its own end token first, then the original's.
fn ends(about: &HubFolder<'_>) -> Vec<u32> {
    let mut ids: Vec<u32> = Vec::new();
    let eos = about.tokenizer.eos();
    for id in about.end.iter().chain(&about.ends).chain(&eos) {
        if !ids.contains(&id.0) {
            ids.push(id.0);
        }
    }
    ids
}

fn generation(about: &HubFolder<'_>) -> Value {
    let mut out = Map::new();
    if let Some(bos) = about.tokenizer.bos() {
        out.insert("bos_token_id".into(), bos.0.into());
    }
    match ends(about).as_slice() {
        [] => {}
        [only] => {
            out.insert("eos_token_id".into(), (*only).into());
        }
        several => {
            out.insert("eos_token_id".into(), json!(several));
        }
    }
    Value::Object(out)
}

/// `tokenizer_config.json`: the original's, but for what `tokenizer.json` and the format decide.
fn tokenizer_config(about: &HubFolder<'_>) -> Value {
    let tokenizer = about.tokenizer;
    let text = |id: Option<TokenId>| id.map(|id| tokenizer.decode(&[id]));
    let mut out = match &about.tokenizer_config {
        Some(Value::Object(original)) => original.clone(),
        _ => Map::new(),
    };
    // It names code that is not in the folder.
    out.remove("auto_map");
    for (key, value) in [
        ("tokenizer_class", json!("PreTrainedTokenizerFast")),
        ("bos_token", json!(text(tokenizer.bos()))),
        ("eos_token", json!(text(about.end.or(tokenizer.eos())))),
        ("add_bos_token", json!(tokenizer.add_bos())),
        ("clean_up_tokenization_spaces", json!(false)),
    ] {
        out.insert(key.to_owned(), value);
    }
    Value::Object(out)
}
