//! Where things of the host are seen in the sandbox.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::eval::sandbox::{self, Mount};
use crate::usage::Usage;

/// What is known of the user's machine.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The home folder.
    pub home: Option<PathBuf>,
    /// The variable PATH.
    pub path: OsString,
}

impl Surroundings {
    /// This process's.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            home: std::env::home_dir(),
            path: std::env::var_os("PATH").unwrap_or_default(),
        }
    }

    /// A path with its `~` filled in.
    #[must_use]
    pub fn filled(&self, path: PathBuf) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path,
        }
    }
}

/// A part of the repository is seen in its copy, everything else where it is. What lies in the home folder
/// is seen in the one inside too, where programs look for it.
pub(super) fn mounts(
    repository: &Path,
    named: &[PathBuf],
    around: &Surroundings,
) -> Result<Vec<Mount>> {
    let home = around
        .home
        .as_deref()
        .and_then(|home| home.canonicalize().ok());
    let mut mounts = Vec::new();
    for named in named {
        // A shell leaves `--mount=~/x` as it is.
        let host = placed(&around.filled(named.clone())).map_err(|error| {
            Usage::error(format!(
                "mount {}: expected a file or a folder, found: {error}",
                named.display()
            ))
        })?;
        let below = |folder: &Path| {
            let rest = host.strip_prefix(folder).ok()?;
            (!rest.as_os_str().is_empty()).then(|| rest.to_owned())
        };
        if repository.starts_with(&host) {
            return Err(Usage::error(format!(
                "mount {}: expected a part of the repository or what lies elsewhere, found a folder with all of \
                 it, which is copied",
                named.display()
            )));
        }
        let at = |folder: &str, rest: PathBuf| Mount {
            host: host.clone(),
            inside: Path::new(folder).join(rest),
        };
        match below(repository) {
            Some(rest) => mounts.push(at(sandbox::WORKING_FOLDER, rest)),
            None => {
                mounts.push(Mount::same(&host));
                let rest = home.as_deref().and_then(below);
                mounts.extend(rest.map(|rest| at(sandbox::HOME, rest)));
            }
        }
    }
    Ok(mounts)
}

/// Absolute, the links of its folder followed and not its own: where it is seen is where it was named.
fn placed(named: &Path) -> std::io::Result<PathBuf> {
    let real = named.canonicalize()?;
    let absolute = std::path::absolute(named)?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(folder), Some(name)) => Ok(folder.canonicalize()?.join(name)),
        _ => Ok(real),
    }
}

/// The variable PATH inside: the host's folders that are mounted come first.
pub(super) fn path(mounts: &[Mount], host: &OsStr) -> String {
    let mut folders = Vec::new();
    for folder in std::env::split_paths(host) {
        let seen = mounts.iter().find_map(|mount| {
            let rest = folder.strip_prefix(&mount.host).ok()?;
            Some(mount.inside.join(rest))
        });
        let seen = seen.map(|seen| seen.to_string_lossy().trim_end_matches('/').to_owned());
        folders.extend(seen.filter(|seen| !seen.contains(':')));
    }
    folders.push(sandbox::PATH.to_owned());
    folders.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_seen_where_programs_look() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("there");
        for name in ["home/.tool/bin", "home/work/modules", "opt"] {
            std::fs::create_dir_all(root.join(name)).expect("made");
        }
        let around = Surroundings {
            home: Some(root.join("home")),
            path: std::env::join_paths([root.join("home/.tool/bin"), root.join("elsewhere")])
                .expect("a path"),
        };
        let repository = root.join("home/work");
        let named = [
            "~/.tool".into(),
            root.join("home/work/modules"),
            root.join("opt"),
        ];
        let found = mounts(&repository, &named, &around).expect("mounts");
        let inside: Vec<&Path> = found.iter().map(|mount| &*mount.inside).collect();
        assert_eq!(
            inside,
            [
                &*root.join("home/.tool"),
                Path::new("/tmp/.tool"),
                Path::new("/sandbox/modules"),
                &*root.join("opt"),
            ]
        );
        let bin = root.join("home/.tool/bin");
        let expected = format!("{}:{}", bin.display(), sandbox::PATH);
        assert_eq!(path(&found, &around.path), expected);
        for wrong in [root.join("missing"), repository.clone(), root.join("home")] {
            let error = mounts(&repository, &[wrong], &around).expect_err("refused");
            assert!(error.is::<Usage>(), "{error}");
        }
    }
}
