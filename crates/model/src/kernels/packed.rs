//! Quantised matrices laid out for int8 dot products.
//!
//! A matrix `[rows, cols]` is cut into panels of [`PANEL`] rows; inside a panel, every run of
//! [`BLOCK`] columns is a block. A block stores its quants so that one 64-byte line holds four
//! neighbouring columns of all sixteen rows: a dot-product instruction then yields sixteen rows at
//! once, with no sum across lanes. The value of a quant is `scale * (q - zero_point)` or, for
//! formats with a minimum, `scale * q + minimum`; scale and minimum belong to one row of one block.

use half::f16;

use crate::weights::{RawTensor, WeightDtype, dequantise};

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

/// One row's run of [`BLOCK`] columns: quants, scale, minimum.
struct BlockRow {
    quants: [u8; BLOCK],
    scale: f32,
    minimum: f32,
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
    pub fn pack(weight: &RawTensor<'_>, order: impl Fn(usize) -> usize + Sync) -> Self {
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
        packed.fill(weight, &order);
        packed
    }

    fn fill(&mut self, weight: &RawTensor<'_>, order: &(impl Fn(usize) -> usize + Sync)) {
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
            .for_each(|(panel, ((quants, scales), minima))| {
                for lane in 0..PANEL.min(rows - panel * PANEL) {
                    let source = order(panel * PANEL + lane) * row_bytes;
                    let row = &weight.data[source..source + row_bytes];
                    for_each_block(weight.dtype, row, |block, content| {
                        let lines = &mut quants[block * bits.lines()..][..bits.lines()];
                        store(bits, lines, lane, &content.quants);
                        scales[block][lane] = f16::from_f32(content.scale);
                        minima[block][lane] = f16::from_f32(content.minimum);
                    });
                }
            });
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

fn for_each_block(dtype: WeightDtype, row: &[u8], mut visit: impl FnMut(usize, BlockRow)) {
    match dtype {
        WeightDtype::Q4_0
        | WeightDtype::Q4_1
        | WeightDtype::Q5_0
        | WeightDtype::Q5_1
        | WeightDtype::Q8_0 => {
            for (index, block) in row.chunks_exact(dtype.block_bytes()).enumerate() {
                visit(index, simple_block(dtype, block));
            }
        }
        WeightDtype::Q4K | WeightDtype::Q5K => {
            for (index, block) in row.chunks_exact(dtype.block_bytes()).enumerate() {
                for part in 0..8 {
                    visit(index * 8 + part, k_block(dtype, block, part));
                }
            }
        }
        _ => {
            let mut values = vec![0.0; row.len() / dtype.block_bytes() * dtype.block_size()];
            dequantise(dtype, row, &mut values);
            for (index, block) in values.chunks_exact(BLOCK).enumerate() {
                visit(index, rounded_block(block));
            }
        }
    }
}

fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: one scale, perhaps a minimum, for 32 quants.
fn simple_block(dtype: WeightDtype, block: &[u8]) -> BlockRow {
    let with_minimum = matches!(dtype, WeightDtype::Q4_1 | WeightDtype::Q5_1);
    let body = &block[if with_minimum { 4 } else { 2 }..];
    let mut quants = [0u8; BLOCK];
    match dtype {
        WeightDtype::Q8_0 => {
            for (quant, byte) in quants.iter_mut().zip(body) {
                *quant = byte.wrapping_add(128);
            }
        }
        WeightDtype::Q5_0 | WeightDtype::Q5_1 => {
            let high = u32::from_le_bytes([body[0], body[1], body[2], body[3]]);
            split_nibbles(&body[4..], &mut quants);
            for (bit, quant) in quants.iter_mut().enumerate() {
                *quant |= ((high >> bit) as u8 & 1) << 4;
            }
        }
        _ => split_nibbles(body, &mut quants),
    }
    let minimum = if with_minimum { half_at(block, 2) } else { 0.0 };
    BlockRow {
        quants,
        scale: half_at(block, 0),
        minimum,
    }
}

fn split_nibbles(bytes: &[u8], quants: &mut [u8; BLOCK]) {
    for (index, byte) in bytes[..BLOCK / 2].iter().enumerate() {
        quants[index] = byte & 15;
        quants[index + BLOCK / 2] = byte >> 4;
    }
}

/// Part `0..8` of a Q4_K or Q5_K super-block of 256: scales and minima are six-bit multiples of
/// the super-block's own.
fn k_block(dtype: WeightDtype, block: &[u8], part: usize) -> BlockRow {
    let packed = &block[4..16];
    let (scale, minimum) = if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        (
            (packed[part + 4] & 15) | ((packed[part - 4] >> 6) << 4),
            (packed[part + 4] >> 4) | ((packed[part] >> 6) << 4),
        )
    };
    let (high, low) = match dtype {
        WeightDtype::Q5K => (&block[16..48], &block[48..176]),
        _ => (&[][..], &block[16..144]),
    };
    let mut quants = [0u8; BLOCK];
    for (index, quant) in quants.iter_mut().enumerate() {
        let byte = low[part / 2 * 32 + index];
        *quant = if part.is_multiple_of(2) {
            byte & 15
        } else {
            byte >> 4
        };
        if let Some(bits) = high.get(index) {
            *quant |= ((bits >> part) & 1) << 4;
        }
    }
    BlockRow {
        quants,
        scale: half_at(block, 0) * f32::from(scale),
        minimum: -half_at(block, 2) * f32::from(minimum),
    }
}

/// Rounds 32 values to eight bits around a zero point of 128.
fn rounded_block(values: &[f32]) -> BlockRow {
    let largest = values
        .iter()
        .fold(0.0f32, |max, value| max.max(value.abs()));
    let scale = f16::from_f32(largest / 127.0).to_f32();
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut quants = [128u8; BLOCK];
    for (quant, value) in quants.iter_mut().zip(values) {
        *quant = ((value * inverse).round().clamp(-127.0, 127.0) + 128.0) as u8;
    }
    BlockRow {
        quants,
        scale,
        minimum: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::quantise;

    fn values(count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0)
            .collect()
    }

    #[test]
    fn quants_survive_packing() {
        let (rows, cols) = (21, 64);
        for dtype in [WeightDtype::Q8_0, WeightDtype::Q4_0, WeightDtype::Q4_1] {
            let data = quantise(dtype, &values(rows * cols)).expect("quantises");
            let weight = RawTensor {
                dtype,
                shape: vec![rows, cols],
                data: &data,
            };
            let packed = PackedMatrix::pack(&weight, |row| rows - 1 - row);
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

    /// Super-blocks are made of arbitrary bytes: every bit pattern is a valid one.
    #[test]
    fn super_blocks_match_the_reference_dequantiser() {
        for dtype in [
            WeightDtype::Q4K,
            WeightDtype::Q5K,
            WeightDtype::Q6K,
            WeightDtype::Q5_1,
        ] {
            let (rows, cols) = (16, 512);
            let blocks = rows * cols / dtype.block_size();
            let mut data: Vec<u8> = (0..blocks * dtype.block_bytes())
                .map(|i| ((i * 2_654_435_761) >> 7) as u8)
                .collect();
            for block in data.chunks_exact_mut(dtype.block_bytes()) {
                let scales = if dtype == WeightDtype::Q6K {
                    dtype.block_bytes() - 2
                } else {
                    0
                };
                block[scales..scales + 2].copy_from_slice(&f16::from_f32(0.01).to_le_bytes());
                if dtype != WeightDtype::Q6K {
                    block[2..4].copy_from_slice(&f16::from_f32(0.02).to_le_bytes());
                }
            }
            let weight = RawTensor {
                dtype,
                shape: vec![rows, cols],
                data: &data,
            };
            let packed = PackedMatrix::pack(&weight, |row| row);
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
}
