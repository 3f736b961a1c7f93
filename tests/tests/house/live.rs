//! Live: a WebSocket through the gateway to a model that hears and speaks.

use keygate_tests::sim::{
    GoogleConfig, GoogleKey, GoogleProject, GoogleRow, KeyState, ModelLimits, Population, RunningSimulator,
};
use keygate_tests::{eventually, simulator};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::socket::{Event, NotOpened, Socket};
use super::stage::{House, states, twin};

pub(crate) const LIVE: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
const MODEL: &str = "gemini-3.8-live";
const TOKENS: (&str, &str) = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");

pub(crate) fn setup() -> Value {
    json!({"setup": {"model": format!("models/{MODEL}"), "sessionResumption": {}}})
}

fn resumed(handle: &str) -> Value {
    json!({"setup": {"model": format!("models/{MODEL}"), "sessionResumption": {"handle": handle}}})
}

pub(crate) fn turn(text: &str) -> Value {
    let turns = json!([{"role": "user", "parts": [{"text": text}]}]);
    json!({"clientContent": {"turns": turns, "turnComplete": true}})
}

/// One connection of each project at a time is all there is.
pub(crate) fn two_keys() -> Value {
    json!({"providers": {"google": {"keys": [
        {"secret": "env:ALPHA_1", "label": "alpha_1", "group": "alpha"},
        {"secret": "env:BETA_1", "label": "beta_1", "group": "beta"},
    ]}}})
}

fn project(name: &str, key: &str, project: GoogleProject) -> Population {
    let keys = vec![GoogleKey::new(key)];
    let projects = vec![GoogleProject { name: name.to_owned(), keys, ..project }];
    Population { google: GoogleConfig { projects }, ..Population::empty() }
}

fn declare(sim: &RunningSimulator, population: Population) {
    sim.declare(population).expect("the project can be replaced");
}

async fn connect(house: &House) -> Socket {
    Socket::open(&house.gateway.url(""), LIVE, &[]).await.expect("the connection opens")
}

