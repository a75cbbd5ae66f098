//! Damaged and lying weight files are refused with a message, without a panic, and without taking
//! more memory than the file's size and a fixed allowance.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use truefill_model::config::ModelConfig;
use truefill_model::weights::gguf::MetadataValue;
use truefill_model::weights::{GgufFile, GgufWriter, SafetensorsFiles, WeightDtype, WeightSource};

/// Counts this thread's live bytes and their peak.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    LIVE.with(|live| {
        live.set(live.get() + bytes);
        PEAK.with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain cells
// without a destructor, so touching them allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Peak bytes that `work` holds beyond what was held before.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let result = work();
    (
        result,
        usize::try_from(PEAK.with(Cell::get) - before).unwrap_or(0),
    )
}

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

/// Everything that a program does with a file, reading every byte that the file promises.
fn use_gguf(name: &Path, bytes: Vec<u8>) -> Result<(), String> {
    let file = GgufFile::from_bytes(name, bytes).map_err(|error| error.to_string())?;
    for key in file.keys() {
        let value = file.metadata(key);
        assert!(value.is_some(), "every key has a value");
    }
    read_all(&file)?;
    ModelConfig::from_gguf(&file).map_err(|error| error.to_string())?;
    Ok(())
}

fn use_safetensors(path: &Path) -> Result<(), String> {
    read_all(&SafetensorsFiles::open(path).map_err(|error| error.to_string())?)
}

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
        ("token_embd.weight", WeightDtype::Q8_0, [4, 32]),
        ("blk.0.ffn_up.weight", WeightDtype::Q4_1, [64, 32]),
        ("blk.0.attn_q.weight", WeightDtype::F16, [32, 32]),
    ] {
        writer
            .encode(name, dtype, &shape, &values[..shape[0] * shape[1]])
            .expect("encodes");
    }
    writer
        .encode("output_norm.weight", WeightDtype::F32, &[32], &values[..32])
        .expect("encodes");
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

fn tiny_safetensors() -> Vec<u8> {
    let header = concat!(
        r#"{"__metadata__":{"format":"pt"},"#,
        r#""a":{"dtype":"F32","shape":[2,4],"data_offsets":[0,32]},"#,
        r#""b":{"dtype":"BF16","shape":[8],"data_offsets":[32,48]},"#,
        r#""c":{"dtype":"F16","shape":[1,2,2],"data_offsets":[48,56]}}"#
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(0..56);
    bytes
}

fn check_gguf(bytes: Vec<u8>) -> bool {
    check("tiny.gguf", bytes.len(), || {
        use_gguf(Path::new("tiny.gguf"), bytes)
    })
}

/// Through a file on disk, as a program would.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn check_safetensors(&self, bytes: &[u8]) -> bool {
        let path = self.0.path().join("tiny.safetensors");
        std::fs::write(&path, bytes).expect("writes");
        check("tiny.safetensors", bytes.len(), || use_safetensors(&path))
    }

    fn check_index(&self, json: &[u8]) -> bool {
        std::fs::write(self.0.path().join("one.safetensors"), tiny_safetensors()).expect("writes");
        let path = self.0.path().join("model.safetensors.index.json");
        std::fs::write(&path, json).expect("writes");
        check("safetensors", json.len(), || use_safetensors(&path))
    }
}

#[test]
fn the_undamaged_files_are_fine() {
    assert!(check_gguf(tiny_gguf()));
    assert!(Folder::new().check_safetensors(&tiny_safetensors()));
    assert!(Folder::new().check_index(br#"{"weight_map":{"a":"one.safetensors"}}"#));
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
fn bit_flips_in_safetensors_files() {
    let (original, folder) = (tiny_safetensors(), Folder::new());
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut refused = 0;
    for _ in 0..1_500 {
        let mut bytes = original.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
        }
        refused += usize::from(!folder.check_safetensors(&bytes));
    }
    assert!(refused > 500, "{refused} of 1500 refused");
}

#[test]
fn every_truncation_of_a_safetensors_file() {
    let (original, folder) = (tiny_safetensors(), Folder::new());
    for length in 0..original.len() {
        assert!(
            !folder.check_safetensors(&original[..length]),
            "{length} bytes"
        );
    }
}

#[test]
fn lying_numbers_in_safetensors_headers() {
    let folder = Folder::new();
    for lie in LIES {
        let mut bytes = tiny_safetensors();
        bytes[..8].copy_from_slice(&lie.to_le_bytes());
        assert!(!folder.check_safetensors(&bytes), "header length {lie}");
        for (dtype, shape, offsets) in [
            ("F32", format!("[{lie}]"), "[0,56]".to_owned()),
            ("F32", format!("[{lie},{lie}]"), "[0,56]".to_owned()),
            ("F32", "[14]".to_owned(), format!("[0,{lie}]")),
            ("F32", "[14]".to_owned(), format!("[{},56]", lie.max(1))),
            ("F32", "[0]".to_owned(), format!("[{lie},{lie}]")),
            ("F4", format!("[{lie}]"), "[0,56]".to_owned()),
        ] {
            let header = format!(
                r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#
            );
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            bytes.extend([0; 56]);
            assert!(!folder.check_safetensors(&bytes), "{header}");
        }
    }
}

/// Headers whose parsed form would be many times their size.
#[test]
fn headers_that_would_swell_in_memory() {
    let folder = Folder::new();
    let tensor =
        |name: usize| format!(r#""{name}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#);
    let many: Vec<String> = (0..70_000).map(tensor).collect();
    let most: Vec<String> = (0..16_000).map(tensor).collect();
    let note: Vec<String> = (0..300_000).map(|i| format!(r#""{i}":"""#)).collect();
    for (header, valid) in [
        (format!("{{{}}}", most.join(",")), true),
        (format!("{{{}}}", many.join(",")), false),
        (
            format!(r#"{{"__metadata__":{{{}}}}}"#, note.join(",")),
            false,
        ),
        (
            format!(r#"{{"a":{{"shape":[{}0]}}}}"#, "0,".repeat(1 << 20)),
            false,
        ),
        (format!(r#"{{"a":{}1"#, "[".repeat(1 << 20)), false),
        (
            format!(r#"{{"a":{}1"#, r#"{"shape":"#.repeat(1 << 18)),
            false,
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,0]}"#.repeat(50_000),
            false,
        ),
    ] {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        let path = folder.0.path().join("tiny.safetensors");
        std::fs::write(&path, &bytes).expect("writes");
        let (result, peak) = peak_of(|| use_safetensors(&path));
        assert!(
            peak < ALLOWANCE + bytes.len(),
            "{peak} bytes for {}",
            bytes.len()
        );
        assert_eq!(result.is_ok(), valid, "{result:?}");
    }
}

#[test]
fn tensors_of_one_name_are_refused() {
    let folder = Folder::new();
    let tensor = r#""a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
    let header = format!("{{{tensor},{tensor}}}");
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    assert!(!folder.check_safetensors(&bytes));

    let mut writer = GgufWriter::new();
    for _ in 0..2 {
        writer
            .encode("a", WeightDtype::F32, &[1], &[1.0])
            .expect("encodes");
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("writes");
    assert!(!check_gguf(bytes));

    let mut writer = GgufWriter::new();
    for value in [1, 2] {
        writer.metadata("key", MetadataValue::U32(value));
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("writes");
    assert!(!check_gguf(bytes));
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

    #[test]
    fn any_json_as_a_header_or_an_index(text in "[\\[\\]{}\":,a-z_0-9]{0,200}") {
        let folder = Folder::new();
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        folder.check_safetensors(&bytes);
        folder.check_index(text.as_bytes());
    }
}
