//! The language server's resolver over negatives: a filter for valid rows, not a judge.
//!
//! A negative that the resolver catches is wrong for a reason that can be named. What it does not
//! catch may be wrong all the same, so its finding is a column and never part of a fool rate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use truefill_syntax::{Index, Judgement, Language, indexable_files, judge};

use crate::corpus::Item;
use crate::rows::{Context, Resolution};

/// Larger files say little about names, in bytes.
const LARGEST_FILE: u64 = 512 << 10;

/// Takes in the files of a folder that can be read as text.
fn add_files(index: &Index, folder: &Path) {
    for (path, language) in indexable_files(folder) {
        let small = path.metadata().is_ok_and(|it| it.len() <= LARGEST_FILE);
        let text = small.then(|| std::fs::read_to_string(&path).ok()).flatten();
        if let Some(text) = text {
            index.add_file(&path, language, &text);
        }
    }
}

/// What is known of a repository.
pub struct Repository {
    index: Index,
    /// Where its files lie, or nothing where only the rows' own files are known.
    folder: Option<PathBuf>,
    /// The files of the rows, as far as a row holds them.
    files: BTreeMap<String, (Language, String)>,
}

impl Repository {
    /// From the rows of one repository, and from its files under `sources` where they are there.
    pub fn new(sources: Option<&Path>, items: &[&Item]) -> Self {
        let index = Index::new();
        let name = items.first().map_or("", |item| &*item.context.repo);
        let folder = sources.and_then(|sources| folder_of(sources, name));
        if let Some(folder) = &folder {
            add_files(&index, folder);
        }
        let mut files: BTreeMap<String, (Language, String)> = BTreeMap::new();
        for item in items {
            let context = &item.context;
            let window = context.window();
            // Several rows may hold different windows of one file: the longest says most.
            let known = files.get(&context.path).map_or(0, |(_, text)| text.len());
            if window.len() > known {
                files.insert(context.path.clone(), (context.language, window));
            }
        }
        let repository = Self {
            index,
            folder,
            files,
        };
        for (path, (language, text)) in &repository.files {
            if repository.folder.is_none() {
                repository.index.add_file(Path::new(path), *language, text);
            }
        }
        repository
    }

    /// Judges `rejected`, one after the other, and the golden completion of a hole. The index holds
    /// the file as an editor has it meanwhile, with the hole cut out.
    pub fn resolve(&self, hole: &Context, rejected: &[&str]) -> Vec<Resolution> {
        let path = self.path(&hole.path);
        let (language, prefix, suffix) = (hole.language, &*hole.prefix, &*hole.suffix);
        let cut = [prefix, suffix].concat();
        self.index.add_file(&path, language, &cut);
        let ask = |completion| judge(language, &path, prefix, completion, suffix, &self.index);
        let golden_caught = matches!(ask(&hole.golden), Judgement::Unknown { .. });
        let found = rejected.iter().map(|rejected| match ask(rejected) {
            Judgement::Known => Resolution {
                caught: false,
                name: None,
                reason: None,
                golden_caught,
            },
            Judgement::Unknown { name, reason, .. } => Resolution {
                caught: true,
                name: Some(name),
                reason: Some(reason),
                golden_caught,
            },
        });
        found.collect()
    }

    /// Puts a file back as it is without a hole.
    pub fn restore(&self, path: &str) {
        if let Some((language, text)) = self.files.get(path) {
            self.index.add_file(&self.path(path), *language, text);
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.join(path),
            None => PathBuf::from(path),
        }
    }
}

/// The folder of the repository `name`; never one outside of `sources`.
fn folder_of(sources: &Path, name: &str) -> Option<PathBuf> {
    let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    let inside = !name.is_empty() && Path::new(name).components().all(plain);
    let folder = sources.join(name);
    (inside && folder.is_dir()).then_some(folder)
}
