//! Prefill and decode speed of a checkpoint: `speed PATH [cpu|cuda:N] [THREADS]`.
//!
//! Prints tokens a second over five repetitions (median), for a prompt of 512 tokens and for
//! single tokens after it, and the time of one token appended to 1,024.

use std::path::Path;
use std::time::Instant;

use truefill_model::checkpoint::Checkpoint;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::tokens::TokenId;
use truefill_model::{device, threads};

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: speed PATH [DEVICE] [THREADS]")?;
    let device = args.next().unwrap_or_else(|| "cpu".into());
    let count = args.next().map_or(Ok(threads::available()), |count| count.parse())?;
    threads::claim(count);
    let begin = Instant::now();
    let checkpoint = Checkpoint::open(Path::new(&path))?;
    let opened = begin.elapsed();
    let config = checkpoint.config.clone();
    let vocabulary = config.vocabulary;
    let chosen = device::choose(&device)?;
    let decoder = match &chosen {
        device::Choice::Cpu => {
            Decoder::on_cpu(config, &*checkpoint.weights, Precision::Serving, 2048)?
        }
        device::Choice::Accelerator { device, .. } => {
            Decoder::on_device(config, &*checkpoint.weights, device, Precision::Serving, 2048)?
        }
    };
    println!("{chosen}: opened in {opened:.1?}, ready in {:.1?}", begin.elapsed());
    let prompt: Vec<TokenId> =
        (0..1024u32).map(|i| TokenId(i.wrapping_mul(7919) % vocabulary as u32)).collect();
    let (mut prefill, mut decode, mut appended) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let mut cache = decoder.cache(1100)?;
        let start = Instant::now();
        decoder.forward(&mut cache, &prompt[..512], &[511], &|| false)?;
        prefill.push(512.0 / start.elapsed().as_secs_f64());
        let start = Instant::now();
        for token in &prompt[512..544] {
            decoder.forward(&mut cache, &[*token], &[0], &|| false)?;
        }
        decode.push(32.0 / start.elapsed().as_secs_f64());
        decoder.forward(&mut cache, &prompt[544..], &[479], &|| false)?;
        let start = Instant::now();
        decoder.forward(&mut cache, &prompt[..1], &[0], &|| false)?;
        appended.push(start.elapsed().as_secs_f64() * 1e3);
    }
    println!(
        "prefill {:.0} tokens/s (512), decode {:.1} tokens/s (at 512), one token at 1,024: {:.2} ms",
        median(prefill),
        median(decode),
        median(appended)
    );
    println!(
        "weights {:.1} MB, KV {:.1} kB a token",
        decoder.weight_bytes() as f64 / 1e6,
        decoder.kv_bytes_per_token() as f64 / 1e3
    );
    Ok(())
}
