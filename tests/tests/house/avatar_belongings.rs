//! What organisations have that nobody here made: who looks at it teaches the gateway where it is.

use keygate_tests::sim::RunningSimulator;
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{House, client};

const MINT: &str = "/anam/v1/auth/session-token";
const START: &str = "/anam/v1/engine/session";

/// Two organisations, of which the studio is always asked first.
async fn house() -> House {
    let anam = json!({"strategy": "primary_backup", "keys": [
        {"secret": "env:STUDIO_1", "label": "studio_1", "group": "studio"},
        {"secret": "env:BACKUP_1", "label": "backup_1", "group": "backup", "role": "backup"},
    ]});
    House::before(simulator(), json!({"providers": {"anam": anam}}), &[]).await
}

/// Makes something without the gateway.
async fn made(sim: &RunningSimulator, path: &str, body: &Value) -> String {
    let request = client().post(format!("{}/v1/{path}", sim.anam_url())).bearer_auth("sim-anam-backup-1");
    let made = Answer::to(super::answer::json_body(request, body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["id"].as_str().expect("an id").to_owned()
}

async fn look(house: &House, path: &str) {
    let looked = house.get(&format!("/anam/v1/{path}")).header("x-keygate-group", "backup");
    Answer::to(looked).await.is_providers("anam", 200, 1);
}

/// Which organisations were asked for this since `before`.
fn asked(house: &House, operation: &str, before: usize) -> Vec<String> {
    let requests = house.sim.requests().into_iter().skip(before);
    let meant = requests.filter(|request| request.operation == operation);
    meant.map(|request| request.project.unwrap_or_default()).collect()
}

#[tokio::test]
async fn what_was_listed_or_looked_at_is_never_sent_under_anothers_key() {
    let house = house().await;
    let sim = &house.sim;
    let persona = made(sim, "personas", &json!({"name": "Desk"})).await;
    let tool = made(sim, "tools", &json!({"name": "t", "type": "CLIENT"})).await;
    let voice = made(sim, "voices", &json!({"name": "Eva"})).await;
    look(&house, "personas?perPage=100").await;
    look(&house, &format!("tools/{tool}")).await;
    look(&house, "voices").await;
    for body in [
        json!({"personaConfig": {"personaId": persona}}),
        json!({"personaConfig": {"name": "x", "toolIds": [tool]}}),
        json!({"personaConfig": {"name": "x", "voiceId": voice}}),
    ] {
        let before = house.sim.requests().len();
        let minted = Answer::to(house.post(MINT, &body)).await;
        minted.is_providers("anam", 200, 1);
        Answer::to(house.post(START, &body)).await.is_providers("anam", 200, 1);
        let token = minted.json()["sessionToken"].as_str().expect("a token").to_owned();
        Answer::to(house.post(START, &json!({})).bearer_auth(token)).await.is_providers("anam", 200, 1);
        assert_eq!(asked(&house, "sessionToken", before), ["backup"], "{body}");
        assert_eq!(asked(&house, "engineSession", before), ["backup", "backup"], "{body}");
    }
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn what_is_everybodys_goes_on_to_whoever_comes_first() {
    let house = house().await;
    for path in ["personas", "avatars", "voices", "llms"] {
        look(&house, path).await;
    }
    let stock = json!({
        "avatarId": "071b0286-4cce-4808-bee2-e642f1062de3",
        "voiceId": "de23e340-1416-4dd8-977d-065a7ca11697",
        "llmId": "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7",
    });
    for persona in [stock, json!({"personaId": "11111111-1111-4111-8111-111111111111"})] {
        let before = house.sim.requests().len();
        Answer::to(house.post(START, &json!({"personaConfig": persona}))).await.is_providers("anam", 200, 1);
        assert_eq!(asked(&house, "engineSession", before), ["studio"], "{persona}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_session_that_was_started_elsewhere_is_stopped_where_it_runs() {
    let house = house().await;
    let body = json!({"personaConfig": {"name": "Ada"}});
    let request = client().post(format!("{}/v1/engine/session", house.sim.anam_url()));
    let started = Answer::to(super::answer::json_body(request.bearer_auth("sim-anam-backup-1"), &body)).await;
    let id = started.json()["sessionId"].as_str().expect("a session").to_owned();
    look(&house, "sessions").await;
    let stop = house.post(&format!("/anam/v1/sessions/{id}/stop"), &json!({}));
    Answer::to(stop).await.is_providers("anam", 200, 1);
    assert_eq!(house.counts().anam.sessions_active, 0);
    house.close().await;
}

#[tokio::test]
async fn what_is_deleted_is_forgotten() {
    let house = house().await;
    let tool = made(&house.sim, "tools", &json!({"name": "t", "type": "CLIENT"})).await;
    look(&house, "tools").await;
    let path = format!("/anam/v1/tools/{tool}");
    let deleted = Answer::to(client().delete(house.gateway.url(&path))).await;
    deleted.is_providers("anam", 204, 1);
    // Where it was is nobody's knowledge any more, so that it has to be said.
    Answer::to(house.get(&path)).await.is_refusal(400, "bad_request");
    house.close().await;
}
