//! A device's logits against reference ones:
//!
//! ```text
//! device_parity [--device NAME] PATH...
//! ```
//!
//! A PATH with a `reference.safetensors` (the folders of `tests/data/parity`) is compared with that
//! file; any other checkpoint, a GGUF file say, with the exact CPU kernels on a prompt. NAME is
//! `cuda` unless given; `cpu` computes the same operations of the tensor library on the CPU. Prints
//! a table and exits with 1 where a figure is beyond its limit.
#![allow(clippy::print_stdout, reason = "it prints its table")]

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use candle_core::Device;
use safetensors::SafeTensors;
use truefill_model::checkpoint::Checkpoint;
use truefill_model::config::ModelConfig;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::device;
use truefill_model::tokens::TokenId;
use truefill_model::weights::{SafetensorsFiles, WeightSource};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// In `f32`: the largest difference, relative to the largest logit.
const EXACT_LIMIT: f64 = 1e-4;
/// In `bf16`, which keeps eight bits: the root of the summed squares, relative to the logits'.
const ROUNDED_LIMIT: f64 = 0.05;

/// Passes that a sequence is cut into; what is left is a last pass. Single tokens take the path of
/// decoding, the others that of a prompt.
const CUTS: [&[usize]; 3] = [&[], &[1, 5, 16, 1], &[30, 1, 1, 1, 1]];

/// Code like any other.
const PROMPT: &str = include_str!("device_parity.rs");
/// Its first tokens are a prompt: more than go through the layers together.
const PROMPT_TOKENS: usize = 200;

