//! Causal attention of new tokens over one layer's KV cache, written in place.
//!
//! Keys lie in blocks of sixteen positions, dimension by dimension, so that sixteen scores are
//! computed side by side without a sum across lanes; values lie position by position. Query heads
//! of one group and neighbouring tokens share each reading of a key or a value.

use super::elementwise::{dot, exp};
use super::fused;
use super::parallel::{self, SharedOutput};

/// Positions in a block of keys.
const KEYS: usize = 16;
/// Dimensions of a value that are accumulated in registers at once.
const LANES: usize = 16;
/// Queries that share a reading of the cache.
const QUERIES: usize = 4;
/// Tokens in one unit of work of a prefill.
const TOKENS: usize = 16;

/// Head counts of a layer.
#[derive(Clone, Copy, Debug)]
pub struct HeadShape {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; a divisor of `heads`.
    pub kv_heads: usize,
    /// Values in a head.
    pub head_dim: usize,
}

impl HeadShape {
    /// Width of a row of queries.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of a row of keys, and of values.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Width of a row that holds queries, keys and values side by side.
    pub fn joint_width(&self) -> usize {
        self.query_width() + 2 * self.kv_width()
    }
}

/// Keys and values of one layer for up to `capacity` positions.
///
/// The memory is zeroed by the allocator, which takes pages from the system as they are written.
pub struct LayerKv {
    shape: HeadShape,
    capacity: usize,
    /// `[kv_heads, capacity / 16, head_dim, 16]`.
    keys: Vec<f32>,
    /// `[kv_heads, capacity, head_dim]`.
    values: Vec<f32>,
}

impl LayerKv {
    /// An empty layer for `capacity` positions, rounded up to whole blocks.
    pub fn new(shape: HeadShape, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(KEYS);
        let size = shape.kv_width() * capacity;
        Self {
            shape,
            capacity,
            keys: vec![0.0; size],
            values: vec![0.0; size],
        }
    }

    fn key_blocks(&self, head: usize) -> &[f32] {
        &self.keys[head * self.capacity * self.shape.head_dim..]
            [..self.capacity * self.shape.head_dim]
    }

    fn head_values(&self, head: usize) -> &[f32] {
        &self.values[head * self.capacity * self.shape.head_dim..]
            [..self.capacity * self.shape.head_dim]
    }

    /// Writes the keys and values of the tokens in `joint`, `[tokens, joint_width]`, at positions
    /// `offset..`.
    ///
    /// # Panics
    /// Where the positions exceed the capacity.
    pub fn write(&mut self, joint: &[f32], offset: usize) {
        let HeadShape {
            kv_heads, head_dim, ..
        } = self.shape;
        let span = self.capacity * head_dim;
        for (token, row) in joint.chunks_exact(self.shape.joint_width()).enumerate() {
            let position = offset + token;
            assert!(position < self.capacity, "the cache has room for the token");
            let (keys, values) = row[self.shape.query_width()..].split_at(self.shape.kv_width());
            for head in 0..kv_heads {
                let key = &keys[head * head_dim..][..head_dim];
                let block = head * span + position / KEYS * KEYS * head_dim + position % KEYS;
                for (dim, value) in key.iter().enumerate() {
                    self.keys[block + dim * KEYS] = *value;
                }
                self.values[head * span + position * head_dim..][..head_dim]
                    .copy_from_slice(&values[head * head_dim..][..head_dim]);
            }
        }
    }

    /// Attends the queries in `joint`, `[tokens, joint_width]`, at positions `offset..` to all
    /// positions up to their own, or to the last `window` of them; the keys and values of these
    /// tokens have been written. Result in `out`, `[tokens, query_width]`.
    pub fn attend(&self, joint: &[f32], offset: usize, window: Option<usize>, out: &mut [f32]) {
        let tokens = joint.len() / self.shape.joint_width();
        assert!(
            offset + tokens <= self.capacity,
            "the tokens are in the cache"
        );
        assert_eq!(
            out.len(),
            tokens * self.shape.query_width(),
            "one row of output a token"
        );
        let tiles = tokens.div_ceil(TOKENS);
        let shared = SharedOutput::new(out);
        parallel::each(self.shape.kv_heads * tiles, |unit| {
            let (head, tile) = (unit % self.shape.kv_heads, unit / self.shape.kv_heads);
            let rows = tile * TOKENS..tokens.min((tile + 1) * TOKENS);
            let task = Task {
                kv: self,
                joint,
                offset,
                window,
                head,
                out: shared,
            };
            task.run(rows);
        });
    }
}

