//! Which file is a Rust module, and what it takes in from elsewhere.

use super::{Table, entry::FileEntry, modules::join};

/// Modules that are followed from one glob import to the next.
const MOST_STEPS: usize = 4;

impl Table {
    /// Every name that `use module::*` brings into the file at `importer` is a name of the
    /// workspace: `module` is an enum of it, or a module without globs that lead out of it.
    pub(crate) fn rust_glob_is_known(&self, importer: &str, module: &str, steps: usize) -> bool {
        let last = module.rsplit("::").next().unwrap_or(module);
        if last.starts_with(|c: char| c.is_uppercase()) {
            return self.definitions_of(last) > 0;
        }
        let Some(file) = self
            .rust_module(importer, module)
            .filter(|_| steps < MOST_STEPS)
        else {
            return false;
        };
        let mut globs = file.wildcards.iter().map(|&name| self.text(name));
        globs.all(|glob| self.rust_glob_is_known(&file.path, glob, steps + 1))
    }

    /// The file of a module that is named from `crate`, `self` or `super`. A module inside of a
    /// file is that file's.
    fn rust_module(&self, importer: &str, module: &str) -> Option<&FileEntry> {
        let mut parts = module.split("::").peekable();
        let mut folder = match parts.next()? {
            "crate" => self.crate_root(importer)?,
            "self" => children(importer).to_owned(),
            "super" => parent(children(importer)).to_owned(),
            _ => return None,
        };
        while parts.next_if_eq(&"super").is_some() {
            folder = parent(&folder).to_owned();
        }
        let mut file = self.file_of(&folder);
        for part in parts {
            folder = join(&folder, part);
            file = self.file_of(&folder).or(file);
        }
        file
    }

    /// The file of the module whose children lie in `folder`.
    fn file_of(&self, folder: &str) -> Option<&FileEntry> {
        let alone = (!folder.is_empty()).then(|| format!("{folder}.rs"));
        let inside = ["mod.rs", "lib.rs", "main.rs"].map(|name| join(folder, name));
        let paths = alone.into_iter().chain(inside);
        paths.into_iter().find_map(|path| self.file_at(&path))
    }

    fn crate_root(&self, importer: &str) -> Option<String> {
        let mut folder = parent(importer);
        loop {
            let roots = ["lib.rs", "main.rs"].map(|name| join(folder, name));
            if roots.iter().any(|root| self.file_at(root).is_some()) {
                return Some(folder.to_owned());
            }
            if folder.is_empty() {
                return None;
            }
            folder = parent(folder);
        }
    }
}

/// The folder in which the modules below the one at `path` lie.
fn children(path: &str) -> &str {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    match stem.rsplit('/').next() {
        Some("mod" | "lib" | "main") => parent(stem),
        _ => stem,
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
