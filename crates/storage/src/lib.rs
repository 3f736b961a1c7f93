//! What outlives the process: an embedded database behind one set of repositories.
//!
//! The only crate that knows sqlx. It is careful with what it finds: a file that is no database of
//! Keygate's, that is damaged, or that a later version wrote is refused and not touched. SQL is
//! kept to what SQLite and PostgreSQL have in common.

mod answers;
mod error;
mod inspect;
mod lock;
mod migrations;
mod place;
mod pool_state;
mod storage;

pub use error::StorageError;
pub use place::Place;
pub use storage::Storage;
