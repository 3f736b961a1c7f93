//! What the OpenAI-compatible surface has besides chat and embeddings: images, videos, batches.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::batches::made;
use super::error::GoogleError;
use super::files::File;
use super::generate::body;
use super::prompt::{Reply, tokens_of};
use super::rows::{GoogleRow, Scene};
use super::serve::{Gate, framed};
use crate::quota::Demand;
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// Jobs remembered of all projects; the first goes first.
const MOST_JOBS: usize = 10_000;
/// Jobs of a page, unless it is said how many.
const USUAL_PAGE: usize = 20;
/// Images of one request.
const MOST_IMAGES: u64 = 10;
/// A picture of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A video or batch in the making.
#[derive(Clone, Debug)]
struct Job {
    project: String,
    shown: Value,
    looked_at: bool,
}

/// All jobs by id.
#[derive(Default)]
pub(crate) struct Jobs(BTreeMap<String, Job>);

/// `POST /V/openai/images/generations`
pub(super) fn images(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let body = body(call)?;
    let prompt = body.get("prompt").and_then(Value::as_str).filter(|prompt| !prompt.is_empty());
    let prompt = prompt.ok_or_else(|| GoogleError::invalid("prompt is not specified"))?;
    charge(world, gate, tokens_of(prompt))?;
    let count = body.get("n").and_then(Value::as_u64).unwrap_or(1).clamp(1, MOST_IMAGES);
    let data: Vec<Value> = (0..count).map(|_| json!({"b64_json": PIXEL})).collect();
    let created = world.clock.now().as_second();
    Ok(framed(Answer::json(200, &json!({"created": created, "data": data}))))
}

/// `POST /V/openai/videos`
pub(super) fn create_video(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    if call.body.is_empty() {
        return Err(GoogleError::invalid("prompt is not specified"));
    }
    charge(world, gate, 1)?;
    let created = world.clock.now().as_second();
    let model = gate.route.model.as_deref().unwrap_or("gemini-omni-1.2-flash");
    begin(
        world,
        gate,
        "videos/",
        |id| json!({"id": id, "object": "video", "model": model, "status": "queued", "progress": 0, "created_at": created}),
    )
}

/// `POST /V/openai/batches`; its requests must be in a file of the project.
pub(super) fn create_batch(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let body = body(call)?;
    let file = body.get("input_file_id").and_then(Value::as_str).unwrap_or_default();
    let id = file.strip_prefix("files/").unwrap_or(file);
    let now = world.clock.now();
    world.with(|world| {
        let known = world.google.files.get(id, &gate.caller.project, now);
        let scene = Scene { resource: id.to_owned(), ..gate.scene.clone() };
        known.map(|_| ()).ok_or_else(|| GoogleRow::FileForbidden.error(&scene))
    })?;
    charge(world, gate, 0)?;
    begin(world, gate, "batches/", |id| {
        json!({
            "id": id,
            "object": "batch",
            "endpoint": body.get("endpoint"),
            "input_file_id": file,
            "completion_window": body.get("completion_window"),
            "status": "validating",
            "created_at": now.as_second(),
        })
    })
}

/// `GET /V/openai/{videos,batches}/{id}`: queued at first; the next but one look finds it done.
pub(super) fn get(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let now = world.clock.now();
    world.with(|world| {
        let job = world.google.jobs.find(gate)?;
        let shown = job.shown.clone();
        let is_done = ["cancelled", "completed"].iter().any(|done| job.shown["status"] == *done);
        if !std::mem::replace(&mut job.looked_at, true) || is_done {
            return Ok(framed(Answer::json(200, &shown)));
        }
        job.shown["status"] = json!("completed");
        if shown["object"] == "batch" {
            let id = gate.route.id.as_deref().unwrap_or_default();
            let output = format!("batch-{id}");
            job.shown["completed_at"] = json!(now.as_second());
            job.shown["output_file_id"] = json!(format!("files/{output}"));
            let (project, input) = (gate.caller.project.as_str(), shown["input_file_id"].as_str());
            let input = input.unwrap_or_default().trim_start_matches("files/");
            let asked = world.google.files.get(input, project, now).and_then(|file| file.content.clone());
            let content = answers(&asked.unwrap_or_default()).into_bytes();
            let file = made(project, "application/jsonl", now);
            let file = File { size_bytes: content.len() as u64, content: Some(content.into()), ..file };
            world.google.files.insert(output, file);
        }
        Ok(framed(Answer::json(200, &shown)))
    })
}

