//! The signalling of avatars: a WebSocket to an engine that only who knows its session may have.

use keygate_tests::sim::{Action, AnamRow, Fault, SimConfig, Simulator};
use keygate_tests::{eventually, simulator, time_lapse};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::answer::Answer;
use super::socket::{Closed, Event, NotOpened, Socket};
use super::stage::House;

const START: &str = "/anam/v1/engine/session";
const TARGET: &str = "x-anam-target-url";
/// How many times as fast as real ones the clocks of one story are.
const SPEED: u32 = 5;

fn persona() -> Value {
    json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v", "llmId": "l"}})
}

/// A house that may speak with the simulated engine, with one session for each organisation.
async fn house(sim: keygate_tests::sim::RunningSimulator, env: &[(&str, &str)]) -> House {
    let engine = sim.endpoints().engine.trim_start_matches("http://").to_owned();
    let anam = json!({
        "engine_hosts": [engine],
        "strategy": "primary_backup",
        "budgets": {"default": {"concurrent": 1}},
        "queue": {"max_wait": "0s"},
    });
    // Stories ask again and again whether a place is free.
    let limits = json!({"per_user": {"requests_per_minute": 10_000, "burst": 10_000}});
    House::before(sim, json!({"providers": {"anam": anam}, "limits": limits}), env).await
}

/// A session as a client gets to know it: where to connect to.
struct Started {
    id: String,
    path: String,
}

/// Started by a client that follows what it is told.
async fn start(house: &House) -> Started {
    let answer = Answer::to(house.post(START, &persona())).await;
    answer.is_providers("anam", 200, 1);
    let answer = answer.json();
    let id = answer["sessionId"].as_str().expect("a session").to_owned();
    let endpoint = answer["signallingEndpoint"].as_str().expect("an endpoint");
    Started { path: format!("{endpoint}?session_id={id}"), id }
}

/// Started by a client with the `apiGateway` option: it asks the gateway for the true address.
async fn start_by_address(house: &House) -> Started {
    let target = "https://api.anam.ai/v1/engine/session";
    let answer = Answer::to(house.post(START, &persona()).header(TARGET, target)).await.json();
    let id = answer["sessionId"].as_str().expect("a session").to_owned();
    let host = answer["engineHost"].as_str().and_then(|host| host.split('/').next()).expect("a host");
    let endpoint = answer["signallingEndpoint"].as_str().expect("an endpoint");
    Started { path: by_address(&format!("ws://{host}{endpoint}?session_id={id}")), id }
}

fn by_address(target: &str) -> String {
    let escape = |byte: u8| ["%".to_owned(), format!("{byte:02X}")].concat();
    let escaped = target.bytes().map(escape).collect::<Vec<_>>().concat();
    format!("/anam/ws?target_url={escaped}")
}

async fn connect(house: &House, path: &str) -> Socket {
    Socket::open(&house.gateway.url(""), path, &[]).await.expect("the connection opens")
}

async fn refused(house: &House, path: &str) -> NotOpened {
    match Socket::open(&house.gateway.url(""), path, &[]).await {
        Ok(_) => panic!("{path} was opened"),
        Err(refused) => refused,
    }
}

fn signal(action: &str, session: &str) -> Value {
    json!({"actionType": action, "sessionId": session, "payload": ""})
}

fn signallings(house: &House) -> u64 {
    house.counts().anam.by_operation.get("signalling").copied().unwrap_or_default()
}

async fn may_start(house: &House) -> bool {
    Answer::to(house.post(START, &persona())).await.status == 200
}

