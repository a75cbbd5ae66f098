//! Temporary files that bring a context and its negatives together.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::work::WorkFolder;
use crate::rows::{Context, Negative, Split};

/// Bytes of rows that are in memory at a time, about.
const PARTITION_BYTES: u64 = 64 << 20;

/// Partitions at most. They are written one after the other, so none costs an open file.
const MOST_PARTITIONS: u64 = 4096;

/// How far a compressed file grows at most, about: negatives repeat their context's window. Too much
/// here makes the partitions smaller and does no harm.
const COMPRESSION: u64 = 20;

/// Bytes that wait to be written, over all partitions, and for one.
const WAITING: usize = 64 << 20;
const WAITING_FOR_ONE: usize = 256 << 10;

/// Compression that costs next to no time.
const LEVEL: i32 = 1;

/// A context with its negatives.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The context.
    pub context: Context,
    /// Its negatives, in the order in which they were given.
    pub negatives: Vec<Negative>,
}

/// Rows on their way from the order of files to the order of contexts. Whoever fills it decides
/// which partition a context goes to; its negatives go to the same.
pub struct Spool {
    folder: WorkFolder,
    /// Lines that wait to be written.
    parts: Vec<Vec<u8>>,
    /// Bytes of one partition that may wait.
    most: usize,
}

/// A line of a temporary file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<C, N> {
    Context(C),
    Negative(N),
}

/// How many partitions keep each within memory, for files of rows.
pub fn partitions_for(files: &[&Path]) -> usize {
    let bytes = |path: &&Path| {
        let bytes = std::fs::metadata(path).map_or(0, |about| about.len());
        let compressed = path.extension().is_some_and(|name| name == "zst");
        if compressed {
            bytes * COMPRESSION
        } else {
            bytes
        }
    };
    let total: u64 = files.iter().map(bytes).sum();
    total.div_ceil(PARTITION_BYTES).clamp(1, MOST_PARTITIONS) as usize
}

