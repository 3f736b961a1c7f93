//! What is read of requests and answers, on both surfaces, whole, streamed and cut off.

use bytes::Bytes;
use http::{HeaderMap, Method};
use keygate_provider::{Inbound, Message, Origin, Part};
use serde_json::json;

use super::*;
use crate::routes::understand;

fn read(path: &str, query: Option<&str>, asked: &Value, answered: &str) -> Transcript {
    let (headers, body) = (HeaderMap::new(), Bytes::from(asked.to_string()));
    let inbound = Inbound {
        method: &Method::POST,
        path,
        query,
        headers: &headers,
        body: &body,
        origin: Origin::INSIDE,
        request_id: "a request",
    };
    let intent = understand(&inbound).unwrap();
    assert!(transcribes(&intent), "{path}");
    transcript(&intent, &body, answered.as_bytes())
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn said(role: &str, parts: Vec<Part>, finish_reason: Option<&str>) -> Message {
    Message { role: role.to_owned(), parts, finish_reason: finish_reason.map(str::to_owned) }
}

#[test]
fn a_native_request_is_read_with_everything_in_it() {
    let asked = json!({
        "system_instruction": {"parts": [{"text": "be brief"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "what is it?"}, {"inlineData": {"mimeType": "image/png", "data": "AAAAAAA="}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"at": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"saw": "a cat"}}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": "files/1"}}, {"executableCode": {}}]},
        ],
    });
    let answer = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "hm", "thought": true}, {"text": "A "}, {"text": "cat."}]}, "finishReason": "STOP"}]});
    let told = read("/v1beta/models/m:generateContent", None, &asked, &answer.to_string());
    assert_eq!(told.system, [text("be brief")]);
    let image = Part::Media { mime_type: Some("image/png".to_owned()), size: 5 };
    assert_eq!(told.input[0], said("user", vec![text("what is it?"), image], None));
    let call = Part::ToolCall { id: None, name: "look".to_owned(), arguments: json!({"at": 1}) };
    assert_eq!(told.input[1], said("assistant", vec![call], None));
    let answered = Part::ToolResponse { id: Some("look".to_owned()), response: json!({"saw": "a cat"}) };
    let video = Part::Elsewhere { mime_type: Some("video/mp4".to_owned()), uri: "files/1".to_owned() };
    let code = Part::Other("executableCode".to_owned());
    assert_eq!(told.input[2], said("user", vec![answered, video, code], None));
    let parts = vec![Part::Reasoning("hm".to_owned()), text("A cat.")];
    assert_eq!(told.output, [said("assistant", parts, Some("stop"))]);
    assert!(!told.has_gaps);
}

#[test]
fn a_stream_is_put_together_and_one_that_was_cut_off_has_a_gap() {
    let asked = json!({"contents": {"parts": {"text": "hello"}}});
    let piece = |text: &str, reason: Value| {
        json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": reason}]}).to_string()
    };
    let (first, last) = (piece("Hel", Value::Null), piece("lo", json!("MAX_TOKENS")));
    let path = "/v1beta/models/m:streamGenerateContent";
    let events = format!("data: {first}\r\n\r\ndata: {last}\r\n\r\n");
    let told = read(path, Some("alt=sse"), &asked, &events);
    assert_eq!(told.output, [said("assistant", vec![text("Hello")], Some("length"))]);
    assert_eq!(told.input, [said("user", vec![text("hello")], None)]);
    let array = format!("[{first}\n,\n{last}]");
    assert_eq!(read(path, None, &asked, &array).output, told.output);
    for cut in [&events[..events.len() - 20], &array[..array.len() - 20]] {
        let told = read(path, Some("alt=sse"), &asked, cut);
        assert_eq!((&*told.output, told.has_gaps), (&[said("assistant", vec![text("Hel")], None)][..], true));
    }
}

#[test]
fn chat_completions_are_read_whole_and_streamed() {
    let path = "/v1beta/openai/chat/completions";
    let asked = json!({"model": "m", "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "what is it?"},
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "a cat"},
    ]});
    let answer = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "A cat."}, "finish_reason": "stop"}]});
    let told = read(path, None, &asked, &answer.to_string());
    let image = Part::Media { mime_type: Some("image/jpeg".to_owned()), size: 3 };
    assert_eq!(told.input[0], said("system", vec![text("be brief")], None));
    assert_eq!(told.input[1], said("user", vec![text("what is it?"), image], None));
    let call = |arguments: &str| Part::ToolCall {
        id: Some("1".to_owned()),
        name: "look".to_owned(),
        arguments: arguments.into(),
    };
    assert_eq!(told.input[2], said("assistant", vec![call("{}")], None));
    let answered = Part::ToolResponse { id: Some("1".to_owned()), response: "a cat".into() };
    assert_eq!(told.input[3], said("tool", vec![answered], None));
    assert_eq!(told.output, [said("assistant", vec![text("A cat.")], Some("stop"))]);

    let streamed = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "look"}]});
    let deltas = [
        json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Let me "}}]}),
        json!({"choices": [{"index": 0, "delta": {"content": "look."}}]}),
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"id": "1", "function": {"name": "look", "arguments": "{\"a\""}}]}}]}),
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"function": {"arguments": ":1}"}}]}, "finish_reason": "tool_calls"}]}),
    ];
    let events = deltas.map(|delta| format!("data: {delta}\n\n")).concat();
    let told = read(path, None, &streamed, &format!("{events}data: [DONE]\n\n"));
    let parts = vec![text("Let me look."), call("{\"a\":1}")];
    assert_eq!(told.output, [said("assistant", parts, Some("tool_call"))]);
    assert!(!told.has_gaps);
}

#[test]
fn what_cannot_be_read_is_a_gap_and_no_error() {
    let told = read("/v1beta/models/m:generateContent", None, &json!({"contents": 7}), "<html>");
    assert!(told.has_gaps && told.output.is_empty(), "{told:?}");
    assert_eq!(told.input, [said("user", Vec::new(), None)]);
}
