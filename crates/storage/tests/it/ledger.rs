//! What attempts cost: written once, summed up, forgotten.

use keygate_domain::{AnswerSource, LedgerRow, Outcome, UsageGroup, UsageQuery, UsageReport, UsageSums};
use rstest::rstest;

use crate::house::{House, Kind};

const DAY_MS: i64 = 86_400_000;
/// 2026-11-21.
const TODAY_MS: i64 = 20_778 * DAY_MS;

fn row(id: &str, client: &str, user: &str, tokens: u64) -> LedgerRow {
    LedgerRow {
        id: id.to_owned(),
        time_ms: TODAY_MS + 1000,
        request_id: "chosen-by-the-caller".to_owned(),
        client: client.to_owned(),
        user: user.to_owned(),
        provider: "google".to_owned(),
        model: "flash".to_owned(),
        key_id: "ba7816bf8f01".to_owned(),
        group: "projects/a".to_owned(),
        operation: "generate_content".to_owned(),
        status: 200,
        outcome: Outcome::Settled,
        fault: String::new(),
        attempt: 1,
        input_tokens: tokens,
        output_tokens: 2 * tokens,
        thought_tokens: 3 * tokens,
        cached_tokens: 1,
        total_tokens: 6 * tokens,
        is_estimated: false,
        latency_ms: 120,
        first_byte_ms: Some(40),
        source: AnswerSource::Provider,
    }
}

fn ever(group_by: UsageGroup) -> UsageQuery {
    UsageQuery { from_ms: 0, to_ms: i64::MAX, group_by, only_client: None }
}

fn keys(report: &UsageReport) -> Vec<&str> {
    report.rows.iter().map(|row| row.key.as_str()).collect()
}

/// A request that failed with one key, was lost with the second and answered by the third; one of
/// another client's user of the same name, the day after; and one of nobody in particular.
fn story() -> Vec<LedgerRow> {
    let second = "2c26b46b68ff";
    vec![
        LedgerRow {
            status: 429,
            outcome: Outcome::Refunded,
            fault: "rate_limited".to_owned(),
            first_byte_ms: None,
            ..row("1-1", "shop", "ada", 0)
        },
        LedgerRow {
            attempt: 2,
            key_id: second.to_owned(),
            status: 0,
            outcome: Outcome::Lost,
            fault: "timeout".to_owned(),
            is_estimated: true,
            ..row("1-2", "shop", "ada", 10)
        },
        LedgerRow { attempt: 3, key_id: second.to_owned(), ..row("1-3", "shop", "ada", 100) },
        LedgerRow { time_ms: TODAY_MS + DAY_MS, model: "pro".to_owned(), ..row("2-1", "bot", "ada", 7) },
        row("3-1", "shop", "", 1),
    ]
}

#[rstest]
#[tokio::test]
async fn usage_is_told_by_user_client_key_model_and_day(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    assert_eq!(storage.usage(&ever(UsageGroup::User)).await.unwrap(), UsageReport::default());
    assert_eq!(storage.write_ledger(&story()).await.unwrap(), 5);
    let total = UsageSums {
        requests: 3,
        attempts: 5,
        errors: 2,
        input_tokens: 118,
        output_tokens: 236,
        thought_tokens: 354,
        cached_tokens: 5,
        total_tokens: 708,
        estimated_tokens: 60,
    };
    let expected: [(UsageGroup, &[&str]); 5] = [
        (UsageGroup::User, &["shop/ada", "bot/ada", ""]),
        (UsageGroup::Client, &["shop", "bot"]),
        (UsageGroup::Key, &["2c26b46b68ff", "ba7816bf8f01"]),
        (UsageGroup::Model, &["flash", "pro"]),
        (UsageGroup::Day, &["2026-11-21", "2026-11-22"]),
    ];
    for (group_by, names) in expected {
        let report = storage.usage(&ever(group_by)).await.unwrap();
        assert_eq!(keys(&report), names);
        assert_eq!(report.total, total, "by {group_by:?}");
    }
    let ada = storage.usage(&ever(UsageGroup::User)).await.unwrap().rows[0].sums;
    assert_eq!((ada.requests, ada.attempts, ada.errors, ada.estimated_tokens), (1, 3, 2, 60));
}

