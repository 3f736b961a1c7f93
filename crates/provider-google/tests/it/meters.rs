//! Meters: what they see of an answer, however its bytes are cut.

use keygate_domain::{BucketName, Fault, Scope, Usage};
use keygate_provider::{Ended, Meter, Metered};
use proptest::prelude::*;
use rstest::rstest;

use super::{Call, google};

pub(super) const WHOLE: &str = "/v1/models/x:generateContent";
pub(super) const ARRAY: &str = "/v1/models/x:streamGenerateContent";
pub(super) const EVENTS: &str = "/v1/models/x:streamGenerateContent?alt=sse";
const OPENAI: &str = "/openai/v1/chat/completions";
pub(super) const OPENAI_EVENTS: &str = "/v1beta/openai/chat/completions";
const INTERACTION: &str = "/v1beta/interactions";
pub(super) const INTERACTION_EVENTS: &str = "/v1/interactions";

pub(super) fn meter(target: &str) -> Box<dyn Meter> {
    let is_stream = target == OPENAI_EVENTS || target == INTERACTION_EVENTS;
    let body = if is_stream { r#"{"stream":true}"# } else { "{}" };
    let call = Call::post(target, body);
    google().meter(&call.understood().unwrap(), &call.inbound())
}

fn metered<'c>(target: &str, chunks: impl IntoIterator<Item = &'c [u8]>) -> Metered {
    let mut meter = meter(target);
    for chunk in chunks {
        meter.see(chunk);
    }
    meter.finish(Ended::Complete)
}

/// What a meter saw, on one line; the same for the answer in one piece, in two pieces cut at
/// every byte, and byte by byte.
fn seen(target: &str, answer: &str) -> String {
    let bytes = answer.as_bytes();
    let whole = metered(target, [bytes]);
    for cut in 0..=bytes.len() {
        assert_eq!(metered(target, [&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut}");
    }
    assert_eq!(metered(target, bytes.chunks(1)), whole, "byte by byte");
    gist(&whole)
}

fn gist(metered: &Metered) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let usage = metered.usage.map_or_else(
        || "-".to_owned(),
        |usage: Usage| {
            format!(
                "in {} out {} thoughts {} cached {} total {}",
                usage.input_tokens,
                usage.output_tokens,
                usage.thought_tokens,
                usage.cached_tokens,
                usage.total_tokens
            )
        },
    );
    let failure = metered.failure.as_ref().map_or("-", |failure| failure.fault.as_str());
    let model = text(&metered.response_model);
    let id = text(&metered.response_id);
    format!("{usage} | {model} | {id} | {} | {failure}", text(&metered.finish_reason))
}

const HELLO: &str = r#"{
  "candidates": [
    {
      "content": { "parts": [ { "text": "Hi \"there\", {usageMetadata} \\" } ], "role": "model" },
      "finishReason": "STOP",
      "index": 0
    }
  ],
  "usageMetadata": {
    "promptTokenCount": 7,
    "candidatesTokenCount": 17,
    "thoughtsTokenCount": 5,
    "cachedContentTokenCount": 3,
    "totalTokenCount": 29,
    "promptTokensDetails": [ { "modality": "TEXT", "tokenCount": 7 } ]
  },
  "modelVersion": "gemini-3.8-flash",
  "responseId": "r-1"
}
"#;

const HELLO_SEEN: &str = "in 7 out 17 thoughts 5 cached 3 total 29 | gemini-3.8-flash | r-1 | STOP | -";

