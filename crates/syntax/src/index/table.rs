//! One family's table: interned names, files, and who defines what.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::symbols::Symbols;

use super::{
    IndexSize,
    entry::{ClassEntry, FileEntry, FileId, NONE, NameId, SignatureEntry},
};

#[derive(Debug)]
struct Name {
    text: Arc<str>,
    /// Files that name it.
    files: u32,
    /// Files that define it where others can see it.
    definitions: u32,
    /// References from files; without one the name is forgotten.
    uses: u32,
}

/// The index of one family of languages.
#[derive(Debug, Default)]
pub(crate) struct Table {
    ids: HashMap<Arc<str>, NameId>,
    names: Vec<Name>,
    free_names: Vec<NameId>,
    files: Vec<Option<FileEntry>>,
    free: Vec<FileId>,
    by_path: HashMap<String, FileId>,
    /// Files that exist and were not read.
    skipped: HashSet<String>,
    /// Files by the last parts of their module paths.
    by_stem: HashMap<String, Vec<FileId>>,
    /// Files that define a class, by its name.
    class_files: HashMap<NameId, Vec<FileId>>,
    /// Files that define a function, by its name.
    signature_files: HashMap<NameId, Vec<FileId>>,
    /// Files that define members, by the container's name.
    member_files: HashMap<NameId, Vec<FileId>>,
}

impl Table {
    pub(super) fn add(&mut self, path: &str, symbols: &Symbols) {
        self.remove(path);
        let mut entry = self.entry(symbols);
        entry.path = path.to_owned();
        let file = self.free.pop().unwrap_or_else(|| {
            self.files.push(None);
            (self.files.len() - 1) as FileId
        });
        self.count(&entry, 1);
        for name in entry.ids() {
            self.names[name as usize].uses += 1;
        }
        for class in &entry.classes {
            link(&mut self.class_files, class.name, file);
        }
        for signature in &entry.signatures {
            link(&mut self.signature_files, signature.name, file);
        }
        for &(_, container) in entry
            .definitions
            .iter()
            .filter(|(_, container)| *container != NONE)
        {
            link(&mut self.member_files, container, file);
        }
        for stem in stems(path) {
            self.by_stem.entry(stem.to_owned()).or_default().push(file);
        }
        self.by_path.insert(path.to_owned(), file);
        self.files[file as usize] = Some(entry);
    }

    /// Notes a file whose names are not known.
    pub(super) fn skip(&mut self, path: &str) {
        self.remove(path);
        self.skipped.insert(path.to_owned());
    }

    /// Every file of the workspace is in the table, and there are some.
    pub(crate) fn covers(&self) -> bool {
        self.skipped.is_empty() && !self.by_path.is_empty()
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.skipped.remove(path);
        let Some(file) = self.by_path.remove(path) else {
            return;
        };
        let Some(entry) = self.files[file as usize].take() else {
            return;
        };
        self.count(&entry, -1);
        for class in &entry.classes {
            unlink(&mut self.class_files, class.name, file);
        }
        for signature in &entry.signatures {
            unlink(&mut self.signature_files, signature.name, file);
        }
        for &(_, container) in &entry.definitions {
            unlink(&mut self.member_files, container, file);
        }
        for stem in stems(path) {
            if let Some(files) = self.by_stem.get_mut(stem) {
                files.retain(|&other| other != file);
                if files.is_empty() {
                    self.by_stem.remove(stem);
                }
            }
        }
        for name in entry.ids() {
            self.release(name);
        }
        self.free.push(file);
    }

    /// Takes back one reference. The workspace changes all day: names that are gone must not stay.
    fn release(&mut self, id: NameId) {
        let name = &mut self.names[id as usize];
        name.uses = name.uses.saturating_sub(1);
        if name.uses == 0 {
            self.ids.remove(&name.text);
            name.text = Arc::default();
            self.free_names.push(id);
        }
    }

    fn entry(&mut self, symbols: &Symbols) -> FileEntry {
        let mut names: Vec<NameId> = symbols.names.iter().map(|name| self.intern(name)).collect();
        names.sort_unstable();
        let mut definitions = Vec::new();
        for definition in symbols
            .definitions
            .iter()
            .filter(|definition| !definition.local)
        {
            let container = definition
                .container
                .as_ref()
                .map_or(NONE, |container| self.intern(container));
            definitions.push((self.intern(&definition.name), container));
        }
        definitions.sort_unstable();
        definitions.dedup();
        let signatures = symbols
            .signatures
            .iter()
            .map(|signature| SignatureEntry {
                name: self.intern(&signature.name),
                container: signature
                    .container
                    .as_ref()
                    .map_or(NONE, |name| self.intern(name)),
                parameters: signature
                    .parameters
                    .iter()
                    .map(|name| self.intern(name))
                    .collect(),
                open: signature.open,
            })
            .collect();
        let classes = symbols
            .classes
            .iter()
            .map(|class| ClassEntry {
                name: self.intern(&class.name),
                bases: class.bases.iter().map(|name| self.intern(name)).collect(),
                open: class.open,
            })
            .collect();
        let wildcards = symbols.imports.iter().filter(|import| import.wildcard);
        let wildcards = wildcards
            .map(|import| self.intern(&import.module))
            .collect();
        FileEntry {
            path: String::new(),
            names: names.into(),
            definitions: definitions.into(),
            signatures,
            classes,
            wildcards,
        }
    }