#[rstest]
#[tokio::test]
async fn usage_is_told_of_a_time_and_a_client(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    storage.write_ledger(&story()).await.unwrap();
    let today = UsageQuery { from_ms: TODAY_MS, to_ms: TODAY_MS + DAY_MS, ..ever(UsageGroup::Client) };
    assert_eq!(keys(&storage.usage(&today).await.unwrap()), ["shop"], "the end is not part of it");
    let bots = UsageQuery { only_client: Some("bot".to_owned()), ..ever(UsageGroup::User) };
    let report = storage.usage(&bots).await.unwrap();
    assert_eq!((keys(&report), report.total.total_tokens), (vec!["ada"], 42));
    let nobodys = UsageQuery { only_client: Some("' OR 1=1 --".to_owned()), ..ever(UsageGroup::User) };
    assert_eq!(storage.usage(&nobodys).await.unwrap(), UsageReport::default());
}

#[rstest]
#[tokio::test]
async fn a_row_that_is_written_again_counts_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    let rows: Vec<_> = (0..1000).map(|number| row(&format!("{number}-1"), "shop", "ada", 1)).collect();
    assert_eq!(storage.write_ledger(&rows[..700]).await.unwrap(), 700);
    // As after a connection that broke before the answer came.
    assert_eq!(storage.write_ledger(&rows).await.unwrap(), 300);
    let changed = LedgerRow { total_tokens: 999, ..rows[0].clone() };
    assert_eq!(storage.write_ledger(&[changed]).await.unwrap(), 0);
    assert_eq!(storage.write_ledger(&[]).await.unwrap(), 0);
    let twice = [row("twice", "shop", "ada", 0), row("twice", "shop", "ada", 0)];
    assert_eq!(storage.write_ledger(&twice).await.unwrap(), 1);
    let total = storage.usage(&ever(UsageGroup::Day)).await.unwrap().total;
    assert_eq!((total.attempts, total.total_tokens), (1001, 6000));
}

#[rstest]
#[tokio::test]
async fn the_ledger_balances(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    assert!(storage.balance().await.unwrap().holds(), "nothing balances, too");
    storage.write_ledger(&story()).await.unwrap();
    let balance = storage.balance().await.unwrap();
    assert_eq!((balance.attempts, balance.settled, balance.refunded, balance.lost), (5, 3, 1, 1));
    assert!(balance.holds());
    let mut shell = house.shell().await;
    sqlx::raw_sql("UPDATE ledger SET outcome = 'vanished' WHERE id = '1-2'")
        .execute(&mut shell)
        .await
        .unwrap();
    assert!(!storage.balance().await.unwrap().holds(), "what is no outcome shows");
}

#[rstest]
#[tokio::test]
async fn what_is_old_is_forgotten_in_steps(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    // A thousand a day for twelve days.
    let at = |number: i64| LedgerRow {
        time_ms: number * DAY_MS / 1000,
        ..row(&number.to_string(), "shop", "ada", 1)
    };
    let rows: Vec<_> = (0..12_000).map(at).collect();
    storage.write_ledger(&rows).await.unwrap();
    let mut steps = Vec::new();
    while let 1.. = *steps.last().unwrap_or(&1) {
        steps.push(storage.forget_ledger(11 * DAY_MS + 7).await.unwrap());
    }
    assert_eq!(steps, [5000, 5000, 1000, 0]);
    for by in [UsageGroup::User, UsageGroup::Day] {
        assert_eq!(storage.usage(&ever(by)).await.unwrap().total.attempts, 1000, "by {by:?}");
    }
    assert_eq!(house.number("SELECT MIN(time_ms) FROM ledger").await, 11 * DAY_MS);
}

