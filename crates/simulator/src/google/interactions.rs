//! Interactions: stored unless asked otherwise, of one project, told whole, as events, or later.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::GoogleError;
use super::generate::{Generation, Usage, body};
use super::prompt::{Prompt, tokens_of};
use super::serve::{Gate, framed};
use crate::wire::{Answer, Call, Events, Framing};
use crate::world::Shared;

/// Interactions remembered of all projects; the oldest goes first.
const MOST_INTERACTIONS: usize = 10_000;

/// One interaction, with everything it will say.
#[derive(Clone, Debug)]
struct Interaction {
    project: String,
    /// The field that names who answers, and its value.
    answerer: (&'static str, String),
    previous: Option<String>,
    created: Timestamp,
    pieces: Vec<String>,
    /// A function that it asks its caller to call.
    call: Option<(String, Value)>,
    usage: Usage,
    status: Status,
    /// The token to go on with, where this is not all.
    continuation: Option<String>,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    /// In the background; the next but one look finds it completed.
    InProgress {
        looked_at: bool,
    },
    Ended(&'static str),
}

/// All stored interactions by id.
#[derive(Default)]
pub(crate) struct Interactions(BTreeMap<String, Interaction>);

/// `POST /V/interactions`
pub(super) fn create(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let body = body(call)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let is_true = |name: &str| body.get(name).and_then(Value::as_bool) == Some(true);
    let answerer = match (text("model"), text("agent")) {
        (Some(model), None) => ("model", model.to_owned()),
        (None, Some(agent)) => ("agent", agent.to_owned()),
        _ => return Err(GoogleError::invalid("Exactly one of model and agent must be set.")),
    };
    let continuation = text("continuation_token").map(str::to_owned);
    let said = body.get("input").map(said_in).filter(|said| !said.is_empty());
    // What is gone on with is known from the interaction before.
    let said = said.or_else(|| continuation.as_ref().map(|_| String::new()));
    let said = said.ok_or_else(|| GoogleError::invalid("input is required."))?;
    let previous = text("previous_interaction_id").map(str::to_owned);
    if let Some(id) = &previous {
        world.with(|world| world.google.interactions.get(id, gate).map(|_| ()))?;
    }
    let prompt = Prompt { tokens: tokens_of(&said).max(1), text: said, continuation, ..Prompt::default() };
    let generation = Generation::begin(world, gate, &prompt)?;
    let is_background = is_true("background");
    let function = asked_function(&prompt.text, &body);
    let interaction = Interaction {
        project: gate.caller.project.clone(),
        answerer,
        previous,
        created: world.clock.now(),
        usage: generation.usage(),
        status: match &function {
            _ if is_background => Status::InProgress { looked_at: false },
            Some(_) => Status::Ended("requires_action"),
            None if generation.reply.continuation.is_some() => Status::Ended("requires_continuation"),
            None => Status::Ended("completed"),
        },
        call: function,
        pieces: generation.reply.pieces.clone(),
        continuation: generation.reply.continuation.clone(),
    };
    let id = format!("v1_{}", generation.id);
    if body.get("store").and_then(Value::as_bool) != Some(false) {
        world.with(|world| world.google.interactions.insert(id.clone(), interaction.clone()));
    }
    if is_true("stream") {
        return Ok(interaction.streamed(&id, None, generation.reply.pause));
    }
    Ok(framed(Answer::json(200, &interaction.shown(&id))).with("x-gemini-service-tier", "standard"))
}

/// `GET /V/interactions/{id}`, whole or as the events after `last_event_id`.
pub(super) fn get(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let id = named(gate);
    let interaction = world.with(|world| world.google.interactions.look(id, gate))?;
    if call.parameter("stream") == Some("true") {
        return Ok(interaction.streamed(id, call.parameter("last_event_id"), None));
    }
    Ok(framed(Answer::json(200, &interaction.shown(id))))
}

/// `POST /V/interactions/{id}/cancel`
pub(super) fn cancel(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let id = named(gate);
    let interaction = world.with(|world| world.google.interactions.cancel(id, gate))?;
    Ok(framed(Answer::json(200, &interaction.shown(id))))
}

/// `DELETE /V/interactions/{id}`
pub(super) fn delete(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    world.with(|world| {
        world.google.interactions.get(named(gate), gate)?;
        world.google.interactions.0.remove(named(gate));
        Ok(framed(Answer::json(200, &json!({}))))
    })
}

/// An error inside a stream of events.
pub(crate) fn error_event(error: &GoogleError) -> String {
    let told = json!({"event_type": "error", "error": {"code": error.word, "message": error.message}});
    format!("event: error\ndata: {told}\n\n")
}

fn named<'g>(gate: &'g Gate<'_>) -> &'g str {
    gate.route.id.as_deref().unwrap_or_default()
}

/// The text of an input: a text, contents, or steps; of a list the last one counts.
fn said_in(input: &Value) -> String {
    match input {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.last().map(said_in).unwrap_or_default(),
        Value::Object(fields) => {
            let result = fields.get("result").map(|result| format!("The function says {result}"));
            let text = fields.get("text").and_then(Value::as_str).map(str::to_owned);
            text.or(result).unwrap_or_else(|| fields.get("content").map(said_in).unwrap_or_default())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

/// `call NAME {…}` calls that function, if it is among the tools.
fn asked_function(text: &str, body: &Value) -> Option<(String, Value)> {
    let (name, arguments) = super::tools::asked(text)?;
    let tools = body.get("tools")?.as_array()?;
    let is_offered = tools.iter().any(|tool| tool.get("name").and_then(Value::as_str) == Some(name));
    is_offered.then(|| (name.to_owned(), arguments))
}

impl Interactions {
    fn get(&self, id: &str, gate: &Gate<'_>) -> Result<&Interaction, GoogleError> {
        let found = self.0.get(id).filter(|interaction| interaction.project == gate.caller.project);
        found.ok_or_else(|| GoogleError::new(404, "NOT_FOUND", format!("Interaction {id} was not found.")))
    }

    fn insert(&mut self, id: String, interaction: Interaction) {
        if self.0.len() >= MOST_INTERACTIONS {
            let oldest = self.0.iter().min_by_key(|(_, known)| known.created).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.0.remove(&id));
        }
        self.0.insert(id, interaction);
    }

    /// What a look finds; it is what lets work in the background go on.
    fn look(&mut self, id: &str, gate: &Gate<'_>) -> Result<Interaction, GoogleError> {
        let found = self.get(id, gate)?.clone();
        if let (Status::InProgress { looked_at }, Some(kept)) = (found.status, self.0.get_mut(id)) {
            kept.status =
                if looked_at { Status::Ended("completed") } else { Status::InProgress { looked_at: true } };
        }
        Ok(found)
    }

    fn cancel(&mut self, id: &str, gate: &Gate<'_>) -> Result<Interaction, GoogleError> {
        self.get(id, gate)?;
        let Some(kept) = self.0.get_mut(id) else { return Err(GoogleError::invalid("gone")) };
        if matches!(kept.status, Status::Ended(_)) {
            let message = "Only interactions that run in the background can be cancelled.";
            return Err(GoogleError::new(400, "FAILED_PRECONDITION", message));
        }
        kept.status = Status::Ended("cancelled");
        Ok(kept.clone())
    }
}

impl Interaction {
    fn status(&self) -> &'static str {
        match self.status {
            Status::InProgress { .. } => "in_progress",
            Status::Ended(how) => how,
        }
    }

    fn head(&self, id: &str, status: &str) -> Value {
        let mut head = json!({
            "id": id,
            "status": status,
            "object": "interaction",
            "created": self.created,
            "updated": self.created,
        });
        head[self.answerer.0] = json!(self.answerer.1);
        if let Some(previous) = &self.previous {
            head["previous_interaction_id"] = json!(previous);
        }
        if let Some(token) = self.continuation.as_ref().filter(|_| status == "requires_continuation") {
            head["continuation_token"] = json!(token);
        }
        head
    }

    fn usage(&self) -> Value {
        let usage = &self.usage;
        json!({
            "total_tokens": usage.total,
            "total_input_tokens": usage.prompt,
            "input_tokens_by_modality": [{"modality": "text", "tokens": usage.prompt}],
            "total_cached_tokens": usage.cached,
            "total_output_tokens": usage.candidates,
            "total_tool_use_tokens": 0,
            "total_thought_tokens": usage.thoughts,
        })
    }

    fn last_step(&self, text: &str) -> Value {
        match &self.call {
            Some((name, arguments)) => {
                json!({"type": "function_call", "id": "call-1", "name": name, "arguments": arguments})
            }
            None => json!({"type": "model_output", "content": [{"type": "text", "text": text}]}),
        }
    }

    fn shown(&self, id: &str) -> Value {
        let mut shown = self.head(id, self.status());
        if matches!(self.status, Status::Ended("completed" | "requires_action" | "requires_continuation")) {
            shown["steps"] = json!([self.last_step(&self.pieces.concat())]);
            shown["usage"] = self.usage();
        }
        shown
    }

    fn events(&self, id: &str) -> Vec<(&'static str, Value)> {
        let mut events = vec![
            ("interaction.created", json!({"interaction": self.head(id, "in_progress")})),
            (
                "step.start",
                json!({"index": 0, "step": if self.call.is_some() { self.last_step("") } else { json!({"type": "model_output"}) }}),
            ),
        ];
        let deltas = if self.call.is_some() { [].as_slice() } else { self.pieces.as_slice() };
        events.extend(deltas.iter().map(|piece| {
            let delta = json!({"index": 0, "delta": {"text": piece, "type": "text"}});
            ("step.delta", delta)
        }));
        events.push(("step.stop", json!({"index": 0})));
        let mut whole = self.head(id, self.status());
        whole["usage"] = self.usage();
        events.push(("interaction.completed", json!({"interaction": whole})));
        events
    }

    /// The events behind `after`, each with an id of its own.
    fn streamed(&self, id: &str, after: Option<&str>, pause: Option<std::time::Duration>) -> Answer {
        let numbered = self.events(id).into_iter().enumerate().map(|(at, (name, mut event))| {
            event["event_type"] = json!(name);
            event["event_id"] = json!(format!("e{at}"));
            (format!("e{at}"), format!("event: {name}\ndata: {event}\n\n"))
        });
        let all: Vec<(String, String)> = numbered.collect();
        let from = after.and_then(|after| all.iter().position(|(id, _)| id == after)).map_or(0, |at| at + 1);
        let mut pieces: Vec<bytes::Bytes> =
            all.into_iter().skip(from).map(|(_, event)| event.into()).collect();
        pieces.push("event: done\ndata: [DONE]\n\n".into());
        framed(Answer::events("text/event-stream", Events::new(Framing::NamedEvents, pieces, pause)))
    }
}
