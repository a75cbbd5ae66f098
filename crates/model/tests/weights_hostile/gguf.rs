use std::path::Path;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use truefill_model::config::ModelConfig;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::tokenizer::Tokenizer;
use truefill_model::weights::gguf::MetadataValue;
use truefill_model::weights::{GgufFile, GgufWriter, WeightDtype};

use crate::allocation::peak_of;
use crate::{ALLOWANCE, LIES, check, read_all};

/// Everything that a program does with a file, reading every byte that the file promises.
fn use_gguf(name: &Path, bytes: Vec<u8>) -> Result<(), String> {
    let file = GgufFile::from_bytes(name, bytes).map_err(|error| error.to_string())?;
    for key in file.keys() {
        let value = file.metadata(key);
        assert!(value.is_some(), "every key has a value");
    }
    read_all(&file)?;
    // Whoever opens a checkpoint puts its name before these.
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", name.display());
    let vocabulary = file.vocabulary().map_err(|error| error.to_string())?;
    Tokenizer::from_gguf(vocabulary).map_err(|error| named(&error))?;
    let config = ModelConfig::from_gguf(&file).map_err(|error| error.to_string())?;
    let decoder = Decoder::on_cpu(config, &file, Precision::Serving, 64);
    decoder.map(drop).map_err(|error| named(&error))
}

