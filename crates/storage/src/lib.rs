//! What outlives the process: SQLite or PostgreSQL behind one set of repositories.
//!
//! The only crate that knows sqlx. It is careful with what it finds: a file that is no database of
//! Keygate's, that is damaged, or that a later version wrote is refused and not touched, as is a
//! schema of a server with another program's tables. SQL is kept to what both databases have in
//! common, through sqlx's `Any`.
//!
//! **A further repository** is
//! 1. a file in `migrations/` and its line in `migrations.rs`. Columns are TEXT, BIGINT and DOUBLE
//!    PRECISION (times in milliseconds, flags 0 or 1): they mean the same in both;
//! 2. its tables' lines in `tables.rs`, so that backups hold them, and whether the migration itself
//!    puts rows in;
//! 3. a file with `impl Storage { … }`, whose methods take a connection with `self.writer()` or
//!    `self.reader()` for as long as they need it, write in a transaction that is begun with
//!    `self.kind().begin_writing()`, count places `$1, $2` and turn what the database says into a
//!    [`StorageError`] with `self.failed(…)`. A row that may be written twice has a key and
//!    `ON CONFLICT`: after a broken connection nobody knows whether the last write was done;
//! 4. tests under `tests/it`, which run on both databases.

mod answers;
mod audit;
mod connections;
mod dump;
mod error;
mod ledger;
mod migrations;
mod notes;
mod place;
mod pool_state;
mod postgres;
mod run_mark;
mod spool;
mod sql;
mod sqlite;
mod storage;
mod tables;
mod tokens;

pub use dump::{BackupError, Counted};
pub use error::StorageError;
pub use ledger::PlanUse;
pub use place::Place;
pub use run_mark::{RunMark, Sign};
pub use spool::{Spool, SpoolReader};
pub use storage::Storage;
