//! Routes of what projects keep: one case for each row of the endpoint table, and for what is in none.

use keygate_domain::{ErrorKind, Fault, Intent, ModelName, Replay, Right, Spend, Streaming, Verdict};
use keygate_provider::AnswerHead;
use rstest::rstest;

use super::{Call, google};

/// What an intent says of a route, on one line.
fn gist(intent: &Intent) -> String {
    let model = intent.model.as_ref().map_or("-", |model| model.as_str());
    let replay = if intent.replay == Replay::Safe { "again" } else { "once" };
    let named: Vec<String> = intent.references.iter().map(ToString::to_string).collect();
    let right = format!("{:?}", intent.right).to_lowercase();
    format!(
        "{} | {right} | {replay} | {} | {model} | {}",
        intent.operation,
        intent.user_units,
        named.join(" ")
    )
}

#[rstest]
#[case("POST", "models/m:predict", "predict | chat | again | 1 | m | ")]
#[case("POST", "models/m:predictLongRunning", "predict_long_running | chat | once | 1 | m | ")]
#[case("POST", "models/m:batchGenerateContent", "batch_generate_content | chat | once | 1 | - | ")]
#[case("POST", "models/m:asyncBatchEmbedContent", "async_batch_embed_content | embed | once | 1 | - | ")]
#[case("POST", "models/m:generateAnswer", "generate_answer | chat | again | 1 | m | ")]
#[case("POST", "models/m:generateText", "generate_text | chat | again | 1 | m | ")]
#[case("POST", "models/m:embedText", "embed_text | embed | again | 1 | m | ")]
#[case("POST", "dynamic/d:generateContent", "dynamic_generate_content | chat | again | 1 | dynamic/d | ")]
#[case("GET", "models/m/operations", "list_model_operations | chat | again | 0 | - | ")]
#[case("GET", "models/m/operations/o", "get_model_operation | chat | again | 0 | - | models/m/operations/o")]
#[case(
    "POST",
    "models/m/operations/o:cancel",
    "cancel_model_operation | chat | once | 0 | - | models/m/operations/o"
)]
#[case("GET", "batches", "list_batches | chat | again | 0 | - | ")]
#[case("GET", "batches/b", "get_batch | chat | again | 0 | - | batches/b")]
#[case("DELETE", "batches/b", "delete_batch | chat | once | 0 | - | batches/b")]
#[case("POST", "batches/b:cancel", "cancel_batch | chat | once | 0 | - | batches/b")]
#[case("GET", "operations", "list_operations | chat | again | 0 | - | ")]
#[case("GET", "operations/o", "get_operation | chat | again | 0 | - | operations/o")]
#[case(
    "GET",
    "tunedModels/t/operations/o",
    "get_tuned_model_operation | chat | again | 0 | - | tunedModels/t"
)]
#[case(
    "GET",
    "generatedFiles/g/operations/o",
    "get_generated_file_operation | files | again | 0 | - | generatedFiles/g"
)]
#[case(
    "GET",
    "fileSearchStores/s/operations/o",
    "get_store_operation | files | again | 0 | - | fileSearchStores/s"
)]
#[case(
    "GET",
    "fileSearchStores/s/upload/operations/o",
    "get_store_upload_operation | files | again | 0 | - | fileSearchStores/s"
)]
#[case("GET", "ragStores/s/operations/o", "get_other | manage | again | 0 | - | ragStores/s")]
#[case("GET", "files", "list_files | files | again | 0 | - | ")]
#[case("GET", "files/f", "get_file | files | again | 0 | - | files/f")]
#[case("DELETE", "files/f", "delete_file | files | once | 0 | - | files/f")]
#[case("POST", "files:register", "register_files | files | once | 1 | - | ")]
#[case("GET", "files/f:download?alt=media", "download | files | again | 0 | - | files/f")]
#[case("POST", "cachedContents", "create_cached_content | files | once | 1 | - | ")]
#[case("GET", "cachedContents", "list_cached_contents | files | again | 0 | - | ")]
#[case("GET", "cachedContents/c", "get_cached_content | files | again | 0 | - | cachedContents/c")]
#[case(
    "PATCH",
    "cachedContents/c?updateMask=ttl",
    "update_cached_content | files | once | 0 | - | cachedContents/c"
)]
#[case("DELETE", "cachedContents/c", "delete_cached_content | files | once | 0 | - | cachedContents/c")]
#[case("POST", "fileSearchStores", "create_file_search_store | files | once | 1 | - | ")]
#[case("GET", "fileSearchStores", "list_file_search_stores | files | again | 0 | - | ")]
#[case("GET", "fileSearchStores/s", "get_file_search_store | files | again | 0 | - | fileSearchStores/s")]
#[case(
    "DELETE",
    "fileSearchStores/s?force=true",
    "delete_file_search_store | files | once | 0 | - | fileSearchStores/s"
)]
#[case("POST", "fileSearchStores/s:importFile", "import_file | files | once | 0 | - | fileSearchStores/s")]
#[case("GET", "fileSearchStores/s/documents", "list_documents | files | again | 0 | - | fileSearchStores/s")]
#[case("GET", "fileSearchStores/s/documents/d", "get_document | files | again | 0 | - | fileSearchStores/s")]
#[case(
    "DELETE",
    "fileSearchStores/s/documents/d",
    "delete_document | files | once | 0 | - | fileSearchStores/s"
)]
#[case("POST", "tunedModels", "create_tuned_model | manage | once | 1 | - | ")]
#[case("GET", "tunedModels", "list_tuned_models | chat | again | 0 | - | ")]
#[case("GET", "tunedModels/t", "get_tuned_model | chat | again | 0 | - | tunedModels/t")]
#[case("PATCH", "tunedModels/t", "update_tuned_model | manage | once | 0 | - | tunedModels/t")]
#[case("DELETE", "tunedModels/t", "delete_tuned_model | manage | once | 0 | - | tunedModels/t")]
#[case(
    "POST",
    "tunedModels/t:generateContent",
    "generate_content | chat | again | 1 | tunedModels/t | tunedModels/t"
)]
#[case(
    "POST",
    "tunedModels/t:transferOwnership",
    "act_on_other | chat | once | 0 | tunedModels/t | tunedModels/t"
)]
#[case("POST", "auth_tokens", "create_auth_token | live | once | 1 | - | ")]
#[case("POST", "interactions", "create_interaction | chat | once | 1 | - | ")]
#[case("GET", "interactions/v1_x", "get_interaction | chat | again | 0 | - | interactions/v1_x")]
#[case("DELETE", "interactions/v1_x", "delete_interaction | chat | once | 0 | - | interactions/v1_x")]
#[case("POST", "interactions/v1_x/cancel", "cancel_interaction | chat | once | 0 | - | interactions/v1_x")]
#[case("POST", "decisions", "create_decision | chat | again | 1 | - | ")]
#[case("GET", "agents", "list_agents | chat | again | 0 | - | ")]
#[case("POST", "agents", "create_agent | manage | once | 1 | - | ")]
#[case("GET", "agents/a", "get_agent | chat | again | 0 | - | agents/a")]
#[case("DELETE", "agents/a", "delete_agent | manage | once | 0 | - | agents/a")]
#[case("POST", "environments", "create_environment | manage | once | 1 | - | ")]
#[case("GET", "environments/e", "get_environment | files | again | 0 | - | environments/e")]
#[case(
    "GET",
    "environments/e/files/src/main.rs",
    "get_environment_files | files | again | 0 | - | environments/e"
)]
#[case("PUT", "environments/e/files/notes.txt", "update_other | manage | once | 0 | - | environments/e")]
#[case("POST", "credentials", "create_credential | manage | once | 1 | - | ")]
#[case("GET", "credentials/c", "get_other | manage | again | 0 | - | credentials/c")]
#[case("PATCH", "credentials/c", "update_other | manage | once | 0 | - | credentials/c")]
#[case("POST", "triggers", "create_trigger | manage | once | 1 | - | ")]
#[case("PATCH", "triggers/t", "update_other | manage | once | 0 | - | triggers/t")]
#[case("DELETE", "triggers/t", "delete_other | manage | once | 0 | - | triggers/t")]
#[case("GET", "triggers/t/executions", "list_trigger_executions | manage | again | 0 | - | triggers/t")]
#[case("POST", "triggers/t/executions", "run_trigger | manage | once | 1 | - | triggers/t")]
#[case("GET", "voices", "list_voices | chat | again | 0 | - | ")]
#[case("POST", "voices", "create_voice | manage | once | 1 | - | ")]
#[case("DELETE", "voices/v", "delete_other | manage | once | 0 | - | voices/v")]
#[case("GET", "webhooks", "list_webhooks | manage | again | 0 | - | ")]
#[case("POST", "webhooks/w:ping", "ping_webhook | manage | once | 0 | - | webhooks/w")]
#[case(
    "POST",
    "webhooks/w:rotateSigningSecret",
    "rotate_signing_secret | manage | once | 0 | - | webhooks/w"
)]
#[case("GET", "corpora", "list_corpora | files | again | 0 | - | ")]
#[case("POST", "corpora/c:query", "query_corpus | files | again | 1 | - | corpora/c")]
#[case("DELETE", "corpora/c/documents/d/chunks/k", "delete_other | manage | once | 0 | - | corpora/c")]
#[case::a_collection("GET", "futures", "list_other | manage | again | 0 | - | ")]
#[case::a_creation("POST", "futures", "create_other | manage | once | 1 | - | ")]
#[case::an_item("GET", "futures/f", "get_other | manage | again | 0 | - | resource/futures/f")]
#[case::a_deletion("DELETE", "futures/f", "delete_other | manage | once | 0 | - | resource/futures/f")]
#[case::a_verb("POST", "futures/f:foretell", "act_on_other | manage | once | 0 | - | resource/futures/f")]
#[case::a_verb_that_reads(
    "GET",
    "futures/f:look",
    "read_other | manage | again | 0 | - | resource/futures/f"
)]
#[case::a_verb_of_models("POST", "models/m:dreamContent", "act_on_other | chat | once | 0 | m | ")]
fn every_row_on_every_version(#[case] method: &str, #[case] path: &str, #[case] expected: &str) {
    for version in ["v1", "v1beta", "v1alpha"] {
        let target = format!("/{version}/{path}");
        let intent = Call::new(method, &target).understood().unwrap();
        assert_eq!(gist(&intent), expected, "{target}");
        assert_eq!(intent.target, target, "it goes out as it came");
        assert!(intent.route.starts_with("/{version}/") && !intent.opens_session);
    }
}

