//! `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Adapter, LowRank, Rows, matrix};
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::tokens::TokenId;
use crate::weights::{
    LayerPart, Naming, RawTensor, SafetensorsFiles, TensorName, WeightDtype, WeightSource,
    quantise, shown, write_safetensors,
};
use crate::write::spell;

/// The adapter's description.
pub const CONFIG: &str = "adapter_config.json";
/// Its tensors.
pub const WEIGHTS: &str = "adapter_model.safetensors";
/// Largest description that is read.
const CONFIG_LIMIT: u64 = 1 << 20;
/// What PEFT puts before every name.
const PREFIX: &str = "base_model.model.";
/// The key of replaced rows behind a table's module.
const TOKENS: &str = "token_adapter.trainable_tokens_delta";
const EMBEDDING: &str = "model.embed_tokens";
const HEAD: &str = "lm_head";

/// What is read of the description.
#[derive(Deserialize)]
struct Description {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    base_model_name_or_path: Option<String>,
    target_modules: Option<Value>,
    bias: Option<String>,
    modules_to_save: Option<Vec<String>>,
    trainable_token_indices: Option<Value>,
    init_lora_weights: Option<Value>,
    layer_replication: Option<Value>,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    rank_pattern: HashMap<String, usize>,
    #[serde(default)]
    alpha_pattern: HashMap<String, f64>,
}

impl Description {
    /// Whether training began by taking something out of the base, as PiSSA, OLoRA, CorDA and LoftQ do:
    /// such an adapter belongs to what was left of it. Saved for the plain base, it says `true`.
    fn changes_its_base(&self) -> bool {
        let name = self.init_lora_weights.as_ref().and_then(Value::as_str);
        name.is_some_and(|name| !matches!(name, "gaussian" | "eva"))
    }
}

