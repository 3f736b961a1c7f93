//! A stored text as an answer.

use bytes::Bytes;
use keygate_domain::{Intent, ModelName, Streaming};
use keygate_provider::{Inbound, StoredReply, SurfaceAnswer};
use serde_json::{Value, json};

use super::body_of;
use crate::operations as op;

const JSON: &str = "application/json; charset=UTF-8";
const EVENTS: &str = "text/event-stream";

/// The text in the form that was asked for. Nobody counted tokens for it, so it has none.
pub(crate) fn stored_reply(
    intent: &Intent,
    inbound: &Inbound<'_>,
    stored: &StoredReply<'_>,
) -> Option<SurfaceAnswer> {
    let model = intent.model.as_ref().map_or("", ModelName::as_str);
    let is_stream = intent.streaming.is_stream();
    Some(match intent.operation {
        op::GENERATE_CONTENT | op::STREAM_GENERATE_CONTENT | op::DYNAMIC_STREAM_GENERATE_CONTENT => {
            let whole = native(stored);
            match intent.streaming {
                Streaming::Events => answer(EVENTS, format!("data: {whole}\r\n\r\n")),
                Streaming::JsonArray => answer(JSON, format!("[{whole}]")),
                Streaming::Whole | Streaming::File => answer(JSON, whole.to_string()),
            }
        }
        op::CHAT_COMPLETIONS if is_stream => {
            answer(EVENTS, completion_events(stored, model, wants_usage(inbound.body)))
        }
        op::CHAT_COMPLETIONS => answer(JSON, completion(stored, model).to_string()),
        op::CREATE_INTERACTION if is_stream => answer(EVENTS, interaction_events(stored, model)),
        op::CREATE_INTERACTION => answer(JSON, interaction(stored, model).to_string()),
        _ => return None,
    })
}

fn answer(content_type: &'static str, body: String) -> SurfaceAnswer {
    SurfaceAnswer { content_type, body: Bytes::from(body), headers: Vec::new() }
}

/// No model said it, so none is named.
fn native(stored: &StoredReply<'_>) -> Value {
    json!({
        "candidates": [{
            "content": { "parts": [{ "text": stored.text }], "role": "model" },
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": { "promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0 },
        "responseId": stored.request_id,
    })
}

// === OpenAI-compatible ===

fn completion(stored: &StoredReply<'_>, model: &str) -> Value {
    let message = json!({ "role": "assistant", "content": stored.text });
    let mut whole = of_completion("chat.completion", stored, model);
    whole["choices"] = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
    whole["usage"] = no_usage();
    whole
}

fn completion_events(stored: &StoredReply<'_>, model: &str, with_usage: bool) -> String {
    let chunk = |choices: Value| {
        let mut chunk = of_completion("chat.completion.chunk", stored, model);
        chunk["choices"] = choices;
        chunk
    };
    let delta = json!({ "role": "assistant", "content": stored.text });
    let mut events = vec![
        chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }])),
        chunk(json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }])),
    ];
    if with_usage {
        let mut usage = chunk(json!([]));
        usage["usage"] = no_usage();
        events.push(usage);
    }
    let events = events.iter().map(|event| format!("data: {event}\n\n"));
    events.chain(["data: [DONE]\n\n".to_owned()]).collect()
}

fn of_completion(object: &str, stored: &StoredReply<'_>, model: &str) -> Value {
    json!({
        "id": format!("chatcmpl-{}", stored.request_id),
        "object": object,
        "created": stored.at.as_second(),
        "model": model,
    })
}

fn no_usage() -> Value {
    json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 })
}

fn wants_usage(body: &[u8]) -> bool {
    body_of(body).is_some_and(|body| body["stream_options"]["include_usage"] == true)
}

// === Interactions ===

fn interaction(stored: &StoredReply<'_>, model: &str) -> Value {
    let mut whole = of_interaction("completed", stored, model);
    whole["steps"] =
        json!([{ "type": "model_output", "content": [{ "type": "text", "text": stored.text }] }]);
    whole["usage"] = json!({ "total_tokens": 0, "total_input_tokens": 0, "total_output_tokens": 0 });
    whole
}

fn interaction_events(stored: &StoredReply<'_>, model: &str) -> String {
    let mut completed = interaction(stored, model);
    if let Some(completed) = completed.as_object_mut() {
        completed.remove("steps");
    }
    let events = [
        ("interaction.created", json!({ "interaction": of_interaction("in_progress", stored, model) })),
        ("step.start", json!({ "index": 0, "step": { "type": "model_output" } })),
        ("step.delta", json!({ "index": 0, "delta": { "type": "text", "text": stored.text } })),
        ("step.stop", json!({ "index": 0 })),
        ("interaction.completed", json!({ "interaction": completed })),
    ];
    let events = events.into_iter().enumerate().map(|(at, (name, mut event))| {
        event["event_type"] = json!(name);
        event["event_id"] = json!(format!("e{at}"));
        format!("event: {name}\ndata: {event}\n\n")
    });
    events.chain(["event: done\ndata: [DONE]\n\n".to_owned()]).collect()
}

/// The provider keeps none of it, so it has no id with which one could go on from it.
fn of_interaction(status: &str, stored: &StoredReply<'_>, model: &str) -> Value {
    json!({
        "id": "",
        "object": "interaction",
        "status": status,
        "model": model,
        "created": stored.at,
        "updated": stored.at,
    })
}