#[test]
fn what_keeps_and_tidies_draws_nothing() {
    for (method, path) in [
        ("GET", "files"),
        ("POST", "cachedContents"),
        ("POST", "models/m:batchGenerateContent"),
        ("DELETE", "files/x"),
    ] {
        let intent = Call { body: "{\"x\":1}".into(), ..Call::new(method, &format!("/v1/{path}")) }
            .understood()
            .unwrap();
        assert_eq!(intent.estimate, Spend::default(), "{path}");
    }
    let predicted = Call::post("/v1/models/m:predict", "x".repeat(400)).understood().unwrap();
    assert_eq!((predicted.estimate.requests, predicted.estimate.input_tokens), (1, 100));
}

#[rstest]
#[case(r#"{"model":"gemini-3.8-flash","input":"hi"}"#, Some("gemini-3.8-flash"), Streaming::Whole)]
#[case(
    r#"{"stream" : true, "model":"models/gemini-3.8-flash"}"#,
    Some("gemini-3.8-flash"),
    Streaming::Events
)]
#[case(
    r#"{"agent":"deep-research","background":true,"stream":false}"#,
    Some("deep-research"),
    Streaming::Whole
)]
#[case(r#"{"input":"{\"stream\": true, \"model\": \"x\"}"}"#, None, Streaming::Whole)]
#[case("not json", None, Streaming::Whole)]
fn interactions_are_read_from_their_body(
    #[case] body: &'static str,
    #[case] model: Option<&str>,
    #[case] streaming: Streaming,
) {
    let intent = Call::post("/v1/interactions", body).understood().unwrap();
    assert_eq!((intent.model.as_ref().map(ModelName::as_str), intent.streaming), (model, streaming));
    assert_eq!((intent.replay, intent.estimate.requests), (Replay::OnlyIfRefused, 1));
}

