//! What commands that work on the database have in common.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use keygate_config::{ConfigProblems, DatabaseSettings, LoadRequest, StoragePlace, read_database};
use keygate_storage::{Storage, StorageError};

use super::gateway::NoAnswer;
use crate::cli::Database;
use crate::environment;
use crate::exit::Exit;
use crate::memory::place;

/// Why a command comes to nothing, for people, and how it ends for it.
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) text: String,
}

impl Failure {
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    pub(super) fn wrong(text: impl Into<String>) -> Self {
        Self { exit: Exit::Wrong, text: text.into() }
    }

    pub(super) fn internal(text: impl Into<String>) -> Self {
        Self { exit: Exit::Internal, text: text.into() }
    }
}

impl From<NoAnswer> for Failure {
    fn from(NoAnswer { exit, text, is_nobody_there: _ }: NoAnswer) -> Self {
        Self { exit, text }
    }
}

impl From<ConfigProblems> for Failure {
    fn from(problems: ConfigProblems) -> Self {
        Self::usage(problems.to_string())
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            text.push_str(": ");
            text.push_str(&cause.to_string());
        }
        Self { exit: Exit::Storage, text }
    }
}

/// What the configuration says of the database and of what is kept in it.
pub(super) fn settings(wanted: &Database) -> Result<DatabaseSettings, Failure> {
    let request = LoadRequest {
        config: wanted.config.clone(),
        environment: environment::read(),
        working_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        ..LoadRequest::default()
    };
    let settings = read_database(request).map_err(|problems| Failure::usage(problems.to_string()))?;
    if settings.storage.place == StoragePlace::Memory {
        return Err(Failure::usage(
            "storage.url keeps everything in the memory of the gateway, where no command reaches it: name a file, such \
             as sqlite://keygate.db.",
        ));
    }
    Ok(settings)
}

/// Opens the database, beside a gateway that may be running on it; makes it if there is none and the command
/// has something to keep.
pub(super) async fn open(settings: &DatabaseSettings, makes_one: bool) -> Result<Storage, StorageError> {
    let place = place(&settings.storage);
    if makes_one { Storage::join(&place).await } else { Storage::visit(&place).await }
}

/// Runs what a command has to wait for.
pub(super) fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::internal(error.to_string()))?.block_on(work)
}

/// Who runs this command, for the audit trail: `cli:` and the user of the system, as the system knows them.
pub(super) fn whoever_runs_this() -> String {
    let Ok(myself) = std::fs::metadata("/proc/self") else { return "cli:unknown".to_owned() };
    let id = myself.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    format!("cli:{}", name.unwrap_or(id))
}
