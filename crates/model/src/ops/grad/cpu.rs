//! Training on the CPU: each operation writes down what its backward pass needs, and
//! [`Pass::backward`] walks the record from its end.

use std::ops::Range;
use std::sync::Arc;

use super::{Adapter, GradLinear, GradNorm, GradWeights, Id, Parameter};
use crate::error::{ModelError, Result};
use crate::kernels::layer_kv::HeadShape;
use crate::kernels::train::attention::Attention;
use crate::kernels::train::buffer::{Buffer, Kept, Pool, Values};
use crate::kernels::train::elementwise;
use crate::kernels::train::matmul::{Into, product};
use crate::kernels::train::norm::{self, NormParameters};
use crate::kernels::train::panels::{Depth, Format, Operand, Panels, Precision, round};
use crate::ops::Ops;
use crate::rope::RopeTables;

/// What every operation on one batch knows.
pub struct Batch {
    /// Rows of each sequence.
    pub sequences: Vec<Range<usize>>,
    /// Tokens of each sequence.
    pub lengths: Vec<usize>,
    /// Each row's position in its sequence.
    pub positions: Vec<u32>,
    /// Rows whose parameter gradients are summed together.
    pub pieces: Vec<Range<usize>>,
    /// Rotary angles of every position.
    pub rope: RopeTables,
}

/// What every operation on one model knows.
#[derive(Clone)]
pub struct Settings {
    /// Where memory comes from.
    pub pool: Arc<Pool>,
    /// What products are computed in.
    pub precision: Precision,
    /// Head counts.
    pub shape: HeadShape,
    /// Norm epsilon.
    pub epsilon: f32,
    /// Positions that a query sees, up to its own.
    pub window: Option<usize>,
}

/// Rows of features, and the place of their gradient.
pub struct Activation {
    data: Arc<Kept>,
    node: usize,
}

impl Activation {
    /// The beginning of a record: its gradient is what [`Pass::backward`] gives.
    pub fn input(data: Arc<Kept>) -> Self {
        Self { data, node: 0 }
    }

    /// The values.
    pub fn data(&self) -> &Arc<Kept> {
        &self.data
    }
}

/// One operation that was done.
pub(super) enum Step {
    Norm {
        x: Arc<Kept>,
        weight: GradNorm,
    },
    Linear {
        x: Arc<Kept>,
        weight: GradLinear,
    },
    Attend {
        x: Arc<Kept>,
        weight: [GradLinear; 3],
        joint: Kept,
        out: Arc<Kept>,
        sums: Buffer<f32>,
    },
    Gated {
        x: Arc<Kept>,
        weight: [GradLinear; 2],
        joint: Kept,
    },
    Gelu {
        x: Kept,
    },
    Add {
        other: usize,
    },
}

/// Operations in the order in which they were done: the node that each read, and what it needs.
/// Operation `i` made node `i + 1`.
#[derive(Default)]
pub struct Tape {
    pub(super) steps: Vec<(usize, Step)>,
}

/// Gradients of the parameters, by their place; `None` for the frozen ones.
pub type Gradients = Vec<Option<Vec<f32>>>;

/// Operations on one batch.
pub struct Pass<'a> {
    pub(super) settings: &'a Settings,
    pub(super) batch: &'a Batch,
    parameters: &'a [Parameter],
    adapters: &'a [Adapter],
    /// Nodes made so far.
    nodes: usize,
    tape: Option<Tape>,
}

impl<'a> Pass<'a> {
    /// Operations that are recorded where `record` says so.
    pub fn new(
        settings: &'a Settings,
        batch: &'a Batch,
        parameters: &'a [Parameter],
        adapters: &'a [Adapter],
        record: bool,
    ) -> Self {
        Self {
            settings,
            batch,
            parameters,
            adapters,
            nodes: 0,
            tape: record.then(Tape::default),
        }
    }

    /// Rows of the batch.
    pub fn rows(&self) -> usize {
        self.batch.positions.len()
    }

    /// What was recorded.
    pub fn into_tape(self) -> Option<Tape> {
        self.tape
    }

