//! Avatar sessions: tokens that outlive the trouble of their organisation, starts that find a free one, and stops
//! that reach the owner.

use keygate_tests::sim::{
    Action, AnamConfig, AnamKey, AnamOrganization, Fault, Population, RunningSimulator,
};
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::House;

const MINT: &str = "/anam/v1/auth/session-token";
const START: &str = "/anam/v1/engine/session";

/// A studio that is asked first and has one slot, and a backup.
async fn busy_house(clients: Value, env: &[(&str, &str)]) -> House {
    let changes = json!({"clients": clients, "providers": {"anam": {"strategy": "primary_backup", "keys": [
        {"secret": "env:STUDIO_1", "label": "studio_1", "group": "studio"},
        {"secret": "env:BACKUP_1", "label": "backup_1", "group": "backup", "role": "backup"},
    ]}}});
    let house = House::before(simulator(), changes, env).await;
    slots(&house.sim, "studio", "sim-anam-studio-1", 1);
    house
}

fn slots(sim: &RunningSimulator, name: &str, key: &str, slots: u64) {
    let organization = AnamOrganization {
        keys: vec![AnamKey::new(key)],
        concurrent_sessions: Some(slots),
        ..AnamOrganization::named(name)
    };
    let anam = AnamConfig { organizations: vec![organization] };
    sim.declare(Population { anam, ..Population::empty() }).expect("the organisation can be replaced");
}

fn persona() -> Value {
    json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v", "llmId": "l"}})
}

/// A backend mints a token for its browser.
async fn mint(house: &House, token: Option<&str>) -> String {
    let request = house.post(MINT, &persona());
    let answer = Answer::to(
        token.map_or(request.try_clone().expect("a small body"), |token| request.bearer_auth(token)),
    );
    let answer = answer.await;
    answer.is_providers("anam", 200, 1);
    answer.json()["sessionToken"].as_str().expect("a token").to_owned()
}

/// A browser starts its session with the token alone.
async fn start_by_token(house: &House, token: &str) -> Answer {
    let body = json!({"clientMetadata": {"client": "js-sdk", "version": "4.27.0"}});
    Answer::to(house.post(START, &body).bearer_auth(token)).await
}

async fn stop(house: &House, session: &str, token: Option<&str>) -> Answer {
    let request = house.post(&format!("/anam/v1/sessions/{session}/stop"), &json!({}));
    Answer::to(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
    .await
}

fn session(answer: &Answer) -> String {
    answer.json()["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {answer:?}")).to_owned()
}

/// What was asked of whom: `(operation, organisation)` in order.
fn asked(house: &House) -> Vec<(String, String)> {
    let requests = house.sim.requests().into_iter();
    requests.map(|request| (request.operation, request.project.unwrap_or_default())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(operation, of)| ((*operation).to_owned(), (*of).to_owned())).collect()
}

