//! Quantised matrices laid out for int8 dot products.
//!
//! A matrix `[rows, cols]` is cut into panels of [`PANEL`] rows; inside a panel, every run of
//! [`BLOCK`] columns is a block. A block stores its quants so that one 64-byte line holds four
//! neighbouring columns of all sixteen rows: a dot-product instruction then yields sixteen rows at
//! once, with no sum across lanes. The value of a quant is `scale * (q - zero_point)` or, for
//! formats with a minimum, `scale * q + minimum`; scale and minimum belong to one row of one block.

use half::f16;

use super::block::{BlockRow, for_each_block};
use crate::weights::{RawTensor, WeightDtype};

/// Rows in a panel.
pub const PANEL: usize = 16;
/// Columns in a block.
pub const BLOCK: usize = 32;

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u8; 64]);

/// How many bits a stored quant takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// Two quants in a byte: columns `0..16` of a block in the low halves, `16..32` in the high.
    Four,
    /// One quant in a byte.
    Eight,
}

impl Bits {
    /// Lines of 64 bytes that a block of a panel takes.
    pub(crate) fn lines(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// A quantised matrix `[rows, cols]`, `cols` a multiple of [`BLOCK`].
pub struct PackedMatrix {
    rows: usize,
    cols: usize,
    bits: Bits,
    zero_point: i32,
    quants: Vec<Line>,
    scales: Vec<[f16; PANEL]>,
    minima: Vec<[f16; PANEL]>,
}

impl PackedMatrix {
    /// True where [`PackedMatrix::pack`] can hold this matrix.
    pub fn fits(weight: &RawTensor<'_>) -> bool {
        weight.shape.len() == 2 && weight.shape[1].is_multiple_of(BLOCK) && weight.shape[1] > 0
    }

    /// Packs a weight `[rows, cols]` of any type. The quantised types keep their quants; the
    /// others, and those with blocks narrower than [`BLOCK`] (Q6_K), are rounded to eight bits.
    ///
    /// `order(i)` is the row of `weight` that becomes row `i`.
    ///
    /// `None` where a value is not finite, or too large for a block's scale: rounding would make a
    /// number of it that nobody trained.
    pub fn pack(weight: &RawTensor<'_>, order: impl Fn(usize) -> usize + Sync) -> Option<Self> {
        let (rows, cols) = (weight.shape[0], weight.shape[1]);
        let (bits, zero_point) = layout_of(weight.dtype);
        let (panels, blocks) = (rows.div_ceil(PANEL), cols / BLOCK);
        let has_minimum = zero_point == 0;
        let mut packed = Self {
            rows,
            cols,
            bits,
            zero_point,
            quants: vec![bytemuck::Zeroable::zeroed(); panels * blocks * bits.lines()],
            scales: vec![[f16::ZERO; PANEL]; panels * blocks],
            minima: if has_minimum {
                vec![[f16::ZERO; PANEL]; panels * blocks]
            } else {
                Vec::new()
            },
        };
        packed.fill(weight, &order).then_some(packed)
    }

    /// True where every value was finite.
    fn fill(&mut self, weight: &RawTensor<'_>, order: &(impl Fn(usize) -> usize + Sync)) -> bool {
        use rayon::prelude::*;
        let (rows, blocks, bits) = (self.rows, self.cols / BLOCK, self.bits);
        let has_minimum = !self.minima.is_empty();
        let row_bytes = weight.data.len() / rows.max(1);
        let mut no_minima =
            vec![[f16::ZERO; PANEL]; if has_minimum { 0 } else { self.scales.len() }];
        let minima = if has_minimum {
            &mut self.minima
        } else {
            &mut no_minima
        };
        self.quants
            .par_chunks_mut(blocks * bits.lines())
            .zip(self.scales.par_chunks_mut(blocks))
            .zip(minima.par_chunks_mut(blocks))
            .enumerate()
            .map(|(panel, ((quants, scales), minima))| {
                let mut finite = true;
                for lane in 0..PANEL.min(rows - panel * PANEL) {
                    let source = order(panel * PANEL + lane) * row_bytes;
                    let row = &weight.data[source..source + row_bytes];
                    for_each_block(weight.dtype, row, |block, content| {
                        let lines = &mut quants[block * bits.lines()..][..bits.lines()];
                        store(bits, lines, lane, &content.quants);
                        let BlockRow { scale, minimum, .. } = content;
                        let (scale, minimum) = (f16::from_f32(scale), f16::from_f32(minimum));
                        finite &= scale.is_finite() && minimum.is_finite();
                        scales[block][lane] = scale;
                        minima[block][lane] = minimum;
                    });
                }
                finite
            })
            .reduce(|| true, |a, b| a & b)
    }

    /// Output features.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Input features.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes held in memory.
    pub fn bytes(&self) -> usize {
        self.quants.len() * 64 + (self.scales.len() + self.minima.len()) * size_of::<[f16; PANEL]>()
    }

    pub(crate) fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }

    pub(crate) fn blocks(&self) -> usize {
        self.cols / BLOCK
    }

    pub(crate) fn bits(&self) -> Bits {
        self.bits
    }

    /// What is subtracted from every quant; 0 where the blocks have a minimum instead.
    pub(crate) fn zero_point(&self) -> i32 {
        self.zero_point
    }

    pub(crate) fn panel_quants(&self, panel: usize) -> &[Line] {
        let lines = self.blocks() * self.bits.lines();
        &self.quants[panel * lines..][..lines]
    }

    pub(crate) fn panel_scales(&self, panel: usize) -> &[[f16; PANEL]] {
        &self.scales[panel * self.blocks()..][..self.blocks()]
    }

    /// Empty where the matrix has a zero point.
    pub(crate) fn panel_minima(&self, panel: usize) -> &[[f16; PANEL]] {
        if self.minima.is_empty() {
            return &[];
        }
        &self.minima[panel * self.blocks()..][..self.blocks()]
    }

    /// The values of one row.
    pub fn dequantise_row(&self, row: usize, out: &mut [f32]) {
        let (panel, lane) = (row / PANEL, row % PANEL);
        let (quants, scales) = (self.panel_quants(panel), self.panel_scales(panel));
        let minima = self.panel_minima(panel);
        for (block, values) in out[..self.cols].chunks_exact_mut(BLOCK).enumerate() {
            let lines = &quants[block * self.bits.lines()..][..self.bits.lines()];
            let scale = scales[block][lane].to_f32();
            let minimum = minima.get(block).map_or(0.0, |m| m[lane].to_f32());
            for (column, value) in values.iter_mut().enumerate() {
                let quant = i32::from(quant_at(self.bits, lines, lane, column)) - self.zero_point;
                *value = scale * quant as f32 + minimum;
            }
        }
    }
}

/// Storage width and zero point for a weight of this type.
fn layout_of(dtype: WeightDtype) -> (Bits, i32) {
    match dtype {
        WeightDtype::Q4_0 => (Bits::Four, 8),
        WeightDtype::Q4_1 | WeightDtype::Q4K => (Bits::Four, 0),
        WeightDtype::Q5_0 => (Bits::Eight, 16),
        WeightDtype::Q5_1 | WeightDtype::Q5K => (Bits::Eight, 0),
        _ => (Bits::Eight, 128),
    }
}

fn store(bits: Bits, lines: &mut [Line], lane: usize, quants: &[u8; BLOCK]) {
    for (column, &quant) in quants.iter().enumerate() {
        let (group, byte) = (column / 4, lane * 4 + column % 4);
        match bits {
            Bits::Eight => lines[group].0[byte] = quant,
            Bits::Four if group < 4 => lines[group].0[byte] |= quant & 15,
            Bits::Four => lines[group - 4].0[byte] |= quant << 4,
        }
    }
}

fn quant_at(bits: Bits, lines: &[Line], lane: usize, column: usize) -> u8 {
    let (group, byte) = (column / 4, lane * 4 + column % 4);
    match bits {
        Bits::Eight => lines[group].0[byte],
        Bits::Four if group < 4 => lines[group].0[byte] & 15,
        Bits::Four => lines[group - 4].0[byte] >> 4,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::weights::{dequantise, quantise};

    /// Blocks of any type. Those that cannot be encoded here are filled with bytes of the values'
    /// own, and with scales that keep the numbers that they stand for below about 2.
    pub fn encoded(dtype: WeightDtype, values: &[f32]) -> Vec<u8> {
        let (scale, minimum, at) = match dtype {
            WeightDtype::Q5_0 => (0.06, None, 0),
            WeightDtype::Q5_1 => (0.03, Some(-0.5), 0),
            WeightDtype::Q4K => (0.002, Some(0.015), 0),
            WeightDtype::Q5K => (0.001, Some(0.015), 0),
            WeightDtype::Q6K => (0.0005, None, 208),
            _ => return quantise(dtype, values).expect("encodes"),
        };
        let blocks = values.len() / dtype.block_size();
        let bytes = bytemuck::cast_slice::<f32, u8>(values).iter().copied();
        // Of four bytes the first two are the noise of the fraction.
        let noise = bytes.enumerate().filter(|(i, _)| i % 4 < 2).map(|(_, b)| b);
        let mut data: Vec<u8> = noise.take(blocks * dtype.block_bytes()).collect();
        for block in data.chunks_exact_mut(dtype.block_bytes()) {
            block[at..at + 2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
            if let Some(minimum) = minimum {
                block[2..4].copy_from_slice(&f16::from_f32(minimum).to_le_bytes());
            }
        }
        data
    }

    fn values(count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0)
            .collect()
    }

    #[test]
    fn quants_survive_packing() {
        let (rows, cols) = (21, 64);
        for dtype in [
            WeightDtype::Q8_0,
            WeightDtype::Q4_0,
            WeightDtype::Q4_1,
            WeightDtype::Q5_0,
            WeightDtype::Q5_1,
        ] {
            let data = encoded(dtype, &values(rows * cols));
            let weight = RawTensor {
                dtype,
                shape: vec![rows, cols],
                data: &data,
            };
            let packed = PackedMatrix::pack(&weight, |row| rows - 1 - row).expect("finite");
            let mut expected = vec![0.0; rows * cols];
            dequantise(dtype, &data, &mut expected);
            let mut row = vec![0.0; cols];
            for index in 0..rows {
                packed.dequantise_row(index, &mut row);
                assert_eq!(
                    row,
                    expected[(rows - 1 - index) * cols..][..cols],
                    "{dtype:?} {index}"
                );
            }
        }
    }

    /// What is rounded once more: the scales of blocks of 256, and all of Q6_K.
    #[test]
    fn rounded_blocks_match_the_reference_dequantiser() {
        for dtype in [WeightDtype::Q4K, WeightDtype::Q5K, WeightDtype::Q6K] {
            let (rows, cols) = (16, 512);
            let data = encoded(dtype, &values(rows * cols));
            let weight = RawTensor {
                dtype,
                shape: vec![rows, cols],
                data: &data,
            };
            let packed = PackedMatrix::pack(&weight, |row| row).expect("finite");
            let mut expected = vec![0.0; rows * cols];
            dequantise(dtype, &data, &mut expected);
            let mut row = vec![0.0; cols];
            for index in 0..rows {
                packed.dequantise_row(index, &mut row);
                for (block, (ours, theirs)) in row
                    .chunks(BLOCK)
                    .zip(expected[index * cols..].chunks(BLOCK))
                    .enumerate()
                {
                    let largest = theirs.iter().fold(0.0f32, |max, v| max.max(v.abs()));
                    for (a, b) in ours.iter().zip(theirs) {
                        assert!(
                            (a - b).abs() <= largest / 200.0,
                            "{dtype:?} {index} {block} {a} {b}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for dtype in WeightDtype::ALL {
            for damage in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut values = values(2 * 256);
                let mut data = encoded(dtype, &values);
                let scale = match dtype {
                    WeightDtype::F32 | WeightDtype::F16 | WeightDtype::BF16 => {
                        values[300] = damage;
                        data = encoded(dtype, &values);
                        None
                    }
                    WeightDtype::Q6K => Some(208),
                    _ => Some(0),
                };
                if let Some(at) = scale {
                    data[at..at + 2].copy_from_slice(&f16::from_f32(damage).to_le_bytes());
                }
                let weight = RawTensor {
                    dtype,
                    shape: vec![2, 256],
                    data: &data,
                };
                let packed = PackedMatrix::pack(&weight, |row| row);
                assert!(packed.is_none(), "{dtype} {damage}");
            }
        }
    }
}
