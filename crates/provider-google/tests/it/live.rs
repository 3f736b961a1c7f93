//! Live: what a connection wants, what goes upstream, and what its frames and its end say.

use std::time::Duration;

use keygate_domain::{Access, ApiKey, ErrorKind, Fault, Intent, Refusal, Right, Scope, Usage};
use keygate_provider::{AnswerHead, Closing, Ended, Frame, Grant, OwnFrame, Parting, Refused, Watcher};
use rstest::rstest;
use serde_json::{Value, json};

use super::{Call, google};

const PATH: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
const CONSTRAINED: &str =
    "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained";
const MUSIC: &str = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateMusic";
const TOKEN: &str = "auth_tokens/0123456789abcdef";
/// `printf 0123456789abcdef | sha256sum`
const SUM: &str = "auth_tokens/9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";

fn handshake(target: &str) -> Call {
    Call::get(target).with("upgrade", "websocket").with("connection", "Upgrade")
}

fn intent(target: &str) -> Intent {
    handshake(target).understood().unwrap()
}

fn opened(first: &str) -> Intent {
    google().sockets().unwrap().opened(intent(PATH), Frame::Text(first)).unwrap()
}

fn watcher() -> Box<dyn Watcher> {
    google().sockets().unwrap().watcher(&intent(PATH))
}

fn hear(watcher: &mut dyn Watcher, frame: &Value) {
    watcher.received(Frame::Binary(frame.to_string().as_bytes()));
}

#[rstest]
#[case(PATH, "live", "{version}.GenerativeService.BidiGenerateContent")]
#[case(CONSTRAINED, "live", "{version}.GenerativeService.BidiGenerateContentConstrained")]
#[case(MUSIC, "live_music", "{version}.GenerativeService.BidiGenerateMusic")]
fn dialogues_are_found(#[case] path: &str, #[case] operation: &str, #[case] template: &str) {
    let sockets = google();
    let sockets = sockets.sockets().unwrap();
    assert!(sockets.is_socket(path) && google().claims(path));
    let intent = intent(path);
    assert_eq!(intent.operation.0, operation);
    assert!(intent.route.ends_with(template));
    assert!(intent.opens_session && intent.user_units == 1 && intent.right == Right::Live);
    assert_eq!((intent.model, intent.access), (None, Access::Token), "the model is named later");
    let known = keygate_provider_google::ADAPTER.operations;
    let known = known.iter().find(|known| known.operation.0 == operation).unwrap();
    assert!(known.opens_session && known.takes_model && known.is_counted);
    assert!(sockets.terms(&super::live::intent(path), &handshake(path).inbound()).opens_with_frame);
}

#[rstest]
#[case("/ws/google.ai.generativelanguage.v2.GenerativeService.BidiGenerateContent")]
#[case("/ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent/x")]
#[case("/ws/google.ai.generativelanguage.v1.GenerativeService.GenerateContent")]
#[case("/ws/google.ai.generativelanguage.v1.OtherService.BidiGenerateContent")]
#[case("/v1beta/models/m:generateContent")]
fn nothing_else_is_a_dialogue(#[case] path: &str) {
    assert!(!google().sockets().unwrap().is_socket(path));
}

#[test]
fn what_is_no_handshake_is_told_so() {
    let kind = |call: Call| call.understood().unwrap_err().kind;
    assert_eq!(kind(Call::get(PATH)), ErrorKind::BadRequest);
    assert_eq!(kind(Call::get(PATH).with("upgrade", "h2c")), ErrorKind::BadRequest);
    assert_eq!(kind(Call::post(PATH, "").with("upgrade", "websocket")), ErrorKind::MethodNotAllowed);
}

/// The headers that go upstream, in order of their names.
fn sent(call: &Call, key: Option<&ApiKey>) -> (String, Vec<(String, String)>) {
    let intent = call.understood().unwrap();
    let request = google().request(&intent, &call.inbound(), &Grant { key, ..Grant::default() });
    assert!(request.headers.values().filter(|value| value.is_sensitive()).count() == 1);
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    headers.sort_unstable();
    (request.path_and_query, headers)
}

