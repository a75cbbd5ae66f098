//! The names of a workspace: which file defines, imports and mentions what.
//!
//! One table for each family of languages, behind a lock of its own: a writer prepares a file's
//! facts before it takes the lock, so that readers wait for the time of a few hundred map
//! operations at most.

mod entry;
mod lookup;
mod modules;
mod rust_modules;
mod table;

use std::{
    path::Path,
    sync::{RwLock, RwLockReadGuard},
};

use crate::{
    language::Language,
    parse::parse,
    symbols::{Symbols, symbols_of},
};

pub(crate) use entry::FileEntry;
pub(crate) use lookup::Membership;
pub(crate) use modules::ModuleLookup;
pub(crate) use table::Table;

/// Families of languages that see each other's names.
const FAMILIES: usize = 9;

const fn family(language: Language) -> usize {
    match language {
        Language::CSharp => 0,
        Language::Cpp => 1,
        Language::Go => 2,
        Language::Java => 3,
        Language::JavaScript | Language::TypeScript | Language::Tsx => 4,
        Language::Php => 5,
        Language::Python => 6,
        Language::Ruby => 7,
        Language::Rust => 8,
    }
}

/// The symbols of a workspace.
#[derive(Debug, Default)]
pub struct Index {
    tables: [RwLock<Table>; FAMILIES],
}

/// How large an index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct IndexSize {
    /// Files in the index.
    pub files: usize,
    /// Different names.
    pub names: usize,
    /// Bytes of memory, estimated from the sizes of the tables.
    pub bytes: usize,
}

impl Index {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, in place of what was known about it. `path` is absolute, or relative to the
    /// same place for all files.
    ///
    /// A text that is too long, or takes too long to parse, is [noted](Index::skip_file) instead;
    /// the answer is `false` then.
    pub fn add_file(&self, path: &Path, language: Language, text: &str) -> bool {
        let tree = parse(language, text);
        match &tree {
            Some(tree) => self.add_symbols(path, language, &symbols_of(language, text, tree)),
            None => self.skip_file(path, language),
        }
        tree.is_some()
    }

    /// Adds a file whose symbols have been read already.
    pub fn add_symbols(&self, path: &Path, language: Language, symbols: &Symbols) {
        let key = key(path);
        if let Ok(mut table) = self.tables[family(language)].write() {
            table.add(&key, symbols);
        }
    }

    /// Notes a file of the workspace that is not read: too large, unreadable, beyond a limit.
    /// While there is one, nobody can say that a name of its language stands nowhere, and the
    /// guard goes by what it sees in the open file and in the modules that this file names.
    pub fn skip_file(&self, path: &Path, language: Language) {
        let key = key(path);
        if let Ok(mut table) = self.tables[family(language)].write() {
            table.skip(&key);
        }
    }

    /// Whether the files of the language are known, all of them; not so while there are none.
    #[must_use]
    pub fn covers(&self, language: Language) -> bool {
        self.read(language).is_some_and(|table| table.covers())
    }

    /// Forgets a file that was added or noted in this language.
    pub fn remove_file(&self, path: &Path, language: Language) {
        if let Ok(mut table) = self.tables[family(language)].write() {
            table.remove(&key(path));
        }
    }

    /// How many files name `name`.
    #[must_use]
    pub fn files_with(&self, language: Language, name: &str) -> usize {
        self.read(language)
            .map_or(0, |table| table.files_with(name))
    }

    /// How many files define `name` where other files can see it.
    #[must_use]
    pub fn definitions_of(&self, language: Language, name: &str) -> usize {
        self.read(language)
            .map_or(0, |table| table.definitions_of(name))
    }

    /// The members of the class `container` that the index knows, sorted.
    #[must_use]
    pub fn members_of(&self, language: Language, container: &str) -> Vec<String> {
        self.read(language)
            .map_or_else(Vec::new, |table| table.members_of(container))
    }

    /// The index's size.
    #[must_use]
    pub fn size(&self) -> IndexSize {
        let mut total = IndexSize::default();
        for table in &self.tables {
            let Ok(table) = table.read() else { continue };
            let size = table.size();
            total.files += size.files;
            total.names += size.names;
            total.bytes += size.bytes;
        }
        total
    }

    /// `None` when a writer has panicked; the guard then knows nothing and blocks nothing.
    pub(crate) fn read(&self, language: Language) -> Option<RwLockReadGuard<'_, Table>> {
        self.tables[family(language)].read().ok()
    }
}

/// Paths are compared with forward slashes.
pub(crate) fn key(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests;
