//! The training engine on the tensor library's devices.

#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};

use super::adam::Moments;
use super::batch::Batch;
use super::model::Model;
use super::{Options, Precision, Scores};
use crate::config::ModelConfig;
use crate::decoder::network;
use crate::error::{ModelError, Result};
use crate::kernels::layer_kv::HeadShape;
use crate::kernels::train::adam::AdamStep;
use crate::ops::Ops;
use crate::ops::device::causal_mask;
use crate::ops::grad::device::DevicePass;
use crate::ops::grad::{Id, Parameter};
use crate::rope::RopeTables;

/// Parameters on a device and their gradients.
pub struct Engine {
    device: Device,
    dtype: DType,
    recompute: usize,
    /// Bytes of logits that exist together, and tokens of a chunk of them at least.
    chunks: (usize, usize),
    tensors: Vec<Tensor>,
    variables: Vec<Option<Var>>,
    gradients: Vec<Option<Tensor>>,
}

/// What the backward pass needs of a forward pass.
pub struct Saved {
    ids: Tensor,
    tokens: Vec<u32>,
    positions: Positions,
    segments: Vec<Segment>,
    last: Tensor,
    wanted: Wanted,
}

/// What a pass knows of places in a sequence; cheap to copy.
#[derive(Clone)]
struct Positions {
    length: usize,
    angles: (Tensor, Tensor),
    mask: Tensor,
}

/// Some layers: their input, and their output with its graph unless it will be made again.
struct Segment {
    layers: Range<usize>,
    input: Var,
    output: Option<Tensor>,
}

struct Wanted {
    rows: Tensor,
    targets: Tensor,
    sums: Tensor,
}

impl Engine {
    /// Moves a model's parameters to the device.
    pub fn new(options: &Options, model: &mut Model) -> Result<Self> {
        let mut engine = Self {
            device: options.device.clone(),
            dtype: match options.precision {
                Precision::F32 => DType::F32,
                Precision::Bf16 => DType::BF16,
            },
            recompute: options.recompute,
            chunks: (vocabulary::LOGIT_BYTES, vocabulary::NARROWEST),
            tensors: Vec::new(),
            variables: Vec::new(),
            gradients: Vec::new(),
        };
        for parameter in &mut model.parameters {
            let values = std::mem::take(&mut parameter.values);
            let tensor = engine.tensor(values, &parameter.shape)?;
            let (tensor, variable, gradient) = if parameter.trained {
                let variable = Var::from_tensor(&tensor)?;
                let gradient = tensor.zeros_like()?;
                (variable.as_tensor().clone(), Some(variable), Some(gradient))
            } else {
                (tensor, None, None)
            };
            engine.tensors.push(tensor);
            engine.variables.push(variable);
            engine.gradients.push(gradient);
        }
        Ok(engine)
    }

