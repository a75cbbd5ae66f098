//! Which rows make a step, and which of them are computed at once.
//!
//! A step has a number of rows or of tokens; its loss is divided by the whole step's counts, so how it
//! is cut into micro-batches changes memory and speed and not the result. Rows are shuffled by seed
//! and epoch, then sorted by length within pools of some steps, so that rows of like length meet and
//! little is padded; the steps are shuffled again. The plan of an epoch depends on lengths, seed and
//! epoch alone: a [`Cursor`] is all that resuming needs.
//!
//! On the CPU sequences stand one behind the other and none is padded; on a device they are padded to
//! the longest. Micro-batches are counted with padding everywhere, so that they do not depend on the
//! device.

use serde::{Deserialize, Serialize};

use crate::corpus::stable_hash;

/// The size of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepSize {
    /// So many rows.
    Rows(usize),
    /// Rows of so many tokens together at most, one row at least.
    Tokens(usize),
}

/// How an epoch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPlan {
    /// The size of a step.
    pub step: StepSize,
    /// Positions of a micro-batch at most, a device's padding counted; a row that is longer goes alone.
    pub tokens_at_once: usize,
    /// Rows of a micro-batch at most.
    pub rows_at_once: usize,
    /// Steps of a pool in which rows are sorted by length; 1 leaves steps as they were drawn.
    pub pool: usize,
    /// Of all shuffles.
    pub seed: u64,
}

/// What is computed at once: numbers of rows. A pair is one row, its sides are never parted.
pub type MicroBatch = Vec<usize>;

/// Where training stands: all steps before it are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The epoch, from 0.
    pub epoch: u64,
    /// The step in it, from 0.
    pub step: usize,
}

impl Cursor {
    /// The place after a step of an epoch with so many.
    #[must_use]
    pub fn after(self, steps: usize) -> Self {
        match self.step + 1 < steps {
            true => Self {
                step: self.step + 1,
                ..self
            },
            false => Self {
                epoch: self.epoch + 1,
                step: 0,
            },
        }
    }
}

impl BatchPlan {
    /// The steps of an epoch over rows of these lengths in tokens, each in its micro-batches. Every
    /// row is in it once; the last step may be smaller.
    pub fn epoch(&self, lengths: &[usize], epoch: u64) -> Vec<Vec<MicroBatch>> {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        self.shuffle(&mut order, b"rows", epoch);
        let drawn = self.steps(&order, lengths);
        let mut steps = Vec::with_capacity(drawn.len());
        for pool in drawn.chunks(self.pool.max(1)) {
            let mut rows: Vec<usize> = pool.concat();
            if self.pool > 1 {
                // Equal lengths stay in the order of the draw.
                rows.sort_by_key(|row| lengths[*row]);
            }
            steps.extend(self.steps(&rows, lengths));
        }
        // A small step stands where the draw puts it, as all others do.
        self.shuffle(&mut steps, b"steps", epoch);
        steps
            .into_iter()
            .map(|rows| self.micro_batches(rows, lengths))
            .collect()
    }

    fn steps(&self, order: &[usize], lengths: &[usize]) -> Vec<Vec<usize>> {
        match self.step {
            StepSize::Rows(rows) => order.chunks(rows.max(1)).map(<[usize]>::to_vec).collect(),
            StepSize::Tokens(tokens) => cut(order, |step, row| {
                let sum: usize = step.iter().map(|row| lengths[*row]).sum();
                sum + lengths[row] <= tokens
            }),
        }
    }

    fn micro_batches(&self, mut rows: Vec<usize>, lengths: &[usize]) -> Vec<MicroBatch> {
        // The longest first: what does not fit into memory shows in the first micro-batch.
        rows.sort_by_key(|row| (std::cmp::Reverse(lengths[*row]), *row));
        cut(&rows, |batch, _| {
            let positions = lengths[batch[0]] * (batch.len() + 1);
            positions <= self.tokens_at_once && batch.len() < self.rows_at_once
        })
    }

    /// Fisher and Yates' shuffle; each number is drawn by its own hash.
    fn shuffle<T>(&self, items: &mut [T], what: &[u8], epoch: u64) {
        for at in (1..items.len()).rev() {
            let place = (at as u64).to_le_bytes();
            let drawn = stable_hash(self.seed, &[what, &epoch.to_le_bytes(), &place]);
            let other = (u128::from(drawn) * (at as u128 + 1)) >> 64;
            items.swap(at, other as usize);
        }
    }
}

/// Cuts a list greedily: an item joins the last part where `fits` says so.
fn cut(items: &[usize], fits: impl Fn(&[usize], usize) -> bool) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for &item in items {
        match parts.last_mut() {
            Some(part) if fits(part, item) => part.push(item),
            _ => parts.push(vec![item]),
        }
    }
    parts
}
