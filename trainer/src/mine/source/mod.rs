//! Where code comes from: clones, archives, folders. Each is one repository.

mod archive;
mod folder;
mod limited;
pub mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};

use super::recipe::Limits;

/// One repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What rows call it: `host/owner/name` for a clone with a remote, else the file's name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// How it is read.
    pub kind: Kind,
}

/// How a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder with `.git`: what is ignored there is not read.
    Clone,
    /// Any other folder.
    Folder,
    /// A packed file.
    Archive(Format),
    /// Neither; it is reported when its turn comes.
    Unknown,
}

/// Packed files that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.tar.gz`, `.tgz`, `.crate`.
    TarGz,
    /// `.tar`, and `.gem`, which holds another.
    Tar,
    /// `.zip`, `.whl`, `.nupkg`, `.jar`.
    Zip,
}

/// Names of archives by their ends.
const ENDS: &[(&str, Format)] = &[
    (".tar.gz", Format::TarGz),
    (".tgz", Format::TarGz),
    (".crate", Format::TarGz),
    (".tar", Format::Tar),
    (".gem", Format::Tar),
    (".zip", Format::Zip),
    (".whl", Format::Zip),
    (".nupkg", Format::Zip),
    (".jar", Format::Zip),
];

/// Why a source is not read to its end. The run goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file system or an archive's reader refused.
    #[error("{}: {reason}", path.display())]
    File {
        /// The source, or the file in it.
        path: PathBuf,
        /// What it said.
        reason: std::io::Error,
    },
    /// It is nothing that can be read.
    #[error(
        "{}: expected a folder or an archive (.tar.gz, .tgz, .crate, .tar, .gem, .zip, .whl, \
         .nupkg, .jar), found {found}; unpack it into a folder",
        path.display()
    )]
    Unknown {
        /// The source.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// An archive with too many entries.
    #[error(
        "{}: expected at most {limit} entries, found more; raise `limits.entries` if the archive is sound",
        path.display()
    )]
    Entries {
        /// The source.
        path: PathBuf,
        /// `limits.entries`.
        limit: u64,
    },
    /// An entry that would be unpacked elsewhere.
    #[error("{}: expected paths inside of the archive, found `{entry}`", path.display())]
    Path {
        /// The source.
        path: PathBuf,
        /// The entry's name.
        entry: String,
    },
}

/// A file of a source.
pub struct Entry<'a> {
    /// Its path in the source, with forward slashes.
    pub path: &'a str,
    /// Its bytes, as far as the source says.
    pub bytes: u64,
    /// Its content.
    pub reader: &'a mut dyn Read,
}

/// Takes the files of a source one by one.
pub type Visit<'a> = dyn FnMut(Entry<'_>) -> std::io::Result<()> + 'a;

impl Source {
    /// The source at a path.
    pub fn at(path: &Path) -> Self {
        let kind = if path.join(".git").exists() {
            Kind::Clone
        } else if path.is_dir() {
            Kind::Folder
        } else {
            format_of(path).map_or(Kind::Unknown, |(format, _)| Kind::Archive(format))
        };
        let remote = (kind == Kind::Clone).then(|| remote(path)).flatten();
        Self {
            name: remote.unwrap_or_else(|| name_of(path)),
            path: path.to_owned(),
            kind,
        }
    }

    /// Visits every file, in an order that only the source decides.
    ///
    /// # Errors
    /// [`SourceError`], also for what `visit` returns.
    pub fn visit(&self, limits: &Limits, visit: &mut Visit<'_>) -> Result<(), SourceError> {
        match self.kind {
            Kind::Clone | Kind::Folder => folder::visit(self, visit),
            Kind::Archive(format) => archive::visit(&self.path, format, limits, visit),
            Kind::Unknown => Err(SourceError::Unknown {
                path: self.path.clone(),
                found: if self.path.exists() {
                    "another kind of file".into()
                } else {
                    "nothing".into()
                },
            }),
        }
    }

    /// Changes when the source's files do: their names, sizes and times, not their bytes.
    pub fn stamp(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        match self.kind {
            Kind::Clone | Kind::Folder => folder::stamp(self, &mut hasher),
            _ => stamp_file(&self.path, &mut hasher),
        }
        hex::encode(hasher.finalize())
    }
}

