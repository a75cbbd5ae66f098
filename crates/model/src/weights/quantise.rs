//! From `f32` to stored bytes, rounded as the formats' reference rounds.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;

use super::{WeightDtype, WeightError};

/// Encodes values, whole blocks of them.
///
/// # Errors
/// [`WeightError::Quantise`] where the values do not fill whole blocks, or the tensor library, which
/// encodes Q5_0, Q5_1 and the types with blocks of 256, refuses them.
pub fn quantise(dtype: WeightDtype, values: &[f32]) -> Result<Vec<u8>, WeightError> {
    let refuse = |reason| WeightError::Quantise {
        dtype,
        values: values.len(),
        reason,
    };
    let bytes = dtype
        .bytes_of(values.len())
        .ok_or_else(|| refuse("they do not fill whole blocks of the type"))?;
    let mut out = Vec::with_capacity(bytes);
    match dtype {
        WeightDtype::F32 => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        WeightDtype::F16 => {
            out.extend(
                values
                    .iter()
                    .flat_map(|value| f16::from_f32(*value).to_le_bytes()),
            );
        }
        WeightDtype::BF16 => {
            out.extend(
                values
                    .iter()
                    .flat_map(|value| bf16::from_f32(*value).to_le_bytes()),
            );
        }
        WeightDtype::Q8_0 => blocks(values, &mut out, q8_0),
        WeightDtype::Q4_0 => blocks(values, &mut out, q4_0),
        WeightDtype::Q4_1 => blocks(values, &mut out, q4_1),
        WeightDtype::Q5_0 => out = library(GgmlDType::Q5_0, values).map_err(refuse)?,
        WeightDtype::Q5_1 => out = library(GgmlDType::Q5_1, values).map_err(refuse)?,
        WeightDtype::Q4K => out = library(GgmlDType::Q4K, values).map_err(refuse)?,
        WeightDtype::Q5K => out = library(GgmlDType::Q5K, values).map_err(refuse)?,
        WeightDtype::Q6K => out = library(GgmlDType::Q6K, values).map_err(refuse)?,
    }
    Ok(out)
}

/// Values that a thread encodes at a time: a multiple of every block.
const PIECE: usize = 1 << 16;

/// Blocks as the tensor library makes them. For blocks of 256 it has two searches for scales: this one
/// is llama.cpp's for files with an importance matrix, here one of equals. The other is llama.cpp's of
/// 2023, whose error is larger by 5 % in Q4_K and Q5_K and by 1 % in Q6_K.
fn library(dtype: GgmlDType, values: &[f32]) -> Result<Vec<u8>, &'static str> {
    let encode = |piece: &[f32]| -> candle_core::Result<Vec<u8>> {
        let block = dtype.block_size();
        let piece = Tensor::from_slice(piece, (piece.len() / block, block), &Device::Cpu)?;
        let stored = match dtype {
            GgmlDType::Q4K | GgmlDType::Q5K | GgmlDType::Q6K => {
                QTensor::quantize_imatrix(&piece, &vec![1.0; block], dtype)?
            }
            _ => QTensor::quantize(&piece, dtype)?,
        };
        Ok(stored.data()?.into_owned())
    };
    let pieces: candle_core::Result<Vec<Vec<u8>>> = values.par_chunks(PIECE).map(encode).collect();
    let pieces = pieces.map_err(|_| "the tensor library cannot encode them")?;
    Ok(pieces.concat())
}

fn blocks(values: &[f32], out: &mut Vec<u8>, block: impl Fn(&[f32; 32], &mut Vec<u8>)) {
    for values in values.as_chunks::<32>().0 {
        block(values, out);
    }
}

/// The inverse of a scale; 0 where all values of the block are equal.
fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

fn q8_0(values: &[f32; 32], out: &mut Vec<u8>) {
    let largest = values
        .iter()
        .fold(0.0f32, |largest, value| largest.max(value.abs()));
    let scale = largest / 127.0;
    let inverse = inverse(scale);
    out.extend(f16::from_f32(scale).to_le_bytes());
    // `round` goes away from zero at a half, as the reference does.
    out.extend(
        values
            .iter()
            .map(|value| (value * inverse).round() as i8 as u8),
    );
}

/// Two quants a byte: value `i` in the low half, value `i + 16` in the high.
fn store_nibbles(quants: &[u8; 32], out: &mut Vec<u8>) {
    out.extend((0..16).map(|i| quants[i] | quants[i + 16] << 4));
}

/// The scale is chosen so that the value of largest magnitude becomes -8 exactly.
fn q4_0(values: &[f32; 32], out: &mut Vec<u8>) {
    let extreme = values.iter().fold(
        0.0f32,
        |extreme, v| if v.abs() > extreme.abs() { *v } else { extreme },
    );
    let scale = extreme / -8.0;
    let inverse = inverse(scale);
    out.extend(f16::from_f32(scale).to_le_bytes());
    // The cast truncates and saturates at zero.
    store_nibbles(
        &values.map(|value| ((value * inverse + 8.5) as u8).min(15)),
        out,
    );
}

fn q4_1(values: &[f32; 32], out: &mut Vec<u8>) {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let smallest = values.iter().copied().fold(f32::INFINITY, f32::min);
    let scale = (largest - smallest) / 15.0;
    let inverse = inverse(scale);
    out.extend(f16::from_f32(scale).to_le_bytes());
    out.extend(f16::from_f32(smallest).to_le_bytes());
    store_nibbles(
        &values.map(|value| (((value - smallest) * inverse + 0.5) as u8).min(15)),
        out,
    );
}
