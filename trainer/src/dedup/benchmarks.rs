//! What benchmarks consist of, so that nothing of it is trained on.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::words::grams;

/// Words that a row and a benchmark must have in common in a row (the length that Qwen2.5-Coder and
/// Seed-Coder use).
const GRAM: usize = 10;

/// Names under which benchmarks give a repository.
const REPOS: [&str; 4] = ["repo_url", "source_repo", "repo", "repo_name"];
/// Names under which benchmarks give a path.
const PATHS: [&str; 2] = ["file_path", "path"];
/// Names of the parts of a file, in their order; the first found of each list counts.
const PARTS: [&[&str]; 3] = [
    &["prompt", "prefix", "eval_prompt"],
    &[
        "golden_completion",
        "canonical_solution",
        "ground_truth",
        "golden",
    ],
    &["suffix"],
];

/// Why a row must not be trained on.
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
    repos: HashSet<String>,
    paths: HashSet<String>,
    grams: HashSet<u64>,
}

impl Benchmarks {
    /// Adds the rows of a benchmark's own file: `.csv` with a header, or JSON lines; either may be
    /// compressed with gzip (`.gz`) or zstd (`.zst`).
    ///
    /// # Errors
    /// Where the file cannot be read, or a row has none of the fields that say what it is about.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let read = || -> Result<String> {
            let file = std::fs::File::open(path)?;
            let mut text = String::new();
            match extension(path) {
                "gz" => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)?,
                "zst" => zstd::Decoder::new(file)?.read_to_string(&mut text)?,
                _ => std::io::BufReader::new(file).read_to_string(&mut text)?,
            };
            Ok(text)
        };
        let name = path.display();
        let text = read().with_context(|| format!("{name}: the benchmark cannot be read"))?;
        let inner = match extension(path) {
            "gz" | "zst" => extension(Path::new(path.file_stem().unwrap_or_default())),
            plain => plain,
        };
        let rows = if inner == "csv" {
            csv_rows(&text)
        } else {
            json_rows(&text)
        };
        for (number, row) in rows.enumerate() {
            let row =
                row.with_context(|| format!("{name}: row {} of the benchmark", number + 1))?;
            if !self.add_row(&row) {
                bail!(
                    "{name}: row {} of the benchmark: expected one of the fields {}, {} or {}, \
                     found none",
                    number + 1,
                    REPOS.join(", "),
                    PATHS.join(", "),
                    PARTS.concat().join(", "),
                );
            }
        }
        Ok(())
    }

    /// Adds one row; false where nothing in it is known.
    fn add_row(&mut self, row: &Value) -> bool {
        let field = |names: &[&str]| {
            let found = names.iter().find_map(|name| row.get(*name)?.as_str());
            found.filter(|text| !text.trim().is_empty())
        };
        let (repo, path) = (field(&REPOS), field(&PATHS));
        self.repos.extend(repo.map(plain_repo));
        self.paths.extend(path.map(str::to_owned));
        let parts = PARTS.map(field);
        let text: String = parts.iter().flatten().copied().collect();
        self.grams.extend(grams(&text, GRAM));
        repo.is_some() || path.is_some() || !text.is_empty()
    }

    /// Whether nothing is known of any benchmark.
    pub fn is_empty(&self) -> bool {
        self.repos.is_empty() && self.paths.is_empty() && self.grams.is_empty()
    }

    /// What `text` at `path` of `repo` has in common with a benchmark.
    pub fn overlap(&self, repo: &str, path: &str, text: &str) -> Option<Overlap> {
        if self.repos.contains(&plain_repo(repo)) {
            Some(Overlap::Repository)
        } else if self.paths.contains(path) {
            Some(Overlap::Path)
        } else if !self.grams.is_empty() && grams(text, GRAM).any(|gram| self.grams.contains(&gram))
        {
            Some(Overlap::Text)
        } else {
            None
        }
    }
}

/// `owner/name` of a repository's address, in lower case.
fn plain_repo(repo: &str) -> String {
    let repo = repo.trim().trim_end_matches('/').trim_end_matches(".git");
    let parts: Vec<&str> = repo.rsplit(['/', ':']).take(2).collect();
    let name = parts.into_iter().rev().collect::<Vec<_>>().join("/");
    name.to_lowercase()
}

fn extension(path: &Path) -> &str {
    path.extension()
        .and_then(|name| name.to_str())
        .unwrap_or("")
}

fn json_rows(text: &str) -> Box<dyn Iterator<Item = Result<Value>> + '_> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Box::new(lines.map(|line| Ok(serde_json::from_str(line)?)))
}

fn csv_rows(text: &str) -> Box<dyn Iterator<Item = Result<Value>> + '_> {
    let reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.into_deserialize::<std::collections::BTreeMap<String, String>>();
    Box::new(rows.map(|row| Ok(serde_json::to_value(row?)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_read_in_their_own_form() {
        let folder = tempfile::tempdir().expect("a folder");
        let csv = folder.path().join("b.csv");
        let text = "file_path,prompt,suffix,golden_completion,repo_url\n\
                    src/a.go,\"one two three\nfour five\",eight nine ten,six seven,https://github.com/Own/Name.git\n";
        std::fs::write(&csv, text).expect("written");
        let json = folder.path().join("b.jsonl.zst");
        let line = "{\"task_id\": \"t\", \"prompt\": \"def f():\", \"canonical_solution\": \"p q r s t u v w x y z\"}\n";
        std::fs::write(&json, zstd::encode_all(line.as_bytes(), 1).expect("zstd"))
            .expect("written");
        let mut benchmarks = Benchmarks::default();
        benchmarks.add_file(&csv).expect("read");
        benchmarks.add_file(&json).expect("read");
        let overlap = |repo, path, text| benchmarks.overlap(repo, path, text);
        assert_eq!(overlap("own/name", "x", ""), Some(Overlap::Repository));
        assert_eq!(
            overlap("github.com/own/NAME", "x", ""),
            Some(Overlap::Repository)
        );
        assert_eq!(overlap("other/name", "src/a.go", ""), Some(Overlap::Path));
        assert_eq!(
            overlap(
                "o/n",
                "x",
                "(one) two three four five sixseven six seven eight nine ten"
            ),
            None
        );
        let ten = "a q r s t u v w x y z p q r s t u v w x y z";
        assert_eq!(overlap("o/n", "x", ten), Some(Overlap::Text));
    }

    #[test]
    fn a_file_that_is_no_benchmark_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("b.jsonl");
        std::fs::write(&path, "{\"a\": 1}\n").expect("written");
        let error = Benchmarks::default()
            .add_file(&path)
            .expect_err("refused")
            .to_string();
        assert!(
            error.contains("b.jsonl: row 1") && error.contains("file_path"),
            "{error}"
        );
    }
}
