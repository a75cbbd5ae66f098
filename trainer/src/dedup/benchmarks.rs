//! Benchmarks: what a model is measured with is neither mined nor trained on.
//!
//! A benchmark is a JSONL or CSV file, packed (`.gz`, `.zst`) or not, one problem a row. A file is
//! left out when its repository is in a benchmark, when a problem has its path, or when it shares
//! ten words in a row with a problem's text (as Qwen2.5-Coder and Seed-Coder decontaminate). Words
//! are counted outside of comments and imports: a licence's header and a run of imports are in
//! thousands of files, and would leave out most of a language.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::words::{gram, hash, words};
use crate::mine::repository_name;

/// Words in a row.
const GRAM: usize = 10;

/// Different words that a gram needs: `0, 0, 0, 0…` is no sign of anything.
const DIFFERENT: usize = 5;

/// Columns with a repository, with a path, and with text. Texts are joined in this order; the first
/// that is found of each list counts.
const REPOSITORIES: &[&str] = &["repo_url", "source_repo", "repo", "repository", "repo_name"];
const PATHS: &[&str] = &["file_path", "path", "file"];
const TEXTS: &[&[&str]] = &[
    &["prompt", "prefix", "eval_prompt"],
    &[
        "golden_completion",
        "golden",
        "canonical_solution",
        "ground_truth",
        "groundtruth",
        "solution",
    ],
    &["suffix", "right_context"],
    &["test"],
];

/// An object with further columns (CrossCodeEval).
const METADATA: &str = "metadata";

/// Paths with fewer folders say nothing: `src/main.rs` is in every repository.
const PATH_PARTS: usize = 4;

/// Why a text must not be trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overlap {
    /// A benchmark has rows from its repository.
    Repository,
    /// A benchmark has a file of this path.
    Path,
    /// Ten words in a row stand in a benchmark.
    Text,
}

/// Repositories, paths and runs of words of benchmarks. A run costs about 10 bytes.
#[derive(Debug, Default)]
pub struct Benchmarks {
    repositories: HashSet<String>,
    paths: HashSet<u64>,
    grams: HashSet<u64>,
}

impl Benchmarks {
    /// Adds a benchmark.
    ///
    /// # Errors
    /// Where the file cannot be read, or has no column that names a repository, a path or a text.
    pub fn read(&mut self, path: &Path) -> Result<()> {
        let shown = path.display();
        let name = path.to_string_lossy();
        let inner = name.trim_end_matches(".gz").trim_end_matches(".zst");
        let known = if inner.ends_with(".csv") {
            self.read_csv(path)
        } else {
            self.read_jsonl(path)
        };
        let known =
            known.with_context(|| format!("{shown}: expected a benchmark (JSONL or CSV)"))?;
        ensure!(
            known > 0,
            "{shown}: expected columns like `repo_url`, `file_path`, `prompt`, `golden_completion` or \
             `suffix`, found none of them; nothing would be left out"
        );
        Ok(())
    }

    fn read_csv(&mut self, path: &Path) -> Result<usize> {
        let mut reader = csv::Reader::from_reader(open(path)?);
        let header = reader.headers()?.clone();
        let mut known = 0;
        for row in reader.records() {
            let row = row?;
            let cell = |name: &str| {
                let at = header.iter().position(|column| column == name)?;
                row.get(at).map(str::to_owned)
            };
            known += self.add(&cell);
        }
        Ok(known)
    }

    fn read_jsonl(&mut self, path: &Path) -> Result<usize> {
        let rows = serde_json::Deserializer::from_reader(open(path)?).into_iter::<Value>();
        let mut known = 0;
        for row in rows {
            let row = row?;
            let rows = [Some(&row), row.get(METADATA)];
            let cell = |name: &str| rows.iter().find_map(|row| (*row)?.get(name)?.as_str());
            known += self.add(&|name| cell(name).map(str::to_owned));
        }
        Ok(known)
    }