fn stamp_file(path: &Path, hasher: &mut Sha256) {
    hasher.update(path.to_string_lossy().as_bytes());
    if let Ok(data) = path.metadata() {
        hasher.update(data.len().to_le_bytes());
        let changed = data.modified().ok();
        let since = changed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        hasher.update(since.unwrap_or_default().as_nanos().to_le_bytes());
    }
}

/// All sources, ordered by name; equal names are told apart by a number.
///
/// # Errors
/// Where a folder of sources cannot be read.
pub fn discover(sources: &[PathBuf], each: &[PathBuf]) -> Result<Vec<Source>> {
    let mut paths: BTreeSet<PathBuf> = sources.iter().cloned().collect();
    for folder in each {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("{}: expected a folder of sources", folder.display()))?;
        for entry in entries {
            let path = entry
                .with_context(|| format!("{}: not read", folder.display()))?
                .path();
            let hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !hidden {
                paths.insert(path);
            }
        }
    }
    let mut found: Vec<Source> = paths.iter().map(|path| Source::at(path)).collect();
    found.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for source in &mut found {
        let count = seen.entry(source.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            source.name = format!("{}#{count}", source.name);
        }
    }
    Ok(found)
}

fn format_of(path: &Path) -> Option<(Format, &'static str)> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    ENDS.iter()
        .find(|(end, _)| name.ends_with(end))
        .map(|&(end, format)| (format, end))
}

fn name_of(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    match format_of(path) {
        Some((_, end)) if !path.is_dir() && name.len() > end.len() => {
            name[..name.len() - end.len()].to_owned()
        }
        _ => name.into_owned(),
    }
}

/// `host/owner/name` of a clone's remote `origin`.
fn remote(path: &Path) -> Option<String> {
    let config = std::fs::read_to_string(path.join(".git/config")).ok()?;
    let mut at_origin = false;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            at_origin = line == "[remote \"origin\"]";
        } else if let Some(url) = line.strip_prefix("url").filter(|_| at_origin) {
            return repository_name(url.trim_start().strip_prefix('=')?.trim());
        }
    }
    None
}

/// A repository's URL as a name: no scheme, no user, no `.git`.
pub fn repository_name(url: &str) -> Option<String> {
    let url = url
        .trim()
        .trim_start_matches("git+")
        .trim_start_matches("scm:git:");
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest.to_owned(),
        // `git@host:owner/name`
        None => url.replacen(':', "/", 1),
    };
    let rest = rest.rsplit_once('@').map_or(&*rest, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let rest = rest.trim_end_matches('/').trim_end_matches(".git");
    let local = rest.is_empty() || rest.starts_with('/') || rest.starts_with('.');
    (!local && rest.contains('/')).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_and_files_give_names() {
        for (url, expected) in [
            ("https://github.com/a/b.git", Some("github.com/a/b")),
            ("git@github.com:a/b.git", Some("github.com/a/b")),
            ("git+ssh://git@host.org/a/b", Some("host.org/a/b")),
            ("https://user:word@host/a/b/", Some("host/a/b")),
            ("/srv/git/x", None),
            ("../x", None),
        ] {
            assert_eq!(repository_name(url).as_deref(), expected, "{url}");
        }
        for (path, expected) in [
            ("d/serde-1.0.crate", "serde-1.0"),
            ("d/a.tar.gz", "a"),
            ("d/a-1.0-py3-none-any.whl", "a-1.0-py3-none-any"),
        ] {
            assert_eq!(Source::at(Path::new(path)).name, expected);
        }
    }

    #[test]
    fn equal_names_are_told_apart_and_clones_are_known() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["x/same", "y/same", "y/clone/.git"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("made");
        }
        std::fs::write(
            folder.path().join("y/clone/.git/config"),
            "[core]\n\tx = 1\n[remote \"origin\"]\n\turl = https://host/o/n.git\n",
        )
        .expect("written");
        let each = [folder.path().join("x"), folder.path().join("y")];
        let found = discover(&[], &each).expect("sources");
        let shown: Vec<_> = found.iter().map(|s| (&*s.name, s.kind)).collect();
        assert_eq!(
            shown,
            [
                ("host/o/n", Kind::Clone),
                ("same", Kind::Folder),
                ("same#2", Kind::Folder)
            ]
        );
    }
}
