//! The training engine on the tensor library's devices.

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{D, DType, Device, Tensor, Var};

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

/// Bytes of logits that exist together.
const LOGIT_BYTES: usize = 256 << 20;

/// Parameters on a device and their gradients.
pub struct Engine {
    device: Device,
    dtype: DType,
    recompute: usize,
    tensors: Vec<Tensor>,
    variables: Vec<Option<Var>>,
    gradients: Vec<Option<Tensor>>,
}

/// What the backward pass needs of a forward pass.
pub struct Saved {
    ids: Tensor,
    tokens: Vec<u32>,
    length: usize,
    segments: Vec<Segment>,
    last: Tensor,
    wanted: Wanted,
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
    pub fn set_decoder_values(&mut self, model: &Model, id: Id, values: Vec<f32>) -> Result<()> {
        let tensor = self.tensor(values, &model.parameters[id].shape)?;
        match &self.variables[id] {
            Some(variable) => variable.set(&tensor)?,
            None => self.tensors[id] = tensor,
        }
        self.place_rows(model)
    }

    /// Replaces a parameter's values, rows in the source's order.
    pub fn set_values(&mut self, model: &mut Model, id: Id, values: &[f32]) -> Result<()> {
        let mut parameter = Parameter {
            values: vec![0.0; values.len()],
            ..model.parameters[id].clone()
        };
        parameter.set_source_values(values);
        self.set_decoder_values(model, id, parameter.values)
    }