#[tokio::test]
async fn offers_and_answers_pass_without_any_credential() {
    let house = house(simulator(), &[]).await;
    for started in [start(&house).await, start_by_address(&house).await] {
        let mut socket = connect(&house, &started.path).await;
        socket.say(&signal("offer", &started.id)).await;
        for action in ["answer", "sessionready"] {
            let Event::Text(text) = socket.next().await else { panic!("signals are text") };
            let heard: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!((&heard["actionType"], &heard["sessionId"]), (&json!(action), &json!(started.id)));
        }
        // Sound comes in large messages.
        let sound = json!({"actionType": "agentaudioinput", "payload": "A".repeat(1 << 20)});
        socket.send(Message::Text(sound.to_string().into())).await;
        socket.say(&signal("heartbeat", &started.id)).await;
        assert_eq!(socket.json().await["actionType"], "heartbeat");
        let request = house.sim.requests().pop().expect("a request");
        assert_eq!((request.operation.as_str(), request.credentials.len()), ("signalling", 0), "{request:?}");
        socket.say(&signal("endsession", &started.id)).await;
        assert!(matches!(socket.next().await, Event::Closed(_) | Event::Lost));
    }
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn nobody_is_connected_to_what_was_not_started_here() {
    let house = house(simulator(), &[]).await;
    let started = start(&house).await;
    let stranger = started.path.replace(&started.id, "0192-no-session-of-ours");
    let unknown = refused(&house, &stranger).await;
    assert_eq!((unknown.status, unknown.header("x-keygate-error")), (404, "not_found"), "{unknown:?}");
    assert!(unknown.body.contains("\"error\":\"Not found\""), "{unknown:?}");
    // Who gives the whole address reads codes, and does not come back after this one.
    let engine = house.sim.endpoints().engine.replace("http://", "ws://");
    let target = format!("{engine}/v1/webrtc/engines/p/ws?session_id=0192-no-session-of-ours");
    let mut socket = connect(&house, &by_address(&target)).await;
    let closed = socket.end().await;
    assert_eq!(closed, Closed { code: 1008, reason: "Backend WebSocket refused with status 404".to_owned() });
    for target in [
        "wss://evil.example/v1/ws?session_id=s",
        "ws://169.254.169.254/ws?session_id=s",
        "wss://api.anam.ai.evil.tld/ws?session_id=s",
        "wss://api.anam.ai@evil.example/ws?session_id=s",
        "wss://connect.anam.ai:8443/ws?session_id=s",
        "ws://127.0.0.1:22/ws?session_id=s",
    ] {
        let refused = refused(&house, &by_address(target)).await;
        assert_eq!((refused.status, refused.header("x-keygate-error")), (403, "forbidden"), "{target}");
    }
    for path in ["/anam/ws", "/anam/ws/evil.example/ws?session_id=s", "/anam/ws?target_url=%zz"] {
        assert!(matches!(refused(&house, path).await.status, 400 | 403), "{path}");
    }
    assert_eq!(signallings(&house), 0, "nobody was asked");
    house.close().await;
}

#[tokio::test]
async fn an_engine_that_sends_connections_elsewhere_is_not_followed() {
    let house = house(simulator(), &[]).await;
    let (led, started) = (start(&house).await, start_by_address(&house).await);
    let elsewhere = json!({"answer": {"status": 302, "headers": {"location": "http://169.254.169.254/"}}});
    let action: Action = serde_json::from_value(elsewhere).expect("an action");
    house.sim.script([Fault::new(action).operation("signalling").always()]).expect("room");
    let answer = refused(&house, &led.path).await;
    assert_eq!((answer.status, answer.header("location")), (502, ""), "{answer:?}");
    let closed = connect(&house, &started.path).await.end().await;
    assert_eq!(closed.code, 1011, "{closed:?}");
    house.close().await;
}

#[tokio::test]
async fn a_session_goes_on_whatever_becomes_of_the_keys_of_its_organisation() {
    let sim = simulator();
    let engine = sim.endpoints().engine.trim_start_matches("http://").to_owned();
    let keys = json!([{"secret": "env:STUDIO_1", "label": "studio_1", "group": "studio"}]);
    let anam = json!({"engine_hosts": [engine], "keys": keys, "budgets": {"default": {"concurrent": 1}}});
    let admin = [("KEYGATE_ADMIN_TOKEN", "kg_the_admin")];
    let limits = json!({"per_user": {"requests_per_minute": 10_000, "burst": 10_000}});
    let house = House::before(sim, json!({"providers": {"anam": anam}, "limits": limits}), &admin).await;
    let started = start(&house).await;
    // Another start would be one too many, and then the only key is out altogether.
    house.sim.script([Fault::anam(AnamRow::InvalidApiKey).operation("sessions.concurrency")]).expect("room");
    Answer::to(house.get("/anam/v1/sessions/concurrency")).await.is_refusal(503, "pool_disabled");
    assert_eq!(house.anam().await.state("studio_1"), "disabled");

    let speech = Answer::to(house.post(&talk_path(&house, &started.id), &json!({"content": "Hello"})));
    speech.await.is_engines(200);
    let mut socket = connect(&house, &started.path).await;
    socket.say(&signal("heartbeat", &started.id)).await;
    assert_eq!(socket.json().await["actionType"], "heartbeat");
    assert_eq!(house.anam().await.ledger("in_flight"), 0, "no key is held for it");
    socket.say(&signal("endsession", &started.id)).await;
    assert!(matches!(socket.next().await, Event::Closed(_) | Event::Lost));
    let reset = house.post("/api/anam/reset-keys", &json!({})).bearer_auth("kg_the_admin");
    assert_eq!(Answer::to(reset).await.status, 200);
    eventually("its place is free", async || may_start(&house).await.then_some(())).await;
    house.close().await;
}

#[tokio::test]
async fn what_an_engine_does_is_held_against_no_key() {
    let house = house(simulator(), &[]).await;
    let started = start(&house).await;
    house.sim.script([Fault::new(Action::Html502).operation("signalling").times(2)]).expect("room");
    let mut socket = connect(&house, &started.path).await;
    socket.say(&signal("heartbeat", &started.id)).await;
    assert_eq!(socket.json().await["actionType"], "heartbeat");
    // A browser says once what it offers, as soon as it is connected: a line that opens must be a good one.
    assert_eq!(signallings(&house), 3, "it was tried again before the caller's side was opened");
    let pool = house.anam().await;
    let counts = &pool.key("studio_1")["counts"];
    assert_eq!(
        (&counts["attempts"], &counts["failed"]),
        (&json!(1), &json!(0)),
        "the start was all: {pool:?}"
    );
    house.close().await;
}

fn talk_path(house: &House, session: &str) -> String {
    let engine = house.sim.endpoints().engine.replace("http://", "");
    format!("/anam/engine/{engine}/v1/webrtc/engines/p/talk?session_id={session}")
}

#[tokio::test]
async fn what_an_engine_refuses_for_good_is_not_tried_again() {
    let house = house(simulator(), &[]).await;
    let started = start_by_address(&house).await;
    house.sim.script([Fault::anam(AnamRow::InvalidApiKey).operation("signalling").times(2)]).expect("room");
    let mut socket = connect(&house, &started.path).await;
    let closed = socket.end().await;
    assert_eq!(closed, Closed { code: 1008, reason: "Backend WebSocket refused with status 401".to_owned() });
    // Who is led by path is told as it was answered.
    let engine = house.sim.endpoints().engine.replace("http://", "");
    let by_path = format!("/anam/ws/{engine}/v1/webrtc/engines/p/ws?session_id={}", started.id);
    assert_eq!(refused(&house, &by_path).await.status, 401);
    assert_eq!(house.anam().await.key("studio_1")["counts"]["refused"], 0, "the key was not asked");
    assert_eq!(signallings(&house), 2);
    house.close().await;
}

#[tokio::test]
async fn a_session_that_ends_gives_its_place_back_whoever_ends_it() {
    let house = house(simulator(), &[]).await;
    let (first, second) = (start(&house).await, start(&house).await);
    assert!(!may_start(&house).await, "both places are taken");

    let mut socket = connect(&house, &first.path).await;
    socket.say(&signal("endsession", &first.id)).await;
    assert!(matches!(socket.next().await, Event::Closed(_) | Event::Lost));
    let third = eventually("the client's end frees a place", async || {
        let answer = Answer::to(house.post(START, &persona())).await;
        (answer.status == 200).then(|| answer.json()["sessionId"].as_str().expect("a session").to_owned())
    })
    .await;

    let mut socket = connect(&house, &second.path).await;
    socket.say(&signal("heartbeat", &second.id)).await;
    socket.json().await;
    let stop = format!("/anam/v1/sessions/{}/stop", second.id);
    Answer::to(house.post(&stop, &json!({}))).await.is_providers("anam", 200, 1);
    assert_eq!(socket.json().await["actionType"], "endsession", "the engine says so");
    assert_eq!(socket.end().await.code, 1000);
    eventually("one place is free", async || may_start(&house).await.then_some(())).await;
    assert!(!may_start(&house).await, "one end frees one place, though it is told twice");
    assert_ne!(third, second.id);
    house.close().await;
}

#[tokio::test]
async fn who_comes_back_in_time_has_not_left() {
    let lapse = time_lapse(SPEED);
    let sim =
        Simulator::start(SimConfig { speed: f64::from(SPEED), ..SimConfig::default() }).expect("starts");
    let env: Vec<(&str, &str)> = lapse.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let house = house(sim, &env).await;
    let (first, _second) = (start(&house).await, start(&house).await);
    let socket = connect(&house, &first.path).await;
    drop(socket);
    let mut again = connect(&house, &first.path).await;
    // Longer than the time that is waited for somebody to come back.
    for _ in 0..8 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        again.say(&signal("heartbeat", &first.id)).await;
        assert_eq!(again.json().await["actionType"], "heartbeat");
    }
    assert!(!may_start(&house).await, "it goes on");
    drop(again);
    eventually("the place is free", async || may_start(&house).await.then_some(())).await;
    house.close().await;
}
