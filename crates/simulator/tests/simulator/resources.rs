//! Files, uploads and caches belong to a project.

use std::time::Duration;

use keygate_simulator::{GoogleKey, GoogleProject, Population, RunningSimulator, Tier};
use serde_json::json;

use crate::client::{GENERATE, KEY, Reply, google, populated, post, projects, send, standing};

const SIBLING: &str = "sim-google-alpha-2";
const FOREIGN: &str = "sim-google-beta-1";

fn start(simulator: &RunningSimulator, headers: &[(&str, &str)], query: &str) -> Reply {
    let mut all = vec![
        ("x-goog-upload-protocol", "resumable"),
        ("x-goog-upload-command", "start"),
        ("x-goog-upload-header-content-length", "6"),
        ("x-goog-upload-header-content-type", "text/plain"),
    ];
    all.extend(headers);
    let body = json!({"file": {"display_name": "notes"}}).to_string();
    send(simulator.google_url(), "POST", &format!("/upload/v1beta/files{query}"), &all, &body)
}

fn proceed(simulator: &RunningSimulator, url: &str, command: &str, offset: &str, body: &str) -> Reply {
    let target = url.strip_prefix(simulator.google_url()).unwrap();
    let headers = [("x-goog-upload-command", command), ("x-goog-upload-offset", offset)];
    send(simulator.google_url(), "POST", target, &headers, body)
}

/// Uploads six bytes in two chunks; says the file's name.
fn uploaded(simulator: &RunningSimulator) -> String {
    let started = start(simulator, &[("x-goog-api-key", KEY)], "");
    assert_eq!(started.header("x-goog-upload-status"), Some("active"));
    let url = started.header("x-goog-upload-url").unwrap();
    assert!(!url.contains("key="));
    assert_eq!(proceed(simulator, url, "upload", "0", "abc").header("x-goog-upload-status"), Some("active"));
    assert_eq!(proceed(simulator, url, "upload", "0", "abc").status, 400, "an offset twice");
    assert_eq!(proceed(simulator, url, "query", "0", "").header("x-goog-upload-size-received"), Some("3"));
    let done = proceed(simulator, url, "upload, finalize", "3", "def");
    assert_eq!(done.header("x-goog-upload-status"), Some("final"));
    assert_eq!(
        (done.at("/file/sizeBytes").as_str(), done.at("/file/mimeType").as_str()),
        ("6", "text/plain")
    );
    assert_eq!(done.at("/file/displayName"), "notes");
    done.at("/file/name")
}

fn asking_about(file: &str) -> String {
    let uri = format!("https://generativelanguage.googleapis.com/v1beta/{file}");
    json!({"contents": [{"parts": [{"text": "read"}, {"fileData": {"fileUri": uri}}]}]}).to_string()
}

#[test]
fn a_file_is_its_projects() {
    let simulator = standing();
    let name = uploaded(&simulator);
    let path = format!("/v1beta/{name}");
    assert_eq!(google(&simulator, SIBLING, "GET", &path, "").at("/state"), "ACTIVE");
    let foreign = google(&simulator, FOREIGN, "GET", &path, "");
    let id = name.strip_prefix("files/").unwrap();
    let text = format!("You do not have permission to access the File {id} or it may not exist.");
    assert_eq!((foreign.status, foreign.at("/error/message")), (403, text));
    assert_eq!(post(&simulator, SIBLING, GENERATE, &asking_about(&name)).status, 200);
    assert_eq!(post(&simulator, FOREIGN, GENERATE, &asking_about(&name)).status, 403);
    assert_eq!(google(&simulator, SIBLING, "GET", "/v1/files", "").at("/files/0/name"), name);
    assert_eq!(google(&simulator, FOREIGN, "GET", "/v1/files", "").text(), "{}");
    assert_eq!(google(&simulator, SIBLING, "DELETE", &path, "").status, 200);
    assert_eq!(google(&simulator, KEY, "GET", &path, "").status, 403);
}

#[test]
fn a_file_is_gone_after_two_days() {
    let simulator = standing();
    let name = uploaded(&simulator);
    simulator.advance(Duration::from_hours(48));
    assert_eq!(google(&simulator, KEY, "GET", &format!("/v1/{name}"), "").status, 403);
}

#[test]
fn a_key_in_the_query_comes_back_in_the_upload_url() {
    let simulator = standing();
    let started = start(&simulator, &[], "?key=sim-google-alpha-1");
    let url = started.header("x-goog-upload-url").unwrap();
    assert!(url.ends_with("&upload_protocol=resumable&key=sim-google-alpha-1"), "{url}");
    assert_eq!(proceed(&simulator, url, "upload, finalize", "0", "x").status, 200);
    let record = simulator.requests().pop().unwrap();
    assert_eq!(record.project.as_deref(), Some("alpha"));
}

#[test]
fn storage_has_a_limit() {
    let project = GoogleProject {
        keys: vec![GoogleKey::new(KEY)],
        file_storage_bytes: Some(10),
        ..GoogleProject::named("alpha")
    };
    let simulator = populated(projects(vec![project]));
    uploaded(&simulator);
    let refused = start(&simulator, &[("x-goog-api-key", KEY)], "");
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("FileStorageBytesPerProject"));
}

#[test]
fn a_cache_is_its_projects_and_its_models() {
    let simulator = standing();
    let contents = json!([{"role": "user", "parts": [{"text": "x".repeat(400)}]}]);
    let body = json!({"model": "models/gemini-3.8-flash", "contents": contents, "ttl": "300s"}).to_string();
    let name = google(&simulator, KEY, "POST", "/v1beta/cachedContents", &body).at("/name");
    let path = format!("/v1beta/{name}");
    assert_eq!(google(&simulator, SIBLING, "GET", &path, "").at("/usageMetadata/totalTokenCount"), "100");
    let foreign = google(&simulator, FOREIGN, "GET", &path, "");
    let text = "CachedContent not found (or permission denied)";
    assert_eq!((foreign.status, foreign.at("/error/message").as_str()), (403, text));

    let ask = json!({"contents": [{"parts": [{"text": "abcd"}]}], "cachedContent": name}).to_string();
    let served = post(&simulator, KEY, GENERATE, &ask);
    assert_eq!(served.at("/usageMetadata/cachedContentTokenCount"), "100");
    assert_eq!(served.at("/usageMetadata/promptTokenCount"), "101");
    assert_eq!(post(&simulator, FOREIGN, GENERATE, &ask).status, 403);
    assert_eq!(post(&simulator, KEY, "/v1/models/gemini-3.5-flash:generateContent", &ask).status, 400);

    google(&simulator, KEY, "PATCH", &path, r#"{"ttl": "600s"}"#);
    simulator.advance(Duration::from_secs(599));
    assert_eq!(post(&simulator, KEY, GENERATE, &ask).status, 200);
    simulator.advance(Duration::from_secs(1));
    assert_eq!(post(&simulator, KEY, GENERATE, &ask).status, 403, "an expired cache is a stranger's");
}

#[test]
fn the_free_tier_has_no_caches() {
    let mut population = Population::default();
    population.google.projects[0].tier = Tier::Free;
    let body = json!({"model": "models/gemini-3.8-flash", "contents": []}).to_string();
    let refused = google(&populated(population), KEY, "POST", "/v1beta/cachedContents", &body);
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("TotalCachedContentStorageTokensPerModelFreeTier"));
}
