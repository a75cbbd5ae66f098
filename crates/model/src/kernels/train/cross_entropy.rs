//! The head and the logarithm of the softmax, a piece of the vocabulary at a time: logits exist for
//! [`COLUMNS`] tokens of the vocabulary and [`ROWS`] positions at once, whatever the batch.

use std::ops::Range;
use std::sync::Arc;

use super::buffer::{Kept, Pool, Values};
use super::matmul::{Into, product};
use super::panels::{BLOCK, Depth, Format, Operand, Panels};
use crate::kernels::elementwise::{add, exp};
use crate::kernels::parallel::{self, SharedSlice};

/// Tokens of the vocabulary whose logits exist together.
const COLUMNS: usize = 3072;
/// Positions whose logits exist together, where their sequences allow.
const ROWS: usize = 2048;

/// The head and what goes into it.
pub struct Head<'a> {
    /// Where memory comes from.
    pub pool: &'a Arc<Pool>,
    /// What products are computed in.
    pub format: Format,
    /// `[vocabulary, hidden]`.
    pub weight: &'a [f32],
    /// Hidden states, `[rows, hidden]`.
    pub x: &'a Kept,
    /// Features of a row.
    pub hidden: usize,
    /// The token that each row is asked for.
    pub targets: &'a [u32],
    /// Rows of each sequence.
    pub lengths: &'a [usize],
}

/// What a row's logits come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    /// The largest logit so far.
    largest: f32,
    /// The sum of `exp(logit - largest)`.
    sum: f32,
    /// The target's logit.
    target: f32,
}

impl Row {
    /// The logarithm of the target's probability.
    pub fn log_probability(&self) -> f32 {
        self.target - self.largest - self.sum.ln()
    }

    fn log_sum(&self) -> f32 {
        self.largest + self.sum.ln()
    }

    /// Takes in the logits of tokens from `first` on.
    fn take(&mut self, logits: &[f32], first: usize, target: u32) {
        let mut lanes = [f32::NEG_INFINITY; 16];
        for chunk in logits.chunks(16) {
            for (lane, logit) in lanes.iter_mut().zip(chunk) {
                *lane = lane.max(*logit);
            }
        }
        let largest = lanes
            .iter()
            .fold(f32::NEG_INFINITY, |max, lane| max.max(*lane));
        if largest > self.largest {
            self.sum *= exp(self.largest - largest);
            self.largest = largest;
        }
        let mut sums = [0.0f32; 16];
        for chunk in logits.chunks(16) {
            for (sum, logit) in sums.iter_mut().zip(chunk) {
                *sum += exp(logit - self.largest);
            }
        }
        self.sum += sums.iter().sum::<f32>();
        if let Some(logit) = (target as usize)
            .checked_sub(first)
            .and_then(|i| logits.get(i))
        {
            self.target = *logit;
        }
    }
}

/// Where the gradient of the head goes.
pub enum HeadGradient<'a> {
    /// Nowhere: it is frozen.
    Frozen,
    /// Everywhere, `[vocabulary, hidden]`.
    Whole(&'a mut [f32]),
    /// To the rows of these tokens, `[tokens, hidden]`.
    Rows(&'a [u32], &'a mut [f32]),
}

/// Consecutive rows: those of some sequences, a long one cut where blocks of sums end.
struct Piece {
    rows: Range<usize>,
    lengths: Vec<usize>,
}

fn pieces(lengths: &[usize]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let depth = Depth::segments(lengths.iter().copied());
    for block in depth.blocks() {
        match pieces.last_mut() {
            Some(piece) if piece.rows.len() + block.len() <= ROWS => {
                piece.rows.end = block.end;
                piece.lengths.push(block.len());
            }
            _ => pieces.push(Piece {
                rows: block.clone(),
                lengths: vec![block.len()],
            }),
        }
    }
    pieces
}

