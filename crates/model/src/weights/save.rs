//! Writing a file whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::WeightError;

/// Writes a file under a temporary name beside it, flushes it to the disk, renames it into place
/// and flushes the folder: a reader, or a machine that lost power, sees the old file or the new.
pub(super) fn save(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), WeightError> {
    write(path, content).map_err(|reason| WeightError::Write {
        path: path.to_owned(),
        reason,
    })
}

fn write(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = new_file(folder)?;
    let mut writer = BufWriter::with_capacity(1 << 20, temporary.as_file());
    content(&mut writer)?;
    writer.flush()?;
    drop(writer);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|failure| failure.error)?;
    // Folders can be flushed on Unix alone; elsewhere the rename is as durable as it gets.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A temporary file with the permissions of any other file: weights are shared between users and
/// processes, so the private mode of temporary files would be wrong once it is renamed.
fn new_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    // The library's errors name the temporary file, of which no reader has heard.
    std::fs::metadata(folder)?;
    let made = builder.prefix(".writing-").tempfile_in(folder);
    made.map_err(|error| error.kind().into())
}
