//! `docs/adding-a-provider.md`, executed: a build with a third provider serves it like the other two.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use keygate_tests::{eventually, keygate_binary};
use serde_json::{Value, json};

use super::answer::{Answer, json_body};
use super::pool::Pool;
use super::process::Process;
use super::stage::client;
use super::wire::{Upstream, json_answer};

/// A gateway with Acme in its catalogue.
struct Acme(Process);

impl Acme {
    async fn start(upstream: &str) -> Self {
        let keys =
            json!([{"secret": "env:FIRST", "label": "first"}, {"secret": "env:SECOND", "label": "second"}]);
        let config =
            json!({"providers": {"acme": {"base_url": upstream, "keys": keys, "keys_from_env": false}}});
        let env = [("FIRST", "acme-first"), ("SECOND", "acme-second")];
        Self(Process::serve(binary(), "127.0.0.1:0", &config.to_string(), &env).await)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.url)
    }

    async fn complete(&self, text: &str) -> Answer {
        let request = client().post(self.url("/acme/v1/complete"));
        Answer::to(json_body(request, &json!({"model": "acme-1", "text": text}))).await
    }

    async fn pool(&self) -> Pool {
        eventually("every lease comes back", async || {
            let pool = Pool(Answer::to(client().get(self.url("/api/acme/status"))).await.json());
            (pool.in_flight() == 0).then_some(pool)
        })
        .await
    }
}

/// The example's binary, built beside the gateway's. Cargo itself knows whether anything is to be done.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "acme-provider", "--bin", "acme-provider"]);
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        let path = keygate_binary().with_file_name(format!("acme-provider{EXE_SUFFIX}"));
        assert!(
            built.is_ok_and(|status| status.success()) && path.is_file(),
            "{} cannot be built",
            path.display()
        );
        path
    })
}

fn served() -> Value {
    json!({"text": "pong", "tokens": {"in": 1, "out": 1}})
}

#[tokio::test]
async fn a_third_provider_is_served_with_its_own_key_and_in_its_own_words() {
    let mut upstream = Upstream::start(|_, _| json_answer(200, &served())).await;
    let acme = Acme::start(&upstream.url).await;

    let answer = acme.complete("ping").await;
    answer.is_providers("acme", 200, 1);
    assert_eq!(answer.json(), served());
    let requests = upstream.requests();
    let [request] = requests.as_slice() else { panic!("one request: {requests:?}") };
    assert!(request.starts_with("POST /v1/complete HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("x-acme-key: acme-first\r\n"), "{request}");
    assert!(request.contains(r#""text":"ping""#), "{request}");

    let unknown = Answer::to(client().get(acme.url("/acme/v1/other"))).await;
    unknown.is_refusal(404, "not_found");
    assert_eq!(unknown.json(), json!({"problem": "Acme is served at POST /acme/v1/complete."}));
    acme.pool().await.blames_nobody();
}

#[tokio::test]
async fn a_key_that_the_third_provider_refuses_is_disabled_and_another_serves() {
    let refused = json!({"problem": "who are you"});
    let mut upstream = Upstream::start(move |_, request| match request {
        request if request.contains("acme-first") => json_answer(401, &refused),
        _ => json_answer(200, &served()),
    })
    .await;
    let acme = Acme::start(&upstream.url).await;

    let answer = acme.complete("ping").await;
    answer.is_providers("acme", 200, 2);
    let pool = acme.pool().await;
    assert_eq!(
        (pool.state("first"), pool.fault("first"), pool.state("second")),
        ("disabled", "key_invalid", "available")
    );
    acme.complete("ping").await.is_providers("acme", 200, 1);
    assert_eq!(upstream.requests().len(), 3);
    let all = Answer::to(client().get(acme.url("/api/keys/status"))).await.json();
    assert_eq!(all["api_keys"]["acme"]["disabled"], 1, "{all}");
}

#[tokio::test]
async fn a_full_minute_of_the_third_provider_rests_its_key_and_then_all_are_told() {
    let full = b"HTTP/1.1 429 Full\r\nretry-after: 7\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    let upstream = Upstream::start(|_, _| full.to_vec()).await;
    let acme = Acme::start(&upstream.url).await;

    let answer = acme.complete("ping").await;
    answer.is_refusal(429, "pool_exhausted");
    answer.took("acme", 2);
    assert!(answer.retry_after().is_some_and(|seconds| (1..=8).contains(&seconds)), "{answer:?}");
    assert_eq!(
        answer.json(),
        json!({"problem": "All Acme API keys failed. Last error: Rate limit exceeded"})
    );
    assert_eq!(acme.pool().await.states(), [("cooling_down", 2)].into());
}
