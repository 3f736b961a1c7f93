//! The entry in the catalogue.

use std::collections::BTreeSet;

use keygate_domain::{ApiKey, Redactor};
use keygate_provider::KnownOperation;
use keygate_provider_google::ADAPTER;

use super::Call;

#[test]
fn the_entry_says_where_keys_come_from() {
    let variables = ADAPTER.key_variables;
    assert_eq!(ADAPTER.name.as_str(), "google");
    assert_eq!(ADAPTER.aliases, ["gemini"]);
    assert_eq!(variables.canonical, "GEMINI_KEYS");
    assert_eq!(variables.lists, ["GEMINI_API_KEYS", "GEMINI_KEYS", "GEMINI_API_KEY", "GOOGLE_API_KEY"]);
    assert_eq!(variables.numbered, ["GEMINI_API_KEY_", "GOOGLE_API_KEY_"]);
}

#[test]
fn both_formats_of_keys_are_redacted_unknown_and_previewed_by_their_prefix() {
    let redactor = Redactor::new([], ADAPTER.key_shapes).unwrap();
    for key in [format!("AIza{}", "x".repeat(35)), format!("AQ.{}", "y-_".repeat(15))] {
        let text = format!("Consumer 'api_key:{key}' has been suspended");
        let scrubbed = redactor.scrub_text(&text);
        assert!(!scrubbed.contains(&key[..6]), "{scrubbed}");
        assert_eq!(scrubbed.len(), text.len());
    }
    let preview = |key: &str| ApiKey::new(key).preview(ADAPTER.public_key_prefixes);
    assert_eq!(preview("AIzaSyMadeUp"), "AIzaSy...");
    assert_eq!(preview("AQ.made-up"), "AQ....");
}

/// What is explained before anybody asks is what the routes make of a request that does.
#[test]
fn the_operations_are_those_of_the_routes() {
    let chat = r#"{"model": "m", "messages": []}"#;
    let calls = [
        Call::post("/v1beta/models/m:generateContent", "{}"),
        Call::post("/v1beta/models/m:streamGenerateContent", "{}"),
        Call::post("/v1beta/models/m:countTokens", "{}"),
        Call::post("/v1beta/models/m:embedContent", "{}"),
        Call::post("/v1beta/models/m:batchEmbedContents", r#"{"requests": []}"#),
        Call::get("/v1beta/models/m"),
        Call::get("/v1beta/models"),
        Call::post("/upload/v1beta/files", "{}"),
        Call::post("/upload/v1beta/files?upload_id=a", ""),
        Call::get("/download/v1beta/files/a:download"),
        Call::post("/v1beta/openai/chat/completions", chat),
        Call::post("/v1beta/openai/embeddings", r#"{"model": "m", "input": "text"}"#),
        Call::post("/v1beta/openai/images/generations", r#"{"model": "m", "prompt": "text"}"#),
        Call::get("/v1beta/openai/models"),
        Call::get("/v1beta/openai/models/m"),
        Call::post("/v1beta/openai/videos", r#"{"model": "m", "prompt": "text"}"#)
            .with("content-type", "application/json"),
        Call::get("/v1beta/openai/videos"),
        Call::get("/v1beta/openai/videos/v"),
        Call::new("DELETE", "/v1beta/openai/videos/v"),
        Call::get("/v1beta/openai/videos/v/content"),
        Call::post("/v1beta/openai/batches", r#"{"input_file_id": "files/f"}"#),
        Call::get("/v1beta/openai/batches"),
        Call::get("/v1beta/openai/batches/b"),
        Call::post("/v1beta/openai/batches/b/cancel", ""),
    ];
    let told: Vec<KnownOperation> = calls
        .iter()
        .map(|call| {
            let intent = call.understood().unwrap();
            KnownOperation {
                operation: intent.operation,
                takes_model: intent.model.is_some(),
                opens_session: intent.opens_session,
                is_counted: intent.estimate.requests > 0,
            }
        })
        .collect();
    // What opens a session names its model in a frame: see `live`.
    let plain: Vec<KnownOperation> =
        ADAPTER.operations.iter().copied().filter(|known| !known.opens_session).collect();
    assert_eq!(told, plain[..told.len()]);
    let names: BTreeSet<&str> = ADAPTER.operations.iter().map(|known| known.operation.0).collect();
    assert_eq!(names.len(), ADAPTER.operations.len(), "each is there once");
}
