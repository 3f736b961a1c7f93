//! The OpenAI-compatible chat completions.

use serde_json::{Value, json};

use super::error::GoogleError;
use super::generate::{Generation, body, sse};
use super::prompt::{Prompt, tokens_of};
use super::routes::Route;
use super::serve::{Gate, framed};
use super::tools;
use crate::wire::{Answer, Call, Events, Framing};
use crate::world::Shared;

/// `POST /V/openai/chat/completions`
pub(super) fn complete(
    world: &Shared,
    route: &Route,
    call: &Call,
    gate: &Gate<'_>,
) -> Result<Answer, GoogleError> {
    let body = body(call)?;
    let prompt = prompt(&body)?;
    let generation = Generation::begin(world, gate, &prompt)?;
    let completion = Completion {
        call: asked_function(&prompt.text, &body),
        // Whether Google tells usage with every chunk is not known: it can be had both ways.
        is_told_often: prompt.text.starts_with("usage everywhere"),
        model: route.model.as_deref().unwrap_or_default(),
        created: world.clock.now().as_second(),
        generation: &generation,
    };
    let is_true = |value: Option<&Value>| value.and_then(Value::as_bool) == Some(true);
    let answer = if is_true(body.get("stream")) {
        let has_usage = is_true(body.get("stream_options").and_then(|options| options.get("include_usage")));
        let mut pieces = sse(completion.chunks(has_usage), "\n\n");
        pieces.push("data: [DONE]\n\n".into());
        Answer::events("text/event-stream", Events::new(Framing::SseLineFeed, pieces, generation.reply.pause))
    } else {
        Answer::json(200, &completion.whole())
    };
    Ok(framed(answer).with("x-gemini-service-tier", "standard"))
}

struct Completion<'a> {
    /// A function that it asks its caller to call, and the arguments as JSON.
    call: Option<(String, String)>,
    is_told_often: bool,
    model: &'a str,
    created: i64,
    generation: &'a Generation,
}

impl Completion<'_> {
    fn finish(&self) -> &'static str {
        if self.call.is_some() {
            return "tool_calls";
        }
        match self.generation.reply.finish.as_str() {
            "MAX_TOKENS" => "length",
            "STOP" if self.generation.reply.blocked.is_none() => "stop",
            _ => "content_filter",
        }
    }

    fn usage(&self) -> Value {
        let usage = self.generation.usage();
        json!({
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.candidates,
            "total_tokens": usage.total,
        })
    }

    fn whole(&self) -> Value {
        let message = match self.tool_call() {
            Some(call) => json!({"role": "assistant", "tool_calls": [call]}),
            None => json!({"role": "assistant", "content": self.generation.reply.text()}),
        };
        json!({
            "id": self.generation.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish()}],
            "usage": self.usage(),
        })
    }

    fn tool_call(&self) -> Option<Value> {
        let (name, arguments) = self.call.as_ref()?;
        Some(json!({
            "index": 0,
            "id": format!("function-call-{}", self.generation.id),
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }))
    }

    fn chunks(&self, has_usage: bool) -> Vec<Vec<u8>> {
        if let Some(call) = self.tool_call() {
            let delta = json!({"role": "assistant", "tool_calls": [call]});
            let chunk = self.chunk(&json!([{"index": 0, "delta": delta, "finish_reason": self.finish()}]));
            return self.with_usage(vec![chunk], has_usage);
        }
        let last = self.generation.reply.pieces.len().saturating_sub(1);
        let pieces = self.generation.reply.pieces.iter().enumerate();
        let chunks: Vec<Value> = pieces
            .map(|(at, piece)| {
                let finish = (at == last).then(|| self.finish());
                let delta = json!({"role": "assistant", "content": piece});
                self.chunk(&json!([{"index": 0, "delta": delta, "finish_reason": finish}]))
            })
            .collect();
        self.with_usage(chunks, has_usage)
    }

    fn with_usage(&self, mut chunks: Vec<Value>, has_usage: bool) -> Vec<Vec<u8>> {
        if has_usage && self.is_told_often {
            for chunk in &mut chunks {
                chunk["usage"] = self.usage();
            }
        } else if has_usage {
            let mut chunk = self.chunk(&json!([]));
            chunk["usage"] = self.usage();
            chunks.push(chunk);
        }
        chunks.iter().map(|chunk| chunk.to_string().into_bytes()).collect()
    }

    fn chunk(&self, choices: &Value) -> Value {
        json!({
            "id": self.generation.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }
}

/// The messages as a prompt; content is a string or a list of parts.
fn prompt(body: &Value) -> Result<Prompt, GoogleError> {
    let messages = body.get("messages").and_then(Value::as_array).filter(|messages| !messages.is_empty());
    let messages = messages.ok_or_else(|| GoogleError::invalid("contents is not specified"))?;
    let texts: Vec<(&str, String)> = messages.iter().map(message).collect();
    let result = texts.last().filter(|(role, _)| *role == "tool");
    let result = result.map(|(_, text)| format!("The function says {text}"));
    let users = texts.iter().rfind(|(role, _)| *role == "user");
    let cache = body.pointer("/extra_body/google/cached_content").and_then(Value::as_str);
    Ok(Prompt {
        text: result.or_else(|| users.map(|(_, text)| text.clone())).unwrap_or_default(),
        tokens: texts.iter().map(|(_, text)| tokens_of(text)).sum::<u64>().max(1),
        cache: cache.map(|name| name.trim_start_matches("cachedContents/").to_owned()),
        ..Prompt::default()
    })
}

/// `call NAME {…}` calls that function, if it is among the tools.
fn asked_function(text: &str, body: &Value) -> Option<(String, String)> {
    let (name, arguments) = tools::asked(text)?;
    let offered = body.get("tools")?.as_array()?;
    let is_offered = offered.iter().any(|tool| tool.pointer("/function/name") == Some(&json!(name)));
    is_offered.then(|| (name.to_owned(), arguments.to_string()))
}

fn message(message: &Value) -> (&str, String) {
    let role = message.get("role").and_then(Value::as_str).unwrap_or("user");
    let text = match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    };
    (role, text)
}