fn main() -> ExitCode {
    match report(std::env::args().skip(1)) {
        Ok((table, passed)) => {
            print!("{table}");
            if passed {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("device_parity: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The table, and whether every row is within its limit.
fn report(args: impl Iterator<Item = String>) -> Result<(String, bool)> {
    let mut args = args.peekable();
    let name = match args.next_if(|arg| arg == "--device") {
        Some(_) => args.next().ok_or("--device: expected a name")?,
        None => "cuda".to_owned(),
    };
    let device = match device::choose(&name)? {
        device::Choice::Cpu => Device::Cpu,
        device::Choice::Accelerator { device, .. } => device,
    };
    let paths: Vec<PathBuf> = args.map(PathBuf::from).collect();
    if paths.is_empty() {
        return Err("usage: device_parity [--device NAME] PATH...".into());
    }
    let mut table = format!(
        "tensors on {:?}\n{:<32} {:<16} {:>10} {:>8} {:>7}\n",
        device.location(),
        "model",
        "type, against",
        "difference",
        "limit",
        "same 1st"
    );
    let mut passed = true;
    for path in paths {
        let case = Case::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for row in case.rows(&device)? {
            passed &= row.passes();
            table += &row.to_string();
        }
    }
    Ok((
        table
            + if passed {
                "all within limits\n"
            } else {
                "FAILED\n"
            },
        passed,
    ))
}

/// A model, and sequences with the logits that are expected at every position.
struct Case {
    name: String,
    against: &'static str,
    config: ModelConfig,
    weights: Box<dyn WeightSource>,
    sequences: Vec<(Vec<TokenId>, Vec<f32>)>,
}

impl Case {
    fn open(path: &Path) -> Result<Self> {
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let reference = path.join("reference.safetensors");
        if reference.is_file() {
            return Ok(Self {
                name,
                against: "reference",
                config: ModelConfig::from_hub_file(&path.join("config.json"))?,
                weights: Box::new(SafetensorsFiles::open(path)?),
                sequences: read_reference(&reference)?,
            });
        }
        let checkpoint = Checkpoint::open(path)?;
        let mut tokens = checkpoint.tokenizer()?.encode(PROMPT)?;
        tokens.truncate(PROMPT_TOKENS.min(checkpoint.config.max_positions));
        let (config, weights) = (checkpoint.config, checkpoint.weights);
        let cpu = Decoder::on_cpu(config.clone(), &*weights, Precision::Exact, tokens.len())?;
        let expected = logits(&cpu, &tokens, &[])?;
        Ok(Self {
            name,
            against: "cpu",
            config,
            weights,
            sequences: vec![(tokens, expected)],
        })
    }

    fn rows(&self, device: &Device) -> Result<Vec<Row>> {
        let exact = self.row(device, Precision::Exact)?;
        let rounded = self.row(device, Precision::Serving)?;
        Ok(vec![exact, rounded])
    }

    /// The worst of all sequences and cuts.
    fn row(&self, device: &Device, precision: Precision) -> Result<Row> {
        let positions = self
            .sequences
            .iter()
            .map(|(tokens, _)| tokens.len())
            .max()
            .unwrap_or(0);
        let config = self.config.clone();
        let decoder = Decoder::on_device(config, &*self.weights, device, precision, positions)?;
        let (measure, dtype, limit): (fn(&[f32], &[f32]) -> f64, _, _) = match precision {
            Precision::Exact => (largest_difference, "f32", EXACT_LIMIT),
            Precision::Serving => (mean_difference, "bf16", ROUNDED_LIMIT),
        };
        let (mut difference, mut same, mut all) = (0.0f64, 0, 0);
        for (tokens, expected) in &self.sequences {
            for cuts in CUTS {
                let found = logits(&decoder, tokens, cuts)?;
                // Where nothing can be compared, `max` would hide it.
                let gap = measure(&found, expected);
                difference = if gap.is_nan() {
                    f64::INFINITY
                } else {
                    difference.max(gap)
                };
                let vocabulary = self.config.vocabulary;
                let rows = found.chunks(vocabulary).zip(expected.chunks(vocabulary));
                same += rows.filter(|(a, b)| first(a) == first(b)).count();
                all += tokens.len();
            }
        }
        let model = self.name.clone();
        let kind = format!("{dtype}, {}", self.against);
        Ok(Row {
            model,
            kind,
            difference,
            limit,
            same: same as f64 / all.max(1) as f64,
        })
    }
}

/// A line of the table.
struct Row {
    model: String,
    kind: String,
    difference: f64,
    limit: f64,
    /// The share of positions at which both hold the same token likeliest.
    same: f64,
}

impl Row {
    fn passes(&self) -> bool {
        self.difference <= self.limit
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            model,
            kind,
            difference,
            limit,
            same,
        } = self;
        let verdict = if self.passes() { "" } else { "  FAILED" };
        let same = 100.0 * same;
        writeln!(
            f,
            "{model:<32} {kind:<16} {difference:>10.1e} {limit:>8.0e} {same:>6.1}%{verdict}"
        )
    }
}

/// Logits at every position, the sequence cut into passes of these lengths.
fn logits(decoder: &Decoder, tokens: &[TokenId], cuts: &[usize]) -> Result<Vec<f32>> {
    let mut cache = decoder.cache(tokens.len())?;
    let mut found = Vec::new();
    let mut rest = tokens;
    for cut in cuts.iter().copied().chain([tokens.len()]) {
        let (pass, later) = rest.split_at(cut.min(rest.len()));
        let wanted: Vec<usize> = (0..pass.len()).collect();
        found.extend(decoder.forward(&mut cache, pass, &wanted, &|| false)?);
        rest = later;
    }
    Ok(found)
}

fn largest_difference(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() || !found.iter().all(|value| value.is_finite()) {
        return f64::NAN;
    }
    let largest = expected
        .iter()
        .fold(0.0f32, |largest, value| largest.max(value.abs()));
    let pairs = found.iter().zip(expected);
    let gap = pairs.fold(0.0f32, |gap, (a, b)| gap.max((a - b).abs()));
    f64::from(gap) / f64::from(largest)
}

fn mean_difference(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::NAN;
    }
    let square = |value: f32| f64::from(value) * f64::from(value);
    let power: f64 = expected.iter().copied().map(square).sum();
    let error: f64 = found.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    (error / power).sqrt()
}

/// The place of the largest value.
fn first(values: &[f32]) -> Option<usize> {
    let places = values.iter().enumerate();
    places
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(place, _)| place)
}

fn read_reference(path: &Path) -> Result<Vec<(Vec<TokenId>, Vec<f32>)>> {
    let bytes = std::fs::read(path)?;
    let file = SafeTensors::deserialize(&bytes)?;
    let sequences = (0..).take_while(|index| file.tensor(&format!("ids_{index}")).is_ok());
    sequences
        .map(|index| {
            let ids = file.tensor(&format!("ids_{index}"))?;
            let ids = ids.data().chunks_exact(8);
            let tokens = ids.map(|b| TokenId(u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            let logits = file.tensor(&format!("logits_{index}"))?;
            let logits = logits.data().chunks_exact(4);
            let logits = logits.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            Ok((tokens.collect(), logits.collect()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/parity")
            .join(name)
    }

    fn run(paths: &[&str]) -> Result<(String, bool)> {
        let paths = paths.iter().map(|path| data(path).display().to_string());
        report(
            ["--device".to_owned(), "cpu".to_owned()]
                .into_iter()
                .chain(paths),
        )
    }

    #[test]
    fn the_operations_of_a_device_agree_on_the_cpu() {
        let models = [
            "llama-untied",
            "qwen2-tied",
            "starcoder2",
            "gguf/llama-q4_1.gguf",
        ];
        let (table, passed) = run(&models).expect("runs");
        assert!(passed, "{table}");
        assert_eq!(table.lines().count(), 2 + 2 * models.len() + 1, "{table}");
    }

    #[test]
    fn a_difference_fails() {
        let mut case = Case::open(&data("qwen2-tied")).expect("opens");
        let rows = case.rows(&Device::Cpu).expect("runs");
        assert!(rows.iter().all(Row::passes));
        let (_, expected) = &mut case.sequences[1];
        let largest = expected
            .iter()
            .fold(0.0f32, |max, value| max.max(value.abs()));
        expected[0] += 1e-3 * largest;
        let rows = case.rows(&Device::Cpu).expect("runs");
        assert!(!rows[0].passes(), "f32 is exact: {}", rows[0]);
        assert!(rows[1].passes(), "bf16 is not: {}", rows[1]);
        case.sequences[0].1.pop();
        let rows = case.rows(&Device::Cpu).expect("runs");
        assert!(
            rows.iter().all(|row| !row.passes()),
            "another number of logits"
        );
        assert!(rows[0].to_string().ends_with("FAILED\n"));
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let error = run(&["no-such-model"]).expect_err("missing").to_string();
        assert!(error.contains("no-such-model"), "{error}");
        assert!(
            run(&[])
                .expect_err("usage")
                .to_string()
                .starts_with("usage")
        );
    }
}
