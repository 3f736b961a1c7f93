//! `keygate answers`: what users are told when every key failed.

mod import;
mod list;
mod row;
mod rows;
mod test;

use keygate_config::DatabaseSettings;
use keygate_provider::Adapter;
use keygate_storage::Storage;

use super::database::{Failure, open, settings, wait_for};
use super::print;
use crate::cli::Answers;
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

/// Does something with the database of that gateway, whether it runs or not.
fn with_storage<T>(
    settings: &DatabaseSettings,
    makes_one: bool,
    work: impl AsyncFnOnce(&Storage) -> Result<T, Failure>,
) -> Result<T, Failure> {
    wait_for(async {
        let storage = open(settings, makes_one).await?;
        let done = work(&storage).await;
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
