//! Batches and what runs long: done as soon as somebody looks.

use serde_json::{Value, json};

use super::error::GoogleError;
use super::files::{File, base, page, shown};
use super::generate::body;
use super::kept::{forbidden, fresh_id};
use super::prompt::{Prompt, Reply, field};
use super::serve::{Gate, framed};
use crate::wire::{Answer, Call};
use crate::world::Shared;

const KIND: &str = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch";

/// `POST /V/models/{m}:batchGenerateContent`, `:asyncBatchEmbedContent`
pub(super) fn create(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let (now, body) = (world.clock.now(), body(call)?);
    let batch = body.get("batch").ok_or_else(|| GoogleError::invalid("* batch: batch is not specified\n"))?;
    let input = field(batch, "inputConfig", "input_config");
    let input =
        input.ok_or_else(|| GoogleError::invalid("* batch.input_config: input_config is not specified\n"))?;
    let name = format!("batches/{}", fresh_id());
    let operation = json!({
        "name": name,
        "metadata": {
            "@type": KIND,
            "name": name,
            "model": format!("models/{}", gate.scene.model),
            "displayName": field(batch, "displayName", "display_name").cloned().unwrap_or_default(),
            "inputConfig": input,
            "state": "BATCH_STATE_PENDING",
            "createTime": now,
            "updateTime": now,
        },
    });
    world.with(|world| {
        world.google.check_named(gate, input, now)?;
        world.google.kept.insert(name, &gate.caller.project, operation.clone(), now);
        Ok(framed(Answer::json(200, &operation)))
    })
}

/// `GET /V/batches`
pub(super) fn list(world: &Shared, call: &Call, gate: &Gate<'_>) -> Answer {
    let all = world.with(|world| world.google.kept.of("batches", &gate.caller.project));
    framed(Answer::json(200, &page("operations", all, call)))
}

/// `GET /V/batches/{id}`: whoever looks finds it done.
pub(super) fn get(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let name = gate.route.id.as_deref().unwrap_or_default();
    let (now, project) = (world.clock.now(), gate.caller.project.as_str());
    world.with(|world| {
        let google = &mut world.google;
        let batch = google.kept.get_mut(name, project).ok_or_else(|| forbidden(name))?;
        if batch["metadata"]["state"] == "BATCH_STATE_PENDING" {
            let result = format!("batch-{}", name.trim_start_matches("batches/"));
            let input = batch["metadata"]["inputConfig"].clone();
            let output = match field(&input, "fileName", "file_name") {
                Some(_) => json!({"responsesFile": format!("files/{result}")}),
                None => json!({"inlinedResponses": {"inlinedResponses": answered(&input)}}),
            };
            batch["metadata"]["state"] = json!("BATCH_STATE_SUCCEEDED");
            batch["metadata"]["output"] = output.clone();
            batch["response"] = output;
            batch["done"] = json!(true);
            if batch["response"].get("responsesFile").is_some() {
                google.files.insert(result, made(project, "application/jsonl", now));
            }
        }
        let batch = google.kept.get(name, project).cloned().unwrap_or_default();
        Ok(framed(Answer::json(200, &batch)))
    })
}

/// `POST /V/batches/{id}:cancel`
pub(super) fn cancel(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let name = gate.route.id.as_deref().unwrap_or_default().trim_end_matches(":cancel");
    world.with(|world| {
        let batch = world.google.kept.get_mut(name, &gate.caller.project).ok_or_else(|| forbidden(name))?;
        batch["metadata"]["state"] = json!("BATCH_STATE_CANCELLED");
        Ok(framed(Answer::json(200, &json!({}))))
    })
}

/// `POST /V/models/{m}:predictLongRunning`: a video, as an operation that is done when looked at.
pub(super) fn long_running(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let (now, body, base) = (world.clock.now(), body(call)?, base(world, gate));
    let name = format!("models/{}/operations/{}", gate.scene.model, fresh_id());
    let (id, project) = (fresh_id(), gate.caller.project.as_str());
    let uri = format!("{base}/files/{id}:download?alt=media");
    let done = json!({
        "name": name,
        "done": true,
        "response": {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": uri}}]}},
    });
    world.with(|world| {
        world.google.check_named(gate, &body, now)?;
        world.google.files.insert(id, made(project, "video/mp4", now));
        world.google.kept.insert(name.clone(), project, done, now);
        Ok(framed(Answer::json(200, &json!({"name": name}))))
    })
}

/// `POST /V/models/{m}:predict`: a picture.
pub(super) fn predict() -> Answer {
    framed(Answer::json(
        200,
        &json!({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "aGk="}]}),
    ))
}

/// `POST /V/files:register`: files of a bucket.
pub(super) fn register(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let (now, body, base) = (world.clock.now(), body(call)?, base(world, gate));
    let uris = body.get("uris").and_then(Value::as_array).cloned().unwrap_or_default();
    world.with(|world| {
        let register = |_: &Value| {
            let file = made(&gate.caller.project, "text/plain", now);
            let (id, file) = (fresh_id(), File { is_generated: false, ..file });
            let mut shown = shown(&id, &file, &base);
            shown["source"] = json!("REGISTERED");
            world.google.files.insert(id, file);
            shown
        };
        let files: Vec<Value> = uris.iter().map(register).collect();
        Ok(framed(Answer::json(200, &json!({"files": files}))))
    })
}

pub(super) fn made(project: &str, mime_type: &str, now: jiff::Timestamp) -> File {
    let sum = "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721".to_owned();
    let file = File::uploaded(project.to_owned(), 6, sum, now);
    File { mime_type: mime_type.to_owned(), is_generated: true, ..file }
}

/// The answers to the requests of a batch, in their order.
fn answered(input: &Value) -> Vec<Value> {
    let requests = input["requests"]["requests"].as_array().cloned().unwrap_or_default();
    let answer = |one: &Value| {
        let text = Reply::to(&Prompt::of(&one["request"]).text).text();
        let content = json!({"parts": [{"text": text}], "role": "model"});
        json!({"metadata": one["metadata"], "response": {"candidates": [{"content": content, "finishReason": "STOP"}]}})
    };
    requests.iter().map(answer).collect()
}