    /// Puts trained rows into their tables.
    fn place_rows(&mut self, model: &Model) -> Result<()> {
        for (id, parameter) in model.parameters.iter().enumerate() {
            let Some((table, rows)) = &parameter.rows_of else {
                continue;
            };
            let index = Tensor::new(rows.as_slice(), &self.device)?;
            let old = self.tensors[*table].index_select(&index, 0)?;
            let change = (self.tensors[id].detach() - old)?;
            self.tensors[*table] = self.tensors[*table].index_add(&index, &change, 0)?.detach();
            // A sum of differences may round; the row itself is what was trained.
            let columns = parameter.shape[1];
            for (place, row) in rows.iter().enumerate() {
                let row = *row as usize;
                let exact = self.tensors[id].detach().narrow(0, place, 1)?;
                self.tensors[*table] =
                    self.tensors[*table].slice_assign(&[row..row + 1, 0..columns], &exact)?;
            }
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
        self.place_rows(model)
    }

    fn pass(
        &self,
        config: &ModelConfig,
        model: &'_ Model,
        length: usize,
    ) -> Result<DevicePass<'_>> {
        let rope = RopeTables::new(config, length);
        let (cos, sin) = rope.rows(0..length);
        let angles = |values: &[f32]| {
            Tensor::from_slice(values, (length, config.head_dim / 2), &self.device)
        };
        Ok(DevicePass {
            tensors: &self.tensors,
            adapters: model.adapters.clone(),
            dtype: self.dtype,
            shape: HeadShape {
                heads: config.heads,
                kv_heads: config.kv_heads,
                head_dim: config.head_dim,
            },
            epsilon: f64::from(config.norm_epsilon),
            length,
            angles: (angles(cos)?, angles(sin)?),
            mask: causal_mask(length, 0, config.sliding_window, &self.device)?,
        })
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
        let mut pass = self.pass(config, model, length)?;
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
            length,
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

    /// Tokens of the vocabulary whose logits exist together for this many rows.
    fn chunk(&self, rows: usize, vocabulary: usize) -> usize {
        (LOGIT_BYTES / 4 / rows.max(1)).clamp(256, vocabulary.max(256))
    }

    fn log_probabilities(
        &self,
        pass: &mut DevicePass<'_>,
        model: &Model,
        x: &Tensor,
        rows: &Tensor,
        targets: &Tensor,
    ) -> Result<(Scores, Tensor)> {
        let count = rows.dims()[0];
        if count == 0 {
            let scores = Scores {
                log_probabilities: Vec::new(),
                correct: Vec::new(),
            };
            return Ok((scores, rows.to_dtype(DType::F32)?));
        }
        let hidden = pass
            .norm(&x.index_select(rows, 0)?, &model.weights.output_norm)?
            .detach();
        let head = self.tensors[model.weights.head.weight].detach();
        let vocabulary = head.dims()[0];
        let (mut largest, mut totals, mut picked): (
            Option<Tensor>,
            Option<Tensor>,
            Option<Tensor>,
        ) = (None, None, None);
        let chunk = self.chunk(count, vocabulary);
        for start in (0..vocabulary).step_by(chunk) {
            let width = chunk.min(vocabulary - start);
            let logits = pass.product(&hidden, &head.narrow(0, start, width)?)?;
            let (inside, index) = inside(targets, start, width)?;
            let own = (logits.gather(&index, D::Minus1)? * &inside)?;
            picked = Some(match picked {
                None => own,
                Some(sum) => (sum + own)?,
            });
            let top = logits.max_keepdim(D::Minus1)?;
            let new = match &largest {
                None => top,
                Some(old) => old.maximum(&top)?,
            };
            let added = logits.broadcast_sub(&new)?.exp()?.sum_keepdim(D::Minus1)?;
            totals = Some(match (totals, &largest) {
                (Some(sum), Some(old)) => ((sum * (old - &new)?.exp()?)? + added)?,
                _ => added,
            });
            largest = Some(new);
        }
        let empty = || ModelError::internal("a vocabulary has tokens");
        let (largest, totals) = (largest.ok_or_else(empty)?, totals.ok_or_else(empty)?);
        let picked = picked.ok_or_else(empty)?;
        let sums = (&largest + totals.log()?)?;
        let found = (&picked - &sums)?.flatten_all()?;
        let correct = picked.ge(&largest)?.flatten_all()?.to_vec1::<u8>()?;
        let scores = Scores {
            log_probabilities: found.to_vec1()?,
            correct: correct.into_iter().map(|yes| yes != 0).collect(),
        };
        Ok((scores, sums))
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
                    let mut pass = self.pass(config, model, saved.length)?;
                    layers_of(&mut pass, model, segment.layers, &segment.input)?
                }
            };
            let found = (output * d_x)?.sum_all()?.backward()?;
            d_x = found
                .get(segment.input.as_tensor())
                .ok_or(ModelError::internal("a block passes gradients on"))?
                .detach();
            for (tensor, gradient) in self.tensors.iter().zip(&mut self.gradients) {
                if let (Some(sum), Some(found)) = (gradient.as_mut(), found.get(tensor)) {
                    *sum = (&*sum + found.detach())?;
                }
            }
        }
        self.embed_backward(model, &saved.ids, &saved.tokens, &d_x)
    }

    fn wanted_backward(
        &mut self,
        config: &ModelConfig,
        model: &Model,
        saved: &Saved,
        coefficients: &[f32],
    ) -> Result<Tensor> {
        let d_last = saved.last.zeros_like()?;
        if coefficients.is_empty() {
            return Ok(d_last);
        }
        let input = Var::from_tensor(&saved.last.index_select(&saved.wanted.rows, 0)?)?;
        let mut pass = self.pass(config, model, saved.length)?;
        let normed = pass.norm(input.as_tensor(), &model.weights.output_norm)?;
        let count = coefficients.len();
        let coefficients = Tensor::from_slice(coefficients, (count, 1), &self.device)?;
        let id = model.weights.head.weight;
        let head = self.tensors[id].detach();
        let (vocabulary, hidden) = (head.dims()[0], normed.detach());
        let mut d_normed = hidden.zeros_like()?;
        let mut d_head = Vec::new();
        let chunk = self.chunk(count, vocabulary);
        let whole = self.gradients[id].is_some() || model.rows_of(id).is_some();
        for start in (0..vocabulary).step_by(chunk) {
            let width = chunk.min(vocabulary - start);
            let weight = head.narrow(0, start, width)?;
            let logits = pass.product(&hidden, &weight)?;
            let chances = logits.broadcast_sub(&saved.wanted.sums)?.exp()?;
            let (inside, index) = inside(&saved.wanted.targets, start, width)?;
            let d_logits = chances.neg()?.scatter_add(&index, &inside, D::Minus1)?;
            let d_logits = d_logits.broadcast_mul(&coefficients)?;
            d_normed = (d_normed + pass.product(&d_logits, &weight.t()?.contiguous()?)?)?;
            if whole {
                let (left, right) = (d_logits.t()?.contiguous()?, hidden.t()?.contiguous()?);
                d_head.push(pass.product(&left, &right)?);
            }
        }
        let found = (normed * d_normed)?.sum_all()?.backward()?;
        let d_input = found
            .get(input.as_tensor())
            .ok_or(ModelError::internal("a norm passes gradients on"))?
            .detach();
        for (tensor, gradient) in self.tensors.iter().zip(&mut self.gradients) {
            if let (Some(sum), Some(found)) = (gradient.as_mut(), found.get(tensor)) {
                *sum = (&*sum + found.detach())?;
            }
        }
        if whole {
            self.add_rows(model, id, &Tensor::cat(&d_head, 0)?)?;
        }
        Ok(d_last.index_add(&saved.wanted.rows, &d_input, 0)?)
    }

    fn embed_backward(
        &mut self,
        model: &Model,
        ids: &Tensor,
        tokens: &[u32],
        d_x: &Tensor,
    ) -> Result<()> {
        let table = model.weights.embedding;
        if let Some(sum) = &mut self.gradients[table] {
            *sum = sum.index_add(ids, d_x, 0)?;
        } else if model.rows_of(table).is_some() && !tokens.is_empty() {
            let all = self.tensors[table].zeros_like()?.index_add(ids, d_x, 0)?;
            self.add_rows(model, table, &all)?;
        }
        Ok(())
    }

    /// Adds the gradient of a table to it, or to its trained rows.
    fn add_rows(&mut self, model: &Model, table: Id, gradient: &Tensor) -> Result<()> {
        if let Some(sum) = &mut self.gradients[table] {
            *sum = (&*sum + gradient)?;
        } else if let Some(id) = model.rows_of(table)
            && let (Some((_, rows)), Some(sum)) =
                (&model.parameters[id].rows_of, &mut self.gradients[id])
        {
            let index = Tensor::new(rows.as_slice(), &self.device)?;
            *sum = (&*sum + gradient.index_select(&index, 0)?)?;
        }
        Ok(())
    }
}

/// 1 where a target lies in a chunk of the vocabulary, and its place there; 0 and any place
/// elsewhere. `[rows, 1]` each.
fn inside(targets: &Tensor, start: usize, width: usize) -> Result<(Tensor, Tensor)> {
    let device = targets.device();
    let targets: Vec<u32> = targets.to_vec1()?;
    let place = |target: &u32| (*target as usize).checked_sub(start).filter(|i| *i < width);
    let inside: Vec<f32> = targets
        .iter()
        .map(|target| if place(target).is_some() { 1.0 } else { 0.0 })
        .collect();
    let index: Vec<u32> = targets
        .iter()
        .map(|target| place(target).unwrap_or(0) as u32)
        .collect();
    let count = targets.len();
    Ok((
        Tensor::from_vec(inside, (count, 1), device)?,
        Tensor::from_vec(index, (count, 1), device)?,
    ))
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
