//! Low-rank adapters: what they add to a base, in PEFT's layout on disk.

mod peft;

use rayon::prelude::*;

use crate::config::{ModelConfig, RopeLayout};
use crate::error::{ModelError, Result};
use crate::ops::{rows_from_file, rows_to_file};
use crate::tokens::TokenId;
use crate::weights::{LayerPart, Naming, TensorName};
use crate::write::spell;

pub use peft::{CONFIG, WEIGHTS};

/// Low-rank additions to a model's matrices, `alpha / rank * b a`, and rows of its embedding and head
/// that take the place of the base's.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// Width.
    pub rank: usize,
    /// The product is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// What the base is called, for people.
    pub base: String,
    /// The matrices, in the order of the layers.
    pub matrices: Vec<LowRank>,
    /// Rows that are replaced.
    pub rows: Option<Rows>,
}

/// What is added to one matrix; rows are in the decoder's order.
#[derive(Clone, Debug, PartialEq)]
pub struct LowRank {
    /// The block.
    pub layer: usize,
    /// The matrix.
    pub part: LayerPart,
    /// `[rank, in]`.
    pub a: Vec<f32>,
    /// `[out, rank]`.
    pub b: Vec<f32>,
}

/// Rows of the embedding, and of a head of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Ascending, each once.
    pub tokens: Vec<TokenId>,
    /// `[tokens, hidden]`.
    pub embedding: Vec<f32>,
    /// The same of the head; nothing where it is tied, or where only the embedding's rows
    /// are replaced.
    pub head: Option<Vec<f32>>,
}

/// What a trainer's adapter consists of.
#[derive(Clone, Debug)]
pub struct AdapterSpec {
    /// Width.
    pub rank: usize,
    /// See [`Adapter::alpha`].
    pub alpha: f64,
    /// The base's name.
    pub base: String,
    /// The matrices of every layer that it changes.
    pub targets: Vec<LayerPart>,
    /// Tokens whose rows are trained.
    pub tokens: Vec<TokenId>,
}

impl Adapter {
    /// Gathers an adapter out of a trainer's parameters: `values` gives `MATRIX.lora_A.weight`,
    /// `MATRIX.lora_B.weight` and `TABLE.rows` by the base's names and in its order of rows.
    ///
    /// # Errors
    /// What `values` reports; another number of values than the configuration asks for.
    pub fn gather(
        config: &ModelConfig,
        naming: Naming,
        spec: AdapterSpec,
        values: &dyn Fn(&str) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        let get = |name: String, shape: [usize; 2]| {
            let found = values(&name)?;
            match found.len() == shape[0] * shape[1] {
                true => Ok(found),
                false => Err(ModelError::Shape {
                    name,
                    expected: shape.to_vec(),
                    found: vec![found.len()],
                }),
            }
        };
        let mut parts = spec.targets.clone();
        parts.sort_by_key(|part| LayerPart::ALL.iter().position(|other| other == part));
        parts.dedup();
        let mut matrices = Vec::new();
        for layer in 0..config.layers {
            for part in &parts {
                let name = TensorName::weight(layer, *part);
                let spelled = spell(name, config, naming)?;
                let module = spelled.trim_end_matches(".weight");
                let [outputs, inputs] = matrix(name, config);
                let a = get(format!("{module}.lora_A.weight"), [spec.rank, inputs])?;
                let b = get(format!("{module}.lora_B.weight"), [outputs, spec.rank])?;
                let turned = matches!(part, LayerPart::Q | LayerPart::K);
                let b = match turned && config.rope_layout == RopeLayout::Interleaved {
                    true => rows_from_file(&b, config.head_dim, outputs),
                    false => b,
                };
                let part = *part;
                matrices.push(LowRank { layer, part, a, b });
            }
        }
        let mut tokens = spec.tokens;
        tokens.sort_unstable();
        tokens.dedup();
        let table = |name| {
            let name = format!("{}.rows", spell(name, config, naming)?);
            get(name, [tokens.len(), config.hidden])
        };
        let rows = match tokens.is_empty() {
            true => None,
            false => Some(Rows {
                embedding: table(TensorName::Embedding)?,
                head: (!config.tied_head)
                    .then(|| table(TensorName::Head))
                    .transpose()?,
                tokens,
            }),
        };
        Ok(Self {
            rank: spec.rank,
            alpha: spec.alpha,
            base: spec.base,
            matrices,
            rows,
        })
    }

