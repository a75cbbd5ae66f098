//! The header of a GGUF file: metadata, then the list of tensors, then aligned data.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::WeightDtype;
use super::super::dtype::{foreign_gguf_type, supported};
use super::super::error::{Fault, shown};
use super::cursor::Cursor;
use super::value::Span;

pub(super) const MAGIC: &[u8; 4] = b"GGUF";
pub(super) const DEFAULT_ALIGNMENT: u64 = 32;
/// Dimensions of a tensor.
pub(super) const MAX_DIMENSIONS: u32 = 4;
/// Real files have under a hundred metadata entries and some thousands of tensors; a lying file
/// may not make tables of millions.
const MAX_ENTRIES: u64 = 16_384;
const MAX_KEY_BYTES: u64 = 1024;
const MAX_TENSOR_NAME_BYTES: u64 = 256;
const MAX_ALIGNMENT: u64 = 1 << 16;
/// Key length and a byte, value type and a byte.
const LEAST_METADATA_BYTES: u64 = 8 + 1 + 4 + 1;
/// Name length and a byte, number of dimensions, a dimension, type, offset.
const LEAST_TENSOR_BYTES: u64 = 8 + 1 + 4 + 8 + 4 + 8;

/// Where a tensor lies.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dtype: WeightDtype,
    /// Outermost first.
    pub(super) shape: Vec<usize>,
    /// Bytes of the file.
    pub(super) data: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) metadata: BTreeMap<String, Span>,
    pub(super) tensors: BTreeMap<String, Entry>,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(bytes, 0);
        let version = version(bytes, &mut cursor)?;
        let tensor_count =
            cursor.count("the number of tensors", LEAST_TENSOR_BYTES, MAX_ENTRIES)?;
        let metadata_count = cursor.count(
            "the number of metadata entries",
            LEAST_METADATA_BYTES,
            MAX_ENTRIES,
        )?;
        let metadata = metadata(bytes, &mut cursor, metadata_count)?;
        let alignment = alignment(bytes, &metadata)?;
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let (name, declared) = Declared::read(&mut cursor)?;
            if tensors.contains_key(name) {
                return Err(twice("tensor", name));
            }
            tensors.insert(name.to_owned(), declared);
        }
        let start = (cursor.position() as u64).next_multiple_of(alignment);
        let tensors = place(tensors, start, alignment, bytes.len() as u64)?;
        Ok(Self {
            version,
            metadata,
            tensors,
        })
    }
}

fn version(bytes: &[u8], cursor: &mut Cursor<'_>) -> Result<u32, Fault> {
    let magic = cursor.skip(4, "the start of a GGUF file")?;
    if bytes[magic.clone()] != *MAGIC {
        let found = shown(&String::from_utf8_lossy(&bytes[magic]));
        return Err(Fault::damaged(
            "not a GGUF file",
            "`GGUF` at its start",
            format!("`{found}`"),
        ));
    }
    match cursor.u32("the version of GGUF")? {
        version @ (2 | 3) => Ok(version),
        1 => Err(Fault::unsupported(
            "GGUF version 1",
            "convert the model again: versions 2 and 3 are read",
        )),
        version if (1..=16).contains(&version.swap_bytes()) => Err(Fault::unsupported(
            "a big-endian GGUF file",
            "convert the model to little-endian first",
        )),
        version => Err(Fault::unsupported(
            format!("GGUF version {version}"),
            "versions 2 and 3 are read",
        )),
    }
}

fn twice(kind: &str, name: &str) -> Fault {
    Fault::damaged(
        format!("{kind} `{}`", shown(name)),
        "one of that name",
        "a second one",
    )
}

fn metadata(
    bytes: &[u8],
    cursor: &mut Cursor<'_>,
    count: usize,
) -> Result<BTreeMap<String, Span>, Fault> {
    let mut metadata = BTreeMap::new();
    for _ in 0..count {
        let key = cursor.name("the key of a metadata entry", MAX_KEY_BYTES)?;
        if metadata.contains_key(key) {
            return Err(twice("metadata", key));
        }
        let span = Span::read(bytes, cursor, &format!("metadata `{}`", shown(key)))?;
        metadata.insert(key.to_owned(), span);
    }
    Ok(metadata)
}

fn alignment(bytes: &[u8], metadata: &BTreeMap<String, Span>) -> Result<u64, Fault> {
    let Some(span) = metadata.get("general.alignment") else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    let value = span.decode(bytes);
    let alignment = value.and_then(|value| value.as_unsigned());
    alignment
        .filter(|bytes| bytes.is_power_of_two() && *bytes <= MAX_ALIGNMENT)
        .ok_or_else(|| {
            Fault::damaged(
                "metadata `general.alignment`",
                format!("a power of two up to {MAX_ALIGNMENT}"),
                value.map_or_else(|| "none".to_owned(), |value| value.describe()),
            )
        })
}

