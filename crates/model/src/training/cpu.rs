//! The training engine on the CPU.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::Batch;
use super::model::Model;
use super::{Options, Scores};
use crate::config::ModelConfig;
use crate::decoder::network;
use crate::error::{ModelError, Result};
use crate::kernels::layer_kv::HeadShape;
use crate::kernels::train::buffer::{Buffer, Kept, Pool};
use crate::kernels::train::cross_entropy::{Head, HeadGradient, Row};
use crate::kernels::train::elementwise;
use crate::kernels::train::panels::Format;
use crate::ops::Ops;
use crate::ops::grad::cpu::{self as ops, Activation, Gradients, Pass, Settings, Tape, full};
use crate::rope::RopeTables;

/// What the engine keeps between batches.
pub struct Engine {
    settings: Settings,
    recompute: usize,
    gradients: Gradients,
    /// Gradients of single rows of the embedding, not yet added to the others: with a tied head
    /// they come last whatever the batches are, so the sums do not depend on how a step is split.
    embedded: BTreeMap<u32, Vec<f32>>,
}

/// What the backward pass needs of a forward pass.
pub struct Saved {
    batch: ops::Batch,
    tokens: Vec<u32>,
    segments: Vec<Segment>,
    wanted: Wanted,
}

/// Some layers: their input, and their record unless it will be made again.
struct Segment {
    layers: std::ops::Range<usize>,
    input: Arc<Kept>,
    tape: Option<Tape>,
}

/// The rows whose logits are wanted.
struct Wanted {
    /// Their places in the batch.
    rows: Vec<usize>,
    /// How many belong to each sequence.
    lengths: Vec<usize>,
    targets: Vec<u32>,
    /// Before the last norm.
    hidden: Buffer<f32>,
    /// After it.
    normed: Arc<Kept>,
    found: Vec<Row>,
}

impl Engine {
    /// An engine for a model.
    pub fn new(config: &ModelConfig, options: &Options, model: &Model) -> Self {
        let settings = Settings {
            pool: Arc::new(Pool::default()),
            precision: options.precision,
            shape: HeadShape {
                heads: config.heads,
                kv_heads: config.kv_heads,
                head_dim: config.head_dim,
            },
            epsilon: config.norm_epsilon,
            window: config.sliding_window,
        };
        let zeros = |size: usize| vec![0.0; size];
        let parameters = model.parameters.iter();
        Self {
            settings,
            recompute: options.recompute,
            gradients: parameters
                .map(|p| p.trained.then(|| zeros(p.values.len())))
                .collect(),
            embedded: BTreeMap::new(),
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
        self.settings.pool.age();
        let tokens: Vec<u32> = batch
            .sequences()
            .iter()
            .flat_map(|s| s.tokens.iter().map(|token| token.0))
            .collect();
        let layout = layout(config, batch);
        let pass = |record| {
            Pass::new(
                &self.settings,
                &layout,
                &model.parameters,
                &model.adapters,
                record,
            )
        };
        let mut x = Arc::clone(pass(false).embed(&model.weights.embedding, &tokens)?.data());
        let mut segments = Vec::new();
        let step = self.recompute.max(1);
        for start in (0..config.layers).step_by(step) {
            let layers = start..config.layers.min(start + step);
            let mut ops = pass(keep && self.recompute == 0);
            let out = run_layers(&mut ops, model, layers.clone(), Arc::clone(&x))?;
            let input = std::mem::replace(&mut x, Arc::clone(out.data()));
            if keep {
                segments.push(Segment {
                    layers,
                    input,
                    tape: ops.into_tape(),
                });
            }
        }
        let wanted = self.wanted(&mut pass(false), model, batch, full(&x)?)?;
        let scores = Scores {
            log_probabilities: wanted.found.iter().map(Row::log_probability).collect(),
        };
        let saved = Saved {
            batch: layout,
            tokens,
            segments,
            wanted,
        };
        Ok((scores, keep.then_some(saved)))
    }

    fn wanted(
        &self,
        pass: &mut Pass<'_>,
        model: &Model,
        batch: &Batch,
        x: &[f32],
    ) -> Result<Wanted> {
        let (mut rows, mut lengths, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        let mut start = 0;
        for sequence in batch.sequences() {
            for position in sequence.wanted.iter().flat_map(Clone::clone) {
                rows.push(start + position);
                targets.push(sequence.tokens[position + 1].0);
            }
            lengths.push(sequence.wanted_len());
            start += sequence.tokens.len();
        }
        let hidden_size = model.hidden();
        let mut hidden = self.settings.pool.take::<f32>(rows.len() * hidden_size);
        for (row, out) in rows.iter().zip(hidden.chunks_exact_mut(hidden_size)) {
            out.copy_from_slice(&x[row * hidden_size..][..hidden_size]);
        }
        let input = Arc::new(Kept::Full(hidden));
        let normed = pass.norm(
            &Activation::input(Arc::clone(&input)),
            &model.weights.output_norm,
        )?;
        let normed = Arc::clone(normed.data());
        let found = self.head(model, &normed, &targets, &lengths).forward();
        let Some(Kept::Full(hidden)) = Arc::into_inner(input) else {
            return Err(ModelError::internal("the last norm keeps no record"));
        };
        Ok(Wanted {
            rows,
            lengths,
            targets,
            hidden,
            normed,
            found,
        })
    }

    fn head<'a>(
        &'a self,
        model: &'a Model,
        normed: &'a Kept,
        targets: &'a [u32],
        lengths: &'a [usize],
    ) -> Head<'a> {
        Head {
            pool: &self.settings.pool,
            format: Format::of(self.settings.precision),
            weight: &model.parameters[model.weights.head.weight].values,
            x: normed,
            hidden: model.hidden(),
            targets,
            lengths,
        }
    }

