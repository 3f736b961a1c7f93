//! How long a ledger takes. Run with `cargo test --release -p keygate-storage --test it -- --ignored --nocapture`.

use keygate_domain::{LedgerRow, UsageGroup, UsageQuery};
use rstest::rstest;
use tokio::time::Instant;

use crate::house::{House, Kind};

const YEAR_MS: i64 = 365 * 86_400_000;
const ROWS: i64 = 1_000_000;
/// What a bookkeeper writes at once.
const BATCH: i64 = 500;

fn attempt(number: i64) -> LedgerRow {
    let user = number * 7919 % 5000;
    LedgerRow {
        id: format!("{number:032x}-1"),
        time_ms: number * (YEAR_MS / ROWS),
        request_id: format!("{number:032x}"),
        client: format!("client-{}", user % 4),
        user: format!("user-{user}@example.com"),
        provider: "google".to_owned(),
        model: ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001"]
            [usize::try_from(number % 3).unwrap()]
        .to_owned(),
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

#[rstest]
#[ignore = "a measurement"]
#[tokio::test]
async fn a_year_of_a_million_attempts(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    let begun = Instant::now();
    for first in (0..ROWS).step_by(usize::try_from(BATCH).unwrap()) {
        let rows: Vec<_> = (first..first + BATCH).map(attempt).collect();
        assert_eq!(storage.write_ledger(&rows).await.unwrap(), u64::try_from(BATCH).unwrap());
    }
    println!("{kind:?}: {:.0} rows/s", ROWS as f64 / begun.elapsed().as_secs_f64());
    for group_by in
        [UsageGroup::User, UsageGroup::Client, UsageGroup::Key, UsageGroup::Model, UsageGroup::Day]
    {
        for only_client in [None, Some("client-1".to_owned())] {
            let whose = only_client.clone().unwrap_or_default();
            let begun = Instant::now();
            let query = UsageQuery { from_ms: 0, to_ms: YEAR_MS, group_by, only_client };
            let report = storage.usage(&query).await.unwrap();
            println!(
                "{kind:?}: by {group_by:?} {whose}: {} rows in {:?}",
                report.rows.len(),
                begun.elapsed()
            );
        }
    }
    let begun = Instant::now();
    assert!(storage.balance().await.unwrap().holds());
    println!("{kind:?}: balance in {:?}", begun.elapsed());
    let begun = Instant::now();
    storage.forget_ledger(YEAR_MS / 2).await.unwrap();
    println!("{kind:?}: a step of forgetting in {:?}", begun.elapsed());
}
