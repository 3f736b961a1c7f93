//! The story: what callers ask, what they get, and what the pool learned meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use comfy_table::{Table, presets};
use http::{HeaderMap, HeaderValue, Method};
use keygate_provider::UpstreamRequest;
use keygate_simulator::RunningSimulator;
use keygate_upstream::{ClientSettings, Upstream, UpstreamClient};
use serde_json::{Value, json};
use url::Url;

use super::population::MODEL;
use crate::commands::print;

/// How many chat requests are sent.
const CHATS: usize = 8;

/// How long a request of the story may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Largest answer read, in bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// An answer as the story tells it.
struct Told {
    status: u16,
    key: String,
    attempts: String,
    body: Value,
}

/// Tells the story on stdout.
pub(super) async fn tell(address: SocketAddr, simulator: &RunningSimulator) -> Result<(), String> {
    let gateway = client(address)?;
    print::line("A pool of three Gemini keys: `expired`, `limited` (two requests a minute), `healthy`.\n");
    chats(&gateway).await?;
    print::line("\nWhat the pool knows afterwards (GET /api/gemini/status):");
    pool(&gateway, "gemini").await?;
    print::line(
        "\nTwo Anam organisations with room for one avatar session each; three sessions are asked for.\n",
    );
    sessions(&gateway).await?;
    print::line("\nWhat the pool knows afterwards (GET /api/anam/status):");
    pool(&gateway, "anam").await?;
    print::line(&upstream_view(simulator));
    Ok(())
}

/// Where a curious operator goes on.
pub(super) fn where_to_look(address: SocketAddr) -> String {
    format!(
        "\nThe gateway keeps running at http://{address} with the simulated providers. Try:\n  \
         curl -s http://{address}/v1beta/models/{MODEL}:generateContent -d '{{\"contents\":[{{\"parts\":[{{\"text\":\"hi\"}}]}}]}}'\n  \
         curl -s http://{address}/api/keys/status\n  \
         curl -s http://{address}/api/gemini/status\nCtrl-C ends it."
    )
}

async fn chats(gateway: &Upstream) -> Result<(), String> {
    let mut table = table(&["request", "status", "served by", "attempts", "answer"]);
    for number in 1..=CHATS {
        let body = json!({ "contents": [{ "parts": [{ "text": format!("hello {number}") }] }] });
        let path = format!("/v1beta/models/{MODEL}:generateContent");
        let told = post(gateway, &path, &body).await?;
        let text = told.body["candidates"][0]["content"]["parts"][0]["text"]
            .as_str()
            .or_else(|| told.body["error"]["message"].as_str())
            .unwrap_or_default()
            .to_owned();
        let key = label_of(gateway, "gemini", &told.key).await?;
        table.add_row([number.to_string(), told.status.to_string(), key, told.attempts, text]);
    }
    print::line(&table.to_string());
    Ok(())
}

async fn sessions(gateway: &Upstream) -> Result<(), String> {
    let mut table = table(&["session", "status", "served by", "attempts", "answer"]);
    for number in 1..=3 {
        let body = json!({ "clientLabel": "demo", "personaConfig": { "name": "Liv", "avatarId": "demo" } });
        let told = post(gateway, "/anam/v1/engine/session", &body).await?;
        let text =
            told.body["sessionId"].as_str().or_else(|| told.body["error"].as_str()).unwrap_or_default();
        let key = label_of(gateway, "anam", &told.key).await?;
        table.add_row([number.to_string(), told.status.to_string(), key, told.attempts, text.to_owned()]);
    }
    print::line(&table.to_string());
    Ok(())
}

async fn pool(gateway: &Upstream, provider: &str) -> Result<(), String> {
    let status = get(gateway, &format!("/api/{provider}/status")).await?;
    let mut table = table(&["key", "state", "why", "rests for", "attempts", "served"]);
    for key in status["keys"].as_array().into_iter().flatten() {
        let rest = &key["resting"][0];
        let why = key["reason"]["text"].as_str().or_else(|| rest["reason"].as_str()).unwrap_or_default();
        let remaining =
            rest["remaining"].as_u64().or_else(|| key["cooldown_remaining"].as_u64()).unwrap_or_default();
        table.add_row([
            plain(&key["label"]),
            plain(&key["state"]),
            why.to_owned(),
            if remaining > 0 { format!("{remaining} s") } else { String::new() },
            plain(&key["counts"]["attempts"]),
            plain(&key["counts"]["served"]),
        ]);
    }
    print::line(&table.to_string());
    Ok(())
}

fn upstream_view(simulator: &RunningSimulator) -> String {
    let counts = simulator.counts();
    format!(
        "\nThe providers saw {} Gemini requests ({} of them refused with 429) and {} Anam requests; the callers saw \
         {CHATS} and 3.",
        counts.google.requests, counts.google.refused_429, counts.anam.requests
    )
}

async fn label_of(gateway: &Upstream, provider: &str, id: &str) -> Result<String, String> {
    let status = get(gateway, &format!("/api/{provider}/status")).await?;
    let keys = status["keys"].as_array().cloned().unwrap_or_default();
    Ok(keys
        .iter()
        .find(|key| key["id"] == id)
        .map_or_else(|| "nobody".to_owned(), |key| plain(&key["label"])))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(header.to_vec());
    table
}

fn client(address: SocketAddr) -> Result<Upstream, String> {
    let url = Url::parse(&format!("http://{address}")).map_err(|error| error.to_string())?;
    let client = UpstreamClient::new(ClientSettings::default()).map_err(|error| error.to_string())?;
    Ok(client.upstream(url))
}

async fn post(gateway: &Upstream, path: &str, body: &Value) -> Result<Told, String> {
    send(gateway, Method::POST, path, Bytes::from(body.to_string())).await
}

async fn get(gateway: &Upstream, path: &str) -> Result<Value, String> {
    Ok(send(gateway, Method::GET, path, Bytes::new()).await?.body)
}

async fn send(gateway: &Upstream, method: Method, path: &str, body: Bytes) -> Result<Told, String> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let request = UpstreamRequest { method, host: None, path_and_query: path.to_owned(), headers, body };
    let mut answer = gateway.send(request, PATIENCE).await.map_err(|error| error.to_string())?;
    let header = |name: &str| {
        answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (status, key, attempts) =
        (answer.status().as_u16(), header("x-keygate-key"), header("x-keygate-attempts"));
    let text = answer.whole(MAX_ANSWER_BYTES, PATIENCE).await.map_err(|error| error.to_string())?;
    Ok(Told { status, key, attempts, body: serde_json::from_slice(&text).unwrap_or_default() })
}