/// A tensor as the header declares it, not yet checked against the data.
struct Declared {
    dtype: WeightDtype,
    shape: Vec<usize>,
    offset: u64,
    size: u64,
}

impl Declared {
    fn read<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a str, Self), Fault> {
        let name = cursor.name("the name of a tensor", MAX_TENSOR_NAME_BYTES)?;
        let what = format!("tensor `{}`", shown(name));
        let count = cursor.u32(&what)?;
        if !(1..=MAX_DIMENSIONS).contains(&count) {
            let expected = format!("1 to {MAX_DIMENSIONS} dimensions");
            return Err(Fault::damaged(what, expected, count.to_string()));
        }
        let mut dimensions = [1u64; MAX_DIMENSIONS as usize];
        for dimension in dimensions.iter_mut().take(count as usize) {
            *dimension = cursor.u64(&what)?;
        }
        let dtype = tensor_type(cursor.u32(&what)?, &what)?;
        let offset = cursor.u64(&what)?;
        // The file's first dimension is the innermost.
        let shape: Option<Vec<usize>> = dimensions[..count as usize]
            .iter()
            .rev()
            .map(|dimension| usize::try_from(*dimension).ok().filter(|size| *size > 0))
            .collect();
        let sized = shape.and_then(|shape| Some((bytes_of(dtype, &shape)?, shape)));
        let (size, shape) = sized.ok_or_else(|| {
            Fault::damaged(
                what,
                format!(
                    "rows of whole {dtype} blocks of {} values",
                    dtype.block_size()
                ),
                format!("dimensions {:?}", &dimensions[..count as usize]),
            )
        })?;
        Ok((
            name,
            Self {
                dtype,
                shape,
                offset,
                size,
            },
        ))
    }
}

fn tensor_type(id: u32, what: &str) -> Result<WeightDtype, Fault> {
    WeightDtype::from_gguf_id(id).ok_or_else(|| match foreign_gguf_type(id) {
        Some(name) => Fault::unsupported(
            format!("the type {name} of {what}"),
            format!("use a file of one of {}", supported()),
        ),
        None => Fault::damaged(
            format!("the type of {what}"),
            format!("a number that stands for one of {}", supported()),
            id.to_string(),
        ),
    })
}

/// Bytes of a tensor; `None` where rows are no whole blocks or the size overflows.
fn bytes_of(dtype: WeightDtype, shape: &[usize]) -> Option<u64> {
    let (cols, outer) = shape.split_last()?;
    let rows = outer
        .iter()
        .try_fold(1usize, |rows, size| rows.checked_mul(*size))?;
    rows.checked_mul(*cols)?;
    let bytes = dtype.bytes_of(*cols)?.checked_mul(rows)?;
    // No slice of memory may be longer than this.
    isize::try_from(bytes).ok()?;
    u64::try_from(bytes).ok()
}

/// Checks that every tensor lies aligned inside the file and none overlaps another.
fn place(
    declared: BTreeMap<String, Declared>,
    start: u64,
    alignment: u64,
    file: u64,
) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut tensors = BTreeMap::new();
    for (
        name,
        Declared {
            dtype,
            shape,
            offset,
            size,
        },
    ) in declared
    {
        let fault = |expected, found| {
            Err(Fault::damaged(
                format!("the data of tensor `{}`", shown(&name)),
                expected,
                found,
            ))
        };
        if !offset.is_multiple_of(alignment) {
            return fault(
                format!("an offset divisible by {alignment}"),
                offset.to_string(),
            );
        }
        let end = start
            .checked_add(offset)
            .and_then(|at| at.checked_add(size));
        let Some(end) = end.filter(|end| *end <= file) else {
            return fault(
                format!("{size} bytes at offset {offset} of the data, which starts at {start}"),
                format!("a file of {file} bytes"),
            );
        };
        // Both fit: they are at most the file's length.
        let data = (end - size) as usize..end as usize;
        tensors.insert(name, Entry { dtype, shape, data });
    }
    refuse_overlaps(&tensors)?;
    Ok(tensors)
}

fn refuse_overlaps(tensors: &BTreeMap<String, Entry>) -> Result<(), Fault> {
    let mut ranges: Vec<_> = tensors
        .iter()
        .map(|(name, entry)| (&entry.data, name))
        .collect();
    ranges.sort_by_key(|(data, _)| (data.start, data.end));
    for pair in ranges.windows(2) {
        let ((first, first_name), (second, second_name)) = (pair[0], pair[1]);
        if second.start < first.end {
            return Err(Fault::damaged(
                format!("the data of tensor `{}`", shown(second_name)),
                format!(
                    "a start from byte {}, where `{}` ends",
                    first.end,
                    shown(first_name)
                ),
                second.start.to_string(),
            ));
        }
    }
    Ok(())
}
