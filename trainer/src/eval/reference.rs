//! What `scripts/reference/dump_eval.py` wrote: inputs, and what each reference makes of them.

use std::{fs, io::Read, path::Path};

use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

/// A dump's rows.
pub(crate) fn rows<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/eval")
        .join(name);
    let bytes = fs::read(path).unwrap();
    let mut text = String::new();
    match name.ends_with(".gz") {
        true => GzDecoder::new(&bytes[..])
            .read_to_string(&mut text)
            .unwrap(),
        false => (&bytes[..]).read_to_string(&mut text).unwrap(),
    };
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
    rows.collect()
}