    /// A tensor on the device.
    pub fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_vec(values, shape, &self.device)?)
    }

    /// A parameter's values, rows in the decoder's order.
    pub fn decoder_values(&self, id: Id) -> Result<Vec<f32>> {
        Ok(self.tensors[id].flatten_all()?.to_vec1()?)
    }

    /// A parameter's values, rows in the source's order.
    pub fn values(&self, model: &Model, id: Id) -> Result<Vec<f32>> {
        let parameter = Parameter {
            values: self.decoder_values(id)?,
            ..model.parameters[id].clone()
        };
        Ok(parameter.source_values())
    }

    /// Replaces a parameter's values, rows in the decoder's order.
    pub fn set_decoder_values(&mut self, model: &Model, id: Id, values: &[f32]) -> Result<()> {
        let shape = &model.parameters[id].shape[..];
        let tensor = Tensor::from_slice(values, shape, &self.device)?;
        match &self.variables[id] {
            Some(variable) => variable.set(&tensor)?,
            None => self.tensors[id] = tensor,
        }
        for rows in places(model).filter(|rows| rows.id == id || rows.table == id) {
            self.place(&rows)?;
        }
        Ok(())
    }

    /// Replaces a parameter's values, rows in the source's order.
    pub fn set_values(&mut self, model: &mut Model, id: Id, values: &[f32]) -> Result<()> {
        let mut parameter = Parameter {
            values: Vec::new(),
            ..model.parameters[id].clone()
        };
        parameter.set_source_values(values);
        self.set_decoder_values(model, id, &parameter.values)
    }

    /// Puts trained rows into their table, in place: it may be gigabytes. No graph goes back through
    /// a table whose rows are trained.
    fn place(&self, rows: &Rows<'_>) -> Result<()> {
        let values = self.tensors[rows.id].detach();
        for (place, row) in rows.tokens.iter().enumerate() {
            let row = *row as usize;
            self.tensors[rows.table].slice_set(&values.narrow(0, place, 1)?, 0, row)?;
        }
        Ok(())
    }

    /// The gradient summed so far, rows in the decoder's order.
    pub fn gradient(&self, id: Id) -> Result<Option<Vec<f32>>> {
        let gradient = self.gradients[id].as_ref();
        Ok(gradient.map(|g| g.flatten_all()?.to_vec1()).transpose()?)
    }

    /// The norm of all gradients together.
    pub fn gradient_norm(&self) -> Result<f64> {
        let mut total = 0.0;
        for gradient in self.gradients.iter().flatten() {
            total += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        Ok(total.sqrt())
    }

    /// Begins a new sum.
    pub fn clear(&mut self) -> Result<()> {
        for gradient in self.gradients.iter_mut().flatten() {
            *gradient = gradient.zeros_like()?;
        }
        Ok(())
    }

    /// Adds what a backward pass found.
    fn gather(&mut self, found: &GradStore) -> Result<()> {
        for (tensor, gradient) in self.tensors.iter().zip(&mut self.gradients) {
            if let (Some(sum), Some(found)) = (gradient.as_mut(), found.get(tensor)) {
                *sum = (&*sum + found.detach())?;
            }
        }
        Ok(())
    }

    /// One step of AdamW.
    pub fn adam(
        &mut self,
        model: &Model,
        moments: &mut BTreeMap<usize, Moments>,
        step: impl Fn(bool) -> AdamStep,
    ) -> Result<()> {
        for (id, gradient) in self.gradients.iter().enumerate() {
            let (Some(gradient), Some(variable)) = (gradient, &self.variables[id]) else {
                continue;
            };
            let step = step(model.parameters[id].decayed);
            let (beta1, beta2) = (f64::from(step.beta1), f64::from(step.beta2));
            let gradient = (gradient * f64::from(step.scale))?;
            let (first, second) = match moments.get(&id) {
                Some(Moments::Device { first, second }) => (first.clone(), second.clone()),
                Some(Moments::Cpu { .. }) => {
                    return Err(ModelError::internal("moments live where their model does"));
                }
                None => (gradient.zeros_like()?, gradient.zeros_like()?),
            };
            let first = (&first + ((&gradient - &first)? * (1.0 - beta1))?)?;
            let second = ((second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
            let root = (second.sqrt()? / f64::from(step.correction))?;
            let change = (&first / (root + f64::from(step.epsilon))?)?;
            let kept = (variable.as_tensor().detach() * f64::from(step.decay))?;
            variable.set(&(kept - (change * f64::from(step.rate))?)?)?;
            moments.insert(id, Moments::Device { first, second });
        }
        places(model).try_for_each(|rows| self.place(&rows))
    }

    fn positions(&self, config: &ModelConfig, length: usize) -> Result<Positions> {
        let rope = RopeTables::new(config, length);
        let (cos, sin) = rope.rows(0..length);
        let angles = |values: &[f32]| {
            Tensor::from_slice(values, (length, config.head_dim / 2), &self.device)
        };
        Ok(Positions {
            length,
            angles: (angles(cos)?, angles(sin)?),
            mask: causal_mask(length, 0, config.sliding_window, &self.device)?,
        })
    }

    fn pass<'a>(
        &'a self,
        config: &ModelConfig,
        model: &'a Model,
        positions: &Positions,
    ) -> DevicePass<'a> {
        let Positions {
            length,
            angles,
            mask,
        } = positions.clone();
        DevicePass {
            tensors: &self.tensors,
            adapters: &model.adapters,
            dtype: self.dtype,
            shape: HeadShape {
                heads: config.heads,
                kv_heads: config.kv_heads,
                head_dim: config.head_dim,
            },
            epsilon: f64::from(config.norm_epsilon),
            length,
            angles,
            mask,
        }
    }

    /// Log-probabilities of the wanted tokens; with `keep`, also what the backward pass needs.
    pub fn forward(
        &self,
        config: &ModelConfig,
        model: &Model,
        batch: &Batch,
        keep: bool,
    ) -> Result<(Scores, Option<Saved>)> {
        let lengths = batch.sequences().iter().map(|s| s.tokens.len());
        let length = lengths.max().unwrap_or(0);
        let mut tokens = Vec::with_capacity(length * batch.sequences().len());
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for sequence in batch.sequences() {
            let start = tokens.len();
            tokens.extend(sequence.tokens.iter().map(|token| token.0));
            tokens.resize(start + length, 0);
            for position in sequence.wanted.iter().flat_map(Clone::clone) {
                rows.push((start + position) as u32);
                targets.push(sequence.tokens[position + 1].0);
            }
        }
        let positions = self.positions(config, length)?;
        let mut pass = self.pass(config, model, &positions);
        let mut x = pass.embed(&model.weights.embedding, &tokens)?.detach();
        let mut segments = Vec::new();
        let step = self.recompute.max(1);
        for start in (0..config.layers).step_by(step) {
            let layers = start..config.layers.min(start + step);
            let input = Var::from_tensor(&x)?;
            let output = layers_of(&mut pass, model, layers.clone(), &input)?;
            x = output.detach();
            if keep {
                segments.push(Segment {
                    layers,
                    input,
                    output: (self.recompute == 0).then_some(output),
                });
            }
        }
        let wanted_rows = Tensor::new(rows, &self.device)?;
        let targets = Tensor::new(targets, &self.device)?;
        let (found, sums) = self.log_probabilities(&mut pass, model, &x, &wanted_rows, &targets)?;
        let saved = Saved {
            ids: Tensor::new(tokens.as_slice(), &self.device)?,
            tokens,
            positions,
            segments,
            last: x,
            wanted: Wanted {
                rows: wanted_rows,
                targets,
                sums,
            },
        };
        Ok((found, keep.then_some(saved)))
    }

    /// Adds the gradients of a loss whose derivative by each log-probability is its coefficient.
    pub fn backward(
        &mut self,
        config: &ModelConfig,
        model: &Model,
        saved: Saved,
        coefficients: &[f32],
    ) -> Result<()> {
        let mut d_x = self.wanted_backward(config, model, &saved, coefficients)?;
        let mut segments = saved.segments;
        while let Some(segment) = segments.pop() {
            let output = match segment.output {
                Some(output) => output,
                None => {
                    let mut pass = self.pass(config, model, &saved.positions);
                    layers_of(&mut pass, model, segment.layers, &segment.input)?
                }
            };
            let found = (output * d_x)?.sum_all()?.backward()?;
            d_x = found
                .get(segment.input.as_tensor())
                .ok_or(ModelError::internal("a block passes gradients on"))?
                .detach();
            self.gather(&found)?;
        }
        self.embed_backward(model, &saved.ids, &saved.tokens, &d_x)
    }
}

/// Trained rows, and the table that they are of.
struct Rows<'a> {
    id: Id,
    table: Id,
    tokens: &'a [u32],
}

fn places(model: &Model) -> impl Iterator<Item = Rows<'_>> {
    let parameters = model.parameters.iter().enumerate();
    parameters.filter_map(|(id, parameter)| {
        let (table, tokens) = parameter.rows_of.as_ref()?;
        let table = *table;
        Some(Rows { id, table, tokens })
    })
}

fn layers_of(
    pass: &mut DevicePass<'_>,
    model: &Model,
    layers: Range<usize>,
    input: &Var,
) -> Result<Tensor> {
    let mut x = input.as_tensor().clone();
    for index in layers {
        x = network::block(pass, index, &model.weights.layers[index], x)?;
    }
    Ok(x)
}