    fn intern(&mut self, name: &str) -> NameId {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let text: Arc<str> = name.into();
        let entry = Name {
            text: text.clone(),
            files: 0,
            definitions: 0,
            uses: 0,
        };
        let id = match self.free_names.pop() {
            Some(id) => {
                self.names[id as usize] = entry;
                id
            }
            None => {
                self.names.push(entry);
                (self.names.len() - 1) as NameId
            }
        };
        self.ids.insert(text, id);
        id
    }

    fn count(&mut self, entry: &FileEntry, by: i32) {
        for &name in &entry.names {
            let count = &mut self.names[name as usize].files;
            *count = count.saturating_add_signed(by);
        }
        for &(name, _) in &entry.definitions {
            let count = &mut self.names[name as usize].definitions;
            *count = count.saturating_add_signed(by);
        }
    }

    pub(super) fn id(&self, name: &str) -> Option<NameId> {
        self.ids.get(name).copied()
    }

    pub(super) fn text(&self, name: NameId) -> &str {
        self.names.get(name as usize).map_or("", |name| &name.text)
    }

    pub(super) fn file(&self, file: FileId) -> Option<&FileEntry> {
        self.files.get(file as usize)?.as_ref()
    }

    pub(super) fn file_at(&self, path: &str) -> Option<&FileEntry> {
        self.file(*self.by_path.get(path)?)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().flatten()
    }

    pub(super) fn files_by_stem(&self, stem: &str) -> impl Iterator<Item = &FileEntry> {
        self.by_stem
            .get(stem)
            .into_iter()
            .flatten()
            .filter_map(|&file| self.file(file))
    }

    pub(super) fn class_files(&self, name: NameId) -> impl Iterator<Item = &FileEntry> {
        self.class_files
            .get(&name)
            .into_iter()
            .flatten()
            .filter_map(|&file| self.file(file))
    }

    pub(super) fn signature_files(&self, name: NameId) -> impl Iterator<Item = &FileEntry> {
        self.signature_files
            .get(&name)
            .into_iter()
            .flatten()
            .filter_map(|&file| self.file(file))
    }

    pub(super) fn member_files(&self, name: NameId) -> impl Iterator<Item = &FileEntry> {
        self.member_files
            .get(&name)
            .into_iter()
            .flatten()
            .filter_map(|&file| self.file(file))
    }

    /// A file or a folder of files is called `stem`.
    pub(crate) fn has_stem(&self, stem: &str) -> bool {
        self.by_stem
            .get(stem)
            .is_some_and(|files| !files.is_empty())
    }

    /// Files in the table.
    pub(crate) fn file_count(&self) -> usize {
        self.by_path.len()
    }

    /// Files that name `name`.
    pub(crate) fn files_with(&self, name: &str) -> usize {
        self.id(name)
            .map_or(0, |id| self.names[id as usize].files as usize)
    }

    /// Definitions of `name` that other files can see.
    pub(crate) fn definitions_of(&self, name: &str) -> usize {
        self.id(name)
            .map_or(0, |id| self.names[id as usize].definitions as usize)
    }

    pub(super) fn size(&self) -> IndexSize {
        let files: usize = self.files.iter().flatten().map(FileEntry::bytes).sum();
        // A name: its text with the reference counts, its entry, its key in the map.
        let names: usize = self
            .names
            .iter()
            .map(|name| name.text.len() + 16)
            .sum::<usize>()
            + self.names.capacity() * size_of::<Name>()
            + self.ids.capacity() * (size_of::<(Arc<str>, NameId)>() + 1);
        let links = [&self.class_files, &self.signature_files, &self.member_files];
        let links: usize = links
            .iter()
            .map(|map| {
                let lists: usize = map.values().map(|files| 4 * files.capacity()).sum();
                map.capacity() * (size_of::<(NameId, Vec<FileId>)>() + 1) + lists
            })
            .sum();
        let paths: usize = self.by_path.keys().map(|path| path.len() + 64).sum();
        let stems: usize = self
            .by_stem
            .iter()
            .map(|(stem, files)| stem.len() + 4 * files.capacity() + 64)
            .sum();
        IndexSize {
            files: self.by_path.len(),
            names: self.ids.len(),
            bytes: files + names + links + paths + stems,
        }
    }
}

fn link(map: &mut HashMap<NameId, Vec<FileId>>, name: NameId, file: FileId) {
    let files = map.entry(name).or_default();
    if files.last() != Some(&file) {
        files.push(file);
    }
}

fn unlink(map: &mut HashMap<NameId, Vec<FileId>>, name: NameId, file: FileId) {
    if let Some(files) = map.get_mut(&name) {
        files.retain(|&other| other != file);
        if files.is_empty() {
            map.remove(&name);
        }
    }
}

/// The names under which a file can be imported: its own without extensions, and its folder's.
fn stems(path: &str) -> impl Iterator<Item = &str> {
    let mut parts = path.rsplit('/');
    let file = parts.next().unwrap_or("");
    let stem = file.split('.').next().unwrap_or(file);
    let folder = parts.next().unwrap_or("");
    [stem, folder].into_iter().filter(|stem| !stem.is_empty())
}
