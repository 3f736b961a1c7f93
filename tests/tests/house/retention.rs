//! How long the ledger is kept.

use keygate_tests::{PostgresDatabase, configuration, eventually, simulator};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::answer::Answer;
use super::database::shell;
use super::stage::{FLASH, House};

const ADMIN: &str = "an-admin-token-of-some-length";
const DAY_MS: i64 = 86_400_000;

/// What there is once more, so many days ago, in the ledger and in its sums.
fn aged(days: i64) -> String {
    format!(
        "INSERT INTO usage_user_days SELECT (time_ms - {0}) / {DAY_MS}, client, user_name, 1, 1, 0, input_tokens, \
         output_tokens, thought_tokens, cached_tokens, total_tokens, 0 FROM ledger WHERE id NOT LIKE '%-%-%'; \
         INSERT INTO ledger SELECT '{days}-' || id, time_ms - {0}, request_id, client, user_name, provider, model, \
         key_id, key_group, operation, status, outcome, fault, attempt, input_tokens, output_tokens, thought_tokens, \
         cached_tokens, total_tokens, is_estimated, latency_ms, first_byte_ms, source FROM ledger WHERE id NOT LIKE \
         '%-%-%'",
        days * DAY_MS
    )
}

fn kept_for(retention: &str, storage: &Value) -> Value {
    let mut changes = json!({"storage": storage});
    changes["storage"]["ledger_retention"] = json!(retention);
    changes
}

async fn ledger(house: &House) -> Value {
    house.gateway.get_json("/api/keys/status").await["ledger"].clone()
}

async fn total(house: &House) -> u64 {
    let asked = house.get("/api/usage?from=2020-01-01&group_by=user").bearer_auth(ADMIN);
    let told = Answer::to(asked).await.json();
    told["total"]["attempts"].as_u64().unwrap_or_else(|| panic!("{told}"))
}

/// A request of today, of 100 days ago and of 450, which the default does not keep.
async fn what_is_old_goes(storage: Value, run: impl AsyncFn(&House, String)) {
    let sim = simulator();
    let house = House::before(sim, kept_for("400d", &storage), &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await;
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    eventually("it is written", async || (total(&house).await == 1).then_some(())).await;
    run(&house, aged(100)).await;
    run(&house, aged(450)).await;
    assert_eq!(total(&house).await, 3);

    let house = house.restarted().await;
    eventually("what is older is forgotten", async || (total(&house).await == 2).then_some(())).await;
    eventually("it is told", async || (ledger(&house).await["forgotten"] == 1).then_some(())).await;
    eventually("it is logged", async || {
        house.gateway.stderr().contains("storage.ledger_retention are forgotten").then_some(())
    })
    .await;

    let shorter = configuration(house.sim.endpoints(), &kept_for("13w", &storage));
    house.gateway.write("keygate.yaml", &shorter);
    eventually("another retention holds at once", async || (total(&house).await == 1).then_some(())).await;
    let told = ledger(&house).await;
    assert_eq!((&told["forgotten"], &told["status"]), (&json!(2), &json!("ok")), "{told}");
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    eventually("the ledger goes on", async || (total(&house).await == 2).then_some(())).await;
    house.close().await;
}

#[tokio::test]
async fn what_is_older_than_the_retention_is_forgotten() {
    what_is_old_goes(json!({}), async |house: &House, sql: String| {
        let mut shell = shell(house.gateway.home()).await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut shell).await.expect("it can be written");
        shell.close().await.expect("it can be closed");
    })
    .await;
}

#[tokio::test]
async fn what_is_older_than_the_retention_is_forgotten_on_a_server() {
    let database = PostgresDatabase::empty();
    what_is_old_goes(json!({"url": database.url}), async |_: &House, sql: String| {
        database.run(&sql);
    })
    .await;
}

#[tokio::test]
async fn a_month_at_least_is_kept_for_plans() {
    let exit = keygate_tests::Keygate::run(
        &["check"],
        "storage: {ledger_retention: 30d}",
        &[("GEMINI_API_KEYS", "AIza-one-key-of-nobody")],
    )
    .await;
    assert_eq!(exit.status.code(), Some(64));
    assert!(exit.stderr.contains("keygate.yaml:1") && exit.stderr.contains("32d"), "{}", exit.stderr);
}
