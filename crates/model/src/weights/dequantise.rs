//! From stored bytes to `f32`.
//!
//! The order of the operations is the formats' definition: products are rounded before a sum, so
//! the results agree with the reference to the bit.

use half::{bf16, f16};

use super::WeightDtype;

/// Writes the values of `data` to `out`.
///
/// # Panics
/// Where `data` is not exactly the bytes of `out.len()` values, which a tensor of a
/// [`super::WeightSource`] cannot be.
pub fn dequantise(dtype: WeightDtype, data: &[u8], out: &mut [f32]) {
    assert_eq!(
        Some(data.len()),
        dtype.bytes_of(out.len()),
        "{dtype} data does not fit {} values",
        out.len()
    );
    match dtype {
        WeightDtype::F32 => each(data, out, f32::from_le_bytes),
        WeightDtype::F16 => each(data, out, |bytes| f16::from_le_bytes(bytes).to_f32()),
        WeightDtype::BF16 => each(data, out, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        WeightDtype::Q8_0 => blocks(data, out, q8_0),
        WeightDtype::Q4_0 => blocks(data, out, q4_0),
        WeightDtype::Q4_1 => blocks(data, out, q4_1),
        WeightDtype::Q5_0 => blocks(data, out, q5_0),
        WeightDtype::Q5_1 => blocks(data, out, q5_1),
        WeightDtype::Q4K => blocks(data, out, q4_k),
        WeightDtype::Q5K => blocks(data, out, q5_k),
        WeightDtype::Q6K => blocks(data, out, q6_k),
    }
}

fn each<const BYTES: usize>(data: &[u8], out: &mut [f32], value: impl Fn([u8; BYTES]) -> f32) {
    for (out, bytes) in out.iter_mut().zip(data.as_chunks::<BYTES>().0) {
        *out = value(*bytes);
    }
}

/// Blocks of `BYTES` bytes that hold `SIZE` values.
fn blocks<const BYTES: usize, const SIZE: usize>(
    data: &[u8],
    out: &mut [f32],
    block: impl Fn(&[u8; BYTES], &mut [f32; SIZE]),
) {
    for (bytes, values) in data
        .as_chunks::<BYTES>()
        .0
        .iter()
        .zip(out.as_chunks_mut::<SIZE>().0)
    {
        block(bytes, values);
    }
}

/// The half-precision number at a byte.
pub(crate) fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (out, quant) in out.iter_mut().zip(&block[2..]) {
        *out = f32::from(*quant as i8) * scale;
    }
}

/// The quants of a block of 32: the low halves of sixteen bytes, then their high halves.
pub(crate) fn nibbles(bytes: &[u8]) -> [u8; 32] {
    std::array::from_fn(|i| {
        if i < 16 {
            bytes[i] & 15
        } else {
            bytes[i - 16] >> 4
        }
    })
}

/// As [`nibbles`], with a fifth bit from `high`.
pub(crate) fn five_bits(high: &[u8], bytes: &[u8]) -> [u8; 32] {
    let low = nibbles(bytes);
    std::array::from_fn(|i| low[i] | (high[i / 8] >> (i % 8) & 1) << 4)
}

fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (out, quant) in out.iter_mut().zip(nibbles(&block[2..])) {
        *out = scale * (f32::from(quant) - 8.0);
    }
}

fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (out, quant) in out.iter_mut().zip(nibbles(&block[4..])) {
        *out = scale * f32::from(quant) + minimum;
    }
}

fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (out, quant) in out.iter_mut().zip(five_bits(&block[2..6], &block[6..])) {
        *out = scale * (f32::from(quant) - 16.0);
    }
}

fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (out, quant) in out.iter_mut().zip(five_bits(&block[4..8], &block[8..])) {
        *out = scale * f32::from(quant) + minimum;
    }
}

/// Six-bit scale and minimum of part `0..8` of a block of 256. The first four parts have a byte
/// each for both; the last four share their low bits in a byte and borrow the others' upper bits.
pub(crate) fn scale_and_minimum(packed: &[u8], part: usize) -> (f32, f32) {
    let (scale, minimum) = if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        (
            packed[part + 4] & 15 | packed[part - 4] >> 6 << 4,
            packed[part + 4] >> 4 | packed[part] >> 6 << 4,
        )
    };
    (f32::from(scale), f32::from(minimum))
}

fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (part, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (own_scale, own_minimum) = scale_and_minimum(&block[4..16], part);
        let (scale, minimum) = (scale * own_scale, minimum * own_minimum);
        for (out, byte) in out.iter_mut().zip(&block[16 + part / 2 * 32..]) {
            *out = scale * f32::from(byte >> (part % 2 * 4) & 15) - minimum;
        }
    }
}

fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (part, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (own_scale, own_minimum) = scale_and_minimum(&block[4..16], part);
        let (scale, minimum) = (scale * own_scale, minimum * own_minimum);
        let low = &block[48 + part / 2 * 32..];
        for ((out, byte), high) in out.iter_mut().zip(low).zip(&block[16..48]) {
            let quant = byte >> (part % 2 * 4) & 15 | (high >> part & 1) << 4;
            *out = scale * f32::from(quant) - minimum;
        }
    }
}

/// Low four bits of 256 quants in 128 bytes, upper two in 64, sixteen scales, one scale of all.
fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let scale = half_at(block, 208);
    for (part, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (half, quarter) = (part / 4, part % 4);
        let low = &block[half * 64 + quarter % 2 * 32..];
        let high = &block[128 + half * 32..];
        for (i, out) in out.iter_mut().enumerate() {
            let bits = low[i] >> (quarter / 2 * 4) & 15 | (high[i] >> (quarter * 2) & 3) << 4;
            let own_scale = block[192 + part * 2 + i / 16] as i8;
            *out = scale * f32::from(own_scale) * (f32::from(bits) - 32.0);
        }
    }
}
