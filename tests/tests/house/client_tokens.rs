//! Who may come in: tokens, their scopes, and what strangers are told on each surface.

use keygate_tests::{Keygate, SIMULATED_KEYS, configuration, keygate_binary, simulator};
use serde_json::{Value, json};

use super::answer::{Answer, json_body};
use super::process::Process;
use super::stage::{FLASH, House, OPENAI_CHAT, chat, client, generate_path, openai_chat};

const TOKENS: (&str, &str) = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
const AVATAR: &str = "/anam/v1/auth/session-token";
const EMBED: &str = "/v1beta/models/gemini-embedding-001:embedContent";

async fn guarded(changes: Value) -> House {
    let mut changes = changes;
    changes["clients"]["auth"] = json!("required");
    House::before(simulator(), changes, &[TOKENS]).await
}

/// Tokens that may do one thing each; the sums are those of `printf kg_chat_only | sha256sum` and so on.
fn scoped() -> Value {
    json!({"clients": {"tokens": [
        {"name": "chat", "scopes": ["chat"], "sha256": "47ca3b49d3221bf8b3360a29a5665ac182b52cf51a3d98837d2f1547e5d62a4d"},
        {"name": "embed", "scopes": ["embed"], "sha256": "3bc343952f5f97826aad4b18e6f23445f371301387ca3b3abc090220ede62c37"},
        {"name": "avatar", "scopes": ["avatar"], "sha256": "f88c7805db00716bc568e2a98c6c695d1b341b6917e6b66814c670b6be87c98e"},
    ]}})
}

fn persona() -> Value {
    json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}})
}

async fn asked_nobody(house: House) {
    let counts = house.counts();
    assert_eq!((counts.google.requests, counts.anam.requests), (0, 0));
    assert_eq!(house.google().await.ledger("attempts"), 0, "no key was touched");
    house.close().await;
}

#[tokio::test]
async fn a_stranger_is_told_so_in_the_shape_of_each_surface() {
    let house = guarded(json!({})).await;
    let native = house.generate(FLASH, "hello").await;
    native.is_refusal(401, "unauthenticated");
    native.says_native("UNAUTHENTICATED", "needs a client token");
    let openai = Answer::to(house.openai("hello")).await;
    openai.is_refusal(401, "unauthenticated");
    openai.says_openai("authentication_error", "needs a client token");
    let anam = Answer::to(house.post(AVATAR, &persona())).await;
    anam.is_refusal(401, "unauthenticated");
    anam.says_anam("Missing or invalid API key", "needs a client token");
    assert!(native.retry_after().is_none());
    asked_nobody(house).await;
}

#[tokio::test]
async fn a_wrong_token_is_told_so_wherever_it_is_shown() {
    let house = guarded(json!({})).await;
    let path = generate_path(FLASH);
    let header = house.post(&path, &chat("hello")).header("x-goog-api-key", "kg_wrong");
    let query = house.post(&format!("{path}?key=kg_wrong"), &chat("hello"));
    let bearer = house.post(&path, &chat("hello")).bearer_auth("kg_wrong");
    for request in [header, query, bearer] {
        let answer = Answer::to(request).await;
        answer.is_refusal(401, "unauthenticated");
        answer.says_native("UNAUTHENTICATED", "not known here");
        assert!(!answer.text().contains("kg_wrong"), "{answer:?}");
    }
    asked_nobody(house).await;
}

#[tokio::test]
async fn a_real_key_of_the_pool_opens_nothing() {
    let house = guarded(json!({})).await;
    let request =
        house.post(&generate_path(FLASH), &chat("hello")).header("x-goog-api-key", "sim-google-alpha-1");
    Answer::to(request).await.is_refusal(401, "unauthenticated");
    asked_nobody(house).await;
}

#[tokio::test]
async fn who_guesses_tokens_is_told_to_wait_while_others_are_served() {
    let house = guarded(json!({"limits": {"failed_logins_per_minute": 3}})).await;
    let guess = |number: usize| {
        let request = house.post(&generate_path(FLASH), &chat("hello"));
        Answer::to(request.header("x-goog-api-key", format!("kg_guess_{number}")))
    };
    for number in 0..3 {
        guess(number).await.is_refusal(401, "unauthenticated");
    }
    let slowed = guess(3).await;
    slowed.is_refusal(429, "user_limited");
    slowed.says_native("RESOURCE_EXHAUSTED", "unknown tokens");
    assert!(slowed.retry_after().is_some_and(|seconds| (1..=60).contains(&seconds)), "{slowed:?}");

    let known = house.post(&generate_path(FLASH), &chat("hello")).header("x-goog-api-key", "kg_first");
    Answer::to(known).await.is_providers("google", 200, 1);
    assert_eq!(house.upstream_requests(), 1);
    house.close().await;
}