#[test]
fn the_key_goes_in_the_header_and_nothing_of_the_callers() {
    let call = handshake(&format!("{PATH}?key=callers-own&alt=json&access_token=callers-own"))
        .with("x-goog-api-key", "callers-own")
        .with("authorization", "Bearer callers-own")
        .with("sec-websocket-key", "callers-own")
        .with("sec-websocket-extensions", "permessage-deflate")
        .with("origin", "https://page.example")
        .with("cookie", "a=callers-own")
        .with("user-agent", "sdk");
    let (target, headers) = sent(&call, Some(&ApiKey::new("pool-key")));
    assert_eq!(target, format!("{PATH}?alt=json"));
    let expected = [("user-agent", "sdk"), ("x-goog-api-key", "pool-key")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn an_ephemeral_token_goes_alone_and_needs_no_other() {
    let calls = [
        handshake(CONSTRAINED).with("authorization", &format!("Token {TOKEN}")).with("x-goog-api-key", TOKEN),
        handshake(&format!("{CONSTRAINED}?access_token={TOKEN}")),
        handshake(&format!("{CONSTRAINED}?access_token=auth_tokens%2F0123456789abcdef&key=other")),
        handshake(&format!("{CONSTRAINED}?key={TOKEN}")),
    ];
    for call in calls {
        let intent = call.understood().unwrap();
        assert_eq!(intent.access, Access::OwnCredential);
        let [token] = &intent.references[..] else { panic!("{intent:?}") };
        assert_eq!(token.to_string(), SUM);
        let (target, headers) = sent(&call, Some(&ApiKey::new("pool-key")));
        assert_eq!(target, CONSTRAINED);
        assert_eq!(headers, [("authorization".to_owned(), format!("Token {TOKEN}"))]);
    }
    for no_token in ["Bearer ya29.of-somebody", "Token other", "Token auth_tokens/"] {
        let call = handshake(CONSTRAINED).with("authorization", no_token);
        assert_eq!(call.understood().unwrap().access, Access::Token, "{no_token}");
    }
}

#[rstest]
#[case(r#"{"setup":{"model":"models/gemini-3.8-live"}}"#, Some("gemini-3.8-live"), 0)]
#[case(r#"{"setup":{"model":"gemini-3.8-live","sessionResumption":{}}}"#, Some("gemini-3.8-live"), 0)]
#[case(r#"{"setup":{"model":"m","sessionResumption":{"handle":"h","transparent":true}}}"#, Some("m"), 1)]
#[case(r#"{"setup":{"model":"m","session_resumption":{"handle":"h"}}}"#, Some("m"), 1)]
#[case(r#"{"setup":{"model":"m","sessionResumption":{"handle":null}}}"#, Some("m"), 0)]
#[case(r#"{"setup":{"model":"m","sessionResumption":null}}"#, Some("m"), 0)]
#[case(r#"{"setup":{}}"#, None, 0)]
#[case(r#"{"clientContent":{}}"#, None, 0)]
#[case("no JSON", None, 0)]
#[case("[]", None, 0)]
fn the_first_frame_names_model_and_handle(
    #[case] first: &str,
    #[case] model: Option<&str>,
    #[case] references: usize,
) {
    let intent = opened(first);
    assert_eq!(intent.model.as_ref().map(keygate_domain::ModelName::as_str), model);
    assert_eq!(intent.references.len(), references);
    for reference in intent.references {
        // printf h | sha256sum
        let sum = "aaa9402664f1a41f40ebbc52c9993eb66aeb366602958fdfaa283b71e64db123";
        assert_eq!(reference.to_string(), format!("live_handle/{sum}"));
    }
}

#[test]
fn a_session_goes_where_the_stores_are_that_it_uses() {
    let first = r#"{"setup":{"model":"m","tools":[{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/s"]}}],
        "systemInstruction":{"parts":[{"text":"files/no"}]}}}"#;
    // As Google's reader takes it, too.
    let lenient = "{setup: {tools: [{fileSearch: {fileSearchStoreNames: ['fileSearchStores/s']}}]}}";
    for first in [first, lenient] {
        let named: Vec<String> = opened(first).references.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["fileSearchStores/s"]);
    }
}

#[rstest]
#[case(r#"{"setup":{"model":"reported as leaked"}}"#)]
#[case(r#"{"setup":{"model":""}}"#)]
#[case(r#"{"setup":{"model":"a\u0000b"}}"#)]
fn a_name_that_is_none_goes_nowhere(#[case] first: &str) {
    let rejected = google().sockets().unwrap().opened(intent(PATH), Frame::Text(first)).unwrap_err();
    assert_eq!(rejected.kind, ErrorKind::BadRequest);
}

