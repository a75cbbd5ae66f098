//! Full fine-tuning steps of a checkpoint, for comparison with `scripts/peer/train_torch.py`:
//!
//! ```text
//! train_bench MODEL ROWS.json [--steps N] [--threads N] [--precision bf16|f32] [--recompute N]
//!     [--batch ROWS] [--wanted FROM] [--learning-rate RATE] [--device cpu|cuda:N]
//! ```
//!
//! ROWS.json holds one step's rows, an array of arrays of token ids; every step trains on all of
//! them, `--batch` at a time. Prints tokens a second (the median of the steps after the first),
//! processor seconds a step, the largest resident memory of the process (on a GPU
//! that is the host's part) and the loss of each step.
#![allow(clippy::print_stdout, reason = "it prints its figures")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use truefill_model::checkpoint::Checkpoint;
use truefill_model::device::{Choice, choose};
use truefill_model::threads;
use truefill_model::tokens::TokenId;
use truefill_model::training::{
    AdamSettings, AdamW, Batch, GradDecoder, Options, Precision, Sequence, clip_factor,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "usage: train_bench MODEL ROWS.json [--steps N] [--threads N] \
                     [--precision bf16|f32] [--recompute N] [--batch ROWS] [--wanted FROM] \
                     [--learning-rate RATE] [--device cpu|cuda:N]";

fn main() -> ExitCode {
    match report(std::env::args().skip(1).collect()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("train_bench: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    steps: usize,
    threads: usize,
    options: Options,
    batch: usize,
    wanted: usize,
    rate: f64,
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut arguments = Arguments {
        steps: 2,
        threads: threads::available(),
        options: Options {
            precision: Precision::Bf16,
            ..Options::default()
        },
        batch: usize::MAX,
        wanted: 1,
        rate: 1e-5,
    };
    while let Some(name) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match name.as_str() {
            "--steps" => arguments.steps = value.parse()?,
            "--threads" => arguments.threads = value.parse()?,
            "--recompute" => arguments.options.recompute = value.parse()?,
            "--batch" => arguments.batch = value.parse()?,
            "--wanted" => arguments.wanted = value.parse()?,
            "--learning-rate" => arguments.rate = value.parse()?,
            "--device" => {
                if let Choice::Accelerator { device, .. } = choose(&value)? {
                    arguments.options.device = device;
                }
            }
            "--precision" => {
                arguments.options.precision = match value.as_str() {
                    "bf16" => Precision::Bf16,
                    "f32" => Precision::F32,
                    _ => return Err(USAGE.into()),
                }
            }
            _ => return Err(USAGE.into()),
        }
    }
    Ok(arguments)
}

fn report(words: Vec<String>) -> Result<String> {
    let mut words = words.into_iter();
    let model = words.next().ok_or(USAGE)?;
    let rows = words.next().ok_or(USAGE)?;
    let arguments = arguments(words)?;
    threads::claim(arguments.threads);
    let rows: Vec<Vec<u32>> = serde_json::from_slice(&std::fs::read(rows)?)?;
    let tokens: usize = rows.iter().map(Vec::len).sum();
    let sequences: Vec<Sequence> = rows
        .into_iter()
        .map(|row| {
            let tokens = row.into_iter().map(TokenId).collect();
            Sequence::completion(tokens, arguments.wanted)
        })
        .collect();
    let wanted: usize = sequences.iter().map(Sequence::wanted_len).sum();
    let mut trainer = Trainer::open(Path::new(&model), &arguments)?;
    let (mut walls, mut cpus, mut losses) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=arguments.steps {
        let (wall, cpu) = (Instant::now(), cpu_seconds());
        losses.push(trainer.step(&sequences, wanted)?);
        walls.push(wall.elapsed().as_secs_f64());
        cpus.push(cpu_seconds() - cpu);
    }
    let losses: Vec<String> = losses.iter().map(|loss| format!("{loss:.4}")).collect();
    Ok(format!(
        "tokens/s {:.1}  cpu s/step {:.2}  peak GiB {:.2}  loss {}",
        tokens as f64 / median(&walls[1..]),
        median(&cpus[1..]),
        peak_gib(),
        losses.join(" ")
    ))
}

struct Trainer {
    decoder: GradDecoder,
    optimizer: AdamW,
    batch: usize,
    rate: f64,
}

impl Trainer {
    fn open(model: &Path, arguments: &Arguments) -> Result<Self> {
        let checkpoint = Checkpoint::open(model)?;
        let weights = checkpoint.weights.as_ref();
        Ok(Self {
            decoder: GradDecoder::load(checkpoint.config.clone(), weights, &arguments.options)?,
            optimizer: AdamW::new(AdamSettings {
                weight_decay: 0.01,
                ..AdamSettings::default()
            }),
            batch: arguments.batch,
            rate: arguments.rate,
        })
    }

    /// One step on all rows; gives the mean loss of the wanted tokens.
    fn step(&mut self, sequences: &[Sequence], wanted: usize) -> Result<f64> {
        let mut loss = 0.0;
        for rows in sequences.chunks(self.batch.min(sequences.len()).max(1)) {
            let batch = Batch::new(rows.to_vec(), self.decoder.config().vocabulary)?;
            let forward = self.decoder.forward(&batch)?;
            let found = &forward.scores().log_probabilities;
            loss -= found.iter().copied().map(f64::from).sum::<f64>();
            let coefficients = vec![-1.0 / wanted as f32; found.len()];
            self.decoder.backward(forward, &coefficients)?;
        }
        let norm = self.decoder.gradient_norm()?;
        if !norm.is_finite() {
            return Err("the gradients are not finite".into());
        }
        let factor = clip_factor(norm, 1.0);
        self.optimizer.step(&mut self.decoder, self.rate, factor)?;
        Ok(loss / wanted as f64)
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => (sorted[len / 2 - 1] + sorted[len / 2]) / 2.0,
    }
}

/// Processor time of all threads, as Linux counts it.
fn cpu_seconds() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<f64>().ok())
        .sum();
    ticks / TICKS
}

/// The largest resident memory, as Linux counts it.
fn peak_gib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / (1 << 20) as f64)
}
