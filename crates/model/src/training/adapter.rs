//! Low-rank adapters merged into their matrices, and taken out again.

use super::GradDecoder;
use super::model::Model;
use crate::adapter::add_low_rank;
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
        self.unmerged = Some(Vec::new());
        let merged = self.merge_each();
        if merged.is_err() {
            // Half a merge is neither of the two models.
            self.unmerge()?;
        }
        merged
    }

    fn merge_each(&mut self) -> Result<()> {
        for linear in linears(&self.model) {
            let Some(index) = linear.adapter else {
                continue;
            };
            let adapter = self.model.adapters[index];
            let rank = self.model.parameters[adapter.a].shape[0];
            let (a, b) = (
                self.decoder_values(adapter.a)?,
                self.decoder_values(adapter.b)?,
            );
            let old = self.decoder_values(linear.weight)?;
            let mut merged = old.clone();
            add_low_rank(&mut merged, &a, &b, rank, adapter.scale);
            self.unmerged
                .get_or_insert_default()
                .push((linear.weight, old));
            self.set_decoder_values(linear.weight, &merged)?;
            self.model.adapters[index].merged = true;
        }
        Ok(())
    }

    /// Takes the adapters out of their matrices, whose bytes are then those from before.
    ///
    /// # Errors
    /// What the device reports.
    pub fn unmerge(&mut self) -> Result<()> {
        while let Some((id, values)) = self.unmerged.as_mut().and_then(Vec::pop) {
            if let Err(error) = self.set_decoder_values(id, &values) {
                // What cannot be set now stays for another try.
                self.unmerged.get_or_insert_default().push((id, values));
                return Err(error);
            }
        }
        for adapter in &mut self.model.adapters {
            adapter.merged = false;
        }
        self.unmerged = None;
        Ok(())
    }
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
