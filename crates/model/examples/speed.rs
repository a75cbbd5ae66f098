//! Prefill and decode speed of a checkpoint, or of random weights in a published shape:
//!
//! ```text
//! speed PATH [DEVICE] [THREADS]
//! speed --shape NAME [DEVICE] [THREADS]
//! ```
//!
//! DEVICE is `cpu` (the default: the kernels that serve there), `cuda:N`, `auto`, or `tensors`, the
//! GPU's code on the CPU. Prints the median of five repetitions for a prompt of 512 tokens, for the
//! 32 tokens after it one by one, for one token at 1,024, and for several sequences that decode together;
//! beside decoding stands what reading every weight once alone takes, on a GPU at the rate at which it
//! copies its own memory.
#![allow(clippy::print_stdout, reason = "it prints its figures")]

mod shapes;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::config::ModelConfig;
use truefill_model::decoder::{Decoder, Part, Precision};
use truefill_model::kv::KvCache;
use truefill_model::tokens::TokenId;
use truefill_model::weights::WeightSource;
use truefill_model::{device, threads};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str =
    "usage: speed (PATH | --shape NAME) [cpu | cuda | cuda:N | auto | tensors] [THREADS]";
const POSITIONS: usize = 2048;
const PROMPT: usize = 512;
const SINGLE: usize = 32;
const DEPTH: usize = 1024;
/// Sequences that decode together, each behind so many tokens.
const TOGETHER: [usize; 4] = [2, 4, 8, 16];
const BEHIND: usize = 128;

