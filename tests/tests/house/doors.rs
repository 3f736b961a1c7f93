//! The gateway's own routes: who may open them, by which method, and how much they take.

use std::path::PathBuf;

use keygate_tests::{configuration, keygate_binary, simulator};
use reqwest::Method;
use serde_json::json;

use super::answer::Answer;
use super::process::Process;
use super::stage::{House, client};

const RESET: &str = "/api/google/reset-keys";
const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin");

/// The sum of `printf kg_watcher | sha256sum`.
const WATCHERS_SUM: &str = "60fc0b2ae3bc5d18ffff40d1f4e8e7ecdadb7dd395271c3008bb35e3f89ce949";
/// The sum of `printf kg_chat_only | sha256sum`.
const CHATTERS_SUM: &str = "47ca3b49d3221bf8b3360a29a5665ac182b52cf51a3d98837d2f1547e5d62a4d";

#[tokio::test]
async fn guessing_the_admin_token_is_slowed_down() {
    let house = House::before(simulator(), json!({}), &[ADMIN]).await;
    for guess in 0..10 {
        let answer = Answer::to(house.post(RESET, &json!({})).bearer_auth(format!("guess-{guess}"))).await;
        answer.is_refusal(401, "unauthenticated");
    }
    let slowed = Answer::to(house.post(RESET, &json!({})).bearer_auth("guess-10")).await;
    slowed.is_refusal(429, "user_limited");
    assert!(slowed.retry_after().is_some_and(|seconds| seconds >= 1), "{slowed:?}");
    let right = Answer::to(house.post(RESET, &json!({})).bearer_auth("kg_the_admin")).await;
    assert_eq!(right.status, 200, "who knows it is let in: {right:?}");
    house.close().await;
}

#[tokio::test]
async fn an_operators_body_that_is_too_large_is_refused_like_any_other() {
    let house = House::before(simulator(), json!({}), &[ADMIN]).await;
    let ids: Vec<String> = (0..40_000).map(|number| format!("some-key-{number}")).collect();
    let answer = Answer::to(house.post(RESET, &json!({"ids": ids})).bearer_auth("kg_the_admin")).await;
    answer.is_refusal(404, "not_found");
    let more = json!({"ids": ["x".repeat(1024 * 1024)]});
    let answer = Answer::to(house.post(RESET, &more).bearer_auth("kg_the_admin")).await;
    answer.is_refusal(413, "too_large");
    answer.says_house("larger than");
    let stranger = Answer::to(house.post(RESET, &more)).await;
    stranger.is_refusal(401, "unauthenticated");
    let null = Answer::to(house.post(RESET, &json!(null)).bearer_auth("kg_the_admin")).await;
    null.is_refusal(400, "bad_request");
    assert!(!null.text().contains("ResetKeys"), "{null:?}");
    house.close().await;
}

#[tokio::test]
async fn probes_may_ask_for_the_head_alone_and_wrong_methods_are_told_the_right_one() {
    let house = House::before(simulator(), json!({}), &[ADMIN]).await;
    let ask = |method: Method, path: &str| Answer::to(client().request(method, house.gateway.url(path)));
    for path in ["/healthz", "/readyz", "/api/keys/status", "/api/google/status"] {
        let head = ask(Method::HEAD, path).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}: {head:?}");
        let wrong = ask(Method::DELETE, path).await;
        wrong.is_refusal(405, "method_not_allowed");
        assert_eq!(wrong.header("allow"), "GET, HEAD", "{path}: {wrong:?}");
    }
    let wrong = ask(Method::GET, RESET).await;
    wrong.is_refusal(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "POST", "{wrong:?}");
    house.close().await;
}

/// A peer that is not on loopback, if this machine has an address for one.
async fn from_outside() -> Option<(Process, String)> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing: it only asks which address would be used.
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    if ip.is_loopback() || ip.is_unspecified() {
        return None;
    }
    let sim = simulator();
    let yaml = configuration(
        sim.endpoints(),
        &json!({"clients": {"auth": "required", "tokens": [
            {"name": "watcher", "scopes": ["status"], "sha256": WATCHERS_SUM},
            {"name": "chatter", "scopes": ["chat"], "sha256": CHATTERS_SUM},
        ]}}),
    );
    let env = [keygate_tests::SIMULATED_KEYS, &[ADMIN]].concat();
    let binary: PathBuf = keygate_binary().to_owned();
    let process = Process::serve(&binary, "0.0.0.0:0", &yaml, &env).await;
    let url = process.url.replace("127.0.0.1", &ip.to_string());
    Some((process, url))
}

#[tokio::test]
async fn from_outside_status_is_for_those_who_may_see_it() {
    let Some((_process, url)) = from_outside().await else { return };
    let url = format!("{url}/api/google/status");
    let missing = Answer::to(client().get(&url)).await;
    missing.is_refusal(401, "unauthenticated");
    for wrong in ["kg_nobody", "kg_the_admin_no"] {
        Answer::to(client().get(&url).bearer_auth(wrong)).await.is_refusal(401, "unauthenticated");
    }
    Answer::to(client().get(&url).bearer_auth("kg_chat_only")).await.is_refusal(403, "forbidden");
    for right in ["kg_watcher", "kg_the_admin"] {
        assert_eq!(Answer::to(client().get(&url).bearer_auth(right)).await.status, 200, "{right}");
    }
}
