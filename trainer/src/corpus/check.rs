//! The contexts of a run by their ids, and what rows about them are checked against.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, ensure};
use sha2::{Digest, Sha256};

use super::hash::first_bytes;
use crate::progress::Progress;
use crate::rows::{Context, Negative, RowReader};

/// A context's id, in bytes.
pub type RowId = [u8; 12];

/// The contexts of a run, and whatever a step keeps of each. An entry costs about 24 bytes and
/// those of `T`.
pub struct ContextTable<T> {
    places: HashMap<RowId, u32>,
    facts: Vec<Facts<T>>,
    repeated: u64,
}

/// What is kept of a context.
pub struct Facts<T> {
    /// What restructured holes must rebuild.
    pub window: WindowCheck,
    /// The step's own.
    pub own: T,
}

impl<T> ContextTable<T> {
    /// Reads `contexts`, checks each, and keeps of each what `keep` gives. Of rows with one id the
    /// first counts: the same file may be in two repositories.
    ///
    /// # Errors
    /// A row that is wrong, by file and line.
    pub fn read(path: &Path, mut keep: impl FnMut(&Context) -> Result<T>) -> Result<Self> {
        let mut table = Self {
            places: HashMap::new(),
            facts: Vec::new(),
            repeated: 0,
        };
        let mut reader = RowReader::<Context>::open(path, "contexts")?;
        let progress = Progress::start("reading contexts", None);
        while let Some(context) = reader.next() {
            let context = context?;
            context.check().map_err(|found| reader.wrong(found))?;
            // A checked id is made of hex digits.
            let id = row_id(&context.id).unwrap_or_default();
            let std::collections::hash_map::Entry::Vacant(free) = table.places.entry(id) else {
                table.repeated += 1;
                continue;
            };
            free.insert(table.facts.len() as u32);
            table.facts.push(Facts {
                window: WindowCheck::of(&context),
                own: keep(&context)?,
            });
            progress.add(1);
        }
        ensure!(
            !table.facts.is_empty(),
            "{}: expected rows of contexts, found none",
            path.display()
        );
        Ok(table)
    }

    /// The place of a context in its file, from 0.
    pub fn place(&self, id: &str) -> Option<u32> {
        self.places.get(&row_id(id)?).copied()
    }

    /// Rows that were left out because their id stood before.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// What was kept, in the order of the file.
    pub fn facts(&self) -> &[Facts<T>] {
        &self.facts
    }

    /// What was kept, in the order of the file.
    pub fn facts_mut(&mut self) -> &mut [Facts<T>] {
        &mut self.facts
    }

    /// What was kept of the context at `place`.
    pub fn get(&self, place: u32) -> &Facts<T> {
        &self.facts[place as usize]
    }
}

/// Reads `negatives` one by one, each with the place of its context, each checked.
///
/// # Errors
/// A row that is wrong, has no context, or whose restructured hole does not rebuild the context's
/// window, by file and line; and what `each` says.
pub fn negatives<T>(
    path: &Path,
    contexts: &ContextTable<T>,
    mut each: impl FnMut(u32, Negative) -> Result<()>,
) -> Result<()> {
    let mut reader = RowReader::<Negative>::open(path, "negatives")?;
    let progress = Progress::start("reading negatives", None);
    while let Some(negative) = reader.next() {
        let negative = negative?;
        let Some(place) = contexts.place(&negative.context_id) else {
            let found = format!(
                "one for the context `{}`, which is not among the contexts; give the contexts that \
                 the negatives were generated from",
                negative.context_id
            );
            return Err(reader.wrong(found).into());
        };
        let window = &contexts.get(place).window;
        window
            .check(&negative)
            .map_err(|found| reader.wrong(found))?;
        each(place, negative)?;
        progress.add(1);
    }
    Ok(())
}

/// Enough of a context's window to tell whether a restructured hole rebuilds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowCheck {
    start: usize,
    hash: u64,
}

impl WindowCheck {
    /// Of a context.
    pub fn of(context: &Context) -> Self {
        Self {
            start: context.span.window_start,
            hash: joined_hash([&context.prefix, &context.golden, &context.suffix]),
        }
    }

    /// Says whether the split gives the context's window, byte for byte, without the context's text.
    ///
    /// # Errors
    /// A sentence that names what differs.
    pub fn check(&self, negative: &Negative) -> Result<(), String> {
        let Some(split) = &negative.split else {
            return Ok(());
        };
        if joined_hash([&split.prefix, &split.golden, &split.suffix]) != self.hash {
            return Err("a restructured hole that does not give the window's bytes".into());
        }
        if split.hole_start != self.start + split.prefix.len()
            || split.hole_end != split.hole_start + split.golden.len()
        {
            return Err("a restructured hole whose place does not fit its text".into());
        }
        Ok(())
    }
}

fn joined_hash(parts: [&str; 3]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    first_bytes(&hasher.finalize())
}

fn row_id(id: &str) -> Option<RowId> {
    let mut bytes = RowId::default();
    hex::decode_to_slice(id, &mut bytes).ok()?;
    Some(bytes)
}
