//! Batches, operations, stores, tuned models and whatever else a project keeps.

use keygate_simulator::RunningSimulator;
use serde_json::json;

use crate::client::{KEY, Reply, google, standing};

const SIBLING: &str = "sim-google-alpha-2";
const FOREIGN: &str = "sim-google-beta-1";

fn posted(simulator: &RunningSimulator, path: &str, body: &serde_json::Value) -> Reply {
    let reply = google(simulator, KEY, "POST", path, &body.to_string());
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

fn is_forbidden(reply: &Reply) {
    let message = reply.at("/error/message");
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(message.starts_with("You do not have permission to access the "), "{message}");
    assert!(message.ends_with("or it may not exist."), "{message}");
}

fn registered(simulator: &RunningSimulator) -> String {
    posted(simulator, "/v1/files:register", &json!({"uris": ["gs://bucket/notes.txt"]})).at("/files/0/name")
}

#[test]
fn a_batch_is_its_projects_and_done_when_looked_at() {
    let simulator = standing();
    let requests =
        json!([{"request": {"contents": [{"parts": [{"text": "hello"}]}]}, "metadata": {"key": "a"}}]);
    let batch = json!({"batch": {"displayName": "b", "inputConfig": {"requests": {"requests": requests}}}});
    let created = posted(&simulator, "/v1beta/models/gemini-2.5-flash:batchGenerateContent", &batch);
    let path = format!("/v1beta/{}", created.at("/name"));
    assert_eq!(created.at("/metadata/state"), "BATCH_STATE_PENDING");
    let done = google(&simulator, SIBLING, "GET", &path, "");
    assert_eq!(done.at("/metadata/state"), "BATCH_STATE_SUCCEEDED");
    let said = "/response/inlinedResponses/inlinedResponses/0/response/candidates/0/content/parts/0/text";
    assert_eq!(done.at(said), "You said: hello");
    is_forbidden(&google(&simulator, FOREIGN, "GET", &path, ""));
    is_forbidden(&google(&simulator, FOREIGN, "POST", &format!("{path}:cancel"), "{}"));
    assert_eq!(
        google(&simulator, KEY, "GET", "/v1/batches", "").at("/operations/0/name"),
        created.at("/name")
    );
    assert_eq!(google(&simulator, FOREIGN, "GET", "/v1/batches", "").text(), "{}");
    assert_eq!(google(&simulator, KEY, "DELETE", &path, "").status, 200);
    is_forbidden(&google(&simulator, KEY, "GET", &path, ""));
}

#[test]
fn a_batch_of_a_file_leaves_a_file() {
    let simulator = standing();
    let file = registered(&simulator);
    let batch = json!({"batch": {"input_config": {"file_name": file}}});
    let target = "/v1beta/models/gemini-2.5-flash:batchGenerateContent";
    is_forbidden(&google(&simulator, FOREIGN, "POST", target, &batch.to_string()));
    let name = posted(&simulator, target, &batch).at("/name");
    let result = google(&simulator, KEY, "GET", &format!("/v1/{name}"), "").at("/response/responsesFile");
    assert_eq!(google(&simulator, SIBLING, "GET", &format!("/v1/{result}"), "").at("/state"), "ACTIVE");
    is_forbidden(&google(&simulator, FOREIGN, "GET", &format!("/v1/{result}"), ""));
}

#[test]
fn a_video_is_an_operation_of_its_project() {
    let simulator = standing();
    let target = "/v1beta/models/gemini-2.5-flash:predictLongRunning";
    let name = posted(&simulator, target, &json!({"instances": [{"prompt": "a cat"}]})).at("/name");
    let done = google(&simulator, KEY, "GET", &format!("/v1beta/{name}"), "");
    let uri = done.at("/response/generateVideoResponse/generatedSamples/0/video/uri");
    assert!(uri.starts_with(simulator.google_url()) && uri.ends_with(":download?alt=media"), "{uri}");
    is_forbidden(&google(&simulator, FOREIGN, "GET", &format!("/v1beta/{name}"), ""));
}

#[test]
fn a_store_holds_documents_and_is_searched_by_its_project() {
    let simulator = standing();
    let file = registered(&simulator);
    let store =
        posted(&simulator, "/v1beta/fileSearchStores", &json!({"displayName": "My Store"})).at("/name");
    assert!(store.starts_with("fileSearchStores/mystore-"), "{store}");
    let imported = posted(&simulator, &format!("/v1beta/{store}:importFile"), &json!({"fileName": file}));
    let operation = google(&simulator, KEY, "GET", &format!("/v1beta/{}", imported.at("/name")), "");
    let document = operation.at("/response/documentName");
    assert_eq!(google(&simulator, KEY, "GET", &format!("/v1beta/{document}"), "").at("/name"), document);
    let documents = google(&simulator, KEY, "GET", &format!("/v1beta/{store}/documents"), "");
    assert_eq!(documents.at("/documents/0/name"), document);
    is_forbidden(&google(&simulator, FOREIGN, "GET", &format!("/v1beta/{store}/documents"), ""));

    let tools = json!([{"fileSearch": {"fileSearchStoreNames": [store]}}]);
    let ask = json!({"contents": [{"parts": [{"text": "x"}]}], "tools": tools}).to_string();
    let generate = "/v1beta/models/gemini-2.5-flash:generateContent";
    assert_eq!(google(&simulator, SIBLING, "POST", generate, &ask).status, 200);
    is_forbidden(&google(&simulator, FOREIGN, "POST", generate, &ask));
    assert_eq!(google(&simulator, KEY, "DELETE", &format!("/v1beta/{store}?force=true"), "").status, 200);
    is_forbidden(&google(&simulator, KEY, "GET", &format!("/v1beta/{document}"), ""));
}

#[test]
fn a_tuned_model_is_told_as_an_operation_and_asked_by_its_project() {
    let simulator = standing();
    let made = posted(&simulator, "/v1beta/tunedModels?tunedModelId=mine", &json!({"displayName": "Mine"}));
    assert!(made.at("/name").starts_with("tunedModels/mine/operations/"));
    assert_eq!(
        google(&simulator, KEY, "GET", "/v1beta/tunedModels/mine", "").at("/name"),
        "tunedModels/mine"
    );
    let again = google(&simulator, KEY, "POST", "/v1beta/tunedModels?tunedModelId=mine", "{}");
    assert_eq!((again.status, again.at("/error/status").as_str()), (409, "ALREADY_EXISTS"));
    let ask = json!({"contents": [{"parts": [{"text": "hello"}]}]}).to_string();
    let target = "/v1beta/tunedModels/mine:generateContent";
    assert_eq!(google(&simulator, SIBLING, "POST", target, &ask).status, 200);
    is_forbidden(&google(&simulator, FOREIGN, "POST", target, &ask));
}

#[test]
fn what_has_an_id_is_listed_with_underscores() {
    let simulator = standing();
    for id in ["a", "b", "c"] {
        posted(&simulator, "/v1/agents", &json!({"id": id}));
    }
    let first = google(&simulator, KEY, "GET", "/v1/agents?page_size=2", "");
    assert_eq!((first.at("/agents/1/id"), first.at("/next_page_token")), ("b".to_owned(), "2".to_owned()));
    let rest = google(&simulator, KEY, "GET", "/v1/agents?page_size=2&page_token=2", "");
    assert_eq!((rest.at("/agents/0/id"), rest.at("/next_page_token")), ("c".to_owned(), String::new()));
    is_forbidden(&google(&simulator, FOREIGN, "GET", "/v1/agents/a", ""));
    assert_eq!(google(&simulator, KEY, "PATCH", "/v1/agents/a", r#"{"note":"n"}"#).at("/note"), "n");
    assert_eq!(google(&simulator, KEY, "POST", "/v1/futures", "{}").status, 200);
    assert_eq!(google(&simulator, KEY, "GET", "/v1/unheard/of", "").status, 404);
}
