//! `keygate answers`: what users are told when every key failed.

mod import;
mod list;
mod row;
mod rows;
mod test;

use std::path::PathBuf;

use keygate_config::{DatabaseSettings, LoadRequest, StoragePlace, read_database};
use keygate_provider::Adapter;
use keygate_storage::{Place, Storage, StorageError};

use super::print;
use crate::cli::Answers;
use crate::environment;
use crate::exit::Exit;

pub(crate) fn run(command: &Answers, catalogue: &'static [Adapter]) -> Exit {
    let done = match command {
        Answers::Import(arguments) => import::run(arguments, catalogue),
        Answers::List(arguments) => list::run(arguments),
        Answers::Test(arguments) => test::run(arguments, catalogue),
        Answers::Remove(arguments) => list::remove(arguments),
    };
    done.unwrap_or_else(|failure| {
        print::remark(&failure.text);
        failure.exit
    })
}

/// Why a command cannot be carried out, for people, and how it ends for it.
struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self { exit: Exit::Storage, text: error.to_string() }
    }
}

/// What the configuration of the gateway whose answers they are says of them. No keys are needed for this.
fn settings(config: Option<&PathBuf>) -> Result<DatabaseSettings, Failure> {
    let request = LoadRequest {
        config: config.cloned(),
        working_dir: std::env::current_dir().unwrap_or_default(),
        environment: environment::read(),
        ..LoadRequest::default()
    };
    read_database(request).map_err(|problems| Failure::usage(problems.to_string()))
}

/// Does something with the database of that gateway, whether it runs or not.
fn with_storage<T>(
    settings: &DatabaseSettings,
    errand: impl AsyncFnOnce(&Storage) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let place = match &settings.storage.place {
        StoragePlace::File(path) => Place::File(path.clone()),
        StoragePlace::Memory => {
            let text = "storage.url keeps everything in the memory of the gateway, where no command reaches it: name a \
                        file, such as sqlite://keygate.db.";
            return Err(Failure::usage(text));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure { exit: Exit::Internal, text: error.to_string() })?;
    runtime.block_on(async {
        let storage = Storage::visit(&place).await?;
        let done = errand(&storage).await;
        storage.close().await;
        done
    })
}

/// A text on one line of a table.
fn short(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
