//! Taking rows out again: what a user wants forgotten, what is too old, what is too much.
//!
//! SQLite overwrites what is deleted (`secure_delete`), and [`forget`] folds the log into the file
//! and truncates it, so that a text that was forgotten stands nowhere in the journal's files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior, named_params};

use crate::clock::UnixMicros;
use crate::error::JournalError;
use crate::file::{self, Database};
use crate::withhold;

/// Suggestions that one transaction deletes at most: others wait for it.
const CHUNK: usize = 500;

/// How long [`forget`] waits for readers that keep the log from being truncated.
const TRUNCATE_WITHIN: Duration = Duration::from_secs(5);

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Everything.
    All,
    /// What was recorded before a time.
    Before(UnixMicros),
    /// A document, or all documents in a folder: an absolute path, or a URI.
    Path(String),
}

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Suggestions, with their outcomes and holes.
    pub suggestions: u64,
    /// Whether the log could be truncated. Where it could not, because someone was reading, its
    /// older pages hold deleted text until the next time.
    pub log_truncated: bool,
    /// Damaged journals that were set aside and are still there: what they hold cannot be looked through.
    pub set_aside: Vec<PathBuf>,
}

/// Deletes rows of the journal at `path` for good. Servers may go on writing it. With [`Selection::All`] damaged
/// journals that were set aside are deleted, too.
///
/// # Errors
/// If there is no journal, or it cannot be used.
pub fn forget(path: &Path, what: &Selection) -> Result<Forgotten, JournalError> {
    if !path.is_file() {
        return Err(JournalError::Missing {
            path: path.to_owned(),
        });
    }
    let database = Database::open(path, None, UnixMicros(0));
    let mut database = database.map_err(|error| JournalError::Unusable {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let salt = database.salt.clone();
    let (condition, value) = condition(what, &salt);
    let mut forgotten = Forgotten::default();
    loop {
        let deleted = delete(&mut database.connection, &condition, &value, CHUNK)?;
        forgotten.suggestions += deleted as u64;
        if deleted < CHUNK {
            break;
        }
    }
    orphans(&mut database.connection, what)?;
    forgotten.log_truncated = truncated(&database.connection)?;
    forgotten.set_aside =
        set_aside(path, *what == Selection::All).map_err(|error| JournalError::Unusable {
            path: path.to_owned(),
            reason: format!("damaged journals beside it: {error}"),
        })?;
    Ok(forgotten)
}

/// The journals that were set aside beside this one, after deleting them where that is wanted.
fn set_aside(path: &Path, delete: bool) -> std::io::Result<Vec<PathBuf>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let own = path.file_name().unwrap_or_default().to_string_lossy();
        if own
            .strip_prefix(&*name)
            .is_none_or(|rest| !rest.starts_with(file::SET_ASIDE))
        {
            continue;
        }
        match delete {
            true => std::fs::remove_file(&path)?,
            false => found.push(path),
        }
    }
    Ok(found)
}

/// Deletes what was recorded before a time, at most one chunk; says how many suggestions.
pub fn expire(db: &mut Connection, before: UnixMicros) -> rusqlite::Result<usize> {
    let (condition, value) = condition(&Selection::Before(before), &[]);
    let deleted = delete(db, &condition, &value, CHUNK)?;
    if deleted < CHUNK {
        orphans(db, &Selection::Before(before))?;
    }
    Ok(deleted)
}

/// Whether the file has reached its largest size, and no page of it is free.
pub fn is_at_limit(db: &Connection) -> rusqlite::Result<bool> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(pragma("page_count")? >= pragma("max_page_count")? - 2)
}

/// Makes room by deleting the oldest suggestions: a twentieth of all; says how many.
pub fn shed(db: &mut Connection) -> rusqlite::Result<usize> {
    let all: i64 = db.query_row("SELECT count(*) FROM suggestion", [], |row| row.get(0))?;
    let count = usize::try_from(all / 20).unwrap_or(0).clamp(1, CHUNK);
    delete(db, "TRUE", &rusqlite::types::Value::Null, count)
}

fn condition(what: &Selection, salt: &[u8]) -> (String, rusqlite::types::Value) {
    match what {
        Selection::All => ("TRUE".to_owned(), rusqlite::types::Value::Null),
        Selection::Before(at) => ("at < :value".to_owned(), at.0.into()),
        Selection::Path(path) => {
            let document = withhold::document_key(salt, path);
            let folder = withhold::folder_key(salt, path);
            let condition = format!("(document = '{document}' OR instr(folders, :value) > 0)");
            (condition, format!(" {folder} ").into())
        }
    }
}

/// Deletes the oldest suggestions that meet a condition, with all that belongs to them.
fn delete(
    db: &mut Connection,
    condition: &str,
    value: &rusqlite::types::Value,
    count: usize,
) -> rusqlite::Result<usize> {
    let step = begin(db)?;
    let mut select = step.prepare(&format!(
        "SELECT id FROM suggestion WHERE {condition} AND :value IS :value
         ORDER BY at, id LIMIT :count"
    ))?;
    let ids: Vec<String> = select
        .query_map(
            named_params! { ":value": value, ":count": count as i64 },
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    drop(select);
    for id in &ids {
        for table in [
            "outcome WHERE suggestion",
            "hole WHERE suggestion",
            "suggestion WHERE id",
        ] {
            step.prepare_cached(&format!("DELETE FROM {table} = ?"))?
                .execute([id])?;
        }
    }
    step.commit()?;
    Ok(ids.len())
}

/// Outcomes and holes that came after their suggestion was deleted. Those of a suggestion that
/// is only on its way are newer than a chunk's age, and stay.
fn orphans(db: &mut Connection, what: &Selection) -> rusqlite::Result<()> {
    let before = match what {
        Selection::All => i64::MAX,
        Selection::Before(at) => at.0,
        Selection::Path(_) => return Ok(()),
    };
    let step = begin(db)?;
    for table in ["outcome", "hole"] {
        step.execute(
            &format!(
                "DELETE FROM {table} WHERE at < ?
                 AND NOT EXISTS (SELECT 1 FROM suggestion WHERE id = {table}.suggestion)"
            ),
            [before],
        )?;
    }
    step.commit()
}

fn begin(db: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    db.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn truncated(db: &Connection) -> rusqlite::Result<bool> {
    let until = Instant::now() + TRUNCATE_WITHIN;
    loop {
        let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 || Instant::now() >= until {
            return Ok(busy == 0);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