fn tiny_gguf() -> Vec<u8> {
    let mut writer = GgufWriter::new();
    writer.metadata(
        "general.architecture",
        MetadataValue::String("llama".to_owned()),
    );
    for (key, value) in [
        ("block_count", 1),
        ("context_length", 64),
        ("embedding_length", 32),
        ("feed_forward_length", 64),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
    ] {
        writer.metadata(format!("llama.{key}"), MetadataValue::U32(value));
    }
    let tokens = ["a", "b", "ab", "<|end|>"].map(str::to_owned).to_vec();
    writer
        .metadata(
            "llama.attention.layer_norm_rms_epsilon",
            MetadataValue::F32(1e-5),
        )
        .metadata("general.alignment", MetadataValue::U32(32))
        .metadata(
            "tokenizer.ggml.model",
            MetadataValue::String("gpt2".to_owned()),
        )
        .metadata("tokenizer.ggml.tokens", MetadataValue::Strings(tokens))
        .metadata(
            "tokenizer.ggml.token_type",
            MetadataValue::I32s(vec![1, 1, 1, 3]),
        )
        .metadata(
            "tokenizer.ggml.merges",
            MetadataValue::Strings(vec!["a b".to_owned()]),
        )
        .metadata("tokenizer.ggml.add_bos_token", MetadataValue::Bool(false));
    let values: Vec<f32> = (0..2048).map(|i| i as f32 / 1024.0 - 1.0).collect();
    for (name, dtype, shape) in [
        ("token_embd.weight", WeightDtype::Q8_0, &[4, 32][..]),
        ("blk.0.attn_norm.weight", WeightDtype::F32, &[32]),
        ("blk.0.attn_q.weight", WeightDtype::F16, &[32, 32]),
        ("blk.0.attn_k.weight", WeightDtype::BF16, &[16, 32]),
        ("blk.0.attn_v.weight", WeightDtype::Q4_0, &[16, 32]),
        ("blk.0.attn_output.weight", WeightDtype::F32, &[32, 32]),
        ("blk.0.ffn_norm.weight", WeightDtype::F32, &[32]),
        ("blk.0.ffn_gate.weight", WeightDtype::Q8_0, &[64, 32]),
        ("blk.0.ffn_up.weight", WeightDtype::Q4_1, &[64, 32]),
        ("blk.0.ffn_down.weight", WeightDtype::Q8_0, &[32, 64]),
        ("output_norm.weight", WeightDtype::F32, &[32]),
    ] {
        let count = shape.iter().product();
        writer
            .encode(name, dtype, shape, &values[..count])
            .expect("encodes");
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("writes");
    bytes
}

/// Bytes before the first tensor's data.
fn gguf_header_length(bytes: &[u8]) -> usize {
    let last_name = b"output_norm.weight";
    let at = bytes
        .windows(last_name.len())
        .position(|window| window == last_name);
    at.expect("the last tensor is declared") + last_name.len() + 4 + 8 + 4 + 8
}

fn check_gguf(bytes: Vec<u8>) -> bool {
    check("tiny.gguf", bytes.len(), || {
        use_gguf(Path::new("tiny.gguf"), bytes)
    })
}

#[test]
fn the_undamaged_file_is_fine() {
    assert!(check_gguf(tiny_gguf()));
}

#[test]
fn bit_flips_in_gguf_headers() {
    let original = tiny_gguf();
    let header = gguf_header_length(&original);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut refused = 0;
    for round in 0..2_000 {
        let mut bytes = original.clone();
        // Three in four in the header, where the lies are.
        let end = if round % 4 == 0 { bytes.len() } else { header };
        for _ in 0..rng.random_range(1..4) {
            bytes[rng.random_range(0..end)] ^= 1 << rng.random_range(0..8);
        }
        refused += usize::from(!check_gguf(bytes));
    }
    assert!(refused > 500, "{refused} of 2000 refused");
}

#[test]
fn every_truncation_of_a_gguf_file() {
    let original = tiny_gguf();
    // The last tensor's data ends before the padding that ends the file, if there is any.
    for length in 0..original.len() - 31 {
        let parsed = check_gguf(original[..length].to_vec());
        assert!(!parsed, "{length} of {} bytes", original.len());
    }
}

#[test]
fn sizes_near_the_limits_everywhere_in_a_gguf_header() {
    let original = tiny_gguf();
    for at in 0..gguf_header_length(&original) - 8 {
        for lie in LIES {
            let mut bytes = original.clone();
            bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            check_gguf(bytes);
        }
    }
}

#[test]
fn names_that_stand_twice_are_refused() {
    let mut tensors = GgufWriter::new();
    let mut metadata = GgufWriter::new();
    for value in [1, 2] {
        tensors
            .encode("a", WeightDtype::F32, &[1], &[1.0])
            .expect("encodes");
        metadata.metadata("key", MetadataValue::U32(value));
    }
    for writer in [tensors, metadata] {
        let mut bytes = Vec::new();
        writer.write(&mut bytes).expect("writes");
        assert!(!check_gguf(bytes));
    }
}

#[test]
fn huge_counts_that_the_file_could_hold_are_refused() {
    let mut bytes = tiny_gguf();
    bytes.resize(24 << 20, 0);
    for (at, count) in [(8usize, 200_000u64), (16, 1_000_000)] {
        let mut lying = bytes.clone();
        lying[at..at + 8].copy_from_slice(&count.to_le_bytes());
        let (result, peak) = peak_of(|| GgufFile::from_bytes("tiny.gguf", lying).map(drop));
        assert!(result.is_err());
        assert!(peak < 1 << 20, "{peak}");
    }
}

fn vocabulary_file(model: &str, tokens: Vec<String>, merges: Option<Vec<String>>) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    writer
        .metadata(
            "tokenizer.ggml.model",
            MetadataValue::String(model.to_owned()),
        )
        .metadata("tokenizer.ggml.tokens", MetadataValue::Strings(tokens));
    if let Some(merges) = merges {
        writer.metadata("tokenizer.ggml.merges", MetadataValue::Strings(merges));
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("writes");
    bytes
}

/// `a`, `aa`, `aaa`, …: every way to cut one in two is a merge.
fn ladder(longest: usize) -> Vec<String> {
    let steps = (1..=longest).map(|length| "a".repeat(length));
    std::iter::once("\u{2581}".to_owned())
        .chain(steps)
        .collect()
}

#[test]
fn vocabularies_that_would_swell_in_memory() {
    let words = |count: usize| (0..count).map(|nth| format!("{nth:06}"));
    let pairs = |count: usize| Some(vec!["a a".to_owned(); count]);
    for (file, refusal) in [
        (
            vocabulary_file("llama", ladder(1193), None),
            "at most 256 bytes",
        ),
        (
            vocabulary_file("llama", ladder(256), None),
            "expected merges",
        ),
        (
            vocabulary_file("gpt2", ladder(2), pairs(100_000)),
            "at most 24 strings",
        ),
        (
            vocabulary_file("gpt2", vec![String::new(); (1 << 20) + 1], None),
            "at most 1048576 strings",
        ),
    ] {
        let size = file.len();
        let (result, peak) = peak_of(|| open_tokenizer(file));
        let message = result.expect_err(refusal);
        assert!(message.contains(refusal), "{message}");
        assert!(
            peak < ALLOWANCE + size,
            "{peak} bytes for a file of {size}: {refusal}"
        );
    }
    // What is accepted takes memory in proportion to its tokens.
    let tokens = ladder(64).into_iter().chain(words(20_000)).collect();
    let file = vocabulary_file("llama", tokens, None);
    let size = file.len();
    let (result, peak) = peak_of(|| open_tokenizer(file));
    result.expect("a sound vocabulary");
    assert!(
        peak < ALLOWANCE + 40 * size,
        "{peak} bytes for a file of {size}"
    );
}

fn open_tokenizer(file: Vec<u8>) -> Result<(), String> {
    let file = GgufFile::from_bytes("tiny.gguf", file).map_err(|error| error.to_string())?;
    let vocabulary = file.vocabulary().map_err(|error| error.to_string())?;
    let tokenizer = Tokenizer::from_gguf(vocabulary);
    tokenizer.map(drop).map_err(|error| error.to_string())
}

#[test]
fn refusals_read_well() {
    let original = tiny_gguf();
    let patched = |at: usize, with: &[u8]| {
        let mut bytes = original.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        use_gguf(Path::new("tiny.gguf"), bytes).expect_err("refused")
    };
    let position = |text: &str| {
        original
            .windows(text.len())
            .position(|w| w == text.as_bytes())
            .expect("there")
    };
    let embedding = position("token_embd.weight") + "token_embd.weight".len();
    let refusals = [
        patched(0, b"GGML"),
        patched(4, &1u32.to_le_bytes()),
        patched(4, &3u32.to_be_bytes()),
        patched(4, &9u32.to_le_bytes()),
        patched(8, &u64::MAX.to_le_bytes()),
        patched(24, &u64::MAX.to_le_bytes()),
        patched(32, &[0xff]),
        patched(position("general.alignment") + 17 + 4, &24u32.to_le_bytes()),
        patched(
            position("tokenizer.ggml.tokens") + 21 + 8,
            &u64::MAX.to_le_bytes(),
        ),
        patched(
            position("tokenizer.ggml.tokens") + 21 + 4,
            &9u32.to_le_bytes(),
        ),
        patched(position("tokenizer.ggml.add_bos_token") + 28 + 4, &[7]),
        patched(embedding, &5u32.to_le_bytes()),
        patched(embedding + 4, &31u64.to_le_bytes()),
        patched(embedding + 12, &(u64::MAX / 16).to_le_bytes()),
        patched(embedding + 20, &10u32.to_le_bytes()),
        patched(embedding + 20, &99u32.to_le_bytes()),
        patched(embedding + 24, &1u64.to_le_bytes()),
        patched(embedding + 24, &(u64::MAX - 31).to_le_bytes()),
        patched(embedding + 24, &160u64.to_le_bytes()),
        use_gguf(Path::new("tiny.gguf"), original[..40].to_vec()).expect_err("refused"),
        use_gguf(Path::new("tiny.gguf"), Vec::new()).expect_err("refused"),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_bytes_behind_the_magic(
        counts in any::<[u8; 16]>(),
        small in any::<bool>(),
        rest in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        let counts = if small { counts.map(|byte| byte & 1) } else { counts };
        bytes.extend(counts);
        bytes.extend(rest);
        check_gguf(bytes);
    }
}
