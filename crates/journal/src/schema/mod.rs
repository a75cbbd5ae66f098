//! The database's tables and the steps from one version of them to the next.

use rusqlite::{Connection, TransactionBehavior};

/// The version that this program writes; the database keeps it in `user_version`.
pub const SCHEMA_VERSION: u32 = STEPS.len() as u32;

/// Marks the file as a journal: `TFjl`.
pub const APPLICATION_ID: u32 = 0x5446_6a6c;

/// Step `n` leads from version `n` to version `n + 1`. A published step never changes.
pub const STEPS: &[&str] = &[
    include_str!("1_tables.sql"),
    include_str!("2_indexes.sql"),
    include_str!("3_guard_reason.sql"),
    include_str!("4_loop.sql"),
    include_str!("5_comparison.sql"),
];

/// Why a database cannot be brought to this program's version.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A newer program wrote it.
    #[error("expected schema version {SCHEMA_VERSION} or older, found {found}; update Truefill")]
    Newer {
        /// The version found.
        found: u32,
    },
    /// It belongs to another program.
    #[error("expected a Truefill journal, found a database of another program; name another file")]
    Foreign,
    /// The database gave an error.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// Brings the database to [`SCHEMA_VERSION`].
///
/// All steps and the new version are one transaction, whose lock keeps other
/// processes out; a process that waited for it finds nothing left to do.
pub fn migrate(db: &mut Connection, steps: &[&str]) -> Result<(), SchemaError> {
    check_owner(db)?;
    if version(db)? as usize == steps.len() {
        return Ok(());
    }
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&step)?;
    let todo = steps
        .get(found as usize..)
        .ok_or(SchemaError::Newer { found })?;
    for sql in todo {
        step.execute_batch(sql)?;
    }
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", steps.len() as u32)?;
    step.commit()?;
    Ok(())
}

/// The version that a database has; 0 for an empty one.
pub fn version(db: &Connection) -> rusqlite::Result<u32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn check_owner(db: &Connection) -> Result<(), SchemaError> {
    let id: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let empty = id == 0 && tables == 0;
    if empty || id == i64::from(APPLICATION_ID) {
        Ok(())
    } else {
        Err(SchemaError::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn an_empty_database_becomes_a_journal() {
        let mut db = memory();
        migrate(&mut db, STEPS).unwrap();
        assert_eq!(version(&db).unwrap(), SCHEMA_VERSION);
        migrate(&mut db, STEPS).unwrap();
    }

    #[test]
    fn every_older_version_is_brought_up_with_its_rows() {
        for older in 1..STEPS.len() {
            let mut db = memory();
            migrate(&mut db, &STEPS[..older]).unwrap();
            db.execute(
                "INSERT INTO outcome (suggestion, event, sequence, at, inferred)
                        VALUES ('s', 'shown', 0, 1, 0)",
                [],
            )
            .unwrap();
            migrate(&mut db, STEPS).unwrap();
            assert_eq!(version(&db).unwrap(), SCHEMA_VERSION);
            let rows: i64 = db
                .query_row("SELECT count(*) FROM outcome", [], |r| r.get(0))
                .unwrap();
            assert_eq!(rows, 1, "from version {older}");
        }
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let mut db = memory();
        migrate(&mut db, &STEPS[..1]).unwrap();
        let broken = ["", "CREATE TABLE fresh (a); CREATE TABLE outcome (a)"];
        assert!(matches!(
            migrate(&mut db, &broken),
            Err(SchemaError::Database(_))
        ));
        assert_eq!(version(&db).unwrap(), 1);
        migrate(&mut db, STEPS).unwrap();
    }

    #[test]
    fn newer_and_foreign_databases_are_refused() {
        let mut db = memory();
        migrate(&mut db, STEPS).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(
            migrate(&mut db, STEPS),
            Err(SchemaError::Newer { found: 99 })
        ));
        let mut db = memory();
        db.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert!(matches!(migrate(&mut db, STEPS), Err(SchemaError::Foreign)));
    }
}
