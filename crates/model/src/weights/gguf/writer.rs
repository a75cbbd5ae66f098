//! Writing GGUF files, version 3.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use super::super::save::save;
use super::super::{RawTensor, WeightDtype, WeightError};
use super::header::{DEFAULT_ALIGNMENT, MAGIC, MAX_DIMENSIONS};
use super::value::GgufType;

/// A metadata value to write.
#[derive(Clone, Debug, PartialEq)]
pub enum MetadataValue {
    /// A count or size.
    U32(u32),
    /// A signed number.
    I32(i32),
    /// A large count.
    U64(u64),
    /// A number.
    F32(f32),
    /// A truth value.
    Bool(bool),
    /// A string.
    String(String),
    /// An array of counts.
    U32s(Vec<u32>),
    /// An array of signed numbers.
    I32s(Vec<i32>),
    /// An array of numbers.
    F32s(Vec<f32>),
    /// An array of strings.
    Strings(Vec<String>),
}

struct Written<'a> {
    name: String,
    dtype: WeightDtype,
    shape: Vec<usize>,
    data: Data<'a>,
}

enum Data<'a> {
    Held(Cow<'a, [u8]>),
    /// Made when it is written, so that a model need not be in memory twice.
    Made(Box<dyn Fn() -> std::io::Result<Vec<u8>> + 'a>),
}

/// Collects metadata and tensors, then writes them as one file. Both keep the order in which they
/// are added.
#[derive(Default)]
pub struct GgufWriter<'a> {
    metadata: Vec<(String, MetadataValue)>,
    tensors: Vec<Written<'a>>,
}

impl<'a> GgufWriter<'a> {
    /// A file without content.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metadata entry. Keys must be distinct.
    pub fn metadata(&mut self, key: impl Into<String>, value: MetadataValue) -> &mut Self {
        self.metadata.push((key.into(), value));
        self
    }

    /// Adds a tensor as it is stored. Names must be distinct.
    pub fn tensor(&mut self, name: impl Into<String>, tensor: RawTensor<'a>) -> &mut Self {
        self.tensors.push(Written {
            name: name.into(),
            dtype: tensor.dtype,
            shape: tensor.shape,
            data: Data::Held(tensor.data.into()),
        });
        self
    }

    /// Adds a tensor from its values, encoding them as `dtype`.
    ///
    /// # Errors
    /// As [`super::super::quantise`].
    pub fn encode(
        &mut self,
        name: impl Into<String>,
        dtype: WeightDtype,
        shape: &[usize],
        values: &[f32],
    ) -> Result<&mut Self, WeightError> {
        let data = Data::Held(super::super::quantise(dtype, values)?.into());
        self.tensors.push(Written {
            name: name.into(),
            dtype,
            shape: shape.to_vec(),
            data,
        });
        Ok(self)
    }

    /// Adds a tensor whose bytes are made when the file is written.
    pub fn make(
        &mut self,
        name: impl Into<String>,
        dtype: WeightDtype,
        shape: &[usize],
        data: impl Fn() -> std::io::Result<Vec<u8>> + 'a,
    ) -> &mut Self {
        self.tensors.push(Written {
            name: name.into(),
            dtype,
            shape: shape.to_vec(),
            data: Data::Made(Box::new(data)),
        });
        self
    }

