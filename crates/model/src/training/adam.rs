//! AdamW as torch computes it, over the gradients that a decoder has summed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use candle_core::Tensor;

use super::{Engine, GradDecoder};
use crate::error::{ModelError, Result};
use crate::kernels::train::adam::{AdamStep, adam};

/// What stays the same from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second mean.
    pub epsilon: f64,
    /// Times the learning rate, taken off matrices, adapters and trained rows; norms and biases do not
    /// decay.
    pub weight_decay: f64,
}

impl Default for AdamSettings {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// A tensor of the optimiser's state.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamState {
    /// `PARAMETER.first_moment` or `PARAMETER.second_moment`.
    pub name: String,
    /// The parameter's.
    pub shape: Vec<usize>,
    /// Rows in the decoder's order.
    pub values: Vec<f32>,
}

/// A tensor of the optimiser's state that stays where it is: all of them are twice the model.
pub struct Exported<'a> {
    /// See [`AdamState`].
    pub name: String,
    /// See [`AdamState`].
    pub shape: &'a [usize],
    place: Place<'a>,
}

enum Place<'a> {
    Cpu(&'a [f32]),
    Device(&'a Tensor),
}

impl Exported<'_> {
    /// Rows in the decoder's order.
    ///
    /// # Errors
    /// What the device reports.
    pub fn values(&self) -> Result<Cow<'_, [f32]>> {
        Ok(match self.place {
            Place::Cpu(values) => Cow::Borrowed(values),
            Place::Device(tensor) => Cow::Owned(tensor.flatten_all()?.to_vec1()?),
        })
    }
}

pub(super) enum Moments {
    Cpu { first: Vec<f32>, second: Vec<f32> },
    Device { first: Tensor, second: Tensor },
}

/// The optimiser and its states.
pub struct AdamW {
    settings: AdamSettings,
    steps: u64,
    /// By the parameter's place; made at the first step.
    moments: BTreeMap<usize, Moments>,
}

/// The factor that brings gradients of norm `norm` down to `largest`, as torch's
/// `clip_grad_norm_`; 1 where they are below it.
pub fn clip_factor(norm: f64, largest: f64) -> f64 {
    (largest / (norm + 1e-6)).min(1.0)
}

const FIRST: &str = "first_moment";
const SECOND: &str = "second_moment";

impl AdamW {
    /// An optimiser that has done no step.
    pub fn new(settings: AdamSettings) -> Self {
        Self {
            settings,
            steps: 0,
            moments: BTreeMap::new(),
        }
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves every trained parameter by its gradient times `factor` (of [`clip_factor`], or 1), then
    /// begins a new sum of gradients.
    ///
    /// # Errors
    /// What the device reports.
    pub fn step(
        &mut self,
        decoder: &mut GradDecoder,
        learning_rate: f64,
        factor: f64,
    ) -> Result<()> {
        self.steps += 1;
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let (first, second) = (
            1.0 - self.settings.beta1.powi(power),
            1.0 - self.settings.beta2.powi(power),
        );
        let step = |decayed: bool| AdamStep {
            rate: (learning_rate / first) as f32,
            decay: match decayed {
                true => (1.0 - learning_rate * self.settings.weight_decay) as f32,
                false => 1.0,
            },
            beta1: self.settings.beta1 as f32,
            beta2: self.settings.beta2 as f32,
            correction: second.sqrt() as f32,
            epsilon: self.settings.epsilon as f32,
            scale: factor as f32,
        };
        let GradDecoder { model, engine, .. } = decoder;
        match engine {
            Engine::Cpu(engine) => {
                let gradients = engine.gradients(model);
                for (id, gradient) in gradients.iter_mut().enumerate() {
                    let Some(gradient) = gradient else { continue };
                    let zeros = || vec![0.0; gradient.len()];
                    let moments = self.moments.entry(id).or_insert_with(|| Moments::Cpu {
                        first: zeros(),
                        second: zeros(),
                    });
                    let Moments::Cpu { first, second } = moments else {
                        return Err(ModelError::internal("moments live where their model does"));
                    };
                    let parameter = &mut model.parameters[id];
                    let step = step(parameter.decayed);
                    adam(&mut parameter.values, gradient, first, second, step);
                }
                model.place_rows();
                Ok(())
            }
            Engine::Device(engine) => {
                engine.adam(model, &mut self.moments, step)?;
                engine.clear()
            }
        }
    }

    /// The state where it lies, for a later [`AdamW::import`].
    pub fn export<'a>(&'a self, decoder: &'a GradDecoder) -> Vec<Exported<'a>> {
        let mut exported = Vec::with_capacity(2 * self.moments.len());
        for (id, moments) in &self.moments {
            let parameter = &decoder.model.parameters[*id];
            let values = match moments {
                Moments::Cpu { first, second } => [first, second].map(|m| Place::Cpu(m)),
                Moments::Device { first, second } => [first, second].map(Place::Device),
            };
            for (kind, place) in [FIRST, SECOND].into_iter().zip(values) {
                exported.push(Exported {
                    name: format!("{}.{kind}", parameter.name),
                    shape: &parameter.shape,
                    place,
                });
            }
        }
        exported
    }

    /// Goes on from an exported state after `steps` steps.
    ///
    /// # Errors
    /// [`ModelError::Training`] where a trained parameter's state is missing, of another shape, or
    /// of no parameter.
    pub fn import(
        settings: AdamSettings,
        decoder: &GradDecoder,
        steps: u64,
        states: Vec<AdamState>,
    ) -> Result<Self> {
        if states.is_empty() && steps == 0 {
            return Ok(Self::new(settings));
        }
        let mut by_name: BTreeMap<String, AdamState> = states
            .into_iter()
            .map(|state| (state.name.clone(), state))
            .collect();
        let mut moments = BTreeMap::new();
        for (id, parameter) in decoder.model.parameters.iter().enumerate() {
            if !parameter.trained {
                continue;
            }
            let mut take = |kind: &str| -> Result<Vec<f32>> {
                let name = format!("{}.{kind}", parameter.name);
                match by_name.remove(&name) {
                    Some(state)
                        if state.shape == parameter.shape
                            && state.values.len() == state.shape.iter().product::<usize>() =>
                    {
                        Ok(state.values)
                    }
                    found => Err(ModelError::Training(format!(
                        "optimiser state `{name}`: expected shape {:?}, found {}",
                        parameter.shape,
                        found.map_or("none".to_owned(), |state| format!("{:?}", state.shape))
                    ))),
                }
            };
            let (first, second) = (take(FIRST)?, take(SECOND)?);
            let moment = match &decoder.engine {
                Engine::Cpu(_) => Moments::Cpu { first, second },
                Engine::Device(engine) => Moments::Device {
                    first: engine.tensor(first, &parameter.shape)?,
                    second: engine.tensor(second, &parameter.shape)?,
                },
            };
            moments.insert(id, moment);
        }
        if let Some(name) = by_name.keys().next() {
            return Err(ModelError::Training(format!(
                "optimiser state `{name}` belongs to no trained parameter"
            )));
        }
        Ok(Self {
            settings,
            steps,
            moments,
        })
    }
}
