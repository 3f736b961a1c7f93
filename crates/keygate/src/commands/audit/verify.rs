//! `keygate audit verify`.

use serde_json::json;

use crate::cli::Database;
use crate::commands::database::{Failure, open, settings, wait_for};
use crate::commands::print;
use crate::exit::Exit;

pub(super) fn run(database: &Database) -> Result<Exit, Failure> {
    let settings = settings(database)?;
    let verified = wait_for(async {
        let storage = open(&settings, false).await?;
        let verified = storage.verify_audit().await?;
        storage.close().await;
        Ok(verified)
    })?;
    Ok(match verified {
        Ok(head) => {
            let (rows, hash) = (head.number, head.hash.to_string());
            print::line(&if database.json {
                json!({"holds": true, "rows": rows, "hash": hash}).to_string()
            } else {
                format!("The record holds: {rows} rows, the last one sealed {hash}.")
            });
            Exit::Done
        }
        Err(broken) => {
            print::line(&if database.json {
                json!({"holds": false, "broken": broken.to_string()}).to_string()
            } else {
                format!("The record does not hold: {broken}.")
            });
            Exit::Wrong
        }
    })
}
