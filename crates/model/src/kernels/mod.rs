//! CPU kernels of the decoder: int8 matrix products on packed weights, attention over the
//! in-place KV cache, and the element-wise steps between them.
//!
//! All of them work on plain `f32` slices, row-major, one token a row. Instruction sets beyond the
//! build's baseline are chosen at run time.

pub mod attention;
mod block;
pub mod elementwise;
pub mod gemm;
#[cfg(target_arch = "x86_64")]
mod gemm_avx2;
#[cfg(target_arch = "x86_64")]
mod gemm_avx512;
pub mod layer_kv;
pub mod packed;
pub mod parallel;
pub mod train;

/// `a * b + c`, fused where the hardware has it: without it `mul_add` is a slow library call.
#[inline(always)]
pub(crate) fn fused(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}
