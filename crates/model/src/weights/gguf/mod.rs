//! GGUF files, versions 2 and 3: metadata, vocabulary and tensors in one file.

mod cursor;
mod header;
mod value;
mod vocabulary;
mod writer;

use std::path::{Path, PathBuf};

pub use value::{GgufArray, GgufType, GgufValue};
pub use writer::{GgufWriter, MetadataValue};

use super::error::{Fault, shown};
use super::mapping::Mapping;
use super::{Naming, RawTensor, WeightError, WeightSource};
use header::Header;

/// A GGUF file, mapped into memory.
pub struct GgufFile {
    path: PathBuf,
    bytes: Mapping,
    header: Header,
}

impl GgufFile {
    /// Maps a file and checks its header.
    ///
    /// # Errors
    /// [`WeightError`] where the file cannot be read, is no GGUF file of version 2 or 3, has
    /// tensors of a type that this crate does not read, is one part of several, or contradicts
    /// itself.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightError> {
        let path = path.as_ref();
        Self::new(path.to_owned(), Mapping::open(path)?)
    }

    /// Checks the header of a file's bytes; `name` stands in messages where a path would.
    ///
    /// # Errors
    /// As [`GgufFile::open`].
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Self, WeightError> {
        Self::new(name.into(), Mapping::Memory(bytes))
    }

    fn new(path: PathBuf, bytes: Mapping) -> Result<Self, WeightError> {
        let header = Header::parse(&bytes).map_err(|fault| fault.of(&path))?;
        let file = Self {
            path,
            bytes,
            header,
        };
        match file.unsigned("split.count")? {
            Some(parts) if parts > 1 => Err(Fault::unsupported(
                format!("one part of a model in {parts} files"),
                "merge the parts with `llama-gguf-split --merge` first",
            )
            .of(&file.path)),
            _ => Ok(file),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format's version, 2 or 3.
    pub fn version(&self) -> u32 {
        self.header.version
    }

    /// The keys of all metadata, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.header.metadata.keys().map(String::as_str)
    }

    /// A metadata value.
    pub fn metadata(&self, key: &str) -> Option<GgufValue<'_>> {
        self.header
            .metadata
            .get(key)
            .and_then(|span| span.decode(&self.bytes))
    }

    /// A count or size, of any integer type.
    ///
    /// # Errors
    /// [`WeightError::Damaged`] where the value is something else.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, WeightError> {
        self.typed(
            key,
            "a number without sign or fraction",
            GgufValue::as_unsigned,
        )
    }

    /// A number of any type.
    ///
    /// # Errors
    /// [`WeightError::Damaged`] where the value is something else.
    pub fn float(&self, key: &str) -> Result<Option<f64>, WeightError> {
        self.typed(key, "a number", GgufValue::as_float)
    }

    /// A truth value.
    ///
    /// # Errors
    /// [`WeightError::Damaged`] where the value is something else.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, WeightError> {
        self.typed(key, "a truth value", GgufValue::as_bool)
    }

    /// A string.
    ///
    /// # Errors
    /// [`WeightError::Damaged`] where the value is something else.
    pub fn string(&self, key: &str) -> Result<Option<&str>, WeightError> {
        self.typed(key, "a string", GgufValue::as_str)
    }

    /// An array.
    ///
    /// # Errors
    /// [`WeightError::Damaged`] where the value is something else.
    pub fn array(&self, key: &str) -> Result<Option<GgufArray<'_>>, WeightError> {
        self.typed(key, "an array", |value| match value {
            GgufValue::Array(array) => Some(array),
            _ => None,
        })
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        convert: impl Fn(GgufValue<'a>) -> Option<T>,
    ) -> Result<Option<T>, WeightError> {
        let Some(value) = self.metadata(key) else {
            return Ok(None);
        };
        match convert(value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.damaged_metadata(key, expected, value.describe())),
        }
    }

    pub(crate) fn damaged_metadata(
        &self,
        key: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> WeightError {
        Fault::damaged(format!("metadata `{}`", shown(key)), expected, found).of(&self.path)
    }
}

impl WeightSource for GgufFile {
    fn tensor(&self, name: &str) -> Result<RawTensor<'_>, WeightError> {
        let entry = self.header.tensors.get(name);
        let found = entry.and_then(|entry| {
            let data = self.bytes.get(entry.data.clone())?;
            Some(RawTensor {
                dtype: entry.dtype,
                shape: entry.shape.clone(),
                data,
            })
        });
        found.ok_or_else(|| WeightError::MissingTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            count: self.header.tensors.len(),
        })
    }

    fn has(&self, name: &str) -> bool {
        self.header.tensors.contains_key(name)
    }

    fn names(&self) -> Vec<String> {
        self.header.tensors.keys().cloned().collect()
    }

    fn naming(&self) -> Naming {
        Naming::Gguf
    }
}