/// The queries of one KV head's group for a few tokens.
struct Task<'a> {
    kv: &'a LayerKv,
    joint: &'a [f32],
    offset: usize,
    window: Option<usize>,
    head: usize,
    out: SharedOutput,
}

impl Task<'_> {
    fn run(&self, tokens: std::ops::Range<usize>) {
        let shape = self.kv.shape;
        let group = shape.heads / shape.kv_heads;
        // Every query of the unit: its token and its head.
        let queries: Vec<(usize, usize)> = tokens
            .flat_map(|token| (0..group).map(move |i| (token, self.head * group + i)))
            .collect();
        let mut scores = Vec::new();
        for chunk in queries.chunks(QUERIES) {
            match chunk.len() {
                4 => self.tile::<4>(chunk, &mut scores),
                3 => self.tile::<3>(chunk, &mut scores),
                2 => self.tile::<2>(chunk, &mut scores),
                _ => self.tile::<1>(chunk, &mut scores),
            }
        }
    }

    fn tile<const Q: usize>(&self, queries: &[(usize, usize)], scores: &mut Vec<f32>) {
        let shape = self.kv.shape;
        let ends: [usize; Q] = std::array::from_fn(|q| self.offset + queries[q].0 + 1);
        let starts = ends.map(|end| self.window.map_or(0, |window| end.saturating_sub(window)));
        let end = ends[Q - 1];
        let first_block = starts[0] / KEYS;
        let width = end.next_multiple_of(KEYS) - first_block * KEYS;
        scores.resize(Q * width, 0.0);
        let scale = 1.0 / (shape.head_dim as f32).sqrt();
        let rows: [&[f32]; Q] = std::array::from_fn(|q| {
            let (token, head) = queries[q];
            &self.joint[token * shape.joint_width() + head * shape.head_dim..][..shape.head_dim]
        });
        let keys = &self.kv.key_blocks(self.head)[first_block * KEYS * shape.head_dim..];
        for (block, keys) in keys
            .chunks_exact(KEYS * shape.head_dim)
            .take(width / KEYS)
            .enumerate()
        {
            let found = block_scores(&rows, keys);
            for (q, found) in found.iter().enumerate() {
                scores[q * width + block * KEYS..][..KEYS].copy_from_slice(found);
            }
        }
        for q in 0..Q {
            let valid = starts[q] - first_block * KEYS..ends[q] - first_block * KEYS;
            softmax(&mut scores[q * width..][..width], valid, scale);
        }
        let values = &self.kv.head_values(self.head)[first_block * KEYS * shape.head_dim..];
        self.weigh::<Q>(
            queries,
            scores,
            width,
            &values[..(end - first_block * KEYS) * shape.head_dim],
        );
    }

    /// `out[q] = sum over positions of scores[q, position] * values[position]`.
    fn weigh<const Q: usize>(
        &self,
        queries: &[(usize, usize)],
        scores: &[f32],
        width: usize,
        values: &[f32],
    ) {
        let shape = self.kv.shape;
        let rows: [&[f32]; Q] = std::array::from_fn(|q| &scores[q * width..][..width]);
        for first in (0..shape.head_dim).step_by(LANES) {
            let lanes = LANES.min(shape.head_dim - first);
            let sums = if lanes == LANES {
                weigh_lanes(&rows, values, shape.head_dim, first)
            } else {
                weigh_few(&rows, values, shape.head_dim, first, lanes)
            };
            for (sum, (token, head)) in sums.iter().zip(queries) {
                let at = token * shape.query_width() + head * shape.head_dim + first;
                // SAFETY: each query belongs to one tile, which alone writes its row of the head.
                unsafe {
                    std::ptr::copy_nonoverlapping(sum.as_ptr(), self.out.pointer().add(at), lanes);
                }
            }
        }
    }
}

#[inline(always)]
fn block_scores<const Q: usize>(queries: &[&[f32]; Q], keys: &[f32]) -> [[f32; KEYS]; Q] {
    let mut sums = [[0.0f32; KEYS]; Q];
    for (dim, keys) in keys.chunks_exact(KEYS).enumerate() {
        for q in 0..Q {
            let query = queries[q][dim];
            for key in 0..KEYS {
                sums[q][key] = fused(query, keys[key], sums[q][key]);
            }
        }
    }
    sums
}

