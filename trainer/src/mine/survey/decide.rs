//! Which files are mined, when all are known: percentiles and duplicates.
//!
//! Of a file stay 32 bytes here, 512 bytes of signature and, while duplicates are looked for, 16
//! bytes of a band and 4 of its group: about 600 bytes with the hashes of exact duplicates, or 240
//! MB at 400,000 files (the list of signatures grows by doubling: up to 0.5 GB for a moment). The
//! rows of one source at a time, about 800 bytes a file, come on top while it is read.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use truefill_syntax::Language;

use super::FileRow;
use crate::dedup::minhash::Signatures;
use crate::mine::reason::Reason;
use crate::mine::recipe::Recipe;

/// What stays of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its language.
    pub language: Language,
    /// Why it is left out.
    pub refused: Option<Reason>,
    /// Its bytes.
    pub bytes: u32,
    /// Its lines.
    pub lines: u32,
    /// The first half of its SHA-256.
    pub hash: u128,
}

/// The limits of a language's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Files that the percentiles are taken over.
    pub files: u64,
    /// Bytes, lowest and highest.
    pub bytes: [u32; 2],
    /// Lines, lowest and highest.
    pub lines: [u32; 2],
}

/// All files of all sources, in their order.
#[derive(Default)]
pub struct Census {
    /// The files.
    pub files: Vec<File>,
    /// Where each source's files start in `files`; one more than sources.
    pub starts: Vec<usize>,
    signatures: Signatures,
    signed: Vec<u32>,
}

impl Census {
    /// Adds a source's files.
    pub fn add(&mut self, rows: &[FileRow]) {
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        for row in rows {
            if let Some(signature) = row.signature.as_deref().filter(|_| row.refused.is_none()) {
                self.signatures.push(signature);
                self.signed.push(self.files.len() as u32);
            }
            self.files.push(File {
                language: row.language,
                refused: row.refused,
                bytes: row.bytes,
                lines: row.lines,
                hash: half(&row.sha256),
            });
        }
        self.starts.push(self.files.len());
    }

    /// The file `number` of `source`.
    pub fn file(&self, source: usize, number: u32) -> Option<&File> {
        let range = *self.starts.get(source)?..*self.starts.get(source + 1)?;
        self.files.get(range)?.get(number as usize)
    }

    /// Some file of `source` stays.
    pub fn has_files(&self, source: usize) -> bool {
        let range = self.starts.get(source).zip(self.starts.get(source + 1));
        let files = range.and_then(|(start, end)| self.files.get(*start..*end));
        files.is_some_and(|files| files.iter().any(|file| file.refused.is_none()))
    }

    /// Bytes of the files that stay, of the source `from` and those behind it.
    pub fn bytes_from(&self, from: usize) -> u64 {
        let start = self.starts.get(from).copied().unwrap_or(self.files.len());
        let files = self.files.get(start..).unwrap_or_default().iter();
        let stay = files.filter(|file| file.refused.is_none());
        stay.map(|file| u64::from(file.bytes)).sum()
    }

    /// Leaves out what lies outside of the percentiles, then duplicates, then near-duplicates; of
    /// these the first file stays. Gives the signatures' memory back.
    pub fn decide(&mut self, recipe: &Recipe) -> BTreeMap<Language, Percentiles> {
        let limits = self.percentiles(recipe.percentiles);
        for file in self.files.iter_mut().filter(|file| file.refused.is_none()) {
            let Some(limit) = limits.get(&file.language) else {
                continue;
            };
            let outside = |value, [low, high]: [u32; 2]| value < low || value > high;
            if outside(file.bytes, limit.bytes) {
                file.refused = Some(Reason::Size);
            } else if outside(file.lines, limit.lines) {
                file.refused = Some(Reason::Lines);
            }
        }
        let mut seen = HashSet::new();
        for file in self.files.iter_mut().filter(|file| file.refused.is_none()) {
            if !seen.insert(file.hash) {
                file.refused = Some(Reason::Duplicate);
            }
        }
        drop(seen);
        self.leave_out_near_duplicates(recipe.near_duplicate);
        limits
    }

    /// Only files that are still in are compared, so that a file which is left out takes no other
    /// with it.
    fn leave_out_near_duplicates(&mut self, threshold: f64) {
        let all = std::mem::take(&mut self.signatures);
        let signed = std::mem::take(&mut self.signed);
        let in_play: Vec<bool> = signed
            .iter()
            .map(|&file| self.files[file as usize].refused.is_none())
            .collect();
        let kept = all.only(&in_play);
        let numbers = signed.iter().zip(&in_play).filter(|(_, in_play)| **in_play);
        for ((&file, _), duplicate) in numbers.zip(kept.duplicates(threshold)) {
            if duplicate {
                self.files[file as usize].refused = Some(Reason::NearDuplicate);
            }
        }
    }

