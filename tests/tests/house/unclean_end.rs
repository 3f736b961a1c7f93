//! A gateway that is killed: what the next one knows of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keygate_tests::eventually;
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::database::shell;
use super::stage::{FLASH, House};

async fn unclean_end(house: &House) -> Value {
    house.gateway.get_json("/api/keys/status").await["ledger"]["unclean_end"].clone()
}

#[expect(clippy::disallowed_methods, reason = "the clock of the machine, which the gateway's is, too")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn at(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no moment: {value}"))
}

#[tokio::test]
async fn the_next_start_says_from_when_until_when_rows_may_be_missing() {
    let house = House::open(json!({"limits": {"per_user": {"requests_per_minute": 10_000}}})).await;
    assert_eq!(unclean_end(&house).await, Value::Null, "the first start");
    let stream = house.stream("stream 250 every 100ms").send().await.expect("it begins");
    let mark = house.gateway.home().join("keygate.db.running");
    eventually("the stream is known to be under way", async || {
        let text = std::fs::read_to_string(&mark).unwrap_or_default();
        text.trim_end().ends_with(" 1").then_some(())
    })
    .await;
    // Killed in the middle of traffic.
    let began = now();
    let mut ended = Vec::new();
    while now().duration_since(began) < SignedDuration::from_secs(2) {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
        ended.push(now());
        // Not so many that the provider's quota ends the traffic.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let house = house.killed().await;
    let killed = now();
    drop(stream);

    let end = unclean_end(&house).await;
    let (from, until) = (at(&end["from"]), at(&end["until"]));
    assert!(
        began < from && from < until && until < killed + SignedDuration::from_secs(1),
        "{end}, killed {killed}"
    );
    // The stream, and a request if one was just being answered.
    assert!(end["under_way"] == 1 || end["under_way"] == 2, "{end}");
    let told = house.gateway.stderr();
    assert!(told.contains("the last run was cut off") && told.contains("may be missing"), "{told}");
    let mut shell = shell(house.gateway.home()).await;
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM ledger").fetch_one(&mut shell).await.expect("a count");
    shell.close().await.expect("it can be closed");
    let certain = ended.iter().filter(|ended| **ended < from).count();
    assert!(
        certain > 0 && rows >= i64::try_from(certain).expect("few"),
        "{rows} rows, {certain} before {from}"
    );
    let status = house.gateway.get_json("/api/keys/status").await;
    assert_eq!(status["ledger"]["status"], "ok", "it is over: {status}");

    let house = house.restarted().await;
    assert_eq!(unclean_end(&house).await, Value::Null, "this one ended as it should");
    assert!(!house.gateway.stderr().contains("cut off"));
    house.close().await;
}

#[tokio::test]
async fn a_start_that_fails_is_no_run_that_was_cut_off() {
    let house = House::open(json!({})).await;
    let (exit, home) = house.gateway.leave().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    let mark = home.path().join("keygate.db.running");
    assert!(!mark.exists(), "nothing is left");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let keys = keygate_tests::SIMULATED_KEYS;
    let exit = keygate_tests::Keygate::run_in(&home, &["serve", "--bind", &address], keys).await;
    assert_eq!(exit.status.code(), Some(69), "{}", exit.stderr);
    assert!(!mark.exists(), "it never served");
}
