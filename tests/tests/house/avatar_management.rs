//! What Anam's organisations keep, and the gateway's own route for avatars.

use keygate_tests::sim::{AnamRow, Fault};
use keygate_tests::simulator;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::answer::{Answer, json_body};
use super::stage::{House, client};

const START: &str = "/anam/v1/engine/session";
const SESSION: &str = "/api/v1/avatar/session";

async fn house(anam: Value) -> House {
    let limits = json!({"per_user": {"requests_per_minute": 100, "burst": 100}});
    let changes = json!({"clients": {"auth": "required"}, "limits": limits, "providers": {"anam": anam}});
    House::before(simulator(), changes, &[("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second")]).await
}

fn of_first(request: RequestBuilder) -> RequestBuilder {
    request.bearer_auth("kg_first")
}

/// Who was asked last, and for what.
fn asked(house: &House) -> (String, String) {
    let last = house.sim.requests().pop().expect("a request");
    (last.operation, last.project.unwrap_or_default())
}

fn pair(operation: &str, organization: &str) -> (String, String) {
    (operation.to_owned(), organization.to_owned())
}

#[tokio::test]
async fn what_is_kept_goes_to_the_organisation_that_is_named_and_stays_with_it() {
    let house = house(json!({})).await;
    let undecided = Answer::to(of_first(house.get("/anam/v1/personas"))).await;
    undecided.is_refusal(400, "bad_request");
    undecided.says_anam("Bad request", "X-Keygate-Group");
    let unknown = of_first(house.get("/anam/v1/personas")).header("x-keygate-group", "third");
    Answer::to(unknown).await.is_refusal(404, "not_found");
    assert_eq!(house.counts().anam.requests, 0);

    let created = of_first(house.post("/anam/v1/personas", &json!({"name": "Desk"})));
    let created = Answer::to(created.header("x-keygate-group", "backup")).await;
    created.is_providers("anam", 201, 1);
    assert_eq!(asked(&house), pair("personas.create", "backup"));
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/anam/v1/personas/{id}");
    Answer::to(of_first(house.get(&path))).await.is_providers("anam", 200, 1);
    assert_eq!(asked(&house), pair("personas.get", "backup"), "its owner is known");
    let changed = json_body(client().put(house.gateway.url(&path)), &json!({"name": "Door"}));
    assert_eq!(Answer::to(of_first(changed)).await.json()["name"], "Door");

    let elsewhere = of_first(house.get(&path)).header("x-keygate-group", "studio");
    Answer::to(elsewhere).await.is_refusal(409, "affinity_conflict");
    let of_another = house.get(&path).bearer_auth("kg_second");
    Answer::to(of_another).await.is_refusal(403, "forbidden");

    let start = of_first(house.post(START, &json!({"personaConfig": {"personaId": id}})));
    Answer::to(start).await.is_providers("anam", 200, 1);
    assert_eq!(asked(&house), pair("engineSession", "backup"));
    let deleted = of_first(client().delete(house.gateway.url(&path)));
    Answer::to(deleted).await.is_providers("anam", 200, 1);
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn everything_else_that_is_kept_takes_the_same_way() {
    let house = house(json!({"management_group": "backup"})).await;
    for (path, body) in [
        ("/anam/v1/avatars", json!({"displayName": "Eva", "imageUrl": "https://x/y.png"})),
        ("/anam/v1/voices", json!({"name": "Eva"})),
        ("/anam/v1/llms", json!({"displayName": "own", "secret": "s"})),
        ("/anam/v1/tools", json!({"name": "t", "type": "CLIENT"})),
        ("/anam/v1/knowledge/groups", json!({"name": "k"})),
        ("/anam/v1/share-links", json!({"usageLimit": 1})),
        ("/anam/v1/meetings/invites", json!({"meetingUrl": "https://meet.example/a"})),
    ] {
        let created = Answer::to(of_first(house.post(path, &body))).await;
        created.is_providers("anam", 201, 1);
        assert_eq!(asked(&house).1, "backup", "{path}");
        let id = created.json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(Answer::to(of_first(house.get(path))).await.status, 200, "{path}");
        let item = format!("{path}/{id}");
        assert_eq!(Answer::to(of_first(house.get(&item))).await.json()["id"], id.as_str());
        let deleted = Answer::to(of_first(client().delete(house.gateway.url(&item)))).await;
        assert!(matches!(deleted.status, 200 | 204), "{path}: {deleted:?}");
    }
    house.anam().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn documents_are_uploaded_in_every_way_there_is() {
    let house = house(json!({"management_group": "backup"})).await;
    let group =
        Answer::to(of_first(house.post("/anam/v1/knowledge/groups", &json!({"name": "k"})))).await.json();
    let group = group["id"].as_str().expect("an id");
    let path = format!("/anam/v1/knowledge/groups/{group}/documents");
    let form =
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let uploading = || {
        let request = client().post(house.gateway.url(&path)).body(form);
        request.header("content-type", "multipart/form-data; boundary=b")
    };
    let by_client = Answer::to(of_first(uploading())).await;
    by_client.is_providers("anam", 201, 1);
    assert_eq!(by_client.json()["uploadedBytes"], form.len());
    let by_token = Answer::to(uploading().header("x-upload-token", format!("upload-{group}"))).await;
    by_token.is_providers("anam", 201, 1);
    Answer::to(uploading()).await.is_refusal(401, "unauthenticated");

    let place =
        Answer::to(of_first(house.post(&format!("{path}/presigned-upload"), &json!({})))).await.json();
    let document = format!("/anam/v1/knowledge/documents/{}", place["documentId"].as_str().expect("an id"));
    let confirmed = of_first(house.post(&format!("{document}/confirm-upload"), &json!({})));
    Answer::to(confirmed).await.is_providers("anam", 200, 1);
    let download = Answer::to(of_first(house.get(&format!("{document}/download")))).await.json();
    assert!(download["downloadUrl"].as_str().is_some_and(|url| url.starts_with("https://storage.example/")));
    let listed = Answer::to(of_first(house.get(&path))).await.json();
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "a bare array: {listed}");
    let found =
        of_first(house.post(&format!("/anam/v1/knowledge/groups/{group}/search"), &json!({"query": "q"})));
    assert_eq!(Answer::to(found).await.json(), json!([]));

    let voice =
        Answer::to(of_first(house.post("/anam/v1/voices/presigned-upload", &json!({"filename": "a.wav"}))))
            .await;
    let made = json!({"name": "Eva", "audioKey": voice.json()["audioKey"]});
    let made = of_first(house.post("/anam/v1/voices", &made));
    Answer::to(made).await.is_providers("anam", 201, 1);
    house.close().await;
}

#[tokio::test]
async fn sessions_are_looked_at_where_they_run() {
    let house = house(json!({"strategy": "primary_backup"})).await;
    let body = json!({"personaConfig": {"name": "Ada"}});
    let started = of_first(house.post(START, &body)).header("x-keygate-group", "backup");
    let id = Answer::to(started).await.json()["sessionId"].as_str().expect("a session").to_owned();
    for (below, operation) in [
        ("", "sessions.get"),
        ("/transcript", "sessions.transcript"),
        ("/recording", "sessions.recording"),
        ("/analytics", "session.analytics"),
    ] {
        let answer = Answer::to(of_first(house.get(&format!("/anam/v1/sessions/{id}{below}")))).await;
        answer.is_providers("anam", 200, 1);
        assert_eq!(asked(&house), pair(operation, "backup"));
    }
    let listed =
        of_first(house.get("/anam/v1/sessions?page=1&perPage=5")).header("x-keygate-group", "backup");
    assert_eq!(Answer::to(listed).await.json()["meta"]["total"], 1);
    let killed = of_first(house.post(&format!("/anam/v1/engine/session/{id}/kill"), &json!({})));
    Answer::to(killed).await.is_providers("anam", 200, 1);
    assert_eq!(house.counts().anam.sessions_active, 0);
    house.close().await;
}

/// The id of the persona that the simulator gives each organisation.
async fn own_persona(house: &House, key: &str) -> String {
    let listed =
        client().get(format!("{}/v1/personas?search=Persona", house.sim.anam_url())).bearer_auth(key);
    Answer::to(listed).await.json()["data"][0]["id"].as_str().expect("a persona").to_owned()
}

#[tokio::test]
async fn a_persona_by_one_name_starts_wherever_there_is_room() {
    // The ids follow from the names of the organisations, so that another simulator has the same.
    let first = house(json!({})).await;
    let studio = own_persona(&first, "sim-anam-studio-1").await;
    let backup = own_persona(&first, "sim-anam-backup-1").await;
    first.close().await;
    assert_ne!(studio, backup);

    let personas = json!({"receptionist": {"studio": studio, "backup": backup}});
    let keys = json!([
        {"secret": "env:STUDIO_1", "label": "studio_1", "group": "studio"},
        {"secret": "env:BACKUP_1", "label": "backup_1", "group": "backup", "role": "backup"},
    ]);
    let budgets = json!({"default": {"concurrent": 1}});
    let anam = json!({"personas": personas, "keys": keys, "strategy": "primary_backup", "budgets": budgets});
    let house = house(anam).await;
    let body = json!({"personaConfig": {"personaId": "receptionist"}});
    let minted = Answer::to(of_first(house.post("/anam/v1/auth/session-token", &body))).await;
    minted.is_providers("anam", 200, 1);
    assert_eq!(asked(&house), pair("sessionToken", "studio"));
    let start = Answer::to(of_first(house.post(START, &body))).await;
    start.is_providers("anam", 200, 1);
    assert_eq!(asked(&house), pair("engineSession", "studio"));

    // The studio has no room any more: the token, which is the studio's, is made anew in the backup.
    let token = minted.json()["sessionToken"].as_str().expect("a token").to_owned();
    let started = Answer::to(house.post(START, &json!({"clientMetadata": {}})).bearer_auth(token)).await;
    started.is_providers("anam", 200, 1);
    assert_eq!(asked(&house), pair("engineSession", "backup"));
    let mint = house.sim.requests().into_iter().rfind(|request| request.operation == "sessionToken");
    let mint = mint.expect("a mint");
    assert!(mint.body_start.contains(&backup), "{mint:?}");
    house.close().await;
}

#[tokio::test]
async fn a_page_gets_its_token_in_the_gateways_own_words() {
    let house = house(json!({})).await;
    let wish = json!({"persona": {"name": "Ada", "avatarId": "a"}, "client_label": "desk", "user_id": "ann"});
    let answer = Answer::to(of_first(house.post(SESSION, &wish))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.took("anam", 1);
    let body = answer.json();
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    let token = body["sessionToken"].as_str().expect("a token");
    let mint = house.sim.requests().pop().expect("a request");
    let sent: Value = serde_json::from_str(&mint.body_start).expect("JSON");
    assert_eq!(sent["personaConfig"], json!({"name": "Ada", "avatarId": "a"}));
    let label = sent["clientLabel"].as_str().expect("a label");
    assert!(label.starts_with("desk kg-"), "what the gateway finds it by comes behind: {label}");
    let start = house.post(START, &json!({"clientMetadata": {}})).bearer_auth(token);
    Answer::to(start).await.is_providers("anam", 200, 1);

    for (wish, detail) in [(json!({}), "which avatar"), (json!([]), "which avatar")] {
        let refused = Answer::to(of_first(house.post(SESSION, &wish))).await;
        refused.is_refusal(400, "bad_request");
        let body = refused.json();
        assert!(body["detail"].as_str().is_some_and(|told| told.contains(detail)), "{body}");
        assert_eq!(body["detail"], body["message"]);
    }
    Answer::to(house.post(SESSION, &wish)).await.is_refusal(401, "unauthenticated");
    Answer::to(of_first(house.get(SESSION))).await.is_refusal(405, "method_not_allowed");
    house.close().await;
}

#[tokio::test]
async fn a_page_that_gets_none_can_tell_its_user_why() {
    let house = house(json!({})).await;
    let wish = json!({"persona_id": "11111111-1111-4111-8111-111111111111"});
    let asking = |language: &str| of_first(house.post(SESSION, &wish)).header("accept-language", language);
    let invalid = of_first(house.post(SESSION, &json!({"persona": {"name": "x"}, "expires_in": "5y"})));
    let invalid = Answer::to(invalid).await;
    assert_eq!((invalid.status, invalid.json()["detail"].as_str()), (400, Some("Invalid request body")));
    assert!(invalid.json()["details"]["expiresIn"].is_object(), "{invalid:?}");

    let row = Fault::anam(AnamRow::UsageLimit).operation("sessionToken").always();
    house.sim.script([row]).expect("room");
    let refused = Answer::to(asking("fr")).await;
    refused.is_refusal(503, "pool_exhausted");
    let body = refused.json();
    assert_eq!(body["detail"], "All Anam API keys failed. Last error: Quota exhausted");
    assert_eq!(body["message"], "All Anam API keys exhausted. Please try again later.");
    assert!(refused.retry_after().is_some_and(|seconds| seconds > 0), "{refused:?}");
    let indonesian = Answer::to(asking("id-ID,id;q=0.9")).await.json();
    assert!(indonesian["message"].as_str().is_some_and(|text| text.contains("Silakan")), "{indonesian}");
    house.close().await;
}