    /// Adds the gradients of a loss whose derivative by each log-probability is its coefficient.
    pub fn backward(&mut self, model: &Model, saved: Saved, coefficients: &[f32]) -> Result<()> {
        let Saved {
            batch,
            tokens,
            segments,
            wanted,
        } = saved;
        let mut gradients = std::mem::take(&mut self.gradients);
        let d_x = self.segments_backward(
            model,
            &batch,
            segments,
            wanted,
            coefficients,
            &mut gradients,
        );
        self.gradients = gradients;
        self.embed_backward(model, &tokens, &d_x?);
        Ok(())
    }

    fn segments_backward(
        &self,
        model: &Model,
        batch: &ops::Batch,
        mut segments: Vec<Segment>,
        wanted: Wanted,
        coefficients: &[f32],
        gradients: &mut Gradients,
    ) -> Result<Buffer<f32>> {
        let pass = |record| {
            Pass::new(
                &self.settings,
                batch,
                &model.parameters,
                &model.adapters,
                record,
            )
        };
        let mut d_x = self.wanted_backward(&pass(false), model, wanted, coefficients, gradients);
        while let Some(segment) = segments.pop() {
            let tape = match segment.tape {
                Some(tape) => tape,
                None => {
                    let mut ops = pass(true);
                    run_layers(&mut ops, model, segment.layers, segment.input)?;
                    ops.into_tape()
                        .ok_or(ModelError::internal("a recording pass has a record"))?
                }
            };
            d_x = pass(false).backward(tape, d_x, gradients)?;
        }
        Ok(d_x)
    }