    /// Adds a problem; how many of its columns were known.
    fn add(&mut self, cell: &dyn Fn(&str) -> Option<String>) -> usize {
        let first = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| cell(name))
                .filter(|text| !text.is_empty())
        };
        let repository = first(REPOSITORIES);
        let path = first(PATHS);
        let texts: Vec<String> = TEXTS.iter().filter_map(|names| first(names)).collect();
        let known = usize::from(repository.is_some()) + usize::from(path.is_some()) + texts.len();
        self.repositories.extend(
            repository
                .as_deref()
                .and_then(|it| short_name(it).or_else(|| dashed(it))),
        );
        if let Some(path) = path.filter(|path| path.split('/').count() >= PATH_PARTS) {
            self.paths.insert(hash(path.as_bytes()));
        }
        self.grams.extend(telling_grams(&texts.concat()));
        known
    }

    /// How many repositories, paths and runs of words they have: a zero is a rule that leaves
    /// nothing out.
    pub fn sizes(&self) -> [(&'static str, usize); 3] {
        [
            ("repositories", self.repositories.len()),
            ("paths", self.paths.len()),
            ("word-runs", self.grams.len()),
        ]
    }

    /// A repository, by its name or URL, is in a benchmark.
    pub fn has_repository(&self, name: &str) -> bool {
        let known = |name: &str| self.repositories.contains(name);
        !self.repositories.is_empty()
            && short_name(name).is_some_and(|name| known(&name) || known(&name.replace('/', "-")))
    }

    /// A problem has this path, with or without the archive's own folder.
    pub fn has_path(&self, path: &str) -> bool {
        let without_root = path.split_once('/').map_or(path, |(_, rest)| rest);
        !self.paths.is_empty()
            && [path, without_root]
                .iter()
                .any(|path| self.paths.contains(&hash(path.as_bytes())))
    }

    /// The text shares ten words in a row with a problem.
    pub fn has_text(&self, text: &str) -> bool {
        !self.grams.is_empty() && telling_grams(text).any(|gram| self.grams.contains(&gram))
    }

    /// What `text` at `path` of `repository` has in common with a benchmark.
    pub fn overlap(&self, repository: &str, path: &str, text: &str) -> Option<Overlap> {
        if self.has_repository(repository) {
            Some(Overlap::Repository)
        } else if self.has_path(path) {
            Some(Overlap::Path)
        } else {
            self.has_text(text).then_some(Overlap::Text)
        }
    }
}

/// A file, unpacked where its name says that it is packed.
fn open(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    let file = BufReader::new(File::open(path)?);
    let extension = path.extension().and_then(|end| end.to_str());
    Ok(match extension {
        Some("gz") => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        Some("zst") => Box::new(BufReader::new(zstd::Decoder::with_buffer(file)?)),
        _ => Box::new(file),
    })
}

/// `owner/name`, in small letters: hosts and schemes differ between lists.
fn short_name(name: &str) -> Option<String> {
    let whole = repository_name(name).unwrap_or_else(|| name.to_owned());
    let mut parts = whole.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    Some(format!("{owner}/{name}").to_ascii_lowercase())
}

/// `owner-name` of `owner-name-commit`, in small letters: how CrossCodeEval names repositories.
fn dashed(name: &str) -> Option<String> {
    let (name, commit) = name.rsplit_once('-')?;
    let is_commit = commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_commit && name.contains('-')).then(|| name.to_ascii_lowercase())
}

/// Hashes of ten words in a row, in code alone.
fn telling_grams(text: &str) -> impl Iterator<Item = u64> {
    let lines = text.lines().filter(|line| is_telling(line.trim_start()));
    let words = lines.flat_map(words).map(|word| hash(word.as_bytes()));
    let words: Vec<u64> = words.collect();
    // A text of fewer words has no gram: it is too little to say anything.
    (GRAM..=words.len()).filter_map(move |end| {
        let run = &words[end - GRAM..end];
        let fresh = |at: &usize| !run[..*at].contains(&run[*at]);
        ((0..GRAM).filter(fresh).count() >= DIFFERENT).then(|| gram(run))
    })
}

