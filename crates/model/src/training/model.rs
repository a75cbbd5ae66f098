//! The parameters of a model that is trained, and what is trained beside them.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{AdapterOptions, Trained};
use crate::config::ModelConfig;
use crate::decoder::load::load_weights;
use crate::decoder::network::DecoderWeights;
use crate::error::{ModelError, Result};
use crate::ops::grad::{Adapter, GradLoader, GradWeights, Id, Parameter};
use crate::weights::{TensorName, WeightSource};

/// Parameters, and their places in the decoder.
pub struct Model {
    /// Places of the decoder's weights.
    pub weights: DecoderWeights<GradWeights>,
    /// All parameters.
    pub parameters: Vec<Parameter>,
    /// What is added to matrices.
    pub adapters: Vec<Adapter>,
}

impl Model {
    /// Loads a source's tensors.
    pub fn load(
        config: &ModelConfig,
        source: &dyn WeightSource,
        trained: &Trained,
    ) -> Result<Self> {
        let mut loader = GradLoader {
            trained: matches!(trained, Trained::All),
            adapted: BTreeMap::new(),
            parameters: Vec::new(),
        };
        let mut names = Vec::new();
        if let Trained::Adapter(options) = trained {
            names = targets(config, source, options)?;
            loader.adapted = names.iter().cloned().zip(0..).collect();
        }
        let weights = load_weights(&mut loader, config, source)?;
        let mut model = Self {
            weights,
            parameters: loader.parameters,
            adapters: Vec::new(),
        };
        if let Trained::Adapter(options) = trained {
            model.add_adapters(&names, options)?;
            model.add_rows(config, options)?;
        }
        Ok(model)
    }

    /// Features of a token between blocks.
    pub fn hidden(&self) -> usize {
        self.parameters[self.weights.embedding].shape[1]
    }

    /// The parameter that holds trained rows of a table.
    pub fn rows_of(&self, table: Id) -> Option<Id> {
        self.parameters
            .iter()
            .position(|p| p.rows_of.as_ref().is_some_and(|(of, _)| *of == table))
    }

    fn add_adapters(&mut self, names: &[String], options: &AdapterOptions) -> Result<()> {
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        for name in names {
            let matrix = self
                .parameters
                .iter()
                .find(|parameter| parameter.name == *name)
                .ok_or(ModelError::internal("an adapter's matrix is a parameter"))?;
            let (rows, columns) = (matrix.shape[0], matrix.shape[1]);
            let module = name.trim_end_matches(".weight");
            // As PEFT begins: `a` uniform with the variance 1 / (3 in), `b` zero.
            let bound = 1.0 / (columns as f32).sqrt();
            let draws = (0..options.rank * columns).map(|_| random.random_range(-bound..bound));
            let a = Parameter {
                name: format!("{module}.lora_A.weight"),
                shape: vec![options.rank, columns],
                trained: true,
                decayed: true,
                interleaved: None,
                rows_of: None,
                values: draws.collect(),
            };
            let b = Parameter {
                name: format!("{module}.lora_B.weight"),
                shape: vec![rows, options.rank],
                values: vec![0.0; rows * options.rank],
                interleaved: matrix.interleaved,
                ..a.clone()
            };
            let id = self.parameters.len();
            self.parameters.extend([a, b]);
            self.adapters.push(Adapter {
                a: id,
                b: id + 1,
                scale: options.alpha / options.rank as f32,
                merged: false,
            });
        }
        Ok(())
    }

    fn add_rows(&mut self, config: &ModelConfig, options: &AdapterOptions) -> Result<()> {
        if options.rows.is_empty() {
            return Ok(());
        }
        let mut ids: Vec<u32> = options.rows.iter().map(|token| token.0).collect();
        ids.sort_unstable();
        ids.dedup();
        if let Some(token) = ids.iter().find(|id| **id as usize >= config.vocabulary) {
            return Err(ModelError::UnknownToken {
                token: *token,
                vocabulary: config.vocabulary,
            });
        }
        let mut tables = vec![self.weights.embedding, self.weights.head.weight];
        tables.dedup();
        for table in tables {
            let from = &self.parameters[table];
            let hidden = from.shape[1];
            let rows = ids
                .iter()
                .map(|id| &from.values[*id as usize * hidden..][..hidden]);
            let parameter = Parameter {
                name: format!("{}.rows", from.name),
                shape: vec![ids.len(), hidden],
                trained: true,
                decayed: true,
                interleaved: None,
                rows_of: Some((table, ids.clone())),
                values: rows.flatten().copied().collect(),
            };
            self.parameters.push(parameter);
        }
        Ok(())
    }

    /// Puts trained rows into their tables.
    pub fn place_rows(&mut self) {
        for index in 0..self.parameters.len() {
            let Some((table, ids)) = self.parameters[index].rows_of.clone() else {
                continue;
            };
            let values = std::mem::take(&mut self.parameters[index].values);
            let hidden = self.parameters[index].shape[1];
            for (id, row) in ids.iter().zip(values.chunks_exact(hidden)) {
                self.parameters[table].values[*id as usize * hidden..][..hidden]
                    .copy_from_slice(row);
            }
            self.parameters[index].values = values;
        }
    }
}

/// The names of the matrices that get an adapter, in the order of the layers.
fn targets(
    config: &ModelConfig,
    source: &dyn WeightSource,
    options: &AdapterOptions,
) -> Result<Vec<String>> {
    if options.rank == 0 || !(options.alpha.is_finite() && options.alpha > 0.0) {
        return Err(ModelError::Training(format!(
            "an adapter's rank and alpha: expected positive numbers, found {} and {}",
            options.rank, options.alpha
        )));
    }
    let mut names = Vec::new();
    for layer in 0..config.layers {
        for part in &options.targets {
            let name = TensorName::weight(layer, *part).spell(config.family, source.naming());
            let name = name.ok_or_else(|| {
                ModelError::Training(format!(
                    "an adapter's targets: the family {} has no {part:?}",
                    config.family.name()
                ))
            })?;
            if source.tensor(&name)?.shape.len() != 2 {
                return Err(ModelError::Training(format!(
                    "an adapter's targets: expected matrices, found {part:?}"
                )));
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}