#[tokio::test]
async fn a_token_opens_what_its_scopes_name_and_nothing_else() {
    let house = guarded(scoped()).await;
    let requests = [
        ("chat", generate_path(FLASH), chat("hello")),
        ("chat", OPENAI_CHAT.to_owned(), openai_chat("hello", false)),
        ("embed", EMBED.to_owned(), json!({"content": {"parts": [{"text": "hello"}]}})),
        ("avatar", AVATAR.to_owned(), persona()),
    ];
    for (needed, path, body) in &requests {
        for scope in ["chat", "embed", "avatar"] {
            let before = house.sim.requests().len();
            let answer = Answer::to(house.post(path, body).bearer_auth(format!("kg_{scope}_only"))).await;
            let asked = house.sim.requests().len() - before;
            if scope == *needed {
                assert_eq!((answer.status, asked), (200, 1), "{scope} on {path}: {answer:?}");
            } else {
                answer.is_refusal(403, "forbidden");
                assert!(answer.text().contains(&format!("`{needed}`")), "{answer:?}");
                assert_eq!(asked, 0, "{scope} on {path}");
            }
        }
    }
    let native = house.post(&generate_path(FLASH), &chat("hello")).bearer_auth("kg_avatar_only");
    Answer::to(native).await.says_native("PERMISSION_DENIED", "scope");
    let openai = house.post(OPENAI_CHAT, &openai_chat("hello", false)).bearer_auth("kg_avatar_only");
    Answer::to(openai).await.says_openai("permission_error", "scope");
    let anam = house.post(AVATAR, &persona()).bearer_auth("kg_chat_only");
    Answer::to(anam).await.says_anam("Forbidden", "scope");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn tokens_are_in_no_log_and_no_request_to_a_provider() {
    let house = guarded(json!({})).await;
    for token in ["kg_first", "kg_wrong"] {
        let path = format!("{}?key={token}", generate_path(FLASH));
        Answer::to(house.post(&path, &chat("hello"))).await;
    }
    let sent = format!("{:?}", house.sim.requests());
    assert!(!sent.contains("kg_"), "{sent}");
    let House { gateway, .. } = house;
    let exit = gateway.stop().await;
    assert!(!exit.stderr.contains("kg_"), "{}", exit.stderr);
}

#[tokio::test]
async fn an_open_gateway_on_the_network_is_refused_with_the_way_out() {
    let simulator = simulator();
    let open = configuration(simulator.endpoints(), &json!({"clients": {"auth": "open"}}));
    let exit = Keygate::run(&["serve", "--bind", "0.0.0.0:0"], &open, SIMULATED_KEYS).await;
    assert_eq!(exit.status.code(), Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("allow_open_on_network"), "{}", exit.stderr);
    assert!(exit.stderr.contains("keygate.yaml"), "names file and line: {}", exit.stderr);

    let check = Keygate::run(&["check", "--bind", "0.0.0.0:0"], &open, SIMULATED_KEYS).await;
    assert_eq!(check.status.code(), Some(64), "{}", check.stderr);
    let allowed = json!({"clients": {"auth": "open", "allow_open_on_network": true}});
    let allowed = configuration(simulator.endpoints(), &allowed);
    let check = Keygate::run(&["check", "--bind", "0.0.0.0:0"], &allowed, SIMULATED_KEYS).await;
    assert_eq!(check.status.code(), Some(0), "{}", check.stderr);
}

#[tokio::test]
async fn on_the_network_a_token_is_needed_unless_the_operator_says_otherwise() {
    let simulator = simulator();
    let env = [SIMULATED_KEYS, &[TOKENS]].concat();
    let ask = async |changes: Value, token: Option<&str>| {
        let yaml = configuration(simulator.endpoints(), &changes);
        let gateway = Process::serve(keygate_binary(), "0.0.0.0:0", &yaml, &env).await;
        let request = client().post(format!("{}{}", gateway.url, generate_path(FLASH)));
        let request = json_body(request, &chat("hello"));
        Answer::to(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    };
    ask(json!({}), None).await.is_refusal(401, "unauthenticated");
    ask(json!({}), Some("kg_first")).await.is_providers("google", 200, 1);
    let open = json!({"clients": {"auth": "open", "allow_open_on_network": true}});
    ask(open, None).await.is_providers("google", 200, 1);
    assert_eq!(simulator.counts().google.requests, 2);
}
