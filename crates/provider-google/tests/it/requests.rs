//! What goes upstream, to the letter.

use std::fmt::Write as _;

use keygate_domain::ApiKey;
use keygate_provider::{Grant, UpstreamRequest};

use super::{Call, google};

fn asked(call: &Call, key: &str) -> UpstreamRequest {
    let intent = call.understood().unwrap();
    let key = ApiKey::new(key);
    let grant = Grant { key: Some(&key), ..Grant::default() };
    google().request(&intent, &call.inbound(), &grant)
}

/// The request as it would be written, headers in order of their names.
fn written(request: &UpstreamRequest) -> String {
    let mut text = format!("{} {}\n", request.method, request.path_and_query);
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.sort_unstable();
    for (name, value) in headers {
        writeln!(text, "{name}: {value}").unwrap();
    }
    text + std::str::from_utf8(&request.body).unwrap()
}

/// A caller that sends every credential and every header there is.
fn talkative(call: Call) -> Call {
    call.with("content-type", "application/json")
        .with("accept", "*/*")
        .with("user-agent", "google-genai-sdk/3.4.0 gl-python/3.13")
        .with("x-goog-api-client", "google-genai-sdk/3.4.0")
        .with("x-goog-api-client", "gl-python/3.13")
        .with("api-revision", "2026-05-20")
        .with("x-server-timeout", "30")
        .with("x-goog-request-params", "model=models/x")
        .with("x-gemini-service-tier", "flex")
        .with("x-goog-api-key", "callers-own")
        .with("authorization", "Bearer callers-own")
        .with("proxy-authorization", "Basic callers-own")
        .with("cookie", "session=callers-own")
        .with("x-goog-user-project", "callers-own")
        .with("x-keygate-admin-token", "callers-own")
        .with("x-user-id", "alice")
        .with("x-request-id", "r-1")
        .with("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .with("tracestate", "a=b")
        .with("x-forwarded-for", "192.0.2.1")
        .with("forwarded", "for=192.0.2.1")
        .with("host", "gateway.example")
        .with("content-length", "2")
        .with("connection", "keep-alive, x-extra")
        .with("keep-alive", "timeout=5")
        .with("te", "trailers")
        .with("trailer", "x")
        .with("transfer-encoding", "chunked")
        .with("upgrade", "h2c")
        .with("accept-encoding", "gzip, deflate")
        .with("expect", "100-continue")
        .with("x-extra", "x")
}

#[test]
fn native_calls_carry_our_key_in_google_s_header_and_nothing_else_of_the_caller_s() {
    let target =
        "/v1beta/models/gemini-3.8-flash:generateContent?key=callers-own&%61ccess_token=callers-own&fields=a";
    let request = asked(&talkative(Call::post(target, "{}")), "pool-key");
    insta::assert_snapshot!(written(&request), @r"
    POST /v1beta/models/gemini-3.8-flash:generateContent?fields=a
    accept: */*
    api-revision: 2026-05-20
    content-type: application/json
    user-agent: google-genai-sdk/3.4.0 gl-python/3.13
    x-gemini-service-tier: flex
    x-goog-api-client: gl-python/3.13
    x-goog-api-client: google-genai-sdk/3.4.0
    x-goog-api-key: pool-key
    x-goog-request-params: model=models/x
    x-server-timeout: 30
    {}
    ");
}

#[test]
fn openai_calls_carry_our_key_as_a_bearer() {
    let body = r#"{"model":"gemini-x"}"#;
    for path in ["/openai/v1/chat/completions", "/v1beta/openai/chat/completions"] {
        let call = Call::post(path, body)
            .with("authorization", "Bearer callers-own")
            .with("content-type", "application/json")
            .with("x-stainless-lang", "python")
            .with("openai-organization", "org");
        insta::allow_duplicates! {
            insta::assert_snapshot!(written(&asked(&call, "pool-key")), @r#"
            POST /v1beta/openai/chat/completions
            authorization: Bearer pool-key
            content-type: application/json
            {"model":"gemini-x"}
            "#);
        }
    }
}

#[test]
fn reads_go_out_as_reads() {
    let call = Call::get("/v1alpha/models?pageSize=5&pageToken=a%2Bb").with("x-goog-api-key", "callers-own");
    insta::assert_snapshot!(written(&asked(&call, "pool-key")), @r"
    GET /v1alpha/models?pageSize=5&pageToken=a%2Bb
    x-goog-api-key: pool-key
    ");
}

#[test]
fn the_credential_does_not_print_itself() {
    for target in ["/v1/models", "/openai/v1/models"] {
        let request = asked(&Call::get(target), "pool-key");
        assert_eq!(request.headers.values().filter(|value| value.is_sensitive()).count(), 1);
        assert!(!format!("{request:?}").contains("pool-key"));
    }
}

#[test]
fn the_body_is_passed_on_without_a_copy() {
    let call = Call::post("/v1/models/x:generateContent", vec![b'x'; 1_000]);
    assert_eq!(asked(&call, "pool-key").body.as_ptr(), call.body.as_ptr());
}

/// A key that no header can carry must not bring anything down; Google says what is missing.
#[test]
fn a_key_that_is_no_header_value_is_left_out() {
    let request = asked(&Call::get("/v1/models"), "line\nbreak");
    assert!(request.headers.is_empty());
}

/// Without its usage a stream could only be guessed at. Everything else of the body is the caller's.
#[test]
fn the_usage_of_a_stream_is_asked_for_and_hidden_from_who_did_not_ask() {
    let check = |body: &'static str, sent: &str, is_hidden: bool| {
        for path in ["/openai/v1/chat/completions", "/v1beta/openai/chat/completions"] {
            let call = Call::post(path, body);
            assert_eq!(asked(&call, "pool-key").body, sent);
            let intent = call.understood().unwrap();
            let rewrite = google().rewrite(&intent, &call.inbound(), &call.headers);
            assert_eq!(rewrite.is_some(), is_hidden, "{body}");
        }
    };
    check(
        r#"{ "model":"x", "stream":true, "temperature": 1.0 }"#,
        r#"{ "stream_options":{"include_usage":true},"model":"x", "stream":true, "temperature": 1.0 }"#,
        true,
    );
    let asks = r#"{"model":"x","stream":true,"stream_options":{"include_usage":true}}"#;
    check(asks, asks, false);
    for whole in [r#"{"model":"x"}"#, r#"{"model":"x","stream":false}"#] {
        check(whole, whole, false);
    }
}

#[test]
fn no_other_stream_is_touched() {
    for (path, body) in [
        ("/v1/models/x:streamGenerateContent?alt=sse", "{}"),
        ("/v1/interactions", r#"{"stream":true}"#),
        ("/openai/v1/embeddings", r#"{"input":"x"}"#),
    ] {
        let call = Call::post(path, body);
        assert_eq!(asked(&call, "pool-key").body.as_ptr(), call.body.as_ptr(), "{path}");
        assert!(google().rewrite(&call.understood().unwrap(), &call.inbound(), &call.headers).is_none());
    }
}

#[test]
fn interactions_carry_our_key_in_google_s_header() {
    let call = Call::post("/v1/interactions", "{}").with("authorization", "Bearer callers-own");
    insta::assert_snapshot!(written(&asked(&call, "pool-key")), @r"
    POST /v1/interactions
    x-goog-api-key: pool-key
    {}
    ");
}

#[test]
fn an_error_in_an_array_is_told_as_an_object_on_the_surface_of_openai_only() {
    let error = bytes::Bytes::from_static(b"[{\"error\":{\"code\":400}}]\n");
    let told = google().retell("/openai/v1/chat/completions", &error);
    assert_eq!(told.as_deref(), Some(b"{\"error\":{\"code\":400}}".as_slice()));
    assert_eq!(google().retell("/v1/models/x:generateContent", &error), None);
}
