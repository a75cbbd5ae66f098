//! The backward pass on the CPU: from the end of a record to its beginning.

use std::ops::Range;
use std::sync::Arc;

use super::cpu::{Gradients, Pass, Step, Tape, full};
use super::{Adapter, GradLinear, GradNorm};
use crate::error::{ModelError, Result};
use crate::kernels::train::buffer::{Buffer, Kept, Values};
use crate::kernels::train::elementwise;
use crate::kernels::train::matmul::{Into, product};
use crate::kernels::train::norm::{self, NormGradients};
use crate::kernels::train::panels::{Depth, Operand, Panels};

impl Pass<'_> {
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
        let mut dx = match node.take() {
            Some(dx) => self.owned(dx),
            None => self.settings.pool.zeros(dy.len()),
        };
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
        let parameters = self.norm_parameters(weight);
        let mut bias = weight.bias.and_then(|bias| gradients[bias].take());
        let sinks = NormGradients {
            weight: gradients[weight.weight].as_deref_mut(),
            bias: bias.as_deref_mut(),
        };
        norm::norm_backward(&self.settings.pool, x, dy, parameters, dx, sinks, pieces);
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
}
