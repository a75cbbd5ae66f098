//! Damaged and lying weight files are refused with a message, without a panic, and without taking
//! more memory than the file's size and a fixed allowance.

mod allocation;
mod gguf;
mod safetensors;

use truefill_model::weights::WeightSource;

use allocation::peak_of;

const ALLOWANCE: usize = 16 << 20;
const LIES: [u64; 9] = [
    u64::MAX,
    u64::MAX - 7,
    u64::MAX / 2 + 1,
    i64::MAX as u64,
    1 << 62,
    1 << 40,
    u32::MAX as u64,
    1 << 24,
    0,
];

/// Reads every byte that the file promises.
fn read_all(source: &dyn WeightSource) -> Result<(), String> {
    for name in source.names() {
        assert!(source.has(&name));
        let tensor = source.tensor(&name).map_err(|error| error.to_string())?;
        let sum: u64 = tensor.data.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(tensor.to_f32().len(), tensor.elements(), "{name} {sum}");
    }
    Ok(())
}

/// A refusal says which file and what is wrong with it; a file that parses is a valid one.
fn check(name: &str, size: usize, use_it: impl FnOnce() -> Result<(), String>) -> bool {
    let (result, peak) = peak_of(use_it);
    assert!(
        peak < ALLOWANCE + size,
        "{peak} bytes held for a file of {size}"
    );
    match result {
        Ok(()) => true,
        Err(message) => {
            assert!(message.contains(name), "names the file: {message}");
            let explains = message.contains("expected") || message.contains("is not supported");
            assert!(explains, "{message}");
            assert!(
                message.len() < 600 && !message.contains('\u{0}'),
                "{message}"
            );
            false
        }
    }
}
