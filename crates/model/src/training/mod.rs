//! The decoder for training: log-probabilities of wanted tokens, and the gradients of whatever an
//! objective makes of them.
//!
//! The network is [`crate::decoder::network`], as for serving. On the CPU it runs on our kernels
//! with backward passes of our own ([`crate::ops::grad::cpu`]), elsewhere on the tensor library's
//! operations ([`crate::ops::grad::device`]). On the CPU every sum has an order of its own, whatever
//! the number of threads, and gradients are summed by sequence: the same rows in the same order give
//! the same bits, in one batch or in many.

mod adam;
mod adapter;
mod batch;
mod cpu;
mod device;
mod model;

pub use adam::{AdamSettings, AdamState, AdamW, Exported, clip_factor};
pub use batch::{Batch, Sequence};

use candle_core::Device;

pub use crate::kernels::train::panels::Precision;

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::ops::grad::{Id, Parameter};
use crate::tokens::TokenId;
use crate::weights::{LayerPart, WeightSource};
use model::Model;

/// What is trained, where, and in which precision.
#[derive(Clone, Debug)]
pub struct Options {
    /// Parameters that change.
    pub trained: Trained,
    /// What products are computed in; parameters, sums and optimiser states are `f32`.
    pub precision: Precision,
    /// 0 keeps what the backward pass needs. `n` keeps the input of every `n`-th layer and computes
    /// the layers behind it again: less memory, one more forward pass, the same bits.
    pub recompute: usize,
    /// Where to compute.
    pub device: Device,
    /// Compute with the tensor library on the CPU too: a second opinion on its kernels.
    pub tensors: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trained: Trained::All,
            precision: Precision::F32,
            recompute: 0,
            device: Device::Cpu,
            tensors: false,
        }
    }
}

/// Parameters that change.
#[derive(Clone, Debug)]
pub enum Trained {
    /// Every one.
    All,
    /// Low-rank additions to matrices, and some rows of the embedding and the head.
    Adapter(AdapterOptions),
}

/// A low-rank adapter (LoRA) without dropout.
#[derive(Clone, Debug)]
pub struct AdapterOptions {
    /// Rows of `a` and columns of `b` in `W + alpha / rank * b a`.
    pub rank: usize,
    /// See `rank`.
    pub alpha: f32,
    /// The matrices of every layer that get one.
    pub targets: Vec<LayerPart>,
    /// Tokens whose rows of the embedding and of the head are trained.
    pub rows: Vec<TokenId>,
    /// What `a` is drawn from.
    pub seed: u64,
}

/// What a forward pass finds, in the order of the batch's wanted positions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Natural logarithm of the probability of the token that follows.
    pub log_probabilities: Vec<f32>,
}

/// A forward pass that waits for its backward pass.
pub struct Forward {
    scores: Scores,
    saved: Saved,
}

enum Saved {
    Cpu(Box<cpu::Saved>),
    Device(Box<device::Saved>),
}

impl Forward {
    /// What it found.
    pub fn scores(&self) -> &Scores {
        &self.scores
    }
}

enum Engine {
    Cpu(Box<cpu::Engine>),
    Device(Box<device::Engine>),
}

/// A model that is trained.
pub struct GradDecoder {
    config: ModelConfig,
    model: Model,
    engine: Engine,
    /// The matrices as they were before the adapters were merged into them.
    unmerged: Option<Vec<(Id, Vec<f32>)>>,
}

impl GradDecoder {
    /// Loads a source's tensors as parameters, in `f32`.
    ///
    /// # Errors
    /// As [`crate::decoder::load::load_weights`]; [`ModelError::Training`] for an adapter that does
    /// not fit the model, [`ModelError::UnknownToken`] for rows that it lacks.
    pub fn load(config: ModelConfig, source: &dyn WeightSource, options: &Options) -> Result<Self> {
        let mut model = Model::load(&config, source, &options.trained)?;
        let engine = match options.device {
            Device::Cpu if !options.tensors => {
                Engine::Cpu(Box::new(cpu::Engine::new(&config, options, &model)))
            }
            _ => Engine::Device(Box::new(device::Engine::new(options, &mut model)?)),
        };
        Ok(Self {
            config,
            model,
            engine,
            unmerged: None,
        })
    }

    /// The architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Every parameter, trained or frozen. On a device their values are to be asked of
    /// [`GradDecoder::values`].
    pub fn parameters(&self) -> &[Parameter] {
        &self.model.parameters
    }

    /// Numbers that are trained.
    pub fn trained_values(&self) -> usize {
        let trained = self.model.parameters.iter().filter(|p| p.trained);
        trained.map(|p| p.shape.iter().product::<usize>()).sum()
    }

    fn id(&self, name: &str) -> Result<Id> {
        let found = self.model.parameters.iter().position(|p| p.name == name);
        found.ok_or_else(|| ModelError::Training(format!("the model has no parameter `{name}`")))
    }

