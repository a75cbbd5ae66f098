//! CPU kernels of training: matrix products of activations, weights and gradients in `bf16` or
//! `f32`, attention with its backward pass, norms and activations with theirs, and the optimiser's
//! step.
//!
//! Every sum is taken in an order that depends on the shapes alone, so results are equal bit for
//! bit on any number of threads.

pub mod adam;
pub mod attention;
pub mod buffer;
pub mod cross_entropy;
pub mod elementwise;
pub mod matmul;
#[cfg(target_arch = "x86_64")]
mod matmul_amx;
#[cfg(target_arch = "x86_64")]
mod matmul_avx512;
pub mod norm;
#[cfg(target_arch = "x86_64")]
mod pack_avx512;
pub mod panels;
