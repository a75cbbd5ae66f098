//! Writing a model: as a folder in the hub's layout, or as one GGUF file.
//!
//! A model is a configuration and a function from names to values, so it may lie in a file, come from
//! a trainer's memory, or be a base with an adapter merged into it. Tensors are asked for one after
//! the other: no format needs the whole of them at once.

mod gguf;
mod hub;

use crate::adapter::Adapter;
use crate::config::{ModelConfig, NormKind, RopeLayout};
use crate::error::{ModelError, Result};
use crate::ops::{rows_from_file, rows_to_file};
use crate::weights::{LayerPart, MemoryWeights, Naming, TensorName, WeightDtype, WeightSource};

pub use gguf::{FileType, GgufReport, Labels, write_gguf};
pub use hub::{HubFolder, write_hub};

/// A model that is to be written.
pub struct Model<'a> {
    config: &'a ModelConfig,
    naming: Naming,
    values: Box<dyn Fn(&str) -> Result<Vec<f32>> + 'a>,
    adapter: Option<&'a Adapter>,
}

impl<'a> Model<'a> {
    /// The model in a source.
    pub fn of_source(config: &'a ModelConfig, source: &'a dyn WeightSource) -> Self {
        Self::of_values(config, source.naming(), |name| {
            Ok(source.tensor(name)?.to_f32())
        })
    }

    /// A model whose tensors a function gives, by the names and in the order of rows of the source
    /// that `config` belongs to: a trainer's parameters.
    pub fn of_values(
        config: &'a ModelConfig,
        naming: Naming,
        values: impl Fn(&str) -> Result<Vec<f32>> + 'a,
    ) -> Self {
        Self {
            config,
            naming,
            values: Box::new(values),
            adapter: None,
        }
    }

    /// The model with an adapter merged into it.
    #[must_use]
    pub fn merged(self, adapter: &'a Adapter) -> Self {
        Self {
            adapter: Some(adapter),
            ..self
        }
    }

    /// The configuration of what is written: rows are in the hub's order there.
    pub fn config(&self) -> ModelConfig {
        ModelConfig {
            rope_layout: RopeLayout::HalfSplit,
            ..self.config.clone()
        }
    }

    /// A tensor's values, rows in the decoder's order, which is the hub's.
    ///
    /// # Errors
    /// What the source says; another number of values than the configuration asks for; values that
    /// are not finite.
    pub fn values(&self, name: TensorName) -> Result<Vec<f32>> {
        let config = self.config;
        let spelled = spell(name, config, self.naming)?;
        let shape = name.shape(config);
        let values = (self.values)(&spelled)?;
        if values.len() != shape.iter().product::<usize>() {
            return Err(ModelError::Shape {
                name: spelled,
                expected: shape,
                found: vec![values.len()],
            });
        }
        let mut values = match turned(name) && config.rope_layout == RopeLayout::Interleaved {
            true => rows_from_file(&values, config.head_dim, shape[0]),
            false => values,
        };
        if let Some(adapter) = self.adapter {
            adapter.add_to(name, &mut values);
        }
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(ModelError::WeightNotFinite { name: spelled }),
        }
    }

    /// As [`Model::values`], with the rows of queries and keys as GGUF files of Llama have them.
    fn gguf_values(&self, name: TensorName) -> Result<Vec<f32>> {
        let values = self.values(name)?;
        let config = self.config;
        let llama = config.family == crate::config::Family::Llama;
        Ok(match llama && turned(name) {
            true => rows_to_file(&values, config.head_dim, name.shape(config)[0]),
            false => values,
        })
    }

    /// Every tensor in memory, in `f32` and by the hub's names, for a decoder.
    ///
    /// # Errors
    /// As [`Model::values`].
    pub fn in_memory(&self) -> Result<(ModelConfig, MemoryWeights)> {
        let config = self.config();
        let mut weights = MemoryWeights::new(Naming::Hub);
        for (name, shape) in tensors(&config) {
            let spelled = spell(name, &config, Naming::Hub)?;
            weights.insert(spelled, WeightDtype::F32, &shape, &self.values(name)?)?;
        }
        Ok((config, weights))
    }
}

/// Every tensor of a model with its shape, in the order of use.
pub fn tensors(config: &ModelConfig) -> Vec<(TensorName, Vec<usize>)> {
    let mut names = vec![TensorName::Embedding];
    for layer in 0..config.layers {
        for part in LayerPart::ALL {
            let name = TensorName::weight(layer, part);
            if name.spell(config.family, Naming::Hub).is_none() {
                continue;
            }
            names.push(name);
            if part.biased(config) {
                names.push(TensorName::bias(layer, part));
            }
        }
    }
    names.push(TensorName::OutputNorm { bias: false });
    if config.norm == NormKind::Layer {
        names.push(TensorName::OutputNorm { bias: true });
    }
    if !config.tied_head {
        names.push(TensorName::Head);
    }
    let shaped = names.into_iter().map(|name| (name, name.shape(config)));
    shaped.collect()
}

pub(crate) fn spell(name: TensorName, config: &ModelConfig, naming: Naming) -> Result<String> {
    name.spell(config.family, naming)
        .ok_or(ModelError::internal("the family has this tensor"))
}

/// Whether the rows are rotated features, whose order files disagree about.
fn turned(name: TensorName) -> bool {
    matches!(
        name,
        TensorName::Layer {
            part: LayerPart::Q | LayerPart::K,
            ..
        }
    )
}