impl Head<'_> {
    fn vocabulary(&self) -> usize {
        self.weight.len() / self.hidden
    }

    /// What each row's logits come to.
    pub fn forward(&self) -> Vec<Row> {
        let mut rows = vec![
            Row {
                largest: f32::NEG_INFINITY,
                ..Row::default()
            };
            self.targets.len()
        ];
        for piece in pieces(self.lengths) {
            self.each_chunk(&piece.rows, |columns, logits| {
                let width = columns.len();
                let shared = SharedSlice::new(&mut rows[piece.rows.clone()]);
                parallel::rows(logits, width, |row, logits| {
                    // SAFETY: each row is taken once.
                    let out = unsafe { shared.slice(row..row + 1) };
                    out[0].take(logits, columns.start, self.targets[piece.rows.start + row]);
                });
            });
        }
        rows
    }

    /// Calls `run` with the logits of some rows, a chunk of the vocabulary at a time.
    fn each_chunk(&self, rows: &Range<usize>, mut run: impl FnMut(Range<usize>, &mut [f32])) {
        let depth = Depth::whole(self.hidden);
        let x = Operand::rows(
            self.x.values(),
            rows.start * self.hidden,
            self.hidden,
            rows.len(),
        );
        let x = Panels::pack(self.pool, self.format, x, &depth);
        let mut logits = self
            .pool
            .take::<f32>(rows.len() * COLUMNS.min(self.vocabulary()));
        for start in (0..self.vocabulary()).step_by(COLUMNS) {
            let width = COLUMNS.min(self.vocabulary() - start);
            let weight = Values::Full(self.weight);
            let weight = Operand::rows(weight, start * self.hidden, self.hidden, width);
            let weight = Panels::pack(self.pool, self.format, weight, &depth);
            let logits = &mut logits[..rows.len() * width];
            product(&x, &weight, logits, width, 0, Into::Set);
            run(start..start + width, logits);
        }
    }

    /// Writes the gradient of the hidden states to `dx`, and adds that of the head to `gradient`,
    /// for a loss whose derivative by each row's log-probability is its coefficient.
    pub fn backward(
        &self,
        rows: &[Row],
        coefficients: &[f32],
        dx: &mut [f32],
        mut gradient: HeadGradient<'_>,
    ) {
        for piece in pieces(self.lengths) {
            let dx = &mut dx[piece.rows.start * self.hidden..piece.rows.end * self.hidden];
            self.each_chunk(&piece.rows, |columns, logits| {
                parallel::rows(logits, columns.len(), |row, logits| {
                    let row = piece.rows.start + row;
                    let (sum, coefficient) = (rows[row].log_sum(), coefficients[row]);
                    for logit in logits.iter_mut() {
                        *logit = -coefficient * exp(*logit - sum);
                    }
                    let target = (self.targets[row] as usize).checked_sub(columns.start);
                    if let Some(logit) = target.and_then(|i| logits.get_mut(i)) {
                        *logit += coefficient;
                    }
                });
                self.chunk_backward(&piece, columns, logits, dx, &mut gradient);
            });
        }
    }

    fn chunk_backward(
        &self,
        piece: &Piece,
        columns: Range<usize>,
        d_logits: &[f32],
        dx: &mut [f32],
        gradient: &mut HeadGradient<'_>,
    ) {
        let (hidden, width) = (self.hidden, columns.len());
        let pack = |operand, depth: &Depth| Panels::pack(self.pool, self.format, operand, depth);
        let values = Values::Full(d_logits);
        let depth = Depth::whole(width);
        let weight = Operand::columns(
            Values::Full(self.weight),
            columns.start * hidden,
            hidden,
            hidden,
        );
        let left = pack(Operand::rows(values, 0, width, piece.rows.len()), &depth);
        let into = if columns.start == 0 {
            Into::Set
        } else {
            Into::Add
        };
        product(&left, &pack(weight, &depth), dx, hidden, 0, into);
        match gradient {
            HeadGradient::Frozen => {}
            HeadGradient::Whole(gradient) => {
                let depth = Depth::segments(piece.lengths.iter().copied());
                let x =
                    Operand::columns(self.x.values(), piece.rows.start * hidden, hidden, hidden);
                let left = pack(Operand::columns(values, 0, width, width), &depth);
                let gradient = &mut gradient[columns.start * hidden..columns.end * hidden];
                product(&left, &pack(x, &depth), gradient, hidden, 0, Into::Add);
            }
            HeadGradient::Rows(tokens, gradient) => {
                let mut wide = vec![0.0; hidden];
                for (token, gradient) in tokens.iter().zip(gradient.chunks_exact_mut(hidden)) {
                    let Some(column) = (*token as usize).checked_sub(columns.start) else {
                        continue;
                    };
                    if column >= width {
                        continue;
                    }
                    for (row, d_logits) in piece.rows.clone().zip(d_logits.chunks_exact(width)) {
                        self.x.values().widen(row * hidden, &mut wide);
                        wide.iter_mut().for_each(|x| *x *= d_logits[column]);
                        add(gradient, &wide);
                    }
                }
            }
        }
    }
}

const _: () = assert!(BLOCK <= ROWS, "a block of sums fits into a piece");

#[cfg(test)]
mod tests {
    use super::super::panels::Precision;
    use super::*;

    const HIDDEN: usize = 6;
    /// Three chunks, the last one ragged.
    const VOCABULARY: usize = 2 * COLUMNS + 37;

    fn noise(count: usize, seed: u64) -> Vec<f32> {
        use rand::{RngExt, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..count)
            .map(|_| random.random_range(-1.5f32..1.5))
            .collect()
    }

