//! What a project owns is asked of that project, and of nobody else.

use keygate_tests::sim::{GoogleRow, KeyState};
use keygate_tests::{eventually, simulator};
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{Answer, json_body};
use super::database::{bytes, holds};
use super::stage::{FLASH, House, client, generate_path, states};

const ALPHA: [&str; 2] = ["alpha_1", "alpha_2"];

/// Makes a cache of `group`: with three keys in turn, one of three is enough.
async fn cache_in(house: &House, group: &str) -> String {
    made_in(house, group, "/v1beta/cachedContents", &cache(), "/name").await
}

async fn file_in(house: &House, group: &str) -> String {
    made_in(house, group, "/v1beta/files:register", &json!({"uris": ["gs://b/o"]}), "/files/0/name").await
}

fn cache() -> Value {
    json!({"model": format!("models/{FLASH}"), "contents": [{"role": "user", "parts": [{"text": "long"}]}], "ttl": "600s"})
}

async fn made_in(house: &House, group: &str, path: &str, body: &Value, name: &str) -> String {
    for _ in 0..4 {
        let answer = Answer::to(house.post(path, body)).await;
        answer.is_providers("google", 200, 1);
        if group_of(house, &answer).await == group {
            return answer.json().pointer(name).and_then(Value::as_str).expect("a name").to_owned();
        }
    }
    panic!("none of four creations went to {group}");
}

/// The group of the key that served.
async fn group_of(house: &House, answer: &Answer) -> &'static str {
    let pool = house.pool_now("google").await;
    if ALPHA.iter().any(|label| pool.id(label) == answer.header("x-keygate-key")) { "alpha" } else { "beta" }
}

fn with_cache(name: &str) -> Value {
    json!({"contents": [{"parts": [{"text": "hello"}]}], "cachedContent": name})
}

fn with_files(names: &[&str]) -> Value {
    let part = |name: &&str| json!({"file_data": {"file_uri": format!("https://generativelanguage.googleapis.com/v1beta/{name}")}});
    let parts: Vec<Value> = names.iter().map(part).chain([json!({"text": "read"})]).collect();
    json!({"contents": [{"parts": parts}]})
}

async fn asked(house: &House, body: &Value) -> Answer {
    Answer::to(house.post(&generate_path(FLASH), body)).await
}

#[tokio::test]
async fn a_cache_and_a_file_are_used_where_they_were_made() {
    let house = House::open(json!({})).await;
    for group in ["beta", "alpha"] {
        let (cache, file) = (cache_in(&house, group).await, file_in(&house, group).await);
        for body in [with_cache(&cache), with_files(&[&file]), with_cache(&cache), with_files(&[&file])] {
            let answer = asked(&house, &body).await;
            answer.is_providers("google", 200, 1);
            assert_eq!(group_of(&house, &answer).await, group);
        }
        let read = Answer::to(house.get(&format!("/google/v1/{file}"))).await;
        read.is_providers("google", 200, 1);
        assert_eq!(read.json()["name"], file);
    }
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_sibling_key_serves_what_a_dead_key_made() {
    let house = House::open(json!({})).await;
    let cache = cache_in(&house, "alpha").await;
    let of_beta = house.asked("sim-google-beta-1");
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&[("sim-google-alpha-1", invalid)])).expect("a known key");
    for _ in 0..3 {
        let answer = asked(&house, &with_cache(&cache)).await;
        assert_eq!((answer.status, group_of(&house, &answer).await), (200, "alpha"), "{answer:?}");
    }
    house.sim.declare(states(&[("sim-google-alpha-2", invalid)])).expect("a known key");
    let nobody = asked(&house, &with_cache(&cache)).await;
    assert_eq!(nobody.status, 503, "{nobody:?}");
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    assert_eq!(house.asked("sim-google-beta-1"), of_beta + 1, "it was never asked for the cache");
    house.close().await;
}

#[tokio::test]
async fn things_of_two_projects_are_a_conflict_that_names_both() {
    let house = House::open(json!({})).await;
    let (file, cache) = (file_in(&house, "alpha").await, cache_in(&house, "beta").await);
    let before = house.upstream_requests();
    let mut body = with_files(&[&file]);
    body["cachedContent"] = json!(cache);
    let conflict = asked(&house, &body).await;
    conflict.is_refusal(409, "affinity_conflict");
    conflict.says_native("FAILED_PRECONDITION", &file);
    conflict.says_native("FAILED_PRECONDITION", &cache);
    assert_eq!(house.upstream_requests(), before, "nobody was asked");
    house.close().await;
}

