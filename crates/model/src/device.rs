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

/// Whether a name is one that [`choose`] knows, there or not.
#[must_use]
pub fn is_name(name: &str) -> bool {
    matches!(name, "auto" | "cpu" | "cuda") || number(name).is_some()
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix("cuda:")?.parse().ok()
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
        _ => match number(name) {
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
         `device = \"cpu\"` or build it as docs/gpu.md says"
    )))
}

#[cfg(feature = "cuda")]
fn gpu(index: usize) -> Result<Choice> {
    let why = match quietly(move || open(index)) {
        Ok(Ok(device)) => return Ok(Choice::Accelerator { device, index }),
        Ok(Err(error)) => first_line(&error.to_string()).to_owned(),
        Err(panic) => why_not_opened(&panic),
    };
    Err(ModelError::Device(format!(
        "device `cuda:{index}` cannot be used: {why}; use `device = \"cpu\"` or `\"auto\"`"
    )))
}

/// A GPU with a stream of its own: the default one waits for every other stream of the process.
#[cfg(feature = "cuda")]
fn open(index: usize) -> candle_core::Result<Device> {
    let device = Device::new_cuda_with_stream(index)?;
    // SAFETY: events keep several streams from using a tensor before it is written or after it is
    // freed. Every tensor of this device lives on its one stream, which runs in order: the tensor
    // library refuses operations between two devices, also where both are the same GPU, copies to
    // the host are pageable and wait for the stream, and nothing here makes another stream.
    unsafe { device.as_cuda_device()?.disable_event_tracking() };
    Ok(device)
}

/// What `work` gives. A panic becomes an error that holds its message, and prints nothing: the CUDA
/// bindings panic where a library is missing, which is no defect of this program.
#[cfg(any(feature = "cuda", test))]
fn quietly<T>(work: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, String> {
    use std::cell::Cell;
    use std::panic;
    use std::sync::{Arc, Mutex, PoisonError};

    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    // The hook belongs to the process: one at a time changes it.
    static HOOK: Mutex<()> = Mutex::new(());
    let hook = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let report = Arc::new(panic::take_hook());
    let others = Arc::clone(&report);
    panic::set_hook(Box::new(move |panic| {
        if !QUIET.try_with(Cell::get).unwrap_or(false) {
            others(panic);
        }
    }));
    QUIET.set(true);
    let outcome = panic::catch_unwind(work);
    QUIET.set(false);
    drop(panic::take_hook());
    panic::set_hook(Box::new(move |panic| report(panic)));
    drop(hook);
    outcome.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        text.unwrap_or_default().to_owned()
    })
}

/// Half a sentence from the panic of the CUDA bindings.
#[cfg(any(feature = "cuda", test))]
fn why_not_opened(panic: &str) -> String {
    let missing = panic
        .strip_prefix("Unable to dynamically load the \"")
        .and_then(|rest| rest.split_once('"'));
    match missing {
        Some(("cuda", _)) => "no NVIDIA driver is found on this machine".to_owned(),
        Some((library, _)) => format!(
            "the library `lib{library}` of CUDA is not found; docs/gpu.md says where to get it"
        ),
        None => format!(
            "the driver could not be initialised ({})",
            first_line(panic)
        ),
    }
}

#[cfg(any(feature = "cuda", test))]
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_or_refused_in_a_sentence() {
        assert!(matches!(choose("cpu"), Ok(Choice::Cpu)));
        #[cfg(not(feature = "cuda"))]
        assert!(matches!(choose("auto"), Ok(Choice::Cpu)));
        for name in ["auto", "cpu", "cuda", "cuda:0", "cuda:12"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["gpu", "cuda:", "cuda:x", ""] {
            assert!(!is_name(name), "{name}");
            let error = choose(name).expect_err(name).to_string();
            assert!(error.contains("expected `auto`"), "{error}");
        }
    }

    #[test]
    fn a_missing_library_is_named_in_half_a_sentence() {
        let panic = |library: &str| {
            format!(
                "Unable to dynamically load the \"{library}\" shared library - searched for \
                 library names: [\"lib{library}.so\"]."
            )
        };
        for (panic, why) in [
            (panic("cuda"), "no NVIDIA driver is found"),
            (panic("cublas"), "`libcublas` of CUDA is not found"),
            ("no symbol cuInit\n  at 0".to_owned(), "(no symbol cuInit)"),
            (String::new(), "could not be initialised"),
        ] {
            let found = why_not_opened(&panic);
            assert!(found.contains(why), "{found}");
            assert!(!found.contains('\n'), "{found}");
        }
    }

    #[test]
    fn panics_are_quiet_only_where_they_are_caught() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static REPORTED: AtomicUsize = AtomicUsize::new(0);
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match panic.payload_as_str() {
            Some("counted") => _ = REPORTED.fetch_add(1, Ordering::SeqCst),
            _ => report(panic),
        }));
        assert_eq!(quietly(|| 7), Ok(7));
        let caught = quietly(|| -> u8 { std::panic::panic_any("counted") });
        assert_eq!(caught, Err("counted".to_owned()));
        let caught = quietly(|| -> u8 { std::panic::panic_any(format!("{}ed", "count")) });
        assert_eq!(caught, Err("counted".to_owned()));
        assert_eq!(REPORTED.load(Ordering::SeqCst), 0);
        let outside = std::panic::catch_unwind(|| std::panic::panic_any("counted"));
        assert!(outside.is_err());
        assert_eq!(REPORTED.load(Ordering::SeqCst), 1);
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
