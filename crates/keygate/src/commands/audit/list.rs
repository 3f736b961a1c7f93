//! `keygate audit list`.

use comfy_table::{Table, presets};
use jiff::Timestamp;
use keygate_actors::clock;
use keygate_domain::{AuditPage, AuditRow};
use serde_json::{Value, json};

use crate::cli::ListAudit;
use crate::commands::database::{Failure, open, settings, wait_for};
use crate::commands::{moment, print, span};
use crate::exit::Exit;

pub(super) fn run(arguments: &ListAudit) -> Result<Exit, Failure> {
    let settings = settings(&arguments.database)?;
    let since = arguments.since.as_deref().map(|since| span::before(clock::now().wall, since));
    let since = since.transpose().map_err(Failure::usage)?;
    let page = AuditPage {
        before: i64::MAX,
        since_ms: since.map_or(i64::MIN, Timestamp::as_millisecond),
        most: i64::from(arguments.limit),
    };
    let rows = wait_for(async {
        let storage = open(&settings, false).await?;
        let rows = storage.audit_page(&page).await?;
        storage.close().await;
        Ok(rows)
    })?;
    if arguments.database.json {
        let told: Vec<Value> = rows.iter().map(as_json).collect();
        print::line(&format!("{:#}", Value::from(told)));
    } else if rows.is_empty() {
        print::line("Nothing was done.");
    } else {
        print::line(&as_table(&rows));
    }
    Ok(Exit::Done)
}

fn at(row: &AuditRow) -> Option<Timestamp> {
    Timestamp::from_millisecond(row.entry.at_ms).ok()
}

fn as_table(rows: &[AuditRow]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_header(["no.", "when", "who", "what", "details", "from", "times"]);
    for row in rows {
        let entry = &row.entry;
        table.add_row([
            row.number.to_string(),
            at(row).map(moment::shown).unwrap_or_default(),
            entry.who.clone(),
            entry.action.clone(),
            entry.details.clone(),
            entry.peer.clone().unwrap_or_default(),
            entry.count.to_string(),
        ]);
    }
    table.to_string()
}

fn as_json(row: &AuditRow) -> Value {
    let entry = &row.entry;
    json!({
        "number": row.number,
        "at": at(row),
        "who": entry.who,
        "action": entry.action,
        "details": entry.details,
        "peer": entry.peer,
        "request_id": entry.request_id,
        "count": entry.count,
        "hash": row.hash.to_string(),
    })
}