    fn step(
        &mut self,
        data: Arc<Kept>,
        from: usize,
        step: impl FnOnce(&Arc<Kept>) -> Step,
    ) -> Activation {
        if let Some(tape) = &mut self.tape {
            tape.steps.push((from, step(&data)));
        }
        self.nodes += 1;
        Activation {
            data,
            node: self.nodes,
        }
    }

    fn values(&self, id: Id) -> &'a [f32] {
        &self.parameters[id].values
    }

    pub(super) fn norm_parameters(&self, norm: &GradNorm) -> NormParameters<'a> {
        NormParameters {
            weight: self.values(norm.weight),
            bias: norm.bias.map(|bias| self.values(bias)),
            epsilon: self.settings.epsilon,
        }
    }

    pub(super) fn pack(&self, operand: Operand<'_>, depth: &Depth) -> Panels {
        let format = Format::of(self.settings.precision);
        Panels::pack(&self.settings.pool, format, operand, depth)
    }

    /// Lines are rows of a parameter.
    pub(super) fn pack_rows(&self, id: Id) -> Panels {
        let (rows, columns) = self.matrix(id);
        let operand = Operand::rows(Values::Full(self.values(id)), 0, columns, rows);
        self.pack(operand, &Depth::whole(columns))
    }

    /// Lines are columns of a parameter.
    pub(super) fn pack_columns(&self, id: Id) -> Panels {
        let (rows, columns) = self.matrix(id);
        let operand = Operand::columns(Values::Full(self.values(id)), 0, columns, columns);
        self.pack(operand, &Depth::whole(rows))
    }

    pub(super) fn matrix(&self, id: Id) -> (usize, usize) {
        let shape = &self.parameters[id].shape;
        (shape[0], shape[1])
    }

    /// Projections of `x`, side by side.
    fn project(&self, x: &Kept, parts: &[GradLinear]) -> Buffer<f32> {
        let (_, features) = self.matrix(parts[0].weight);
        let rows = x.values().len() / features;
        let width = parts.iter().map(|part| self.matrix(part.weight).0).sum();
        let mut out = self.settings.pool.take(rows * width);
        let operand = Operand::rows(x.values(), 0, features, rows);
        let x = self.pack(operand, &Depth::whole(features));
        let mut column = 0;
        for part in parts {
            product(
                &x,
                &self.pack_rows(part.weight),
                &mut out,
                width,
                column,
                Into::Set,
            );
            if let Some(adapter) = self.adapter(part) {
                let (rank, _) = self.matrix(adapter.a);
                let inner = self.adapter_inner(&x, adapter);
                let inner = Operand::rows(Values::Full(&inner), 0, rank, rows);
                let inner = self.pack(inner, &Depth::whole(rank));
                product(
                    &inner,
                    &self.pack_rows(adapter.b),
                    &mut out,
                    width,
                    column,
                    Into::Add,
                );
            }
            if let Some(bias) = part.bias {
                elementwise::add_bias(&mut out, width, column, self.values(bias));
            }
            column += self.matrix(part.weight).0;
        }
        out
    }

    pub(super) fn adapter(&self, part: &GradLinear) -> Option<&'a Adapter> {
        let adapter = &self.adapters[part.adapter?];
        (!adapter.merged).then_some(adapter)
    }

    /// `scale * x a^T`, `[rows, rank]`.
    pub(super) fn adapter_inner(&self, x: &Panels, adapter: &Adapter) -> Buffer<f32> {
        let (rank, _) = self.matrix(adapter.a);
        let mut inner = self.settings.pool.take::<f32>(x.lines() * rank);
        product(
            x,
            &self.pack_rows(adapter.a),
            &mut inner,
            rank,
            0,
            Into::Set,
        );
        inner.iter_mut().for_each(|value| *value *= adapter.scale);
        inner
    }

    /// Keeps values in the precision of products, which round them anyway.
    fn keep(&self, values: Buffer<f32>) -> Kept {
        match self.settings.precision {
            Precision::F32 => Kept::Full(values),
            Precision::Bf16 => Kept::Half(round(&self.settings.pool, &values)),
        }
    }

    pub(super) fn attention<'b>(&'b self, joint: &'b Kept) -> Attention<'b> {
        Attention {
            pool: &self.settings.pool,
            precision: self.settings.precision,
            shape: self.settings.shape,
            window: self.settings.window,
            sequences: &self.batch.sequences,
            joint,
        }
    }
}

