//! Files, uploads and caches belong to a project.

use std::time::Duration;

use keygate_simulator::{
    Action, Fault, GeneratedFile, GoogleKey, GoogleProject, HalfBody, Population, RunningSimulator,
    StreamEnding, Tier,
};
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

#[test]
fn a_chunk_that_breaks_is_kept_in_whole_granules() {
    let simulator = standing();
    let started = start(&simulator, &[("x-goog-api-key", KEY)], "");
    let url = started.header("x-goog-upload-url").unwrap().to_owned();
    let half = HalfBody { bytes: 600_000, ending: StreamEnding::Close };
    simulator.script([Fault::new(Action::HalfBody(half))]).unwrap();
    let broken = proceed(&simulator, &url, "upload", "0", &"x".repeat(1_000_000));
    assert_eq!(broken.status, 0, "{broken:?}");
    assert_eq!(
        proceed(&simulator, &url, "query", "0", "").header("x-goog-upload-size-received"),
        Some("524288")
    );
    let rest = proceed(&simulator, &url, "upload, finalize", "524288", &"x".repeat(475_712));
    assert_eq!(rest.at("/file/sizeBytes"), "1000000");
    let again = proceed(&simulator, &url, "query", "0", "");
    assert_eq!(
        (again.header("x-goog-upload-status"), again.at("/file/sizeBytes")),
        (Some("final"), "1000000".into())
    );
}

#[test]
fn an_upload_that_was_given_up_stays_so() {
    let simulator = standing();
    let started = start(&simulator, &[("x-goog-api-key", KEY)], "");
    let url = started.header("x-goog-upload-url").unwrap().to_owned();
    for command in ["cancel", "query", "upload, finalize"] {
        let told = proceed(&simulator, &url, command, "0", "x");
        assert_eq!(told.header("x-goog-upload-status"), Some("cancelled"), "{command}");
    }
}

#[test]
fn a_key_that_is_sent_with_a_chunk_has_to_be_one() {
    let simulator = standing();
    let started = start(&simulator, &[("x-goog-api-key", KEY)], "");
    let url = started.header("x-goog-upload-url").unwrap();
    let target = url.strip_prefix(simulator.google_url()).unwrap();
    let headers = [("x-goog-upload-command", "upload, finalize"), ("x-goog-api-key", "nobodys")];
    assert_eq!(send(simulator.google_url(), "POST", target, &headers, "x").status, 400);
    let headers = [("x-goog-upload-command", "upload, finalize"), ("x-goog-api-key", SIBLING)];
    assert_eq!(send(simulator.google_url(), "POST", target, &headers, "x").status, 200);
}

#[test]
fn generated_files_are_downloaded_whole_in_parts_and_elsewhere() {
    let simulator = standing();
    let made = |is_elsewhere| GeneratedFile { project: "alpha".to_owned(), bytes: 100_000, is_elsewhere };
    let name = simulator.make_file(made(false));
    let path = format!("/v1beta/{name}:download?alt=media");
    let shown = google(&simulator, KEY, "GET", &format!("/v1beta/{name}"), "");
    assert_eq!(shown.at("/downloadUri"), format!("{}{path}", simulator.google_url()));
    let whole = google(&simulator, KEY, "GET", &path, "");
    assert_eq!((whole.status, whole.body.len(), whole.is_complete), (200, 100_000, true));
    let headers = [("x-goog-api-key", SIBLING), ("range", "bytes=65530-65539")];
    let part = send(simulator.google_url(), "GET", &format!("/download{path}"), &headers, "");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[65_530..65_540]));
    assert_eq!(part.header("content-range"), Some("bytes 65530-65539/100000"));
    assert_eq!(google(&simulator, FOREIGN, "GET", &path, "").status, 403);

    let name = simulator.make_file(made(true));
    let path = format!("/v1beta/{name}:download?alt=media");
    let sent_on = google(&simulator, KEY, "GET", &path, "");
    let place = format!("{}/download{path}", simulator.google_url());
    assert_eq!((sent_on.status, sent_on.header("location")), (302, Some(place.as_str())));
    assert_eq!(google(&simulator, KEY, "GET", &format!("/download{path}"), "").body.len(), 100_000);

    let uploaded = uploaded(&simulator);
    let refused = google(&simulator, KEY, "GET", &format!("/v1beta/{uploaded}:download?alt=media"), "");
    assert_eq!(refused.status, 400, "{refused:?}");
}
