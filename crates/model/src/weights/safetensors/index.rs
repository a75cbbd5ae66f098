//! The index of a sharded checkpoint: which tensor lies in which file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::super::error::{Fault, shown};

/// Far beyond any model that this crate reads.
const MAX_INDEX_BYTES: usize = 8 << 20;
const MAX_TENSORS: usize = 65_536;
const MAX_SHARDS: usize = 512;

#[derive(Deserialize)]
struct Index {
    weight_map: WeightMap,
}

/// Each tensor's file. A tensor that stands twice is an error, not the last one's.
struct WeightMap(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for WeightMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = WeightMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from tensors to files")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WeightMap, A::Error> {
        let mut files = BTreeMap::new();
        while let Some((tensor, file)) = map.next_entry::<String, String>()? {
            if files.contains_key(&tensor) {
                return Err(A::Error::custom(format!(
                    "`{}` stands twice",
                    shown(&tensor)
                )));
            }
            if files.len() == MAX_TENSORS {
                return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
            }
            files.insert(tensor, file);
        }
        Ok(WeightMap(files))
    }
}

/// The names of the shards and the tensors in each.
pub(super) fn parse(bytes: &[u8]) -> Result<BTreeMap<String, BTreeSet<String>>, Fault> {
    if bytes.len() > MAX_INDEX_BYTES {
        return Err(Fault::damaged(
            "the index",
            format!("at most {MAX_INDEX_BYTES} bytes"),
            bytes.len().to_string(),
        ));
    }
    let index: Index = serde_json::from_slice(bytes).map_err(|error| {
        Fault::damaged("the index", "JSON with a `weight_map`", error.to_string())
    })?;
    let mut shards: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (tensor, file) in index.weight_map.0 {
        if !is_sibling(&file) {
            return Err(Fault::damaged(
                format!("the index's file of tensor `{}`", shown(&tensor)),
                "the name of a `.safetensors` file in the same folder",
                format!("`{}`", shown(&file)),
            ));
        }
        shards.entry(file).or_default().insert(tensor);
    }
    if shards.is_empty() || shards.len() > MAX_SHARDS {
        return Err(Fault::damaged(
            "the index",
            format!("1 to {MAX_SHARDS} files"),
            shards.len().to_string(),
        ));
    }
    Ok(shards)
}

/// A plain file name on every system: no separator, no drive, no parent folder.
fn is_sibling(file: &str) -> bool {
    let mut components = Path::new(file).components();
    let single = matches!(
        (components.next(), components.next()),
        (Some(Component::Normal(name)), None) if name == file
    );
    single
        && file.ends_with(".safetensors")
        && !file.contains(|c: char| matches!(c, '/' | '\\' | ':') || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_of_siblings_are_followed() {
        for (file, expected) in [
            ("model-00001-of-00002.safetensors", true),
            ("a b.safetensors", true),
            ("../model.safetensors", false),
            ("/etc/model.safetensors", false),
            ("sub/model.safetensors", false),
            ("./model.safetensors", false),
            ("..\\model.safetensors", false),
            ("c:model.safetensors", false),
            ("model\0.safetensors", false),
            ("..", false),
            ("", false),
            ("model.bin", false),
        ] {
            assert_eq!(is_sibling(file), expected, "{file:?}");
        }
    }
}
