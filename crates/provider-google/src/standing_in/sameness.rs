//! Requests that mean the same, and answers that may be given to all of them.

use std::collections::BTreeMap;

use keygate_domain::Intent;
use keygate_provider::Inbound;
use memchr::memmem;
use serde_json::Value;

use super::{body_of, offers_tools};
use crate::operations as op;

/// Operations that do nothing but answer, and whose answers follow from the request.
const ANSWERS_ONLY: [keygate_domain::Operation; 7] = [
    op::GENERATE_CONTENT,
    op::STREAM_GENERATE_CONTENT,
    op::COUNT_TOKENS,
    op::EMBED_CONTENT,
    op::BATCH_EMBED_CONTENTS,
    op::CHAT_COMPLETIONS,
    op::OPENAI_EMBEDDINGS,
];

/// Headers that change what an answer holds.
const MEANT: [&str; 1] = ["x-goog-fieldmask"];

/// How a call of a tool is told in an answer; within a text the quotes would be escaped.
const CALLS: [&str; 4] = ["\"functionCall\"", "\"tool_calls\"", "\"function_call\"", "\"executableCode\""];

/// The body without insignificant space and with its members in order, and the headers that matter. Nothing for
/// what must be asked anew each time.
pub(crate) fn sameness(intent: &Intent, inbound: &Inbound<'_>) -> Option<Vec<u8>> {
    if !ANSWERS_ONLY.contains(&intent.operation) || !intent.references.is_empty() {
        return None;
    }
    let body = body_of(inbound.body).filter(|body| !offers_tools(body))?;
    let mut same = Vec::with_capacity(inbound.body.len());
    for value in MEANT.iter().filter_map(|name| inbound.header(*name)) {
        same.extend_from_slice(value.as_bytes());
        same.push(b'\n');
    }
    write(&body, &mut same);
    Some(same)
}

/// Whether no tool is called in an answer, and a stream of them came to its end: one that merely stopped looks
/// like a whole one to HTTP.
pub(crate) fn may_be_given_again(intent: &Intent, answer: &[u8]) -> bool {
    let says = |words: &str| memmem::find(answer, words.as_bytes()).is_some();
    let has_ended = match intent.operation {
        _ if !intent.streaming.is_stream() => true,
        op::CHAT_COMPLETIONS => says("[DONE]"),
        _ => says("\"finishReason\"") || says("\"blockReason\""),
    };
    has_ended && !CALLS.iter().any(|call| says(call))
}

fn write(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            into.push(b'{');
            for (name, value) in members.iter().collect::<BTreeMap<_, _>>() {
                into.extend_from_slice(Value::from(name.as_str()).to_string().as_bytes());
                into.push(b':');
                write(value, into);
                into.push(b',');
            }
            into.push(b'}');
        }
        Value::Array(elements) => {
            into.push(b'[');
            for element in elements {
                write(element, into);
                into.push(b',');
            }
            into.push(b']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            into.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use keygate_provider::Origin;
    use rstest::rstest;

    use super::*;
    use crate::routes::understand;

    const GENERATE: &str = "/v1beta/models/m:generateContent";

    fn same(path: &str, body: &str, mask: Option<&'static str>) -> Option<Vec<u8>> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let mut headers = HeaderMap::new();
        if let Some(mask) = mask {
            headers.insert("x-goog-fieldmask", http::HeaderValue::from_static(mask));
        }
        let origin = Origin::INSIDE;
        let inbound = Inbound {
            method: &Method::POST,
            path,
            query: None,
            headers: &headers,
            body: &body,
            origin,
            request_id: "a request",
        };
        sameness(&understand(&inbound).unwrap(), &inbound)
    }

    #[test]
    fn order_and_space_do_not_matter_and_all_else_does() {
        let one = same(GENERATE, r#"{"a":[1,{"c":2,"b":"x y"}],"d":null}"#, None);
        assert!(one.is_some());
        assert_eq!(
            one,
            same(GENERATE, "{ \"d\": null,\n \"a\": [1, {\"b\":\"x\\u0020y\", \"c\":2}] }", None)
        );
        for other in [
            r#"{"a":[1,{"c":2,"b":"xy"}],"d":null}"#,
            r#"{"a":[1,{"c":2.0,"b":"x y"}],"d":null}"#,
            r#"{"a":[{"c":2,"b":"x y"},1],"d":null}"#,
            r#"{"a":[1,{"c":2,"b":"x y"}]}"#,
        ] {
            assert_ne!(one, same(GENERATE, other, None), "{other}");
        }
        assert_ne!(one, same(GENERATE, r#"{"a":[1,{"c":2,"b":"x y"}],"d":null}"#, Some("candidates")));
    }

    #[rstest]
    #[case(GENERATE, r#"{"contents":[],"tools":[{"googleSearch":{}}]}"#)]
    #[case(GENERATE, r#"{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}]}]}"#)]
    #[case(GENERATE, r#"{"contents":[],"cachedContent":"cachedContents/abc"}"#)]
    #[case(GENERATE, "[]")]
    #[case("/v1beta/interactions", r#"{"model":"m","input":"x","store":false}"#)]
    #[case("/v1beta/models/m:predict", "{}")]
    #[case("/v1beta/openai/images/generations", r#"{"model":"m"}"#)]
    #[case("/v1beta/openai/chat/completions", r#"{"model":"m","messages":[],"functions":[{}]}"#)]
    fn what_must_be_asked_anew_is_like_nothing(#[case] path: &str, #[case] body: &str) {
        assert_eq!(same(path, body, None), None);
    }

    #[rstest]
    #[case::text(GENERATE, r#"{"text":"say \"functionCall\" aloud"}"#, true)]
    #[case::call(GENERATE, r#"{"parts":[{"functionCall":{"name":"f"}}]}"#, false)]
    #[case::openai_call("/v1beta/openai/chat/completions", r#"{"delta":{"tool_calls":[]}}"#, false)]
    #[case::stream(
        "/v1beta/models/m:streamGenerateContent",
        r#"[{"candidates":[{"finishReason":"STOP"}]}]"#,
        true
    )]
    #[case::blocked(
        "/v1beta/models/m:streamGenerateContent",
        r#"[{"promptFeedback":{"blockReason":"SAFETY"}}]"#,
        true
    )]
    #[case::torn("/v1beta/models/m:streamGenerateContent", r#"[{"candidates":[{}]}]"#, false)]
    fn an_answer_is_given_again_if_it_is_whole_and_calls_no_tool(
        #[case] path: &str,
        #[case] answer: &str,
        #[case] expected: bool,
    ) {
        let (headers, body) = (HeaderMap::new(), Bytes::from_static(b"{}"));
        let origin = Origin::INSIDE;
        let inbound = Inbound {
            method: &Method::POST,
            path,
            query: None,
            headers: &headers,
            body: &body,
            origin,
            request_id: "a request",
        };
        assert_eq!(may_be_given_again(&understand(&inbound).unwrap(), answer.as_bytes()), expected);
    }
}