    fn percentiles(&self, [low, high]: [f64; 2]) -> BTreeMap<Language, Percentiles> {
        let mut by_language: BTreeMap<Language, [Vec<u32>; 2]> = BTreeMap::new();
        for file in self.files.iter().filter(|file| file.refused.is_none()) {
            let [bytes, lines] = by_language.entry(file.language).or_default();
            bytes.push(file.bytes);
            lines.push(file.lines);
        }
        by_language
            .into_iter()
            .map(|(language, [mut bytes, mut lines])| {
                bytes.sort_unstable();
                lines.sort_unstable();
                let of = |sorted: &[u32]| [rank(sorted, low), rank(sorted, high)];
                let limits = Percentiles {
                    files: bytes.len() as u64,
                    bytes: of(&bytes),
                    lines: of(&lines),
                };
                (language, limits)
            })
            .collect()
    }
}

/// The nearest rank below or at a percentile.
fn rank(sorted: &[u32], percentile: f64) -> u32 {
    let at = (sorted.len().saturating_sub(1)) as f64 * percentile / 100.0;
    let at = if percentile > 50.0 {
        at.ceil()
    } else {
        at.floor()
    };
    sorted.get(at as usize).copied().unwrap_or(0)
}

/// The first half of a hash in hex.
pub fn half(sha256: &str) -> u128 {
    sha256
        .get(..32)
        .and_then(|half| u128::from_str_radix(half, 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedup::Benchmarks;
    use crate::mine::source::stream::Code;
    use crate::mine::survey::survey;

    fn row(name: &str, text: String) -> FileRow {
        let code = Code {
            number: 0,
            path: name.to_owned(),
            language: Language::from_path(name.as_ref()).expect("known"),
            body: Ok(text.into_bytes()),
        };
        survey(&code, &Benchmarks::default())
    }

    fn text(seed: usize, lines: usize) -> String {
        (0..lines)
            .map(|line| format!("name_{seed}_{line} = call_{seed}({line})\n"))
            .collect()
    }

    /// What is large in one language is usual in another.
    #[test]
    fn each_language_has_percentiles_of_its_own() {
        let mut rows: Vec<FileRow> = Vec::new();
        for at in 0..60 {
            rows.push(row("a.py", text(at, 20 + at / 10)));
            rows.push(row("a.rb", text(100 + at, 400 + at)));
        }
        rows.push(row("as-in-ruby.py", text(200, 430)));
        rows.push(row("as-in-python.rb", text(300, 23)));
        let mut census = Census::default();
        census.add(&rows);
        let limits = census.decide(&Recipe::default());
        let files = [Language::Python, Language::Ruby].map(|it| limits[&it].files);
        assert_eq!(files, [61, 61]);
        let refused = [120, 121].map(|at: usize| census.files[at].refused);
        assert_eq!(refused, [Some(Reason::Size); 2]);
        // The median ones stay.
        assert_eq!(
            [60, 61].map(|at: usize| census.files[at].refused),
            [None; 2]
        );
    }

    #[test]
    fn outliers_and_duplicates_are_left_out() {
        let mut rows: Vec<FileRow> = (0..100)
            .map(|at| row("a.py", text(at, 20 + at / 10)))
            .collect();
        rows.push(row("huge.py", text(200, 900)));
        rows.push(row("tiny.py", text(300, 1)));
        rows.push(row("same.py", text(7, 20)));
        rows.push(row("near.py", text(50, 25) + "x = 1\n"));
        let mut census = Census::default();
        census.add(&rows[..50]);
        census.add(&rows[50..]);
        let limits = census.decide(&Recipe::default());
        assert_eq!(limits[&Language::Python].files, 104);
        let refused = |at: usize| census.files[at].refused;
        assert_eq!(refused(100), Some(Reason::Size));
        assert_eq!(refused(101), Some(Reason::Size));
        assert_eq!(refused(102), Some(Reason::Duplicate));
        assert_eq!(refused(103), Some(Reason::NearDuplicate));
        assert_eq!(refused(50), None);
        assert_eq!(census.file(1, 0), Some(&census.files[50]));
        assert_eq!(census.file(1, 99), None);
        assert!(std::mem::size_of::<File>() <= 32);
    }
}
