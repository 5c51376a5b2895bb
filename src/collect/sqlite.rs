//! The rows of a table of a SQLite database that others write, as lines of JSON.
//!
//! It is opened for reading only and never as unchangeable, so what lies in its write-ahead log is read too.
//! Nothing is held open between two looks: a connection keeps its writers from folding the log, and a file
//! that was replaced from being seen. A row, the schema and SQLite's own memory are bounded.
//!
//! A damaged database gives the rows before the damage and, read from its end, those behind it.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error as SqlError, ErrorCode, OpenFlags, Statement};
use serde_json::{Map, Value as Json};

use super::content::{Content, Unreadable};
use super::unpack::Members;
use crate::event::Family;
use crate::sources::rows;

/// Which table of a family's database is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    name: &'static str,
    program: &'static str,
    /// Without these it is another schema. What a newer one has besides is kept as it is.
    columns: &'static [&'static str],
    /// What a row is known by from one look to the next.
    key: Key,
}

#[derive(Debug, Clone, Copy)]
enum Key {
    /// Its number: rows are added, and stay.
    Number,
    /// A column: a row is replaced by another one with the same.
    Column(&'static str),
}

impl Table {
    pub(super) fn of(family: Family) -> Self {
        match family {
            Family::Lastlog2 => Self {
                name: "Lastlog2",
                program: "lastlog2",
                columns: &["Name", "Time", "TTY", "RemoteHost", "Service"],
                key: Key::Column("Name"),
            },
            _ => Self {
                name: "wtmp",
                program: "wtmpdb",
                columns: &["ID", "Type", "User", "Login", "Logout", "TTY", "RemoteHost", "Service"],
                key: Key::Number,
            },
        }
    }
}

/// Why a database gives no rows, or not all, in words that say what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseError {
    #[error(transparent)]
    File(#[from] Unreadable),
    #[error("is locked by another program: it is read when that lets go")]
    Busy,
    #[error("is no SQLite database: correct the path, or the type")]
    NoDatabase,
    #[error("is packed: unpack it and run whodid ingest on it")]
    Packed,
    #[error("has no table {0} of {1}: correct the path, or the type")]
    NoTable(&'static str, &'static str),
    #[error(
        "has a table {table} without the column {column}: it is not {program}'s, or of a version that is not known"
    )]
    NoColumn { table: &'static str, column: &'static str, program: &'static str },
    #[error("is damaged: {0}; `sqlite3 FILE .recover` may tell more, and the program that writes it needs a new one")]
    Damaged(String),
    #[error(
        "cannot be opened ({0}): with a write-ahead log beside it, its folder must be writable or FILE-shm be there"
    )]
    Closed(String),
    #[error("cannot be read: {0}")]
    Other(String),
}

impl DatabaseError {
    /// Trying again in a while may help.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Busy)
    }
}

impl From<SqlError> for DatabaseError {
    fn from(error: SqlError) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                Self::Busy
            }
            Some(ErrorCode::NotADatabase) => Self::NoDatabase,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(text),
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => Self::Closed(text),
            _ => Self::Other(text),
        }
    }
}

/// One row as a line of JSON with its LF.
pub(super) struct Line {
    /// Knows it again.
    pub(super) key: i64,
    rowid: i64,
    pub(super) json: Vec<u8>,
}

/// How long one statement waits for a lock; [`DatabaseError::Busy`] is tried again by whoever looks.
const BUSY: Duration = Duration::from_millis(500);

/// SQLite's own memory, in all of this process: far more than a page cache and a row of these tables need.
const HEAP_BYTES_MAX: u64 = 64 << 20;

