//! Connections that break: before, during and after the head of an answer, and inside its body.

use keygate_tests::sim::{Action, Fault, GoogleRow, HalfStream, KeyState, Provider, StreamEnding};
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::receivers::ClosedPort;
use super::stage::{
    FLASH, House, OPENAI_CHAT, chat, generate_path, one_project, openai_chat, states, stream_path,
};
use super::wire::{Upstream, json_answer};

fn mid_body(ending: StreamEnding) -> Action {
    Action::HalfStream(HalfStream { events: 1, ending })
}

/// Every way to break an answer in one piece before all of it was said.
fn breaks() -> Vec<Action> {
    vec![
        Action::Reset,
        Action::Close,
        Action::ResetAfterHeaders,
        mid_body(StreamEnding::Reset),
        mid_body(StreamEnding::Close),
    ]
}

#[tokio::test]
async fn a_chat_whose_connection_breaks_is_served_by_another_attempt() {
    let house = House::open(json!({})).await;
    for action in breaks() {
        let before = house.upstream_requests();
        house.sim.script([Fault::new(action.clone())]).expect("room");
        let answer = house.generate(FLASH, "hello").await;
        answer.is_providers("google", 200, 2);
        assert_eq!(answer.said(), "You said: hello", "after {action:?}");
        assert_eq!(house.upstream_requests(), before + 2, "after {action:?}");
    }
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn half_of_a_400_blames_nobody_and_another_attempt_is_made() {
    let house = House::open(json!({})).await;
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&[("sim-google-alpha-1", invalid)])).expect("a known key");
    house.sim.script([Fault::new(mid_body(StreamEnding::Close)).key("sim-google-alpha-1")]).expect("room");
    house.generate(FLASH, "hello").await.is_providers("google", 200, 2);
    house.google().await.blames_nobody();
    // The whole of it names the key.
    for _ in 0..3 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    assert_eq!(house.google().await.state("alpha_1"), "disabled");
    house.close().await;
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_first_byte_is_served_by_another_attempt() {
    let house = House::open(json!({})).await;
    for action in [Action::Reset, Action::Close, Action::ResetAfterHeaders] {
        let requests =
            [(stream_path(FLASH), chat("stream 3")), (OPENAI_CHAT.to_owned(), openai_chat("stream 3", true))];
        for (path, body) in requests {
            house.sim.script([Fault::new(action.clone())]).expect("room");
            let answer = Answer::to(house.post(&path, &body)).await;
            answer.is_providers("google", 200, 2);
            assert!(answer.text().contains("event 3 of 3"), "after {action:?} on {path}: {answer:?}");
        }
    }
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_provider_that_always_hangs_up_is_told_as_unreachable() {
    let house = House::open(one_project()).await;
    house.sim.script([Fault::new(Action::Reset).always()]).expect("room");

    let native = house.generate(FLASH, "hello").await;
    native.is_refusal(502, "upstream_unreachable");
    native.took("google", 3);
    native.says_native("UNAVAILABLE", "could not be reached");
    assert!(native.retry_after().is_some(), "time may cure it: {native:?}");
    let openai = Answer::to(house.openai("hello")).await;
    openai.is_refusal(502, "upstream_unreachable");
    openai.says_openai("server_error", "could not be reached");

    let counts = house.counts().google;
    assert_eq!((counts.requests, counts.unanswered), (6, 6));
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_connection_that_breaks_inside_the_head_is_made_good() {
    let served = json!({"candidates": [{"content": {"parts": [{"text": "served"}]}}]});
    let mut upstream = Upstream::start(move |number, _request| match number {
        0 => b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec(),
        _ => json_answer(200, &served),
    })
    .await;
    let house = House::before(simulator(), google_at(&upstream.url), &[]).await;

    let answer = house.generate(FLASH, "hello").await;
    answer.is_providers("google", 200, 2);
    assert_eq!(answer.said(), "served");
    assert_eq!(upstream.requests().len(), 2);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn what_is_no_http_at_all_is_told_as_unreachable() {
    let mut upstream = Upstream::start(|_, _| b"SSH-2.0-elsewhere\r\n\r\n".to_vec()).await;
    let house = House::before(simulator(), google_at(&upstream.url), &[]).await;
    let answer = house.generate(FLASH, "hello").await;
    answer.is_refusal(502, "upstream_unreachable");
    answer.took("google", 3);
    assert_eq!(upstream.requests().len(), 3);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_provider_nobody_listens_at_is_unreachable_and_no_key_is_to_blame() {
    let nobody = ClosedPort::reserve();
    let house = House::before(simulator(), google_at(&nobody.url()), &[]).await;

    let answer = house.generate(FLASH, "hello").await;
    answer.is_refusal(502, "upstream_unreachable");
    answer.took("google", 3);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn an_avatar_start_is_never_sent_twice_on_a_guess() {
    for action in breaks() {
        let house = House::open(json!({})).await;
        let fault = Fault::new(action.clone()).provider(Provider::Anam).always();
        house.sim.script([fault]).expect("room");

        let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
        let answer = Answer::to(house.post("/anam/v1/engine/session", &body)).await;
        answer.is_refusal(502, "upstream_unreachable");
        answer.took("anam", 1);
        answer.says_anam("Bad gateway", "");

        assert_eq!(house.counts().anam.requests, 1, "sent twice after {action:?}");
        house.anam().await.blames_nobody();
        house.close().await;
    }
}

#[tokio::test]
async fn a_broken_mint_of_a_session_token_may_be_repeated() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::new(Action::Reset).provider(Provider::Anam)]).expect("room");
    let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    let answer = Answer::to(house.post("/anam/v1/auth/session-token", &body)).await;
    answer.is_providers("anam", 200, 2);
    assert!(answer.json()["sessionToken"].is_string(), "{answer:?}");
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn the_same_path_stays_the_same_for_every_attempt() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::new(Action::Close).times(2)]).expect("room");
    house.generate(FLASH, "hello").await.is_providers("google", 200, 3);

    let requests = house.sim.requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.path, generate_path(FLASH));
        assert_eq!(request.body_sha256, requests[0].body_sha256);
        assert_eq!(request.credentials.len(), 1, "{request:?}");
    }
    house.close().await;
}

fn google_at(url: &str) -> Value {
    json!({"providers": {"google": {"base_url": url}}})
}