    /// A parameter's values, rows in the source's order.
    ///
    /// # Errors
    /// [`ModelError::Training`] for an unknown name, and what the device reports.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let id = self.id(name)?;
        match &self.engine {
            Engine::Cpu(_) => Ok(self.model.parameters[id].source_values()),
            Engine::Device(engine) => engine.values(&self.model, id),
        }
    }

    /// Replaces a parameter's values, rows in the source's order.
    ///
    /// # Errors
    /// [`ModelError::Training`] for an unknown name or another number of values.
    pub fn set_values(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let id = self.id(name)?;
        let expected: usize = self.model.parameters[id].shape.iter().product();
        if values.len() != expected {
            return Err(ModelError::Training(format!(
                "parameter `{name}`: expected {expected} values, found {}",
                values.len()
            )));
        }
        match &mut self.engine {
            Engine::Cpu(_) => {
                self.model.parameters[id].set_source_values(values);
                self.model.place_rows();
                Ok(())
            }
            Engine::Device(engine) => engine.set_values(&mut self.model, id, values),
        }
    }

    /// The gradient summed so far, rows in the source's order; `None` for a frozen parameter.
    ///
    /// # Errors
    /// As [`GradDecoder::values`].
    pub fn gradient(&mut self, name: &str) -> Result<Option<Vec<f32>>> {
        let id = self.id(name)?;
        let gradient = match &mut self.engine {
            Engine::Cpu(engine) => engine.gradients(&self.model)[id].clone(),
            Engine::Device(engine) => engine.gradient(id)?,
        };
        Ok(gradient.map(|values| {
            let shaped = Parameter {
                values,
                ..self.model.parameters[id].clone()
            };
            shaped.source_values()
        }))
    }

    /// Log-probabilities of the wanted tokens, and nothing kept: for references and evaluation.
    ///
    /// # Errors
    /// What the device reports.
    pub fn score(&self, batch: &Batch) -> Result<Scores> {
        match &self.engine {
            Engine::Cpu(engine) => Ok(engine.forward(&self.config, &self.model, batch, false)?.0),
            Engine::Device(engine) => {
                Ok(engine.forward(&self.config, &self.model, batch, false)?.0)
            }
        }
    }

    /// Log-probabilities of the wanted tokens, and what their backward pass needs.
    ///
    /// # Errors
    /// What the device reports.
    pub fn forward(&self, batch: &Batch) -> Result<Forward> {
        let unkept = ModelError::internal("a forward pass that keeps its record has one");
        let (scores, saved) = match &self.engine {
            Engine::Cpu(engine) => {
                let (scores, saved) = engine.forward(&self.config, &self.model, batch, true)?;
                (scores, saved.map(|saved| Saved::Cpu(Box::new(saved))))
            }
            Engine::Device(engine) => {
                let (scores, saved) = engine.forward(&self.config, &self.model, batch, true)?;
                (scores, saved.map(|saved| Saved::Device(Box::new(saved))))
            }
        };
        Ok(Forward {
            scores,
            saved: saved.ok_or(unkept)?,
        })
    }

    /// Adds to the gradients those of a loss, given its derivative by each log-probability.
    ///
    /// # Errors
    /// [`ModelError::Training`] for another number of coefficients than log-probabilities, or while
    /// adapters are merged; what the device reports.
    pub fn backward(&mut self, forward: Forward, coefficients: &[f32]) -> Result<()> {
        let expected = forward.scores.log_probabilities.len();
        if coefficients.len() != expected {
            return Err(ModelError::Training(format!(
                "a coefficient for each log-probability: expected {expected}, found {}",
                coefficients.len()
            )));
        }
        if self.unmerged.is_some() {
            return Err(ModelError::Training(
                "adapters are merged; take them out before training goes on".into(),
            ));
        }
        match (&mut self.engine, forward.saved) {
            (Engine::Cpu(engine), Saved::Cpu(saved)) => {
                engine.backward(&self.model, *saved, coefficients)
            }
            (Engine::Device(engine), Saved::Device(saved)) => {
                engine.backward(&self.config, &self.model, *saved, coefficients)
            }
            _ => Err(ModelError::internal(
                "a pass belongs to the model that made it",
            )),
        }
    }

    /// The norm of all gradients together. NaN or infinity where one of them is: do not apply such
    /// gradients.
    ///
    /// # Errors
    /// What the device reports.
    pub fn gradient_norm(&mut self) -> Result<f64> {
        match &mut self.engine {
            Engine::Cpu(engine) => {
                let gradients = engine.gradients(&self.model).iter().flatten();
                let squares = gradients.map(|g| crate::kernels::train::adam::sum_of_squares(g));
                Ok(squares.sum::<f64>().sqrt())
            }
            Engine::Device(engine) => engine.gradient_norm(),
        }
    }

    /// Begins a new sum of gradients.
    ///
    /// # Errors
    /// What the device reports.
    pub fn clear_gradients(&mut self) -> Result<()> {
        match &mut self.engine {
            Engine::Cpu(engine) => {
                engine.clear();
                Ok(())
            }
            Engine::Device(engine) => engine.clear(),
        }
    }

    fn decoder_values(&self, id: Id) -> Result<Vec<f32>> {
        match &self.engine {
            Engine::Cpu(_) => Ok(self.model.parameters[id].values.clone()),
            Engine::Device(engine) => engine.decoder_values(id),
        }
    }

    fn set_decoder_values(&mut self, id: Id, values: &[f32]) -> Result<()> {
        match &mut self.engine {
            Engine::Cpu(_) => {
                self.model.parameters[id].values.copy_from_slice(values);
                Ok(())
            }
            Engine::Device(engine) => engine.set_decoder_values(&self.model, id, values),
        }
    }
}
