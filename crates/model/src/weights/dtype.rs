//! The types that weights are stored in.

use std::fmt;

/// How a tensor's values are stored. Quantised types hold blocks along a row: a block is a few
/// scales and the values' quants, so a row's length is a multiple of [`WeightDtype::block_size`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightDtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    BF16,
    /// Eight-bit quants with a scale for 32 values.
    Q8_0,
    /// Four-bit quants around eight, with a scale for 32 values.
    Q4_0,
    /// Four-bit quants with a scale and a minimum for 32 values.
    Q4_1,
    /// Five-bit quants around sixteen, with a scale for 32 values.
    Q5_0,
    /// Five-bit quants with a scale and a minimum for 32 values.
    Q5_1,
    /// Four-bit quants in blocks of 256, each eight parts having a six-bit scale and minimum.
    Q4K,
    /// As [`WeightDtype::Q4K`] with five bits a quant.
    Q5K,
    /// Six-bit quants in blocks of 256, each sixteen parts having an eight-bit scale.
    Q6K,
}

impl WeightDtype {
    /// Every type, densest last.
    pub const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q8_0,
        Self::Q6K,
        Self::Q5_1,
        Self::Q5_0,
        Self::Q5K,
        Self::Q4_1,
        Self::Q4_0,
        Self::Q4K,
    ];

    /// Values in a block; 1 for the types that are not quantised.
    pub const fn block_size(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of a block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Bytes of a row of `values` values; `None` where they do not fill whole blocks or the size
    /// overflows.
    pub const fn bytes_of(self, values: usize) -> Option<usize> {
        if !values.is_multiple_of(self.block_size()) {
            return None;
        }
        (values / self.block_size()).checked_mul(self.block_bytes())
    }

    /// The name by which files and their tools call the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// The type's number in a GGUF file.
    pub(super) const fn gguf_id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::BF16 => 30,
        }
    }

    /// The type with a number in GGUF files.
    pub(super) fn from_gguf_id(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.gguf_id() == id)
    }
}

impl fmt::Display for WeightDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a GGUF tensor type that this crate does not read; `None` for unassigned numbers.
pub(super) fn foreign_gguf_type(id: u32) -> Option<&'static str> {
    Some(match id {
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        40 => "NVFP4",
        _ => return None,
    })
}

/// `F32, F16, …`, for messages.
pub(super) fn supported() -> String {
    WeightDtype::ALL.map(WeightDtype::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_rows_are_whole_blocks() {
        for (dtype, values, bytes) in [
            (WeightDtype::F32, 3, Some(12)),
            (WeightDtype::BF16, 3, Some(6)),
            (WeightDtype::Q4_1, 576, Some(360)),
            (WeightDtype::Q4_1, 577, None),
            (WeightDtype::Q6K, 512, Some(420)),
            (WeightDtype::Q6K, 576, None),
            (WeightDtype::F32, usize::MAX, None),
            (WeightDtype::Q8_0, usize::MAX & !31, None),
        ] {
            assert_eq!(dtype.bytes_of(values), bytes, "{dtype} {values}");
        }
    }

    #[test]
    fn numbers_in_files_are_distinct_and_found_again() {
        for dtype in WeightDtype::ALL {
            assert_eq!(WeightDtype::from_gguf_id(dtype.gguf_id()), Some(dtype));
            assert_eq!(foreign_gguf_type(dtype.gguf_id()), None);
        }
        assert_eq!(WeightDtype::from_gguf_id(10), None);
        assert_eq!(foreign_gguf_type(10), Some("Q2_K"));
        assert_eq!(foreign_gguf_type(4), None);
    }
}
