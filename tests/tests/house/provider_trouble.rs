//! The provider itself is in trouble: no key is to blame, and the caller gets to read what was said.

use keygate_tests::eventually;
use keygate_tests::sim::{Action, AnamRow, Fault, GoogleRow, Provider};
use serde_json::json;

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, chat, direct, generate_path, openai_chat, stream_path, twin};

#[tokio::test]
async fn a_storm_of_503_cools_no_key_and_ends_in_the_providers_own_words() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::google(GoogleRow::HighDemand).always()]).expect("room");
    let bare = twin();
    bare.script([Fault::google(GoogleRow::HighDemand).always()]).expect("room");

    let requests = [
        (generate_path(FLASH), chat("hello")),
        (stream_path(FLASH), chat("hello")),
        (OPENAI_CHAT.to_owned(), openai_chat("hello", false)),
    ];
    for (path, body) in &requests {
        let before = house.upstream_requests();
        let answer = Answer::to(house.post(path, body)).await;
        answer.is_providers("google", 503, 3);
        assert_eq!(answer.body, direct(&bare, path, body).await.body, "verbatim on {path}");
        assert_eq!(house.upstream_requests(), before + 3);
    }
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(pool.ledger("settled"), 9);
    let all = Answer::to(house.get("/api/keys/status")).await.json();
    assert_eq!((&all["status"], &all["api_keys"]["google"]["available"]), (&json!("ok"), &json!(3)));

    house.sim.clear_script();
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn an_attempt_that_failed_is_in_the_log_with_its_request_and_its_key() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::new(Action::Close)]).expect("room");
    let asked = house.post(&generate_path(FLASH), &chat("hello")).header("x-request-id", "find-me-1");
    Answer::to(asked).await.is_providers("google", 200, 2);
    eventually("the failed attempt is told", async || {
        let log = house.gateway.stderr();
        let line = log.lines().find(|line| line.contains("find-me-1") && line.contains("WARN"))?;
        (line.contains("unreachable") && line.contains("alpha_1")).then_some(())
    })
    .await;
    house.close().await;
}

#[tokio::test]
async fn one_503_is_made_good_by_another_attempt() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::google(GoogleRow::Overloaded)]).expect("room");

    house.generate(FLASH, "hello").await.is_providers("google", 200, 2);

    house.google().await.blames_nobody();
    let counts = house.counts().google;
    assert_eq!(counts.by_status, [(200, 1), (503, 1)].into());
    assert_eq!(counts.by_project.len(), 2, "another project is asked: {counts:?}");
    house.close().await;
}

#[tokio::test]
async fn a_500_is_tried_once_more_and_no_more() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::google(GoogleRow::Internal).always()]).expect("room");

    let answer = house.generate(FLASH, "hello").await;
    answer.is_providers("google", 500, 2);
    answer.says_native("INTERNAL", "An internal error has occurred");

    house.google().await.blames_nobody();
    assert_eq!(house.upstream_requests(), 2);
    house.close().await;
}

#[tokio::test]
async fn an_html_page_becomes_an_error_that_sdks_can_read() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::new(Action::Html502).always()]).expect("room");

    let native = house.generate(FLASH, "hello").await;
    native.is_refusal(502, "upstream_garbled");
    native.took("google", 3);
    native.says_native("UNAVAILABLE", "not its API");
    assert!(native.retry_after().is_some(), "time may cure it: {native:?}");

    let openai = Answer::to(house.openai("hello")).await;
    openai.is_refusal(502, "upstream_garbled");
    openai.says_openai("server_error", "not its API");

    house.google().await.blames_nobody();
    assert_eq!(house.upstream_requests(), 6);
    house.close().await;
}

#[tokio::test]
async fn one_html_page_is_made_good_by_another_attempt() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::new(Action::Html502)]).expect("room");
    house.generate(FLASH, "hello").await.is_providers("google", 200, 2);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_avatar_start_that_met_an_html_page_is_not_sent_twice() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::new(Action::Html502).provider(Provider::Anam).always()]).expect("room");

    let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    let answer = Answer::to(house.post("/anam/v1/engine/session", &body)).await;
    answer.is_refusal(502, "upstream_garbled");
    answer.took("anam", 1);
    answer.says_anam("Bad gateway", "not its API");

    assert_eq!(house.counts().anam.requests, 1, "it may have started, and would be billed twice");
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_avatar_start_without_free_engines_is_tried_once_elsewhere() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::anam(AnamRow::NoEngines).always()]).expect("room");

    let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    let answer = Answer::to(house.post("/anam/v1/engine/session", &body)).await;
    answer.is_providers("anam", 503, 2);
    assert!(answer.json()["error"].is_string(), "{answer:?}");

    assert_eq!(house.counts().anam.requests, 2);
    house.anam().await.blames_nobody();
    house.close().await;
}
