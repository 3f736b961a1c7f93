//! A look at what lies where the database should be, before anything is written.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

use crate::StorageError;
use crate::migrations::refuse_newer;

/// Marks a file as Keygate's: `KGAT` in ASCII (sqlite.org/fileformat2.html, offset 68).
const APPLICATION_ID: u32 = 0x4b47_4154;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Nothing, or a file without a byte in it.
    Nothing,
    /// A database of ours.
    Ours,
}

/// Looks at the file's own bytes, without SQLite: that would write files beside a foreign one.
pub(crate) fn look_at(path: &Path) -> Result<Found, StorageError> {
    let foreign = || StorageError::Foreign { database: path.display().to_string() };
    let header = match read_header(path) {
        Ok(header) => header,
        Err(error) if error.kind() == ErrorKind::NotFound => return missing(path),
        Err(error) if error.kind() == ErrorKind::IsADirectory => return Err(foreign()),
        Err(source) => {
            return Err(StorageError::NotWritable { database: path.display().to_string(), source });
        }
    };
    if header.is_empty() {
        return Ok(Found::Nothing);
    }
    if !header.starts_with(MAGIC) || number_at(&header, 68) != Some(APPLICATION_ID) {
        return Err(foreign());
    }
    // The header may be older than what lies in the write-ahead log, never newer.
    refuse_newer(&path.display().to_string(), number_at(&header, 60).unwrap_or_default())?;
    Ok(Found::Ours)
}

/// Reads a database of ours from end to end, without changing it.
pub(crate) async fn examine(path: &Path) -> Result<(), StorageError> {
    let database = path.display().to_string();
    let failed = |error| StorageError::of(&database, error);
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await.map_err(failed)?;
    let schema =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(failed)?;
    refuse_newer(&database, schema)?;
    let told = check(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    if told == "ok" { Ok(()) } else { Err(StorageError::Damaged { database, what: told }) }
}

/// The tables that are read at start; a ledger of years is not.
async fn check(connection: &mut SqliteConnection) -> sqlx::Result<String> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'pool_state'";
    if sqlx::query_scalar::<_, i64>(tables).fetch_one(&mut *connection).await? == 0 {
        return Ok("ok".to_owned());
    }
    sqlx::query_scalar("PRAGMA quick_check('pool_state')").fetch_one(connection).await
}

/// Makes the file, for nobody but its owner; what SQLite puts beside it gets the same rights.
pub(crate) fn create(path: &Path) -> Result<(), StorageError> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened
        .map(drop)
        .map_err(|source| StorageError::NotWritable { database: path.display().to_string(), source })
}

/// Marks an empty file as ours, before anything else is in it and before it has a write-ahead
/// log: so the mark can be read from the file's own bytes from then on.
pub(crate) async fn claim(path: &Path) -> sqlx::Result<()> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await?;
    let mark = AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}"));
    sqlx::raw_sql(mark).execute(&mut connection).await?;
    connection.close().await
}

fn missing(path: &Path) -> Result<Found, StorageError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(StorageError::NoFolder { database: path.display().to_string() });
    }
    Ok(Found::Nothing)
}

fn read_header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    File::open(path)?.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    Ok(header)
}

fn number_at(header: &[u8], offset: usize) -> Option<u32> {
    let bytes = header.get(offset..offset + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
