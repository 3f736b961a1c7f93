//! A token whose organisation is busy is minted anew elsewhere; when that fails, nobody hears of a call it never made.

use keygate_tests::sim::{AnamConfig, AnamKey, AnamOrganization, AnamRow, Fault, Population};
use keygate_tests::{eventually, simulator};
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::House;
use super::stalling::{Reply, Stalling, promising};
use super::wire::json_answer;

const MINT: &str = "/anam/v1/auth/session-token";
const START: &str = "/anam/v1/engine/session";

/// A studio that is asked first, and a backup.
fn keys() -> Value {
    json!({"strategy": "primary_backup", "keys": [
        {"secret": "env:STUDIO_1", "label": "studio_1", "group": "studio"},
        {"secret": "env:BACKUP_1", "label": "backup_1", "group": "backup", "role": "backup"},
    ]})
}

/// A house whose studio has no session to give.
async fn busy_house() -> House {
    let house = House::before(simulator(), json!({"providers": {"anam": keys()}}), &[]).await;
    let studio = AnamOrganization {
        keys: vec![AnamKey::new("sim-anam-studio-1")],
        concurrent_sessions: Some(0),
        ..AnamOrganization::named("studio")
    };
    let anam = AnamConfig { organizations: vec![studio] };
    house.sim.declare(Population { anam, ..Population::empty() }).expect("the organisation can be replaced");
    house
}

async fn mint(house: &House) -> String {
    let persona = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v", "llmId": "l"}});
    let answer = Answer::to(house.post(MINT, &persona)).await;
    answer.json()["sessionToken"].as_str().unwrap_or_else(|| panic!("no token: {answer:?}")).to_owned()
}

async fn start(house: &House, token: &str) -> Answer {
    Answer::to(house.post(START, &json!({})).bearer_auth(token)).await
}

#[tokio::test]
async fn while_home_rests_a_mint_abroad_that_is_refused_ends_in_the_wait_for_home() {
    for row in [AnamRow::Forbidden, AnamRow::InvalidBody, AnamRow::InvalidApiKey] {
        let house = busy_house().await;
        let (first, second) = (mint(&house).await, mint(&house).await);
        house.sim.script([Fault::anam(row).project("backup").always()]).expect("room");
        assert_eq!(start(&house, &first).await.status, 429);

        // Home rests from here on, so the first thing that is tried is the mint abroad.
        let refused = start(&house, &second).await;
        assert_eq!(refused.status, 429, "{row:?}: {refused:?}");
        refused.is_refusal(429, "pool_exhausted");
        refused.says_anam("Concurrent session limit reached", "All Anam API keys failed");
        assert!(refused.retry_after().is_some_and(|seconds| seconds >= 1), "{row:?}: {refused:?}");
        house.close().await;
    }
}

#[tokio::test]
async fn a_mint_abroad_whose_connection_breaks_does_not_hide_what_home_said() {
    use keygate_tests::sim::Action;
    for action in [Action::Reset, Action::Close] {
        let house = busy_house().await;
        let token = mint(&house).await;
        house.sim.script([Fault::new(action).project("backup").always()]).expect("room");
        let refused = start(&house, &token).await;
        assert_eq!(refused.status, 429, "{refused:?}");
        assert_eq!(refused.json()["error"], "Concurrent session limit reached");
        let sessions = house.counts().anam.by_operation.get("engineSession").copied();
        assert_eq!(sessions, Some(1), "abroad no session was asked for, at home but once");
        assert!(house.counts().anam.requests > 3, "the mint was made again");
        house.close().await;
    }
}

/// A provider whose backup answers a mint with a head and little else.
async fn stalls_abroad() -> (Stalling, House) {
    let upstream = Stalling::start(|number, request| match (number, request.contains("sim-anam-backup-1")) {
        (0, _) => Reply::Whole(json_answer(200, &json!({"sessionToken": token()}))),
        (_, false) => Reply::Whole(json_answer(429, &json!({"error": "Concurrent session limit reached"}))),
        (_, true) => Reply::Stall(promising(200, 1000, "{\"sessionToken\": \"")),
    })
    .await;
    let mut anam = keys();
    anam["timeout"] = json!("2s");
    anam["base_url"] = json!(upstream.url);
    let house = House::before(simulator(), json!({"providers": {"anam": anam}}), &[]).await;
    (upstream, house)
}

fn token() -> &'static str {
    "eyJhbGciOiJIUzI1NiJ9.eyJhY2NvdW50SWQiOiJvcmciLCJ0eXBlIjoiZXBoZW1lcmFsIn0.c2ln"
}

#[tokio::test]
async fn a_mint_abroad_that_stalls_ends_at_the_deadline() {
    let (upstream, house) = stalls_abroad().await;
    assert_eq!(mint(&house).await, token());
    let refused = start(&house, token()).await;
    assert_eq!(refused.status, 429, "what home said is still the best answer: {refused:?}");
    assert_eq!(refused.json()["error"], "Concurrent session limit reached");
    let again = start(&house, token()).await;
    assert!((400..600).contains(&again.status), "{again:?}");
    eventually("the provider is let go", async || (upstream.open() == 0).then_some(())).await;
    assert!(upstream.asked() >= 3);
    house.anam().await.balances();
    house.close().await;
}
