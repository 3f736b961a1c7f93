//! Whose credential goes where: the caller's never upstream, ours never back, and two are one too many.

use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, chat, generate_path, openai_chat, stream_path};
use super::wire::{Upstream, json_answer};

const TOKENS: (&str, &str) = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");

async fn guarded() -> House {
    House::before(simulator(), json!({"clients": {"auth": "required"}}), &[TOKENS]).await
}

/// Every request the provider got carried one credential, and it was a key of the pool, in the provider's place.
fn only_ours_went_upstream(house: &House) {
    for request in house.sim.requests() {
        let [credential] = request.credentials.as_slice() else { panic!("not one credential: {request:?}") };
        assert!(credential.label.starts_with("sim-"), "{request:?}");
        let is_openai = request.path.contains("/openai/");
        let place = if is_openai || request.path.starts_with("/v1/") && request.operation.contains("session")
        {
            "header authorization"
        } else {
            "header x-goog-api-key"
        };
        assert_eq!(credential.place, place, "{request:?}");
        let told = format!("{request:?}");
        assert!(!told.contains("kg_") && !told.contains("theirs"), "the caller's went upstream: {told}");
    }
}

#[tokio::test]
async fn two_different_credentials_are_refused_where_a_token_is_needed() {
    let house = guarded().await;
    let native = house.post(&generate_path(FLASH), &chat("hello"));
    let native = Answer::to(native.header("x-goog-api-key", "kg_first").bearer_auth("kg_second")).await;
    native.is_refusal(400, "ambiguous_credentials");
    native.says_native(
        "INVALID_ARGUMENT",
        "Multiple authentication credentials received. Please pass only one.",
    );

    let openai = house.post(&format!("{OPENAI_CHAT}?key=kg_first"), &openai_chat("hello", false));
    let openai = Answer::to(openai.bearer_auth("something-else")).await;
    openai.is_refusal(400, "ambiguous_credentials");
    openai.says_openai("invalid_request_error", "Multiple authentication credentials");

    let anam = house.post("/anam/v1/auth/session-token", &json!({})).header("x-goog-api-key", "kg_first");
    let anam = Answer::to(anam.bearer_auth("kg_second")).await;
    anam.is_refusal(400, "ambiguous_credentials");
    anam.says_anam("Ambiguous credentials", "Multiple authentication credentials");

    let counts = house.counts();
    assert_eq!((counts.google.requests, counts.anam.requests), (0, 0));
    assert_eq!(house.google().await.ledger("attempts"), 0, "no key was touched");
    house.close().await;
}

#[tokio::test]
async fn one_token_in_several_places_is_one_credential() {
    let house = guarded().await;
    let path = format!("{}?key=kg_first", generate_path(FLASH));
    let request =
        house.post(&path, &chat("hello")).header("x-goog-api-key", "kg_first").bearer_auth("kg_first");
    Answer::to(request).await.is_providers("google", 200, 1);
    only_ours_went_upstream(&house);
    house.close().await;
}

#[tokio::test]
async fn each_place_an_sdk_uses_is_understood_and_emptied() {
    let house = guarded().await;
    let path = generate_path(FLASH);
    let header = house.post(&path, &chat("hello")).header("x-goog-api-key", "kg_first");
    let query = house.post(&format!("{path}?key=kg_second&alt=json"), &chat("hello"));
    let bearer = house.post(&path, &chat("hello")).bearer_auth("kg_first");
    let openai = house.post(OPENAI_CHAT, &openai_chat("hello", false)).bearer_auth("kg_second");
    for request in [header, query, bearer, openai] {
        Answer::to(request).await.is_providers("google", 200, 1);
    }
    let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    let mint = house.post("/anam/v1/auth/session-token", &body).bearer_auth("kg_first");
    Answer::to(mint).await.is_providers("anam", 200, 1);
    assert_eq!(house.sim.requests().len(), 5);
    only_ours_went_upstream(&house);
    house.close().await;
}

#[tokio::test]
async fn an_open_gateway_serves_whatever_credential_it_is_shown_and_sends_ours_alone() {
    let house = House::open(json!({})).await;
    let dress = |request: reqwest::RequestBuilder| {
        let request = request.header("x-goog-api-key", "theirs-1").bearer_auth("theirs-1");
        let request = request.header("cookie", "session=theirs-3").header("x-goog-user-project", "theirs-4");
        request.header("proxy-authorization", "Basic theirs-5").header("x-keygate-admin-token", "theirs-6")
    };
    let stream = format!("{}&key=theirs-1&access_token=theirs-8", stream_path(FLASH));
    let requests: [(&str, Value); 3] = [
        (&generate_path(FLASH), chat("hello")),
        (&stream, chat("hello")),
        (OPENAI_CHAT, openai_chat("hello", false)),
    ];
    for (path, body) in &requests {
        Answer::to(dress(house.post(path, body))).await.is_providers("google", 200, 1);
    }
    let body = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    Answer::to(dress(house.post("/anam/v1/auth/session-token", &body))).await.is_providers("anam", 200, 1);
    assert_eq!(house.sim.requests().len(), 4);
    only_ours_went_upstream(&house);
    house.close().await;
}

