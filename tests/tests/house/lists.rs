//! Lists of what several projects keep, as one.

use std::collections::BTreeSet;

use keygate_tests::sim::{
    Action, Fault, GoogleKey, GoogleProject, GoogleRow, KeyState, Population, RunningSimulator,
    ScriptedAnswer,
};
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::{Answer, json_body};
use super::stage::{House, client, states};

pub(crate) const GAMMA: (&str, &str) = ("GAMMA_1", "sim-google-gamma-1");
/// The sum is that of `printf kg_files_only | sha256sum`.
const FILES_ONLY: &str = "fc6568717df25bbaa26d8e68b4b19c88ed9e319531eab3d46793c38056100f19";

/// Two projects and a third.
pub(crate) fn three_projects() -> RunningSimulator {
    let sim = simulator();
    let mut more = Population::empty();
    let keys = vec![GoogleKey::new(GAMMA.1)];
    more.google.projects = vec![GoogleProject { keys, ..GoogleProject::named("gamma") }];
    sim.declare(more).expect("a new project");
    sim
}

pub(crate) fn three_groups() -> Value {
    json!({"providers": {"google": {"keys": [
        {"secret": "env:ALPHA_1", "label": "alpha_1", "group": "alpha"},
        {"secret": "env:BETA_1", "label": "beta_1", "group": "beta"},
        {"secret": "env:GAMMA_1", "label": "gamma_1", "group": "gamma"},
    ]}}})
}

async fn house() -> House {
    House::before(three_projects(), three_groups(), &[GAMMA]).await
}

async fn register(house: &House) -> String {
    let made = Answer::to(house.post("/v1beta/files:register", &json!({"uris": ["gs://b/o"]}))).await;
    made.json()["files"][0]["name"].as_str().expect("a name").to_owned()
}

/// Follows the tokens to the end: the names on each page.
async fn pages(house: &House, path: &str, items: &str, token: Option<&str>) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = String::new();
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let request = house.get(&format!("{path}{separator}pageToken={next}"));
        let request = match token {
            Some(token) => request.header("x-goog-api-key", token),
            None => request,
        };
        let page = Answer::to(request).await;
        assert_eq!((page.status, page.header("x-keygate-incomplete")), (200, ""), "{page:?}");
        let page = page.json();
        let listed = page[items].as_array().cloned().unwrap_or_default();
        pages.push(
            listed.iter().filter_map(|item| Some(item["name"].as_str()?.to_owned())).collect::<Vec<_>>(),
        );
        page["nextPageToken"].as_str().unwrap_or_default().clone_into(&mut next);
        if next.is_empty() {
            return pages;
        }
        for group in ["alpha", "beta", "gamma"] {
            assert!(!next.contains(group), "a token names a group: {next}");
        }
    }
}

