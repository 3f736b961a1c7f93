//! `/__sim` and the handle, two doors to the same functions.

use keygate_simulator::{CredentialSeen, Population, RunningSimulator};
use serde_json::json;

use crate::client::{GENERATE, KEY, Reply, anam, post, saying, send, standing};

fn control(simulator: &RunningSimulator, method: &str, path: &str, body: &str) -> Reply {
    send(simulator.google_url(), method, &format!("/__sim/{path}"), &[], body)
}

#[test]
fn faults_come_in_and_go_by_http() {
    let simulator = standing();
    let fault = json!({"action": {"answer": {"row": "overloaded"}}, "key": KEY, "times": null});
    assert_eq!(control(&simulator, "POST", "script", &fault.to_string()).json(), json!({"faults": 1}));
    assert_eq!(post(&simulator, KEY, GENERATE, &saying("x")).status, 503);
    assert_eq!(control(&simulator, "GET", "script", "").at("/faults/0/key"), KEY);
    control(&simulator, "DELETE", "script", "");
    assert_eq!(post(&simulator, KEY, GENERATE, &saying("x")).status, 200);
    let wrong = control(&simulator, "POST", "script", r#"[{"action": "explode"}]"#);
    assert_eq!(wrong.status, 400);
    assert!(wrong.at("/error").contains("explode"), "{}", wrong.text());
}

#[test]
fn keys_are_declared_and_change_their_state_while_it_runs() {
    let simulator = standing();
    let population = json!({
        "google": {"projects": [{
            "name": "gamma",
            "keys": [{"key": "gamma-secret", "label": "gamma-1"}],
            "limits": [{"model": "*", "requests_per_minute": 1}],
        }]},
        "anam": {"organizations": [{"name": "late", "keys": [{"key": "late-1"}], "concurrent_sessions": 1}]},
    });
    assert_eq!(control(&simulator, "POST", "keys", &population.to_string()).status, 200);
    let status = |key: &str| post(&simulator, key, GENERATE, &saying("x")).status;
    assert_eq!([status("gamma-secret"), status("gamma-secret"), status(KEY)], [200, 429, 200]);
    assert_eq!(anam(&simulator, "late-1", "GET", "/v1/sessions/concurrency", "").at("/limit"), "1");
    assert_eq!(simulator.counts().google.by_key["gamma-1"], 2);

    control(&simulator, "POST", "keys", r#"{"states": {"gamma-secret": "expired"}}"#);
    assert_eq!(status("gamma-secret"), 400);
    assert_eq!(control(&simulator, "POST", "keys", r#"{"states": {"nobody": "valid"}}"#).status, 400);
    let twice = json!({"google": {"projects": [{"name": "delta", "keys": [{"key": KEY}]}]}});
    assert_eq!(control(&simulator, "POST", "keys", &twice.to_string()).status, 400);
    assert!(simulator.declare(Population::default()).is_ok());
}

#[test]
fn records_show_places_and_labels_but_no_strangers_secret() {
    let simulator = standing();
    let headers = [("x-goog-api-key", KEY), ("authorization", "Bearer not-ours"), ("x-other", "kept")];
    send(
        simulator.google_url(),
        "POST",
        &format!("{GENERATE}?key=nor-this&alt=json"),
        &headers,
        &saying("hello"),
    );
    let records = control(&simulator, "GET", "requests", "");
    assert!(
        !records.text().contains("not-ours") && !records.text().contains("nor-this"),
        "{}",
        records.text()
    );
    let record = simulator.requests().pop().unwrap();
    let seen = |place, label: &str| CredentialSeen { place, label: label.to_owned() };
    let expected = [
        seen("header x-goog-api-key", KEY),
        seen("header authorization", "unknown"),
        seen("query key", "unknown"),
    ];
    assert_eq!(record.credentials, expected);
    assert!(record.headers.contains(&("x-other".to_owned(), "kept".to_owned())));
    assert!(record.headers.contains(&("authorization".to_owned(), "Bearer <unknown>".to_owned())));
    assert_eq!(
        record.query,
        [("key".to_owned(), "<unknown>".to_owned()), ("alt".to_owned(), "json".to_owned())]
    );
    assert_eq!((record.operation.as_str(), record.status), ("generateContent", Some(400)));
    assert_eq!((record.body_bytes, record.body_start), (saying("hello").len(), saying("hello")));
    assert_eq!(record.body_sha256.len(), 64);
}

#[test]
fn a_reset_forgets_everything_but_the_time() {
    let simulator = standing();
    control(&simulator, "POST", "keys", &format!(r#"{{"states": {{"{KEY}": "invalid"}}}}"#));
    control(&simulator, "POST", "script", r#"{"action": "hang", "times": null}"#);
    let now = control(&simulator, "POST", "clock", r#"{"advance": "60s"}"#).at("/now");
    assert_eq!(now, "2026-11-20T20:01:00Z");
    assert_eq!(control(&simulator, "POST", "reset", "").status, 200);
    assert_eq!(control(&simulator, "GET", "clock", "").at("/now"), now);
    assert_eq!(simulator.counts().google.requests, 0);
    assert_eq!(post(&simulator, KEY, GENERATE, &saying("x")).status, 200);
}

#[test]
fn the_log_of_requests_is_bounded() {
    let simulator = standing();
    for _ in 0..1005 {
        send(simulator.anam_url(), "GET", "/v1/nothing", &[], "");
    }
    let records = simulator.requests();
    assert_eq!((records.len(), records[0].number), (1000, 6));
    assert_eq!(simulator.counts().anam.requests, 1005);
}

#[test]
fn it_stops_when_the_handle_is_dropped() {
    let simulator = standing();
    let address = simulator.google_url().trim_start_matches("http://").to_owned();
    drop(simulator);
    assert!(std::net::TcpStream::connect(address).is_err());
}
