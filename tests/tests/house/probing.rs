//! Disabled keys that are asked after: one that was mended comes back by itself, and nothing is generated with it
//! until it has.

use jiff::Timestamp;
use keygate_tests::eventually;
use keygate_tests::sim::{AnamRow, GoogleRow, KeyState, RequestRecord};
use serde_json::{Value, json};

use super::answer::Answer;
use super::pool::Pool;
use super::stage::{FLASH, House, states};

const ALPHA: &str = "sim-google-alpha-1";
const STUDIO: &str = "sim-anam-studio-1";

/// A house that asks after its disabled keys as quickly as can be configured.
async fn eager() -> House {
    let probe = json!({"probe": {"every": "1s", "at_most": "1h", "per_hour": 3600}});
    House::open(json!({"providers": {"google": probe, "anam": probe}})).await
}

/// What was asked of a provider with a key, in order.
fn asked_with(house: &House, key: &str) -> Vec<RequestRecord> {
    let is_with = |record: &RequestRecord| record.credentials.iter().any(|seen| seen.label == key);
    house.sim.requests().into_iter().filter(is_with).collect()
}

fn probes(pool: &Pool, label: &str) -> u64 {
    pool.key(label)["probes"].as_u64().expect("a count of probes")
}

fn time(of: &Value) -> Timestamp {
    of.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{of} is no time"))
}

async fn probed(house: &House, provider: &str, label: &str, times: u64) -> Pool {
    eventually("the key is asked after", async || {
        let pool = house.pool_now(provider).await;
        // Between a probe and its answer no next one is planned.
        (probes(&pool, label) >= times && !pool.key(label)["next_probe_at"].is_null()).then_some(pool)
    })
    .await
}

async fn recovered(house: &House, provider: &str, label: &str) {
    eventually("the key is back", async || {
        (house.pool_now(provider).await.state(label) == "available").then_some(())
    })
    .await;
}

/// A house whose key `ALPHA` was found invalid.
async fn with_an_invalid_key(house: House) -> House {
    house.sim.declare(states(&[(ALPHA, KeyState::Google(GoogleRow::KeyInvalid))])).expect("a known key");
    for _ in 0..3 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    assert_eq!(house.google().await.fault("alpha_1"), "key_invalid");
    house
}

#[tokio::test]
async fn a_key_that_was_mended_comes_back_by_itself_and_meanwhile_generates_nothing() {
    let house = with_an_invalid_key(eager().await).await;
    let pool = probed(&house, "google", "alpha_1", 1).await;
    assert_eq!((pool.state("alpha_1"), house.counts().google.by_key[ALPHA]), ("disabled", 2));
    house.sim.declare(states(&[(ALPHA, KeyState::Valid)])).expect("a known key");
    recovered(&house, "google", "alpha_1").await;

    let asked = asked_with(&house, ALPHA);
    let (refused, free) = asked.split_first().expect("it was used once");
    assert_eq!((refused.operation.as_str(), refused.status), ("generateContent", Some(400)));
    let calls: Vec<_> = free.iter().map(|call| (call.operation.as_str(), call.method.as_str())).collect();
    assert!(calls.len() >= 2 && calls.iter().all(|call| *call == ("models.list", "GET")), "{calls:?}");
    assert!(free.iter().all(|call| call.credentials.len() == 1 && call.body_bytes == 0), "{free:?}");

    let pool = house.google().await;
    assert_eq!(pool.key("alpha_1")["counts"]["attempts"], 1, "a probe is no attempt");
    assert!(house.gateway.stderr().contains("API key recovered by probe"), "{}", house.gateway.stderr());
    for _ in 0..3 {
        house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    }
    let key = house.google().await.key("alpha_1").clone();
    assert_eq!((&key["counts"]["served"], &key["probes"]), (&json!(1), &json!(0)), "proved by use");
    house.close().await;
}

#[tokio::test]
async fn a_key_that_stays_bad_is_asked_after_ever_more_slowly() {
    let house = with_an_invalid_key(eager().await).await;
    let pool = probed(&house, "google", "alpha_1", 2).await;
    let key = pool.key("alpha_1");
    assert_eq!((pool.state("alpha_1"), probes(&pool, "alpha_1")), ("disabled", 2));
    let wait = time(&key["next_probe_at"]).duration_since(time(&key["last_probe_at"]));
    assert!(wait.as_secs() >= 4, "1 s, 2 s, 4 s: {key}");
    let sent: Vec<Timestamp> = asked_with(&house, ALPHA).iter().map(|record| record.at).collect();
    let [_, first, second] = sent.as_slice() else { panic!("used once, asked after twice: {sent:?}") };
    assert!(second.duration_since(*first).as_secs() >= 2, "{sent:?}");
    assert_eq!(
        house.google().await.key("beta_1")["next_probe_at"],
        Value::Null,
        "nobody asks after a good key"
    );
    house.close().await;
}

#[tokio::test]
async fn an_anam_key_comes_back_without_a_session_being_started() {
    let house = eager().await;
    house.sim.declare(states(&[(STUDIO, KeyState::Anam(AnamRow::InvalidApiKey))])).expect("a known key");
    let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    for _ in 0..2 {
        assert_eq!(Answer::to(house.post("/anam/v1/auth/session-token", &body)).await.status, 200);
    }
    assert_eq!(house.anam().await.state("studio_1"), "disabled");
    house.sim.declare(states(&[(STUDIO, KeyState::Valid)])).expect("a known key");
    recovered(&house, "anam", "studio_1").await;
    let asked = asked_with(&house, STUDIO);
    let paths: Vec<_> = asked.iter().map(|call| (call.method.as_str(), call.path.as_str())).collect();
    assert_eq!(paths[0], ("POST", "/v1/auth/session-token"));
    assert!(paths[1..].iter().all(|call| *call == ("GET", "/v1/sessions/concurrency")), "{paths:?}");
    assert_eq!(house.counts().anam.sessions_started, 0);
    house.close().await;
}

#[tokio::test]
async fn the_plan_outlives_the_process_and_can_be_switched_off_without_a_restart() {
    let house = with_an_invalid_key(House::open(json!({})).await).await;
    let planned = house.google().await.key("alpha_1")["next_probe_at"].clone();
    assert!(time(&planned) > time(&json!(house.sim.requests()[0].at.to_string())), "{planned}");
    let house = house.restarted().await;
    assert_eq!(house.google().await.key("alpha_1")["next_probe_at"], planned);
    let yaml = std::fs::read_to_string(house.gateway.home().join("keygate.yaml")).expect("its configuration");
    let mut config: Value = serde_json::from_str(&yaml).expect("JSON is YAML");
    config["providers"]["google"]["probe"] = json!({"enabled": false});
    house.gateway.write("keygate.yaml", &config.to_string());
    eventually("nobody is asked after", async || {
        house.google().await.key("alpha_1")["next_probe_at"].is_null().then_some(())
    })
    .await;
    assert_eq!(house.google().await.state("alpha_1"), "disabled");
    house.close().await;
}
