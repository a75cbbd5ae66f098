//! Rows of stored weights as blocks of 32 quants with one scale, and perhaps one minimum.

use half::f16;

use super::packed::BLOCK;
use crate::weights::WeightDtype;
use crate::weights::dequantise::{dequantise, five_bits, half_at, nibbles, scale_and_minimum};

/// One row's run of [`BLOCK`] columns: quants, scale, minimum.
pub(super) struct BlockRow {
    pub(super) quants: [u8; BLOCK],
    pub(super) scale: f32,
    pub(super) minimum: f32,
}

/// Visits the blocks of one row, in order.
pub(super) fn for_each_block(
    dtype: WeightDtype,
    row: &[u8],
    mut visit: impl FnMut(usize, BlockRow),
) {
    let blocks = row.chunks_exact(dtype.block_bytes()).enumerate();
    match dtype {
        WeightDtype::Q4_0
        | WeightDtype::Q4_1
        | WeightDtype::Q5_0
        | WeightDtype::Q5_1
        | WeightDtype::Q8_0 => {
            for (index, block) in blocks {
                visit(index, simple_block(dtype, block));
            }
        }
        WeightDtype::Q4K | WeightDtype::Q5K => {
            for (index, block) in blocks {
                for part in 0..8 {
                    visit(index * 8 + part, k_block(dtype, block, part));
                }
            }
        }
        WeightDtype::F32 | WeightDtype::F16 | WeightDtype::BF16 | WeightDtype::Q6K => {
            let mut values = vec![0.0; row.len() / dtype.block_bytes() * dtype.block_size()];
            dequantise(dtype, row, &mut values);
            for (index, block) in values.chunks_exact(BLOCK).enumerate() {
                visit(index, rounded_block(block));
            }
        }
    }
}

/// One scale, perhaps a minimum, for 32 quants.
fn simple_block(dtype: WeightDtype, block: &[u8]) -> BlockRow {
    let minimum = match dtype {
        WeightDtype::Q4_1 | WeightDtype::Q5_1 => Some(half_at(block, 2)),
        _ => None,
    };
    let body = &block[if minimum.is_some() { 4 } else { 2 }..];
    let quants = match dtype {
        WeightDtype::Q8_0 => std::array::from_fn(|i| body[i].wrapping_add(128)),
        WeightDtype::Q5_0 | WeightDtype::Q5_1 => five_bits(&body[..4], &body[4..]),
        _ => nibbles(body),
    };
    BlockRow {
        quants,
        scale: half_at(block, 0),
        minimum: minimum.unwrap_or(0.0),
    }
}

/// Part `0..8` of a Q4_K or Q5_K super-block of 256: scales and minima are six-bit multiples of
/// the super-block's own.
fn k_block(dtype: WeightDtype, block: &[u8], part: usize) -> BlockRow {
    let (scale, minimum) = scale_and_minimum(&block[4..16], part);
    let (high, low) = match dtype {
        WeightDtype::Q5K => (&block[16..48], &block[48..176]),
        _ => (&[][..], &block[16..144]),
    };
    let quants = std::array::from_fn(|i| {
        let four = low[part / 2 * 32 + i] >> (part % 2 * 4) & 15;
        let fifth = high.get(i).map_or(0, |bits| bits >> part & 1);
        four | fifth << 4
    });
    BlockRow {
        quants,
        scale: half_at(block, 0) * scale,
        minimum: -half_at(block, 2) * minimum,
    }
}

/// Rounds 32 values to eight bits around a zero point of 128; NaN and infinity pass into the scale.
fn rounded_block(values: &[f32]) -> BlockRow {
    // `max` alone would pass over NaN.
    let damage: f32 = values.iter().map(|value| value * 0.0).sum();
    let largest = values
        .iter()
        .fold(0.0f32, |max, value| max.max(value.abs()));
    let scale = f16::from_f32(largest / 127.0).to_f32() + damage;
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
