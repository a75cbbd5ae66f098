//! What is as wide as the vocabulary: the head in chunks, so that whole logits never exist, and the
//! gradients of the two tables.

use candle_core::{D, DType, Tensor, Var};

use super::{Engine, Saved};
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::ops::Ops;
use crate::ops::grad::Id;
use crate::ops::grad::device::DevicePass;
use crate::training::Scores;
use crate::training::model::Model;

/// Bytes of logits that exist together.
pub(super) const LOGIT_BYTES: usize = 256 << 20;
/// Tokens of a chunk at least: narrower products are slow.
pub(super) const NARROWEST: usize = 256;

impl Engine {
    /// Tokens of the vocabulary whose logits exist together for this many rows.
    fn chunk(&self, rows: usize, vocabulary: usize) -> usize {
        let (bytes, narrowest) = self.chunks;
        (bytes / 4 / rows.max(1)).clamp(narrowest, vocabulary.max(narrowest))
    }

    pub(super) fn log_probabilities(
        &self,
        pass: &mut DevicePass<'_>,
        model: &Model,
        x: &Tensor,
        rows: &Tensor,
        targets: &Tensor,
    ) -> Result<(Scores, Tensor)> {
        let count = rows.dims()[0];
        if count == 0 {
            return Ok((Scores::default(), rows.to_dtype(DType::F32)?));
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
        let scores = Scores {
            log_probabilities: found.to_vec1()?,
        };
        Ok((scores, sums))
    }

    pub(super) fn wanted_backward(
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
        let mut pass = self.pass(config, model, &saved.positions);
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
        self.gather(&found)?;
        if whole {
            self.add_rows(model, id, &Tensor::cat(&d_head, 0)?)?;
        }
        Ok(d_last.index_add(&saved.wanted.rows, &d_input, 0)?)
    }

    pub(super) fn embed_backward(
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