/// As Google itself does: one of the two was not meant to be sent.
#[tokio::test]
async fn an_open_gateway_refuses_two_different_credentials_too() {
    let house = House::open(json!({})).await;
    let native = house.post(&generate_path(FLASH), &chat("hello")).header("x-goog-api-key", "theirs-1");
    let native = Answer::to(native.bearer_auth("theirs-2")).await;
    native.is_refusal(400, "ambiguous_credentials");
    native.says_native("INVALID_ARGUMENT", "Multiple authentication credentials received.");
    let mint = house.post("/anam/v1/auth/session-token", &json!({})).header("x-goog-api-key", "theirs-1");
    Answer::to(mint.bearer_auth("theirs-2")).await.is_refusal(400, "ambiguous_credentials");
    assert_eq!(house.sim.requests().len(), 0);

    // A provider's own token is no credential for the gateway, so another beside it is the only one.
    let persona = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    let minted = Answer::to(house.post("/anam/v1/auth/session-token", &persona)).await.json();
    let token = minted["sessionToken"].as_str().expect("a token");
    let start = house.post("/anam/v1/engine/session", &json!({})).header("x-goog-api-key", "theirs-1");
    Answer::to(start.bearer_auth(token)).await.is_providers("anam", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn a_provider_cannot_set_cookies_or_name_its_machines_to_our_callers() {
    use keygate_tests::sim::{Action, Fault, ScriptedAnswer};
    let house = House::open(json!({})).await;
    let headers = [("set-cookie", "a=b"), ("server", "inner"), ("via", "inner"), ("alt-svc", "h3=\":443\"")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let answer =
        ScriptedAnswer { status: Some(200), body: Some(json!({})), headers, ..ScriptedAnswer::default() };
    house.sim.script([Fault::new(Action::Answer(answer))]).expect("room");
    let answer = house.generate(FLASH, "hello").await;
    assert_eq!(answer.status, 200);
    for name in ["set-cookie", "server", "via", "alt-svc"] {
        assert_eq!(answer.header(name), "", "{answer:?}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_redirect_leads_neither_our_key_nor_our_callers_astray() {
    use keygate_tests::sim::{Action, Fault, ScriptedAnswer};
    let mut elsewhere = Upstream::start(|_, _| json_answer(200, &json!({"candidates": []}))).await;
    let house = House::open(json!({})).await;
    for status in [302, 307] {
        let headers = [("location".to_owned(), format!("{}/v1beta/models", elsewhere.url))].into();
        let answer = ScriptedAnswer {
            status: Some(status),
            body: Some(json!({})),
            headers,
            ..ScriptedAnswer::default()
        };
        house.sim.clear_script();
        house.sim.script([Fault::new(Action::Answer(answer)).always()]).expect("room");
        let answer = house.generate(FLASH, "hello").await;
        assert!((500..600).contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("location"), "", "{answer:?}");
    }
    assert_eq!(elsewhere.requests().len(), 0, "our key went elsewhere");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn two_different_credentials_in_one_place_are_two() {
    let house = guarded().await;
    let path = generate_path(FLASH);
    let header = house.post(&path, &chat("hello")).header("x-goog-api-key", "kg_first");
    let bearer = house.post(&path, &chat("hello")).bearer_auth("kg_first");
    let requests = [
        header.header("x-goog-api-key", "kg_second"),
        bearer.bearer_auth("kg_second"),
        house.post(&format!("{path}?key=kg_first&key=kg_second"), &chat("hello")),
    ];
    for request in requests {
        let answer = Answer::to(request).await;
        answer.is_refusal(400, "ambiguous_credentials");
    }
    assert_eq!(house.upstream_requests(), 0);
    house.close().await;
}

#[tokio::test]
async fn a_page_of_another_site_cannot_spend_the_keys_of_an_open_gateway() {
    let house = House::open(json!({})).await;
    let from = |site: &str| house.post(&generate_path(FLASH), &chat("hello")).header("sec-fetch-site", site);
    Answer::to(from("cross-site")).await.is_refusal(403, "forbidden");
    assert_eq!(house.upstream_requests(), 0);
    Answer::to(from("same-site")).await.is_providers("google", 200, 1);
    house.close().await;
}