/// The framings of facts §3.4: what Google sends, and what others were seen to send.
#[rstest]
#[case::pretty(WHOLE, HELLO, HELLO_SEEN)]
#[case::whole_in_an_array(WHOLE, &format!("[{HELLO}]"), HELLO_SEEN)]
#[case::array(
    ARRAY,
    "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],\"usageMetadata\":{\"promptTokenCount\":7,\"totalTokenCount\":7},\
     \"modelVersion\":\"m\",\"responseId\":\"r\"}\r\n,\r\n{\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}],\
     \"usageMetadata\":{\"promptTokenCount\":7,\"candidatesTokenCount\":2,\"totalTokenCount\":9}}\r\n]",
    "in 7 out 2 thoughts 0 cached 0 total 9 | m | r | MAX_TOKENS | -"
)]
#[case::array_that_breaks(
    ARRAY,
    "[{\"usageMetadata\":{\"promptTokenCount\":7,\"totalTokenCount\":7}},\n{\"usageMetadata\":{\"promptTokenCount\":9",
    "in 7 out 0 thoughts 0 cached 0 total 7 | - | - | - | -"
)]
#[case::array_with_an_error(
    ARRAY,
    "[{\"usageMetadata\":{\"promptTokenCount\":7}}\n,\n{\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}]",
    "in 7 out 0 thoughts 0 cached 0 total 7 | - | - | - | overloaded"
)]
#[case::events(
    EVENTS,
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\\n\"}]}}],\"usageMetadata\":{\"promptTokenCount\":7,\"totalTokenCount\":7},\
     \"modelVersion\":\"m\",\"responseId\":\"r\"}\r\n\r\n\
     data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":7,\"thoughtsTokenCount\":2,\"totalTokenCount\":9},\
     \"modelVersion\":\"m\",\"responseId\":\"r\"}\r\n\r\n",
    "in 7 out 0 thoughts 2 cached 0 total 9 | m | r | STOP | -"
)]
#[case::events_ended_by_line_feeds(
    EVENTS,
    "data:{\"modelVersion\":\"m\"}\n\ndata: {\"usageMetadata\":{\"promptTokenCount\":1}}\n\n",
    "in 1 out 0 thoughts 0 cached 0 total 1 | m | - | - | -"
)]
#[case::events_ended_by_carriage_returns(
    EVENTS,
    "data: {\"modelVersion\":\"m\"}\r\rdata: {\"usageMetadata\":{\"promptTokenCount\":1}}\r\r",
    "in 1 out 0 thoughts 0 cached 0 total 1 | m | - | - | -"
)]
#[case::the_last_event_lacks_its_blank_line(
    EVENTS,
    "data: {\"modelVersion\":\"m\"}\r\n\r\ndata: {\"usageMetadata\":{\"promptTokenCount\":1}}",
    "in 1 out 0 thoughts 0 cached 0 total 1 | m | - | - | -"
)]
#[case::an_event_over_several_lines(
    EVENTS,
    "data: {\"usageMetadata\":\r\ndata: {\"promptTokenCount\":\r\ndata: 4}}\r\n\r\n",
    "in 4 out 0 thoughts 0 cached 0 total 4 | - | - | - | -"
)]
#[case::an_event_that_breaks_off(
    EVENTS,
    "data: {\"usageMetadata\":{\"promptTokenCount\":1}}\r\n\r\ndata: {\"candidates\":[{\"content\":\"x\r\n\r\n\
     data: {\"usageMetadata\":{\"promptTokenCount\":2}}\r\n\r\n",
    "in 2 out 0 thoughts 0 cached 0 total 2 | - | - | - | -"
)]
#[case::comments_events_ids_and_done(
    EVENTS,
    ": keepalive {\"error\":{}}\r\n\r\nevent: x\r\nid: 7\r\nretry: 10\r\ndatum: {\"modelVersion\":\"no\"}\r\n\
     data: {\"modelVersion\":\"m\"}\r\n\r\ndata: [DONE]\r\n\r\ndata\r\n\r\n",
    "- | m | - | - | -"
)]
#[case::unusual_line_separators_in_text(
    EVENTS,
    "data: {\"candidates\":[{\"content\":\"a\u{2028}\u{2029}\u{85}b\",\"finishReason\":\"STOP\"}],\"modelVersion\":\"m\"}\r\n\r\n",
    "- | m | - | STOP | -"
)]
#[case::error_event(
    EVENTS,
    "data: {\"usageMetadata\":{\"promptTokenCount\":1}}\r\n\r\ndata: {\"error\":{\"code\":429,\"message\":\"Resource has been exhausted\",\
     \"status\":\"RESOURCE_EXHAUSTED\"}}\r\n\r\n",
    "in 1 out 0 thoughts 0 cached 0 total 1 | - | - | - | rate_limited"
)]
#[case::bare_error_on_one_line(
    EVENTS,
    "data: {\"usageMetadata\":{\"promptTokenCount\":1}}\r\n\r\n{\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}\n",
    "in 1 out 0 thoughts 0 cached 0 total 1 | - | - | - | overloaded"
)]
#[case::bare_error_over_lines_after_half_an_event(
    EVENTS,
    "data: {\"candidates\": [\r\n{\n  \"error\": {\n    \"code\": 500,\n    \"message\": \"data: x\",\n    \"status\": \"INTERNAL\"\n  }\n}\n",
    "- | - | - | - | server_error"
)]
#[case::bare_error_in_an_array(
    EVENTS,
    "[{\n  \"error\": {\n    \"code\": 504,\n    \"status\": \"DEADLINE_EXCEEDED\"\n  }\n}\n]\n",
    "- | - | - | - | timeout"
)]
#[case::blocked_prompt(
    WHOLE,
    r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}"#,
    "in 4 out 0 thoughts 0 cached 0 total 4 | - | - | - | -"
)]
#[case::several_candidates(
    WHOLE,
    r#"{"candidates":[{"finishReason":"STOP"},{"finishReason":"MAX_TOKENS"}],"modelVersion":null,"responseId" : "r\u002d1"}"#,
    "- | - | r-1 | MAX_TOKENS | -"
)]
#[case::error_in_a_success(
    WHOLE,
    r#"{"usageMetadata":{"promptTokenCount":4},"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#,
    "in 4 out 0 thoughts 0 cached 0 total 4 | - | - | - | overloaded"
)]
#[case::barred_account(
    WHOLE,
    r#"{"candidates":[{"finishReason":"PUP_LIMITED_DISABLED"}]}"#,
    "- | - | - | PUP_LIMITED_DISABLED | group_blocked"
)]
#[case::openai_whole(
    OPENAI,
    r#"{"id":"c-1","object":"chat.completion","model":"gemini-x","choices":[{"index":0,"message":{"content":"x","id":"no"},
       "finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":17,"total_tokens":30}}"#,
    "in 7 out 17 thoughts 6 cached 0 total 30 | gemini-x | c-1 | stop | -"
)]
#[case::openai_events(
    OPENAI_EVENTS,
    "data: {\"id\":\"c-1\",\"model\":\"gemini-x\",\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":null}],\"usage\":null}\n\n\
     data: {\"id\":\"c-1\",\"model\":\"gemini-x\",\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\
     \"usage\":{\"prompt_tokens\":7,\"completion_tokens\":17,\"total_tokens\":24}}\n\ndata: {\"choices\":[],\"usage\":null}\n\ndata: [DONE]\n\n",
    "in 7 out 17 thoughts 0 cached 0 total 24 | gemini-x | c-1 | length | -"
)]
#[case::openai_error_event(
    OPENAI_EVENTS,
    "data: [{\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}]\n\n",
    "- | - | - | - | overloaded"
)]
#[case::embeddings_say_nothing(
    "/v1/models/x:embedContent",
    r#"{"embedding":{"values":[0.1,-2e-5]}}"#,
    "- | - | - | - | -"
)]
#[case::embeddings_with_usage(
    "/v1/models/x:embedContent",
    r#"{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":3}}"#,
    "in 3 out 0 thoughts 0 cached 0 total 3 | - | - | - | -"
)]
#[case::openai_embeddings(
    "/openai/v1/embeddings",
    r#"{"object":"list","data":[{"embedding":[0.1]}],"model":"e","usage":{"prompt_tokens":3,"total_tokens":3}}"#,
    "in 3 out 0 thoughts 0 cached 0 total 3 | e | - | - | -"
)]
#[case::interaction(
    INTERACTION,
    r#"{"id":"v1_a","status":"completed","model":"gemini-x","steps":[{"type":"function_call","id":"no","arguments":
       {"usage":{"total_tokens":999},"error":{"code":"authentication"},"interaction":{"id":"no"}}}],"object":"interaction",
       "usage":{"total_input_tokens":11,"total_output_tokens":90,"total_thought_tokens":245,"total_tokens":346}}"#,
    "in 11 out 90 thoughts 245 cached 0 total 346 | gemini-x | v1_a | completed | -"
)]
#[case::interaction_events(
    INTERACTION_EVENTS,
    "event: interaction.created\ndata: {\"interaction\":{\"id\":\"v1_a\",\"status\":\"in_progress\",\"model\":\"gemini-x\"},\
     \"event_type\":\"interaction.created\"}\n\n\
     event: step.start\ndata: {\"index\":0,\"step\":{\"type\":\"model_output\",\"id\":\"no\"},\"event_type\":\"step.start\"}\n\n\
     event: step.delta\ndata: {\"index\":0,\"delta\":{\"text\":\"\\\"usage\\\":{}\",\"type\":\"text\"},\"event_type\":\"step.delta\",\
     \"metadata\":{\"total_usage\":{\"total_input_tokens\":11,\"total_tokens\":11}}}\n\n\
     event: interaction.completed\ndata: {\"interaction\":{\"id\":\"v1_a\",\"status\":\"completed\",\"usage\":{\"total_tokens\":16,\
     \"total_input_tokens\":11,\"total_output_tokens\":5}},\"event_type\":\"interaction.completed\"}\n\nevent: done\ndata: [DONE]\n\n",
    "in 11 out 5 thoughts 0 cached 0 total 16 | gemini-x | v1_a | completed | -"
)]
#[case::interaction_that_breaks(
    INTERACTION_EVENTS,
    "event: interaction.created\ndata: {\"interaction\":{\"id\":\"v1_a\",\"status\":\"in_progress\"},\"event_type\":\"interaction.created\"}\n\n\
     event: step.delta\ndata: {\"index\":0,\"event_type\":\"step.delta\",\"metadata\":{\"total_usage\":{\"total_input_tokens\":11}}}\n\n",
    "in 11 out 0 thoughts 0 cached 0 total 11 | - | v1_a | in_progress | -"
)]
#[case::interaction_error_event(
    INTERACTION_EVENTS,
    "event: interaction.status_update\ndata: {\"interaction_id\":\"v1_a\",\"status\":\"failed\",\"event_type\":\"interaction.status_update\"}\n\n\
     event: error\ndata: {\"event_type\":\"error\",\"error\":{\"code\":\"quota_exceeded\",\"message\":\"m\"}}\n\n",
    "- | - | v1_a | failed | quota_exhausted"
)]
#[case::nothing(WHOLE, "", "- | - | - | - | -")]
#[case::no_json(WHOLE, "<html>\"usageMetadata\": 3</html>", "- | - | - | - | -")]
fn answers_are_metered_in_every_framing(#[case] target: &str, #[case] answer: &str, #[case] expected: &str) {
    assert_eq!(seen(target, answer), expected);
}

