//! Temporary files that bring a context and its negatives together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::rows::{Context, Negative, RowReader, RowWriter};

/// Bytes of rows that are in memory at a time, about.
const PARTITION_BYTES: u64 = 64 << 20;

/// Files open at a time: two for each partition.
const MOST_PARTITIONS: u64 = 64;

/// Text shrinks about so much where a file is compressed.
const COMPRESSION: u64 = 5;

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
    folder: TempDir,
    parts: Vec<Part>,
}

struct Part {
    contexts: RowWriter<Context>,
    negatives: RowWriter<Negative>,
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
    /// An empty spool of `partitions`, in a temporary folder beside `output`, where there is room.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn beside(output: &Path, partitions: usize) -> Result<Self> {
        let parent = match output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let made = std::fs::create_dir_all(parent).and_then(|()| TempDir::new_in(parent));
        let folder = made.with_context(|| {
            format!(
                "{}: no temporary folder can be made there",
                parent.display()
            )
        })?;
        let part = |number| {
            Ok(Part {
                contexts: RowWriter::create(&contexts_path(&folder, number))?,
                negatives: RowWriter::create(&negatives_path(&folder, number))?,
            })
        };
        let parts = (0..partitions).map(part).collect::<Result<_>>()?;
        Ok(Self { folder, parts })
    }

    /// Adds a context.
    ///
    /// # Errors
    /// As where the disk is full.
    pub fn context(&mut self, partition: usize, context: &Context) -> Result<()> {
        Ok(self.parts[partition].contexts.write(context)?)
    }

    /// Adds a negative.
    ///
    /// # Errors
    /// As where the disk is full.
    pub fn negative(&mut self, partition: usize, negative: &Negative) -> Result<()> {
        Ok(self.parts[partition].negatives.write(negative)?)
    }

    /// Gives each partition's contexts in the order in which they were added, each with its
    /// negatives, and removes the files.
    ///
    /// # Errors
    /// What the file system says, and what `each` says.
    pub fn drain(self, mut each: impl FnMut(Vec<Item>) -> Result<()>) -> Result<()> {
        let count = self.parts.len();
        for part in self.parts {
            part.contexts.finish()?;
            part.negatives.finish()?;
        }
        for number in 0..count {
            each(items(&self.folder, number)?)?;
        }
        Ok(())
    }
}

fn items(folder: &TempDir, number: usize) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut places = HashMap::new();
    for context in RowReader::<Context>::open(&contexts_path(folder, number), "contexts")? {
        let context = context?;
        places.insert(context.id.clone(), items.len());
        items.push(Item {
            context,
            negatives: Vec::new(),
        });
    }
    for negative in RowReader::<Negative>::open(&negatives_path(folder, number), "negatives")? {
        let negative = negative?;
        if let Some(place) = places.get(&negative.context_id) {
            items[*place].negatives.push(negative);
        }
    }
    Ok(items)
}

fn contexts_path(folder: &TempDir, number: usize) -> PathBuf {
    folder.path().join(format!("{number}.contexts.jsonl.zst"))
}

fn negatives_path(folder: &TempDir, number: usize) -> PathBuf {
    folder.path().join(format!("{number}.negatives.jsonl.zst"))
}