fn problem(path: &Path, problem: impl Into<String>) -> ModelError {
    ModelError::Checkpoint {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

impl Adapter {
    /// Writes the two files into `folder`, which is there, for a base of this configuration, in one of the
    /// types that hold numbers without a scale.
    ///
    /// # Errors
    /// Where they cannot be written, or a value is too large for the type.
    pub fn write(&self, folder: &Path, config: &ModelConfig, dtype: WeightDtype) -> Result<()> {
        let mut held: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        let mut put = |name: String, rows: usize, values: &[f32]| {
            let bytes = quantise(dtype, values)?;
            held.push((name, vec![rows, values.len() / rows.max(1)], bytes));
            Ok::<_, ModelError>(())
        };
        for low in &self.matrices {
            let module = module(low.layer, low.part, config)?;
            let outputs = low.b.len() / self.rank;
            put(format!("{PREFIX}{module}.lora_A.weight"), self.rank, &low.a)?;
            put(format!("{PREFIX}{module}.lora_B.weight"), outputs, &low.b)?;
        }
        if let Some(rows) = &self.rows {
            let count = rows.tokens.len();
            put(
                format!("{PREFIX}{EMBEDDING}.{TOKENS}"),
                count,
                &rows.embedding,
            )?;
            if let Some(head) = &rows.head {
                put(format!("{PREFIX}{HEAD}.{TOKENS}"), count, head)?;
            }
        }
        let tensors: Vec<(String, RawTensor<'_>)> = held
            .iter()
            .map(|(name, shape, data)| {
                let shape = shape.clone();
                (name.clone(), RawTensor { dtype, shape, data })
            })
            .collect();
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        write_safetensors(folder.join(WEIGHTS), &tensors, &metadata)?;
        let path = folder.join(CONFIG);
        let text = format!("{:#}\n", self.description(config)?);
        std::fs::write(&path, text)
            .map_err(|error| problem(&path, format!("cannot be written: {error}")))
    }

    fn description(&self, config: &ModelConfig) -> Result<Value> {
        let mut targets = BTreeSet::new();
        for low in &self.matrices {
            let module = module(low.layer, low.part, config)?;
            let last = module.rsplit('.').next().unwrap_or_default();
            targets.insert(last.to_owned());
        }
        let tokens = self.rows.as_ref().map(|rows| {
            let ids: Vec<u32> = rows.tokens.iter().map(|id| id.0).collect();
            match rows.head {
                Some(_) => json!({"embed_tokens": ids, "lm_head": ids}),
                None => json!(ids),
            }
        });
        let alpha = match self.alpha.fract() == 0.0 {
            true => json!(self.alpha as i64),
            false => json!(self.alpha),
        };
        Ok(json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": self.base,
            "inference_mode": true,
            "r": self.rank,
            "lora_alpha": alpha,
            "lora_dropout": 0.0,
            "target_modules": targets,
            "trainable_token_indices": tokens,
            "bias": "none",
            "fan_in_fan_out": false,
            "modules_to_save": null,
            "use_rslora": false,
            "use_dora": false,
            "rank_pattern": {},
            "alpha_pattern": {},
        }))
    }

    /// Reads the two files of a folder, for a base of this configuration.
    ///
    /// # Errors
    /// What is missing, not finite, of another shape than the base's matrices, or more than this crate
    /// adds to them; by file and tensor.
    pub fn read(folder: &Path, config: &ModelConfig) -> Result<Self> {
        let path = folder.join(CONFIG);
        let found = read_description(&path)?;
        let file = folder.join(WEIGHTS);
        let reader = Reader {
            config,
            file: &file,
            source: SafetensorsFiles::open(&file)?,
            rank: found.r,
        };
        let mut expected: BTreeSet<String> = reader.source.names().into_iter().collect();
        let mut matrices = Vec::new();
        for layer in 0..config.layers {
            for part in LayerPart::ALL {
                matrices.extend(reader.low_rank(layer, part, &mut expected)?);
            }
        }
        let rows = reader.rows(&path, &found, &mut expected)?;
        if let Some(name) = expected.first() {
            return Err(problem(
                &file,
                format!(
                    "expected matrices of a {} model of {} layers, found the tensor `{}`",
                    config.family.name(),
                    config.layers,
                    shown(name)
                ),
            ));
        }
        if matrices.is_empty() && rows.is_none() {
            return Err(problem(&file, "expected low-rank matrices, found none"));
        }
        Ok(Self {
            rank: found.r,
            alpha: match found.use_rslora {
                // There the product is multiplied by alpha / sqrt(rank).
                true => found.lora_alpha * (found.r as f64).sqrt(),
                false => found.lora_alpha,
            },
            base: found.base_model_name_or_path.unwrap_or_default(),
            matrices,
            rows,
        })
    }
}

fn read_description(path: &Path) -> Result<Description> {
    let size = std::fs::metadata(path)
        .map_err(|error| problem(path, format!("cannot be read: {error}")))?
        .len();
    if size > CONFIG_LIMIT {
        let expected = format!("expected at most {CONFIG_LIMIT} bytes, found {size}");
        return Err(problem(path, expected));
    }
    let bytes =
        std::fs::read(path).map_err(|error| problem(path, format!("cannot be read: {error}")))?;
    let found: Description = serde_json::from_slice(&bytes)
        .map_err(|error| problem(path, format!("expected PEFT's description, found {error}")))?;
    let unsupported = [
        (found.peft_type != "LORA", "`peft_type` other than LORA"),
        (found.use_dora, "`use_dora`"),
        (
            found.changes_its_base(),
            "an `init_lora_weights` by which PEFT has changed the base's matrices",
        ),
        (found.layer_replication.is_some(), "a `layer_replication`"),
        (found.fan_in_fan_out, "`fan_in_fan_out`"),
        (!found.rank_pattern.is_empty(), "a `rank_pattern`"),
        (!found.alpha_pattern.is_empty(), "an `alpha_pattern`"),
        (
            found.bias.as_deref().is_some_and(|bias| bias != "none"),
            "trained biases",
        ),
        (
            found
                .modules_to_save
                .as_ref()
                .is_some_and(|list| !list.is_empty()),
            "`modules_to_save`",
        ),
        (
            found.r == 0 || found.r > 1 << 16,
            "an `r` outside of 1 to 65536",
        ),
        (
            !(found.lora_alpha.is_finite() && found.lora_alpha != 0.0),
            "a `lora_alpha` that is 0 or not finite",
        ),
        (
            found.target_modules.is_none() && found.trainable_token_indices.is_none(),
            "no `target_modules`",
        ),
    ];
    match unsupported.into_iter().find(|(is_so, _)| *is_so) {
        None => Ok(found),
        Some((_, what)) => Err(problem(
            path,
            format!(
                "expected a plain LoRA adapter, found {what}; merge it into its base with PEFT's \
                 `merge_and_unload` and import the whole model"
            ),
        )),
    }
}

struct Reader<'a> {
    config: &'a ModelConfig,
    file: &'a Path,
    source: SafetensorsFiles,
    rank: usize,
}

