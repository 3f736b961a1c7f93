//! The Live API.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use keygate_simulator::{Fault, GoogleRow, KeyState, Population, RunningSimulator};
use rstest::rstest;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{KEY, eventually, google, populated, standing};

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

const PATH: &str = "//ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

async fn connect(
    simulator: &RunningSimulator,
    query: &str,
    header: Option<(&'static str, &str)>,
) -> Result<Socket, Error> {
    let url = format!("{}{PATH}{query}", simulator.google_url().replace("http://", "ws://"));
    let mut request = url.into_client_request()?;
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

async fn say(socket: &mut Socket, frame: &Value) {
    socket.send(Message::Text(frame.to_string().into())).await.unwrap();
}

/// The next frame; Gemini sends JSON as bytes. A close is its code and reason.
async fn heard(socket: &mut Socket) -> Value {
    match socket.next().await {
        Some(Ok(Message::Binary(bytes))) => serde_json::from_slice(&bytes).unwrap(),
        Some(Ok(Message::Close(Some(close)))) => {
            json!({"closed": u16::from(close.code), "reason": close.reason.as_str()})
        }
        other => panic!("unexpected {other:?}"),
    }
}

fn setup(resumption: &Value) -> Value {
    json!({"setup": {"model": "models/gemini-3.8-live", "sessionResumption": resumption}})
}

#[tokio::test]
async fn a_turn_is_answered_counted_and_can_be_resumed_by_its_project() {
    let simulator = standing();
    let mut socket = connect(&simulator, "", Some(("x-goog-api-key", KEY))).await.unwrap();
    say(&mut socket, &setup(&json!({}))).await;
    assert_eq!(heard(&mut socket).await, json!({"setupComplete": {}}));
    assert_eq!(simulator.counts().google.sessions_active, 1);
    let turns = json!([{"role": "user", "parts": [{"text": "hello"}]}]);
    say(&mut socket, &json!({"clientContent": {"turns": turns, "turnComplete": true}})).await;
    let mut text = String::new();
    for _ in 0..3 {
        text += heard(&mut socket).await["serverContent"]["modelTurn"]["parts"][0]["text"].as_str().unwrap();
    }
    assert_eq!(text, "You said: hello");
    assert_eq!(heard(&mut socket).await["serverContent"], json!({"generationComplete": true}));
    let end = heard(&mut socket).await;
    let usage = json!({"promptTokenCount": 2, "responseTokenCount": 4, "totalTokenCount": 6});
    assert_eq!(end, json!({"serverContent": {"turnComplete": true}, "usageMetadata": usage}));
    let handle = heard(&mut socket).await["sessionResumptionUpdate"]["newHandle"].clone();
    drop(socket);
    eventually("the connection is gone", || simulator.counts().google.sessions_active == 0);

    let mut sibling = connect(&simulator, "?key=sim-google-alpha-2", None).await.unwrap();
    say(&mut sibling, &setup(&json!({"handle": handle}))).await;
    assert_eq!(heard(&mut sibling).await, json!({"setupComplete": {}}));
    let mut foreign = connect(&simulator, "?key=sim-google-beta-1", None).await.unwrap();
    say(&mut foreign, &setup(&json!({"handle": handle}))).await;
    assert_eq!(heard(&mut foreign).await["closed"], 1008);
}

#[rstest]
#[case::unknown_key("?key=nobody", json!({}), 1007, "API key not valid. Please pass a valid API key.")]
#[case::no_key("", json!({}), 1008, "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API c")]
#[case::no_setup("?key=sim-google-alpha-1", json!({"clientContent": {}}), 1007, "setup must be the first message and only the first")]
#[case::chat_model("?key=sim-google-alpha-1", json!({"setup": {"model": "models/gemini-3.8-flash"}}), 1008, "models/gemini-3.8-flash is not found for API version v1beta, or is not supported for bidiGenerateContent. Call ListModels t")]
#[tokio::test]
async fn what_is_wrong_closes(
    #[case] query: &str,
    #[case] first: Value,
    #[case] code: u16,
    #[case] reason: &str,
) {
    let simulator = standing();
    let mut socket = connect(&simulator, query, None).await.unwrap();
    // A server that closed already cannot be told.
    let _ = socket.send(Message::Text(first.to_string().into())).await;
    assert_eq!(heard(&mut socket).await, json!({"closed": code, "reason": reason}));
}

#[tokio::test]
async fn quota_refuses_the_upgrade() {
    let mut population = Population::default();
    population.google.projects[0].live_sessions = Some(1);
    let simulator = populated(population);
    let first = connect(&simulator, "?key=sim-google-alpha-1", None).await.unwrap();
    let Err(Error::Http(refused)) = connect(&simulator, "?key=sim-google-alpha-2", None).await else {
        panic!("a second connection was let in");
    };
    assert_eq!(refused.status(), 429);
    drop(first);
    eventually("the connection is gone", || simulator.counts().google.sessions_active == 0);
    simulator.script([Fault::google(GoogleRow::Overloaded).operation("live")]).unwrap();
    let Err(Error::Http(refused)) = connect(&simulator, "?key=sim-google-alpha-2", None).await else {
        panic!("the script was not asked");
    };
    assert_eq!(refused.status(), 503);
}

#[tokio::test]
async fn a_suspended_project_is_told_by_closing() {
    let mut population = Population::default();
    population.google.projects[0].state = KeyState::Google(GoogleRow::ProjectDenied);
    let simulator = populated(population);
    let mut socket = connect(&simulator, "?key=sim-google-alpha-1", None).await.unwrap();
    let closed =
        json!({"closed": 1008, "reason": "Your project has been denied access. Please contact support."});
    assert_eq!(heard(&mut socket).await, closed);
}

#[tokio::test]
async fn the_connection_announces_its_end_after_nine_minutes() {
    let simulator = standing();
    let mut socket = connect(&simulator, "?key=sim-google-alpha-1", None).await.unwrap();
    say(&mut socket, &setup(&Value::Null)).await;
    heard(&mut socket).await;
    simulator.advance(Duration::from_mins(9));
    assert_eq!(heard(&mut socket).await, json!({"goAway": {"timeLeft": "60s"}}));
    simulator.advance(Duration::from_mins(1));
    assert_eq!(heard(&mut socket).await["closed"], 1000);
}

#[tokio::test]
async fn an_ephemeral_token_opens_one_session_even_beside_a_key_header() {
    let simulator = standing();
    let name = google(&simulator, KEY, "POST", "/v1alpha/auth_tokens", "{}").at("/name");
    let bearer = format!("Token {name}");
    let mut socket = connect(&simulator, "", Some(("authorization", &bearer))).await.unwrap();
    say(&mut socket, &setup(&Value::Null)).await;
    assert_eq!(heard(&mut socket).await, json!({"setupComplete": {}}));
    assert_eq!(simulator.requests().pop().unwrap().project.as_deref(), Some("alpha"));
    let mut again = connect(&simulator, &format!("?access_token={name}"), None).await.unwrap();
    assert_eq!(heard(&mut again).await["closed"], 1008);
}
