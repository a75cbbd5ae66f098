//! Low-rank adapters merged into their matrices, and taken out again.

use super::GradDecoder;
use super::model::Model;
use crate::decoder::network::FeedForward;
use crate::error::Result;
use crate::ops::grad::GradLinear;

impl GradDecoder {
    /// Adds the adapters to their matrices, as a checkpoint without adapters holds them. What they
    /// add to is kept until [`GradDecoder::unmerge`].
    ///
    /// # Errors
    /// What the device reports.
    pub fn merge(&mut self) -> Result<()> {
        if self.unmerged.is_some() {
            return Ok(());
        }
        let mut before = Vec::new();
        for linear in linears(&self.model) {
            let Some(index) = linear.adapter else {
                continue;
            };
            let adapter = self.model.adapters[index];
            let [old, a, b] =
                [linear.weight, adapter.a, adapter.b].map(|id| self.decoder_values(id));
            let (old, a, b) = (old?, a?, b?);
            let rank = self.model.parameters[adapter.a].shape[0];
            let merged = merged(&old, &a, &b, rank, adapter.scale);
            self.set_decoder_values(linear.weight, merged)?;
            before.push((linear.weight, old));
            self.model.adapters[index].merged = true;
        }
        self.unmerged = Some(before);
        Ok(())
    }

    /// Takes the adapters out of their matrices, whose bytes are then those from before.
    ///
    /// # Errors
    /// What the device reports.
    pub fn unmerge(&mut self) -> Result<()> {
        for (id, values) in self.unmerged.take().unwrap_or_default() {
            self.set_decoder_values(id, values)?;
        }
        for adapter in &mut self.model.adapters {
            adapter.merged = false;
        }
        Ok(())
    }
}

/// `matrix + scale * b a`, summed in `f64`.
fn merged(matrix: &[f32], a: &[f32], b: &[f32], rank: usize, scale: f32) -> Vec<f32> {
    let columns = a.len() / rank;
    let mut merged = Vec::with_capacity(matrix.len());
    let mut sums = vec![0.0f64; columns];
    for (row, b) in matrix.chunks_exact(columns).zip(b.chunks_exact(rank)) {
        sums.fill(0.0);
        for (b, a) in b.iter().zip(a.chunks_exact(columns)) {
            for (sum, a) in sums.iter_mut().zip(a) {
                *sum += f64::from(*b) * f64::from(*a);
            }
        }
        let added = row.iter().zip(&sums);
        merged.extend(added.map(|(w, sum)| (f64::from(*w) + f64::from(scale) * sum) as f32));
    }
    merged
}

/// Every matrix of the layers.
fn linears(model: &Model) -> Vec<GradLinear> {
    let mut all = Vec::new();
    for layer in &model.weights.layers {
        all.extend(layer.attention);
        all.push(layer.output);
        match &layer.feed_forward {
            FeedForward::Gated { gate_up, down } => {
                all.extend(gate_up);
                all.push(*down);
            }
            FeedForward::Plain { up, down } => all.extend([*up, *down]),
        }
    }
    all
}
