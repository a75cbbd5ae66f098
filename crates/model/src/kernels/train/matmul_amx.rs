//! Products of `bf16` pairs in tile registers (AMX): sixteen lines by sixteen lines over 32 values of
//! depth in one instruction, several times what vector instructions do.
//!
//! A tile of the right operand is sixteen steps of a panel as it lies there. The left operand's is
//! that transposed, a line in a row, so a product turns its left operand once.
//! The instructions have no stable intrinsics: they are written out.

use std::arch::asm;
use std::ops::Range;
use std::sync::LazyLock;

use rayon::prelude::*;

use super::buffer::{Buffer, Line};
use super::matmul::{Part, Tile};
use super::pack_avx512::transpose_steps;
use super::panels::{PANEL, TILE as STEPS};

/// Two panels of either operand share four tiles of sums.
const WIDE: usize = 2 * PANEL;
/// Tiles of depth between two looks at the result: two panels of one operand stay in the first-level
/// cache.
const DEPTH: usize = 20;

/// Whether the processor has tiles of `bf16` and the system lets this process use them.
pub fn is_available() -> bool {
    static AVAILABLE: LazyLock<bool> = LazyLock::new(|| has_instructions() && ask_system());
    *AVAILABLE
}

fn has_instructions() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    const TILES: u32 = 1 << 24;
    const TILES_OF_BF16: u32 = 1 << 22;
    if __cpuid(0).eax < 7 {
        return false;
    }
    let features = __cpuid_count(7, 0).edx;
    features & TILES != 0 && features & TILES_OF_BF16 != 0
}

/// Linux keeps the registers of a process only when it asks (`arch_prctl`, `ARCH_REQ_XCOMP_PERM`).
#[cfg(target_os = "linux")]
fn ask_system() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let answer: i64;
    // SAFETY: the call has no memory operands; it changes what the kernel keeps for this process.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") REQUEST,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

#[cfg(not(target_os = "linux"))]
fn ask_system() -> bool {
    false
}

/// The shapes of tile registers: eight of sixteen rows of 64 bytes.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static SHAPES: Shapes = Shapes {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Tile registers of this thread, given back at the end: the system saves them as long as they are
/// in use.
struct Registers;

