//! The lists of models, native and OpenAI-compatible.

use serde_json::{Value, json};

use super::catalogue::{Kind, MODELS};
use super::projects::Project;
use super::routes::{Route, bare_model};
use super::serve::framed;
use crate::wire::{Answer, Call};

/// What a model of the catalogue, or one only this project has, is for.
pub(super) fn kind_of(name: &str, version: &str, project: Option<&Project>) -> Option<Kind> {
    let known = MODELS.iter().find(|model| model.name == name && (version != "v1" || !model.is_alias));
    let is_extra =
        || project.is_some_and(|project| project.declared.extra_models.iter().any(|extra| extra == name));
    known.map(|model| model.kind).or_else(|| is_extra().then_some(Kind::Chat))
}

/// The names a project sees on a version.
fn names<'a>(version: &'a str, project: Option<&'a Project>) -> impl Iterator<Item = &'a str> {
    let extra =
        project.into_iter().flat_map(|project| project.declared.extra_models.iter().map(String::as_str));
    MODELS.iter().filter(move |model| version != "v1" || !model.is_alias).map(|model| model.name).chain(extra)
}

fn native(name: &str, kind: Kind) -> Value {
    let methods = match kind {
        Kind::Chat => {
            json!(["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"])
        }
        Kind::Embedding => {
            json!(["embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"])
        }
        Kind::Live => json!(["bidiGenerateContent"]),
    };
    json!({
        "name": format!("models/{name}"),
        "version": "001",
        "displayName": name,
        "description": format!("Simulated {name}"),
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": methods,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
    })
}

/// `GET /V/models`, in pages of 50 or as asked.
pub(super) fn list(route: &Route, call: &Call, project: Option<&Project>) -> Answer {
    let all: Vec<&str> = names(&route.version, project).collect();
    let size =
        call.parameter("pageSize").and_then(|size| size.parse().ok()).filter(|size| *size > 0).unwrap_or(50);
    let start: usize = call.parameter("pageToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let kind = |name: &str| kind_of(name, &route.version, project).unwrap_or(Kind::Chat);
    let page: Vec<Value> = all.iter().skip(start).take(size).map(|name| native(name, kind(name))).collect();
    let next = start.saturating_add(page.len());
    let mut body = json!({"models": page});
    if next < all.len() {
        body["nextPageToken"] = json!(next.to_string());
    }
    framed(Answer::json(200, &body))
}

/// `GET /V/models/{m}`
pub(super) fn get(name: &str, kind: Kind) -> Answer {
    framed(Answer::json(200, &native(name, kind)))
}

fn compatible(name: &str) -> Value {
    json!({"id": format!("models/{name}"), "object": "model", "owned_by": "google", "display_name": name})
}

/// `GET /V/openai/models`
pub(super) fn compatible_list(route: &Route, project: Option<&Project>) -> Answer {
    let all: Vec<Value> = names(&route.version, project).map(compatible).collect();
    framed(Answer::json(200, &json!({"object": "list", "data": all})))
}

/// `GET /V/openai/models/{m}`
pub(super) fn compatible_get(name: &str) -> Answer {
    framed(Answer::json(200, &compatible(bare_model(name))))
}
