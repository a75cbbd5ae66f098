//! The language server's resolver over negatives: a filter for valid rows, not a judge.
//!
//! A negative that the resolver catches is wrong for a reason that can be named, unless it catches
//! the golden completion too: then it sees too little there. What it does not catch may be wrong all
//! the same, so its finding is a column and never part of a fool rate.
//!
//! Sizes bound the work, so that a busy machine finds what an idle one does; a parse has 30 s too,
//! which no file of that size takes.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use truefill_syntax::{
    Index, Judge, Judgement, Language, MAX_PARSE_BYTES, parse_within, symbols_of, symbols_of_words,
};

use super::sources::Sources;
use crate::corpus::Item;
use crate::mine::{Limits, Source};
use crate::rows::{Context, Resolution};

/// Larger files are not read, in bytes. Of those above [`MAX_PARSE_BYTES`] the words are known.
const LARGEST_FILE: u64 = 64 << 20;

/// Time for one parse: far more than any takes.
const PARSE_LIMIT: Duration = Duration::from_secs(30);

/// How much of a repository the resolver sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// Every file, but those that are larger than any that people write.
    All,
    /// Some of its sources, or sources that differ from what was mined.
    Part,
    /// The rows' own files alone.
    Rows,
}

impl Seen {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all files",
            Self::Part => "some files",
            Self::Rows => "the rows' files alone",
        }
    }
}

/// A whole file that rows have holes in.
struct File {
    path: PathBuf,
    language: Language,
    text: String,
}

/// What is known of a repository.
pub struct Repository {
    index: Index,
    /// The rows' files, by SHA-256.
    files: HashMap<String, File>,
    seen: Seen,
}

impl Repository {
    /// From its sources, and from the rows of one repository where these are not there.
    pub fn new(sources: &Sources, items: &[&Item]) -> Self {
        let name = items.first().map_or("", |item| &*item.context.repo);
        let wanted: HashSet<&str> = items
            .iter()
            .map(|item| &*item.context.span.file_sha256)
            .collect();
        let found = sources.of(name);
        let mut repository = Self {
            index: Index::new(),
            files: HashMap::new(),
            seen: if found.paths.is_empty() {
                Seen::Rows
            } else {
                Seen::All
            },
        };
        let mut complete = found.all;
        for (number, path) in found.paths.iter().enumerate() {
            complete &= repository.add_source(number, path, &wanted);
        }
        complete &= !repository.add_windows(items);
        if !complete {
            repository.seen = repository.seen.max(Seen::Part);
            // Names may stand in files that are not here: nothing follows from their absence.
            for language in Language::ALL {
                let place = Path::new("files that are not known");
                repository.index.skip_file(place, language);
            }
        }
        repository
    }

    /// How much of it is seen.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// Every file of the language is known, so that a name that stands nowhere says something.
    pub fn covers(&self, language: Language) -> bool {
        self.index.covers(language)
    }

    /// Takes in the files of a source; whether it could be read to its end.
    fn add_source(&mut self, number: usize, path: &Path, wanted: &HashSet<&str>) -> bool {
        let visited = Source::at(path).visit(&Limits::default(), &mut |entry| {
            let Some(language) = Language::from_path(Path::new(entry.path)) else {
                return Ok(());
            };
            let path = PathBuf::from(format!("{number}/{}", entry.path));
            let mut bytes = Vec::new();
            let read = entry.reader.take(LARGEST_FILE + 1).read_to_end(&mut bytes);
            let small = read.is_ok_and(|read| read as u64 <= LARGEST_FILE);
            if !small {
                self.index.skip_file(&path, language);
                return Ok(());
            }
            // Names are spelled the same in all encodings that code is written in, but for the NUL
            // bytes of UTF-16.
            let length = bytes.len();
            bytes.retain(|byte| *byte != 0);
            let text = String::from_utf8_lossy(&bytes);
            if bytes.len() == length && length <= MAX_PARSE_BYTES {
                self.add_file(path, language, text.into_owned(), wanted);
            } else {
                self.index_words(&path, language, &text);
            }
            Ok(())
        });
        visited.is_ok()
    }

    fn add_file(
        &mut self,
        path: PathBuf,
        language: Language,
        text: String,
        wanted: &HashSet<&str>,
    ) {
        self.index_text(&path, language, &text);
        let sha256 = hex::encode(Sha256::digest(&text));
        if wanted.contains(&*sha256) {
            let file = File {
                path,
                language,
                text,
            };
            self.files.insert(sha256, file);
        }
    }

    /// Takes in rows' windows of files that no source has, where they are the whole file; whether
    /// there was such a file.
    fn add_windows(&mut self, items: &[&Item]) -> bool {
        let mut missing = false;
        for Item { context, .. } in items {
            let sha256 = &context.span.file_sha256;
            if self.files.contains_key(sha256) {
                continue;
            }
            missing = true;
            let window = context.window();
            if hex::encode(Sha256::digest(&window)) == *sha256 {
                let wanted = HashSet::from([&**sha256]);
                let path = PathBuf::from(&context.path);
                self.add_file(path, context.language, window, &wanted);
            }
        }
        missing
    }

    fn index_text(&self, path: &Path, language: Language, text: &str) {
        match parse_within(language, text, None, PARSE_LIMIT) {
            Some(tree) => {
                let symbols = symbols_of(language, text, &tree);
                self.index.add_symbols(path, language, &symbols);
            }
            None => self.index_words(path, language, text),
        }
    }