#[tokio::test]
async fn every_page_is_full_and_every_item_is_on_one() {
    let house = house().await;
    let mut made = BTreeSet::new();
    for _ in 0..8 {
        made.insert(register(&house).await);
    }
    for (size, sizes) in [(3, vec![3, 3, 2]), (4, vec![4, 4]), (8, vec![8]), (50, vec![8]), (1, vec![1; 8])] {
        let pages = pages(&house, &format!("/v1beta/files?pageSize={size}"), "files", None).await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "pages of {size}");
        let listed: Vec<String> = pages.concat();
        assert_eq!(listed.len(), made.len());
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), made, "pages of {size}");
    }
    let all = pages(&house, "/v1/files", "files", None).await;
    assert_eq!(all.concat().len(), 8);
    assert_eq!(pages(&house, "/v1/cachedContents", "cachedContents", None).await, [Vec::<String>::new()]);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn batches_stores_and_agents_are_listed_alike() {
    let house = house().await;
    let requests = json!([{"request": {"contents": [{"parts": [{"text": "x"}]}]}}]);
    let batch = json!({"batch": {"inputConfig": {"requests": {"requests": requests}}}});
    for number in 0..3 {
        let path = "/v1beta/models/gemini-2.5-flash:batchGenerateContent";
        Answer::to(house.post(path, &batch)).await.is_providers("google", 200, 1);
        Answer::to(house.post("/v1beta/fileSearchStores", &json!({}))).await.is_providers("google", 200, 1);
        let agent = json!({"id": format!("a{number}")});
        Answer::to(house.post("/v1/agents", &agent)).await.is_providers("google", 200, 1);
    }
    assert_eq!(pages(&house, "/v1beta/batches?pageSize=2", "operations", None).await.concat().len(), 3);
    let stores = pages(&house, "/v1beta/fileSearchStores", "fileSearchStores", None).await.concat();
    assert_eq!(stores.len(), 3);
    let agents = Answer::to(house.get("/v1/agents?page_size=2")).await.json();
    let rest = agents["next_page_token"].as_str().expect("there is more");
    let rest = Answer::to(house.get(&format!("/v1/agents?page_size=2&page_token={rest}"))).await.json();
    let ids = |page: &Value| page["agents"].as_array().expect("agents").len();
    assert_eq!((ids(&agents), ids(&rest), rest.get("next_page_token")), (2, 1, None));
    let documents = Answer::to(house.get(&format!("/v1beta/{}/documents", stores[0]))).await;
    documents.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn each_client_sees_what_it_made() {
    let mut changes = three_groups();
    changes["clients"] = json!({"auth": "required", "tokens": [
        {"name": "files", "scopes": ["files"], "sha256": FILES_ONLY},
    ]});
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
    let house = House::before(three_projects(), changes, &[GAMMA, tokens]).await;
    let register = async |token: &str| {
        let request = house.post("/v1beta/files:register", &json!({"uris": ["gs://b/o"]}));
        let made = Answer::to(request.header("x-goog-api-key", token)).await.json();
        made["files"][0]["name"].as_str().expect("a name").to_owned()
    };
    let mut made: Vec<(&str, BTreeSet<String>)> = Vec::new();
    for (token, count) in [("kg_first", 4), ("kg_second", 2), ("kg_files_only", 3)] {
        let mut names = BTreeSet::new();
        for _ in 0..count {
            names.insert(register(token).await);
        }
        made.push((token, names));
    }
    // Nobody's: made before there was a gateway.
    let target = format!("{}/v1beta/files:register", house.sim.google_url());
    let elsewhere = json_body(client().post(target), &json!({"uris": ["gs://b/o"]}));
    let elsewhere = Answer::to(elsewhere.header("x-goog-api-key", GAMMA.1)).await.json();
    let nobodys = elsewhere["files"][0]["name"].as_str().expect("a name").to_owned();
    for (token, mut own) in made {
        let pages = pages(&house, "/v1beta/files?pageSize=2", "files", Some(token)).await;
        assert!(pages.iter().all(|page| !page.is_empty()), "no page is empty: {pages:?}");
        if token != "kg_files_only" {
            // Whoever may manage things sees what nobody here made, too.
            own.insert(nobodys.clone());
        }
        assert_eq!(pages.concat().into_iter().collect::<BTreeSet<_>>(), own, "{token}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_group_that_cannot_be_asked_is_left_out_and_it_is_said() {
    let house = house().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(register(&house).await);
    }
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&[(GAMMA.1, invalid)])).expect("a known key");
    for _ in 0..2 {
        let list = Answer::to(house.get("/v1beta/files")).await;
        assert_eq!((list.status, list.header("x-keygate-incomplete")), (200, "1"), "{list:?}");
        assert_eq!(list.json()["files"].as_array().map(Vec::len), Some(2));
    }
    let all = [("sim-google-alpha-1", invalid), ("sim-google-beta-1", invalid)];
    house.sim.declare(states(&all)).expect("known keys");
    let nobody = Answer::to(house.get("/v1beta/files")).await;
    assert_eq!(nobody.status, 503, "{nobody:?}");
    house.close().await;
}

#[tokio::test]
async fn the_callers_mistake_and_a_foreign_token_are_told_at_once() {
    let house = house().await;
    let foreign = Answer::to(house.get("/v1beta/files?pageToken=of-another-place")).await;
    foreign.is_refusal(400, "bad_request");
    foreign.says_native("INVALID_ARGUMENT", "page token");
    let gone = Answer::to(house.get("/v1beta/files?pageToken=kg.0000000000000000.")).await;
    gone.is_refusal(400, "bad_request");
    assert_eq!(house.upstream_requests(), 0);
    house.close().await;
}

#[tokio::test]
async fn a_page_ends_where_it_becomes_too_large_whatever_its_size_was_to_be() {
    let house = house().await;
    let large = |project: &str| {
        let file = json!({"name": format!("files/{project}"), "displayName": "x".repeat(20 * 1024 * 1024)});
        let body = Some(json!({"files": [file]}));
        Fault::new(Action::Answer(ScriptedAnswer { body, ..ScriptedAnswer::default() })).project(project)
    };
    house.sim.script(["alpha", "beta", "gamma"].map(large).to_vec()).expect("room");
    let page = Answer::to(house.get("/v1beta/files?pageSize=1000000")).await;
    let page = page.json();
    assert_eq!(page["files"].as_array().map(Vec::len), Some(2), "not all of 60 MiB at once");
    assert!(page["nextPageToken"].as_str().is_some_and(|token| token.starts_with("kg.")));
    house.close().await;
}