/// A model chooses the arguments of the functions it calls, and the words of its texts.
#[rstest]
#[case::arguments(
    r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"usageMetadata":{"promptTokenCount":999},
       "error":{"code":400,"message":"API key not valid"},"finishReason":"PUP_LIMITED_DISABLED"}}}]},
       "finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1},"modelVersion":"m"}"#
)]
#[case::text(
    r#"{"candidates":[{"content":{"parts":[{"text":"}],\"usageMetadata\":{\"promptTokenCount\":999},\"error\":{\"code\":429}"}]},
       "finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1},"modelVersion":"m"}"#
)]
#[case::what_a_function_gave_back(
    r#"{"candidates":[{"content":{"parts":[{"toolResponse":{"response":{"finishReason":"PUP_LIMITED_DISABLED",
       "usageMetadata":{"promptTokenCount":999}}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1},
       "modelVersion":"m"}"#
)]
#[case::a_word_as_text(
    r#"{"candidates":[{"content":{"parts":[{"text":"error"},{"text":"usageMetadata" }]},"finishReason":"STOP"}],
       "usageMetadata":{"promptTokenCount":1},"modelVersion":"m"}"#
)]
#[case::usage_first(
    r#"{"usageMetadata":{"promptTokenCount":1,"error":{"code":429}},"modelVersion":"m",
       "candidates":[{"finishReason":"STOP","x":[[[[{"usageMetadata":{"promptTokenCount":999}}]]]]}],
       "references":[{"finishReason":"PUP_LIMITED_DISABLED"}]}"#
)]
fn a_model_cannot_forge_its_usage_or_a_fault(#[case] answer: &str) {
    assert_eq!(seen(WHOLE, answer), "in 1 out 0 thoughts 0 cached 0 total 1 | m | - | STOP | -");
}