fn is_telling(line: &str) -> bool {
    const STARTS: &[&str] = &[
        "//",
        "#",
        "*",
        "/*",
        "import ",
        "from ",
        "use ",
        "using ",
        "package ",
        "require",
        "include",
        "namespace ",
        "\"\"\"",
        "<?php",
        "export * from",
        "mod ",
        "pub mod ",
    ];
    !STARTS.iter().any(|start| line.starts_with(start))
        // `const x = require("x")`, and the lines of Go's import block.
        && !line.contains("= require(")
        && !line.starts_with('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str =
        "total = alpha + beta * gamma - delta / epsilon + zeta\nreturn first(total, second)\n";

    fn benchmarks() -> Benchmarks {
        let folder = tempfile::tempdir().expect("a folder");
        let csv = folder.path().join("b.csv");
        let code = CODE.replace('"', "\"\"");
        let text = format!(
            "repo_url,file_path,prompt,golden_completion,suffix\nhttps://github.com/Own/Name,a/b/c/d.py,\"x\n\",\"{code}\",\"y\"\n"
        );
        std::fs::write(&csv, text).expect("written");
        let jsonl = folder.path().join("b.jsonl");
        let rows = "{\"prompt\": \"def f():\", \"task_id\": 1}\n{\"prompt\": \"\", \"metadata\": \
            {\"repository\": \"Deep-In-Meta-a544085\", \"file\": \"src/a/b/e.py\"}}\n";
        std::fs::write(&jsonl, rows).expect("written");
        let packed = folder.path().join("c.jsonl.zst");
        let line = "{\"source_repo\": \"Packed/One\"}\n";
        let bytes = zstd::encode_all(line.as_bytes(), 1).expect("zstd");
        std::fs::write(&packed, bytes).expect("written");
        let mut benchmarks = Benchmarks::default();
        benchmarks.read(&packed).expect("a benchmark");
        benchmarks.read(&csv).expect("a benchmark");
        benchmarks.read(&jsonl).expect("a benchmark");
        benchmarks
    }

    #[test]
    fn repositories_paths_and_texts_are_known() {
        let benchmarks = benchmarks();
        for (name, expected) in [
            ("github.com/own/name", true),
            ("git@github.com:own/name.git", true),
            ("host/packed/one", true),
            ("github.com/deep-in/meta", true),
            ("github.com/deep/in-meta", true),
            ("github.com/deep/meta", false),
            ("name-1.0", false),
        ] {
            assert_eq!(benchmarks.has_repository(name), expected, "{name}");
        }
        assert!(benchmarks.has_path("a/b/c/d.py") && benchmarks.has_path("root-1.0/a/b/c/d.py"));
        assert!(benchmarks.has_path("src/a/b/e.py") && !benchmarks.has_path("c/d.py"));
        let sizes = [("repositories", 3), ("paths", 2), ("word-runs", 4)];
        assert_eq!(benchmarks.sizes(), sizes);
        assert!(benchmarks.has_text(&format!("x = 1\n{CODE}")));
        assert!(!benchmarks.has_text("total = alpha + beta\n"));
        assert!(!benchmarks.has_text(&CODE.replace("gamma", "other")));
    }

    #[test]
    fn imports_and_comments_say_nothing() {
        let commented: String = CODE.lines().map(|line| format!("# {line}\n")).collect();
        assert!(!benchmarks().has_text(&commented));
        assert_eq!(telling_grams("import a b c d e f g h i j k\n").count(), 0);
        assert_eq!(telling_grams("0 0 0 0 0 0 0 0 0 0 0\n").count(), 0);
    }

    #[test]
    fn a_file_without_known_columns_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("b.jsonl");
        std::fs::write(&path, "{\"x\": 1}\n").expect("written");
        let error = Benchmarks::default().read(&path).expect_err("refused");
        assert!(error.to_string().contains("repo_url"), "{error}");
    }
}
