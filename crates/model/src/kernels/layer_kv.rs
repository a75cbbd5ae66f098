//! One layer of the KV cache on the CPU.
//!
//! Keys lie in blocks of sixteen positions, dimension by dimension, so that sixteen scores are
//! computed side by side; values lie position by position.

use half::f16;
use half::slice::HalfFloatSliceExt;
use half::vec::HalfBitsVecExt;

use super::attention::Pass;
use super::parallel::SharedOutput;

/// Positions in a block of keys.
pub(super) const KEYS: usize = 16;

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

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvPrecision {
    /// Exact.
    Full,
    /// Half the memory: the rounding is far below that of int8 activations.
    Half,
}

impl KvPrecision {
    /// Bytes of a stored number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Full => 4,
            Self::Half => 2,
        }
    }
}

/// Keys and values of one layer for up to `capacity` positions.
///
/// The memory is zeroed by the allocator, which takes pages from the system as they are written.
pub struct LayerKv {
    shape: HeadShape,
    capacity: usize,
    memory: Memory,
}

enum Memory {
    Full(Arrays<f32>),
    Half(Arrays<f16>),
}

pub(super) struct Arrays<T> {
    /// `[kv_heads, capacity / 16, head_dim, 16]`.
    pub(super) keys: Vec<T>,
    /// `[kv_heads, capacity, head_dim]`.
    pub(super) values: Vec<T>,
}

impl<T: Stored> Arrays<T> {
    fn new(size: usize) -> Self {
        Self {
            keys: T::zeros(size),
            values: T::zeros(size),
        }
    }
}

/// A number as the cache stores it.
pub(super) trait Stored: Copy + Send + Sync {
    /// Zeros from the allocator, not written here: pages come from the system as they are used.
    fn zeros(count: usize) -> Vec<Self>;
    fn narrow(value: f32) -> Self;
    /// The same numbers as `f32`; `scratch` is at least as long.
    fn widen<'a>(stored: &'a [Self], scratch: &'a mut [f32]) -> &'a [f32];
}

impl Stored for f32 {
    fn zeros(count: usize) -> Vec<Self> {
        vec![0.0; count]
    }
    fn narrow(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn widen<'a>(stored: &'a [Self], _scratch: &'a mut [f32]) -> &'a [f32] {
        stored
    }
}

impl Stored for f16 {
    /// Of `f16` itself the standard library does not know that zero is all bits zero.
    fn zeros(count: usize) -> Vec<Self> {
        vec![0u16; count].reinterpret_into()
    }
    fn narrow(value: f32) -> Self {
        f16::from_f32(value)
    }
    #[inline(always)]
    fn widen<'a>(stored: &'a [Self], scratch: &'a mut [f32]) -> &'a [f32] {
        let scratch = &mut scratch[..stored.len()];
        stored.convert_to_f32_slice(scratch);
        scratch
    }
}

impl LayerKv {
    /// An empty layer for `capacity` positions, rounded up to whole blocks.
    pub fn new(shape: HeadShape, capacity: usize, precision: KvPrecision) -> Self {
        let capacity = capacity.next_multiple_of(KEYS);
        let size = shape.kv_width() * capacity;
        let memory = match precision {
            KvPrecision::Full => Memory::Full(Arrays::new(size)),
            KvPrecision::Half => Memory::Half(Arrays::new(size)),
        };
        Self {
            shape,
            capacity,
            memory,
        }
    }

    /// Writes the keys and values of the tokens in `joint`, `[tokens, joint_width]`, at positions
    /// `offset..`.
    ///
    /// # Panics
    /// Where the positions exceed the capacity.
    pub fn write(&mut self, joint: &[f32], offset: usize) {
        match &mut self.memory {
            Memory::Full(arrays) => write(arrays, self.shape, self.capacity, joint, offset),
            Memory::Half(arrays) => write(arrays, self.shape, self.capacity, joint, offset),
        }
    }

    /// Attends the queries in `joint`, `[tokens, joint_width]`, at positions `offset..` to all
    /// positions up to their own, or to the last `window` of them; the keys and values of these
    /// tokens have been written. Result in `out`, `[tokens, query_width]`.
    ///
    /// # Panics
    /// Where the positions exceed the capacity, or `out` does not fit.
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
        let out = SharedOutput::new(out);
        let (shape, capacity) = (self.shape, self.capacity);
        match &self.memory {
            Memory::Full(arrays) => {
                Pass {
                    arrays,
                    shape,
                    capacity,
                    joint,
                    offset,
                    window,
                    out,
                }
                .run(tokens);
            }
            Memory::Half(arrays) => {
                Pass {
                    arrays,
                    shape,
                    capacity,
                    joint,
                    offset,
                    window,
                    out,
                }
                .run(tokens);
            }
        }
    }
}

fn write<T: Stored>(
    arrays: &mut Arrays<T>,
    shape: HeadShape,
    capacity: usize,
    joint: &[f32],
    offset: usize,
) {
    let HeadShape {
        kv_heads, head_dim, ..
    } = shape;
    let span = capacity * head_dim;
    for (token, row) in joint.chunks_exact(shape.joint_width()).enumerate() {
        let position = offset + token;
        assert!(position < capacity, "the cache has room for the token");
        let (keys, values) = row[shape.query_width()..].split_at(shape.kv_width());
        for head in 0..kv_heads {
            let block = head * span + position / KEYS * KEYS * head_dim + position % KEYS;
            for (dim, value) in keys[head * head_dim..][..head_dim].iter().enumerate() {
                arrays.keys[block + dim * KEYS] = T::narrow(*value);
            }
            let stored = &mut arrays.values[head * span + position * head_dim..][..head_dim];
            for (stored, value) in stored.iter_mut().zip(&values[head * head_dim..]) {
                *stored = T::narrow(*value);
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Bytes of this process that are in memory.
    fn resident() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").expect("procfs");
        let pages = pages.split_whitespace().nth(1).and_then(|n| n.parse().ok());
        let pages: usize = pages.expect("a number");
        pages * 4096
    }

    #[test]
    fn an_empty_layer_takes_no_memory_yet() {
        let shape = HeadShape {
            heads: 8,
            kv_heads: 8,
            head_dim: 128,
        };
        for precision in [KvPrecision::Half, KvPrecision::Full] {
            let capacity = (256 << 20) / (2 * shape.kv_width() * precision.bytes());
            let before = resident();
            let layer = LayerKv::new(shape, capacity, precision);
            let taken = resident().saturating_sub(before);
            // Other tests of this program run beside it, and take less than this.
            assert!(taken < 128 << 20, "{precision:?}: {taken} bytes");
            drop(layer);
        }
    }
}