/// What is made once belongs to the project that made it, also when its answer broke off.
#[rstest]
#[case::interaction(INTERACTION, r#"{"status":"completed","id":"v1_a"}"#, Some(("interactions", "v1_a")))]
#[case::interaction_events(
    INTERACTION_EVENTS,
    "event: interaction.created\ndata: {\"interaction\":{\"id\":\"v1_a\"}}\n\n",
    Some(("interactions", "v1_a"))
)]
#[case::batch("/openai/v1/batches", r#"{"id":"batches/b-1","object":"batch"}"#, Some(("batches", "b-1")))]
#[case::video("/v1beta/openai/videos", r#"{"id":"v-1","object":"video"}"#, Some(("videos", "v-1")))]
#[case::refused(INTERACTION, r#"{"status":"failed"}"#, None)]
#[case::cancelled("/v1beta/interactions/v1_a/cancel", r#"{"id":"v1_a"}"#, None)]
#[case::answer(OPENAI, r#"{"id":"c-1"}"#, None)]
fn creations_are_bound(#[case] target: &str, #[case] answer: &str, #[case] expected: Option<(&str, &str)>) {
    for ended in [Ended::Complete, Ended::Broken, Ended::Abandoned] {
        let mut meter = meter(target);
        meter.see(answer.as_bytes());
        let is_stream = target == INTERACTION_EVENTS;
        let mut bindings = meter.created();
        assert_eq!(bindings.len(), usize::from(is_stream), "a stream's can be used at once");
        bindings.extend(meter.finish(ended).bindings);
        let told: Vec<_> =
            bindings.iter().map(|binding| (binding.resource.kind, &*binding.resource.name)).collect();
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_fault_inside_a_success_is_judged_by_the_table() {
    let error = br#"data: {"error":{"code":429,"message":"Quota","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure",
        "violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"model":"b"},"quotaValue":"20"}]}]}}"#;
    let one_line: Vec<u8> = error.iter().copied().filter(|byte| *byte != b'\n').collect();
    let mut meter = meter(EVENTS);
    meter.see(b"data: {}\r\n\r\n");
    assert_eq!(meter.failure_so_far(), None);
    meter.see(&one_line);
    let failure = meter.failure_so_far().unwrap();
    assert_eq!((failure.fault, failure.scope), (Fault::QuotaExhausted, Scope::GroupBucket));
    assert_eq!(failure.hint.limit, Some(20));
    assert_eq!(failure.hint.bucket.as_ref().map(BucketName::as_str), Some("b"));
    assert_eq!(meter.finish(Ended::Broken).failure, Some(failure));
}

/// Values far beyond any real one are passed over; what was seen before stays.
#[test]
fn what_is_kept_is_bounded() {
    let mut meter = meter(EVENTS);
    meter.see(b"data: {\"usageMetadata\":{\"promptTokenCount\":1}}\r\n\r\n");
    meter.see(b"data: {\"usageMetadata\":{\"promptTokenCount\":2,\"x\":\"");
    for _ in 0..1_000 {
        meter.see(&[b'x'; 1_000]);
    }
    meter.see(b"\"},\"responseId\":\"");
    meter.see(&[b'r'; 1_000]);
    meter.see(b"\",\"modelVersion\":\"m\"}\r\n\r\n");
    let metered = meter.finish(Ended::Complete);
    assert_eq!(gist(&metered), "in 1 out 0 thoughts 0 cached 0 total 1 | m | - | - | -");
}

#[test]
fn a_long_answer_is_metered_to_its_end() {
    let mut meter = meter(WHOLE);
    meter.see(br#"{"candidates":[{"content":{"parts":[{"inlineData":{"data":""#);
    for _ in 0..10_000 {
        meter.see(&[b'A'; 1_000]);
    }
    meter.see(br#""}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}"#);
    assert_eq!(
        gist(&meter.finish(Ended::Complete)),
        "in 1 out 0 thoughts 0 cached 0 total 1 | - | - | STOP | -"
    );
}

/// Bytes that are likely to meet in an answer, or to confuse a scanner.
fn morsel() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("data: "),
        Just("data:"),
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\""),
        Just("\\"),
        Just("\\\""),
        Just(" "),
        Just("usageMetadata"),
        Just("\"usageMetadata\":"),
        Just("{\"promptTokenCount\":3}"),
        Just("\"error\":"),
        Just("{\"code\":503}"),
        Just("\"modelVersion\":\"m\""),
        Just("\"candidates\":[{\"finishReason\":\"STOP\"}]"),
        Just("null"),
        Just("ü\u{2028}"),
        Just("[DONE]"),
        Just("event: x"),
        Just("1.5e3"),
    ]
}

/// An event of a stream, with some of the members it can have.
fn event() -> impl Strategy<Value = String> {
    let text = prop_oneof![Just("hello"), Just("\"usageMetadata\": {}"), Just("\"error\"")];
    let arguments = prop_oneof![Just(None), Just(Some("usageMetadata")), Just(Some("error"))];
    let members = prop::collection::vec(any::<bool>(), 5);
    (text, arguments, members, 1_u32..1000).prop_map(|(text, arguments, has, count)| {
        let mut part = serde_json::json!({ "text": text });
        if let Some(name) = arguments {
            part =
                serde_json::json!({"functionCall": {"name": "f", "args": {name: {"promptTokenCount": 7}}}});
        }
        let mut event = serde_json::json!({"candidates": [{"content": {"parts": [part]}}]});
        if has[0] || has[1] {
            event["usageMetadata"] = serde_json::json!({"promptTokenCount": count, "totalTokenCount": count});
        }
        if has[2] {
            event["modelVersion"] = serde_json::json!(format!("m{count}"));
        }
        if has[3] {
            event["candidates"][0]["finishReason"] = serde_json::json!("STOP");
        }
        if has[4] && count % 7 == 0 {
            event =
                serde_json::json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "overloaded"}});
        }
        format!("data: {event}\r\n\r\n")
    })
}

