use std::path::Path;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use truefill_model::weights::SafetensorsFiles;

use crate::allocation::peak_of;
use crate::{ALLOWANCE, LIES, check, read_all};

fn use_safetensors(path: &Path) -> Result<(), String> {
    read_all(&SafetensorsFiles::open(path).map_err(|error| error.to_string())?)
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
    assert!(Folder::new().check_safetensors(&tiny_safetensors()));
    assert!(Folder::new().check_index(br#"{"weight_map":{"a":"one.safetensors"}}"#));
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
fn tensors_that_stand_twice_are_refused() {
    let tensor = r#""a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
    let header = format!("{{{tensor},{tensor}}}");
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    assert!(!Folder::new().check_safetensors(&bytes));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_json_as_a_header_or_an_index(text in "[\\[\\]{}\":,a-z_0-9]{0,200}") {
        let folder = Folder::new();
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        folder.check_safetensors(&bytes);
        folder.check_index(text.as_bytes());
    }
}
