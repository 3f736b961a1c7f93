//! Which requests are taken, and as what.

use std::time::Duration;

use keygate_domain::{Access, ErrorKind, Intent, ModelName, Replay, Right, Streaming};
use rstest::rstest;

use super::Call;

/// What an intent says of the route, on one line.
fn gist(intent: &Intent) -> String {
    let model = intent.model.as_ref().map_or("-", |model| model.as_str());
    format!("{} | {} | {} | {model}", intent.operation, intent.route, intent.target)
}

#[rstest]
#[case("GET", "/v1beta/models", "list_models | /{version}/models | /v1beta/models | -")]
#[case("GET", "/v1/models?pageSize=2&key=t", "list_models | /{version}/models | /v1/models?pageSize=2 | -")]
#[case(
    "GET",
    "/v1alpha/models/gemini-x",
    "get_model | /{version}/models/{model} | /v1alpha/models/gemini-x | gemini-x"
)]
#[case(
    "POST",
    "/v1/models/gemini-3.8-flash:generateContent",
    "generate_content | /{version}/models/{model}:generateContent | /v1/models/gemini-3.8-flash:generateContent | gemini-3.8-flash"
)]
#[case(
    "POST",
    "/v1beta/models/gemini-3.8-flash%3AgenerateContent",
    "generate_content | /{version}/models/{model}:generateContent | /v1beta/models/gemini-3.8-flash:generateContent | gemini-3.8-flash"
)]
#[case(
    "POST",
    "/v1beta/models/g%65mini-x:streamGenerateContent?alt=sse&access_token=t",
    "stream_generate_content | /{version}/models/{model}:streamGenerateContent | /v1beta/models/gemini-x:streamGenerateContent?alt=sse | gemini-x"
)]
#[case(
    "POST",
    "/v1beta/models/x:countTokens",
    "count_tokens | /{version}/models/{model}:countTokens | /v1beta/models/x:countTokens | x"
)]
#[case(
    "POST",
    "/v1beta/models/x:embedContent?$alt=json;enum-encoding=int",
    "embed_content | /{version}/models/{model}:embedContent | /v1beta/models/x:embedContent?$alt=json;enum-encoding=int | x"
)]
#[case(
    "POST",
    "/v1beta/tunedModels/my-model:generateContent",
    "generate_content | /{version}/tunedModels/{model}:generateContent | /v1beta/tunedModels/my-model:generateContent | tunedModels/my-model"
)]
#[case(
    "POST",
    "/v1beta/models/sp%C3%A9cial@2:generateContent",
    "generate_content | /{version}/models/{model}:generateContent | /v1beta/models/sp%C3%A9cial%402:generateContent | spécial@2"
)]
#[case(
    "GET",
    "/v1beta/openai/models",
    "openai_list_models | /{version}/openai/models | /v1beta/openai/models | -"
)]
#[case(
    "GET",
    "/openai/v1/models",
    "openai_list_models | /{version}/openai/models | /v1beta/openai/models | -"
)]
#[case(
    "GET",
    "/v1/openai/models/x",
    "openai_get_model | /{version}/openai/models/{model} | /v1/openai/models/x | x"
)]
#[case(
    "GET",
    "/openai/v1/models/models/x",
    "openai_get_model | /{version}/openai/models/{model} | /v1beta/openai/models/models/x | x"
)]
fn known_routes(#[case] method: &str, #[case] target: &str, #[case] expected: &str) {
    let intent = Call::new(method, target).understood().unwrap();
    assert_eq!(gist(&intent), expected);
    assert_eq!(intent.replay, Replay::Safe);
    let is_tuned = target.contains("tunedModels");
    assert!(
        intent.references.is_empty() != is_tuned && !intent.opens_session && intent.access == Access::Token
    );
}

