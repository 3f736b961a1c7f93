//! Avatars' engines behind the gateway: where starts lead clients, who may speak, and who ends what nobody wants.

use std::time::Duration;

use keygate_tests::sim::{Action, Fault};
use keygate_tests::{eventually, simulator};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::answer::{Answer, json_body};
use super::stage::{House, client};

const MINT: &str = "/anam/v1/auth/session-token";
const START: &str = "/anam/v1/engine/session";
const TARGET: &str = "x-anam-target-url";
const HOST_OF_API: &str = "https://api.anam.ai";

/// A house that may speak with the simulated engine, and asks for tokens.
async fn house(changes: Value) -> House {
    let sim = simulator();
    let engine = sim.endpoints().engine.trim_start_matches("http://").to_owned();
    let mut anam = json!({"engine_hosts": [engine], "strategy": "primary_backup"});
    for (name, value) in changes.as_object().expect("an object") {
        anam[name] = value.clone();
    }
    let changes = json!({"clients": {"auth": "required"}, "providers": {"anam": anam}});
    House::before(sim, changes, &[("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second")]).await
}

fn persona() -> Value {
    json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v", "llmId": "l"}})
}

fn starting(house: &House) -> RequestBuilder {
    house.post(START, &persona()).bearer_auth("kg_first")
}

/// What a page sends when its avatar is to say something.
fn saying(url: &str) -> RequestBuilder {
    json_body(client().post(url), &json!({"content": "Hello"}))
}

fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer}"))
}