#[tokio::test]
async fn words_that_only_look_like_a_name_bind_nobody() {
    let house = House::open(json!({})).await;
    let (file, cache) = (file_in(&house, "alpha").await, cache_in(&house, "beta").await);
    let text = json!({"fileUri": file, "cachedContent": cache}).to_string();
    let parts = json!([{"text": text}, {"text": file}, {"text": cache}]);
    let calls = json!([{"functionCall": {"name": "f", "args": {"fileUri": file, "cachedContent": cache}}}]);
    let body = json!({"contents": [{"role": "user", "parts": parts}, {"role": "model", "parts": calls}]});
    asked(&house, &body).await.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn another_client_is_refused() {
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
    let house = House::before(simulator(), json!({"clients": {"auth": "required"}}), &[tokens]).await;
    let first = |request: reqwest::RequestBuilder| Answer::to(request.header("x-goog-api-key", "kg_first"));
    let second = |request: reqwest::RequestBuilder| Answer::to(request.header("x-goog-api-key", "kg_second"));
    let made = first(house.post("/v1beta/cachedContents", &cache())).await;
    let name = made.json()["name"].as_str().expect("a name").to_owned();
    let path = format!("/v1beta/{name}");
    first(house.get(&path)).await.is_providers("google", 200, 1);
    let requests = [
        house.get(&path),
        client().delete(house.gateway.url(&path)),
        json_body(client().patch(house.gateway.url(&path)), &json!({"ttl": "1s"})),
        house.post(&generate_path(FLASH), &with_cache(&name)),
        // Written so that no plain search finds it.
        house.post(&generate_path(FLASH), &json!({})).body(format!(
            r#"{{"contents":[{{"parts":[{{"text":"x"}}]}}],"cached\u0043ontent":"{}"}}"#,
            name.replace('c', "\\u0063")
        )),
    ];
    let before = house.upstream_requests();
    for request in requests {
        let refused = second(request).await;
        refused.is_refusal(403, "forbidden");
        refused.says_native("PERMISSION_DENIED", &name);
    }
    assert_eq!(house.upstream_requests(), before, "nobody was asked");
    first(house.get(&path)).await.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn who_owns_what_survives_a_kill() {
    let house = House::open(json!({})).await;
    let cache = cache_in(&house, "beta").await;
    let file = file_in(&house, "alpha").await;
    eventually("what was made is written", async || {
        let written = bytes(house.gateway.home());
        (written.contains(&cache) && written.contains(&file)).then_some(())
    })
    .await;
    let house = house.killed().await;
    for _ in 0..3 {
        let answer = asked(&house, &with_cache(&cache)).await;
        answer.is_providers("google", 200, 1);
        assert_eq!(group_of(&house, &answer).await, "beta");
        let answer = asked(&house, &with_files(&[&file])).await;
        answer.is_providers("google", 200, 1);
        assert_eq!(group_of(&house, &answer).await, "alpha");
    }
    house.close().await;
}

#[tokio::test]
async fn what_is_deleted_is_forgotten() {
    let house = House::open(json!({})).await;
    let file = file_in(&house, "beta").await;
    let path = format!("/v1beta/{file}");
    let made = i64::try_from(house.upstream_requests()).expect("a few");
    holds(house.gateway.home(), "binding", made).await;
    let gone = Answer::to(client().delete(house.gateway.url(&path))).await;
    gone.is_providers("google", 200, 1);
    holds(house.gateway.home(), "binding", made - 1).await;
    let missing = Answer::to(house.get(&path)).await;
    missing.is_providers("google", 403, 2);
    missing.says_native("PERMISSION_DENIED", "or it may not exist");
    house.google().await.blames_nobody();
    house.close().await;
}

/// Made by somebody else, or before there was a gateway.
async fn made_elsewhere(house: &House, key: &str) -> String {
    let target = format!("{}/v1beta/files:register", house.sim.google_url());
    let request = json_body(client().post(target), &json!({"uris": ["gs://b/o"]}));
    let made = Answer::to(request.header("x-goog-api-key", key)).await.json();
    made["files"][0]["name"].as_str().expect("a name").to_owned()
}

#[tokio::test]
async fn what_nobody_here_made_is_looked_for_once() {
    let house = House::open(json!({})).await;
    for key in ["sim-google-beta-1", "sim-google-alpha-1"] {
        let (read, used) = (made_elsewhere(&house, key).await, made_elsewhere(&house, key).await);
        let path = format!("/v1beta/{read}");
        let first = Answer::to(house.get(&path)).await;
        assert_eq!(first.status, 200, "{first:?}");
        for _ in 0..3 {
            Answer::to(house.get(&path)).await.is_providers("google", 200, 1);
            asked(&house, &with_files(&[&read])).await.is_providers("google", 200, 1);
        }
        let first = asked(&house, &with_files(&[&used])).await;
        assert_eq!(first.status, 200, "{first:?}");
        for _ in 0..3 {
            asked(&house, &with_files(&[&used])).await.is_providers("google", 200, 1);
        }
    }
    let nowhere = asked(&house, &with_files(&["files/nowhere"])).await;
    nowhere.is_providers("google", 403, 2);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn a_creation_is_not_tried_out() {
    let house = House::open(json!({})).await;
    let mut body = cache();
    body["contents"] = with_files(&["files/nowhere"])["contents"].clone();
    for _ in 0..3 {
        Answer::to(house.post("/v1beta/cachedContents", &body)).await.is_providers("google", 403, 1);
    }
    house.close().await;
}

#[tokio::test]
async fn a_batch_and_what_it_leaves_behind_are_its_projects() {
    let house = House::open(json!({})).await;
    for group in ["beta", "alpha"] {
        let file = file_in(&house, group).await;
        let path = format!("/v1beta/models/{FLASH}:batchGenerateContent");
        let batch = json!({"batch": {"displayName": "b", "inputConfig": {"fileName": file}}});
        let made = Answer::to(house.post(&path, &batch)).await;
        made.is_providers("google", 200, 1);
        assert_eq!(group_of(&house, &made).await, group, "where its input is");
        let name = made.json()["name"].as_str().expect("a name").to_owned();
        let done = Answer::to(house.get(&format!("/v1beta/{name}"))).await;
        done.is_providers("google", 200, 1);
        let result = done.json()["response"]["responsesFile"].as_str().expect("a file").to_owned();
        for _ in 0..3 {
            Answer::to(house.get(&format!("/v1beta/{result}"))).await.is_providers("google", 200, 1);
        }
        let cancelled = Answer::to(house.post(&format!("/v1beta/{name}:cancel"), &json!({}))).await;
        cancelled.is_providers("google", 200, 1);
    }
    house.close().await;
}

#[tokio::test]
async fn stores_models_agents_and_what_is_to_come_stay_with_their_project() {
    let house = House::open(json!({})).await;
    let stores = [
        ("/v1beta/fileSearchStores", json!({"displayName": "s"}), "name"),
        ("/v1beta/tunedModels?tunedModelId=mine", json!({"displayName": "m"}), "/metadata/tunedModel"),
        ("/v1beta/corpora", json!({"displayName": "c"}), "name"),
        ("/v1/agents", json!({"id": "mine"}), "id"),
        ("/v1/environments", json!({}), "id"),
        ("/v1/triggers", json!({"schedule": "0 * * * *"}), "id"),
        ("/v1/futures", json!({}), "name"),
    ];
    for (path, body, name) in stores {
        let made = Answer::to(house.post(path, &body)).await;
        made.is_providers("google", 200, 1);
        let home = group_of(&house, &made).await;
        let pointer = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
        let name = made.json().pointer(&pointer).and_then(Value::as_str).expect("a name").to_owned();
        let collection = path.split('?').next().unwrap_or_default();
        let item = format!("{collection}/{}", name.rsplit('/').next().unwrap_or_default());
        for method in [Method::GET, Method::PATCH, Method::GET, Method::PATCH, Method::DELETE] {
            let request = client().request(method.clone(), house.gateway.url(&item));
            let request =
                if method == Method::PATCH { json_body(request, &json!({"note": 1})) } else { request };
            let answer = Answer::to(request).await;
            answer.is_providers("google", 200, 1);
            assert_eq!(group_of(&house, &answer).await, home, "{method} {item}");
        }
    }
    house.google().await.blames_nobody();
    house.close().await;
}