#[inline(always)]
fn weigh_lanes<const Q: usize>(
    scores: &[&[f32]; Q],
    values: &[f32],
    head_dim: usize,
    first: usize,
) -> [[f32; LANES]; Q] {
    let mut sums = [[0.0f32; LANES]; Q];
    for (position, value) in values.chunks_exact(head_dim).enumerate() {
        let value = &value[first..first + LANES];
        for q in 0..Q {
            let score = scores[q][position];
            for lane in 0..LANES {
                sums[q][lane] = fused(score, value[lane], sums[q][lane]);
            }
        }
    }
    sums
}

/// The end of a head whose size is no multiple of the lanes.
fn weigh_few<const Q: usize>(
    scores: &[&[f32]; Q],
    values: &[f32],
    head_dim: usize,
    first: usize,
    lanes: usize,
) -> [[f32; LANES]; Q] {
    let mut sums = [[0.0f32; LANES]; Q];
    for (position, value) in values.chunks_exact(head_dim).enumerate() {
        for q in 0..Q {
            for lane in 0..lanes {
                sums[q][lane] = fused(scores[q][position], value[first + lane], sums[q][lane]);
            }
        }
    }
    sums
}

/// Softmax of `scale * scores` over the positions `valid`; the others become 0.
fn softmax(scores: &mut [f32], valid: std::ops::Range<usize>, scale: f32) {
    scores[..valid.start].fill(0.0);
    scores[valid.end..].fill(0.0);
    let valid = &mut scores[valid];
    let largest = valid
        .iter()
        .fold(f32::NEG_INFINITY, |max, score| max.max(*score));
    for score in valid.iter_mut() {
        *score = exp((*score - largest) * scale);
    }
    let ones = [1.0f32; 64];
    let total: f32 = valid
        .chunks(64)
        .map(|chunk| dot(chunk, &ones[..chunk.len()]))
        .sum();
    let inverse = 1.0 / total;
    for score in valid {
        *score *= inverse;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| ((i * 2_654_435_761) % 1999) as f32 / 1000.0 - 1.0)
            .collect()
    }

    /// Softmax attention written down as it is defined, in `f64`.
    fn oracle(shape: HeadShape, joint: &[f32], window: Option<usize>) -> Vec<f32> {
        let (width, dim) = (shape.joint_width(), shape.head_dim);
        let group = shape.heads / shape.kv_heads;
        let mut out = Vec::new();
        for token in 0..joint.len() / width {
            for head in 0..shape.heads {
                let query = &joint[token * width + head * dim..][..dim];
                let start = window.map_or(0, |window| (token + 1).saturating_sub(window));
                let at = shape.query_width() + head / group * dim;
                let scores: Vec<f64> = (start..=token)
                    .map(|p| {
                        let key = &joint[p * width + at..][..dim];
                        let sum: f64 = query
                            .iter()
                            .zip(key)
                            .map(|(a, b)| f64::from(*a) * f64::from(*b))
                            .sum();
                        (sum / (dim as f64).sqrt()).exp()
                    })
                    .collect();
                let total: f64 = scores.iter().sum();
                for i in 0..dim {
                    let sum: f64 = (start..=token)
                        .zip(&scores)
                        .map(|(p, s)| s * f64::from(joint[p * width + at + shape.kv_width() + i]))
                        .sum();
                    out.push((sum / total) as f32);
                }
            }
        }
        out
    }

    #[test]
    fn attention_matches_its_definition_in_one_pass_and_in_slices() {
        let shapes = [(9, 3, 64), (4, 4, 16), (2, 1, 24), (4, 2, 10)];
        for (heads, kv_heads, head_dim) in shapes {
            let shape = HeadShape {
                heads,
                kv_heads,
                head_dim,
            };
            let joint = noise(53 * shape.joint_width());
            for window in [None, Some(20), Some(1)] {
                let expected = oracle(shape, &joint, window);
                for cuts in [vec![53], vec![1, 17, 16, 18, 1], vec![20, 33]] {
                    let mut kv = LayerKv::new(shape, 53);
                    let (mut offset, mut found) = (0, Vec::new());
                    for cut in cuts {
                        let rows =
                            &joint[offset * shape.joint_width()..][..cut * shape.joint_width()];
                        let mut out = vec![f32::NAN; cut * shape.query_width()];
                        kv.write(rows, offset);
                        kv.attend(rows, offset, window, &mut out);
                        found.extend(out);
                        offset += cut;
                    }
                    for (a, b) in found.iter().zip(&expected) {
                        assert!((a - b).abs() < 1e-5, "{shape:?} {window:?}: {a} {b}");
                    }
                }
            }
        }
    }
}