    fn index_words(&self, path: &Path, language: Language, text: &str) {
        let words = symbols_of_words(text);
        self.index.add_symbols(path, language, &words);
    }

    /// Judges `rejected`, one after the other, and the golden completion of a hole. The index holds
    /// the file as an editor has it meanwhile, with the hole cut out. Nothing where the file is not
    /// known from its first byte to its last: what is cut off may define anything.
    pub fn resolve(&self, hole: &Context, rejected: &[&str]) -> Option<Vec<Resolution>> {
        let span = &hole.span;
        let file = self.files.get(&span.file_sha256)?;
        let prefix = file.text.get(..span.hole_start)?;
        let suffix = file.text.get(span.hole_end..)?;
        let cut = [prefix, suffix].concat();
        self.index_text(&file.path, file.language, &cut);
        let mut judge = Judge::new(file.language, &file.path, prefix, suffix).within(PARSE_LIMIT);
        let golden = judge.judge(&hole.golden, &self.index);
        let golden_caught = matches!(golden, Judgement::Unknown { .. });
        let found = rejected.iter().map(|rejected| {
            let (name, reason) = match judge.judge(rejected, &self.index) {
                Judgement::Known => (None, None),
                Judgement::Unknown { name, reason, .. } => (Some(name), Some(reason)),
            };
            Resolution {
                caught: name.is_some(),
                name,
                reason,
                golden_caught,
            }
        });
        Some(found.collect())
    }

    /// Puts a hole's file back as it is without the hole.
    pub fn restore(&self, hole: &Context) {
        if let Some(file) = self.files.get(&hole.span.file_sha256) {
            self.index_text(&file.path, file.language, &file.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "import os\n\ndef run(items):\n    return gather_plums(items)\n";

    fn item(repo: &str, text: &str, golden: &str) -> Item {
        let start = text.find(golden).expect("in the text");
        let parts = [&text[..start], golden, &text[start + golden.len()..]];
        let context = Context::of_file(Language::Python, repo, "MIT", "a.py", parts);
        Item {
            context,
            negatives: Vec::new(),
        }
    }

    /// Of the golden completion and of one that is made up: which is caught.
    fn caught(repository: &Repository, item: &Item) -> Option<[bool; 2]> {
        let found = repository.resolve(&item.context, &["made_up(items)"])?;
        repository.restore(&item.context);
        Some([found[0].golden_caught, found[0].caught])
    }

    #[test]
    fn a_name_of_a_file_that_is_not_known_is_no_finding() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("o/r");
        std::fs::create_dir_all(&place).expect("made");
        std::fs::write(
            place.join("a.py"),
            FILE.replace("import os", "from b import gather_plums"),
        )
        .expect("written");
        std::fs::write(place.join("b.py"), "def gather_plums(items):\n    pass\n")
            .expect("written");
        let text = FILE.replace("import os", "from b import gather_plums");
        let mut row = item("o/r", &text, "gather_plums(items)");
        row.context.span.file_sha256 = hex::encode(Sha256::digest(&text));
        row.context.id = row.context.span.id();
        let sources = Sources::read(Path::new("none"), Some(folder.path().into())).expect("read");
        let known = Repository::new(&sources, &[&row]);
        assert_eq!(known.seen(), Seen::All);
        assert!(known.index.covers(Language::Python));
        assert_eq!(caught(&known, &row), Some([false, true]));
        // A comment in another encoding hides no name.
        std::fs::write(place.join("old.py"), b"# caf\xe9\ndef brew():\n    pass\n")
            .expect("written");
        let known = Repository::new(&sources, &[&row]);
        assert!(known.covers(Language::Python));
        assert_eq!(caught(&known, &row), Some([false, true]));
        // Of files that are not parsed the words are known.
        let large = "x = 1\n".repeat(MAX_PARSE_BYTES / 4) + "def steep():\n    pass\n";
        std::fs::write(place.join("c.py"), large).expect("written");
        let wide: Vec<u8> = "def grind(): pass\n"
            .bytes()
            .flat_map(|it| [it, 0])
            .collect();
        std::fs::write(place.join("d.py"), wide).expect("written");
        let known = Repository::new(&sources, &[&row]);
        assert!(known.covers(Language::Python));
        assert_eq!(caught(&known, &row), Some([false, true]));
        let found = known.resolve(&row.context, &["b.steep(items)", "b.grind(items)"]);
        assert!(found.expect("known").iter().all(|found| !found.caught));
        // One that is not even read: nobody knows what it defines.
        let file = std::fs::File::create(place.join("e.py")).expect("made");
        file.set_len(LARGEST_FILE + 1).expect("sparse");
        let known = Repository::new(&sources, &[&row]);
        assert!(!known.covers(Language::Python));
        assert_eq!(known.seen(), Seen::All);
    }

    #[test]
    fn rows_alone_do_not_make_a_whole_repository() {
        let row = item("o/r", FILE, "gather_plums(items)");
        let known = Repository::new(&Sources::default(), &[&row]);
        assert_eq!(known.seen(), Seen::Rows);
        assert!(!known.index.covers(Language::Python));
        // The golden completion's own name stands nowhere else in the file.
        assert_eq!(caught(&known, &row), Some([true, true]));
        // A window is no file.
        let mut window = row.clone();
        window.context.suffix.push_str("more\n");
        let known = Repository::new(&Sources::default(), &[&window]);
        assert_eq!(caught(&known, &window), None);
    }
}
