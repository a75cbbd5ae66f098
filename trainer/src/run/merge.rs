//! Puts files of rows behind each other; several sources have no row in common but by chance, and
//! steps refuse rows that are there twice.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};

/// Writes all lines of some files into one, each line once.
///
/// # Errors
/// Where one cannot be read, or the whole cannot be written.
pub fn merge(files: &[PathBuf], whole: &Path) -> Result<u64> {
    let folder = whole.parent().unwrap_or(Path::new("."));
    let new =
        tempfile::NamedTempFile::new_in(folder).with_context(|| format!("{}", folder.display()))?;
    let mut out = BufWriter::new(new);
    let mut seen = HashSet::new();
    for path in files {
        let name = path.display();
        let file = File::open(path).with_context(|| format!("{name}"))?;
        for line in BufReader::new(file).lines() {
            let line = line.with_context(|| format!("{name}"))?;
            let hash: [u8; 32] = Sha256::digest(line.as_bytes()).into();
            if !line.is_empty() && seen.insert(hash) {
                out.write_all(line.as_bytes())?;
                out.write_all(b"\n")?;
            }
        }
    }
    let new = out
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)?;
    new.as_file().sync_all()?;
    new.persist(whole)
        .with_context(|| format!("{}", whole.display()))?;
    Ok(seen.len() as u64)
}