#[tokio::test]
async fn a_page_is_led_through_the_gateway_and_needs_no_token_to_speak() {
    let house = house(json!({})).await;
    let started = Answer::to(starting(&house)).await;
    started.is_providers("anam", 200, 1);
    let answer = started.json();
    let authority = house.gateway.url("").replace("http://", "");
    let engine = house.sim.endpoints().engine.replace("http://", "");
    assert_eq!(text(&answer, "engineProtocol"), "http");
    assert!(text(&answer, "engineHost").starts_with(&format!("{authority}/anam/engine/{engine}/v1/webrtc/")));
    assert!(text(&answer, "signallingEndpoint").starts_with(&format!("/anam/ws/{engine}/v1/webrtc/")));
    assert_eq!(started.header("content-length"), started.body.len().to_string(), "{started:?}");

    let id = text(&answer, "sessionId");
    let url = format!("http://{}/talk?session_id={id}", text(&answer, "engineHost"));
    Answer::to(saying(&url)).await.is_engines(200);
    let spoken = house.sim.requests().pop().expect("a request");
    assert_eq!((spoken.operation.as_str(), spoken.credentials.len()), ("talk", 0), "{spoken:?}");
    assert!(spoken.path.ends_with("/talk") && spoken.body_start.contains("Hello"), "{spoken:?}");

    let stranger = url.replace(id, "0192-no-session-of-ours");
    let refused = Answer::to(saying(&stranger)).await;
    refused.is_refusal(404, "not_found");
    refused.says_anam("Not found", "no such engine");
    assert_eq!(house.counts().anam.by_operation["talk"], 1, "an engine is not asked about strangers");
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_page_with_the_gateway_option_gets_true_addresses_and_speaks_by_them() {
    let house = house(json!({})).await;
    let minted = Answer::to(
        house
            .post(MINT, &persona())
            .bearer_auth("kg_first")
            .header(TARGET, format!("{HOST_OF_API}/v1/auth/session-token")),
    );
    let token = minted.await.json()["sessionToken"].as_str().expect("a token").to_owned();
    let start = house.post(START, &json!({"clientMetadata": {}})).bearer_auth(token);
    let started = Answer::to(start.header(TARGET, format!("{HOST_OF_API}/v1/engine/session"))).await;
    started.is_providers("anam", 200, 1);
    let answer = started.json();
    let engine = text(&answer, "engineHost");
    assert!(engine.starts_with(&house.sim.endpoints().engine.replace("http://", "")), "{engine}");
    let id = text(&answer, "sessionId");

    let said = |target: String| {
        Answer::to(saying(&house.gateway.url(&format!("/anam/talk?session_id={id}"))).header(TARGET, target))
    };
    said(format!("http://{engine}/talk?session_id={id}")).await.is_engines(200);
    let asked = house.counts().anam.requests;
    for target in [
        "https://evil.example/talk?session_id=s",
        "http://169.254.169.254/talk?session_id=s",
        "https://api.anam.ai.evil.tld/talk?session_id=s",
        "https://api.anam.ai@evil/talk?session_id=s",
        "https://connect.anam.ai:8443/talk?session_id=s",
        "http://127.0.0.1:22/talk?session_id=s",
    ] {
        let speech = saying(&house.gateway.url(&format!("/anam/talk?session_id={id}")));
        let speech = speech.header(TARGET, target.replace("session_id=s", &format!("session_id={id}")));
        for path in [MINT, START, "/anam/v1/personas"] {
            let call = house.post(path, &persona()).header(TARGET, target);
            Answer::to(call.bearer_auth("kg_first")).await.is_refusal(403, "forbidden");
        }
        // Whoever asks, by whatever credential.
        let tokens = [None, Some("kg_first"), Some("kg_nobodys"), Some("h.eyJhY2NvdW50SWQiOiJhIn0.s")];
        for token in tokens {
            let speech = speech.try_clone().expect("a small body");
            let speech =
                token.map_or(speech.try_clone().expect("a small body"), |token| speech.bearer_auth(token));
            Answer::to(speech).await.is_refusal(403, "forbidden");
        }
        // What pages report goes nowhere at all.
        let metric = house.post("/anam/v1/metrics/client", &json!({"name": "x"})).header(TARGET, target);
        assert_eq!(Answer::to(metric).await.status, 204);
    }
    assert_eq!(house.counts().anam.requests, asked, "nobody was asked");
    assert!(house.sim.requests().iter().all(|seen| seen.headers.iter().all(|(name, _)| name != TARGET)));
    house.close().await;
}

#[tokio::test]
async fn an_engine_that_sends_callers_elsewhere_is_not_followed() {
    let house = house(json!({})).await;
    let answer = Answer::to(starting(&house)).await.json();
    let url =
        format!("http://{}/talk?session_id={}", text(&answer, "engineHost"), text(&answer, "sessionId"));
    let elsewhere = json!({"answer": {"status": 302, "headers": {"location": "http://169.254.169.254/"}}});
    let action: Action = serde_json::from_value(elsewhere).expect("an action");
    house.sim.script([Fault::new(action).operation("talk")]).expect("room");
    let refused = Answer::to(saying(&url)).await;
    assert_eq!((refused.status, refused.header("location")), (502, ""), "{refused:?}");
    Answer::to(saying(&url)).await.is_engines(200);
    house.close().await;
}

#[tokio::test]
async fn nor_is_an_api_that_does() {
    let house = house(json!({})).await;
    for (operation, path) in [("sessionToken", MINT), ("engineSession", START)] {
        let elsewhere =
            json!({"answer": {"status": 307, "headers": {"location": "http://169.254.169.254/"}}});
        let action: Action = serde_json::from_value(elsewhere).expect("an action");
        house.sim.script([Fault::new(action).operation(operation).always()]).expect("room");
        let refused = Answer::to(house.post(path, &persona()).bearer_auth("kg_first")).await;
        assert_eq!((refused.status, refused.header("location")), (502, ""), "{path}: {refused:?}");
        assert!(refused.json()["error"].is_string(), "{refused:?}");
    }
    house.close().await;
}

#[tokio::test]
async fn what_pages_report_of_themselves_ends_at_the_gateway() {
    let house = house(json!({})).await;
    let metric = json!({"name": "client_error", "value": "x", "tags": {"organizationId": "org-1"}});
    for path in ["/anam/v1/metrics/client", "/anam//v1/metrics/client"] {
        let answer = Answer::to(house.post(path, &metric)).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{answer:?}");
    }
    let flood = house.post("/anam/v1/metrics/client", &json!({"value": "x".repeat(70_000)}));
    assert_eq!(Answer::to(flood).await.status, 413);
    assert_eq!(house.counts().anam.requests, 0);
    house.close().await;
}

/// Starts a session and hangs up before it is answered.
async fn start_and_leave(house: &House) {
    let slow = Fault::new(Action::Pass).operation("engineSession").delay(Duration::from_millis(700));
    house.sim.script([slow]).expect("room");
    let before = house.counts().anam.requests;
    let waiting = tokio::spawn(starting(house).send());
    eventually("the start is on its way", async || (house.counts().anam.requests > before).then_some(()))
        .await;
    waiting.abort();
}

#[tokio::test]
async fn a_session_that_nobody_came_to_know_of_is_stopped() {
    let budgets = json!({"default": {"concurrent": 1}});
    let keys = json!([{"secret": "env:STUDIO_1", "label": "studio_1", "group": "studio"}]);
    let house = house(json!({"budgets": budgets, "keys": keys})).await;
    start_and_leave(&house).await;
    eventually("the session is stopped", async || {
        let counts = house.counts().anam;
        (counts.sessions_started == 1 && counts.sessions_active == 0).then_some(())
    })
    .await;
    let stopped = house.sim.requests().pop().expect("a request");
    assert_eq!((stopped.operation.as_str(), stopped.project.as_deref()), ("sessions.stop", Some("studio")));
    // Its place is free again, long before its time.
    eventually("another session starts", async || {
        (Answer::to(starting(&house)).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(house.counts().anam.sessions_active, 1);
    house.close().await;
}

#[tokio::test]
async fn a_stop_that_fails_at_first_is_tried_again() {
    let house = house(json!({})).await;
    let row = keygate_tests::sim::AnamRow::ServerError;
    house.sim.script([Fault::anam(row).operation("sessions.stop").times(2)]).expect("room");
    start_and_leave(&house).await;
    eventually("the session is stopped", async || {
        let counts = house.counts().anam;
        (counts.sessions_started == 1 && counts.sessions_active == 0).then_some(())
    })
    .await;
    assert_eq!(house.counts().anam.by_operation["sessions.stop"], 3);
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_session_whose_caller_waited_goes_on() {
    let house = house(json!({})).await;
    let slow = Fault::new(Action::Pass).operation("engineSession").delay(Duration::from_millis(700));
    house.sim.script([slow]).expect("room");
    Answer::to(starting(&house)).await.is_providers("anam", 200, 1);
    Answer::to(starting(&house)).await.is_providers("anam", 200, 1);
    let counts = house.counts().anam;
    assert_eq!((counts.sessions_started, counts.sessions_active), (2, 2));
    assert!(!counts.by_operation.contains_key("sessions.stop"));
    house.close().await;
}

#[tokio::test]
async fn each_end_frees_its_own_place_once() {
    let house = house(json!({"budgets": {"default": {"concurrent": 1}}})).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(text(&Answer::to(starting(&house)).await.json(), "sessionId").to_owned());
    }
    let refused = Answer::to(starting(&house)).await;
    refused.is_refusal(429, "pool_exhausted");
    refused.took("anam", 0);
    for _ in 0..3 {
        let stop =
            house.post(&format!("/anam/v1/sessions/{}/stop", ids[0]), &json!({})).bearer_auth("kg_first");
        Answer::to(stop).await.is_providers("anam", 200, 1);
    }
    Answer::to(starting(&house)).await.is_providers("anam", 200, 1);
    let refused = Answer::to(starting(&house)).await;
    refused.is_refusal(429, "pool_exhausted");
    refused.took("anam", 0);
    assert_eq!(house.counts().anam.refused_429, 0, "no limit of the provider's was met");
    house.close().await;
}

#[tokio::test]
async fn pages_of_listed_origins_may_use_every_surface() {
    let sim = simulator();
    let changes = json!({
        "clients": {"auth": "required"},
        "server": {"cors": {"allow_origins": ["https://app.example.com"]}},
        "limits": {"per_user": {"requests_per_minute": 1}},
    });
    let house = House::before(sim, changes, &[("KEYGATE_CLIENT_TOKENS", "kg_first")]).await;
    let asked = |path: &str, origin: &str| {
        let request = client().request(Method::OPTIONS, house.gateway.url(path)).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        Answer::to(
            request.header("access-control-request-headers", "authorization,content-type,x-anam-target-url"),
        )
    };
    for path in [
        START,
        "/anam/talk",
        "/anam/v1/metrics/client",
        "/v1beta/models/m:generateContent",
        "/openai/v1/chat/completions",
        "/api/v1/avatar/session",
        "/nobody/knows",
    ] {
        let told = asked(path, "https://app.example.com").await;
        assert_eq!(
            (told.status, told.header("access-control-allow-origin")),
            (204, "https://app.example.com"),
            "{path}"
        );
        assert_eq!(
            told.header("access-control-allow-headers"),
            "authorization,content-type,x-anam-target-url"
        );
        assert!(told.header("access-control-allow-methods").contains("POST"), "{told:?}");
        let stranger = asked(path, "https://evil.example").await;
        assert_ne!(stranger.status, 204, "{path}");
        assert_eq!(stranger.header("access-control-allow-origin"), "", "{path}");
    }
    assert_eq!(house.counts().anam.requests + house.counts().google.requests, 0);

    let page = |request: RequestBuilder| Answer::to(request.header("origin", "https://app.example.com"));
    let first = page(starting(&house)).await;
    first.is_providers("anam", 200, 1);
    let second = page(starting(&house)).await;
    second.is_refusal(429, "user_limited");
    let nobody = page(house.post(START, &persona())).await;
    nobody.is_refusal(401, "unauthenticated");
    let status = page(house.get("/api/keys/status")).await;
    for answer in [first, second, nobody, status] {
        assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com", "{answer:?}");
        assert!(answer.header("access-control-expose-headers").contains("x-request-id"), "{answer:?}");
        assert_eq!(answer.header("vary"), "origin", "{answer:?}");
    }
    let no_page = Answer::to(house.post(START, &persona())).await;
    assert_eq!(no_page.header("access-control-allow-origin"), "");
    house.close().await;
}

#[tokio::test]
async fn without_a_list_no_page_may() {
    let house = House::open(json!({})).await;
    let request =
        client().request(Method::OPTIONS, house.gateway.url(START)).header("origin", "https://a.example");
    let answer = Answer::to(request.header("access-control-request-method", "POST")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (405, ""), "{answer:?}");
    house.close().await;
}
