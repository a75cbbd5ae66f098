//! Weights that are held in memory: what tests make on the spot and a trainer has just computed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Naming, RawTensor, WeightDtype, WeightError, WeightSource, quantise};

struct Held {
    dtype: WeightDtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

/// A source that owns its tensors.
pub struct MemoryWeights {
    naming: Naming,
    tensors: BTreeMap<String, Held>,
}

impl MemoryWeights {
    /// An empty source.
    pub fn new(naming: Naming) -> Self {
        Self {
            naming,
            tensors: BTreeMap::new(),
        }
    }

    /// Adds a tensor, or replaces the one of that name, encoding its values as `dtype`.
    ///
    /// # Errors
    /// [`WeightError::Quantise`] where the last dimension does not fill whole blocks, or the
    /// shape does not fit the number of values.
    pub fn insert(
        &mut self,
        name: impl Into<String>,
        dtype: WeightDtype,
        shape: &[usize],
        values: &[f32],
    ) -> Result<(), WeightError> {
        let refuse = |reason| {
            Err(WeightError::Quantise {
                dtype,
                values: values.len(),
                reason,
            })
        };
        if shape.iter().product::<usize>() != values.len() {
            return refuse("the shape asks for another number");
        }
        if shape
            .last()
            .is_some_and(|cols| !cols.is_multiple_of(dtype.block_size()))
        {
            return refuse("its blocks do not fill the rows");
        }
        let data = quantise(dtype, values)?;
        self.tensors.insert(
            name.into(),
            Held {
                dtype,
                shape: shape.to_vec(),
                data,
            },
        );
        Ok(())
    }
}

impl WeightSource for MemoryWeights {
    fn tensor(&self, name: &str) -> Result<RawTensor<'_>, WeightError> {
        let held = self
            .tensors
            .get(name)
            .ok_or_else(|| WeightError::MissingTensor {
                path: PathBuf::from("(memory)"),
                name: name.to_owned(),
                count: self.tensors.len(),
            })?;
        Ok(RawTensor {
            dtype: held.dtype,
            shape: held.shape.clone(),
            data: &held.data,
        })
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn naming(&self) -> Naming {
        self.naming
    }
}
