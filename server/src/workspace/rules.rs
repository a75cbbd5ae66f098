//! Which files are left alone: one object that everyone asks who suggests in a file or reads one.

use std::path::Path;

use truefill_journal::redact;

use super::deny::DenyList;
use super::ignored::Ignored;
use crate::config::Files;
use crate::silence::Silence;

/// Which files are left alone. Cheap to share with a thread that walks the folders.
#[derive(Default)]
pub struct Rules {
    secrets: bool,
    deny: DenyList,
    ignored: Option<Ignored>,
}

impl Rules {
    /// The rules of a configuration.
    pub fn new(files: &Files) -> Self {
        let ignored = files.respect_ignore_files.then(Ignored::default);
        Self {
            secrets: files.deny_secrets,
            deny: DenyList::new(&files.deny),
            ignored,
        }
    }

    /// Whether a file may be read, seen from the folder that it belongs to.
    ///
    /// # Errors
    /// [`Silence::Secret`], [`Silence::Denied`] or [`Silence::Ignored`].
    pub fn check(&self, path: &Path, root: &Path) -> Result<(), Silence> {
        self.check_denied(path, root)?;
        match &self.ignored {
            Some(ignored) if ignored.excludes(path, false, root) => Err(Silence::Ignored),
            _ => Ok(()),
        }
    }

    /// Whether a document may be read that is no file here, by the path in its URI. No folder
    /// is known that it belongs to, so a pattern of paths may begin at any.
    ///
    /// # Errors
    /// [`Silence::Secret`] or [`Silence::Denied`].
    pub fn check_elsewhere(&self, path: &Path) -> Result<(), Silence> {
        path.ancestors()
            .try_for_each(|root| self.check_name(path, root))
    }

    /// Whether the index comes by a file: it is not hidden, and in a folder that is looked into.
    pub fn meets(&self, path: &Path, root: &Path) -> bool {
        let folder = path.parent().filter(|folder| folder.starts_with(root));
        folder.is_some_and(|folder| !is_hidden(path) && self.indexes_folder(folder, root))
    }

    /// Whether the index looks into a folder.
    pub fn indexes_folder(&self, path: &Path, root: &Path) -> bool {
        let ignored = self.ignored.as_ref();
        !is_hidden_below(path, root)
            && !ignored.is_some_and(|ignored| ignored.excludes(path, true, root))
    }

    /// As [`Rules::indexes_folder`] for a folder in one that passed already, as a walk meets
    /// them. `top` is the repository around its root.
    pub fn enters(&self, folder: &Path, top: &Path) -> bool {
        let ignored = self.ignored.as_ref();
        !is_hidden(folder)
            && !ignored.is_some_and(|ignored| ignored.excludes_entry(folder, true, top))
    }

    /// As [`Rules::check`] for a file in a folder that passed already.
    pub fn reads_entry(&self, file: &Path, root: &Path, top: &Path) -> bool {
        let ignored = self.ignored.as_ref();
        !ignored.is_some_and(|ignored| ignored.excludes_entry(file, false, top))
            && self.check_denied(file, root).is_ok()
    }

    /// A folder's ignore files changed.
    pub fn forget(&self, folder: &Path) {
        if let Some(ignored) = &self.ignored {
            ignored.forget(folder);
        }
    }

    fn check_denied(&self, path: &Path, root: &Path) -> Result<(), Silence> {
        self.check_name(path, root)?;
        // A link must not be a way around the list, so both ends of it are checked.
        match path.canonicalize() {
            Ok(target) if target != path => self.check_name(&target, root),
            _ => Ok(()),
        }
    }

    fn check_name(&self, path: &Path, root: &Path) -> Result<(), Silence> {
        if self.secrets && holds_secrets(path) {
            return Err(Silence::Secret);
        }
        match self.deny.matching(path, root) {
            Some(pattern) => Err(Silence::Denied { pattern }),
            None => Ok(()),
        }
    }
}

/// Whether a path is hidden or in a hidden folder, seen from `root`.
pub fn is_hidden_below(path: &Path, root: &Path) -> bool {
    path.ancestors()
        .take_while(|above| *above != root)
        .any(is_hidden)
}