    struct Case {
        pool: Arc<Pool>,
        weight: Vec<f32>,
        x: Vec<f32>,
        targets: Vec<u32>,
        lengths: Vec<usize>,
        coefficients: Vec<f32>,
    }

    impl Case {
        /// More rows than a piece holds; one sequence is cut.
        fn new() -> Self {
            let lengths = vec![30, 0, BLOCK + 5, 1, 1500];
            let rows: usize = lengths.iter().sum();
            assert!(rows > ROWS);
            Self {
                pool: Arc::new(Pool::default()),
                weight: noise(VOCABULARY * HIDDEN, 1),
                x: noise(rows * HIDDEN, 2),
                targets: (0..rows)
                    .map(|row| (row * 7919 % VOCABULARY) as u32)
                    .collect(),
                coefficients: noise(rows, 3),
                lengths,
            }
        }

        fn run<R>(&self, run: impl FnOnce(&Head<'_>) -> R) -> R {
            let mut x = self.pool.take::<f32>(self.x.len());
            x.copy_from_slice(&self.x);
            run(&Head {
                pool: &self.pool,
                format: Format::of(Precision::F32),
                weight: &self.weight,
                x: &Kept::Full(x),
                hidden: HIDDEN,
                targets: &self.targets,
                lengths: &self.lengths,
            })
        }

        /// Softmax as it is defined, in `f64`: chances of a row.
        fn chances(&self, row: usize) -> Vec<f64> {
            let x = &self.x[row * HIDDEN..][..HIDDEN];
            let logit = |w: &[f32]| -> f64 {
                w.iter()
                    .zip(x)
                    .map(|(w, x)| f64::from(*w) * f64::from(*x))
                    .sum()
            };
            let weights: Vec<f64> = self
                .weight
                .chunks_exact(HIDDEN)
                .map(|w| logit(w).exp())
                .collect();
            let total: f64 = weights.iter().sum();
            weights.into_iter().map(|weight| weight / total).collect()
        }
    }

    #[test]
    fn log_probabilities_match_their_definition() {
        let case = Case::new();
        let rows = case.run(|head| head.forward());
        for row in [0, 29, 30, 700, 2047, 2048, rows.len() - 1] {
            let chances = case.chances(row);
            let exact = chances[case.targets[row] as usize].ln();
            let found = f64::from(rows[row].log_probability());
            assert!((found - exact).abs() < 1e-5, "{row}: {found} {exact}");
        }
    }

    #[test]
    fn gradients_match_their_definition() {
        let case = Case::new();
        let mut dx = vec![f32::NAN; case.x.len()];
        let mut dw = vec![1.0; case.weight.len()];
        let ids = [5, COLUMNS as u32 - 1, COLUMNS as u32, VOCABULARY as u32 - 1];
        let mut rows_dw = vec![1.0; ids.len() * HIDDEN];
        case.run(|head| {
            let rows = head.forward();
            let sink = HeadGradient::Whole(&mut dw);
            head.backward(&rows, &case.coefficients, &mut dx, sink);
            let mut again = vec![0.0; dx.len()];
            let sink = HeadGradient::Rows(&ids, &mut rows_dw);
            head.backward(&rows, &case.coefficients, &mut again, sink);
            assert!(dx == again, "what is trained changes no other gradient");
        });
        let mut expected = vec![1.0f64; dw.len()];
        for (row, coefficient) in case.coefficients.iter().enumerate() {
            let mut slopes: Vec<f64> = case.chances(row).iter().map(|p| -p).collect();
            slopes[case.targets[row] as usize] += 1.0;
            let mut exact = [0.0; HIDDEN];
            for (token, slope) in slopes.iter().enumerate() {
                for (i, exact) in exact.iter_mut().enumerate() {
                    let slope = slope * f64::from(*coefficient);
                    *exact += slope * f64::from(case.weight[token * HIDDEN + i]);
                    expected[token * HIDDEN + i] += slope * f64::from(case.x[row * HIDDEN + i]);
                }
            }
            for (i, exact) in exact.iter().enumerate() {
                let found = f64::from(dx[row * HIDDEN + i]);
                assert!((found - exact).abs() < 1e-5, "{row} {i}: {found} {exact}");
            }
        }
        for (found, exact) in dw.iter().zip(&expected) {
            assert!((f64::from(*found) - exact).abs() < 1e-4, "{found} {exact}");
        }
        for (id, row) in ids.iter().zip(rows_dw.chunks_exact(HIDDEN)) {
            for (found, exact) in row.iter().zip(&expected[*id as usize * HIDDEN..]) {
                assert!(
                    (f64::from(*found) - exact).abs() < 1e-4,
                    "{id}: {found} {exact}"
                );
            }
        }
    }
}