proptest! {
    /// No bytes, however odd and however cut, make a meter panic or see different things.
    #[test]
    fn any_chunking_sees_the_same(
        morsels in prop::collection::vec(morsel(), 0..60),
        cuts in prop::collection::vec(0_usize..400, 0..8),
    ) {
        let answer = morsels.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(answer.len())).collect();
        cuts.extend([0, answer.len()]);
        cuts.sort_unstable();
        for target in [WHOLE, ARRAY, EVENTS, OPENAI_EVENTS] {
            let whole = metered(target, [answer.as_bytes()]);
            let parts = metered(target, cuts.windows(2).map(|cut| &answer.as_bytes()[cut[0]..cut[1]]));
            prop_assert_eq!(&whole, &parts);
        }
    }

    /// Events that come one by one are not all read; nothing is missed for it.
    #[test]
    fn events_that_come_one_by_one_are_seen_as_in_one_piece(
        events in prop::collection::vec(prop::collection::vec(morsel(), 0..12), 1..12),
    ) {
        let events: Vec<String> = events.iter().map(|morsels| format!("data: {}\r\n\r\n", morsels.concat())).collect();
        for target in [EVENTS, OPENAI_EVENTS] {
            let whole = metered(target, [events.concat().as_bytes()]);
            let pieces = metered(target, events.iter().map(String::as_bytes));
            prop_assert_eq!(&whole, &pieces);
        }
    }

    /// The same of well-formed ones: usages, faults, names and what models make up.
    #[test]
    fn well_formed_events_are_seen_as_in_one_piece(events in prop::collection::vec(event(), 1..12)) {
        let whole = metered(EVENTS, [events.concat().as_bytes()]);
        let pieces = metered(EVENTS, events.iter().map(String::as_bytes));
        prop_assert_eq!(&whole, &pieces);
    }

    /// Whatever a model writes, a well-formed answer is metered right.
    #[test]
    fn any_text_leaves_the_counts_alone(text in any::<String>(), prompt in 1_u32.., chunk in 1_usize..50) {
        let answer = serde_json::json!({
            "candidates": [{"content": {"parts": [{"text": text}, {"functionCall": {"args": {text.clone(): 1}}}]},
                            "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": prompt},
        });
        let event = format!("data: {answer}\r\n\r\n");
        for (target, bytes) in [(WHOLE, answer.to_string()), (EVENTS, event)] {
            let metered = metered(target, bytes.as_bytes().chunks(chunk));
            prop_assert_eq!(metered.usage.map(|usage| usage.input_tokens), Some(u64::from(prompt)));
            prop_assert_eq!(metered.finish_reason.as_deref(), Some("STOP"));
            prop_assert_eq!(metered.failure, None);
        }
    }
}