impl Spool {
    /// An empty spool of `partitions`, in a folder beside `output`, where there is room.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn beside(output: &Path, partitions: usize) -> Result<Self> {
        Ok(Self {
            folder: WorkFolder::beside(output, "rows")?,
            parts: vec![Vec::new(); partitions],
            most: (WAITING / partitions.max(1)).min(WAITING_FOR_ONE),
        })
    }

    /// Adds a context; before its negatives.
    ///
    /// # Errors
    /// As where the disk is full.
    pub fn context(&mut self, partition: usize, context: &Context) -> Result<()> {
        self.line(partition, &Line::<_, ()>::Context(context))
    }

    /// Adds a negative. Of a restructured hole stays its place: its text is the window's.
    ///
    /// # Errors
    /// As where the disk is full.
    pub fn negative(&mut self, partition: usize, negative: &Negative) -> Result<()> {
        let place = |split: &Split| Split {
            prefix: String::new(),
            golden: String::new(),
            suffix: String::new(),
            ..*split
        };
        let slim = Negative {
            context_id: negative.context_id.clone(),
            kind: negative.kind,
            generator: negative.generator.clone(),
            prompt_version: negative.prompt_version.clone(),
            rejected: negative.rejected.clone(),
            split: negative.split.as_ref().map(place),
        };
        self.line(partition, &Line::<(), _>::Negative(slim))
    }

    fn line(&mut self, partition: usize, line: &impl Serialize) -> Result<()> {
        let waiting = &mut self.parts[partition];
        serde_json::to_writer(&mut *waiting, line)?;
        waiting.push(b'\n');
        if waiting.len() >= self.most {
            self.write(partition)?;
        }
        Ok(())
    }

    /// Appends what waits as a frame of its own: frames in a row are one text.
    fn write(&mut self, partition: usize) -> Result<()> {
        let waiting = std::mem::take(&mut self.parts[partition]);
        let path = part_path(&self.folder, partition);
        let append = || {
            let frame = zstd::bulk::compress(&waiting, LEVEL)?;
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(&frame)
        };
        append().with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// Gives each partition's contexts in the order in which they were added, each with its
    /// negatives, and removes the files.
    ///
    /// # Errors
    /// What the file system says, and what `each` says.
    pub fn drain(mut self, mut each: impl FnMut(Vec<Item>) -> Result<()>) -> Result<()> {
        for partition in 0..self.parts.len() {
            if !self.parts[partition].is_empty() {
                self.write(partition)?;
            }
        }
        for partition in 0..self.parts.len() {
            let path = part_path(&self.folder, partition);
            if path.exists() {
                let read = items(&path);
                each(read.with_context(|| format!("{}: cannot be read", path.display()))?)?;
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

fn items(path: &Path) -> Result<Vec<Item>> {
    let mut items: Vec<Item> = Vec::new();
    let mut places = HashMap::new();
    let file = BufReader::new(zstd::Decoder::new(std::fs::File::open(path)?)?);
    for line in file.lines() {
        match serde_json::from_str(&line?)? {
            Line::Context(context) => {
                let context: Context = context;
                places.insert(context.id.clone(), items.len());
                items.push(Item {
                    context,
                    negatives: Vec::new(),
                });
            }
            Line::Negative(negative) => {
                let mut negative: Negative = negative;
                let Some(place) = places.get(&negative.context_id) else {
                    continue;
                };
                let item: &mut Item = &mut items[*place];
                if let Some(split) = &mut negative.split {
                    fill(split, &item.context)?;
                }
                item.negatives.push(negative);
            }
        }
    }
    Ok(items)
}

/// Takes a restructured hole's text from the window.
fn fill(split: &mut Split, context: &Context) -> Result<()> {
    let window = context.window();
    let start = split.hole_start.checked_sub(context.span.window_start);
    let end = split.hole_end.checked_sub(context.span.window_start);
    let cut = start.zip(end).and_then(|(start, end)| {
        let parts = (window.get(..start)?, window.get(start..end)?);
        Some((parts.0, parts.1, window.get(end..)?))
    });
    let Some((prefix, golden, suffix)) = cut else {
        bail!("a hole outside of the window of `{}`", context.id);
    };
    split.prefix = prefix.to_owned();
    split.golden = golden.to_owned();
    split.suffix = suffix.to_owned();
    Ok(())
}

fn part_path(folder: &WorkFolder, partition: usize) -> PathBuf {
    folder.path().join(format!("{partition:04}.jsonl.zst"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{HallucinationType, HoleKind, Span};
    use truefill_syntax::Language;

    fn context(number: usize) -> Context {
        let span = Span {
            file_sha256: format!("{number:064}"),
            window_start: 7,
            hole_start: 21,
            hole_end: 24,
        };
        Context {
            id: span.id(),
            language: Language::Python,
            repo: "r".into(),
            license: "MIT".into(),
            path: "a.py".into(),
            hole_kind: HoleKind::CallSite,
            prefix: "import ü\nx = ".into(),
            golden: "f()".into(),
            suffix: "\n".repeat(40_000),
            span,
        }
    }

    fn import(context: &Context) -> Negative {
        let window = context.window();
        Negative {
            context_id: context.id.clone(),
            kind: HallucinationType::Import,
            generator: "g".into(),
            prompt_version: "1".into(),
            rejected: "import y".into(),
            split: Some(Split {
                prefix: String::new(),
                golden: window[..9].into(),
                suffix: window[9..].into(),
                hole_start: 7,
                hole_end: 16,
            }),
        }
    }

    #[test]
    fn rows_come_back_with_their_contexts_and_leave_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::beside(&folder.path().join("out.jsonl"), 3).expect("made");
        let contexts: Vec<Context> = (0..50).map(context).collect();
        for (number, context) in contexts.iter().enumerate() {
            spool.context(number % 3, context).expect("room");
        }
        for (number, context) in contexts.iter().enumerate().rev() {
            spool.negative(number % 3, &import(context)).expect("room");
        }
        let mut back = Vec::new();
        let mut parts = 0;
        spool
            .drain(|items| {
                parts += 1;
                back.extend(items);
                Ok(())
            })
            .expect("read");
        assert_eq!((parts, back.len()), (3, 50));
        for item in back {
            assert_eq!(item.negatives, [import(&item.context)]);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 0);
    }

    #[test]
    fn large_files_have_as_many_partitions_as_they_need() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.jsonl");
        let file = std::fs::File::create(&path).expect("made");
        for (bytes, partitions) in [(0, 1), (64 << 20, 1), ((64 << 20) + 1, 2), (14 << 30, 224)] {
            file.set_len(bytes).expect("sparse");
            assert_eq!(partitions_for(&[&path]), partitions);
        }
    }
}