    /// Through the head and the last norm: the gradient of all rows after the last block.
    fn wanted_backward(
        &self,
        pass: &Pass<'_>,
        model: &Model,
        wanted: Wanted,
        coefficients: &[f32],
        gradients: &mut Gradients,
    ) -> Buffer<f32> {
        let hidden = model.hidden();
        let mut d_normed = self.settings.pool.take::<f32>(wanted.hidden.len());
        let head = self.head(model, &wanted.normed, &wanted.targets, &wanted.lengths);
        let id = model.weights.head.weight;
        let rows = model.rows_of(id).filter(|rows| gradients[*rows].is_some());
        let sink = match (rows, &model.parameters) {
            (Some(rows), parameters) => match (&parameters[rows].rows_of, &mut gradients[rows]) {
                (Some((_, ids)), Some(gradient)) => HeadGradient::Rows(ids, gradient),
                _ => HeadGradient::Frozen,
            },
            (None, _) => gradients[id]
                .as_deref_mut()
                .map_or(HeadGradient::Frozen, HeadGradient::Whole),
        };
        head.backward(&wanted.found, coefficients, &mut d_normed, sink);
        let mut d_hidden = self.settings.pool.zeros::<f32>(wanted.hidden.len());
        let pieces = elementwise::pieces(&wanted.lengths);
        let norm = &model.weights.output_norm;
        pass.norm_rows_backward(
            &wanted.hidden,
            norm,
            &d_normed,
            &mut d_hidden,
            gradients,
            &pieces,
        );
        let mut d_x = self.settings.pool.zeros::<f32>(pass.rows() * hidden);
        for (row, d_hidden) in wanted.rows.iter().zip(d_hidden.chunks_exact(hidden)) {
            d_x[row * hidden..][..hidden].copy_from_slice(d_hidden);
        }
        d_x
    }

    fn embed_backward(&mut self, model: &Model, tokens: &[u32], d_x: &[f32]) {
        let table = model.weights.embedding;
        let rows = model.rows_of(table).map(|rows| &model.parameters[rows]);
        let trained = |token: &u32| match rows.and_then(|rows| rows.rows_of.as_ref()) {
            Some((_, ids)) => ids.contains(token),
            None => model.parameters[table].trained,
        };
        let hidden = model.hidden();
        for (token, d_x) in tokens.iter().zip(d_x.chunks_exact(hidden)) {
            if trained(token) {
                let row = self
                    .embedded
                    .entry(*token)
                    .or_insert_with(|| vec![0.0; hidden]);
                crate::kernels::elementwise::add(row, d_x);
            }
        }
    }

    /// The gradients, complete.
    pub fn gradients(&mut self, model: &Model) -> &mut Gradients {
        let (table, hidden) = (model.weights.embedding, model.hidden());
        let rows = model.rows_of(table);
        let ids = rows.and_then(|rows| model.parameters[rows].rows_of.as_ref());
        if let Some(gradient) = &mut self.gradients[rows.unwrap_or(table)] {
            for (token, added) in std::mem::take(&mut self.embedded) {
                let place = match ids {
                    Some((_, ids)) => ids.iter().position(|id| *id == token),
                    None => Some(token as usize),
                };
                if let Some(place) = place {
                    let row = &mut gradient[place * hidden..][..hidden];
                    crate::kernels::elementwise::add(row, &added);
                }
            }
        }
        &mut self.gradients
    }

    /// Begins a new sum.
    pub fn clear(&mut self) {
        self.embedded.clear();
        for gradient in self.gradients.iter_mut().flatten() {
            gradient.fill(0.0);
        }
    }
}

fn layout(config: &ModelConfig, batch: &Batch) -> ops::Batch {
    let lengths: Vec<usize> = batch.sequences().iter().map(|s| s.tokens.len()).collect();
    let mut start = 0;
    let sequences = lengths
        .iter()
        .map(|length| {
            start += length;
            start - length..start
        })
        .collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    ops::Batch {
        sequences,
        positions: lengths
            .iter()
            .flat_map(|length| 0..*length as u32)
            .collect(),
        pieces: elementwise::pieces(&lengths),
        rope: RopeTables::new(config, longest),
        lengths,
    }
}

fn run_layers(
    ops: &mut Pass<'_>,
    model: &Model,
    layers: std::ops::Range<usize>,
    input: Arc<Kept>,
) -> Result<Activation> {
    let mut x = Activation::input(input);
    for index in layers {
        x = network::block(ops, index, &model.weights.layers[index], x)?;
    }
    Ok(x)
}
