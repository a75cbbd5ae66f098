//! From `f32` to stored bytes, rounded as the formats' reference rounds.

use half::{bf16, f16};

use super::{WeightDtype, WeightError};

/// Encodes values, whole blocks of them.
///
/// # Errors
/// [`WeightError::Quantise`] where the values do not fill whole blocks, and for the types that
/// this crate only reads (Q5_0, Q5_1 and those with blocks of 256).
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
        WeightDtype::Q5_0
        | WeightDtype::Q5_1
        | WeightDtype::Q4K
        | WeightDtype::Q5K
        | WeightDtype::Q6K => return Err(refuse("the type can only be read")),
    }
    Ok(out)
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
