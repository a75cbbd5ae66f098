//! What the index keeps of one file, as numbers of interned names.

/// Number of an interned name.
pub(crate) type NameId = u32;

/// Number of a file.
pub(crate) type FileId = u32;

/// No name.
pub(super) const NONE: NameId = NameId::MAX;

/// One file.
#[derive(Debug, Default)]
pub(crate) struct FileEntry {
    pub path: String,
    /// Every name in the file, sorted.
    pub names: Box<[NameId]>,
    /// Names that other files can see: (name, container or `NONE`).
    pub definitions: Box<[(NameId, NameId)]>,
    pub signatures: Box<[SignatureEntry]>,
    pub classes: Box<[ClassEntry]>,
    /// Modules whose names all become names of this file.
    pub wildcards: Box<[NameId]>,
}

#[derive(Debug)]
pub(crate) struct SignatureEntry {
    pub name: NameId,
    pub container: NameId,
    pub parameters: Box<[NameId]>,
    pub open: bool,
}

#[derive(Debug)]
pub(crate) struct ClassEntry {
    pub name: NameId,
    pub bases: Box<[NameId]>,
    pub open: bool,
}

impl FileEntry {
    /// The folder of the package that the file stands for (Python).
    pub(crate) fn package_folder(&self) -> Option<&str> {
        let (folder, name) = self.path.rsplit_once('/')?;
        matches!(name, "__init__.py" | "__init__.pyi").then_some(folder)
    }

    /// Every reference to a name.
    pub(super) fn ids(&self) -> impl Iterator<Item = NameId> {
        let signatures = self.signatures.iter().flat_map(|signature| {
            let own = [signature.name, signature.container];
            own.into_iter().chain(signature.parameters.iter().copied())
        });
        let classes = self
            .classes
            .iter()
            .flat_map(|class| class.bases.iter().copied().chain([class.name]));
        let definitions = self
            .definitions
            .iter()
            .flat_map(|&(name, container)| [name, container]);
        let names = self.names.iter().chain(&self.wildcards).copied();
        names
            .chain(definitions)
            .chain(signatures)
            .chain(classes)
            .filter(|&name| name != NONE)
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let signatures: usize = self
            .signatures
            .iter()
            .map(|entry| size_of_val(entry) + 4 * entry.parameters.len())
            .sum();
        let classes: usize = self
            .classes
            .iter()
            .map(|entry| size_of_val(entry) + 4 * entry.bases.len())
            .sum();
        size_of::<Self>()
            + self.path.len()
            + 4 * (self.names.len() + self.wildcards.len())
            + 8 * self.definitions.len()
            + signatures
            + classes
    }
}
