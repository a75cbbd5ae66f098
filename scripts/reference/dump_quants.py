"""Dump reference blocks of every weight type, as the `gguf` package decodes and encodes them.

    .venv-reference/bin/python scripts/reference/dump_quants.py crates/model/tests/data/weights

The file `quants.gguf` holds, for each type T:
    T            random blocks of the type, every bit pattern but scales that are no number
    T.values     the same as F32, as the package dequantises it
    T.encoded    `input` as the package quantises it, for the types that it can encode
and metadata of every type, so that the reader is tested on a file that it did not write itself.
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

ROWS, COLS = 3, 512
# Where each type has its half-precision scales, in bytes from the block's start.
SCALES = {
    Type.Q8_0: [0],
    Type.Q4_0: [0],
    Type.Q4_1: [0, 2],
    Type.Q5_0: [0],
    Type.Q5_1: [0, 2],
    Type.Q4_K: [0, 2],
    Type.Q5_K: [0, 2],
    Type.Q6_K: [208],
}
DENSE = [Type.F32, Type.F16, Type.BF16]
ENCODED = [Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1]


def random_blocks(dtype: Type, rng: np.random.Generator) -> np.ndarray:
    """Rows of random bytes; scales that would be infinite or NaN lose their top exponent bit."""
    size, width = GGML_QUANT_SIZES[dtype]
    blocks = rng.integers(0, 256, (ROWS * COLS // size, width), dtype=np.uint8)
    for at in SCALES[dtype]:
        high = blocks[:, at + 1]
        blocks[:, at + 1] = np.where(high & 0x7C == 0x7C, high & 0xBF, high)
    return blocks.reshape(ROWS, COLS // size * width)


def random_input(rng: np.random.Generator) -> np.ndarray:
    """Blocks of 32 values that are hard to round: zeros, ties, one outlier, all equal, tiny."""
    values = rng.standard_normal((ROWS * COLS // 32, 32)).astype(np.float32)
    values *= np.exp2(rng.integers(-12, 8, (len(values), 1))).astype(np.float32)
    values[0] = 0.0
    values[1] = 0.375
    values[2] = -0.375
    values[3] = np.linspace(-127, 127, 32)
    values[3, 1:31] = np.arange(-15, 15) + 0.5
    values[4] = 0.0
    values[4, 17] = -3.0
    values[5] = np.linspace(0, 15, 32)
    values[6] = np.linspace(-8, 7, 32)
    values[7] *= 1e-6
    values[8, :16] = np.abs(values[8, :16]).max()
    values[8, 16:] = -np.abs(values[8, :16]).max()
    return values.reshape(ROWS, COLS)


def add_metadata(writer: GGUFWriter) -> None:
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60_000)
    writer.add_int16("test.i16", -30_000)
    writer.add_uint32("test.u32", 4_000_000_000)
    writer.add_int32("test.i32", -2_000_000_000)
    writer.add_uint64("test.u64", 2**63 + 1)
    writer.add_int64("test.i64", -(2**62))
    writer.add_float32("test.f32", 0.1)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "a tab\t, an é and a 😀")
    writer.add_array("test.strings", ["one", "", "drei 三"])
    writer.add_key_value("test.u16s", [1, 2, 65_535], GGUFValueType.ARRAY, GGUFValueType.UINT16)
    writer.add_array("test.floats", [0.5, -1.5])


def main(folder: Path) -> None:
    rng = np.random.default_rng(20)
    path = folder / "quants.gguf"
    writer = GGUFWriter(path, "test")
    add_metadata(writer)
    values = random_input(rng)
    writer.add_tensor("input", values)
    for dtype in DENSE:
        writer.add_tensor(dtype.name, quantize(values, dtype), raw_dtype=dtype)
        writer.add_tensor(f"{dtype.name}.values", dequantize(quantize(values, dtype), dtype))
    for dtype in SCALES:
        blocks = random_blocks(dtype, rng)
        writer.add_tensor(dtype.name, blocks, raw_dtype=dtype)
        writer.add_tensor(f"{dtype.name}.values", dequantize(blocks, dtype))
    for dtype in ENCODED:
        writer.add_tensor(f"{dtype.name}.encoded", quantize(values, dtype), raw_dtype=dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    names = [tensor.name for tensor in GGUFReader(path).tensors]
    print(f"{path}: {len(names)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
