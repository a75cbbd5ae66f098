//! Wrong usage that only shows after the command line was read.

use std::path::{Path, PathBuf};

/// What a person has to change in the command or the recipe; the program ends with 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Refuses to write over what is read, and two files under one name.
///
/// # Errors
/// [`Usage`] with the file.
pub fn apart<'p>(
    inputs: impl IntoIterator<Item = &'p Path>,
    outputs: impl IntoIterator<Item = &'p Path>,
) -> anyhow::Result<()> {
    let mut taken: Vec<PathBuf> = inputs.into_iter().map(real).collect();
    for output in outputs {
        let output_is = real(output);
        if taken.contains(&output_is) {
            return Err(Usage::error(format!(
                "{}: expected another file to write to, found one that is read or written already; \
                 nothing was changed",
                output.display()
            )));
        }
        taken.push(output_is);
    }
    Ok(())
}

/// Whether two paths are of one file or folder, also where it is not there yet.
#[must_use]
pub fn is_same(one: &Path, other: &Path) -> bool {
    real(one) == real(other)
}

/// The path without links; of a file that is not there yet, its folder's.
fn real(path: &Path) -> PathBuf {
    let folder = |path: &Path| {
        let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(parent.join(path.file_name()?))
    };
    let found = path.canonicalize().ok();
    found
        .or_else(|| folder(path))
        .unwrap_or_else(|| path.to_owned())
}

impl Usage {
    /// The error of wrong usage, for `?` in a function that gives [`anyhow::Result`].
    pub fn error(message: impl Into<String>) -> anyhow::Error {
        Self(message.into()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over_what_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a"), "rows").expect("written");
        std::fs::create_dir(path("sub")).expect("made");
        let check = |inputs: &[&str], outputs: &[&str]| {
            let paths = |names: &[&str]| names.iter().map(|name| path(name)).collect::<Vec<_>>();
            let (inputs, outputs) = (paths(inputs), paths(outputs));
            apart(
                inputs.iter().map(|path| &**path),
                outputs.iter().map(|path| &**path),
            )
            .is_ok()
        };
        assert!(check(&["a"], &["b", "c"]));
        assert!(!check(&["a"], &["b", "sub/../a"]));
        assert!(!check(&["a"], &["b", "sub/../b"]));
        assert!(check(&["a"], &["sub/a", "nowhere/a"]));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(path("a"), path("link")).expect("linked");
            assert!(!check(&["a"], &["link"]));
        }
    }
}
