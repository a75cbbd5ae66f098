//! Questions about modules: does this import lead to a file, and does the file name that name?

use super::{Table, entry::FileEntry};
use crate::{builtins, language::Language};

/// Where an import leads.
pub(crate) enum ModuleLookup<'a> {
    /// To files of the workspace (several, where the path is ambiguous or names a folder).
    Found(Vec<&'a FileEntry>),
    /// To a place that the workspace owns and of which the index knows no file: where it would be,
    /// without an extension.
    Missing(Vec<String>),
    /// Out of the workspace, or unknown.
    Foreign,
}

impl Table {
    /// Follows `module`, imported by the file at `importer`.
    pub(crate) fn module(
        &self,
        language: Language,
        importer: &str,
        module: &str,
    ) -> ModuleLookup<'_> {
        match language {
            Language::Python => self.python_module(importer, module),
            Language::JavaScript | Language::TypeScript | Language::Tsx => {
                self.relative_module(importer, module)
            }
            Language::Go => self.folder_module(module),
            Language::Ruby | Language::Cpp => self.path_module(module),
            _ => ModuleLookup::Foreign,
        }
    }

    /// Whether one of `files` names `name`, or takes all names of a module that may.
    pub(crate) fn exports(&self, files: &[&FileEntry], name: &str) -> bool {
        let id = self.id(name.trim_start_matches('$'));
        files.iter().any(|file| {
            id.is_some_and(|id| file.names.binary_search(&id).is_ok())
                || !file.wildcards.is_empty()
                || self.is_submodule(file, name)
        })
    }

    fn is_submodule(&self, file: &FileEntry, name: &str) -> bool {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.files_by_stem(name)
            .any(|other| other.path.starts_with(folder))
    }

    fn python_module(&self, importer: &str, module: &str) -> ModuleLookup<'_> {
        let dots = module.len() - module.trim_start_matches('.').len();
        let path = module[dots..].replace('.', "/");
        if dots > 0 {
            let mut base = importer;
            for _ in 0..dots {
                base = base.rsplit_once('/').map_or("", |(folder, _)| folder);
            }
            return self.python_relative(base, &path);
        }
        // A file of the workspace that is called like a module of the standard library does not
        // hide it from absolute imports.
        if builtins::contains_module(Language::Python, module) {
            return ModuleLookup::Foreign;
        }
        let found = self.ending_with(&path);
        if !found.is_empty() {
            return ModuleLookup::Found(found);
        }
        match path.rsplit_once('/') {
            // The package is in the workspace, the module is not.
            Some((package, _)) if package.contains('/') || self.is_package(package) => {
                let name = &path[package.len() + 1..];
                let packages = self.ending_with(package);
                let place = |file: &&FileEntry| join(module_path(&file.path), name);
                if packages.is_empty() {
                    ModuleLookup::Foreign
                } else {
                    ModuleLookup::Missing(packages.iter().map(place).collect())
                }
            }
            _ => ModuleLookup::Foreign,
        }
    }

    fn python_relative(&self, base: &str, path: &str) -> ModuleLookup<'_> {
        let target = if path.is_empty() {
            base.to_owned()
        } else {
            join(base, path)
        };
        let init = format!("{target}/__init__");
        let candidates = [
            format!("{target}.py"),
            format!("{target}.pyi"),
            format!("{init}.py"),
            format!("{init}.pyi"),
        ];
        let found: Vec<_> = candidates
            .iter()
            .filter_map(|path| self.file_at(path))
            .collect();
        let folder = format!("{target}/");
        if !found.is_empty() {
            ModuleLookup::Found(found)
        } else if self.files().any(|file| file.path.starts_with(&folder)) {
            ModuleLookup::Foreign
        } else {
            ModuleLookup::Missing(vec![target])
        }
    }

    fn is_package(&self, name: &str) -> bool {
        self.files_by_stem(name).any(|file| {
            file.path
                .strip_suffix("/__init__.py")
                .is_some_and(|folder| folder.ends_with(name))
        })
    }

    /// Files whose module path ends with `path`, whole parts only.
    fn ending_with(&self, path: &str) -> Vec<&FileEntry> {
        let last = path.rsplit('/').next().unwrap_or(path);
        self.files_by_stem(last)
            .filter(|file| {
                let module = module_path(&file.path);
                let above = module.strip_suffix(path);
                // A module inside of a package is not imported by its last name alone.
                let inside = |rest: &str| self.file_at(&format!("{rest}__init__.py")).is_some();
                above.is_some_and(|rest| rest.is_empty() || (rest.ends_with('/') && !inside(rest)))
            })
            .collect()
    }

    fn relative_module(&self, importer: &str, module: &str) -> ModuleLookup<'_> {
        if !module.starts_with('.') {
            return ModuleLookup::Foreign;
        }
        let folder = importer.rsplit_once('/').map_or("", |(folder, _)| folder);
        let target = normalise(&join(folder, module));
        let found: Vec<_> = candidates(&target)
            .filter_map(|path| self.file_at(&path))
            .collect();
        if !found.is_empty() {
            return ModuleLookup::Found(found);
        }
        let name = target.rsplit('/').next().unwrap_or("");
        let asset = name.rsplit_once('.').is_some_and(|(_, extension)| {
            !matches!(
                extension,
                "js" | "ts" | "mjs" | "cjs" | "mts" | "cts" | "jsx" | "tsx"
            )
        });
        // Something else than code, or code in a folder that the index has not seen.
        let parent = target.rsplit_once('/').map_or("", |(parent, _)| parent);
        let parent = format!("{parent}/");
        let known = self.files().any(|file| file.path.starts_with(&parent));
        if asset || !known {
            ModuleLookup::Foreign
        } else {
            let stem = target.len() - name.len() + name.find('.').unwrap_or(name.len());
            ModuleLookup::Missing(vec![target[..stem].to_owned()])
        }
    }

    /// A Go package is the files of one folder.
    fn folder_module(&self, module: &str) -> ModuleLookup<'_> {
        if builtins::contains_module(Language::Go, module) {
            return ModuleLookup::Foreign;
        }
        let last = module.rsplit('/').next().unwrap_or(module);
        let mut best: Vec<&FileEntry> = Vec::new();
        let mut best_parts = 0;
        for file in self.files_by_stem(last) {
            let Some((folder, _)) = file.path.rsplit_once('/') else {
                continue;
            };
            let parts = common_tail(folder, module);
            if parts > best_parts {
                best_parts = parts;
                best.clear();
            }
            if parts == best_parts && parts > 0 {
                best.push(file);
            }
        }
        // One shared part may be a coincidence (`errors`, `http`).
        if best_parts >= 2 {
            ModuleLookup::Found(best)
        } else {
            ModuleLookup::Foreign
        }
    }

    fn path_module(&self, module: &str) -> ModuleLookup<'_> {
        let module = module.rsplit_once('.').map_or(module, |(stem, _)| stem);
        let found = self.ending_with(module.trim_start_matches("./").trim_start_matches("../"));
        if found.is_empty() {
            ModuleLookup::Foreign
        } else {
            ModuleLookup::Found(found)
        }
    }
}

/// A path without its extension, and without the file that stands for its folder.
fn module_path(path: &str) -> &str {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.split('.').next().unwrap_or(file);
    if stem == "__init__" {
        return folder;
    }
    &path[..path.len() - file.len() + stem.len()]
}

pub(super) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() {
        path.to_owned()
    } else {
        format!("{folder}/{path}")
    }
}

fn normalise(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Files that an ECMAScript import of `target` may mean.
fn candidates(target: &str) -> impl Iterator<Item = String> {
    const EXTENSIONS: [&str; 11] = [
        ".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".d.mts", ".d.cts",
    ];
    let stem = [".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts"]
        .iter()
        .find_map(|extension| target.strip_suffix(extension))
        .unwrap_or(target)
        .to_owned();
    let target = target.to_owned();
    let whole = target.clone();
    let bases = [stem, target.clone(), format!("{target}/index")];
    std::iter::once(whole).chain(bases.into_iter().flat_map(|base| {
        EXTENSIONS
            .iter()
            .map(move |extension| format!("{base}{extension}"))
    }))
}

fn common_tail(folder: &str, module: &str) -> usize {
    folder
        .rsplit('/')
        .zip(module.rsplit('/'))
        .take_while(|(a, b)| a == b)
        .count()
}