/// Whether a path's last name begins with a dot.
pub fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The journal's list, so that no suggestion is made of what the journal would not keep.
fn holds_secrets(path: &Path) -> bool {
    // The list takes URIs as well, whose path ends at these characters; a file's does not.
    redact::is_denied_path(&path.to_string_lossy().replace(['?', '#'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn code(result: Result<(), Silence>) -> Option<&'static str> {
        result.err().map(|silence| silence.code())
    }

    #[test]
    fn files_that_hold_secrets_are_denied_and_others_are_not() {
        let rules = Rules::new(&Config::default().files);
        let check = |path: &str| code(rules.check_denied(Path::new(path), Path::new("/w")));
        for denied in [
            "/w/.env",
            "/w/a/.env.local",
            "/w/prod.env",
            "/w/server.pem",
            "/w/SERVER.KEY",
            "/w/x.crt",
            "/w/x.der",
            "/w/AuthKey.p8",
            "/w/putty.ppk",
            "/w/kubeconfig",
            "/w/.git-credentials",
            "/w/secrets.yml",
            "/w/secrets.rs",
            "/w/prod.tfvars.json",
            "/w/.ssh/config",
            "/w/.ssh/id_rsa",
            "/w/.ssh/id_ed25519.pub",
            "/w/C#/.env",
            "/elsewhere/.netrc",
        ] {
            assert_eq!(check(denied), Some("denied"), "{denied}");
        }
        for allowed in [
            "/w/env.rs",
            "/w/key.rs",
            "/w/environment.ts",
            "/w/secret_sharing.py",
            "/w/credentials.rs",
        ] {
            assert_eq!(check(allowed), None, "{allowed}");
        }
    }

    #[test]
    fn the_list_of_secrets_can_be_switched_off() {
        let mut files = Config::default().files;
        files.deny_secrets = false;
        files.deny = vec!["*.pem".into()];
        let rules = Rules::new(&files);
        let check = |path: &str| code(rules.check_denied(Path::new(path), Path::new("/w")));
        assert_eq!(check("/w/.env"), None);
        assert_eq!(check("/w/x.pem"), Some("denied"));
    }

    #[test]
    fn a_document_elsewhere_is_denied_by_its_path() {
        let mut files = Config::default().files;
        files.deny = vec!["private/**".into()];
        let rules = Rules::new(&files);
        let check = |path: &str| code(rules.check_elsewhere(Path::new(path)));
        for denied in [".env", "/home/u/w/private/x/y.py", "private/y.py"] {
            assert_eq!(check(denied), Some("denied"), "{denied}");
        }
        for allowed in ["Untitled-1", "/home/u/w/a.py", ""] {
            assert_eq!(check(allowed), None, "{allowed}");
        }
    }

    #[test]
    fn the_index_takes_in_what_may_be_read_and_is_not_hidden() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap().join(".work");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join(".gitignore"), "generated/\nlocal.py\n").unwrap();
        let rules = Rules::new(&Config::default().files);
        for (name, taken) in [
            ("a.py", true),
            ("sub/a.py", true),
            ("local.py", false),
            ("generated/a.py", false),
            (".hidden.py", false),
            (".venv/a.py", false),
            ("sub/.venv/lib/a.py", false),
            ("prod.env", false),
        ] {
            let path = root.join(name);
            let read = rules.meets(&path, &root) && rules.check(&path, &root).is_ok();
            assert_eq!(read, taken, "{name}");
            // A walk comes to the same: it meets what is on the way first.
            let on_the_way: Vec<_> = path.ancestors().take_while(|at| *at != root).collect();
            let met = on_the_way.iter().rev().all(|entry| match *entry == path {
                true => !is_hidden(entry) && rules.reads_entry(entry, &root, &root),
                false => rules.enters(entry, &root),
            });
            assert_eq!(met, taken, "{name}, walking");
        }
        assert!(rules.indexes_folder(&root, &root));
        assert!(!rules.indexes_folder(&root.join("generated"), &root));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_no_way_around_the_list() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::write(root.join(".env"), "KEY=1").unwrap();
        std::os::unix::fs::symlink(root.join(".env"), root.join("settings.py")).unwrap();
        let rules = Rules::new(&Config::default().files);
        let denied = rules.check_denied(&root.join("settings.py"), &root);
        assert_eq!(denied, Err(Silence::Secret));
    }
}