#[test]
fn a_session_tells_what_it_used_as_it_goes() {
    let mut watcher = watcher();
    let frame = |input: Value, output: u64, is_over: bool| {
        json!({"serverContent": {"modelTurn": {}, "turnComplete": is_over},
               "usageMetadata": {"promptTokenCount": input, "responseTokenCount": output}})
    };
    let mut told = Vec::new();
    for (input, output, is_over) in
        [(json!(10), 1, false), (json!("10"), 5, true), (json!(20), 3, false), (json!(20), 2, true)]
    {
        hear(&mut *watcher, &frame(input, output, is_over));
        told.push(watcher.used().map(|used| (used.input_tokens, used.output_tokens)));
        assert_eq!(watcher.used(), None, "once");
    }
    assert_eq!(
        told,
        [Some((10, 1)), Some((0, 4)), Some((20, 3)), None],
        "the second turn's count became smaller"
    );
    hear(&mut *watcher, &json!({"serverContent": {"modelTurn": {}}}));
    assert_eq!(watcher.used(), None);
    let all = watcher.finish(Ended::Complete).usage.unwrap();
    assert_eq!((all.input_tokens, all.output_tokens), (30, 7));
}

#[test]
fn a_count_of_an_odd_kind_loses_no_handle() {
    let mut watcher = watcher();
    hear(
        &mut *watcher,
        &json!({"usageMetadata": {"promptTokenCount": "many", "totalTokenCount": null},
                "sessionResumptionUpdate": {"newHandle": "h"}}),
    );
    assert_eq!(watcher.created().len(), 1);
}

#[test]
fn turns_are_summed_up_and_inside_a_turn_the_last_count_holds() {
    let mut watcher = watcher();
    let usage = |prompt: u64, response: u64| {
        json!({"promptTokenCount": prompt, "responseTokenCount": response, "thoughtsTokenCount": 1,
               "toolUsePromptTokenCount": 2, "cachedContentTokenCount": 3, "totalTokenCount": 100})
    };
    assert!(!watcher.is_taken_in());
    hear(&mut *watcher, &json!({"setupComplete": {}}));
    assert!(watcher.is_taken_in());
    let says = json!({"modelTurn": {"parts": [{"inlineData": {"data": "AAAA"}}]}});
    hear(&mut *watcher, &json!({"serverContent": says, "usageMetadata": usage(10, 1)}));
    hear(&mut *watcher, &json!({"serverContent": says, "usageMetadata": usage(10, 5)}));
    hear(&mut *watcher, &json!({"serverContent": {"turnComplete": true}}));
    hear(&mut *watcher, &json!({"usageMetadata": usage(10, 7)}));
    hear(&mut *watcher, &json!({"serverContent": says}));
    hear(&mut *watcher, &json!({"serverContent": {"turnComplete": true}, "usageMetadata": usage(20, 3)}));
    watcher.received(Frame::Text("no JSON"));
    let metered = watcher.finish(Ended::Complete);
    let expected =
        Usage { input_tokens: 34, output_tokens: 10, thought_tokens: 2, cached_tokens: 6, total_tokens: 200 };
    assert_eq!(metered.usage, Some(expected));
    assert_eq!(super::live::watcher().finish(Ended::Abandoned).usage, None);
}

#[test]
fn the_last_handles_are_bound_and_those_before_let_go() {
    let mut watcher = watcher();
    let mut bound = Vec::new();
    for number in 0..6 {
        hear(
            &mut *watcher,
            &json!({"sessionResumptionUpdate": {"newHandle": format!("h{number}"), "resumable": true}}),
        );
        bound.push(watcher.created());
    }
    hear(&mut *watcher, &json!({"sessionResumptionUpdate": {"newHandle": "h5"}}));
    hear(&mut *watcher, &json!({"sessionResumptionUpdate": {"newHandle": ""}}));
    hear(&mut *watcher, &json!({"sessionResumptionUpdate": {"resumable": false}}));
    assert!(watcher.created().is_empty(), "nothing new");
    assert!(bound[..4].iter().all(|bound| bound.len() == 1));
    let [old, new] = &bound[4][..] else { panic!("{bound:?}") };
    assert_eq!(old.resource, bound[0][0].resource);
    assert!(old.lifetime < new.lifetime && new.lifetime > Duration::from_hours(2));
}