impl Registers {
    /// # Safety
    /// [`is_available`].
    unsafe fn claim() -> Self {
        // SAFETY: the caller's promise.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPES, options(nostack, readonly)) };
        Self
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: they were claimed by this thread.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Lines of a left operand as tiles: panel after panel, the tiles of its depth in order.
pub struct Left {
    words: Buffer<Line>,
    tiles: usize,
}

impl Left {
    /// Turns a part of an operand over some tiles of its depth, on all threads if it is to be spread.
    pub fn turn(part: &Part<'_>, tiles: usize, spread: bool) -> Self {
        assert!(part.lines.start.is_multiple_of(PANEL), "panels are whole");
        let stride = tiles * STEPS;
        let panels = part.lines.len().div_ceil(PANEL);
        // Two panels are read at a time: what stands in one that is not there is not looked at.
        let mut words = part.panels.take(panels.next_multiple_of(2) * stride);
        let first = part.lines.start / PANEL;
        let turn = |(panel, out): (usize, &mut [Line])| {
            let steps = part.panels.steps_of(first + panel, part.step, stride);
            for (steps, out) in steps.chunks_exact(STEPS).zip(out.chunks_exact_mut(STEPS)) {
                // SAFETY: tiles are packed only where the processor has AVX-512.
                unsafe { transpose_steps(steps, out) };
            }
        };
        if spread {
            let each = words.par_chunks_exact_mut(stride.max(1)).enumerate();
            each.take(panels).for_each(turn);
        } else {
            let each = words.chunks_exact_mut(stride.max(1)).enumerate();
            each.take(panels).for_each(turn);
        }
        Self { words, tiles }
    }

    fn tile(&self, panel: usize, tile: usize) -> *const Line {
        self.words[(panel * self.tiles + tile) * STEPS..].as_ptr()
    }
}

/// The product of `rows` of `left`, which begin at a whole panel, with a part of a right operand of the
/// same depth, written to `out` or added to it.
///
/// Sums go on from the values that stand there, in the order of the depth: where they are put down on
/// the way changes nothing.
///
/// # Safety
/// [`is_available`], the operands have these lines, and `out` may be written at every one of them.
pub unsafe fn region(
    (left, rows): (&Left, &Range<usize>),
    right: &Part<'_>,
    out: *mut f32,
    stride: usize,
    add: bool,
) {
    assert!(right.lines.start.is_multiple_of(PANEL) && right.lines.end <= right.panels.lines());
    // SAFETY: the caller's promise.
    let _registers = unsafe { Registers::claim() };
    let pieces = left.tiles.div_ceil(DEPTH);
    for piece in 0..pieces {
        let tiles = left.tiles * piece / pieces..left.tiles * (piece + 1) / pieces;
        let add = add || piece > 0;
        // SAFETY: the caller's promise.
        unsafe { over_tiles((left, rows), right, tiles, out, stride, add) };
    }
}

/// # Safety
/// As [`region`], with registers claimed.
unsafe fn over_tiles(
    (left, rows): (&Left, &Range<usize>),
    right: &Part<'_>,
    tiles: Range<usize>,
    out: *mut f32,
    stride: usize,
    add: bool,
) {
    let columns = &right.lines;
    let (step, steps) = (right.step + tiles.start * STEPS, tiles.len() * STEPS);
    for column in columns.clone().step_by(WIDE) {
        let wide = (columns.end - column).min(WIDE);
        let panels = [column / PANEL, (column + wide - 1) / PANEL];
        for row in rows.clone().step_by(WIDE) {
            let panel = row / PANEL;
            let operands = Operands {
                a: [panel, panel + 1].map(|panel| left.tile(panel, tiles.start)),
                b: panels.map(|panel| right.panels.steps_of(panel, step, steps).as_ptr()),
                tiles: tiles.len(),
            };
            // SAFETY: the caller's promise; the operands have their tiles.
            unsafe {
                operands.write(Tile {
                    out: out.add((row - rows.start) * stride + column - columns.start),
                    stride,
                    rows: (rows.end - row).min(WIDE),
                    columns: wide,
                    add,
                });
            }
        }
    }
}

/// Two panels of either side, from a tile of their depth on.
struct Operands {
    a: [*const Line; 2],
    b: [*const Line; 2],
    tiles: usize,
}

impl Operands {
    /// Sums into the tile, by way of a buffer where it is not a whole one: the sums are the same.
    ///
    /// # Safety
    /// Registers are claimed, the operands have their tiles, and the tile may be written.
    unsafe fn write(&self, tile: Tile) {
        if tile.rows == WIDE && tile.columns == WIDE {
            // SAFETY: the caller's promise.
            return unsafe { self.sum(tile.out, tile.stride, tile.add) };
        }
        let mut buffer = [[0.0f32; WIDE]; WIDE];
        let row = |row: usize| {
            // SAFETY: the tile lies inside the result.
            unsafe { std::slice::from_raw_parts_mut(tile.out.add(row * tile.stride), tile.columns) }
        };
        for (index, buffer) in buffer.iter_mut().enumerate().take(tile.rows) {
            if tile.add {
                buffer[..tile.columns].copy_from_slice(row(index));
            }
        }
        // SAFETY: the caller's promise; the buffer has a whole tile.
        unsafe { self.sum(buffer.as_mut_ptr().cast(), WIDE, tile.add) };
        for (index, buffer) in buffer.iter().enumerate().take(tile.rows) {
            row(index).copy_from_slice(&buffer[..tile.columns]);
        }
    }

    /// # Safety
    /// As [`Operands::write`], for a whole tile at `out`.
    unsafe fn sum(&self, out: *mut f32, stride: usize, add: bool) {
        // SAFETY: the caller's promise. Only tile registers change, which nothing else uses, and
        // `out`.
        unsafe {
            asm!(
                "test {add:e}, {add:e}",
                "jz 2f",
                "tileloadd tmm0, [{out} + {stride}]",
                "tileloadd tmm1, [{out} + {stride} + 64]",
                "tileloadd tmm2, [{below} + {stride}]",
                "tileloadd tmm3, [{below} + {stride} + 64]",
                "jmp 3f",
                "2:",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "3:",
                "tileloadd tmm4, [{a0} + {line}]",
                "tileloadd tmm6, [{b0} + {line}]",
                "tileloadd tmm5, [{a1} + {line}]",
                "tileloadd tmm7, [{b1} + {line}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a0}, 1024",
                "add {a1}, 1024",
                "add {b0}, 1024",
                "add {b1}, 1024",
                "dec {tiles}",
                "jnz 3b",
                "tilestored [{out} + {stride}], tmm0",
                "tilestored [{out} + {stride} + 64], tmm1",
                "tilestored [{below} + {stride}], tmm2",
                "tilestored [{below} + {stride} + 64], tmm3",
                add = in(reg) u32::from(add),
                out = in(reg) out,
                below = in(reg) out.add(PANEL * stride),
                stride = in(reg) stride * size_of::<f32>(),
                line = in(reg) size_of::<Line>(),
                tiles = inout(reg) self.tiles => _,
                a0 = inout(reg) self.a[0] => _,
                a1 = inout(reg) self.a[1] => _,
                b0 = inout(reg) self.b[0] => _,
                b1 = inout(reg) self.b[1] => _,
                options(nostack),
            );
        }
    }
}
