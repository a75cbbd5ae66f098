//! Reads suggestions with their outcomes back.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, named_params};

use crate::clock::UnixMicros;
use crate::error::JournalError;
use crate::file::{self, Database};
use crate::id::SuggestionId;
use crate::record::Stages;
use crate::row::{HoleRow, OutcomeRow, SuggestionRow};
use crate::schema::{self, SCHEMA_VERSION};
use crate::{varint, withhold};

/// A journal opened for reading, while others may be writing it.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

/// Which suggestions to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Recorded at this time or later.
    pub since: Option<UnixMicros>,
    /// Recorded before this time.
    pub until: Option<UnixMicros>,
}

impl Reader {
    /// Opens the journal at `path`; one of an older version is brought up first.
    ///
    /// # Errors
    /// If there is none, or it cannot be used.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        if !path.is_file() {
            return Err(JournalError::Missing {
                path: path.to_owned(),
            });
        }
        let unusable = |reason: String| JournalError::Unusable {
            path: PathBuf::from(path),
            reason,
        };
        // Only one who may write can tidy up after a process that was killed.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || -> rusqlite::Result<(Connection, u32)> {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            connection.pragma_update(None, "query_only", true)?;
            let version = schema::version(&connection)?;
            Ok((connection, version))
        };
        let (mut connection, version) = connect().map_err(|e| unusable(e.to_string()))?;
        if version > SCHEMA_VERSION {
            return Err(unusable(
                schema::SchemaError::Newer { found: version }.to_string(),
            ));
        }
        if version < SCHEMA_VERSION {
            drop(connection);
            Database::open(path, None, UnixMicros(0)).map_err(|e| unusable(e.to_string()))?;
            connection = connect().map_err(|e| unusable(e.to_string()))?.0;
        }
        Ok(Self { connection })
    }

    /// The suggestions in the order of their times, each with its outcomes.
    ///
    /// All of them from one state of the journal, however long reading takes.
    ///
    /// # Errors
    /// If the database gives one.
    pub fn suggestions(&self, query: Query) -> Result<Suggestions<'_>, JournalError> {
        // A deferred transaction keeps its snapshot from the first read on.
        let began = self.connection.is_autocommit();
        if began {
            self.connection.execute_batch("BEGIN DEFERRED")?;
        }
        let since = query.since.map_or(i64::MIN, |at| at.0);
        Ok(Suggestions {
            reader: self,
            page: VecDeque::new(),
            after: (since, String::new()),
            until: query.until.map_or(i64::MAX, |at| at.0),
            done: false,
            began,
        })
    }

    /// The key that stands for a document's path in this journal.
    ///
    /// # Errors
    /// If the database gives one.
    pub fn document_key(&self, path: &str) -> Result<String, JournalError> {
        let salt = file::salt(&self.connection)?;
        Ok(withhold::document_key(&salt, path))
    }

    /// The key that stands for a folder in [`SuggestionRow::folders`].
    ///
    /// # Errors
    /// If the database gives one.
    pub fn folder_key(&self, path: &str) -> Result<String, JournalError> {
        let salt = file::salt(&self.connection)?;
        Ok(withhold::folder_key(&salt, path))
    }

    fn page(&self, after: &(i64, String), until: i64) -> Result<Vec<SuggestionRow>, JournalError> {
        let mut rows = self.connection.prepare_cached(
            "SELECT * FROM suggestion WHERE (at, id) > (:at, :id) AND at < :until
             ORDER BY at, id LIMIT 256",
        )?;
        let params = named_params! { ":at": after.0, ":id": after.1, ":until": until };
        let rows = rows
            .query_map(params, suggestion)?
            .collect::<Result<Vec<_>, _>>()?;
        rows.into_iter()
            .map(|row| self.with_outcomes(row))
            .collect()
    }

    fn with_outcomes(&self, row: SuggestionRow) -> Result<SuggestionRow, JournalError> {
        let mut outcomes = self.connection.prepare_cached(
            "SELECT * FROM outcome WHERE suggestion = ? ORDER BY at, sequence, event",
        )?;
        let id = row.id.to_string();
        let outcomes = outcomes.query_map([&id], outcome)?;
        let mut holes = self
            .connection
            .prepare_cached("SELECT * FROM hole WHERE suggestion = ?")?;
        let hole = holes.query_row([&id], hole).optional()?;
        Ok(SuggestionRow {
            outcomes: outcomes.collect::<Result<_, _>>()?,
            hole,
            ..row
        })
    }
}

/// Suggestions in the order of their times: see [`Reader::suggestions`].
#[derive(Debug)]
pub struct Suggestions<'a> {
    reader: &'a Reader,
    page: VecDeque<SuggestionRow>,
    after: (i64, String),
    until: i64,
    done: bool,
    /// Whether this iterator began the snapshot; one inside another does not end it.
    began: bool,
}

