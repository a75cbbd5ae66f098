//! Opening the database file: alone, with the right mode, whole, at the right version.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::clock::UnixMicros;
use crate::insert;
use crate::schema::{self, STEPS, SchemaError};

/// How long to wait for another process that opens, migrates or repairs the file.
const LOCK_WITHIN: Duration = Duration::from_secs(10);

/// Up to this size the whole file is checked when it is opened; reading it takes
/// a fraction of a second. Damage in a larger one shows when it is met.
const CHECK_UP_TO_BYTES: u64 = 32 << 20;

/// How often a busy database is tried again, each after up to 10 ms.
const BUSY_TRIES: i32 = 500;

/// What is put behind the name of a corrupt file, before the time.
pub const SET_ASIDE: &str = ".corrupt-";

/// An open database.
pub struct Database {
    pub connection: Connection,
    /// Salts the hashes of paths.
    pub salt: Vec<u8>,
    /// Where a corrupt predecessor went.
    pub set_aside: Option<PathBuf>,
    identity: Option<Identity>,
}

/// Which file a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system gave an error.
    #[error("{doing}: {reason}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The error.
        reason: io::Error,
    },
    /// Another process has kept the file's lock for too long.
    #[error("another process has been opening or repairing it for 10 s")]
    Locked,
    /// The tables are not this program's.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Schema(error.into())
    }
}

impl Database {
    /// Opens or makes the journal at `path`, one process at a time.
    ///
    /// A corrupt file is renamed, never deleted, and a fresh one made.
    pub fn open(path: &Path, max_bytes: Option<u64>, now: UnixMicros) -> Result<Self, OpenError> {
        let io = |doing| move |reason| OpenError::Io { doing, reason };
        make_parent(path).map_err(io("making its folder"))?;
        let _alone = lock(path)?;
        let mut set_aside = None;
        loop {
            make_private(path).map_err(io("making the file readable by its owner alone"))?;
            match Self::open_whole(path, max_bytes) {
                Ok(database) => {
                    return Ok(Self {
                        set_aside,
                        ..database
                    });
                }
                // A fresh file that is corrupt at once is a broken disk: once is enough.
                Err(error) if is_corrupt(&error) && set_aside.is_none() => {
                    set_aside =
                        Some(put_aside(path, now).map_err(io("renaming the corrupt file"))?);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn open_whole(path: &Path, max_bytes: Option<u64>) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_handler(Some(wait_a_little))?;
        connection.pragma_update(None, "trusted_schema", false)?;
        // What is forgotten is overwritten.
        connection.pragma_update(None, "secure_delete", true)?;
        // The whole header is read here: a file that is no database shows itself.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        check(&connection, path)?;
        schema::migrate(&mut connection, STEPS)?;
        if let Some(bytes) = max_bytes {
            let page: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let pages = bytes / u64::from(page.max(1));
            let pages = u32::try_from(pages).unwrap_or(u32::MAX - 1).max(1);
            connection.pragma_update(None, "max_page_count", pages)?;
        }
        let salt = salt(&connection).map_err(as_damage)?;
        insert::prepare(&connection).map_err(as_damage)?;
        Ok(Self {
            connection,
            salt,
            set_aside: None,
            identity: identity(path),
        })
    }

    /// Whether `path` still names this file: another process may have set it
    /// aside, or the user deleted it.
    pub fn is_at(&self, path: &Path) -> bool {
        self.identity == identity(path)
    }
}

/// Whether the error says that the file's content is damaged.
pub fn is_corrupt(error: &OpenError) -> bool {
    matches!(error, OpenError::Schema(SchemaError::Database(error)) if is_damage(error))
}

/// Whether a database error says that the file's content is damaged.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn wait_a_little(tries: i32) -> bool {
    // Processes that wait for each other must not wake in step.
    let jitter = u64::from(std::process::id() % 5);
    let millis = u64::try_from(tries).unwrap_or(0).min(5) + jitter;
    std::thread::sleep(Duration::from_millis(millis + 1));
    tries < BUSY_TRIES
}

fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    if fs::metadata(path).is_ok_and(|file| file.len() > CHECK_UP_TO_BYTES) {
        return Ok(());
    }
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(damage(verdict).into())
    }
}

/// Salts the hashes of paths; every journal has one.
pub fn salt(connection: &Connection) -> rusqlite::Result<Vec<u8>> {
    let sql = "SELECT value FROM meta WHERE key = 'salt'";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Tables that are not what the file's version says have been damaged.
fn as_damage(error: rusqlite::Error) -> rusqlite::Error {
    match error.sqlite_error_code() {
        None | Some(ErrorCode::Unknown) => damage(error.to_string()),
        Some(_) => error,
    }
}

fn damage(what: String) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(what))
}

fn make_parent(path: &Path) -> io::Result<()> {
    let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(parent)
}

/// A file that only its owner may read: its `-wal` and `-shm` get the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    drop(file);
    Ok(())
}

/// A path with something after its file name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The lock is freed when the file is dropped, also by the death of the process.
fn lock(path: &Path) -> Result<File, OpenError> {
    let path = beside(path, ".lock");
    make_private(&path).map_err(|reason| OpenError::Io {
        doing: "making its lock file",
        reason,
    })?;
    let locking = |reason| OpenError::Io {
        doing: "locking its lock file",
        reason,
    };
    let file = OpenOptions::new()
        .append(true)
        .open(&path)
        .map_err(locking)?;
    let until = Instant::now() + LOCK_WITHIN;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(reason)) => return Err(locking(reason)),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                return Err(OpenError::Locked);
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Renames a corrupt database with its log to a name that is free.
fn put_aside(path: &Path, now: UnixMicros) -> io::Result<PathBuf> {
    let mut target = beside(path, &format!("{SET_ASIDE}{}", now.0));
    let mut number = 1;
    while target.exists() {
        target = beside(path, &format!("{SET_ASIDE}{}-{number}", now.0));
        number += 1;
    }
    fs::rename(path, &target)?;
    for ending in ["-wal", "-shm"] {
        match fs::rename(beside(path, ending), beside(&target, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(target)
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let file = fs::metadata(path).ok()?;
    Some(Identity(file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|_| Identity(0, 0))
}