#[test]
fn a_stored_interaction_is_resumed_as_a_stream() {
    let intent = Call::get("/v1/interactions/v1_x?stream=true&last_event_id=e7").understood().unwrap();
    assert_eq!((intent.streaming, intent.replay), (Streaming::Events, Replay::Safe));
    assert_eq!(intent.target, "/v1/interactions/v1_x?stream=true&last_event_id=e7");
}

#[test]
fn path_and_body_are_named_together_each_once() {
    let body = r#"{"contents":[{"parts":[{"fileData":{"fileUri":"files/a"}}]}],"cachedContent":"cachedContents/c","model":"tunedModels/t"}"#;
    let intent = Call::post("/v1beta/tunedModels/t:generateContent", body).understood().unwrap();
    let named: Vec<String> = intent.references.iter().map(ToString::to_string).collect();
    assert_eq!(named, ["tunedModels/t", "cachedContents/c", "files/a"]);
    let openai =
        r#"{"model":"m","messages":[],"extra_body":{"google":{"cached_content":"cachedContents/c"}}}"#;
    for path in ["/openai/v1/chat/completions", "/v1/models/m:countTokens", "/v1/interactions", "/v1/futures"]
    {
        let intent = Call::post(path, openai).understood().unwrap();
        assert_eq!(intent.references.len(), 1, "{path}");
    }
}