    /// Writes the file under a temporary name and renames it into place.
    ///
    /// # Errors
    /// [`WeightError::Write`] where the system refuses, or a tensor's data does not fit its shape.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), WeightError> {
        save(path.as_ref(), |out| self.write(out))
    }

    /// Writes the file's bytes.
    ///
    /// # Errors
    /// The writer's, and `InvalidInput` where a tensor's data does not fit its shape.
    pub fn write(&self, mut out: &mut dyn Write) -> std::io::Result<()> {
        let header = self.header()?;
        out.write_all(&header)?;
        pad(&mut out, header.len())?;
        for tensor in &self.tensors {
            let data = match &tensor.data {
                Data::Held(data) => Cow::Borrowed(data.as_ref()),
                Data::Made(make) => Cow::Owned(make()?),
            };
            tensor.check(data.len())?;
            out.write_all(&data)?;
            pad(&mut out, data.len())?;
        }
        Ok(())
    }

    /// Everything before the data, without padding.
    fn header(&self) -> std::io::Result<Vec<u8>> {
        let mut header = Vec::new();
        header.extend(MAGIC);
        header.extend(3u32.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_string(&mut header, key);
            put_value(&mut header, value);
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            let bytes = tensor.bytes();
            tensor.check(bytes)?;
            put_string(&mut header, &tensor.name);
            header.extend((tensor.shape.len() as u32).to_le_bytes());
            for size in tensor.shape.iter().rev() {
                header.extend((*size as u64).to_le_bytes());
            }
            header.extend(tensor.dtype.gguf_id().to_le_bytes());
            header.extend(offset.to_le_bytes());
            offset += (bytes as u64).next_multiple_of(DEFAULT_ALIGNMENT);
        }
        Ok(header)
    }
}

impl Written<'_> {
    fn bytes(&self) -> usize {
        match &self.data {
            Data::Held(data) => data.len(),
            Data::Made(_) => {
                let values = self.shape.iter().product();
                self.dtype.bytes_of(values).unwrap_or_default()
            }
        }
    }

    fn check(&self, bytes: usize) -> std::io::Result<()> {
        let fits = (1..=MAX_DIMENSIONS as usize).contains(&self.shape.len())
            && self
                .shape
                .last()
                .is_some_and(|cols| cols % self.dtype.block_size() == 0)
            && self.dtype.bytes_of(self.shape.iter().product()) == Some(bytes);
        if fits {
            return Ok(());
        }
        Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            format!(
                "tensor `{}`: {bytes} bytes of {} do not fit the shape {:?}",
                self.name, self.dtype, self.shape
            ),
        ))
    }
}

fn pad(out: &mut dyn Write, written: usize) -> std::io::Result<()> {
    let alignment = DEFAULT_ALIGNMENT as usize;
    out.write_all(&[0; DEFAULT_ALIGNMENT as usize][..written.next_multiple_of(alignment) - written])
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_type(out: &mut Vec<u8>, kind: GgufType) {
    out.extend(kind.id().to_le_bytes());
}

fn put_array<T>(
    out: &mut Vec<u8>,
    element: GgufType,
    values: &[T],
    mut put: impl FnMut(&mut Vec<u8>, &T),
) {
    put_type(out, GgufType::Array);
    put_type(out, element);
    out.extend((values.len() as u64).to_le_bytes());
    for value in values {
        put(out, value);
    }
}

fn put_value(out: &mut Vec<u8>, value: &MetadataValue) {
    match value {
        MetadataValue::U32(value) => {
            put_type(out, GgufType::U32);
            out.extend(value.to_le_bytes());
        }
        MetadataValue::I32(value) => {
            put_type(out, GgufType::I32);
            out.extend(value.to_le_bytes());
        }
        MetadataValue::U64(value) => {
            put_type(out, GgufType::U64);
            out.extend(value.to_le_bytes());
        }
        MetadataValue::F32(value) => {
            put_type(out, GgufType::F32);
            out.extend(value.to_le_bytes());
        }
        MetadataValue::Bool(value) => {
            put_type(out, GgufType::Bool);
            out.push((*value).into());
        }
        MetadataValue::String(text) => {
            put_type(out, GgufType::String);
            put_string(out, text);
        }
        MetadataValue::U32s(values) => {
            put_array(out, GgufType::U32, values, |out, value| {
                out.extend(value.to_le_bytes())
            });
        }
        MetadataValue::I32s(values) => {
            put_array(out, GgufType::I32, values, |out, value| {
                out.extend(value.to_le_bytes())
            });
        }
        MetadataValue::F32s(values) => {
            put_array(out, GgufType::F32, values, |out, value| {
                out.extend(value.to_le_bytes())
            });
        }
        MetadataValue::Strings(values) => {
            put_array(out, GgufType::String, values, |out, text| {
                put_string(out, text)
            });
        }
    }
}