    /// Gives its values to a trainer's parameters, under the names that [`Adapter::gather`] asks for.
    ///
    /// # Errors
    /// What `set` reports.
    pub fn scatter(
        &self,
        config: &ModelConfig,
        naming: Naming,
        set: &mut dyn FnMut(&str, &[f32]) -> Result<()>,
    ) -> Result<()> {
        for low in &self.matrices {
            let spelled = spell(TensorName::weight(low.layer, low.part), config, naming)?;
            let module = spelled.trim_end_matches(".weight");
            set(&format!("{module}.lora_A.weight"), &low.a)?;
            let turned = matches!(low.part, LayerPart::Q | LayerPart::K);
            let b = match turned && config.rope_layout == RopeLayout::Interleaved {
                true => rows_to_file(&low.b, config.head_dim, low.b.len() / self.rank),
                false => low.b.clone(),
            };
            set(&format!("{module}.lora_B.weight"), &b)?;
        }
        let Some(rows) = &self.rows else {
            return Ok(());
        };
        let table = |name| Ok::<_, ModelError>(format!("{}.rows", spell(name, config, naming)?));
        set(&table(TensorName::Embedding)?, &rows.embedding)?;
        match &rows.head {
            Some(head) => set(&table(TensorName::Head)?, head),
            None => Ok(()),
        }
    }

    /// Adds what it has for a tensor to the base's values, rows in the decoder's order.
    pub fn add_to(&self, name: TensorName, values: &mut [f32]) {
        match (name, &self.rows) {
            (TensorName::Layer { index, part, bias }, _) => {
                let found = self
                    .matrices
                    .iter()
                    .find(|low| (low.layer, low.part) == (index, part));
                if let Some(low) = found.filter(|_| !bias) {
                    add_low_rank(values, &low.a, &low.b, self.rank, self.scale());
                }
            }
            (TensorName::Embedding, Some(rows)) => rows.place(&rows.embedding, values),
            (TensorName::Head, Some(rows)) => {
                if let Some(head) = &rows.head {
                    rows.place(head, values);
                }
            }
            _ => {}
        }
    }

    fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }

    /// How many numbers it has.
    pub fn numbers(&self) -> usize {
        let low: usize = self
            .matrices
            .iter()
            .map(|low| low.a.len() + low.b.len())
            .sum();
        let rows = self
            .rows
            .iter()
            .map(|rows| rows.embedding.len() + rows.head.as_ref().map_or(0, Vec::len));
        low + rows.sum::<usize>()
    }
}

/// Adds `scale * b a` to a matrix: `a` is `[rank, in]`, `b` is `[out, rank]`. What a trainer merges for
/// a measurement and what an export merges are the same bytes.
pub(crate) fn add_low_rank(matrix: &mut [f32], a: &[f32], b: &[f32], rank: usize, scale: f32) {
    let inputs = a.len() / rank;
    let rows = matrix.par_chunks_mut(inputs).zip(b.par_chunks(rank));
    rows.for_each(|(row, weights)| {
        let mut sum = vec![0.0f32; inputs];
        for (weight, a) in weights.iter().zip(a.chunks_exact(inputs)) {
            for (sum, a) in sum.iter_mut().zip(a) {
                *sum += weight * a;
            }
        }
        for (value, sum) in row.iter_mut().zip(sum) {
            *value += scale * sum;
        }
    });
}

impl Rows {
    fn place(&self, from: &[f32], values: &mut [f32]) {
        let hidden = from.len() / self.tokens.len().max(1);
        for (token, row) in self.tokens.iter().zip(from.chunks_exact(hidden)) {
            values[token.0 as usize * hidden..][..hidden].copy_from_slice(row);
        }
    }
}

/// The shape of a layer's matrix; a norm has no columns.
fn matrix(name: TensorName, config: &ModelConfig) -> [usize; 2] {
    match name.shape(config).as_slice() {
        [rows, columns] => [*rows, *columns],
        _ => [0, 0],
    }
}
