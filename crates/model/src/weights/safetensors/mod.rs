//! Safetensors files: one, or shards with an index.

mod header;
mod index;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use writer::{write_safetensors, write_safetensors_with};

use super::error::{Fault, shown};
use super::mapping::Mapping;
use super::{Naming, RawTensor, WeightDtype, WeightError, WeightSource};
use header::Entry;

/// The index of a sharded checkpoint, as the hub names it.
const INDEX: &str = "model.safetensors.index.json";
/// A checkpoint in one file, as the hub names it.
const SINGLE: &str = "model.safetensors";

struct Shard {
    path: PathBuf,
    bytes: Mapping,
}

struct Location {
    shard: usize,
    entry: Entry,
}

/// The safetensors files of a checkpoint, mapped into memory.
pub struct SafetensorsFiles {
    path: PathBuf,
    shards: Vec<Shard>,
    tensors: BTreeMap<String, Location>,
}

impl SafetensorsFiles {
    /// Maps a `.safetensors` file, the shards of a `.safetensors.index.json`, or what a folder
    /// holds: `model.safetensors`, else the shards of its index, else its only `.safetensors`.
    ///
    /// # Errors
    /// [`WeightError`] where a file is missing, contradicts itself, or disagrees with the index.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightError> {
        let path = path.as_ref();
        if !path.is_dir() {
            return Self::open_file(path);
        }
        let (single, index) = (path.join(SINGLE), path.join(INDEX));
        if single.is_file() {
            Self::single(&single)
        } else if index.is_file() {
            Self::sharded(&index)
        } else {
            Self::single(&only_file(path)?)
        }
    }

    fn open_file(path: &Path) -> Result<Self, WeightError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Self::sharded(path),
            _ => Self::single(path),
        }
    }

    fn single(path: &Path) -> Result<Self, WeightError> {
        let bytes = Mapping::open(path)?;
        let entries = header::parse(&bytes).map_err(|fault| fault.of(path))?;
        let tensors = entries
            .into_iter()
            .map(|(name, entry)| (name, Location { shard: 0, entry }))
            .collect();
        let shards = vec![Shard {
            path: path.to_owned(),
            bytes,
        }];
        Ok(Self {
            path: path.to_owned(),
            shards,
            tensors,
        })
    }

    /// Opens what an index lists. Tensors of a shard that the index does not list are not seen.
    fn sharded(path: &Path) -> Result<Self, WeightError> {
        let index = index::parse(&Mapping::open(path)?).map_err(|fault| fault.of(path))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let (mut shards, mut tensors) = (Vec::new(), BTreeMap::new());
        for (file, names) in index {
            let shard_path = folder.join(&file);
            let bytes = Mapping::open(&shard_path)?;
            let mut entries = header::parse(&bytes).map_err(|fault| fault.of(&shard_path))?;
            for name in names {
                let entry = entries.remove(&name).ok_or_else(|| {
                    let listed = format!("the tensor `{}`, as {INDEX} says", shown(&name));
                    Fault::damaged("the shard", listed, "none of that name").of(&shard_path)
                })?;
                tensors.insert(
                    name,
                    Location {
                        shard: shards.len(),
                        entry,
                    },
                );
            }
            shards.push(Shard {
                path: shard_path,
                bytes,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            shards,
            tensors,
        })
    }

    /// The file or index that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every weight file, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.shards.iter().map(|shard| shard.path.as_path())
    }
}

/// The one `.safetensors` file of a folder.
fn only_file(folder: &Path) -> Result<PathBuf, WeightError> {
    let read = |reason| WeightError::Read {
        path: folder.to_owned(),
        reason,
    };
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "safetensors")
        {
            found.push(path);
        }
    }
    match found.as_slice() {
        [only] => Ok(only.clone()),
        _ => Err(Fault::damaged(
            "the folder",
            format!("`{SINGLE}`, `{INDEX}` or a single safetensors file"),
            format!("{} safetensors files and neither", found.len()),
        )
        .of(folder)),
    }
}

impl WeightSource for SafetensorsFiles {
    fn tensor(&self, name: &str) -> Result<RawTensor<'_>, WeightError> {
        let found = self.tensors.get(name).and_then(|location| {
            let shard = self.shards.get(location.shard)?;
            Some((
                shard,
                &location.entry,
                shard.bytes.get(location.entry.data.clone())?,
            ))
        });
        let (shard, entry, data) = found.ok_or_else(|| WeightError::MissingTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            count: self.tensors.len(),
        })?;
        let dtype = entry.dtype.map_err(|foreign| {
            Fault::unsupported(
                format!("the type {foreign} of tensor `{}`", shown(name)),
                "convert the weights to F32, F16 or BF16",
            )
            .of(&shard.path)
        })?;
        Ok(RawTensor {
            dtype,
            shape: entry.shape.clone(),
            data,
        })
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn naming(&self) -> Naming {
        Naming::Hub
    }
}

fn weight_dtype(dtype: safetensors::Dtype) -> Result<WeightDtype, safetensors::Dtype> {
    match dtype {
        safetensors::Dtype::F32 => Ok(WeightDtype::F32),
        safetensors::Dtype::F16 => Ok(WeightDtype::F16),
        safetensors::Dtype::BF16 => Ok(WeightDtype::BF16),
        other => Err(other),
    }
}
