//! `generateContent`, `streamGenerateContent`, `countTokens`.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::bodies::unknown_field;
use super::continuation::Hop;
use super::error::GoogleError;
use super::projects::Caller;
use super::prompt::{Prompt, Reply, field};
use super::routes::Route;
use super::serve::{Gate, framed};
use crate::journal::TokenCounts;
use crate::quota::Demand;
use crate::wire::{Answer, Call, Events, Framing};
use crate::world::{Provider, Shared};

/// Fields of a generating request, in the spelling of proto3 JSON.
const FIELDS: [&str; 11] = [
    "cachedContent",
    "contents",
    "continuationToken",
    "generationConfig",
    "labels",
    "model",
    "safetySettings",
    "serviceTier",
    "store",
    "systemInstruction",
    "toolConfig",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_feedback: Option<Value>,
    usage_metadata: Usage,
    model_version: &'a str,
    #[serde(rename = "responseId")]
    id: &'a str,
}

/// What an answer cost; zero fields are left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Usage {
    #[serde(rename = "promptTokenCount")]
    pub(crate) prompt: u64,
    #[serde(rename = "candidatesTokenCount", skip_serializing_if = "is_zero")]
    pub(crate) candidates: u64,
    #[serde(rename = "totalTokenCount")]
    pub(crate) total: u64,
    #[serde(rename = "cachedContentTokenCount", skip_serializing_if = "is_zero")]
    pub(crate) cached: u64,
    #[serde(rename = "thoughtsTokenCount", skip_serializing_if = "is_zero")]
    pub(crate) thoughts: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    fn counts(self) -> TokenCounts {
        let Self { prompt, candidates, total, cached, thoughts } = self;
        TokenCounts { prompt, candidates, thoughts, cached, total }
    }

    pub(crate) fn new(prompt: u64, candidates: u64, cached: u64, thoughts: u64) -> Self {
        Self { prompt, candidates, total: prompt + candidates + thoughts, cached, thoughts }
    }
}

/// A request that was let in, charged, and has its reply.
pub(crate) struct Generation {
    pub(crate) caller: Caller,
    pub(crate) reply: Reply,
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) id: String,
}

impl Generation {
    /// Checks references, takes from the quotas and makes the reply.
    pub(crate) fn begin(world: &Shared, gate: &Gate<'_>, prompt: &Prompt) -> Result<Self, GoogleError> {
        let now = world.clock.now();
        let hop = Hop::of(prompt, &gate.caller.project)?;
        world.with(|world| {
            let google = &mut world.google;
            google.check_references(gate, prompt, now)?;
            let cached = prompt.cache.as_deref().map_or(0, |id| google.caches.tokens(id));
            let tokens = prompt.tokens + cached;
            google.charge(&gate.caller, &gate.scene, Demand { requests: 1, input_tokens: tokens }, now)?;
            let reply = hop.map_or_else(|| Reply::to(&prompt.text), |hop| hop.reply(&gate.caller.project));
            let generation = Self {
                caller: gate.caller.clone(),
                prompt_tokens: tokens,
                cached_tokens: cached,
                id: google.next_response_id(),
                reply,
            };
            let usage = generation.usage();
            google.spent(&generation.caller, usage.total, now);
            world.journal.billed(Provider::Google, usage.counts());
            Ok(generation)
        })
    }

    /// The cost of the whole answer.
    pub(crate) fn usage(&self) -> Usage {
        self.usage_of(&self.reply.text())
    }

    fn usage_of(&self, text: &str) -> Usage {
        Usage::new(
            self.prompt_tokens,
            super::prompt::tokens_of(text),
            self.cached_tokens,
            self.reply.thoughts,
        )
    }

    /// One native answer or chunk: `text` is what it says, `so_far` what was said up to its end.
    fn chunk(&self, model: &str, text: &str, so_far: &str, is_last: bool) -> Vec<u8> {
        let mut candidate = json!({"content": {"parts": [{"text": text}], "role": "model"}, "index": 0});
        if is_last && let Some(fields) = candidate.as_object_mut() {
            fields.insert("finishReason".to_owned(), Value::String(self.reply.finish.clone()));
            if let Some(token) = &self.reply.continuation {
                fields.insert("continuationToken".to_owned(), Value::String(token.clone()));
            }
        }
        let blocked = self.reply.blocked.as_ref();
        let response = Response {
            candidates: if blocked.is_some() { Vec::new() } else { vec![candidate] },
            prompt_feedback: blocked.map(|reason| json!({"blockReason": reason})),
            usage_metadata: self.usage_of(so_far),
            model_version: model,
            id: &self.id,
        };
        serde_json::to_vec(&response).unwrap_or_default()
    }

