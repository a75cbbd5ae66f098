//! Writing a safetensors file.

use std::borrow::Cow;
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
    let shapes: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.dtype, tensor.shape.clone()))
        .collect();
    write_safetensors_with(path, &shapes, metadata, &mut |index| {
        Ok(Cow::Borrowed(tensors[index].1.data))
    })
}

/// As [`write_safetensors`], for tensors of these names, types and shapes whose bytes are asked for
/// one after the other, so that a model need not be in memory twice.
///
/// # Errors
/// As there, and what `data` reports.
pub fn write_safetensors_with<'a>(
    path: impl AsRef<Path>,
    tensors: &[(String, WeightDtype, Vec<usize>)],
    metadata: &HashMap<String, String>,
    data: &mut dyn FnMut(usize) -> std::io::Result<Cow<'a, [u8]>>,
) -> Result<(), WeightError> {
    save(path.as_ref(), |out| {
        let header = header(tensors, metadata)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for (index, (name, dtype, shape)) in tensors.iter().enumerate() {
            let bytes = data(index)?;
            if Some(bytes.len()) != dtype.bytes_of(shape.iter().product()) {
                let found = bytes.len();
                let problem = format!("tensor `{name}`: {found} bytes do not fit {shape:?}");
                return Err(Error::new(ErrorKind::InvalidInput, problem));
            }
            out.write_all(&bytes)?;
        }
        Ok(())
    })
}

fn header(
    tensors: &[(String, WeightDtype, Vec<usize>)],
    metadata: &HashMap<String, String>,
) -> Result<Vec<u8>, Error> {
    let mut infos = Vec::with_capacity(tensors.len());
    let mut offset = 0;
    for (name, stored, shape) in tensors {
        let dtype = match stored {
            WeightDtype::F32 => Dtype::F32,
            WeightDtype::F16 => Dtype::F16,
            WeightDtype::BF16 => Dtype::BF16,
            quantised => {
                let problem = format!("tensor `{name}`: safetensors files hold no {quantised}");
                return Err(Error::new(ErrorKind::InvalidInput, problem));
            }
        };
        let end = offset + stored.bytes_of(shape.iter().product()).unwrap_or_default();
        let shape = shape.clone();
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
    let mut json = if infos.is_empty() {
        // The library writes no JSON for free strings without tensors.
        serde_json::to_vec(&HashMap::from([("__metadata__", metadata)]))?
    } else {
        // This checks every size against its shape.
        let checked = Metadata::new(Some(metadata.clone()), infos);
        serde_json::to_vec(&checked.map_err(|error| refuse(error.to_string()))?)?
    };
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok(json)
}
