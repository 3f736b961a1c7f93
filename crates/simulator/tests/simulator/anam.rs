//! Anam: tokens, sessions, slots, engines.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt as _, StreamExt as _};
use keygate_simulator::{
    AnamOrganization, AnamOrganizationState, AnamRow, KeyState, Population, RunningSimulator,
};
use rstest::rstest;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Reply, anam, eventually, populated, send, standing};

const STUDIO: &str = "sim-anam-studio-1";
const BACKUP: &str = "sim-anam-backup-1";

fn with_studio(change: impl FnOnce(&mut AnamOrganization)) -> RunningSimulator {
    let mut population = Population::default();
    change(&mut population.anam.organizations[0]);
    populated(population)
}

fn token(simulator: &RunningSimulator, persona: &Value) -> String {
    let body = json!({"personaConfig": persona}).to_string();
    let reply = anam(simulator, STUDIO, "POST", "/v1/auth/session-token", &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.at("/sessionToken")
}

fn start(simulator: &RunningSimulator, bearer: &str) -> Reply {
    let body = json!({"clientLabel": "test", "personaConfig": {"name": "Cara"}}).to_string();
    anam(simulator, bearer, "POST", "/v1/engine/session", &body)
}

fn active(simulator: &RunningSimulator) -> String {
    anam(simulator, STUDIO, "GET", "/v1/sessions/concurrency", "").at("/active")
}

#[test]
fn a_token_is_a_jwt_that_names_organisation_and_kind() {
    let simulator = standing();
    for (persona, kind) in [
        (json!({"name": "Cara"}), "ephemeral"),
        (json!({"personaId": "11111111-1111-4111-8111-111111111111"}), "stateful"),
    ] {
        let token = token(&simulator, &persona);
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3);
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        assert_eq!(claims["type"], kind);
        assert_eq!(claims["accountId"].as_str().unwrap().len(), 36);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    }
}

#[test]
fn a_session_starts_by_key_and_by_token() {
    let simulator = standing();
    let by_token = start(&simulator, &token(&simulator, &json!({"name": "Cara"})));
    let by_key = start(&simulator, STUDIO);
    for reply in [by_token, by_key] {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let engine = simulator.endpoints().engine.trim_start_matches("http://");
        assert!(reply.at("/engineHost").starts_with(&format!("{engine}/v1/webrtc/engines/")));
        assert_eq!(reply.at("/engineProtocol"), "http");
        for name in [
            "heartbeatIntervalSeconds",
            "expectedHeartbeatIntervalSecs",
            "maxWsReconnectionAttempts",
            "maxWsReconnectAttempts",
        ] {
            assert_eq!(reply.at(&format!("/clientConfig/{name}")), "5");
        }
        assert_eq!(reply.at("/clientConfig/iceServers/0/credentialType"), "password");
    }
    assert_eq!(simulator.counts().anam.sessions_active, 2);
    assert_eq!(simulator.requests()[1].credentials[0].label, "session token of studio");
}

#[rstest]
#[case::none("", 401, "Missing or invalid API key")]
#[case::unknown("nobody", 401, "Invalid API key")]
#[case::forged("a.b.c", 401, "Invalid session token")]
fn strangers_do_not_start(#[case] bearer: &str, #[case] status: u16, #[case] error: &str) {
    let reply = start(&standing(), bearer);
    assert_eq!((reply.status, reply.at("/error").as_str()), (status, error));
}

