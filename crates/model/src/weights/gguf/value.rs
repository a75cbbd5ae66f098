//! Metadata values. They are decoded when asked for: what is kept of each is where it lies.

use std::ops::Range;

use super::super::error::Fault;
use super::cursor::Cursor;

/// The type of a metadata value or of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GgufType {
    /// 8 bits, unsigned.
    U8,
    /// 8 bits, signed.
    I8,
    /// 16 bits, unsigned.
    U16,
    /// 16 bits, signed.
    I16,
    /// 32 bits, unsigned.
    U32,
    /// 32 bits, signed.
    I32,
    /// Single precision.
    F32,
    /// One byte, 0 or 1.
    Bool,
    /// UTF-8 behind its length.
    String,
    /// Elements of one type.
    Array,
    /// 64 bits, unsigned.
    U64,
    /// 64 bits, signed.
    I64,
    /// Double precision.
    F64,
}

impl GgufType {
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// The type's number in a file is its place in the list.
    pub(super) fn from_id(id: u32, what: &str) -> Result<Self, Fault> {
        usize::try_from(id)
            .ok()
            .and_then(|id| Self::ALL.get(id))
            .copied()
            .ok_or_else(|| {
                Fault::damaged(
                    format!("the type of {what}"),
                    format!("a number below {}", Self::ALL.len()),
                    id.to_string(),
                )
            })
    }

    pub(super) fn id(self) -> u32 {
        self as u32
    }

    /// Bytes of a value; `None` for strings and arrays.
    pub(super) fn width(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }
}

/// A metadata value, borrowed from the mapped file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GgufValue<'a> {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// Either float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A string.
    String(&'a str),
    /// An array, not decoded yet.
    Array(GgufArray<'a>),
}

impl<'a> GgufValue<'a> {
    /// The value as a count or size.
    pub fn as_unsigned(self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(value),
            Self::Signed(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The value as a number.
    pub fn as_float(self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(value),
            Self::Unsigned(value) => Some(value as f64),
            Self::Signed(value) => Some(value as f64),
            _ => None,
        }
    }

    /// The value as a truth value.
    pub fn as_bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value as a string.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }

    /// What the value is, for messages.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Unsigned(value) => value.to_string(),
            Self::Signed(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::String(value) => format!("\"{}\"", super::super::error::shown(value)),
            Self::Array(array) => format!("an array of {} {:?}", array.count, array.element),
        }
    }
}

/// An array of metadata, as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GgufArray<'a> {
    element: GgufType,
    count: usize,
    bytes: &'a [u8],
}

impl<'a> GgufArray<'a> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The elements' type.
    pub fn element(&self) -> GgufType {
        self.element
    }

    /// The strings' bytes; `None` where the elements are no strings.
    pub fn strings(&self) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        if self.element != GgufType::String {
            return None;
        }
        let bytes = self.bytes;
        let mut cursor = Cursor::new(bytes, 0);
        // The header's reading has walked these lengths already.
        Some((0..self.count).map_while(move |_| cursor.string("").ok().map(|range| &bytes[range])))
    }

    /// The elements; `None` where they are strings.
    pub fn scalars(&self) -> Option<impl Iterator<Item = GgufValue<'a>> + use<'a>> {
        let (element, width) = (self.element, self.element.width()?);
        Some(
            self.bytes
                .chunks_exact(width)
                .filter_map(move |bytes| scalar(element, bytes)),
        )
    }
}

/// Where a value lies in the file.
#[derive(Clone, Debug)]
pub(super) enum Span {
    /// A number or truth value, or a string's bytes without its length.
    Plain(GgufType, Range<usize>),
    /// An array's elements.
    Array(GgufType, usize, Range<usize>),
}

impl Span {
    /// Reads past a value, checking that it lies in the file.
    pub(super) fn read(bytes: &[u8], cursor: &mut Cursor<'_>, what: &str) -> Result<Self, Fault> {
        let kind = GgufType::from_id(cursor.u32(what)?, what)?;
        match kind {
            GgufType::Array => Self::read_array(cursor, what),
            GgufType::String => {
                let range = cursor.string(what)?;
                super::cursor::text(&bytes[range.clone()], what)?;
                Ok(Self::Plain(kind, range))
            }
            _ => {
                let range = cursor.skip(kind.width().unwrap_or(0) as u64, what)?;
                match (kind, bytes[range.start]) {
                    (GgufType::Bool, byte) if byte > 1 => Err(Fault::damaged(
                        what,
                        "a truth value, 0 or 1",
                        byte.to_string(),
                    )),
                    _ => Ok(Self::Plain(kind, range)),
                }
            }
        }
    }

    fn read_array(cursor: &mut Cursor<'_>, what: &str) -> Result<Self, Fault> {
        let element = GgufType::from_id(cursor.u32(what)?, what)?;
        if element == GgufType::Array {
            return Err(Fault::unsupported(
                format!("an array of arrays ({what})"),
                "convert the model again with a current converter",
            ));
        }
        // A string takes its length's eight bytes at least.
        let least = element.width().unwrap_or(8) as u64;
        let count = cursor.count(&format!("the length of {what}"), least, u64::MAX)?;
        let start = cursor.position();
        if element == GgufType::String {
            for _ in 0..count {
                cursor.string(what)?;
            }
        } else {
            // No overflow: `count` has just been bounded by the bytes that are left.
            cursor.skip(count as u64 * least, what)?;
        }
        Ok(Self::Array(element, count, start..cursor.position()))
    }

    /// The value; `None` only where the span is not of these bytes.
    pub(super) fn decode<'a>(&self, bytes: &'a [u8]) -> Option<GgufValue<'a>> {
        match self {
            Self::Plain(GgufType::String, range) => {
                let text = std::str::from_utf8(bytes.get(range.clone())?).ok()?;
                Some(GgufValue::String(text))
            }
            Self::Plain(kind, range) => scalar(*kind, bytes.get(range.clone())?),
            Self::Array(element, count, range) => Some(GgufValue::Array(GgufArray {
                element: *element,
                count: *count,
                bytes: bytes.get(range.clone())?,
            })),
        }
    }
}

fn scalar<'a>(kind: GgufType, bytes: &[u8]) -> Option<GgufValue<'a>> {
    Some(match kind {
        GgufType::U8 => GgufValue::Unsigned((*bytes.first()?).into()),
        GgufType::I8 => GgufValue::Signed((*bytes.first()? as i8).into()),
        GgufType::U16 => GgufValue::Unsigned(u16::from_le_bytes(bytes.try_into().ok()?).into()),
        GgufType::I16 => GgufValue::Signed(i16::from_le_bytes(bytes.try_into().ok()?).into()),
        GgufType::U32 => GgufValue::Unsigned(u32::from_le_bytes(bytes.try_into().ok()?).into()),
        GgufType::I32 => GgufValue::Signed(i32::from_le_bytes(bytes.try_into().ok()?).into()),
        GgufType::U64 => GgufValue::Unsigned(u64::from_le_bytes(bytes.try_into().ok()?)),
        GgufType::I64 => GgufValue::Signed(i64::from_le_bytes(bytes.try_into().ok()?)),
        GgufType::F32 => GgufValue::Float(f32::from_le_bytes(bytes.try_into().ok()?).into()),
        GgufType::F64 => GgufValue::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
        GgufType::Bool => GgufValue::Bool(*bytes.first()? != 0),
        GgufType::String | GgufType::Array => return None,
    })
}