    fn chunks(&self, model: &str) -> Vec<Vec<u8>> {
        if self.reply.blocked.is_some() {
            return vec![self.chunk(model, "", "", true)];
        }
        let mut so_far = String::new();
        let last = self.reply.pieces.len().saturating_sub(1);
        let pieces = self.reply.pieces.iter().enumerate();
        let chunk = |(at, piece): (usize, &String)| {
            so_far += piece;
            self.chunk(model, piece, &so_far, at == last)
        };
        pieces.map(chunk).collect()
    }
}

/// `:generateContent`
pub(super) fn generate(
    world: &Shared,
    route: &Route,
    call: &Call,
    gate: &Gate<'_>,
) -> Result<Answer, GoogleError> {
    let generation = Generation::begin(world, gate, &prompt(call)?)?;
    let text = generation.reply.text();
    let body = generation.chunk(model(route), &text, &text, true);
    Ok(tiered(Answer::new(200, "application/json; charset=UTF-8", body), call))
}

/// `:streamGenerateContent`, as server-sent events or as one array.
pub(super) fn stream(
    world: &Shared,
    route: &Route,
    call: &Call,
    gate: &Gate<'_>,
) -> Result<Answer, GoogleError> {
    let generation = Generation::begin(world, gate, &prompt(call)?)?;
    let chunks = generation.chunks(model(route));
    let pause = generation.reply.pause;
    let answer = if call.parameter("alt").or_else(|| call.parameter("$alt")) == Some("sse") {
        Answer::events("text/event-stream", Events::new(Framing::Sse, sse(chunks, "\r\n\r\n"), pause))
    } else {
        Answer::events(
            "application/json; charset=UTF-8",
            Events::new(Framing::JsonArray, array(chunks), pause),
        )
    };
    Ok(tiered(answer, call))
}

/// `:countTokens`; free of quota.
pub(super) fn count_tokens(call: &Call) -> Result<Answer, GoogleError> {
    let body = body(call)?;
    let request = field(&body, "generateContentRequest", "generate_content_request").unwrap_or(&body);
    let tokens = Prompt::of(request).tokens;
    let details = json!([{"modality": "TEXT", "tokenCount": tokens}]);
    Ok(framed(Answer::json(200, &json!({"totalTokens": tokens, "promptTokensDetails": details}))))
}

/// Server-sent events, ended by `end`.
pub(super) fn sse(chunks: Vec<Vec<u8>>, end: &str) -> Vec<Bytes> {
    let event = |chunk: Vec<u8>| Bytes::from([b"data: ".as_slice(), &chunk, end.as_bytes()].concat());
    chunks.into_iter().map(event).collect()
}

/// One array, an element at a time; the end is a piece of its own.
fn array(chunks: Vec<Vec<u8>>) -> Vec<Bytes> {
    let element = |(at, chunk): (usize, Vec<u8>)| {
        let before: &[u8] = if at == 0 { b"[" } else { b",\r\n" };
        Bytes::from([before, &chunk].concat())
    };
    chunks.into_iter().enumerate().map(element).chain([Bytes::from_static(b"]")]).collect()
}

fn model(route: &Route) -> &str {
    route.model.as_deref().unwrap_or_default()
}

/// The service tier asked for, echoed in the header Google sends.
fn tiered(answer: Answer, call: &Call) -> Answer {
    let asked = call.json().ok().and_then(|body| {
        let tier = field(&body, "serviceTier", "service_tier")?.as_str()?.to_ascii_lowercase();
        ["flex", "priority"].contains(&tier.as_str()).then_some(tier)
    });
    framed(answer).with("x-gemini-service-tier", asked.as_deref().unwrap_or("standard"))
}

/// The body of a native request as an object.
pub(super) fn body(call: &Call) -> Result<Value, GoogleError> {
    let broken =
        || GoogleError::invalid("Invalid JSON payload received. Unexpected end of string. Expected a value.");
    call.json().ok().filter(Value::is_object).ok_or_else(broken)
}

fn prompt(call: &Call) -> Result<Prompt, GoogleError> {
    let body = body(call)?;
    let fields: BTreeSet<String> =
        body.as_object().into_iter().flatten().map(|(name, _)| camel(name)).collect();
    let unknown = fields.iter().find(|name| *name != "tools" && !FIELDS.contains(&name.as_str()));
    if let Some(name) = unknown {
        return Err(unknown_field(name));
    }
    let contents =
        body.get("contents").filter(|contents| contents.as_array().is_none_or(|list| !list.is_empty()));
    if contents.is_none_or(Value::is_null) {
        return Err(GoogleError::invalid("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    Ok(Prompt::of(&body))
}

/// `cached_content` → `cachedContent`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut chars = word.chars();
        chars.next().map_or(name.clone(), |head| name + &head.to_uppercase().to_string() + chars.as_str())
    })
}
