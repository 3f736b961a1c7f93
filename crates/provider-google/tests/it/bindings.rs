//! What answers say of what belongs to whom.

use keygate_domain::{Binding, Resource};
use keygate_provider::{Ended, Metered};
use rstest::rstest;

use super::{Call, google};

fn metered(call: &Call, answer: &str) -> Metered {
    let watch = |chunks: Vec<&[u8]>| {
        let mut meter = google().meter(&call.understood().unwrap(), &call.inbound());
        for chunk in chunks {
            meter.see(chunk);
        }
        meter.finish(Ended::Complete)
    };
    let whole = watch(vec![answer.as_bytes()]);
    assert_eq!(watch(answer.as_bytes().chunks(7).collect()), whole, "whatever the chunks");
    whole
}

fn shown(bindings: &[Binding]) -> Vec<String> {
    bindings
        .iter()
        .map(|binding| format!("{} {}h", binding.resource, binding.lifetime.as_secs() / 3600))
        .collect()
}

#[rstest]
#[case("cachedContents", r#"{"name":"cachedContents/c","createTime":"2026-11-20T10:00:00Z","updateTime":"2026-11-20T10:00:00Z","expireTime":"2026-11-20T15:00:00Z"}"#, &["cachedContents/c 5h"])]
#[case("cachedContents", r#"{"name":"cachedContents/c"}"#, &["cachedContents/c 2h"])]
#[case("models/m:batchGenerateContent", r#"{"name":"batches/b","metadata":{"@type":"x","name":"batches/b"}}"#, &["batches/b 1080h"])]
#[case("models/m:predictLongRunning", r#"{"name":"models/m/operations/o"}"#, &["models/m/operations/o 720h"])]
#[case("fileSearchStores", r#"{"name":"fileSearchStores/s","displayName":"files/x"}"#, &["fileSearchStores/s 9600h"])]
#[case("tunedModels", r#"{"name":"tunedModels/t/operations/o","metadata":{}}"#, &["tunedModels/t 9600h"])]
#[case("files:register", r#"{"files":[{"name":"files/a"},{"name":"files/b"}]}"#, &["files/a 2h", "files/b 2h"])]
#[case("interactions", r#"{"id":"v1_x","object":"interaction","status":"requires_continuation","continuation_token":"t"}"#, &["continuation_tokens/e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8 1h", "interactions/v1_x 2h"])]
#[case("agents", r#"{"id":"mine","base_agent":"x"}"#, &["agents/mine 9600h"])]
#[case("environments", r#"{"id":"e1"}"#, &["environments/e1 9600h"])]
#[case("triggers/t/executions", r#"{"id":"x1","trigger_id":"t","interaction_id":"v1_y"}"#, &["interactions/v1_y 1320h"])]
#[case("futures", r#"{"id":"f"}"#, &["resource/futures/f 9600h"])]
#[case("futures", r#"{"name":"futures/f"}"#, &["resource/futures/f 9600h"])]
#[case("futures", r#"{"name":"others/f"}"#, &[])]
#[case("cachedContents", "<html>", &[])]
#[case("cachedContents", r#"{"name":"cachedConte"#, &[])]
fn creations_are_their_makers(#[case] path: &str, #[case] answer: &str, #[case] expected: &[&str]) {
    // A lifetime asked for holds where the answer says none.
    let wishes_two_hours = matches!(path, "cachedContents" | "files:register" | "interactions");
    let body = if wishes_two_hours { r#"{"ttl":"7200s"}"# } else { "{}" };
    let metered = metered(&Call::post(&format!("/v1/{path}"), body), answer);
    assert_eq!(shown(&metered.bindings), expected);
    assert!(metered.found.is_empty() && metered.gone.is_empty());
}

#[test]
fn a_token_is_not_remembered_by_its_name() {
    let metered =
        metered(&Call::post("/v1alpha/auth_tokens", r#"{"uses":1}"#), r#"{"name":"auth_tokens/secret"}"#);
    let [binding] = &metered.bindings[..] else { panic!("{metered:?}") };
    assert!(!binding.resource.to_string().contains("secret"));
    assert_eq!(binding.lifetime.as_secs(), 20 * 3600);
}

#[test]
fn what_a_batch_left_behind_is_its_makers() {
    let answer = r#"{"name":"batches/b","done":true,"metadata":{"output":{"responsesFile":"files/batch-b"}},"response":{"responsesFile":"files/batch-b","text":"files/no"}}"#;
    let batch = metered(&Call::get("/v1beta/batches/b"), answer);
    assert_eq!(shown(&batch.bindings), ["files/batch-b 48h"]);
    assert_eq!(shown(&batch.found), ["batches/b 1080h"]);
    let video = r#"{"name":"models/m/operations/o","done":true,"metadata":{"x":{"video":{"uri":"https://generativelanguage.googleapis.com/v1beta/files/v:download?alt=media"}}}}"#;
    let operation = metered(&Call::get("/v1beta/models/m/operations/o"), video);
    assert_eq!(shown(&operation.bindings), ["files/v 48h"]);
}

#[test]
fn what_is_read_was_found_and_what_is_changed_may_end_later() {
    let answer = r#"{"name":"cachedContents/c","updateTime":"2026-11-20T10:00:00Z","expireTime":"2026-11-20T13:00:00Z"}"#;
    let read = metered(&Call::get("/v1/cachedContents/c"), answer);
    assert!(read.bindings.is_empty());
    assert_eq!(shown(&read.found), ["cachedContents/c 1h"]);
    let changed = metered(
        &Call { body: r#"{"ttl":"10800s"}"#.into(), ..Call::new("PATCH", "/v1/cachedContents/c") },
        answer,
    );
    assert_eq!(shown(&changed.bindings), ["cachedContents/c 3h"]);
}

#[test]
fn what_was_used_is_the_groups_unless_it_may_be_everybodys() {
    let body = r#"{"cachedContent":"cachedContents/c","agent":"public","environment":"remote"}"#;
    let call = Call::post("/v1/models/m:generateContent", body);
    let answer = r#"{"candidates":[],"usageMetadata":{"totalTokenCount":3}}"#;
    let used = metered(&call, answer);
    assert_eq!(shown(&used.found), ["cachedContents/c 1h"]);
    assert_eq!(used.usage.map(|usage| usage.total_tokens), Some(3), "and its tokens are counted");
    let failed = metered(&call, r#"{"error":{"code":503,"status":"UNAVAILABLE"}}"#);
    assert!(failed.found.is_empty() && failed.failure.is_some());
    assert!(metered(&Call::post("/v1/models/m:generateContent", "{}"), answer).found.is_empty());
}

#[rstest]
#[case("files/x", Some("files/x"))]
#[case("fileSearchStores/s?force=true", Some("fileSearchStores/s"))]
#[case("models/m/operations/o", Some("models/m/operations/o"))]
#[case("interactions/v1_x", Some("interactions/v1_x"))]
#[case("fileSearchStores/s/documents/d", None)]
fn what_is_deleted_is_gone(#[case] path: &str, #[case] gone: Option<&str>) {
    let metered = metered(&Call::new("DELETE", &format!("/v1/{path}")), "{}");
    let told: Vec<String> = metered.gone.iter().map(Resource::to_string).collect();
    assert_eq!(told, gone.map(str::to_owned).into_iter().collect::<Vec<_>>());
    assert!(metered.bindings.is_empty() && metered.found.is_empty());
}

const CREATED: &str = "event: interaction.created\r\ndata: {\"event_type\":\"interaction.created\",\"interaction\":{\"id\":\"v1_x\",\"status\":\"in_progress\"}}\r\n\r\n";

#[test]
fn a_streamed_interaction_is_known_from_its_first_event_on() {
    let call = Call::post("/v1/interactions", r#"{"model":"m","stream":true,"input":"files/no"}"#);
    let mut meter = google().meter(&call.understood().unwrap(), &call.inbound());
    meter.see(&CREATED.as_bytes()[..20]);
    assert!(meter.created().is_empty());
    meter.see(&CREATED.as_bytes()[20..]);
    assert_eq!(shown(&meter.created()), ["interactions/v1_x 1320h"]);
    for _ in 0..20_000 {
        meter.see(b"event: step.delta\r\ndata: {\"event_type\":\"step.delta\",\"delta\":{\"text\":\"files/no\"}}\r\n\r\n");
    }
    meter.see(b"data: {\"event_type\":\"interaction.completed\",\"interaction\":{\"id\":\"v1_x\",\"continuation_token\":\"t\"}}\r\n\r\n");
    let last = meter.finish(Ended::Complete).bindings;
    assert_eq!(last.len(), 1, "{last:?}");
    assert_eq!(last[0].resource.kind, "continuation_tokens");
}

/// The bytes `fb ef ff`, as Google writes them and as its Python SDK sends them back.
const TOKEN: &str = r#""++\u002f\u002f""#;

#[rstest]
#[case::whole(
    "generateContent",
    "{\"candidates\":[{\"content\":{},\"finishReason\":\"CONTINUATION\",\"continuationToken\":TOKEN}]}"
)]
#[case::events(
    "streamGenerateContent?alt=sse",
    "data: {\"responseId\":\"r\"}\r\n\r\ndata: {\"candidates\":[{\"continuationToken\":TOKEN}]}\r\n\r\n"
)]
#[case::array("streamGenerateContent", "[{\"candidates\":[{\"continuationToken\":TOKEN}]}]")]
fn a_long_answer_is_gone_on_with_where_it_began(#[case] verb: &str, #[case] answer: &str) {
    let answer = answer.replace("TOKEN", TOKEN);
    let bindings = metered(&Call::post(&format!("/v1/models/m:{verb}"), "{}"), &answer).bindings;
    let [binding] = &bindings[..] else { panic!("{bindings:?}") };
    assert_eq!((binding.resource.kind, binding.lifetime.as_secs()), ("continuation_tokens", 3600));
    for token in ["++//", "--__"] {
        let body = format!(r#"{{"contents":[],"continuationToken":"{token}"}}"#);
        let next = Call::post("/v1/models/m:generateContent", body).understood().unwrap();
        assert_eq!(next.references, std::slice::from_ref(&binding.resource));
    }
}

#[test]
fn a_stream_that_can_be_gone_on_with_says_so_before_it_ends() {
    let call = Call::post("/v1/models/m:streamGenerateContent?alt=sse", r#"{"contents":[]}"#);
    let mut meter = google().meter(&call.understood().unwrap(), &call.inbound());
    meter.see(b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\\\"continuationToken\\\":\\\"no\\\"\"}]}}]}\r\n\r\n");
    assert_eq!(meter.created(), []);
    let mut told = Vec::new();
    for number in 0..6 {
        meter.see(
            format!("data: {{\"candidates\":[{{\"continuationToken\":\"t{number}\"}}]}}\r\n\r\n").as_bytes(),
        );
        let created = meter.created();
        assert_eq!(meter.created(), [], "told once");
        told.push(created.len());
    }
    assert_eq!(told, [1, 1, 1, 1, 2, 2], "those that came long before are let go");
    let failed = b"data: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"},\"candidates\":[{\"continuationToken\":\"last\"}]}\r\n\r\n";
    meter.see(failed);
    let end = meter.finish(Ended::Broken);
    assert!(end.failure.is_some() && end.bindings.len() == 2, "{end:?}");
}

#[test]
fn a_model_cannot_forge_a_token() {
    let answer = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"continuationToken":"x"}}}]}}],"continuationToken":"x"}"#;
    assert_eq!(metered(&Call::post("/v1/models/m:generateContent", "{}"), answer).bindings, []);
}

