//! Why there is no backup, or none that can be used.

use std::io;

use thiserror::Error;

use crate::StorageError;

/// Why there is no backup, or none that can be used. Texts end with what to do next.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file cannot be read or written.
    #[error("the backup cannot be read or written")]
    File(#[from] io::Error),
    /// A later version of the gateway made it.
    #[error(
        "the backup was made by a later version of Keygate (its schema is {found}, this version knows {known}): restore \
         it with that version"
    )]
    Newer {
        /// The schema it has.
        found: u32,
        /// The latest schema known here.
        known: u32,
    },
    /// It is something else.
    #[error(
        "line {line} is no line of a backup of Keygate ({what}), and nothing was restored: take another file"
    )]
    Malformed {
        /// Where, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Its end is missing.
    #[error("the backup is cut off or was changed, and nothing was restored: take another file")]
    Incomplete,
}
