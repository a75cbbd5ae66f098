//! Choosing where to compute.

use candle_core::Device;

use crate::error::{ModelError, Result};
use crate::kernels::gemm::instruction_set;

/// Where a model runs.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Our own kernels on the CPU.
    Cpu,
    /// The tensor library on a GPU.
    Accelerator {
        /// The GPU.
        device: Device,
        /// Its number.
        index: usize,
    },
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => {
                write!(
                    f,
                    "cpu ({} threads, {})",
                    crate::threads::count(),
                    instruction_set()
                )
            }
            Self::Accelerator { index, .. } => write!(f, "cuda:{index}"),
        }
    }
}

/// The device that a configuration names: `auto` takes the first GPU if there is one, `cpu`,
/// `cuda` or `cuda:N`.
///
/// # Errors
/// [`ModelError::Device`] with one sentence: an unknown name, a build without GPU support, or no
/// driver or no such GPU on this machine.
pub fn choose(name: &str) -> Result<Choice> {
    match name {
        "cpu" => Ok(Choice::Cpu),
        "auto" => Ok(gpu(0).unwrap_or(Choice::Cpu)),
        "cuda" => gpu(0),
        _ => match name
            .strip_prefix("cuda:")
            .and_then(|index| index.parse().ok())
        {
            Some(index) => gpu(index),
            None => Err(ModelError::Device(format!(
                "unknown device `{name}`, expected `auto`, `cpu`, `cuda` or `cuda:N`"
            ))),
        },
    }
}

#[cfg(not(feature = "cuda"))]
fn gpu(index: usize) -> Result<Choice> {
    Err(ModelError::Device(format!(
        "device `cuda:{index}` needs a build with `--features cuda`, this one is for the CPU; use \
         `device = \"cpu\"` or build it as CONTRIBUTING.md says"
    )))
}

#[cfg(feature = "cuda")]
fn gpu(index: usize) -> Result<Choice> {
    use candle_core::cuda_backend::cudarc::driver::sys;
    let missing =
        |why: &str| ModelError::Device(format!("device `cuda:{index}` cannot be used: {why}"));
    // SAFETY: it only tries to open the driver's library; the binding would panic without it.
    if !unsafe { sys::is_culib_present() } {
        return Err(missing("no NVIDIA driver is installed on this machine"));
    }
    let opened = std::panic::catch_unwind(|| Device::new_cuda_with_stream(index));
    match opened {
        Ok(Ok(device)) => Ok(Choice::Accelerator { device, index }),
        Ok(Err(error)) => Err(missing(&error.to_string())),
        Err(_) => Err(missing("the driver could not be initialised")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_or_refused_in_a_sentence() {
        assert!(matches!(choose("cpu"), Ok(Choice::Cpu)));
        assert!(choose("auto").is_ok());
        for name in ["gpu", "cuda:", "cuda:x", ""] {
            let error = choose(name).expect_err(name).to_string();
            assert!(error.contains("expected `auto`"), "{error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_for_the_cpu_says_so() {
        let error = choose("cuda:1").expect_err("no GPU").to_string();
        assert!(
            error.contains("`cuda:1` needs a build with `--features cuda`"),
            "{error}"
        );
    }
}