#[test]
fn who_left_a_stream_early_can_come_back_to_it() {
    let call = Call::post("/v1/interactions", r#"{"model":"m","stream":true}"#);
    let mut meter = google().meter(&call.understood().unwrap(), &call.inbound());
    meter.see(CREATED.as_bytes());
    assert_eq!(shown(&meter.finish(Ended::Abandoned).bindings), ["interactions/v1_x 1320h"]);
}

fn live_with(token: &str) -> Call {
    let path = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained";
    Call::get(&format!("{path}?access_token={token}")).with("upgrade", "websocket")
}

/// One name for one thing, whichever surface it was made on and whichever names it.
#[rstest]
#[case::uploaded(
    Call::post("/upload/v1beta/files?upload_id=u", ""),
    r#"{"file":{"name":"files/f","expirationTime":"2026-11-20T10:00:00Z"}}"#,
    vec![
        Call::get("/v1/files/f"),
        Call::new("DELETE", "/v1beta/files/f"),
        Call::get("/v1/files/f:download?alt=media"),
        Call::get("/download/v1beta/files/f:download?alt=media"),
        Call::post("/v1/models/m:generateContent", r#"{"fileUri":"https://gateway.example/v1beta/files/f"}"#),
        Call::post("/openai/v1/batches", r#"{"input_file_id":"files/f"}"#),
        Call::post("/v1beta/openai/batches", r#"{"input_file_id":"f"}"#),
    ]
)]
#[case::interaction(
    Call::post("/v1/interactions", r#"{"model":"m"}"#),
    r#"{"id":"v1_a","status":"completed"}"#,
    vec![
        Call::get("/v1beta/interactions/v1_a?stream=true"),
        Call::post("/v1/interactions/v1_a/cancel", ""),
        Call::post("/v1/interactions", r#"{"previous_interaction_id":"v1_a"}"#),
    ]
)]
#[case::interaction_not_kept(
    Call::post("/v1/interactions", r#"{"model":"m","store":false}"#),
    r#"{"id":"v1_a","status":"requires_action"}"#,
    vec![Call::post("/v1/interactions", r#"{"previous_interaction_id":"v1_a"}"#)]
)]
#[case::openai_batch(
    Call::post("/openai/v1/batches", r#"{"input_file_id":"files/f"}"#),
    r#"{"id":"batches/b","object":"batch","input_file_id":"files/f"}"#,
    vec![
        Call::get("/v1/batches/b"),
        Call::get("/v1beta/openai/batches/b"),
        Call::post("/openai/v1/batches/batches%2Fb/cancel", ""),
    ]
)]
#[case::native_batch(
    Call::post("/v1beta/models/m:batchGenerateContent", "{}"),
    r#"{"name":"batches/b"}"#,
    vec![Call::get("/openai/v1/batches/batches%2Fb"), Call::post("/v1/batches/b:cancel", "")]
)]
#[case::what_a_batch_left(
    Call::get("/openai/v1/batches/batches/b"),
    r#"{"id":"batches/b","status":"completed","output_file_id":"files/batch-b"}"#,
    vec![Call::get("/download/v1beta/files/batch-b:download?alt=media")]
)]
#[case::video(
    Call::post("/openai/v1/videos", r#"{"prompt":"a cat"}"#),
    r#"{"id":"videos/v","object":"video"}"#,
    vec![Call::get("/v1beta/openai/videos/v/content"), Call::new("DELETE", "/openai/v1/videos/videos%2Fv")]
)]
#[case::token(
    Call::post("/v1alpha/auth_tokens", r#"{"uses":1}"#),
    r#"{"name":"auth_tokens/abc"}"#,
    vec![live_with("auth_tokens/abc")]
)]
fn what_one_made_the_others_know(#[case] made: Call, #[case] answer: &str, #[case] named: Vec<Call>) {
    let bindings = metered(&made, answer).bindings;
    let [binding] = &bindings[..] else { panic!("{bindings:?}") };
    for call in named {
        let references = call.understood().unwrap().references;
        assert_eq!(references, std::slice::from_ref(&binding.resource), "{}", call.path);
    }
}

#[test]
fn nobody_comes_to_own_what_a_list_or_the_bytes_of_a_file_name() {
    let names = r#"{"object":"list","data":[{"id":"batches/b","output_file_id":"files/of-others"}]}"#;
    for path in [
        "/openai/v1/batches",
        "/v1beta/openai/videos",
        "/v1beta/batches",
        "/openai/v1/videos/v/content",
        "/v1/files/f:download?alt=media",
    ] {
        assert_eq!(metered(&Call::get(path), names).bindings, [], "{path}");
    }
}

#[test]
fn a_deleted_video_is_gone() {
    let metered = metered(&Call::new("DELETE", "/openai/v1/videos/videos%2Fv"), "{}");
    assert_eq!(metered.gone, [Resource::new("videos", "v")]);
}
