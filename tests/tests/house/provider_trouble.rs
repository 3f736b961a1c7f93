//! The provider itself is in trouble: no key is to blame, and the caller gets to read what was said.

use keygate_tests::sim::{Action, AnamRow, Fault, GoogleRow, Provider};
use keygate_tests::{eventually, simulator};
use serde_json::json;

use super::answer::Answer;
use super::stage::{
    FLASH, House, OPENAI_CHAT, PRO, chat, direct, generate_path, one_project, openai_chat, stream_path, twin,
    words_on,
};

/// Waits while Gemini is in trouble: so long that nothing in a story depends on the clock. A request
/// then makes one attempt only, because its pause would not end in time either.
const AN_HOUR: &[(&str, &str)] = &[
    ("KEYGATE__PROVIDERS__GOOGLE__COOLDOWNS__OVERLOADED__AT_LEAST", "1h"),
    ("KEYGATE__PROVIDERS__GOOGLE__COOLDOWNS__OVERLOADED__AT_MOST", "1h"),
];

/// Waits that a story can sit out.
const A_SECOND: &[(&str, &str)] = &[
    ("KEYGATE__PROVIDERS__GOOGLE__COOLDOWNS__OVERLOADED__AT_LEAST", "1s"),
    ("KEYGATE__PROVIDERS__GOOGLE__COOLDOWNS__OVERLOADED__AT_MOST", "1s"),
];

#[tokio::test]
async fn a_storm_of_503_cools_no_key_and_ends_in_the_providers_own_words() {
    let requests = [
        (generate_path(FLASH), chat("hello")),
        (stream_path(FLASH), chat("hello")),
        (OPENAI_CHAT.to_owned(), openai_chat("hello", false)),
    ];
    let bare = twin();
    bare.script([Fault::google(GoogleRow::HighDemand).always()]).expect("room");
    for (path, body) in &requests {
        let house = House::open(json!({})).await;
        house.sim.script([Fault::google(GoogleRow::HighDemand).always()]).expect("room");
        let answer = Answer::to(house.post(path, body)).await;
        let attempts = answer.header("x-keygate-attempts").parse().expect("a number");
        answer.is_providers("google", 503, attempts);
        assert!((2..=3).contains(&attempts), "two groups agree, and the third attempt may be the probe");
        assert_eq!(answer.text(), words_on(path, &direct(&bare, path, body).await), "verbatim on {path}");
        assert_eq!(house.upstream_requests(), u64::from(attempts));
        let pool = house.google().await;
        pool.blames_nobody();
        assert_eq!(pool.ledger("settled"), u64::from(attempts));
        house.close().await;
    }
}

#[tokio::test]
async fn while_the_provider_is_in_trouble_callers_are_told_for_how_long_and_nobody_is_sent_there() {
    let house = House::before(simulator(), json!({}), AN_HOUR).await;
    house.sim.script([Fault::google(GoogleRow::HighDemand).model(FLASH).always()]).expect("room");

    // Round the keys of both projects, one attempt each.
    for _ in 0..3 {
        house.generate(FLASH, "hello").await.is_providers("google", 503, 1);
    }
    let asked = house.upstream_requests();
    for _ in 0..10 {
        let native = house.generate(FLASH, "hello").await;
        native.is_refusal(503, "upstream_overloaded");
        native.took("google", 0);
        native.says_native(
            "UNAVAILABLE",
            "Gemini is in trouble for the moment. Last error: Provider unavailable",
        );
        assert!(native.retry_after().is_some_and(|wait| (3000..=3960).contains(&wait)), "{native:?}");
    }
    let openai = Answer::to(house.openai("hello")).await;
    openai.is_refusal(503, "upstream_overloaded");
    openai.says_openai("server_error", "Gemini is in trouble");
    assert_eq!(house.upstream_requests(), asked, "nobody was asked");

    let pool = house.google().await;
    pool.blames_nobody();
    let breaker = &pool.0["breakers"][0];
    assert_eq!(pool.0["breakers"].as_array().map(Vec::len), Some(1), "{pool:?}");
    assert_eq!(
        (&breaker["model"], &breaker["state"], &breaker["fault"]),
        (&json!(FLASH), &json!("open"), &json!("overloaded"))
    );
    assert!(breaker["since"].is_string() && breaker["retry_at"].is_string(), "{breaker}");
    let all = Answer::to(house.get("/api/keys/status")).await.json();
    assert_eq!((&all["status"], &all["api_keys"]["google"]["available"]), (&json!("degraded"), &json!(3)));
    assert!(house.gateway.stderr().contains("the provider is in trouble, no key is blamed"));

    house.generate(PRO, "hello").await.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn a_storm_is_over_by_itself_and_few_requests_found_out() {
    let unlimited = json!({"limits": {"per_user": {"requests_per_minute": 100_000, "burst": 100_000}}});
    let house = House::before(simulator(), unlimited, A_SECOND).await;
    house.sim.script([Fault::google(GoogleRow::HighDemand).always()]).expect("room");
    let opened = eventually("one after the other is refused without asking", async || {
        let answer = house.generate(FLASH, "hello").await;
        (answer.header("x-keygate-error") == "upstream_overloaded").then_some(house.upstream_requests())
    })
    .await;

    house.sim.clear_script();
    eventually("the probe finds out", async || {
        (house.generate(FLASH, "hello").await.status == 200).then_some(())
    })
    .await;
    let counts = house.counts().google;
    assert_eq!(counts.by_status.get(&503), Some(&opened), "nothing was sent in vain since: {counts:?}");
    eventually("the slow start ends", async || {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200, "one at a time always passes");
        let pool = house.google().await;
        (pool.0["breakers"].as_array().map(Vec::len) == Some(0)).then_some(())
    })
    .await;
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_429_without_any_detail_from_every_project_is_the_providers_and_frees_the_keys() {
    let house = House::before(simulator(), json!({}), AN_HOUR).await;
    house.sim.script([Fault::google(GoogleRow::ExhaustedBare).always()]).expect("room");

    let answer = house.generate(FLASH, "hello").await;
    answer.is_refusal(503, "upstream_overloaded");
    answer.took("google", 2);
    answer.says_native("UNAVAILABLE", "Gemini is in trouble");
    assert!(
        answer.retry_after().is_some_and(|wait| (1..=6).contains(&wait)),
        "its own hint wins: {answer:?}"
    );

    let pool = house.google().await;
    assert_eq!(pool.states(), [("available", 3)].into());
    assert!(pool.resting("alpha_1").is_empty() && pool.resting("beta_1").is_empty(), "{pool:?}");
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
    let house = House::open(one_project()).await;
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