#[test]
fn a_token_expires_after_its_hour_and_cannot_mint() {
    let simulator = standing();
    let token = token(&simulator, &json!({"name": "Cara"}));
    let mint = anam(&simulator, &token, "POST", "/v1/auth/session-token", r#"{"personaConfig":{}}"#);
    assert_eq!(mint.status, 401);
    simulator.advance(Duration::from_hours(1));
    assert_eq!(start(&simulator, &token).status, 401);
}

#[rstest]
#[case(AnamOrganizationState::NoPlan, 402, "No plan found")]
#[case(AnamOrganizationState::SpendCap, 429, "Spend cap reached")]
#[case(AnamOrganizationState::UsageLimit, 429, "Usage limit reached")]
#[case(AnamOrganizationState::NoEngines, 503, "No engines available")]
fn an_organisations_state_is_told_at_the_start_not_at_the_mint(
    #[case] state: AnamOrganizationState,
    #[case] status: u16,
    #[case] error: &str,
) {
    let simulator = with_studio(|studio| studio.state = state);
    let reply = start(&simulator, &token(&simulator, &json!({"name": "Cara"})));
    assert_eq!((reply.status, reply.at("/error").as_str()), (status, error));
}

#[test]
fn a_keys_state_is_told_everywhere() {
    let simulator = with_studio(|studio| studio.keys[0].state = KeyState::Anam(AnamRow::MissingPermission));
    assert_eq!(start(&simulator, STUDIO).status, 403);
    assert_eq!(anam(&simulator, STUDIO, "GET", "/v1/personas", "").status, 403);
}

#[test]
fn slots_are_the_organisations_and_come_back() {
    let simulator = with_studio(|studio| {
        studio.concurrent_sessions = Some(1);
        studio.max_session_seconds = Some(180);
    });
    let first = start(&simulator, STUDIO).at("/sessionId");
    let refused = start(&simulator, STUDIO);
    assert_eq!((refused.status, refused.at("/error").as_str()), (429, "Concurrent session limit reached"));
    let expected = json!({"limit": 1, "active": 1, "canStartSession": false, "estimatedWaitSeconds": 180});
    assert_eq!(anam(&simulator, STUDIO, "GET", "/v1/sessions/concurrency", "").json(), expected);
    assert_eq!(start(&simulator, BACKUP).status, 200, "another organisation has its own");

    let path = format!("/v1/sessions/{first}");
    assert_eq!(anam(&simulator, BACKUP, "POST", &format!("{path}/stop"), "").status, 404);
    assert_eq!(anam(&simulator, STUDIO, "POST", &format!("{path}/stop"), "").status, 200);
    assert_eq!(anam(&simulator, STUDIO, "GET", &path, "").at("/exitStatus"), "CLOSED_BY_ENGINE");
    assert_eq!(start(&simulator, STUDIO).status, 200);
    simulator.advance(Duration::from_secs(179));
    assert_eq!(active(&simulator), "1");
    simulator.advance(Duration::from_secs(1));
    assert_eq!(active(&simulator), "0", "the longest session is over");
    let listed = anam(&simulator, STUDIO, "GET", "/v1/sessions?perPage=1", "");
    assert_eq!((listed.at("/meta/total"), listed.at("/meta/next")), ("2".to_owned(), "2".to_owned()));
}

#[test]
fn personas_belong_to_organisations() {
    let simulator = standing();
    let mine = anam(&simulator, STUDIO, "POST", "/v1/personas", r#"{"name":"Mine"}"#);
    assert_eq!(mine.status, 201);
    let path = format!("/v1/personas/{}", mine.at("/id"));
    assert_eq!(anam(&simulator, STUDIO, "PUT", &path, r#"{"name":"Ours"}"#).at("/name"), "Ours");
    assert_eq!(anam(&simulator, BACKUP, "GET", &path, "").status, 403);
    let body = json!({"personaConfig": {"personaId": mine.at("/id")}}).to_string();
    assert_eq!(anam(&simulator, STUDIO, "POST", "/v1/auth/session-token", &body).status, 200);
    assert_eq!(anam(&simulator, BACKUP, "POST", "/v1/auth/session-token", &body).status, 403);
    let stock = "/v1/personas/11111111-1111-4111-8111-111111111111";
    assert_eq!(anam(&simulator, BACKUP, "GET", stock, "").status, 200);
    assert_eq!(anam(&simulator, BACKUP, "DELETE", stock, "").status, 403);
    assert_eq!(anam(&simulator, STUDIO, "DELETE", &path, "").status, 200);
    assert_eq!(anam(&simulator, STUDIO, "GET", &path, "").status, 404);
}

#[test]
fn a_body_without_a_persona_is_told_which_field_is_wrong() {
    let reply = anam(&standing(), STUDIO, "POST", "/v1/auth/session-token", "{}");
    let details = json!({"_errors": [], "personaConfig": {"_errors": ["Required"]}});
    assert_eq!(
        (reply.status, reply.json()),
        (400, json!({"error": "Invalid request body", "details": details}))
    );
}

#[test]
fn browsers_may_ask_first_and_metrics_need_nobody() {
    let simulator = standing();
    let preflight =
        send(simulator.anam_url(), "OPTIONS", "/v1/engine/session", &[("origin", "http://page")], "");
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
    assert_eq!(send(simulator.anam_url(), "POST", "/v1/metrics/client", &[], "{}").status, 200);
}

#[test]
fn livekit_sessions_have_no_engine_and_cannot_be_stopped() {
    let simulator = standing();
    let body = json!({"personaConfig": {}, "environment": {"livekitUrl": "wss://x", "livekitToken": "y"}})
        .to_string();
    let reply = anam(&simulator, STUDIO, "POST", "/v1/engine/session", &body);
    assert!(reply.json().get("engineHost").is_none());
    let stop = format!("/v1/sessions/{}/stop", reply.at("/sessionId"));
    assert_eq!(anam(&simulator, STUDIO, "POST", &stop, "").status, 404);
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn signalling(started: &Reply) -> Socket {
    let host = started.at("/engineHost");
    let host = host.split('/').next().unwrap();
    let url =
        format!("ws://{host}{}?session_id={}", started.at("/signallingEndpoint"), started.at("/sessionId"));
    tokio_tungstenite::connect_async(url).await.unwrap().0
}

/// The next frame; `None` when the engine closed.
async fn heard(socket: &mut Socket) -> Option<Value> {
    let message = socket.next().await?.ok()?;
    message.is_text().then(|| serde_json::from_str(message.to_text().unwrap()).unwrap())
}

async fn say(socket: &mut Socket, action: &str, payload: &Value) {
    let frame = json!({"actionType": action, "sessionId": "s", "payload": payload}).to_string();
    socket.send(Message::Text(frame.into())).await.unwrap();
}

#[tokio::test]
async fn an_engine_answers_an_offer_and_a_session_outlives_its_connection_by_the_grace() {
    let simulator = with_studio(|studio| studio.reconnect_grace_seconds = Some(30));
    let started = start(&simulator, STUDIO);
    let mut socket = signalling(&started).await;
    say(&mut socket, "offer", &json!({"connectionDescription": {"type": "offer", "sdp": ""}})).await;
    let answer = heard(&mut socket).await.unwrap();
    assert_eq!(
        (answer["actionType"].as_str(), answer["payload"]["type"].as_str()),
        (Some("answer"), Some("answer"))
    );
    assert_eq!(heard(&mut socket).await.unwrap()["actionType"], "sessionready");

    let talk = format!(
        "{}/talk?session_id={}",
        started.at("/engineHost").split_once('/').unwrap().1,
        started.at("/sessionId")
    );
    let engine = simulator.endpoints().engine.clone();
    assert_eq!(send(&engine, "POST", &format!("/{talk}"), &[], r#"{"content":"hi"}"#).status, 200);

    drop(socket);
    eventually("the slot is free a grace after the connection is gone", || {
        simulator.advance(Duration::from_secs(30));
        active(&simulator) == "0"
    });
    assert_eq!(send(&engine, "POST", &format!("/{talk}"), &[], "{}").status, 404);
}

#[tokio::test]
async fn the_engine_ends_a_session_at_its_longest_and_when_it_is_stopped() {
    let simulator = with_studio(|studio| studio.max_session_seconds = Some(60));
    let started = start(&simulator, STUDIO);
    let mut socket = signalling(&started).await;
    simulator.advance(Duration::from_mins(1));
    assert_eq!(heard(&mut socket).await.unwrap()["actionType"], "endsession");
    assert_eq!(heard(&mut socket).await, None);

    let started = start(&simulator, STUDIO);
    let mut socket = signalling(&started).await;
    say(&mut socket, "heartbeat", &json!("")).await;
    assert_eq!(heard(&mut socket).await.unwrap()["actionType"], "heartbeat");
    anam(&simulator, STUDIO, "POST", &format!("/v1/sessions/{}/stop", started.at("/sessionId")), "");
    assert_eq!(heard(&mut socket).await.unwrap()["payload"], "session stopped");
}

#[tokio::test]
async fn a_client_can_end_its_session() {
    let simulator = standing();
    let mut socket = signalling(&start(&simulator, STUDIO)).await;
    say(&mut socket, "endsession", &json!("")).await;
    eventually("the slot is free", || active(&simulator) == "0");
}
