//! The header of a safetensors file: a length, JSON, then data.
//!
//! The `safetensors` crate checks sizes and offsets, but it holds the whole JSON as a tree first
//! and keeps the last of two tensors of one name. So a first pass, which keeps nothing but names,
//! refuses what would make that tree large or ambiguous.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;

use safetensors::SafeTensors;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess};

use super::super::WeightDtype;
use super::super::error::{Fault, shown};
use super::weight_dtype;

/// Bytes of the header's length.
const LENGTH_BYTES: usize = 8;
/// A header takes some 120 bytes a tensor; large models have a thousand tensors in a file.
const MAX_HEADER_BYTES: u64 = 4 << 20;
const MAX_TENSORS: usize = 16_384;
const MAX_NOTES: usize = 1024;
const MAX_DIMENSIONS: usize = 8;

/// Where a tensor lies.
pub(super) struct Entry {
    /// The type, or one that this crate does not read.
    pub(super) dtype: Result<WeightDtype, safetensors::Dtype>,
    pub(super) shape: Vec<usize>,
    /// Bytes of the file.
    pub(super) data: Range<usize>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, Fault> {
    check(header_bytes(bytes)?)?;
    let (length, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| {
        Fault::damaged(
            "the header",
            "sizes and offsets that agree with the file",
            error.to_string(),
        )
    })?;
    let start = LENGTH_BYTES + length;
    let mut entries = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let (from, to) = info.data_offsets;
        let data = start + from..start + to;
        let entry = Entry {
            dtype: weight_dtype(info.dtype),
            shape: info.shape.clone(),
            data,
        };
        entries.insert(name, entry);
    }
    Ok(entries)
}

fn header_bytes(bytes: &[u8]) -> Result<&[u8], Fault> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(Fault::damaged(
            "the header's length",
            format!("{LENGTH_BYTES} bytes"),
            format!("a file of {}", bytes.len()),
        ));
    };
    let length = u64::from_le_bytes(*length);
    let room = MAX_HEADER_BYTES.min(rest.len() as u64);
    if length > room {
        return Err(Fault::damaged(
            "the header's length",
            format!("at most {room} bytes"),
            length.to_string(),
        ));
    }
    Ok(&rest[..length as usize])
}

/// Refuses headers that are no map of distinct names to tensors, without building them.
fn check(header: &[u8]) -> Result<(), Fault> {
    let text = std::str::from_utf8(header)
        .map_err(|_| Fault::damaged("the header", "UTF-8", "bytes that are none"))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer
        .deserialize_map(Names)
        .and_then(|()| deserializer.end())
        .map_err(|error| {
            Fault::damaged(
                "the header",
                "JSON that maps names to tensors",
                error.to_string(),
            )
        })
}

struct Names;

impl<'de> serde::de::Visitor<'de> for Names {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value_seed(Notes)?;
            } else {
                map.next_value_seed(Tensor)?;
            }
            let message = format!("`{}` stands twice", shown(&name));
            if !seen.insert(name) {
                return Err(A::Error::custom(message));
            }
            if seen.len() > MAX_TENSORS {
                return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
            }
        }
        Ok(())
    }
}

/// The free strings under `__metadata__`.
struct Notes;

impl<'de> DeserializeSeed<'de> for Notes {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> serde::de::Visitor<'de> for Notes {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        for _ in 0..MAX_NOTES {
            if map.next_entry::<String, String>()?.is_none() {
                return Ok(());
            }
        }
        Err(A::Error::custom(format!(
            "{MAX_NOTES} strings of metadata or more"
        )))
    }
}

/// One tensor: no field but the format's three, no shape of many dimensions.
struct Tensor;

impl<'de> DeserializeSeed<'de> for Tensor {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> serde::de::Visitor<'de> for Tensor {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tensor's dtype, shape and data_offsets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<String>()? {
            match field.as_str() {
                "dtype" => {
                    map.next_value::<String>()?;
                }
                "shape" | "data_offsets" => map.next_value_seed(Numbers)?,
                other => return Err(A::Error::unknown_field(&shown(other), FIELDS)),
            }
        }
        Ok(())
    }
}

const FIELDS: &[&str] = &["dtype", "shape", "data_offsets"];

/// A short list of sizes.
struct Numbers;

impl<'de> DeserializeSeed<'de> for Numbers {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> serde::de::Visitor<'de> for Numbers {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX_DIMENSIONS} numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for _ in 0..MAX_DIMENSIONS {
            if seq.next_element::<u64>()?.is_none() {
                return Ok(());
            }
        }
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom(format!(
                "more than {MAX_DIMENSIONS} dimensions"
            ))),
        }
    }
}
