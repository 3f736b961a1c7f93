//! A backup as text, which either database can be restored from: so it is also the way from one to
//! the other.
//!
//! One JSON value a line: a head, for each table its name and columns and then an array for each of
//! its rows, and an end that says how many rows there were, so that a file that was cut off is found
//! out.

mod error;
mod reading;
mod writing;

use serde::{Deserialize, Serialize};

pub use error::BackupError;

/// How many rows of each table.
pub type Counted = Vec<(String, u64)>;

/// The form of the file; another number would be another form.
const FORM: u32 = 1;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    keygate_backup: u32,
    schema: u32,
}

/// The line before the rows of a table.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableHead {
    table: String,
    columns: Vec<String>,
}

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    rows: Counted,
}
