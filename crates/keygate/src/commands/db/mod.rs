//! `keygate db`.

mod backup;
mod migrate;
mod restore;

use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};

use keygate_config::LoadRequest;
use keygate_storage::{BackupError, Counted, Place};
use serde_json::json;

use super::print;
use crate::cli::{Database, Db};
use crate::environment;
use crate::exit::Exit;
use crate::memory;

pub(crate) fn run(command: &Db) -> Exit {
    match command {
        Db::Backup(arguments) => backup::run(arguments),
        Db::Restore(arguments) => restore::run(arguments),
        Db::Migrate(arguments) => migrate::run(arguments),
    }
}

/// Runs `work` on the database that the configuration names, and tells what became of it.
fn on_database<F>(wanted: &Database, work: impl FnOnce(Place) -> F) -> Exit
where
    F: Future<Output = Result<String, BackupError>>,
{
    let configured = keygate_config::read_database(LoadRequest {
        config: wanted.config.clone(),
        working_dir: std::env::current_dir().unwrap_or_default(),
        environment: environment::read(),
        ..LoadRequest::default()
    });
    let config = match configured {
        Ok(settings) => settings.storage,
        Err(problems) => {
            print::remark(&problems.to_string());
            return Exit::Usage;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(work(memory::place(&config))),
        Err(error) => {
            print::failure(&error);
            return Exit::Internal;
        }
    };
    match outcome {
        Ok(told) => {
            print::line(&told);
            Exit::Done
        }
        Err(error) => {
            print::failure(&error);
            exit_of(&error)
        }
    }
}

fn exit_of(error: &BackupError) -> Exit {
    match error {
        BackupError::Storage(_) | BackupError::File(_) => Exit::Storage,
        // The wrong file was named.
        BackupError::Newer { .. } | BackupError::Malformed { .. } | BackupError::Incomplete => Exit::Usage,
    }
}

/// `12 rows of pool_state, 1000 rows of ledger`, or the same as JSON.
fn in_words(counted: &Counted, wanted: &Database, done: &str) -> String {
    if wanted.json {
        let rows: serde_json::Map<_, _> =
            counted.iter().map(|(table, rows)| (table.clone(), json!(rows))).collect();
        return json!({ "rows": rows }).to_string();
    }
    let rows: Vec<_> = counted.iter().map(|(table, rows)| format!("{rows} rows of {table}")).collect();
    format!("{done}: {}.", rows.join(", "))
}

/// How far it is: one line on a terminal, nothing elsewhere.
struct Progress {
    is_shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal() }
    }

    fn show(&self, rows: u64) {
        if self.is_shown && rows.is_multiple_of(1000) {
            let _ = write!(io::stderr().lock(), "\r{rows} rows");
        }
    }

    fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr().lock(), "\r{:24}\r", "");
        }
    }
}
