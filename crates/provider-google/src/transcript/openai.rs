//! Chat completions.

use keygate_provider::{Message, Part, Transcript};
use serde_json::Value;

use super::{each, finish_reason, text_of};

pub(super) fn asked(body: &Value, told: &mut Transcript) {
    told.input = each(body.get("messages")).iter().map(message).collect();
}

/// The choices, each put together from all pieces.
pub(super) fn answered(pieces: &[Value]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for choice in pieces.iter().flat_map(|piece| each(piece.get("choices"))) {
        let number = choice.get("index").and_then(Value::as_u64).unwrap_or_default();
        let place = usize::try_from(number).unwrap_or_default().min(messages.len());
        if place == messages.len() {
            messages.push(Message { role: "assistant".to_owned(), parts: Vec::new(), finish_reason: None });
        }
        let message = &mut messages[place];
        if let Some(said) = choice.get("message").or_else(|| choice.get("delta")) {
            goes_on(message, said);
        }
        if let Some(reason) = text_of(choice, &["finish_reason"]) {
            message.finish_reason = Some(finish_reason(&reason));
        }
    }
    messages
}

fn goes_on(message: &mut Message, said: &Value) {
    for part in contents(said.get("content")) {
        message.goes_on_with(part);
    }
    for call in each(said.get("tool_calls")) {
        match (call.get("id"), message.parts.last_mut()) {
            // A call that comes in pieces has its name in the first alone.
            (None | Some(Value::Null), Some(Part::ToolCall { arguments: Value::String(known), .. })) => {
                known.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
            }
            _ => message.parts.push(tool_call(call)),
        }
    }
}

fn message(said: &Value) -> Message {
    let role = text_of(said, &["role"]).unwrap_or_else(|| "user".to_owned());
    let mut parts = contents(said.get("content"));
    if role == "tool" {
        let response = said.get("content").map(without_media).unwrap_or_default();
        parts = vec![Part::ToolResponse { id: text_of(said, &["tool_call_id"]), response }];
    }
    parts.extend(each(said.get("tool_calls")).iter().map(tool_call));
    Message { role, parts, finish_reason: None }
}

/// What a tool answered in words.
fn without_media(content: &Value) -> Value {
    let texts = contents(Some(content)).into_iter().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        Part::Reasoning(_)
        | Part::ToolCall { .. }
        | Part::ToolResponse { .. }
        | Part::Media { .. }
        | Part::Elsewhere { .. }
        | Part::Other(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n").into()
}

fn tool_call(call: &Value) -> Part {
    Part::ToolCall {
        id: text_of(call, &["id"]),
        name: text_of(&call["function"], &["name"]).unwrap_or_default(),
        arguments: call["function"].get("arguments").cloned().unwrap_or_default(),
    }
}

/// A text, or parts of several kinds.
fn contents(content: Option<&Value>) -> Vec<Part> {
    match content {
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(Value::String(text)) => vec![Part::Text(text.clone())],
        content => each(content).iter().map(part).collect(),
    }
}

fn part(part: &Value) -> Part {
    match part.get("type").and_then(Value::as_str).unwrap_or_default() {
        "text" => Part::Text(text_of(part, &["text"]).unwrap_or_default()),
        "image_url" => of_url(part["image_url"]["url"].as_str().unwrap_or_default()),
        "input_audio" => {
            let format = text_of(&part["input_audio"], &["format"]);
            let data = part["input_audio"]["data"].as_str().unwrap_or_default();
            Part::of_base64(format.map(|format| format!("audio/{format}")), data)
        }
        "file" => match part["file"]["file_data"].as_str() {
            Some(data) => of_url(data),
            None => Part::Elsewhere {
                mime_type: None,
                uri: text_of(&part["file"], &["file_id"]).unwrap_or_default(),
            },
        },
        other => Part::Other(if other.is_empty() { "unknown" } else { other }.to_owned()),
    }
}

/// Media by their URL, which may hold them: `data:image/png;base64,…`.
fn of_url(url: &str) -> Part {
    let Some((head, data)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')) else {
        return Part::Elsewhere { mime_type: None, uri: url.to_owned() };
    };
    let mime_type = head.split(';').next().filter(|kind| !kind.is_empty()).map(str::to_owned);
    if head.ends_with(";base64") {
        Part::of_base64(mime_type, data)
    } else {
        Part::Media { mime_type, size: data.len() as u64 }
    }
}