#[rstest]
#[case(
    r#"{"messages":[{"content":"hi"}],"model":"models/gemini-x","stream":true}"#,
    "chat_completions | /{version}/openai/chat/completions | /v1beta/openai/chat/completions | gemini-x",
    Streaming::Events
)]
#[case(
    r#"{"model":"gemini\u002dx","stream":false}"#,
    "chat_completions | /{version}/openai/chat/completions | /v1beta/openai/chat/completions | gemini-x",
    Streaming::Whole
)]
#[case(
    r#"{"stream":null}"#,
    "chat_completions | /{version}/openai/chat/completions | /v1beta/openai/chat/completions | -",
    Streaming::Whole
)]
fn chat_completions_are_read_from_their_body(
    #[case] body: &'static str,
    #[case] expected: &str,
    #[case] streaming: Streaming,
) {
    for path in ["/openai/v1/chat/completions", "/v1beta/openai/chat/completions"] {
        let intent = Call::post(path, body).understood().unwrap();
        assert_eq!(gist(&intent), expected);
        assert_eq!(intent.streaming, streaming);
        assert_eq!((intent.right, intent.user_units), (Right::Chat, 1));
    }
}

fn references(intent: &Intent) -> String {
    intent.references.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What names a resource goes to its owner; what makes one is never sent twice on a guess.
#[rstest]
#[case(
    "POST",
    "/v1/interactions",
    r#"{"model":"models/gemini-x","input":"hi","previous_interaction_id":"v1_a"}"#,
    "create_interaction | /{version}/interactions | /v1/interactions | gemini-x",
    "interactions/v1_a",
    Replay::OnlyIfRefused,
    1
)]
#[case(
    "POST",
    "/v1beta/interactions",
    r#"{"agent":"deep-research","background":true,"store":false}"#,
    "create_interaction | /{version}/interactions | /v1beta/interactions | deep-research",
    "agents/deep-research",
    Replay::Safe,
    1
)]
#[case(
    "GET",
    "/v1beta/interactions/v1_a?stream=true&last_event_id=e",
    "",
    "get_interaction | /{version}/interactions/{interaction} | /v1beta/interactions/v1_a?stream=true&last_event_id=e | -",
    "interactions/v1_a",
    Replay::Safe,
    0
)]
#[case(
    "DELETE",
    "/v1beta/interactions/v1_a",
    "",
    "delete_interaction | /{version}/interactions/{interaction} | /v1beta/interactions/v1_a | -",
    "interactions/v1_a",
    Replay::OnlyIfRefused,
    0
)]
#[case(
    "POST",
    "/v1beta/interactions/v1_a/cancel",
    "",
    "cancel_interaction | /{version}/interactions/{interaction}/cancel | /v1beta/interactions/v1_a/cancel | -",
    "interactions/v1_a",
    Replay::OnlyIfRefused,
    0
)]
#[case(
    "POST",
    "/openai/v1/images/generations",
    r#"{"model":"gemini-image","prompt":"a cat"}"#,
    "openai_images | /{version}/openai/images/generations | /v1beta/openai/images/generations | gemini-image",
    "",
    Replay::Safe,
    1
)]
#[case(
    "POST",
    "/openai/v1/batches",
    r#"{"input_file_id":"files/f-1","endpoint":"/v1/chat/completions"}"#,
    "openai_create_batch | /{version}/openai/batches | /v1beta/openai/batches | -",
    "files/f-1",
    Replay::OnlyIfRefused,
    1
)]
#[case(
    "GET",
    "/openai/v1/batches/batches%2Fb-1",
    "",
    "openai_get_batch | /{version}/openai/batches/{batch} | /v1beta/openai/batches/batches/b-1 | -",
    "batches/b-1",
    Replay::Safe,
    0
)]
#[case(
    "POST",
    "/v1beta/openai/batches/b-1/cancel",
    "",
    "openai_cancel_batch | /{version}/openai/batches/{batch}/cancel | /v1beta/openai/batches/b-1/cancel | -",
    "batches/b-1",
    Replay::OnlyIfRefused,
    0
)]
#[case(
    "POST",
    "/v1beta/openai/videos",
    "--form",
    "openai_create_video | /{version}/openai/videos | /v1beta/openai/videos | -",
    "",
    Replay::OnlyIfRefused,
    1
)]
#[case(
    "GET",
    "/v1beta/openai/videos/v-1/content",
    "",
    "openai_download_video | /{version}/openai/videos/{video}/content | /v1beta/openai/videos/v-1/content | -",
    "videos/v-1",
    Replay::Safe,
    0
)]
fn what_is_kept_at_the_provider_is_found(
    #[case] method: &str,
    #[case] target: &str,
    #[case] body: &'static str,
    #[case] expected: &str,
    #[case] named: &str,
    #[case] replay: Replay,
    #[case] user_units: u32,
) {
    let call = Call { body: body.into(), ..Call::new(method, target) };
    let intent = call.understood().unwrap();
    assert_eq!(gist(&intent), expected);
    assert_eq!(references(&intent), named);
    assert_eq!((intent.replay, intent.user_units), (replay, user_units));
}

