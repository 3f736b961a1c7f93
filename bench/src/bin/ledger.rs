//! Measures how fast the ledger is written and summed up, on the embedded database in a temporary folder, or on
//! an empty PostgreSQL database: `cargo run --release -p keygate-bench --bin ledger [postgres://…]`.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use keygate_domain::{DatabaseUrl, LedgerRow, UsageGroup, UsageQuery};
use keygate_storage::{Place, Storage, StorageError};

const YEAR_MS: i64 = 365 * 86_400_000;
const ROWS: i64 = 1_000_000;
/// Rows of one write.
const BATCH: i64 = 500;
/// What must hold: rows written in a second, and the seconds of a report over a year.
const LEAST_ROWS_A_SECOND: f64 = 20_000.0;
const MOST_SECONDS: f64 = 1.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let folder = std::env::temp_dir().join(format!("keygate-ledger-{}", std::process::id()));
    let place = if let Some(url) = std::env::args().nth(1) {
        let url = DatabaseUrl::parse(&url);
        Place::Server(url.ok_or_else(|| io::Error::other("an address, such as postgres://user@host/name"))?)
    } else {
        std::fs::create_dir(&folder)?;
        Place::File(folder.join("keygate.db"))
    };
    let measured = measure(&place).await;
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let met = measured.map_err(io::Error::other)?;
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(place: &Place) -> Result<bool, StorageError> {
    let storage = Storage::open(place).await?;
    let begun = now();
    for first in (0..ROWS).step_by(usize::try_from(BATCH).unwrap_or(1)) {
        let rows: Vec<_> = (first..first + BATCH).map(attempt).collect();
        storage.write_ledger(&rows).await?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a million is exact")]
    let written = ROWS as f64 / begun.elapsed().as_secs_f64();
    let mut met = written >= LEAST_ROWS_A_SECOND;
    say(&format!("written: {written:.0} rows/s ({})", verdict(met)));
    let groups = [UsageGroup::User, UsageGroup::Client, UsageGroup::Key, UsageGroup::Model, UsageGroup::Day];
    for group_by in groups {
        for only_client in [None, Some("client-1".to_owned())] {
            let whose = if only_client.is_some() { ", one client's" } else { "" };
            let begun = now();
            let query = UsageQuery { from_ms: 0, to_ms: YEAR_MS, group_by, only_client };
            let lines = storage.usage(&query).await?.rows.len();
            let seconds = begun.elapsed().as_secs_f64();
            let is_fast = seconds < MOST_SECONDS;
            met &= is_fast;
            say(&format!(
                "a year by {group_by:?}{whose}: {lines} lines in {seconds:.3} s ({})",
                verdict(is_fast)
            ));
        }
    }
    let begun = now();
    storage.forget_ledger(YEAR_MS / 2).await?;
    say(&format!("a step of forgetting: {:.3} s", begun.elapsed().as_secs_f64()));
    storage.close().await;
    Ok(met)
}

/// One of a million attempts of a year, by 5,000 users.
fn attempt(number: i64) -> LedgerRow {
    let user = number * 7919 % 5000;
    let model = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001"];
    LedgerRow {
        id: format!("{number:032x}-1"),
        time_ms: number * (YEAR_MS / ROWS),
        request_id: format!("{number:032x}"),
        client: format!("client-{}", user % 4),
        user: format!("user-{user}@example.com"),
        provider: "google".to_owned(),
        model: model[usize::try_from(number % 3).unwrap_or_default()].to_owned(),
        key_id: format!("{:012x}", number % 20),
        group: format!("projects/{}", number % 10),
        operation: "generate_content".to_owned(),
        status: 200,
        attempt: 1,
        input_tokens: 1000,
        output_tokens: 200,
        thought_tokens: 300,
        total_tokens: 1500,
        latency_ms: 1200,
        first_byte_ms: Some(300),
        ..LedgerRow::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "pass" } else { "FAIL" }
}

/// Whoever reads along may have gone.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