/// The answers to the chats of a batch, line by line.
fn answers(asked: &[u8]) -> String {
    let lines = asked.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let answer = |request: Value| {
        let said = request["body"]["messages"].as_array().and_then(|messages| messages.last());
        let text = Reply::to(said.and_then(|said| said["content"].as_str()).unwrap_or_default()).text();
        let message = json!({"role": "assistant", "content": text});
        let completion = json!({
            "object": "chat.completion",
            "model": request["body"]["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        });
        let response = json!({"status_code": 200, "body": completion});
        format!("{}\n", json!({"custom_id": request["custom_id"], "response": response, "error": null}))
    };
    lines.map(answer).collect()
}

/// `GET /V/openai/{videos,batches}`: a page begins behind the item that `after` names.
pub(super) fn list(world: &Shared, call: &Call, gate: &Gate<'_>) -> Answer {
    let kind = if call.path.ends_with("videos") { "video" } else { "batch" };
    let after = call.parameter("after").unwrap_or_default();
    let limit = call.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(USUAL_PAGE);
    world.with(|world| {
        let jobs = world.google.jobs.0.values();
        let mine = jobs.filter(|job| job.project == gate.caller.project && job.shown["object"] == kind);
        let all: Vec<&Value> = mine.map(|job| &job.shown).collect();
        let start = all.iter().position(|job| job["id"] == after).map_or(0, |at| at + 1);
        let data: Vec<&Value> = all.iter().skip(start).take(limit).copied().collect();
        let id = |job: Option<&&Value>| job.map(|job| job["id"].clone());
        let page = json!({
            "object": "list",
            "data": data,
            "first_id": id(data.first()),
            "last_id": id(data.last()),
            "has_more": start + data.len() < all.len(),
        });
        framed(Answer::json(200, &page))
    })
}

/// `GET /V/openai/videos/{id}/content`
pub(super) fn content(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    world.with(|world| world.google.jobs.find(gate).map(|_| ()))?;
    Ok(framed(Answer::new(200, "video/mp4", "a simulated video")))
}

/// `POST /V/openai/batches/{id}/cancel`
pub(super) fn cancel(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    world.with(|world| {
        let job = world.google.jobs.find(gate)?;
        job.shown["status"] = json!("cancelled");
        Ok(framed(Answer::json(200, &job.shown)))
    })
}

/// `DELETE /V/openai/videos/{id}`
pub(super) fn delete(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    world.with(|world| {
        let id = world.google.jobs.find(gate)?.shown["id"].clone();
        world.google.jobs.0.remove(gate.route.id.as_deref().unwrap_or_default());
        Ok(framed(Answer::json(200, &json!({"id": id, "object": "video.deleted", "deleted": true}))))
    })
}

fn begin(
    world: &Shared,
    gate: &Gate<'_>,
    collection: &str,
    shown: impl FnOnce(&str) -> Value,
) -> Result<Answer, GoogleError> {
    world.with(|world| {
        let id = world.google.next_response_id();
        let project = gate.caller.project.clone();
        let job = Job { project, shown: shown(&format!("{collection}{id}")), looked_at: false };
        let answer = framed(Answer::json(200, &job.shown));
        if world.google.jobs.0.len() >= MOST_JOBS {
            world.google.jobs.0.pop_first();
        }
        world.google.jobs.0.insert(id, job);
        Ok(answer)
    })
}

fn charge(world: &Shared, gate: &Gate<'_>, tokens: u64) -> Result<(), GoogleError> {
    let now = world.clock.now();
    world.with(|world| {
        let demand = Demand { requests: 1, input_tokens: tokens };
        world.google.charge(&gate.caller, &gate.scene, demand, now)
    })
}

impl Jobs {
    fn find(&mut self, gate: &Gate<'_>) -> Result<&mut Job, GoogleError> {
        let id = gate.route.id.as_deref().unwrap_or_default();
        let found = self.0.get_mut(id).filter(|job| job.project == gate.caller.project);
        found.ok_or_else(|| GoogleError::new(404, "NOT_FOUND", format!("{id} was not found.")))
    }
}