/// Values of the residual stream, which is never rounded.
pub fn full(values: &Kept) -> Result<&[f32]> {
    match values {
        Kept::Full(values) => Ok(values),
        Kept::Half(_) => Err(ModelError::internal("the residual stream is exact")),
    }
}

impl Ops for Pass<'_> {
    type Weights = GradWeights;
    type Activation = Activation;

    fn enter_layer(&mut self, _layer: usize) -> Result<()> {
        Ok(())
    }

    fn embed(&mut self, table: &Id, tokens: &[u32]) -> Result<Activation> {
        let (_, width) = self.matrix(*table);
        let table = self.values(*table);
        let mut out = self.settings.pool.take::<f32>(tokens.len() * width);
        for (token, out) in tokens.iter().zip(out.chunks_exact_mut(width)) {
            out.copy_from_slice(&table[*token as usize * width..][..width]);
        }
        Ok(Activation::input(Arc::new(Kept::Full(out))))
    }

    fn norm(&mut self, x: &Activation, weight: &GradNorm) -> Result<Activation> {
        let norm = self.norm_parameters(weight);
        let (pool, precision) = (&self.settings.pool, self.settings.precision);
        let out = Arc::new(norm::norm(pool, precision, full(&x.data)?, norm));
        Ok(self.step(out, x.node, |_| Step::Norm {
            x: Arc::clone(&x.data),
            weight: *weight,
        }))
    }

    fn linear(&mut self, x: &Activation, weight: &GradLinear) -> Result<Activation> {
        let out = self.project(&x.data, std::slice::from_ref(weight));
        Ok(
            self.step(Arc::new(Kept::Full(out)), x.node, |_| Step::Linear {
                x: Arc::clone(&x.data),
                weight: *weight,
            }),
        )
    }

    fn attend(
        &mut self,
        _layer: usize,
        x: &Activation,
        weight: &[GradLinear; 3],
    ) -> Result<Activation> {
        let mut joint = self.project(&x.data, weight);
        let (shape, positions) = (self.settings.shape, &self.batch.positions);
        elementwise::turn(&mut joint, shape, &self.batch.rope, positions, false);
        let joint = self.keep(joint);
        let (out, sums) = self.attention(&joint).forward();
        Ok(self.step(Arc::new(out), x.node, |out| Step::Attend {
            x: Arc::clone(&x.data),
            weight: *weight,
            joint,
            out: Arc::clone(out),
            sums,
        }))
    }

    fn gated_silu(&mut self, x: &Activation, weight: &[GradLinear; 2]) -> Result<Activation> {
        let joint = self.project(&x.data, weight);
        let (width, _) = self.matrix(weight[0].weight);
        let (pool, precision) = (&self.settings.pool, self.settings.precision);
        let out = elementwise::gated_silu(pool, precision, &joint, width);
        let joint = self.tape.is_some().then(|| self.keep(joint));
        Ok(match joint {
            Some(joint) => self.step(Arc::new(out), x.node, |_| Step::Gated {
                x: Arc::clone(&x.data),
                weight: *weight,
                joint,
            }),
            None => {
                self.nodes += 1;
                Activation {
                    data: Arc::new(out),
                    node: self.nodes,
                }
            }
        })
    }

    fn gelu(&mut self, x: Activation) -> Result<Activation> {
        let (pool, precision) = (&self.settings.pool, self.settings.precision);
        let out = elementwise::gelu(pool, precision, full(&x.data)?);
        let kept = match (precision, Arc::try_unwrap(x.data)) {
            (_, Ok(Kept::Full(values))) => self.keep(values),
            _ => return Err(ModelError::internal("an activation is read once")),
        };
        Ok(self.step(Arc::new(out), x.node, |_| Step::Gelu { x: kept }))
    }

    fn add(&mut self, a: Activation, b: Activation) -> Result<Activation> {
        let out = elementwise::sum(&self.settings.pool, full(&a.data)?, full(&b.data)?);
        Ok(self.step(Arc::new(Kept::Full(out)), a.node, |_| Step::Add {
            other: b.node,
        }))
    }
}