#[rstest]
#[case(1011, "You exceeded your current quota, please check your plan and billing details.", Some((Fault::RateLimited, Scope::GroupBucket)))]
#[case(1011, "Resource has been exhausted (e.g. check quota).", Some((Fault::RateLimited, Scope::GroupBucket)))]
#[case(1011, "RESOURCE_EXHAUSTED", Some((Fault::RateLimited, Scope::GroupBucket)))]
#[case(1011, "Your project has exceeded its monthly spending cap.", Some((Fault::GroupBlocked, Scope::Group)))]
#[case(1011, "Your prepayment credits are depleted.", Some((Fault::GroupBlocked, Scope::Group)))]
#[case(1011, "Internal error encountered.", Some((Fault::ServerError, Scope::Nothing)))]
#[case(1008, "Your project has been denied access. Please contact support.", Some((Fault::GroupBlocked, Scope::Group)))]
#[case(1008, "Your API key was reported as leaked. Please use another API key.", Some((Fault::KeyInvalid, Scope::Key)))]
#[case(1008, "API keys are not supported by this API. Expected OAuth2 access token", Some((Fault::Caller, Scope::Nothing)))]
#[case(1008, "models/x is not found for API version v1beta, or is not supported for bidiGenerateContent.", Some((Fault::Caller, Scope::Nothing)))]
#[case(1008, "models/x-reported-as-leaked is not found for API version v1beta", Some((Fault::Caller, Scope::Nothing)))]
#[case(1008, "BidiGenerateContent session not found", Some((Fault::Caller, Scope::Nothing)))]
#[case(1007, "API key not valid. Please pass a valid API key.", Some((Fault::KeyInvalid, Scope::Key)))]
#[case(1007, "User location is not supported for the API use.", Some((Fault::Unreachable, Scope::Nothing)))]
#[case(1007, "Invalid JSON payload received. Unknown name \"API key not valid\"", Some((Fault::Caller, Scope::Nothing)))]
#[case(1013, "", Some((Fault::Overloaded, Scope::Nothing)))]
#[case(1009, "", Some((Fault::Caller, Scope::Nothing)))]
#[case(1000, "", None)]
#[case(1001, "", None)]
#[case(1005, "quota", None)]
fn a_close_frame_says_what_it_says(
    #[case] code: u16,
    #[case] reason: &str,
    #[case] expected: Option<(Fault, Scope)>,
) {
    let failure = watcher().failure(Some(&Closing::new(code, reason)));
    assert_eq!(failure.map(|failure| (failure.fault, failure.scope)), expected, "{code} {reason}");
}

#[test]
fn an_end_without_a_word_blames_nobody() {
    assert_eq!(watcher().failure(None), None);
    let watcher = watcher();
    assert_eq!(watcher.told(Parting::Broken).code, 1011);
    assert_eq!(watcher.told(Parting::Leaving).code, 1001);
    let quota = Closing::new(1011, "quota");
    assert_eq!(watcher.told(Parting::Closed(Some(&quota))), quota);
}

#[test]
fn leaving_is_announced_as_gemini_does() {
    let mut watcher = watcher();
    assert_eq!(watcher.farewell(Duration::from_secs(20)), None, "there is nobody to be told yet");
    hear(&mut *watcher, &json!({"setupComplete": {}}));
    let expected = OwnFrame::Binary(br#"{"goAway":{"timeLeft":"20s"}}"#.to_vec());
    assert_eq!(watcher.farewell(Duration::from_millis(20_900)), Some(expected));
}

#[test]
fn a_429_without_a_name_is_about_connections() {
    let verdict = |body: &str| {
        let (intent, headers) = (intent(PATH), http::HeaderMap::new());
        let status = http::StatusCode::TOO_MANY_REQUESTS;
        let head = AnswerHead { status, headers: &headers, body: body.as_bytes(), for_preparation: false };
        let verdict = google().verdict(&intent, &head);
        let keygate_domain::Verdict::Failed(failure) = verdict else { panic!("{verdict:?}") };
        (failure.fault, failure.scope)
    };
    let bare = r#"{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}"#;
    assert_eq!(verdict(bare), (Fault::Busy, Scope::GroupSessions));
    let day = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"q","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]}}"#;
    assert_eq!(verdict(day), (Fault::QuotaExhausted, Scope::GroupBucket));
}

#[test]
fn refusals_are_close_frames_that_read_like_googles() {
    let sockets = google();
    let closing = |kind| {
        let refusal = Refusal::new(kind, "words");
        let closing = sockets.sockets().unwrap().closing(&Refused::Here(&refusal, 500));
        (closing.code, closing.reason)
    };
    assert_eq!(closing(ErrorKind::PoolExhausted), (1011, "RESOURCE_EXHAUSTED: words".to_owned()));
    assert_eq!(closing(ErrorKind::Forbidden), (1008, "PERMISSION_DENIED: words".to_owned()));
    assert_eq!(closing(ErrorKind::BadRequest), (1007, "INVALID_ARGUMENT: words".to_owned()));
    let there = |status: u16, body: &str| {
        let status = http::StatusCode::from_u16(status).unwrap();
        sockets.sockets().unwrap().closing(&Refused::There(status, body.as_bytes()))
    };
    assert_eq!(there(400, r#"{"error":{"message":"m"}}"#), Closing::new(1007, "m"));
    assert_eq!(there(403, r#"{"error":{"message":"m"}}"#).code, 1008);
    assert_eq!(there(503, "<html>").code, 1011);
}
