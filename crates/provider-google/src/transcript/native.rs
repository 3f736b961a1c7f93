//! Gemini's own surface.

use keygate_provider::{Message, Part, Transcript};
use serde_json::Value;

use super::{any, each, finish_reason, text_of};

pub(super) fn asked(body: &Value, told: &mut Transcript) {
    let system = any(body, &["systemInstruction", "system_instruction"]);
    told.system = system.map(parts).unwrap_or_default();
    told.input = each(body.get("contents")).iter().map(|content| message(content, "user")).collect();
}

/// The candidates, each put together from all pieces.
pub(super) fn answered(pieces: &[Value]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for candidate in pieces.iter().flat_map(|piece| each(piece.get("candidates"))) {
        let number = candidate.get("index").and_then(Value::as_u64).unwrap_or_default();
        let place = usize::try_from(number).unwrap_or_default().min(messages.len());
        if place == messages.len() {
            messages.push(Message { role: "assistant".to_owned(), parts: Vec::new(), finish_reason: None });
        }
        let message = &mut messages[place];
        for part in candidate.get("content").map(parts).unwrap_or_default() {
            message.goes_on_with(part);
        }
        if let Some(reason) = text_of(candidate, &["finishReason"]) {
            message.finish_reason = Some(finish_reason(&reason));
        }
    }
    messages
}

fn message(content: &Value, usual_role: &str) -> Message {
    let role = match content.get("role").and_then(Value::as_str) {
        None | Some("") => usual_role,
        Some("model") => "assistant",
        Some("function") => "tool",
        Some(role) => role,
    };
    Message { role: role.to_owned(), parts: parts(content), finish_reason: None }
}

/// The parts of contents; a text alone is one.
fn parts(content: &Value) -> Vec<Part> {
    if let Some(text) = content.as_str() {
        return vec![Part::Text(text.to_owned())];
    }
    each(content.get("parts")).iter().map(part).collect()
}

fn part(part: &Value) -> Part {
    if let Some(text) = part.as_str().map(str::to_owned).or_else(|| text_of(part, &["text"])) {
        let is_thought = part.get("thought").is_some_and(|thought| *thought == true);
        return if is_thought { Part::Reasoning(text) } else { Part::Text(text) };
    }
    if let Some(media) = any(part, &["inlineData", "inline_data"]) {
        let data = media.get("data").and_then(Value::as_str).unwrap_or_default();
        return Part::of_base64(text_of(media, &["mimeType", "mime_type"]), data);
    }
    if let Some(file) = any(part, &["fileData", "file_data"]) {
        let uri = text_of(file, &["fileUri", "file_uri"]).unwrap_or_default();
        return Part::Elsewhere { mime_type: text_of(file, &["mimeType", "mime_type"]), uri };
    }
    if let Some(call) = any(part, &["functionCall", "function_call"]) {
        let arguments = call.get("args").cloned().unwrap_or_default();
        let name = text_of(call, &["name"]).unwrap_or_default();
        return Part::ToolCall { id: text_of(call, &["id"]), name, arguments };
    }
    if let Some(answer) = any(part, &["functionResponse", "function_response"]) {
        let response = answer.get("response").cloned().unwrap_or_default();
        return Part::ToolResponse { id: text_of(answer, &["id", "name"]), response };
    }
    let kind = part.as_object().and_then(|part| part.keys().next()).cloned();
    Part::Other(kind.unwrap_or_else(|| "unknown".to_owned()))
}
