//! Judging several completions at one place, with what they share read once.

use std::{cell::OnceCell, collections::HashSet, path::Path, time::Duration};

use crate::{
    index::{Index, key},
    language::Language,
};

use super::{
    Finding, Judgement,
    check::check,
    prefilter,
    reading::{LIMIT, Reading},
    scene::Scene,
    words::{Words, words_near_imports},
};

/// Judges completions at one place of a file. The words of the file are read once; the first
/// completion that needs it costs a parse, each other one the edit of its tree.
#[derive(Debug)]
pub struct Judge<'a> {
    language: Language,
    path: String,
    prefix: &'a str,
    suffix: &'a str,
    words: OnceCell<Words<'a>>,
    near_imports: OnceCell<HashSet<&'a str>>,
    /// The completion that was read last.
    last: Option<Reading>,
    /// Time for a parse.
    limit: Duration,
}

impl<'a> Judge<'a> {
    /// A judge for completions between `prefix` and `suffix` of the file at `path`. Reads nothing
    /// yet.
    #[must_use]
    pub fn new(language: Language, path: &Path, prefix: &'a str, suffix: &'a str) -> Self {
        Self {
            language,
            path: key(path),
            prefix,
            suffix,
            words: OnceCell::new(),
            near_imports: OnceCell::new(),
            last: None,
            limit: LIMIT,
        }
    }

    /// Takes as long as `limit` for a parse. Where nobody waits, a busy machine shall judge as an
    /// idle one does: the sizes of the texts bound the work then.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Judges the names that `completion` introduces.
    #[must_use]
    pub fn judge(&mut self, completion: &str, index: &Index) -> Judgement {
        self.judge_with(completion, index, &|_| false)
    }

    /// Judges as [`Judge::judge`] does, but asks `exists` before it takes a module for missing:
    /// whether its folder has anything by the path's last name, with any extension or none. The
    /// index does not hold what version control ignores, what is generated and what is no code.
    #[must_use]
    pub fn judge_with(
        &mut self,
        completion: &str,
        index: &Index,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Judgement {
        let found = self.findings(completion, index);
        let blocking = found.into_iter().find(|finding| {
            finding.blocks && !finding.places.iter().any(|place| exists(Path::new(place)))
        });
        blocking.map_or(Judgement::Known, Judgement::from)
    }

    /// Every name of the completion that could not be resolved, in the order of the text.
    #[must_use]
    pub fn findings(&mut self, completion: &str, index: &Index) -> Vec<Finding> {
        if self.passes_by_words(completion, index) {
            return Vec::new();
        }
        self.read_findings(completion, index)
    }

    /// The words of the completion say that there is nothing to find.
    pub(super) fn passes_by_words(&self, completion: &str, index: &Index) -> bool {
        let (language, file, words) = (self.language, [self.prefix, self.suffix], self.words());
        let near_imports = || {
            let words = || words_near_imports(language, file);
            self.near_imports.get_or_init(words)
        };
        index.read(language).is_none_or(|table| {
            prefilter::passes(language, file, completion, words, near_imports, &table)
        })
    }

    fn words(&self) -> &Words<'a> {
        let words = || Words::new(self.prefix, self.suffix);
        self.words.get_or_init(words)
    }

    /// [`Judge::findings`] by the tree, whatever the words say.
    pub(super) fn read_findings(&mut self, completion: &str, index: &Index) -> Vec<Finding> {
        let (language, last) = (self.language, self.last.take());
        let reading = Reading::new(
            language,
            self.prefix,
            completion,
            self.suffix,
            last,
            self.limit,
        );
        let Some(reading) = reading else {
            return Vec::new();
        };
        // The lock is taken behind the parse, so that a writer never waits for one.
        let found = match index.read(language) {
            Some(table) => {
                let (file, words) = ([self.prefix, self.suffix], self.words());
                check(&Scene::new(
                    language, &self.path, file, words, &reading, &table,
                ))
            }
            None => Vec::new(),
        };
        self.last = Some(reading);
        match !found.is_empty() && self.is_objective_c() {
            true => Vec::new(),
            false => found,
        }
    }

    /// A header by the extension of C++'s that C++'s grammar cannot read.
    fn is_objective_c(&self) -> bool {
        let telling = |line: &str| {
            line.trim_end() == "@end"
                || line.starts_with("#import ")
                || line.starts_with("@implementation ")
        };
        self.language == Language::Cpp
            && [self.prefix, self.suffix]
                .iter()
                .any(|text| text.lines().any(telling))
    }
}
