//! `keygate db migrate`.

use keygate_storage::Storage;
use serde_json::json;

use super::on_database;
use crate::cli::Database;
use crate::exit::Exit;

pub(super) fn run(arguments: &Database) -> Exit {
    on_database(arguments, async |place| {
        let storage = Storage::open(&place).await?;
        let (before, now) = storage.schema();
        storage.close().await;
        if arguments.json {
            return Ok(json!({ "schema_before": before, "schema": now }).to_string());
        }
        Ok(if before == now {
            format!("{place} is up to date (schema {now}).")
        } else {
            format!("{place} is brought up to date (from schema {before} to {now}).")
        })
    })
}
