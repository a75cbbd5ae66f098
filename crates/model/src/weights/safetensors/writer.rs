//! Writing a safetensors file.

use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::super::save::save;
use super::super::{RawTensor, WeightDtype, WeightError};

/// Writes tensors, in the order given, under a temporary name and renames the file into place.
///
/// `metadata` are the header's free strings; `format: pt` among them is what other readers of
/// such files look for.
///
/// # Errors
/// [`WeightError::Write`] where the system refuses, a tensor is quantised (the format has no such
/// types), or its data does not fit its shape.
pub fn write_safetensors(
    path: impl AsRef<Path>,
    tensors: &[(String, RawTensor<'_>)],
    metadata: &HashMap<String, String>,
) -> Result<(), WeightError> {
    save(path.as_ref(), |out| {
        let header = header(tensors, metadata)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        tensors
            .iter()
            .try_for_each(|(_, tensor)| out.write_all(tensor.data))
    })
}

fn header(
    tensors: &[(String, RawTensor<'_>)],
    metadata: &HashMap<String, String>,
) -> Result<Vec<u8>, Error> {
    let mut infos = Vec::with_capacity(tensors.len());
    let mut offset = 0;
    for (name, tensor) in tensors {
        let dtype = match tensor.dtype {
            WeightDtype::F32 => Dtype::F32,
            WeightDtype::F16 => Dtype::F16,
            WeightDtype::BF16 => Dtype::BF16,
            quantised => {
                let problem = format!("tensor `{name}`: safetensors files hold no {quantised}");
                return Err(Error::new(ErrorKind::InvalidInput, problem));
            }
        };
        let end = offset + tensor.data.len();
        let shape = tensor.shape.clone();
        infos.push((
            name.clone(),
            TensorInfo {
                dtype,
                shape,
                data_offsets: (offset, end),
            },
        ));
        offset = end;
    }
    let refuse = |problem: String| Error::new(ErrorKind::InvalidInput, problem);
    // This checks every size against its shape.
    let checked =
        Metadata::new(Some(metadata.clone()), infos).map_err(|e| refuse(e.to_string()))?;
    let mut json = serde_json::to_vec(&checked)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok(json)
}