async fn refused(house: &House, path: &str, headers: &[(&'static str, &str)]) -> NotOpened {
    match Socket::open(&house.gateway.url(""), path, headers).await {
        Ok(_) => panic!("the connection was opened"),
        Err(refused) => refused,
    }
}

/// A second turn within a minute ends a session.
pub(crate) fn one_turn_a_minute(house: &House) {
    for (name, key) in [("alpha", "sim-google-alpha-1"), ("beta", "sim-google-beta-1")] {
        let one =
            ModelLimits { model: "*".to_owned(), requests_per_minute: Some(1), ..ModelLimits::default() };
        let limited = GoogleProject { limits: vec![one], ..GoogleProject::default() };
        declare(&house.sim, project(name, key, limited));
    }
}

/// A session that is set up.
async fn begun(house: &House) -> Socket {
    let mut socket = connect(house).await;
    socket.say(&setup()).await;
    assert_eq!(socket.json().await, json!({"setupComplete": {}}));
    socket
}

/// Everything that comes until the handle by which the session can be resumed.
pub(crate) async fn heard(socket: &mut Socket) -> (Vec<Vec<u8>>, String) {
    let mut heard = Vec::new();
    loop {
        let Event::Bytes(bytes) = socket.next().await else { panic!("Gemini sends JSON as bytes") };
        let frame: Value = serde_json::from_slice(&bytes).expect("JSON");
        heard.push(bytes);
        if let Some(handle) = frame["sessionResumptionUpdate"]["newHandle"].as_str() {
            return (heard, handle.to_owned());
        }
    }
}

/// The projects that were connected to, one after the other.
fn projects(house: &House) -> Vec<String> {
    let lives = house.sim.requests().into_iter().filter(|request| request.operation == "live");
    lives.filter_map(|request| request.project).collect()
}

async fn nobody_is_connected(house: &House) {
    eventually("the provider's connections are closed", async || {
        (house.counts().google.sessions_active == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_turn_is_heard_byte_for_byte_and_counted() {
    let house = House::before(twin(), json!({}), &[]).await;
    let mut socket = connect(&house).await;
    socket.say(&setup()).await;
    let direct = twin();
    let path = format!("{LIVE}?key=sim-google-alpha-1");
    let mut other = Socket::open(direct.google_url(), &path, &[]).await.expect("the connection opens");
    other.say(&setup()).await;
    for socket in [&mut socket, &mut other] {
        socket.say(&turn("stream 20")).await;
    }
    let (through, _) = heard(&mut socket).await;
    let (past, _) = heard(&mut other).await;
    // The handle itself is another one.
    assert_eq!(through.len(), past.len());
    assert_eq!(through[..through.len() - 1], past[..past.len() - 1]);
    socket.close(1000, "bye").await;
    nobody_is_connected(&house).await;
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!((pool.ledger("attempts"), pool.ledger("settled")), (1, 1));
    let [credential] = &house.sim.requests()[0].credentials[..] else { panic!("one credential") };
    assert_eq!(credential.place, "header x-goog-api-key");
    house.close().await;
}

#[tokio::test]
async fn text_and_bytes_and_a_doubled_slash_are_all_the_same_to_the_provider() {
    let house = House::open(json!({})).await;
    let mut socket = Socket::open(&house.gateway.url(""), &format!("/{LIVE}"), &[]).await.expect("opened");
    socket.send(Message::Binary(setup().to_string().into_bytes().into())).await;
    assert_eq!(socket.json().await, json!({"setupComplete": {}}));
    socket.send(Message::Ping(Vec::new().into())).await;
    socket.send(Message::Binary(turn("hello").to_string().into_bytes().into())).await;
    let (frames, _) = heard(&mut socket).await;
    assert!(frames.len() > 3);
    drop(socket);
    nobody_is_connected(&house).await;
    house.close().await;
}

#[tokio::test]
async fn a_session_is_resumed_by_the_project_that_has_it_and_by_nobody_else() {
    let house = House::before(simulator(), json!({"clients": {"auth": "required"}}), &[TOKENS]).await;
    let open = async |token: &str| {
        Socket::open(&house.gateway.url(""), LIVE, &[("x-goog-api-key", token)]).await.expect("opened")
    };
    let mut socket = open("kg_first").await;
    socket.say(&setup()).await;
    socket.json().await;
    socket.say(&turn("hello")).await;
    let (_, handle) = heard(&mut socket).await;
    let home = projects(&house).pop().expect("a project");
    for _ in 0..3 {
        let mut again = open("kg_first").await;
        again.say(&resumed(&handle)).await;
        assert_eq!(again.json().await, json!({"setupComplete": {}}), "while the first one is open");
        assert_eq!(projects(&house).pop().as_ref(), Some(&home));
    }
    let before = house.upstream_requests();
    let mut foreign = open("kg_second").await;
    foreign.say(&resumed(&handle)).await;
    let closed = foreign.end().await;
    assert_eq!(closed.code, 1008, "{closed:?}");
    assert!(closed.reason.starts_with("PERMISSION_DENIED: "), "{closed:?}");
    assert_eq!(house.upstream_requests(), before, "nobody was asked");
    drop(socket);
    let house = house.restarted().await;
    let mut later =
        Socket::open(&house.gateway.url(""), LIVE, &[("x-goog-api-key", "kg_first")]).await.expect("opened");
    later.say(&resumed(&handle)).await;
    assert_eq!(later.json().await, json!({"setupComplete": {}}), "known after a restart");
    drop(later);
    house.close().await;
}

#[tokio::test]
async fn a_bad_key_is_noticed_by_nobody_but_the_pool() {
    let house = House::open(two_keys()).await;
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&[("sim-google-alpha-1", invalid)])).expect("a known key");
    let (mut one, mut other) = (begun(&house).await, begun(&house).await);
    for socket in [&mut one, &mut other] {
        socket.say(&turn("hello")).await;
        heard(socket).await;
    }
    assert_eq!(projects(&house), ["alpha", "beta", "beta"]);
    drop((one, other));
    nobody_is_connected(&house).await;
    let pool = house.google().await;
    assert_eq!((pool.fault("alpha_1"), pool.state("alpha_1")), ("key_invalid", "disabled"));
    assert_eq!(pool.state("beta_1"), "available");
    house.close().await;
}

#[tokio::test]
async fn a_project_with_as_many_connections_as_it_may_is_passed_over() {
    let house = House::open(two_keys()).await;
    let one = GoogleProject { live_sessions: Some(0), ..GoogleProject::default() };
    declare(&house.sim, project("alpha", "sim-google-alpha-1", one));
    let sockets = [begun(&house).await, begun(&house).await, begun(&house).await];
    assert_eq!(house.counts().google.refused_429, 1, "it is not asked again");
    let pool = house.pool_now("google").await;
    let [rest] = pool.resting("alpha_1") else { panic!("one thing rests: {pool:?}") };
    assert_eq!((&rest["fault"], &rest["sessions"]), (&json!("busy"), &json!(true)));
    // What is no connection goes on.
    for _ in 0..2 {
        assert_eq!(house.generate(super::stage::FLASH, "hello").await.status, 200);
    }
    drop(sockets);
    nobody_is_connected(&house).await;
    house.close().await;
}

#[tokio::test]
async fn a_quota_that_ends_a_session_is_told_as_it_came_and_the_next_one_goes_elsewhere() {
    let house = House::open(two_keys()).await;
    one_turn_a_minute(&house);
    let mut socket = begun(&house).await;
    socket.say(&turn("one")).await;
    heard(&mut socket).await;
    socket.say(&turn("two")).await;
    let closed = socket.end().await;
    assert_eq!(closed.code, 1011, "{closed:?}");
    assert!(closed.reason.starts_with("You exceeded your current quota"), "{closed:?}");

    let pool = house.google().await;
    assert_eq!(pool.fault("alpha_1"), "rate_limited", "{pool:?}");
    assert_eq!(pool.resting("alpha_1").len(), 1, "{pool:?}");
    assert_eq!(pool.state("beta_1"), "available");
    for _ in 0..3 {
        drop(begun(&house).await);
        assert_eq!(projects(&house).pop().as_deref(), Some("beta"));
    }
    nobody_is_connected(&house).await;
    house.close().await;
}

#[tokio::test]
async fn with_every_key_at_rest_the_connection_is_closed_as_google_would() {
    let house = House::open(two_keys()).await;
    let row = KeyState::Google(GoogleRow::KeyInvalid);
    let states = states(&[("sim-google-alpha-1", row), ("sim-google-beta-1", row)]);
    house.sim.declare(states).expect("known keys");
    for _ in 0..2 {
        let mut socket = connect(&house).await;
        socket.say(&setup()).await;
        let closed = socket.end().await;
        assert_eq!(closed.code, 1011, "{closed:?}");
        let told = "UNAVAILABLE: All Gemini API keys failed. Last error: Invalid API key";
        assert_eq!(closed.reason, told);
    }
    assert_eq!(house.upstream_requests(), 2, "disabled keys are not asked again");
    house.close().await;
}

#[tokio::test]
async fn what_the_caller_did_wrong_is_told_in_the_providers_own_words() {
    let house = House::open(json!({})).await;
    for (frame, code, reason) in [
        (json!({"hello": 1}).to_string(), 1007, "setup must be the first message and only the first"),
        ("no JSON".to_owned(), 1007, "Invalid JSON payload received."),
        (json!({"setup": {"model": "models/nobody"}}).to_string(), 1008, "models/nobody is not found"),
        (json!({"setup": {"model": "a b"}}).to_string(), 1007, "INVALID_ARGUMENT: The model name"),
    ] {
        let mut socket = connect(&house).await;
        socket.send(Message::Text(frame.clone().into())).await;
        let closed = socket.end().await;
        assert_eq!(closed.code, code, "{frame} {closed:?}");
        assert!(closed.reason.starts_with(reason), "{frame} {closed:?}");
    }
    house.google().await.blames_nobody();
    nobody_is_connected(&house).await;
    house.close().await;
}

#[tokio::test]
async fn a_budget_of_sessions_is_kept_and_given_back() {
    let mut changes = two_keys();
    changes["providers"]["google"]["budgets"] = json!({"default": {"concurrent": 1}});
    changes["providers"]["google"]["queue"] = json!({"max_wait": "0s"});
    let house = House::open(changes).await;
    let (first, second) = (begun(&house).await, begun(&house).await);
    let mut third = connect(&house).await;
    third.say(&setup()).await;
    let closed = third.end().await;
    assert_eq!(closed.code, 1011, "{closed:?}");
    assert!(closed.reason.starts_with("RESOURCE_EXHAUSTED: "), "{closed:?}");
    assert_eq!(house.counts().google.refused_429, 0, "the provider was not asked");
    drop(first);
    eventually("the place is free", async || {
        let mut socket = connect(&house).await;
        socket.say(&setup()).await;
        matches!(socket.next().await, Event::Bytes(_)).then_some(())
    })
    .await;
    drop(second);
    nobody_is_connected(&house).await;
    house.close().await;
}

#[tokio::test]
async fn who_vanishes_leaves_nothing_behind() {
    let house = House::open(json!({"limits": {"per_user": {"max_concurrent": 1}}})).await;
    for _ in 0..3 {
        let socket = eventually("the user's slot is free", async || {
            Socket::open(&house.gateway.url(""), LIVE, &[]).await.ok()
        })
        .await;
        let mut socket = socket;
        socket.say(&setup()).await;
        socket.json().await;
        socket.say(&turn("stream 10000 every 20ms")).await;
        socket.json().await;
        assert_eq!(house.pool_now("google").await.in_flight(), 1);
        drop(socket);
        nobody_is_connected(&house).await;
    }
    let silent = eventually("the user's slot is free", async || {
        Socket::open(&house.gateway.url(""), LIVE, &[]).await.ok()
    })
    .await;
    drop(silent);
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(pool.ledger("attempts"), 3, "who says nothing is lent no key");
    house.close().await;
}

#[tokio::test]
async fn what_is_refused_before_a_connection_is_open_has_the_shape_of_the_surface() {
    let changes = json!({
        "clients": {"auth": "required", "tokens": [
            {"name": "chat", "scopes": ["chat"], "sha256": "47ca3b49d3221bf8b3360a29a5665ac182b52cf51a3d98837d2f1547e5d62a4d"},
        ]},
        "limits": {"per_user": {"requests_per_minute": 1}},
    });
    let house = House::before(simulator(), changes, &[TOKENS]).await;
    let stranger = refused(&house, LIVE, &[]).await;
    assert_eq!(
        (stranger.status, stranger.header("x-keygate-error")),
        (401, "unauthenticated"),
        "{stranger:?}"
    );
    assert!(stranger.body.contains("UNAUTHENTICATED"), "{stranger:?}");
    let chatter = refused(&house, LIVE, &[("x-goog-api-key", "kg_chat_only")]).await;
    assert_eq!((chatter.status, chatter.header("x-keygate-error")), (403, "forbidden"), "{chatter:?}");
    let unknown = LIVE.replace("BidiGenerateContent", "BidiGenerateEverything");
    let unknown = refused(&house, &unknown, &[("x-goog-api-key", "kg_first")]).await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    let query = format!("{LIVE}?key=kg_first");
    let mut socket = Socket::open(&house.gateway.url(""), &query, &[]).await.expect("one connection");
    socket.say(&setup()).await;
    socket.json().await;
    let second = refused(&house, &query, &[]).await;
    assert_eq!((second.status, second.header("x-keygate-error")), (429, "user_limited"), "{second:?}");
    assert!(!second.header("retry-after").is_empty());
    drop(socket);
    nobody_is_connected(&house).await;
    let plain = super::answer::Answer::to(house.get(LIVE).header("x-goog-api-key", "kg_first")).await;
    plain.is_refusal(400, "bad_request");
    house.close().await;
}

#[tokio::test]
async fn an_ephemeral_token_goes_upstream_as_it_is_and_needs_no_token_of_the_gateway() {
    let house = House::before(simulator(), json!({"clients": {"auth": "required"}}), &[TOKENS]).await;
    let made = reqwest::Client::new().post(format!("{}/v1alpha/auth_tokens", house.sim.google_url()));
    let made =
        super::answer::Answer::to(made.header("x-goog-api-key", "sim-google-beta-1").body(r#"{"uses": 2}"#))
            .await
            .json();
    let token = made["name"].as_str().expect("a token");
    let constrained =
        "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained";
    let scheme = format!("Token {token}");
    let query = format!("{constrained}?access_token={token}");
    // The Python SDK sends it in both headers.
    let python = [("authorization", &*scheme), ("x-goog-api-key", token)];
    for (path, headers) in [(constrained, &python[..]), (&query, &[])] {
        let mut socket = Socket::open(&house.gateway.url(""), path, headers).await.expect("opened");
        socket.say(&setup()).await;
        assert_eq!(socket.json().await, json!({"setupComplete": {}}));
        let request = house.sim.requests().pop().expect("a request");
        let [credential] = &request.credentials[..] else { panic!("one credential: {request:?}") };
        assert_eq!(credential.label, "live token of beta");
    }
    let mut used_up = Socket::open(&house.gateway.url(""), &query, &[]).await.expect("opened");
    used_up.say(&setup()).await;
    assert_eq!(used_up.end().await.code, 1008, "it was for two");
    nobody_is_connected(&house).await;
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_gateway_that_leaves_says_so_as_the_provider_would() {
    let changes = json!({"server": {"shutdown_grace": "8s"}});
    let house = House::open(changes).await;
    let mut socket = begun(&house).await;
    let (exit, told) = tokio::join!(house.gateway.stop(), async {
        let told = socket.json().await;
        let seconds = told["goAway"]["timeLeft"].as_str().and_then(|left| left.strip_suffix('s'));
        let seconds: u64 = seconds.and_then(|seconds| seconds.parse().ok()).expect("a time");
        assert!((1..=8).contains(&seconds), "{told}");
        // There is time for a turn.
        socket.say(&turn("hello")).await;
        heard(&mut socket).await;
        socket.end().await
    });
    assert_eq!(told.code, 1001, "{told:?}");
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    eventually("the provider's connection is closed", async || {
        (house.sim.counts().google.sessions_active == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_leaves_a_leaving_gateway_is_not_waited_for() {
    let house = House::open(json!({"server": {"shutdown_grace": "25s"}})).await;
    let mut socket = begun(&house).await;
    let (exit, ()) = tokio::join!(house.gateway.stop(), async {
        assert!(socket.json().await["goAway"].is_object());
        socket.close(1000, "").await;
    });
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
}
