//! Session starts whose answer was lost: what may run is looked for, ended, and takes its place until then.

use keygate_tests::sim::{Action, Fault, SimConfig, Simulator};
use keygate_tests::{eventually, time_lapse};
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::House;

const MINT: &str = "/anam/v1/auth/session-token";
const START: &str = "/anam/v1/engine/session";
/// How many times as fast as real ones the clocks of these stories are.
const SPEED: u32 = 5;

/// One organisation with so many places.
async fn house(places: u64) -> House {
    let config = SimConfig { speed: f64::from(SPEED), ..SimConfig::default() };
    let lapse = time_lapse(SPEED);
    let env: Vec<(&str, &str)> = lapse.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let anam = json!({
        "keys": [{"secret": "env:STUDIO_1", "label": "studio_1", "group": "studio"}],
        "budgets": {"default": {"concurrent": places}},
        "queue": {"max_wait": "0s"},
    });
    let limits = json!({"per_user": {"requests_per_minute": 10_000, "burst": 10_000}});
    let changes = json!({"providers": {"anam": anam}, "limits": limits});
    House::before(Simulator::start(config).expect("starts"), changes, &env).await
}

fn persona() -> Value {
    json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}, "clientLabel": "lab"})
}

async fn start(house: &House) -> Answer {
    Answer::to(house.post(START, &persona())).await
}

async fn mint(house: &House, body: &Value) -> String {
    let minted = Answer::to(house.post(MINT, body)).await.json();
    minted["sessionToken"].as_str().expect("a token").to_owned()
}

async fn start_by(house: &House, token: &str) -> Answer {
    Answer::to(house.post(START, &json!({"clientMetadata": {}})).bearer_auth(token)).await
}

/// The next start is served, but its answer does not arrive.
fn lose(house: &House, action: Action) {
    house.sim.script([Fault::new(action).operation("engineSession")]).expect("room");
}

/// How many sessions were started, run, and were stopped.
fn sessions(house: &House) -> (u64, u64, u64) {
    let counts = house.counts().anam;
    let stops = counts.by_operation.get("sessions.stop").copied().unwrap_or_default();
    (counts.sessions_started, counts.sessions_active, stops)
}

async fn becomes(house: &House, what: &str, expected: (u64, u64, u64)) {
    eventually(what, async || (sessions(house) == expected).then_some(())).await;
}

#[tokio::test]
async fn what_a_lost_start_opened_is_found_and_stopped_and_its_place_is_kept_until_then() {
    let house = house(1).await;
    lose(&house, Action::ResetAfterHeaders);
    start(&house).await.is_refusal(502, "upstream_unreachable");
    assert_eq!(sessions(&house), (1, 1, 0), "it runs, and nobody knows");
    let second = start(&house).await;
    second.is_refusal(429, "pool_exhausted");
    second.took("anam", 0);
    becomes(&house, "the session is stopped", (1, 0, 1)).await;
    eventually("its place is free", async || (start(&house).await.status == 200).then_some(())).await;
    assert_eq!(house.counts().anam.refused_429, 0, "no limit of the provider's was met");
    let label = house.sim.requests().into_iter().find(|seen| seen.operation == "engineSession");
    let sent: Value = serde_json::from_str(&label.expect("a start").body_start).expect("JSON");
    let label = sent["clientLabel"].as_str().expect("a label");
    assert!(label.starts_with("lab kg-"), "the caller's own comes first: {label}");
    house.close().await;
}

#[tokio::test]
async fn one_that_was_started_by_a_token_is_found_by_the_label_of_its_mint() {
    let house = house(10).await;
    let persona_of_its_own = json!({"personaConfig": {"personaId": "11111111-1111-4111-8111-111111111111"}});
    for (number, body) in [(1, persona()), (2, persona_of_its_own)] {
        let token = mint(&house, &body).await;
        lose(&house, Action::ResetAfterHeaders);
        start_by(&house, &token).await.is_refusal(502, "upstream_unreachable");
        becomes(&house, "the session is stopped", (number, 0, number)).await;
    }
    house.close().await;
}

#[tokio::test]
async fn another_start_by_the_same_token_is_not_taken_for_the_lost_one() {
    let house = house(10).await;
    let token = mint(&house, &persona()).await;
    lose(&house, Action::ResetAfterHeaders);
    start_by(&house, &token).await.is_refusal(502, "upstream_unreachable");
    let again = start_by(&house, &token).await;
    again.is_providers("anam", 200, 1);
    becomes(&house, "one of both is stopped", (2, 1, 1)).await;
    let path = format!("/anam/v1/sessions/{}", again.json()["sessionId"].as_str().expect("a session"));
    assert_eq!(Answer::to(house.get(&path)).await.json()["endTime"], Value::Null, "the other goes on");
    house.close().await;
}

#[tokio::test]
async fn a_lost_start_that_opened_nothing_gives_its_place_back() {
    let house = house(1).await;
    lose(&house, Action::Reset);
    start(&house).await.is_refusal(502, "upstream_unreachable");
    start(&house).await.is_refusal(429, "pool_exhausted");
    eventually("its place is free", async || (start(&house).await.status == 200).then_some(())).await;
    assert_eq!(sessions(&house), (1, 1, 0));
    house.close().await;
}

#[tokio::test]
async fn while_nobody_can_say_whether_it_runs_its_place_is_taken() {
    let house = house(1).await;
    lose(&house, Action::Reset);
    house.sim.script([Fault::new(Action::Html502).operation("sessions.list").always()]).expect("room");
    start(&house).await.is_refusal(502, "upstream_unreachable");
    eventually("it was looked for in vain", async || {
        house.gateway.stderr().contains("may have opened a session").then_some(())
    })
    .await;
    start(&house).await.is_refusal(429, "pool_exhausted");
    house.close().await;
}