#[tokio::test]
async fn a_token_starts_where_it_was_minted() {
    let house = busy_house(json!({}), &[]).await;
    let token = mint(&house, None).await;
    let started = start_by_token(&house, &token).await;
    started.is_providers("anam", 200, 1);
    assert!(started.json()["clientConfig"]["iceServers"].is_array(), "{started:?}");
    assert_eq!(asked(&house), pairs(&[("sessionToken", "studio"), ("engineSession", "studio")]));
    let start = house.sim.requests().pop().expect("a request");
    let [credential] = start.credentials.as_slice() else { panic!("one credential: {start:?}") };
    assert_eq!(credential.label, "session token of studio", "the token itself goes along");
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_token_of_a_busy_organisation_starts_at_another_and_nobody_notices() {
    let house = busy_house(json!({}), &[]).await;
    let (first, second) = (mint(&house, None).await, mint(&house, None).await);
    start_by_token(&house, &first).await.is_providers("anam", 200, 1);

    let started = start_by_token(&house, &second).await;
    started.is_providers("anam", 200, 2);
    assert!(!session(&started).is_empty());
    let story = [
        ("sessionToken", "studio"),
        ("sessionToken", "studio"),
        ("engineSession", "studio"),
        ("engineSession", "studio"),
        ("sessionToken", "backup"),
        ("engineSession", "backup"),
    ];
    assert_eq!(asked(&house), pairs(&story));
    let requests = house.sim.requests();
    let minted = [1, 4].map(|place: usize| {
        let body: Value = serde_json::from_str(&requests[place].body_start).expect("JSON");
        body["personaConfig"].clone()
    });
    assert_eq!(minted[0], minted[1], "an equal token is minted");

    let pool = house.anam().await;
    let [rest] = pool.resting("studio_1") else { panic!("one thing rests: {pool:?}") };
    assert_eq!((&rest["fault"], &rest["sessions"]), (&json!("busy"), &json!(true)));
    assert_eq!(pool.resting("backup_1").len(), 0);
    let counts = house.counts().anam;
    assert_eq!((counts.sessions_active, counts.refused_429), (2, 1));
    house.close().await;
}

#[tokio::test]
async fn a_start_by_key_finds_a_free_organisation() {
    let house = busy_house(json!({}), &[]).await;
    Answer::to(house.post(START, &persona())).await.is_providers("anam", 200, 1);
    let second = Answer::to(house.post(START, &persona())).await;
    second.is_providers("anam", 200, 2);
    let third = Answer::to(house.post(START, &persona())).await;
    third.is_providers("anam", 200, 1);

    let story = [
        ("engineSession", "studio"),
        ("engineSession", "studio"),
        ("engineSession", "backup"),
        ("engineSession", "backup"),
    ];
    assert_eq!(asked(&house), pairs(&story), "a busy organisation is not asked again");
    let pool = house.anam().await;
    assert_eq!(pool.fault("studio_1"), "busy", "{pool:?}");
    assert_eq!(pool.state("studio_1"), "cooling_down");
    assert_eq!(pool.state("backup_1"), "available");
    house.close().await;
}

#[tokio::test]
async fn with_every_organisation_busy_sdks_read_their_own_words() {
    let house = busy_house(json!({}), &[]).await;
    slots(&house.sim, "backup", "sim-anam-backup-1", 1);
    for attempts in [1, 2] {
        Answer::to(house.post(START, &persona())).await.is_providers("anam", 200, attempts);
    }
    let by_key = Answer::to(house.post(START, &persona())).await;
    by_key.is_refusal(429, "pool_exhausted");
    by_key.took("anam", 1);
    by_key.says_anam(
        "Concurrent session limit reached",
        "All Anam API keys failed. Last error: Rate limit exceeded",
    );
    assert!(by_key.retry_after().is_some_and(|seconds| (1..=15).contains(&seconds)), "{by_key:?}");

    let asked_so_far = house.counts().anam.requests;
    let again = Answer::to(house.post(START, &persona())).await;
    again.is_refusal(429, "pool_exhausted");
    again.took("anam", 0);
    assert_eq!(house.counts().anam.requests, asked_so_far, "busy organisations are not asked again");
    assert_eq!(house.anam().await.states(), [("cooling_down", 2)].into());

    let free = Answer::to(house.get("/anam/v1/sessions/concurrency")).await;
    free.is_providers("anam", 200, 1);
    mint(&house, None).await;
    house.close().await;
}

#[tokio::test]
async fn with_every_organisation_busy_a_token_is_told_so_too() {
    let house = busy_house(json!({}), &[]).await;
    slots(&house.sim, "backup", "sim-anam-backup-1", 0);
    let (first, second) = (mint(&house, None).await, mint(&house, None).await);
    start_by_token(&house, &first).await.is_providers("anam", 200, 1);
    for _ in 0..2 {
        let refused = start_by_token(&house, &second).await;
        assert_eq!(refused.status, 429, "{refused:?}");
        assert_eq!(refused.json()["error"], "Concurrent session limit reached");
    }
    assert_eq!(house.counts().anam.sessions_started, 1);
    house.close().await;
}

#[tokio::test]
async fn a_stop_reaches_the_organisation_that_runs_the_session() {
    let house = busy_house(json!({}), &[]).await;
    let at_studio = session(&Answer::to(house.post(START, &persona())).await);
    let at_backup = session(&Answer::to(house.post(START, &persona())).await);
    for (id, owner) in [(at_backup, "backup"), (at_studio, "studio")] {
        stop(&house, &id, None).await.is_providers("anam", 200, 1);
        assert_eq!(asked(&house).pop(), Some(("sessions.stop".to_owned(), owner.to_owned())));
    }
    assert_eq!(house.counts().anam.sessions_active, 0);
    let next = Answer::to(house.post(START, &persona())).await;
    next.is_providers("anam", 200, 1);
    assert_eq!(
        asked(&house).pop(),
        Some(("engineSession".to_owned(), "studio".to_owned())),
        "a stop frees the slot"
    );
    house.close().await;
}

#[tokio::test]
async fn a_backend_stops_what_a_browser_started_with_its_token() {
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
    let house = busy_house(json!({"auth": "required"}), &[tokens]).await;
    let (first, second) = (mint(&house, Some("kg_first")).await, mint(&house, Some("kg_first")).await);
    let at_studio = session(&start_by_token(&house, &first).await);
    let at_backup = session(&start_by_token(&house, &second).await);
    for (id, owner) in [(at_studio, "studio"), (at_backup, "backup")] {
        let foreign = stop(&house, &id, Some("kg_second")).await;
        foreign.is_refusal(403, "forbidden");
        foreign.says_anam("Forbidden", "does not belong to this client");
        stop(&house, &id, Some("kg_first")).await.is_providers("anam", 200, 1);
        assert_eq!(asked(&house).pop(), Some(("sessions.stop".to_owned(), owner.to_owned())));
    }
    assert_eq!(house.counts().anam.sessions_active, 0);
    house.close().await;
}

#[tokio::test]
async fn a_browser_needs_no_token_of_the_gateway_but_a_session_token_of_the_provider() {
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first");
    let house = busy_house(json!({"auth": "required"}), &[tokens]).await;
    let token = mint(&house, Some("kg_first")).await;
    start_by_token(&house, &token).await.is_providers("anam", 200, 1);

    let none = Answer::to(house.post(START, &persona())).await;
    none.is_refusal(401, "unauthenticated");
    none.says_anam("Missing or invalid API key", "");
    let minting = Answer::to(house.post(MINT, &persona()).bearer_auth(&token)).await;
    minting.is_refusal(401, "unauthenticated");
    let asked_so_far = house.counts().anam.requests;
    let forged = "eyJhbGciOiJIUzI1NiJ9.eyJhY2NvdW50SWQiOiJvcmciLCJ0eXBlIjoiZXBoZW1lcmFsIn0.c2ln";
    let refused = start_by_token(&house, forged).await;
    assert_eq!(refused.status, 401, "{refused:?}");
    assert_eq!(refused.json()["error"], "Invalid session token", "Anam's own words");
    assert_eq!(house.counts().anam.requests, asked_so_far + 1);
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_mint_abroad_that_fails_is_nothing_the_browser_hears_of() {
    use keygate_tests::sim::{AnamRow, Fault};
    for row in [AnamRow::InvalidApiKey, AnamRow::InvalidBody, AnamRow::ServerError, AnamRow::Forbidden] {
        let house = busy_house(json!({}), &[]).await;
        let (first, second) = (mint(&house, None).await, mint(&house, None).await);
        start_by_token(&house, &first).await.is_providers("anam", 200, 1);
        house.sim.script([Fault::anam(row).project("backup").always()]).expect("room");
        let refused = start_by_token(&house, &second).await;
        assert_eq!(refused.status, 429, "{row:?}: {refused:?}");
        assert_eq!(refused.json()["error"], "Concurrent session limit reached", "{row:?}");
        assert_eq!(house.counts().anam.by_operation["engineSession"], 2, "{row:?}");
        let expected = if row == AnamRow::InvalidApiKey { "disabled" } else { "available" };
        assert_eq!(house.anam().await.state("backup_1"), expected, "{row:?}");
        house.close().await;
    }
}

#[tokio::test]
async fn a_token_bound_to_a_persona_of_its_organisation_stays_there() {
    let house = busy_house(json!({}), &[]).await;
    let body = json!({"personaConfig": {"personaId": "11111111-1111-4111-8111-111111111111"}});
    let minted = Answer::to(house.post(MINT, &body)).await.json();
    let token = minted["sessionToken"].as_str().expect("a token");
    Answer::to(house.post(START, &persona())).await.is_providers("anam", 200, 1);
    let refused = start_by_token(&house, token).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.json()["error"], "Concurrent session limit reached");
    assert!(asked(&house).iter().all(|(_, of)| of == "studio"), "{:?}", asked(&house));
    house.close().await;
}

#[tokio::test]
async fn a_session_token_goes_out_as_it_came_and_is_written_down_nowhere() {
    let house = busy_house(json!({}), &[]).await;
    let token = mint(&house, None).await;
    let failures = [Action::ResetAfterHeaders, Action::Html502, Action::Close];
    house.sim.script(failures.map(|action| Fault::new(action).operation("engineSession"))).expect("room");
    for _ in 0..3 {
        assert_ne!(start_by_token(&house, &token).await.status, 200);
    }
    start_by_token(&house, "eyJh.eyJhY2NvdW50SWQiOiJhIiwidHlwZSI6ImIifQ.c2lnbmF0dXJl").await;
    let starts = house.sim.requests().into_iter().filter(|request| request.operation == "engineSession");
    let shown: Vec<String> =
        starts.flat_map(|request| request.credentials).map(|credential| credential.label).collect();
    assert_eq!(shown[..3], ["session token of studio", "session token of studio", "session token of studio"]);
    assert_eq!(shown[3], "unknown", "nobody's token is nobody's key");
    let log = house.gateway.stderr();
    let signature = token.rsplit('.').next().expect("a signature");
    assert!(log.contains("an attempt failed"), "{log}");
    for secret in [token.as_str(), signature, "c2lnbmF0dXJl"] {
        assert!(!log.contains(secret), "the log holds a session token: {log}");
    }
    house.close().await;
}