/// Attempts added up without a database.
fn added_up<'r>(rows: impl Iterator<Item = &'r LedgerRow>) -> UsageSums {
    rows.fold(UsageSums::default(), |mut sums, row| {
        sums.requests += u64::from(row.attempt == 1);
        sums.attempts += 1;
        sums.errors += u64::from(!row.fault.is_empty());
        sums.input_tokens += row.input_tokens;
        sums.output_tokens += row.output_tokens;
        sums.thought_tokens += row.thought_tokens;
        sums.cached_tokens += row.cached_tokens;
        sums.total_tokens += row.total_tokens;
        sums.estimated_tokens += if row.is_estimated { row.total_tokens } else { 0 };
        sums
    })
}

#[rstest]
#[tokio::test]
async fn sums_of_days_and_of_their_parts_are_those_of_attempts(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let house = House::of(kind);
    let storage = house.open().await;
    let (keys, models, clients) = (["k1", "k2", "k3"], ["flash", "pro"], ["shop", "bot"]);
    let rows = (0..600_i64).map(|number| {
        let drawn = usize::try_from(number * 7919 % 1009).unwrap();
        LedgerRow {
            time_ms: TODAY_MS + number * DAY_MS / 100,
            key_id: keys[drawn % 3].to_owned(),
            model: models[drawn % 2].to_owned(),
            attempt: 1 + u32::try_from(drawn % 4 / 3).unwrap(),
            fault: if drawn % 5 == 0 { "timeout".to_owned() } else { String::new() },
            is_estimated: drawn % 7 == 0,
            ..row(&number.to_string(), clients[drawn % 11 % 2], "ada", u64::try_from(drawn).unwrap())
        }
    });
    let rows: Vec<_> = rows.collect();
    for rows in rows.chunks(70) {
        storage.write_ledger(rows).await.unwrap();
    }
    let hour = DAY_MS / 24;
    for (from, to) in [
        (0, 6 * DAY_MS),
        (hour, 5 * DAY_MS - hour),
        (DAY_MS, 3 * DAY_MS),
        (hour, 2 * hour),
        (DAY_MS - hour, DAY_MS + hour),
    ] {
        for only_client in [None, Some("bot".to_owned())] {
            let query = |group_by| UsageQuery {
                from_ms: TODAY_MS + from,
                to_ms: TODAY_MS + to,
                group_by,
                only_client: only_client.clone(),
            };
            let by_user = storage.usage(&query(UsageGroup::User)).await.unwrap().total;
            let asked = |row: &&LedgerRow| {
                (TODAY_MS + from..TODAY_MS + to).contains(&row.time_ms)
                    && only_client.as_ref().is_none_or(|client| *client == row.client)
            };
            assert_eq!(by_user, added_up(rows.iter().filter(asked)), "from {from} to {to}");
            for by in [UsageGroup::Client, UsageGroup::Key, UsageGroup::Model, UsageGroup::Day] {
                let report = storage.usage(&query(by)).await.unwrap();
                assert_eq!(report.total, by_user, "by {by:?} from {from} to {to}");
                let mut sum = UsageSums::default();
                report.rows.iter().for_each(|row| sum += row.sums);
                assert_eq!(sum, by_user, "by {by:?} from {from} to {to}");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_user_may_be_called_anything(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    let long = "ß".repeat(5000);
    let names = ["'; DROP TABLE ledger; --", "🦀 ada", "a\0b", "$1", "%_\\", long.as_str(), "\u{202e}x\n"];
    let rows: Vec<_> = names
        .iter()
        .map(|name| LedgerRow { model: (*name).to_owned(), ..row(name, name, name, 1) })
        .collect();
    assert_eq!(storage.write_ledger(&rows).await.unwrap(), 7);
    let report = storage.usage(&ever(UsageGroup::User)).await.unwrap();
    let mut found = keys(&report);
    // The long one is kept as its beginning and a sum of it.
    let is_long = |name: &&str| name.starts_with("ßß");
    assert_eq!(found.iter().filter(|name| is_long(name)).count(), 1);
    found.retain(|name| !is_long(name));
    let mut expected: Vec<_> =
        names.iter().filter(|name| !is_long(name)).map(|name| name.replace('\0', "␀")).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let its = UsageQuery { only_client: Some(long.clone()), ..ever(UsageGroup::Model) };
    assert_eq!(storage.usage(&its).await.unwrap().total.attempts, 1);
}
