//! Training on the CPU: each operation writes down what its backward pass needs, and
//! [`Pass::backward`] walks the record from its end.

use std::ops::Range;
use std::sync::Arc;

use super::{Adapter, GradLinear, GradNorm, GradWeights, Id, Parameter};
use crate::error::{ModelError, Result};
use crate::kernels::layer_kv::HeadShape;
use crate::kernels::train::attention::Attention;
use crate::kernels::train::buffer::{Buffer, Kept, Pool, Values};
use crate::kernels::train::elementwise::{self, NormGradients, NormParameters};
use crate::kernels::train::matmul::{Into, product};
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
enum Step {
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
    steps: Vec<(usize, Step)>,
}

/// Gradients of the parameters, by their place; `None` for the frozen ones.
pub type Gradients = Vec<Option<Vec<f32>>>;

/// Operations on one batch.
pub struct Pass<'a> {
    settings: &'a Settings,
    batch: &'a Batch,
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

    fn norm_parameters(&self, norm: &GradNorm) -> NormParameters<'a> {
        NormParameters {
            weight: self.values(norm.weight),
            bias: norm.bias.map(|bias| self.values(bias)),
            epsilon: self.settings.epsilon,
        }
    }

    fn pack(&self, operand: Operand<'_>, depth: &Depth) -> Panels {
        let format = Format::of(self.settings.precision);
        Panels::pack(&self.settings.pool, format, operand, depth)
    }

    /// Lines are rows of a parameter.
    fn pack_rows(&self, id: Id) -> Panels {
        let (rows, columns) = self.matrix(id);
        let operand = Operand::rows(Values::Full(self.values(id)), 0, columns, rows);
        self.pack(operand, &Depth::whole(columns))
    }

    /// Lines are columns of a parameter.
    fn pack_columns(&self, id: Id) -> Panels {
        let (rows, columns) = self.matrix(id);
        let operand = Operand::columns(Values::Full(self.values(id)), 0, columns, columns);
        self.pack(operand, &Depth::whole(rows))
    }

    fn matrix(&self, id: Id) -> (usize, usize) {
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

    fn adapter(&self, part: &GradLinear) -> Option<&'a Adapter> {
        let adapter = &self.adapters[part.adapter?];
        (!adapter.merged).then_some(adapter)
    }

    /// `scale * x a^T`, `[rows, rank]`.
    fn adapter_inner(&self, x: &Panels, adapter: &Adapter) -> Buffer<f32> {
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

    /// The gradient of the input of [`Pass::project`]; adds those of the parameters.
    fn project_backward(
        &self,
        x: &Kept,
        parts: &[GradLinear],
        dy: Values<'_>,
        gradients: &mut Gradients,
    ) -> Buffer<f32> {
        let (_, features) = self.matrix(parts[0].weight);
        let rows = x.values().len() / features;
        let width = dy.len() / rows;
        let mut dx = self.settings.pool.take::<f32>(rows * features);
        let segments = Depth::segments(self.batch.lengths.iter().copied());
        let mut x_columns = None;
        let mut column = 0;
        for (index, part) in parts.iter().enumerate() {
            let (outputs, _) = self.matrix(part.weight);
            let into = if index == 0 { Into::Set } else { Into::Add };
            let dy_rows = Operand::rows(dy, column, width, rows);
            let dy_rows = self.pack(dy_rows, &Depth::whole(outputs));
            product(
                &dy_rows,
                &self.pack_columns(part.weight),
                &mut dx,
                features,
                0,
                into,
            );
            let adapter = self.adapter(part);
            if gradients[part.weight].is_some() || adapter.is_some() {
                let x_columns = x_columns.get_or_insert_with(|| {
                    self.pack(
                        Operand::columns(x.values(), 0, features, features),
                        &segments,
                    )
                });
                let dy_columns = Operand::columns(dy, column, width, outputs);
                let dy_columns = self.pack(dy_columns, &segments);
                if let Some(gradient) = &mut gradients[part.weight] {
                    product(&dy_columns, x_columns, gradient, features, 0, Into::Add);
                }
                if let Some(adapter) = adapter {
                    let dy = (&dy_rows, &dy_columns);
                    self.adapter_backward(x, x_columns, dy, adapter, &segments, &mut dx, gradients);
                }
            }
            if let Some(gradient) = part.bias.and_then(|bias| gradients[bias].as_mut()) {
                let pool = &self.settings.pool;
                elementwise::add_column_sums(pool, dy, width, column, gradient, &self.batch.pieces);
            }
            column += outputs;
        }
        dx
    }

    fn adapter_backward(
        &self,
        x: &Kept,
        x_columns: &Panels,
        (dy_rows, dy_columns): (&Panels, &Panels),
        adapter: &Adapter,
        segments: &Depth,
        dx: &mut [f32],
        gradients: &mut Gradients,
    ) {
        let (rank, features) = self.matrix(adapter.a);
        let rows = dy_rows.lines();
        let x_rows = Operand::rows(x.values(), 0, features, rows);
        let inner = self.adapter_inner(&self.pack(x_rows, &Depth::whole(features)), adapter);
        if let Some(gradient) = &mut gradients[adapter.b] {
            let inner = Operand::columns(Values::Full(&inner), 0, rank, rank);
            product(
                dy_columns,
                &self.pack(inner, segments),
                gradient,
                rank,
                0,
                Into::Add,
            );
        }
        let mut d_inner = inner;
        product(
            dy_rows,
            &self.pack_columns(adapter.b),
            &mut d_inner,
            rank,
            0,
            Into::Set,
        );
        d_inner.iter_mut().for_each(|value| *value *= adapter.scale);
        let values = Values::Full(&d_inner);
        if let Some(gradient) = &mut gradients[adapter.a] {
            let columns = self.pack(Operand::columns(values, 0, rank, rank), segments);
            product(&columns, x_columns, gradient, features, 0, Into::Add);
        }
        let d_inner = self.pack(Operand::rows(values, 0, rank, rows), &Depth::whole(rank));
        product(
            &d_inner,
            &self.pack_columns(adapter.a),
            dx,
            features,
            0,
            Into::Add,
        );
    }

    /// Keeps values in the precision of products, which round them anyway.
    fn keep(&self, values: Buffer<f32>) -> Kept {
        match self.settings.precision {
            Precision::F32 => Kept::Full(values),
            Precision::Bf16 => Kept::Half(round(&self.settings.pool, &values)),
        }
    }

    fn attention<'b>(&'b self, joint: &'b Kept) -> Attention<'b> {
        Attention {
            pool: &self.settings.pool,
            precision: self.settings.precision,
            shape: self.settings.shape,
            window: self.settings.window,
            sequences: &self.batch.sequences,
            joint,
        }
    }

    /// The gradient of the input of what `tape` recorded, of that of its last node; adds the
    /// gradients of the parameters.
    ///
    /// # Errors
    /// [`ModelError::Internal`] where an operation's result was not used.
    pub fn backward(
        &self,
        mut tape: Tape,
        d_out: Buffer<f32>,
        gradients: &mut Gradients,
    ) -> Result<Buffer<f32>> {
        let mut nodes: Vec<Option<Arc<Buffer<f32>>>> = Vec::new();
        nodes.resize_with(tape.steps.len() + 1, || None);
        nodes[tape.steps.len()] = Some(Arc::new(d_out));
        let unused = ModelError::internal("every operation's result is used");
        while let Some((from, step)) = tape.steps.pop() {
            let Some(dy) = nodes[tape.steps.len() + 1].take() else {
                return Err(unused);
            };
            if let Step::Add { other } = step {
                self.pass_on(&mut nodes[from], Arc::clone(&dy));
                self.pass_on(&mut nodes[other], dy);
                continue;
            }
            if let Step::Norm { x, weight } = step {
                self.norm_backward(&x, &weight, &dy, &mut nodes[from], gradients)?;
                continue;
            }
            let dx = self.step_backward(step, dy, gradients)?;
            self.pass_on(&mut nodes[from], Arc::new(dx));
        }
        let input = nodes.swap_remove(0).ok_or(unused)?;
        Ok(self.owned(input))
    }

    /// Adds to a node's gradient.
    fn pass_on(&self, node: &mut Option<Arc<Buffer<f32>>>, gradient: Arc<Buffer<f32>>) {
        *node = Some(match node.take() {
            None => gradient,
            Some(old) => {
                let mut old = self.owned(old);
                elementwise::add(&mut old, &gradient);
                Arc::new(old)
            }
        });
    }

    fn owned(&self, gradient: Arc<Buffer<f32>>) -> Buffer<f32> {
        Arc::try_unwrap(gradient).unwrap_or_else(|shared| {
            let mut copy = self.settings.pool.take(shared.len());
            copy.copy_from_slice(&shared);
            copy
        })
    }

    fn norm_backward(
        &self,
        x: &Kept,
        weight: &GradNorm,
        dy: &[f32],
        node: &mut Option<Arc<Buffer<f32>>>,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let dx = match node.take() {
            Some(dx) => self.owned(dx),
            None => self.settings.pool.zeros(dy.len()),
        };
        let mut dx = dx;
        let pieces = &self.batch.pieces;
        self.norm_rows_backward(full(x)?, weight, dy, &mut dx, gradients, pieces);
        *node = Some(Arc::new(dx));
        Ok(())
    }

    /// The backward pass of a norm over any rows, cut into `pieces`.
    pub fn norm_rows_backward(
        &self,
        x: &[f32],
        weight: &GradNorm,
        dy: &[f32],
        dx: &mut [f32],
        gradients: &mut Gradients,
        pieces: &[Range<usize>],
    ) {
        let norm = self.norm_parameters(weight);
        let mut bias = weight.bias.and_then(|bias| gradients[bias].take());
        let sinks = NormGradients {
            weight: gradients[weight.weight].as_deref_mut(),
            bias: bias.as_deref_mut(),
        };
        elementwise::norm_backward(&self.settings.pool, x, dy, norm, dx, sinks, pieces);
        if let Some(id) = weight.bias {
            gradients[id] = bias;
        }
    }

    fn step_backward(
        &self,
        step: Step,
        dy: Arc<Buffer<f32>>,
        gradients: &mut Gradients,
    ) -> Result<Buffer<f32>> {
        Ok(match step {
            Step::Linear { x, weight } => {
                self.project_backward(&x, &[weight], Values::Full(&dy), gradients)
            }
            Step::Attend {
                x,
                weight,
                joint,
                out,
                sums,
            } => {
                let mut d_joint = self.attention(&joint).backward(&dy, &out, &sums);
                drop((joint, out, sums, dy));
                let (shape, positions) = (self.settings.shape, &self.batch.positions);
                elementwise::turn(&mut d_joint, shape, &self.batch.rope, positions, true);
                self.project_backward(&x, &weight, Values::Full(&d_joint), gradients)
            }
            Step::Gated { x, weight, joint } => {
                let (width, _) = self.matrix(weight[0].weight);
                let pool = &self.settings.pool;
                let d_joint = elementwise::gated_silu_backward(pool, &joint, &dy, width);
                drop((joint, dy));
                self.project_backward(&x, &weight, d_joint.values(), gradients)
            }
            Step::Gelu { x } => {
                let mut dx = self.owned(dy);
                elementwise::gelu_backward(x.values(), &mut dx);
                dx
            }
            Step::Norm { .. } | Step::Add { .. } => {
                return Err(ModelError::internal("norms and sums add to their nodes"));
            }
        })
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
        let out = Arc::new(elementwise::norm(pool, precision, full(&x.data)?, norm));
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