fn main() -> ExitCode {
    match report(std::env::args().skip(1)) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("speed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(mut args: impl Iterator<Item = String>) -> Result<String> {
    let begin = Instant::now();
    let first = args.next().ok_or(USAGE)?;
    let model = if first == "--shape" {
        Model::random(&args.next().ok_or(USAGE)?)?
    } else {
        Model::open(Path::new(&first))?
    };
    let place = Place::named(&args.next().unwrap_or_else(|| "cpu".into()))?;
    let count = args.next().map(|count| count.parse()).transpose()?;
    threads::claim(count.unwrap_or_else(threads::available));
    let opened = begin.elapsed();
    let decoder = place.decoder(&model)?;
    let mut lines = vec![format!(
        "{}: opened in {opened:.1?}, ready in {:.1?}",
        place.name()?,
        begin.elapsed()
    )];
    let speed = Speed::measure(&decoder)?;
    lines.push(format!(
        "prefill {:.0} tokens/s ({PROMPT}), decode {:.1} tokens/s (at {PROMPT}), one token at \
         {DEPTH}: {:.2} ms",
        speed.prefill, speed.decode, speed.appended
    ));
    let together = speed
        .together
        .iter()
        .map(|(width, rate)| format!("{width}: {rate:.1}"));
    let together: Vec<String> = together.collect();
    lines.push(format!(
        "decode of several sequences at {BEHIND}, tokens/s in all: {}",
        together.join(", ")
    ));
    let read = place.bytes_per_token(&decoder) as f64;
    lines.push(format!(
        "weights {:.1} MB, KV {:.1} kB a token; a decoded token reads {:.1} MB, so {:.1} GB/s",
        decoder.weight_bytes() as f64 / 1e6,
        decoder.kv_bytes_per_token() as f64 / 1e3,
        read / 1e6,
        read * speed.decode / 1e9
    ));
    if let Some(rate) = place.copy_rate()? {
        let limit = rate / read;
        lines.push(format!(
            "memory copies at {:.0} GB/s (read and written), which allows {limit:.1} tokens/s: \
             decoding reaches {:.1} %",
            rate / 1e9,
            100.0 * speed.decode / limit
        ));
    }
    Ok(lines.join("\n") + "\n")
}

/// What is measured.
struct Model {
    config: ModelConfig,
    weights: Box<dyn WeightSource>,
}

impl Model {
    fn open(path: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::open(path)?;
        Ok(Self {
            config: checkpoint.config,
            weights: checkpoint.weights,
        })
    }

    fn random(shape: &str) -> Result<Self> {
        let config = shapes::config(shape)
            .ok_or_else(|| format!("unknown shape `{shape}`, expected {}", shapes::names()))?;
        let weights = Box::new(shapes::RandomWeights::new(&config, 7));
        Ok(Self { config, weights })
    }
}

/// Where it is measured.
enum Place {
    /// The kernels that serve on a CPU.
    Cpu,
    /// The tensor library, on whichever device.
    Tensors(Device),
}

impl Place {
    fn named(name: &str) -> Result<Self> {
        if name == "tensors" {
            return Ok(Self::Tensors(Device::Cpu));
        }
        Ok(match device::choose(name)? {
            device::Choice::Cpu => Self::Cpu,
            device::Choice::Accelerator { device, .. } => Self::Tensors(device),
        })
    }

    fn name(&self) -> Result<String> {
        Ok(match self {
            Self::Cpu => device::Choice::Cpu.to_string(),
            Self::Tensors(device) => format!("tensors in bf16 on {:?}", device.location()),
        })
    }

    fn decoder(&self, model: &Model) -> Result<Decoder> {
        let (config, weights) = (model.config.clone(), &*model.weights);
        Ok(match self {
            Self::Cpu => Decoder::on_cpu(config, weights, Precision::Serving, POSITIONS)?,
            Self::Tensors(device) => {
                Decoder::on_device(config, weights, device, Precision::Serving, POSITIONS)?
            }
        })
    }

    /// Weights and the cache at [`PROMPT`]. Of an embedding that is not the head too, one row is
    /// read; the CPU's packed size of it is not known here, so there it counts in full.
    fn bytes_per_token(&self, decoder: &Decoder) -> usize {
        let config = decoder.config();
        let table = match self {
            Self::Tensors(_) if !config.tied_head => {
                config.vocabulary * config.hidden * DType::BF16.size_in_bytes()
            }
            _ => 0,
        };
        decoder.weight_bytes() - table + PROMPT * decoder.kv_bytes_per_token()
    }

    /// Bytes read and written a second by copies on the device; on a CPU fresh pages would be what
    /// is measured.
    fn copy_rate(&self) -> Result<Option<f64>> {
        let Self::Tensors(device) = self else {
            return Ok(None);
        };
        if device.is_cpu() {
            return Ok(None);
        }
        const BYTES: usize = 1 << 30;
        let from = Tensor::zeros(BYTES, DType::U8, device)?;
        let mut rates = Vec::new();
        for _ in 0..10 {
            device.synchronize()?;
            let start = Instant::now();
            let to = from.copy()?;
            device.synchronize()?;
            rates.push(2.0 * BYTES as f64 / start.elapsed().as_secs_f64());
            drop(to);
        }
        Ok(Some(median(rates)))
    }
}

/// Medians.
struct Speed {
    /// Tokens a second.
    prefill: f64,
    /// Tokens a second.
    decode: f64,
    /// Milliseconds.
    appended: f64,
    /// Sequences that decode together, and the tokens a second of all.
    together: Vec<(usize, f64)>,
}

impl Speed {
    fn measure(decoder: &Decoder) -> Result<Self> {
        let vocabulary = decoder.config().vocabulary as u32;
        let prompt: Vec<TokenId> = (0..DEPTH as u32)
            .map(|i| TokenId(i.wrapping_mul(7919) % vocabulary))
            .collect();
        // The first pass compiles kernels and touches every weight; its logits show whether the
        // numbers can be those of a model.
        let mut cache = decoder.cache(DEPTH + 8)?;
        let logits = decoder.forward(&mut cache, &prompt[..PROMPT], &[PROMPT - 1], &|| false)?;
        if !logits.iter().all(|logit| logit.is_finite()) {
            return Err("the logits are not finite".into());
        }
        decoder.forward(&mut cache, &prompt[..1], &[0], &|| false)?;
        let (mut prefill, mut decode, mut appended) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..5 {
            cache.truncate(0);
            let start = Instant::now();
            decoder.forward(&mut cache, &prompt[..PROMPT], &[PROMPT - 1], &|| false)?;
            prefill.push(PROMPT as f64 / start.elapsed().as_secs_f64());
            let start = Instant::now();
            for token in &prompt[PROMPT..PROMPT + SINGLE] {
                decoder.forward(&mut cache, &[*token], &[0], &|| false)?;
            }
            decode.push(SINGLE as f64 / start.elapsed().as_secs_f64());
            let rest = &prompt[PROMPT + SINGLE..];
            decoder.forward(&mut cache, rest, &[rest.len() - 1], &|| false)?;
            let start = Instant::now();
            decoder.forward(&mut cache, &prompt[..1], &[0], &|| false)?;
            appended.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(Self {
            prefill: median(prefill),
            decode: median(decode),
            appended: median(appended),
            together: together(decoder)?,
        })
    }
}

/// Tokens a second of sequences that decode together.
fn together(decoder: &Decoder) -> Result<Vec<(usize, f64)>> {
    let vocabulary = decoder.config().vocabulary as u32;
    let token = |at: usize| TokenId((at as u32).wrapping_mul(7919) % vocabulary);
    let mut rates = Vec::new();
    for width in [1].into_iter().chain(TOGETHER) {
        let mut caches: Vec<KvCache> = Vec::new();
        for sequence in 0..width {
            let prompt: Vec<TokenId> = (sequence..sequence + BEHIND).map(token).collect();
            let mut cache = decoder.cache(BEHIND + SINGLE)?;
            decoder.forward(&mut cache, &prompt, &[], &|| false)?;
            caches.push(cache);
        }
        let mut found = Vec::new();
        for _ in 0..5 {
            caches.iter_mut().for_each(|cache| cache.truncate(BEHIND));
            let start = Instant::now();
            for step in 0..SINGLE {
                let next = [token(step)];
                let part = |cache| Part {
                    cache,
                    tokens: &next,
                    logits: true,
                };
                let mut parts: Vec<Part<'_>> = caches.iter_mut().map(part).collect();
                decoder.forward_many(&mut parts, &|| false)?;
            }
            found.push((width * SINGLE) as f64 / start.elapsed().as_secs_f64());
        }
        rates.push((width, median(found)));
    }
    Ok(rates)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Result<String> {
        report(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn random_weights_run_on_both_paths() {
        for device in ["cpu", "tensors"] {
            let report = run(&["--shape", "tiny", device, "1"]).expect(device);
            assert!(
                report.contains("prefill") && report.contains("16: ") && report.contains("GB/s"),
                "{report}"
            );
        }
    }

    #[test]
    fn published_shapes_have_their_published_sizes() {
        for (name, billions) in [
            ("qwen2.5-coder-0.5b", 0.49),
            ("qwen2.5-coder-1.5b", 1.54),
            ("qwen2.5-coder-7b", 7.62),
        ] {
            let config = shapes::config(name).expect(name);
            let found = shapes::parameters(&config) as f64 / 1e9;
            assert!((found - billions).abs() < 0.006, "{name}: {found}");
        }
    }

    #[test]
    fn what_is_unknown_is_named() {
        let error = run(&["--shape", "huge"]).expect_err("unknown").to_string();
        assert!(
            error.contains("`huge`, expected tiny, qwen2.5-coder-0.5b"),
            "{error}"
        );
        assert!(
            run(&[])
                .expect_err("usage")
                .to_string()
                .starts_with("usage")
        );
        assert!(run(&["--shape", "tiny", "gpu"]).is_err());
    }
}
