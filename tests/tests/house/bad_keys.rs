//! Keys that are no good: the caller is served by another, or told so in words it can read.

use keygate_tests::sim::{AnamRow, GoogleRow, KeyState};
use keygate_tests::simulator;
use serde_json::json;

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, openai_chat, states};

const NO_SUCH_KEY: KeyState = KeyState::Google(GoogleRow::KeyInvalid);
const ALL: [&str; 3] = ["sim-google-alpha-1", "sim-google-alpha-2", "sim-google-beta-1"];

#[tokio::test]
async fn one_valid_key_is_found_behind_the_invalid_ones_and_nobody_notices() {
    let house = House::open(json!({})).await;
    house.sim.declare(states(&[(ALL[0], NO_SUCH_KEY), (ALL[1], NO_SUCH_KEY)])).expect("known keys");

    for _ in 0..4 {
        let answer = house.generate(FLASH, "hello").await;
        assert_eq!((answer.status, answer.said().as_str()), (200, "You said: hello"));
        assert_eq!(answer.header("x-keygate-key"), house.google().await.id("beta_1"));
    }
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);

    let pool = house.google().await;
    assert_eq!(pool.states(), [("available", 1), ("disabled", 2)].into());
    assert_eq!((pool.fault("alpha_1"), pool.fault("alpha_2")), ("key_invalid", "key_invalid"));
    assert_eq!(ALL.map(|key| house.asked(key)), [1, 1, 5]);
    house.close().await;
}

#[tokio::test]
async fn with_every_key_invalid_each_is_asked_once_and_then_nobody() {
    let house = House::open(json!({})).await;
    house.sim.declare(states(&ALL.map(|key| (key, NO_SUCH_KEY)))).expect("known keys");

    let first = house.generate(FLASH, "hello").await;
    first.is_refusal(503, "pool_disabled");
    first.took("google", 3);
    first.says_native("UNAVAILABLE", "All Gemini API keys failed. Last error: Invalid API key");
    assert_eq!(first.retry_after(), None, "no time cures an invalid key: {first:?}");
    assert!(first.json()["error"].get("details").is_none(), "{first:?}");

    let second = Answer::to(house.post(OPENAI_CHAT, &openai_chat("hello", false))).await;
    second.is_refusal(503, "pool_disabled");
    second.took("google", 0);
    second.says_openai("server_error", "All Gemini API keys failed. Last error: Invalid API key");
    assert_eq!(second.header("x-should-retry"), "false");
    assert_eq!(second.retry_after(), None);

    assert_eq!(ALL.map(|key| house.asked(key)), [1, 1, 1]);
    assert_eq!(house.google().await.states(), [("disabled", 3)].into());
    let all = Answer::to(house.get("/api/keys/status")).await.json();
    assert_eq!(all["status"], "down");
    assert_eq!(all["api_keys"]["google"]["disabled"], 3);
    house.close().await;
}

#[tokio::test]
async fn with_every_anam_key_invalid_its_sdks_are_told_in_their_envelope() {
    let house = House::open(json!({})).await;
    let invalid = KeyState::Anam(AnamRow::InvalidApiKey);
    let keys = states(&[("sim-anam-studio-1", invalid), ("sim-anam-backup-1", invalid)]);
    house.sim.declare(keys).expect("known keys");

    let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    for attempts in [2, 0] {
        let answer = Answer::to(house.post("/anam/v1/auth/session-token", &body)).await;
        answer.is_refusal(503, "pool_disabled");
        answer.took("anam", attempts);
        answer.says_anam("Service unavailable", "All Anam API keys failed. Last error: Invalid API key");
        assert_eq!(answer.retry_after(), None);
    }
    assert_eq!(house.counts().anam.requests, 2);
    assert_eq!(house.anam().await.states(), [("disabled", 2)].into());
    house.close().await;
}

#[tokio::test]
async fn a_leaked_key_is_taken_out_and_a_suspended_project_with_all_its_keys() {
    let house = House::open(json!({})).await;
    let suspended = KeyState::Google(GoogleRow::ConsumerSuspended);
    house.sim.declare(states(&[(ALL[0], suspended), (ALL[1], suspended)])).expect("known keys");

    house.generate(FLASH, "hello").await.is_providers("google", 200, 2);
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);

    let pool = house.google().await;
    for label in ["alpha_1", "alpha_2"] {
        assert_ne!(pool.state(label), "available", "{pool:?}");
        assert_eq!(pool.fault(label), "group_blocked");
    }
    assert_eq!(house.asked(ALL[0]) + house.asked(ALL[1]), 1, "one key speaks for its project");

    house.sim.declare(states(&[(ALL[2], KeyState::Google(GoogleRow::KeyLeaked))])).expect("a known key");
    let answer = house.generate(FLASH, "hello").await;
    assert_ne!(answer.status, 200);
    assert_eq!(house.google().await.state("beta_1"), "disabled");
    house.close().await;
}

#[tokio::test]
async fn one_request_meets_at_most_sixteen_bad_keys_and_the_next_finds_the_good_one() {
    let bad: Vec<String> = (0..20).map(|number| format!("made-up-key-{number}")).collect();
    let keys = json!([
        {"secret": "env:BAD_KEYS", "label": "bad"},
        {"secret": "env:BETA_1", "label": "beta_1", "group": "beta"},
    ]);
    let changes = json!({"providers": {"google": {"keys": keys}}});
    let house = House::before(simulator(), changes, &[("BAD_KEYS", &bad.join(","))]).await;

    let first = house.generate(FLASH, "hello").await;
    first.took("google", 16);
    assert!(!first.header("x-keygate-error").is_empty(), "{first:?}");
    assert!(first.retry_after().is_some(), "another try is worth it: {first:?}");
    assert_eq!(house.google().await.states(), [("available", 5), ("disabled", 16)].into());

    let second = house.generate(FLASH, "hello").await;
    second.is_providers("google", 200, 5);
    assert_eq!(house.asked("unknown"), 20, "each bad key is asked once");
    house.close().await;
}