impl Iterator for Suggestions<'_> {
    type Item = Result<SuggestionRow, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.done {
            match self.reader.page(&self.after, self.until) {
                Ok(page) => self.page = page.into(),
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
            match self.page.back() {
                Some(last) => self.after = (last.at.0, last.id.to_string()),
                None => self.done = true,
            }
        }
        self.page.pop_front().map(Ok)
    }
}

impl Drop for Suggestions<'_> {
    fn drop(&mut self) {
        if self.began {
            // Nothing was written: ending the snapshot cannot lose anything.
            let _ = self.reader.connection.execute_batch("COMMIT");
        }
    }
}

fn suggestion(row: &Row<'_>) -> rusqlite::Result<SuggestionRow> {
    let stage = |name| -> rusqlite::Result<Option<u64>> {
        Ok(row
            .get::<_, Option<i64>>(name)?
            .and_then(|micros| u64::try_from(micros).ok()))
    };
    let tokens = |name| -> rusqlite::Result<Option<Vec<u32>>> {
        let bytes = row.get::<_, Option<Vec<u8>>>(name)?;
        Ok(bytes.and_then(|bytes| varint::decode(&bytes)))
    };
    let id: String = row.get("id")?;
    let other = |name| -> rusqlite::Result<Option<SuggestionId>> {
        let id: Option<String> = row.get(name)?;
        id.map(|id| id.parse().map_err(unreadable)).transpose()
    };
    Ok(SuggestionRow {
        id: id.parse().map_err(unreadable)?,
        request: other("request")?,
        at: UnixMicros(row.get("at")?),
        session: row.get("session")?,
        document: row.get("document")?,
        path_policy: row.get("path_policy")?,
        language: row.get("language")?,
        checkpoint: row.get("checkpoint")?,
        arm: row.get("arm")?,
        unit: row.get("unit")?,
        generation: row
            .get::<_, Option<i64>>("generation")?
            .map(i64::cast_unsigned),
        shares: row
            .get::<_, Option<String>>("shares")?
            .map(|text| serde_json::from_str(&text).map_err(unreadable))
            .transpose()?,
        comparison: row.get("comparison")?,
        shadow_of: other("shadow_of")?,
        repository: row.get("repository")?,
        folders: row
            .get::<_, Option<String>>("folders")?
            .map(|keys| keys.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
        format: row.get("format")?,
        format_version: row.get("format_version")?,
        prompt_sha256: row.get("prompt_sha256")?,
        prefix_sha256: row.get("prefix_sha256")?,
        suffix_sha256: row.get("suffix_sha256")?,
        trigger: row.get("trigger")?,
        shape: row.get("shape")?,
        prompt_tokens: row.get("prompt_tokens")?,
        cached_tokens: row.get("cached_tokens")?,
        completion_tokens: row.get("completion_tokens")?,
        stages: Stages {
            delay: stage("delay_us")?,
            queue: stage("queue_us")?,
            render: stage("render_us")?,
            prefill: stage("prefill_us")?,
            first_token: stage("first_token_us")?,
            decode: stage("decode_us")?,
            clean_up: stage("clean_up_us")?,
            guard: stage("guard_us")?,
            total: stage("total_us")?,
        },
        completion: row.get("completion")?,
        withheld: row.get("withheld")?,
        completion_bytes: row.get("completion_bytes")?,
        stop_reason: row.get("stop_reason")?,
        guard: row.get("guard")?,
        guard_kind: row.get("guard_kind")?,
        guard_reason: row.get("guard_reason")?,
        guard_detail: row.get("guard_detail")?,
        seed: row.get::<_, Option<i64>>("seed")?.map(i64::cast_unsigned),
        silence: row.get("silence")?,
        prompt_token_ids: tokens("prompt_token_ids")?,
        completion_token_ids: tokens("completion_token_ids")?,
        hole: None,
        outcomes: Vec::new(),
    })
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    let text = rusqlite::types::Type::Text;
    rusqlite::Error::FromSqlConversionFailure(0, text, Box::new(error))
}

fn hole(row: &Row<'_>) -> rusqlite::Result<HoleRow> {
    let own: String = row.get("own")?;
    Ok(HoleRow {
        at: UnixMicros(row.get("at")?),
        prefix: row.get("prefix")?,
        golden: row.get("golden")?,
        suffix: row.get("suffix")?,
        kind: row.get("kind")?,
        own: serde_json::from_str(&own).map_err(unreadable)?,
    })
}

fn outcome(row: &Row<'_>) -> rusqlite::Result<OutcomeRow> {
    Ok(OutcomeRow {
        event: row.get("event")?,
        sequence: row.get("sequence")?,
        at: UnixMicros(row.get("at")?),
        extent: row.get("extent")?,
        chars: row.get("chars")?,
        reason: row.get("reason")?,
        inferred: row.get("inferred")?,
        of_chars: row.get("of_chars")?,
        after_s: row.get("after_s")?,
    })
}