#[rstest]
#[case::a_name_that_would_be_a_verb("/v1/files/a:b:download")]
#[case::a_verb_of_nothing("/v1/files/:download")]
#[case::parent("/v1/files/%2e%2e")]
#[case::slash("/v1/environments/e/files/a%2F..%2Fb")]
#[case::empty("/v1/files//x")]
#[case::trailing("/v1/files/")]
#[case::endless("/v1/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z")]
fn no_name_leaves_its_segment(#[case] target: &str) {
    for method in ["GET", "POST", "DELETE"] {
        let rejected = Call::new(method, target).understood().unwrap_err();
        assert_eq!(rejected.kind, ErrorKind::BadRequest, "{method} {target}");
    }
}

#[test]
fn names_are_encoded_anew() {
    let call = Call::get("/v1/environments/e%201/files/a b:c/%C3%BC.txt?key=k&alt=media");
    assert_eq!(
        call.understood().unwrap().target,
        "/v1/environments/e%201/files/a%20b%3Ac/%C3%BC.txt?alt=media"
    );
}

#[test]
fn a_method_that_no_api_has_is_not_passed_on() {
    let rejected = Call::new("TRACE", "/v1/files/x").understood().unwrap_err();
    assert_eq!(rejected.kind, ErrorKind::MethodNotAllowed);
}

/// What cannot be read cannot be checked for the names of what belongs to others.
#[rstest]
#[case("content-encoding", "gzip")]
#[case("content-encoding", "br, identity")]
#[case("content-type", "application/x-protobuf")]
#[case("content-type", "Application/Protobuf; x=y")]
fn bodies_that_hide_their_names_are_refused(#[case] header: &'static str, #[case] value: &str) {
    for path in ["/v1/models/m:generateContent", "/v1/cachedContents", "/v1/interactions"] {
        let rejected = Call::post(path, "{}").with(header, value).understood().unwrap_err();
        assert_eq!(rejected.kind, ErrorKind::BadRequest, "{path}");
    }
    assert!(Call::get("/v1/files").with(header, value).understood().is_ok(), "there is nothing to read");
}

#[test]
fn urls_of_this_gateway_go_out_as_the_providers() {
    let body = r#"{"a":"https:\/\/gateway.example/google/v1beta/files/x","text":"https://gateway.example/v1/files/y","b":{"fileUri":"http://Gateway.Example/v1/files/z?alt=media"},"c":"https://elsewhere.example/v1/files/q"}"#;
    let call = Call::post("/v1/models/m:generateContent", body);
    let intent = call.understood().unwrap();
    let grant = keygate_provider::Grant::default();
    let request = google().request(&intent, &call.inbound(), &grant);
    assert_eq!(
        request.body,
        r#"{"a":"https://generativelanguage.googleapis.com/v1beta/files/x","text":"https://gateway.example/v1/files/y","b":{"fileUri":"https://generativelanguage.googleapis.com/v1/files/z?alt=media"},"c":"https://elsewhere.example/v1/files/q"}"#
    );
    let plain = Call::post("/v1/models/m:generateContent", r#"{"fileUri":"files/x"}"#);
    let request = google().request(&plain.understood().unwrap(), &plain.inbound(), &grant);
    assert_eq!(request.body.as_ptr(), plain.body.as_ptr(), "nothing is copied");
}

#[rstest]
#[case("GET", "files/x", 403, Fault::AffinityLost)]
#[case("GET", "batches/x", 404, Fault::AffinityLost)]
#[case("GET", "files", 403, Fault::Caller)]
#[case("POST", "models/m:generateContent", 403, Fault::Caller)]
#[case("DELETE", "files/x", 403, Fault::Caller)]
fn a_bare_403_is_about_what_is_read_only_where_nothing_else_is(
    #[case] method: &str,
    #[case] path: &str,
    #[case] status: u16,
    #[case] fault: Fault,
) {
    let code = if status == 403 { "PERMISSION_DENIED" } else { "NOT_FOUND" };
    let body = format!(
        r#"{{"error":{{"code":{status},"message":"The caller does not have permission","status":"{code}"}}}}"#
    );
    let head = AnswerHead {
        status: http::StatusCode::from_u16(status).unwrap(),
        headers: &http::HeaderMap::new(),
        body: body.as_bytes(),
        for_preparation: false,
    };
    let intent = Call::new(method, &format!("/v1/{path}")).understood().unwrap();
    let Verdict::Failed(failure) = google().verdict(&intent, &head) else { panic!("it failed") };
    assert_eq!(failure.fault, fault);
    assert!(!failure.takes_out(), "no key is to blame");
}

#[test]
fn rights_are_those_of_what_is_asked_for() {
    let right = |method: &str, path: &str| Call::new(method, path).understood().unwrap().right;
    assert_eq!(right("POST", "/v1/models/m:embedContent"), Right::Embed);
    assert_eq!(right("POST", "/v1alpha/auth_tokens"), Right::Live);
    assert_eq!(right("GET", "/v1/files/x"), Right::Files);
    assert_eq!(right("POST", "/v1/webhooks"), Right::Manage);
}
