//! A planted secret is searched for in everything that leaves the gateway.

use keygate_tests::sim::{
    Action, Fault, GoogleConfig, GoogleKey, GoogleProject, GoogleRow, KeyState, Population, ScriptedAnswer,
};
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, chat, generate_path, openai_chat, stream_path};

/// Looks like a key of Google and is none.
fn planted() -> String {
    format!("AIza{}", "Planted_".repeat(5).split_at(35).0)
}

/// A house whose only Gemini key is the planted one, with a log that tells everything.
async fn house_with(state: KeyState) -> House {
    let sim = simulator();
    let key = GoogleKey { label: Some("planted".to_owned()), state, ..GoogleKey::new(planted()) };
    let project = GoogleProject { keys: vec![key], ..GoogleProject::named("planted") };
    let google = GoogleConfig { projects: vec![project] };
    sim.declare(Population { google, ..Population::empty() }).expect("a new project");
    let keys = json!([{"secret": "env:PLANTED", "label": "planted", "group": "planted"}]);
    let changes = json!({"providers": {"google": {"keys": keys}}});
    House::before(sim, changes, &[("PLANTED", &planted()), ("LOG_LEVEL", "trace")]).await
}

fn holds_no_secret(what: &str, answer: &Answer) {
    let told = format!("{answer:?}");
    assert!(!told.contains(&planted()), "{what} tells the key: {told}");
    assert!(!told.contains("Planted_"), "{what} tells a part of the key: {told}");
}

/// Asks everything that tells about keys, ends the house, and reads its log.
async fn nothing_tells_the_key(house: House) {
    for path in
        ["/api/keys/status", "/api/google/status", "/api/gemini/status", "/readyz", "/healthz", "/no/such"]
    {
        holds_no_secret(path, &Answer::to(house.get(path)).await);
    }
    let pool = house.google().await;
    assert_eq!(pool.key("planted")["key_preview"], "AIzaSy...".replace("Sy", "Pl"), "{pool:?}");
    let exit = house.gateway.stop().await;
    for (what, text) in [("the log", &exit.stderr), ("stdout", &exit.stdout)] {
        assert!(!text.contains("Planted_"), "{what} tells the key: {text}");
    }
    assert!(exit.stderr.contains("planted"), "the log names the key by its label: {}", exit.stderr);
}

#[tokio::test]
async fn a_key_that_the_provider_prints_in_its_refusal_reaches_nobody() {
    let house = house_with(KeyState::Google(GoogleRow::ConsumerSuspended)).await;
    let requests: [(String, Value); 3] = [
        (generate_path(FLASH), chat("hello")),
        (stream_path(FLASH), chat("hello")),
        (OPENAI_CHAT.to_owned(), openai_chat("hello", false)),
    ];
    for (path, body) in &requests {
        let answer = Answer::to(house.post(path, body)).await;
        assert_ne!(answer.status, 200);
        assert!(!answer.header("x-keygate-error").is_empty(), "{answer:?}");
        holds_no_secret(path, &answer);
    }
    assert_eq!(house.upstream_requests(), 1);
    nothing_tells_the_key(house).await;
}

#[tokio::test]
async fn a_key_in_an_error_that_is_passed_on_is_taken_out_of_body_and_headers() {
    let house = house_with(KeyState::Valid).await;
    let key = planted();
    let body = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": format!("Bad call with key={key} in it.")}});
    let headers =
        [("x-goog-upload-url".to_owned(), format!("https://upload.example/?key={key}&id=1"))].into();
    let answer = ScriptedAnswer { status: Some(400), body: Some(body), headers, ..ScriptedAnswer::default() };
    house.sim.script([Fault::new(Action::Answer(answer)).times(2)]).expect("room");
    for path in [generate_path(FLASH), stream_path(FLASH)] {
        let answer = Answer::to(house.post(&path, &chat("hello"))).await;
        answer.is_providers("google", 400, 1);
        assert!(answer.text().contains("Bad call with key="), "the rest is passed on: {answer:?}");
        holds_no_secret(&path, &answer);
    }
    house.google().await.blames_nobody();
    nothing_tells_the_key(house).await;
}

#[tokio::test]
async fn a_key_that_is_echoed_in_a_served_answer_is_taken_out() {
    let house = house_with(KeyState::Valid).await;
    let question = format!("what is {} good for", planted());
    let requests: [(String, Value); 3] = [
        (generate_path(FLASH), chat(&question)),
        (stream_path(FLASH), chat(&question)),
        (OPENAI_CHAT.to_owned(), openai_chat(&question, true)),
    ];
    for (path, body) in &requests {
        let answer = Answer::to(house.post(path, body)).await;
        answer.is_providers("google", 200, 1);
        assert!(answer.text().contains("good for"), "{answer:?}");
        holds_no_secret(path, &answer);
    }
    nothing_tells_the_key(house).await;
}

#[tokio::test]
async fn a_key_in_an_error_inside_a_stream_is_taken_out() {
    use keygate_tests::sim::StreamError;
    let house = house_with(KeyState::Valid).await;
    let error = StreamError { events: 1, row: Some(GoogleRow::ConsumerSuspended), bare: false };
    house.sim.script([Fault::new(Action::ErrorInStream(error))]).expect("room");
    let answer = Answer::to(house.stream("stream 3")).await;
    assert!(answer.text().contains("event 1 of 3"), "{answer:?}");
    holds_no_secret("the stream", &answer);
    nothing_tells_the_key(house).await;
}

#[tokio::test]
async fn a_key_in_the_path_or_query_of_a_caller_is_not_logged() {
    let house = house_with(KeyState::Valid).await;
    let path = format!("{}?key={}", generate_path(FLASH), planted());
    Answer::to(house.post(&path, &chat("hello"))).await.is_providers("google", 200, 1);
    let nobody = format!("/no/such/{}", planted());
    let answer = Answer::to(house.get(&nobody)).await;
    answer.is_refusal(404, "not_found");
    nothing_tells_the_key(house).await;
}

#[tokio::test]
async fn a_configuration_that_is_refused_tells_no_secret() {
    let yaml = format!(
        "providers:\n  google:\n    keys:\n      - {{ secret: \"{0}\", labl: \"{0}\" }}\n    strategy: {0}\n",
        planted()
    );
    for command in ["serve", "check"] {
        let exit = keygate_tests::Keygate::run(&[command], &yaml, &[]).await;
        assert_eq!(exit.status.code(), Some(64), "{}", exit.stderr);
        let told = exit.stdout + &exit.stderr;
        assert!(!told.contains("Planted_"), "{command} tells the key: {told}");
        assert!(told.contains("labl"), "{told}");
    }
}