#[rstest]
#[case("/v1/interactions", r#"{"stream":true}"#, Streaming::Events)]
#[case("/v1/interactions", r#"{"stream":false}"#, Streaming::Whole)]
fn an_interaction_streams_by_its_body(
    #[case] path: &str,
    #[case] body: &'static str,
    #[case] streaming: Streaming,
) {
    assert_eq!(Call::post(path, body).understood().unwrap().streaming, streaming);
}

/// JavaScript encodes the slash in an id.
#[test]
fn a_listed_model_can_be_asked_for_by_its_id() {
    for target in ["/openai/v1/models/models%2Fgemini-x", "/openai/v1/models/models/gemini-x"] {
        let intent = Call::get(target).understood().unwrap();
        assert_eq!(intent.target, "/v1beta/openai/models/models/gemini-x");
        assert_eq!(intent.model.as_ref().map(ModelName::as_str), Some("gemini-x"));
    }
    for hostile in ["/openai/v1/models/models%2F..%2Fx", "/openai/v1/models/a%2Fb", "/openai/v1/batches/%2Fb"]
    {
        assert_eq!(Call::get(hostile).understood().unwrap_err().kind, ErrorKind::BadRequest);
    }
}

/// An `OpenAI` SDK hangs up after its own timeout, and asks again.
#[rstest]
#[case("x-stainless-timeout", "30", false, Some(30))]
#[case("x-stainless-read-timeout", "7.0", false, Some(7))]
#[case("x-stainless-read-timeout", "7.0", true, None)]
#[case("x-stainless-timeout", "0", false, None)]
#[case("x-stainless-timeout", "never", false, None)]
fn the_timeout_of_an_openai_sdk_is_the_deadline_of_a_whole_answer(
    #[case] header: &'static str,
    #[case] value: &str,
    #[case] is_stream: bool,
    #[case] seconds: Option<u64>,
) {
    let body = if is_stream { r#"{"stream":true}"# } else { "{}" };
    let call = Call::post("/openai/v1/chat/completions", body).with(header, value);
    assert_eq!(call.understood().unwrap().caller_deadline, seconds.map(Duration::from_secs));
    let stricter = call.with("x-server-timeout", "2");
    assert_eq!(stricter.understood().unwrap().caller_deadline, Some(Duration::from_secs(2)));
}

#[rstest]
#[case("?alt=sse", Streaming::Events)]
#[case("?%24alt=sse&prettyPrint=false", Streaming::Events)]
#[case("", Streaming::JsonArray)]
#[case("?alt=json", Streaming::JsonArray)]
fn a_stream_comes_as_events_only_when_asked(#[case] query: &str, #[case] streaming: Streaming) {
    let call = Call::post(&format!("/v1beta/models/x:streamGenerateContent{query}"), "{}");
    assert_eq!(call.understood().unwrap().streaming, streaming);
}

/// Each text of a batch is a request for Google, and a unit for the user.
#[rstest]
#[case("/v1beta/models/x:embedContent", r#"{"content":{"parts":[{"text":"a"}]}}"#, 1)]
#[case("/v1/models/x:batchEmbedContents", r#"{"requests":[{"content":{}},{"content":{"parts":[]}},{}]}"#, 3)]
#[case("/v1/models/x:batchEmbedContents", r#"{"requests":[]}"#, 1)]
#[case("/v1/models/x:batchEmbedContents", "{}", 1)]
#[case("/openai/v1/embeddings", r#"{"model":"x","input":"one text"}"#, 1)]
#[case("/openai/v1/embeddings", r#"{"model":"x","input":["one","two"]}"#, 2)]
#[case("/openai/v1/embeddings", r#"{"model":"x","input":[1,2,3]}"#, 1)]
#[case("/openai/v1/embeddings", r#"{"model":"x","input":[[1,2],[3],[]]}"#, 3)]
#[case("/openai/v1/embeddings", r#"{"model":"x","input":null}"#, 1)]
fn embeddings_count_their_texts(#[case] path: &str, #[case] body: &'static str, #[case] texts: u32) {
    let intent = Call::post(path, body).understood().unwrap();
    assert_eq!(intent.right, Right::Embed);
    assert_eq!((intent.estimate.requests, intent.user_units), (texts, 1));
    assert_eq!(intent.estimate.input_tokens, body.len().div_ceil(4) as u64);
}

#[test]
fn what_costs_nothing_is_estimated_as_nothing() {
    let count = Call::post("/v1/models/x:countTokens", r#"{"contents":[]}"#).understood().unwrap();
    assert_eq!((count.user_units, count.estimate.requests, count.estimate.input_tokens), (1, 1, 0));
    for target in ["/v1/models", "/v1/models/x", "/openai/v1/models", "/openai/v1/models/x"] {
        let read = Call::get(target).understood().unwrap();
        assert_eq!((read.user_units, read.estimate.requests, read.estimate.input_tokens), (0, 0, 0));
    }
}

/// A native body may be 100 MB: it is looked through for names, and whether it is JSON is nobody's business.
#[test]
fn native_generate_bodies_need_not_be_json() {
    let call = Call::post("/v1/models/x:generateContent", vec![b'{'; 1_000_000]);
    assert_eq!(call.understood().unwrap().estimate.input_tokens, 250_000);
}

#[rstest]
#[case("30", Some(30_000))]
#[case(" 7 ", Some(7_000))]
#[case("1.5", Some(1_500))]
#[case("0", None)]
#[case("-1", None)]
#[case("inf", None)]
#[case("soon", None)]
fn the_caller_may_set_a_deadline_in_seconds(#[case] value: &str, #[case] milliseconds: Option<u64>) {
    let call = Call::post("/v1/models/x:generateContent", "{}").with("x-server-timeout", value);
    assert_eq!(call.understood().unwrap().caller_deadline, milliseconds.map(Duration::from_millis));
}

#[rstest]
#[case::parent("/v1beta/models/..:generateContent")]
#[case::parent_encoded("/v1beta/models/%2e%2e:generateContent")]
#[case::parent_half_encoded("/v1beta/models/.%2E:generateContent")]
#[case::parent_segment("/v1beta/../v1/models")]
#[case::parent_segment_encoded("/v1beta/models/%2e%2e/files")]
#[case::parent_with_parameter("/v1beta/models/..;x:generateContent")]
#[case::here("/v1beta/./models")]
#[case::slash("/v1beta/models/x%2F..%2Ffiles:generateContent")]
#[case::slash_lower("/v1beta/models/a%2fb:generateContent")]
#[case::backslash("/v1beta/models/a\\b:generateContent")]
#[case::backslash_encoded("/v1beta/models/a%5Cb:generateContent")]
#[case::encoded_twice("/v1beta/models/%252e%252e:generateContent")]
#[case::null("/v1beta/models/a%00:generateContent")]
#[case::newline("/v1beta/models/a%0d%0ahost:generateContent")]
#[case::no_text("/v1beta/models/%FF:generateContent")]
#[case::broken_encoding("/v1beta/models/a%2:generateContent")]
#[case::no_name("/v1beta/models/:generateContent")]
#[case::trailing_slash("/v1beta/models/")]
#[case::empty_segment("/v1beta//models")]
#[case::two_verbs("/v1beta/models/a:countTokens:generateContent")]
#[case::two_verbs_encoded("/v1beta/models/a%3AcountTokens:generateContent")]
#[case::space("/v1beta/models/a%20is%20no%20longer%20available:generateContent")]
#[case::openai_parent("/openai/v1/../files")]
fn a_model_name_cannot_leave_its_segment(#[case] target: &str) {
    for method in ["GET", "POST"] {
        let rejected = Call::new(method, target).understood().unwrap_err();
        let is_get_with_verb = rejected.kind == ErrorKind::MethodNotAllowed && method == "GET";
        assert!(
            rejected.kind == ErrorKind::BadRequest || is_get_with_verb,
            "{method} {target}: {rejected:?}"
        );
    }
}

#[test]
fn names_are_bounded() {
    let path = format!("/v1/models/{}:generateContent", "x".repeat(257));
    assert_eq!(Call::post(&path, "{}").understood().unwrap_err().kind, ErrorKind::BadRequest);
    let body = format!(r#"{{"model":"{}"}}"#, "x".repeat(257));
    let rejected = Call::post("/openai/v1/chat/completions", body).understood().unwrap_err();
    assert_eq!(rejected.kind, ErrorKind::BadRequest);
}

#[rstest]
#[case("POST", "/v1/models")]
#[case("DELETE", "/v1/models/x")]
#[case("POST", "/v1/models/x")]
#[case("GET", "/v1/models/x:generateContent")]
#[case("PUT", "/v1beta/tunedModels/x:streamGenerateContent")]
#[case("GET", "/openai/v1/chat/completions")]
#[case("POST", "/v1beta/openai/models")]
fn known_routes_say_which_method_they_take(#[case] method: &str, #[case] target: &str) {
    let rejected = Call::new(method, target).understood().unwrap_err();
    assert_eq!(rejected.kind, ErrorKind::MethodNotAllowed);
    assert!(rejected.message.contains("takes"), "{rejected}");
}

#[rstest]
#[case("/v2/models")]
#[case("/v1")]
#[case("/v1beta/openai/files")]
#[case("/v1beta/openai/batches/b/c/d")]
#[case("/openai/v1")]
#[case("/openai/v1/chat")]
#[case("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateNothing")]
fn unknown_routes_say_what_is_served(#[case] target: &str) {
    for method in ["GET", "POST"] {
        let rejected = Call::new(method, target).understood().unwrap_err();
        assert_eq!(rejected.kind, ErrorKind::NotFound, "{method} {target}");
        assert!(rejected.message.contains("generateContent") && rejected.message.contains("openai"));
    }
}

#[rstest]
#[case("/openai/v1/chat/completions", "{\"model\":", "not valid JSON")]
#[case("/openai/v1/chat/completions", "", "not valid JSON")]
#[case("/openai/v1/chat/completions", "[1]", "does not fit")]
#[case("/openai/v1/chat/completions", r#"{"model":5}"#, "does not fit")]
#[case("/openai/v1/chat/completions", r#"{"model":"a","stream":"yes"}"#, "does not fit")]
#[case("/openai/v1/chat/completions", r#"{"model":"cheap","model":"dear"}"#, "does not fit")]
#[case("/openai/v1/embeddings", r#"{"model":"a","input":7}"#, "does not fit")]
#[case("/v1/models/x:batchEmbedContents", r#"{"requests":{}}"#, "does not fit")]
#[case("/v1/models/x:batchEmbedContents", r#"{"requests":[{]}"#, "not valid JSON")]
fn bodies_that_must_be_read_must_be_readable(
    #[case] path: &str,
    #[case] body: &'static str,
    #[case] expected: &str,
) {
    let rejected = Call::post(path, body).understood().unwrap_err();
    assert_eq!(rejected.kind, ErrorKind::BadRequest);
    assert!(rejected.message.contains(expected), "{rejected}");
}
