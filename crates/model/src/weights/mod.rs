//! Weights on disk: GGUF and safetensors files, mapped into memory so that processes share their
//! pages, and the arithmetic of their types.
//!
//! A file is untrusted. Every count, length, dimension and offset is checked against the file's
//! size before anything is allocated for it; what contradicts itself is refused with a message
//! that names the file, what was expected and what was found.

pub(crate) mod dequantise;
mod dtype;
mod error;
pub mod gguf;
mod mapping;
mod memory;
mod names;
mod quantise;
mod safetensors;
mod save;

pub use dequantise::dequantise;
pub use dtype::WeightDtype;
pub use error::WeightError;
pub(crate) use error::shown;
pub use gguf::{GgufFile, GgufWriter};
pub use memory::MemoryWeights;
pub use names::{LayerPart, Naming, TensorName};
pub use quantise::quantise;
pub use safetensors::{SafetensorsFiles, write_safetensors, write_safetensors_with};

/// A tensor's bytes as they lie in the file.
#[derive(Clone, Debug)]
pub struct RawTensor<'a> {
    /// How the values are stored.
    pub dtype: WeightDtype,
    /// Row-major, outermost first: a matrix is `[rows, cols]`, `rows` its output features.
    pub shape: Vec<usize>,
    /// The values. Not necessarily aligned for their type.
    pub data: &'a [u8],
}

impl RawTensor<'_> {
    /// Number of values.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// All values as `f32`, in the file's order.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.elements()];
        dequantise(self.dtype, self.data, &mut values);
        values
    }
}

/// Where a model's weights come from.
pub trait WeightSource: Send + Sync {
    /// A tensor by its name in the source.
    ///
    /// # Errors
    /// [`WeightError::MissingTensor`] where there is none, [`WeightError::Unsupported`] where its
    /// type is none of [`WeightDtype`].
    fn tensor(&self, name: &str) -> Result<RawTensor<'_>, WeightError>;

    /// True where the source holds a tensor of this name.
    fn has(&self, name: &str) -> bool;

    /// The names of all tensors, sorted.
    fn names(&self) -> Vec<String>;

    /// How this source spells the names of tensors.
    fn naming(&self) -> Naming;
}
