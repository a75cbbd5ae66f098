//! Causal attention of new tokens over one layer's KV cache, written in place.
//!
//! Sixteen scores are computed side by side, without a sum across lanes; query heads of one group
//! and neighbouring tokens share each reading of a key or a value.

use super::elementwise::{dot, exp};
use super::fused;
use super::layer_kv::{Arrays, HeadShape, KEYS, Stored};
use super::parallel::{self, SharedOutput};

/// Dimensions of a value that are accumulated in registers at once.
const LANES: usize = 16;
/// Queries that share a reading of the cache.
const QUERIES: usize = 4;
/// Positions whose values are widened together.
const POSITIONS: usize = 64;
/// Tokens in one unit of work of a prefill.
const TOKENS: usize = 16;

/// One attention over the cache; a unit of work is a few tokens' queries of one KV head's group.
pub(super) struct Pass<'a, T> {
    pub(super) arrays: &'a Arrays<T>,
    pub(super) shape: HeadShape,
    /// Positions of the cache.
    pub(super) capacity: usize,
    /// Queries, keys and values of the new tokens, `[tokens, joint_width]`.
    pub(super) joint: &'a [f32],
    /// Position of the first of them.
    pub(super) offset: usize,
    pub(super) window: Option<usize>,
    pub(super) out: SharedOutput,
}

/// Memory that the tiles of one unit share.
#[derive(Default)]
struct Scratch {
    scores: Vec<f32>,
    wide: Vec<f32>,
    sums: Vec<f32>,
}

impl<T: Stored> Pass<'_, T> {
    pub(super) fn run(&self, tokens: usize) {
        let tiles = tokens.div_ceil(TOKENS);
        parallel::each(self.shape.kv_heads * tiles, |unit| {
            let (head, tile) = (unit % self.shape.kv_heads, unit / self.shape.kv_heads);
            self.unit(head, tile * TOKENS..tokens.min((tile + 1) * TOKENS));
        });
    }

    fn unit(&self, head: usize, tokens: std::ops::Range<usize>) {
        let group = self.shape.heads / self.shape.kv_heads;
        // Every query of the unit: its token and its head.
        let queries: Vec<(usize, usize)> = tokens
            .flat_map(|token| (0..group).map(move |i| (token, head * group + i)))
            .collect();
        let mut scratch = Scratch::default();
        scratch
            .wide
            .resize(KEYS.max(POSITIONS) * self.shape.head_dim, 0.0);
        for chunk in queries.chunks(QUERIES) {
            match chunk.len() {
                4 => self.tile::<4>(head, chunk, &mut scratch),
                3 => self.tile::<3>(head, chunk, &mut scratch),
                2 => self.tile::<2>(head, chunk, &mut scratch),
                _ => self.tile::<1>(head, chunk, &mut scratch),
            }
        }
    }

    fn tile<const Q: usize>(&self, head: usize, queries: &[(usize, usize)], scratch: &mut Scratch) {
        let head_dim = self.shape.head_dim;
        let ends: [usize; Q] = std::array::from_fn(|q| self.offset + queries[q].0 + 1);
        let starts = ends.map(|end| self.window.map_or(0, |window| end.saturating_sub(window)));
        let end = ends[Q - 1];
        let first = starts[0] / KEYS * KEYS;
        let width = end.next_multiple_of(KEYS) - first;
        let rows: [&[f32]; Q] = std::array::from_fn(|q| {
            let (token, head) = queries[q];
            &self.joint[token * self.shape.joint_width() + head * head_dim..][..head_dim]
        });
        let at = (head * self.capacity + first) * head_dim;
        scratch.scores.resize(Q * width, 0.0);
        let keys = &self.arrays.keys[at..][..width * head_dim];
        for (block, keys) in keys.chunks_exact(KEYS * head_dim).enumerate() {
            let found = block_scores(&rows, T::widen(keys, &mut scratch.wide));
            for (q, found) in found.iter().enumerate() {
                scratch.scores[q * width + block * KEYS..][..KEYS].copy_from_slice(found);
            }
        }
        let scale = 1.0 / (head_dim as f32).sqrt();
        for q in 0..Q {
            let valid = starts[q] - first..ends[q] - first;
            softmax(&mut scratch.scores[q * width..][..width], valid, scale);
        }
        self.weigh::<Q>(
            queries,
            scratch,
            width,
            &self.arrays.values[at..][..(end - first) * head_dim],
        );
    }

    /// `out[q] = sum over positions of scores[q, position] * values[position]`.
    fn weigh<const Q: usize>(
        &self,
        queries: &[(usize, usize)],
        scratch: &mut Scratch,
        width: usize,
        values: &[T],
    ) {
        let head_dim = self.shape.head_dim;
        let padded = head_dim.next_multiple_of(LANES);
        scratch.sums.clear();
        scratch.sums.resize(Q * padded, 0.0);
        for (block, values) in values.chunks(POSITIONS * head_dim).enumerate() {
            let values = T::widen(values, &mut scratch.wide);
            let scores: [&[f32]; Q] =
                std::array::from_fn(|q| &scratch.scores[q * width + block * POSITIONS..]);
            for first in (0..head_dim).step_by(LANES) {
                let lanes = LANES.min(head_dim - first);
                let sums = if lanes == LANES {
                    weigh_lanes(&scores, values, head_dim, first)
                } else {
                    weigh_few(&scores, values, head_dim, first, lanes)
                };
                for (q, sums) in sums.iter().enumerate() {
                    let totals = &mut scratch.sums[q * padded + first..][..LANES];
                    totals
                        .iter_mut()
                        .zip(sums)
                        .for_each(|(total, sum)| *total += sum);
                }
            }
        }
        for (q, (token, head)) in queries.iter().enumerate() {
            let at = token * self.shape.query_width() + head * head_dim;
            let sums = &scratch.sums[q * padded..][..head_dim];
            // SAFETY: each query belongs to one tile, which alone writes its row of the head.
            unsafe {
                std::ptr::copy_nonoverlapping(sums.as_ptr(), self.out.pointer().add(at), head_dim);
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
    use super::super::layer_kv::{HeadShape, KvPrecision, LayerKv};

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
                let all_cuts = [vec![53], vec![1, 17, 16, 18, 1], vec![20, 33]];
                let both = [(KvPrecision::Full, 1e-5), (KvPrecision::Half, 2e-3)];
                let cases = all_cuts
                    .into_iter()
                    .flat_map(|cuts| both.map(|p| (cuts.clone(), p)));
                for (cuts, (precision, tolerance)) in cases {
                    let mut kv = LayerKv::new(shape, 53, precision);
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
                        assert!(
                            (a - b).abs() < tolerance,
                            "{shape:?} {window:?} {precision:?}: {a} {b}"
                        );
                    }
                }
            }
        }
    }
}