/// Hands out every row of the table, in the order of their numbers. After damage, those that can be read
/// from the end come too, and then the error.
pub(super) fn read<E>(
    path: &Path,
    table: Table,
    mut each: impl FnMut(Line) -> Result<(), E>,
) -> Result<Result<(), DatabaseError>, E> {
    let opened = open(path, table);
    let connection = match opened {
        Ok(Some(connection)) => connection,
        Ok(None) => return Ok(Ok(())),
        Err(error) => return Ok(Err(error)),
    };
    // One transaction, so that both directions see the same rows.
    if let Err(error) = connection.execute_batch("BEGIN") {
        return Ok(Err(error.into()));
    }
    let mut last = i64::MIN;
    let forth = scan(&connection, table, "ASC", |line| {
        last = line.rowid;
        each(line).map(|()| true)
    })?;
    let Err(damage @ DatabaseError::Damaged(_)) = forth else { return Ok(forth) };
    let mut behind = Vec::new();
    let back = scan(&connection, table, "DESC", |line| {
        let is_new = line.rowid > last && behind.len() < BEHIND_MAX;
        if is_new {
            behind.push(line);
        }
        Ok::<_, E>(is_new)
    })?;
    drop(back);
    behind.into_iter().rev().try_for_each(each)?;
    Ok(Err(damage))
}

/// Rows behind damage that are held to be handed out in order: some 20 MB.
const BEHIND_MAX: usize = 100_000;

/// None for a file without a byte, which is a database without tables.
fn open(path: &Path, table: Table) -> Result<Option<Connection>, DatabaseError> {
    // SQLite would wait for a FIFO and make an empty database of a file that is empty.
    let content = Content::open(path, Members::One, u64::MAX)?;
    if content.packed {
        return Err(DatabaseError::Packed);
    }
    let mut head = [0; 16];
    let length = std::os::unix::fs::FileExt::read_at(&content.file, &mut head, 0).map_err(Unreadable::from)?;
    if length == 0 {
        return Ok(None);
    }
    if !rows::is_database(head.get(..length).unwrap_or_default()) {
        return Err(DatabaseError::NoDatabase);
    }
    // Without SQLITE_OPEN_URI a name is a name, whatever is in it.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // What the schema of a stranger could do when it is read: nothing.
    connection.execute_batch(&format!(
        "PRAGMA hard_heap_limit = {HEAP_BYTES_MAX}; PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; \
         PRAGMA mmap_size = 0;"
    ))?;
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let made: Option<String> = match connection.query_row(sql, [table.name], |row| row.get(0)) {
        Err(SqlError::QueryReturnedNoRows) => None,
        other => other?,
    };
    // A virtual table runs code.
    if made.is_none_or(|sql| sql.to_ascii_uppercase().starts_with("CREATE VIRTUAL")) {
        return Err(DatabaseError::NoTable(table.name, table.program));
    }
    Ok(Some(connection))
}

/// Hands out rows until `each` wants no more.
fn scan<E>(
    connection: &Connection,
    table: Table,
    order: &str,
    mut each: impl FnMut(Line) -> Result<bool, E>,
) -> Result<Result<(), DatabaseError>, E> {
    let sql = format!("SELECT rowid AS \"whodid rowid\", * FROM \"{}\" ORDER BY rowid {order}", table.name);
    let mut statement = match connection.prepare(&sql).map_err(DatabaseError::from).and_then(|s| checked(s, table)) {
        Ok(statement) => statement,
        Err(error) => return Ok(Err(error)),
    };
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = match statement.query([]) {
        Ok(rows) => rows,
        Err(error) => return Ok(Err(error.into())),
    };
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error.into())),
        };
        let value = |i: usize| row.get_ref(i).map(json).unwrap_or(Json::Null);
        let columns: Map<String, Json> =
            names.iter().enumerate().skip(1).map(|(i, name)| (name.clone(), value(i))).collect();
        let rowid = value(0).as_i64().unwrap_or_default();
        let key = match table.key {
            Key::Number => rowid,
            Key::Column(name) => hash(&columns.get(name)).cast_signed(),
        };
        let mut json = Json::Object(columns).to_string().into_bytes();
        json.push(b'\n');
        if !each(Line { key, rowid, json })? {
            return Ok(Ok(()));
        }
    }
}

/// For this run only: another version of the standard library may hash otherwise.
pub(super) fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn checked<'a>(statement: Statement<'a>, table: Table) -> Result<Statement<'a>, DatabaseError> {
    let names = statement.column_names();
    match table.columns.iter().find(|column| !names.contains(column)) {
        Some(column) => Err(DatabaseError::NoColumn { table: table.name, column, program: table.program }),
        None => Ok(statement),
    }
}

fn json(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(bytes) => format!("base64:{}", data_encoding::BASE64.encode(bytes)).into(),
    }
}