impl Reader<'_> {
    fn low_rank(
        &self,
        layer: usize,
        part: LayerPart,
        left: &mut BTreeSet<String>,
    ) -> Result<Option<LowRank>> {
        let name = TensorName::weight(layer, part);
        let [outputs, inputs] = matrix(name, self.config);
        if inputs == 0 || name.spell(self.config.family, Naming::Hub).is_none() {
            return Ok(None);
        }
        let module = module(layer, part, self.config)?;
        let names = ["A", "B"].map(|side| format!("{PREFIX}{module}.lora_{side}.weight"));
        if !names.iter().any(|name| left.contains(name)) {
            return Ok(None);
        }
        for name in &names {
            left.remove(name);
        }
        let a = self.tensor(&names[0], [self.rank, inputs])?;
        let b = self.tensor(&names[1], [outputs, self.rank])?;
        Ok(Some(LowRank { layer, part, a, b }))
    }

    fn tensor(&self, name: &str, shape: [usize; 2]) -> Result<Vec<f32>> {
        let tensor = self.source.tensor(name)?;
        if tensor.shape != shape {
            return Err(problem(
                self.file,
                format!(
                    "tensor `{name}`: expected the shape {shape:?}, as the base and `r` say, found \
                     {:?}",
                    tensor.shape
                ),
            ));
        }
        let values = tensor.to_f32();
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(problem(
                self.file,
                format!("tensor `{name}`: expected finite values, found NaN or infinity"),
            )),
        }
    }

    fn rows(
        &self,
        path: &Path,
        found: &Description,
        left: &mut BTreeSet<String>,
    ) -> Result<Option<Rows>> {
        let Some(indices) = &found.trainable_token_indices else {
            return Ok(None);
        };
        let wrong = || {
            problem(
                path,
                format!(
                    "`trainable_token_indices`: expected ids of tokens below {}, each once, of \
                     `embed_tokens` and `lm_head` alike, found {indices}",
                    self.config.vocabulary
                ),
            )
        };
        let of = |value: &Value| ids(value, self.config.vocabulary).ok_or_else(wrong);
        let (tokens, both) = match indices {
            Value::Object(tables) => {
                let embedding = tables.get("embed_tokens").ok_or_else(wrong)?;
                let head = tables.get("lm_head");
                let known = 1 + usize::from(head.is_some());
                if tables.len() != known || head.is_some_and(|head| head != embedding) {
                    return Err(wrong());
                }
                (of(embedding)?, head.is_some())
            }
            list => (of(list)?, false),
        };
        let shape = [tokens.len(), self.config.hidden];
        let mut table = |module: &str| {
            let name = format!("{PREFIX}{module}.{TOKENS}");
            left.remove(&name);
            self.tensor(&name, shape)
        };
        let embedding = table(EMBEDDING)?;
        let head = (both && !self.config.tied_head)
            .then(|| table(HEAD))
            .transpose()?;
        Ok(Some(sorted(tokens, embedding, head)))
    }
}

fn ids(value: &Value, vocabulary: usize) -> Option<Vec<TokenId>> {
    let ids: Option<Vec<TokenId>> = value
        .as_array()?
        .iter()
        .map(|id| {
            let id = id.as_u64().filter(|id| *id < vocabulary as u64)?;
            Some(TokenId(u32::try_from(id).ok()?))
        })
        .collect();
    let ids = ids?;
    let distinct: BTreeSet<TokenId> = ids.iter().copied().collect();
    (distinct.len() == ids.len() && !ids.is_empty()).then_some(ids)
}

/// Rows in the order of their tokens.
fn sorted(tokens: Vec<TokenId>, embedding: Vec<f32>, head: Option<Vec<f32>>) -> Rows {
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|at| tokens[*at]);
    let pick = |values: &[f32]| {
        let hidden = values.len() / tokens.len().max(1);
        let rows = order.iter().map(|at| &values[at * hidden..][..hidden]);
        rows.flatten().copied().collect::<Vec<f32>>()
    };
    Rows {
        embedding: pick(&embedding),
        head: head.as_deref().map(pick),
        tokens: order.iter().map(|at| tokens[*at]).collect(),
    }
}

fn module(layer: usize, part: LayerPart, config: &ModelConfig) -> Result<String> {
    let name = spell(TensorName::weight(layer, part), config, Naming::Hub)?;
    Ok(name.trim_end_matches(".weight").to_owned())
}
