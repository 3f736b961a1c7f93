//! Where the database is.

use std::path::PathBuf;

/// Where the database is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A file. A relative path starts from the working directory.
    File(PathBuf),
    /// In memory: gone with the process. For demonstrations.
    Memory,
}
