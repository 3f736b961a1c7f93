//! Everything else that a project keeps: stores and their documents, tuned models, corpora, agents,
//! environments, credentials, triggers, voices, webhooks, and collections nobody has thought of yet. Each is
//! visible to the keys of its project only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::GoogleError;
use super::files::page;
use super::generate::body;
use super::projects::GoogleWorld;
use super::prompt::field;
use super::serve::{Gate, framed};
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// Things remembered of all projects; the oldest goes first.
const MOST_THINGS: usize = 10_000;

/// Collections whose members have an `id` instead of a `name`.
const WITH_IDS: [&str; 6] = ["agents", "environments", "credentials", "triggers", "executions", "webhooks"];

/// A thing.
#[derive(Clone, Debug)]
struct Thing {
    project: String,
    shown: Value,
    created: Timestamp,
}

/// All things by their full name.
#[derive(Default)]
pub(crate) struct Things(BTreeMap<String, Thing>);

impl Things {
    /// The thing of this name, if it is the project's.
    pub(super) fn get(&self, name: &str, project: &str) -> Option<&Value> {
        self.0.get(name).filter(|thing| thing.project == project).map(|thing| &thing.shown)
    }

    pub(super) fn get_mut(&mut self, name: &str, project: &str) -> Option<&mut Value> {
        self.0.get_mut(name).filter(|thing| thing.project == project).map(|thing| &mut thing.shown)
    }

    /// Keeps a thing.
    pub(super) fn insert(&mut self, name: String, project: &str, shown: Value, created: Timestamp) {
        if self.0.len() >= MOST_THINGS {
            let oldest = self.0.iter().min_by_key(|(_, thing)| thing.created).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.0.remove(&name));
        }
        self.0.insert(name, Thing { project: project.to_owned(), shown, created });
    }

    /// Forgets a thing and everything inside it.
    pub(super) fn remove(&mut self, name: &str) {
        let inside = format!("{name}/");
        self.0.retain(|known, _| known != name && !known.starts_with(&inside));
    }

    /// The members of a collection that are the project's.
    pub(super) fn of(&self, collection: &str, project: &str) -> Vec<Value> {
        let start = format!("{collection}/");
        let members = self.0.iter().filter(|(name, thing)| {
            let id = name.strip_prefix(&start);
            thing.project == project && id.is_some_and(|id| !id.contains('/'))
        });
        members.map(|(_, thing)| thing.shown.clone()).collect()
    }
}

/// What is not the project's may not exist.
pub(super) fn forbidden(name: &str) -> GoogleError {
    let (collection, id) = name.rsplit_once('/').unwrap_or(("", name));
    let kind = collection.rsplit('/').next().unwrap_or_default().trim_end_matches('s');
    let mut kind: Vec<char> = kind.chars().collect();
    if let Some(first) = kind.first_mut() {
        first.make_ascii_uppercase();
    }
    let kind: String = kind.into_iter().collect();
    let message = format!("You do not have permission to access the {kind} {id} or it may not exist.");
    GoogleError::new(403, "PERMISSION_DENIED", message)
}

impl GoogleWorld {
    /// Everything that a value names must be the caller's.
    pub(super) fn check_named(
        &self,
        gate: &Gate<'_>,
        value: &Value,
        now: Timestamp,
    ) -> Result<(), GoogleError> {
        let project = gate.caller.project.as_str();
        match value {
            Value::Array(values) => values.iter().try_for_each(|value| self.check_named(gate, value, now)),
            Value::Object(members) => {
                let named = members.iter().filter(|(name, _)| *name != "text");
                named.map(|(_, value)| value).try_for_each(|value| self.check_named(gate, value, now))
            }
            Value::String(name) => {
                if let Some(id) = name.strip_prefix("files/") {
                    let file = self.files.get(id, project, now);
                    return file.map(|_| ()).ok_or_else(|| super::bodies::file_forbidden(id));
                }
                if name.starts_with("fileSearchStores/") && self.kept.get(name, project).is_none() {
                    return Err(forbidden(name));
                }
                Ok(())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    /// A tuned model that is asked must be the caller's.
    pub(super) fn check_tuned(&self, gate: &Gate<'_>) -> Result<(), GoogleError> {
        match gate.route.id.as_deref().filter(|name| name.starts_with("tunedModels/")) {
            Some(name) if self.kept.get(name, &gate.caller.project).is_none() => Err(forbidden(name)),
            Some(_) | None => Ok(()),
        }
    }
}

/// `POST /V/{collection}`
pub(super) fn create(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let (now, body) = (world.clock.now(), body(call)?);
    let collection = named(gate);
    let project = gate.caller.project.as_str();
    world.with(|world| {
        let google = &mut world.google;
        owns_parent(google, collection, project)?;
        google.check_named(gate, &body, now)?;
        let id = asked_id(call, &body, collection).unwrap_or_else(|| made_up_id(&body));
        let name = format!("{collection}/{id}");
        if google.kept.get(&name, project).is_some() {
            return Err(GoogleError::new(409, "ALREADY_EXISTS", "Requested entity already exists"));
        }
        let shown = born(collection, &id, body, now);
        google.kept.insert(name.clone(), project, shown.clone(), now);
        if collection == "tunedModels" {
            // A tuned model is told as the operation that makes it.
            let operation = json!({
                "name": format!("{name}/operations/{}", fresh_id()),
                "metadata": {"tunedModel": name},
                "done": true,
                "response": shown,
            });
            let operation_name = operation["name"].as_str().unwrap_or_default().to_owned();
            google.kept.insert(operation_name, project, operation.clone(), now);
            return Ok(framed(Answer::json(200, &operation)));
        }
        Ok(framed(Answer::json(200, &shown)))
    })
}

/// `GET /V/{collection}`
pub(super) fn list(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let collection = named(gate);
    world.with(|world| {
        owns_parent(&world.google, collection, &gate.caller.project)?;
        let all = world.google.kept.of(collection, &gate.caller.project);
        let last = collection.rsplit('/').next().unwrap_or_default();
        if !WITH_IDS.contains(&last) {
            return Ok(framed(Answer::json(200, &page(last, all, call))));
        }
        // Interactions and what is kept beside them spell with underscores.
        let items = if last == "executions" { "trigger_executions" } else { last };
        let mut page = page(items, all, call);
        if let Some(token) = page.as_object_mut().and_then(|page| page.remove("nextPageToken")) {
            page["next_page_token"] = token;
        }
        Ok(framed(Answer::json(200, &page)))
    })
}

/// `GET /V/{name}`
pub(super) fn get(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let name = named(gate);
    world.with(|world| {
        let thing = world.google.kept.get(name, &gate.caller.project).ok_or_else(|| forbidden(name))?;
        Ok(framed(Answer::json(200, thing)))
    })
}

/// `PATCH /V/{name}`
pub(super) fn patch(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let (name, body) = (named(gate), body(call)?);
    world.with(|world| {
        let thing = world.google.kept.get_mut(name, &gate.caller.project).ok_or_else(|| forbidden(name))?;
        for (member, value) in body.as_object().into_iter().flatten() {
            thing[member] = value.clone();
        }
        Ok(framed(Answer::json(200, thing)))
    })
}

/// `DELETE /V/{name}`
pub(super) fn delete(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    get(world, gate)?;
    world.with(|world| world.google.kept.remove(named(gate)));
    Ok(framed(Answer::json(200, &json!({}))))
}

/// `POST /V/{name}:{verb}`; importing a file makes a document, everything else is done at once.
pub(super) fn act(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let (target, now) = (named(gate), world.clock.now());
    let (name, verb) = target.rsplit_once(':').unwrap_or((target, ""));
    let project = gate.caller.project.as_str();
    let asked = call.json().unwrap_or_else(|_| json!({}));
    world.with(|world| {
        let google = &mut world.google;
        google.kept.get(name, project).ok_or_else(|| forbidden(name))?;
        google.check_named(gate, &asked, now)?;
        if verb != "importFile" {
            return Ok(framed(Answer::json(200, &json!({}))));
        }
        let file = field(&asked, "fileName", "file_name").and_then(Value::as_str);
        let file = file.ok_or_else(|| {
            GoogleError::invalid("* ImportFileRequest.file_name: file_name is not specified\n")
        })?;
        let id = file.trim_start_matches("files/").to_owned();
        let document = format!("{name}/documents/{id}");
        let shown =
            born(&format!("{name}/documents"), &id, json!({"displayName": id, "state": "STATE_ACTIVE"}), now);
        google.kept.insert(document.clone(), project, shown, now);
        let operation = json!({
            "name": format!("{name}/operations/{}", fresh_id()),
            "done": true,
            "response": {"parent": name, "documentName": document},
        });
        let operation_name = operation["name"].as_str().unwrap_or_default().to_owned();
        google.kept.insert(operation_name, project, operation.clone(), now);
        Ok(framed(Answer::json(200, &operation)))
    })
}

/// The full name, or the collection, that the route names.
fn named<'g>(gate: &'g Gate<'_>) -> &'g str {
    gate.route.id.as_deref().unwrap_or_default()
}

/// What lies inside a thing is seen by its owner only.
fn owns_parent(google: &GoogleWorld, collection: &str, project: &str) -> Result<(), GoogleError> {
    match collection.rsplit_once('/') {
        Some((parent, _)) if google.kept.get(parent, project).is_none() => Err(forbidden(parent)),
        Some(_) | None => Ok(()),
    }
}

/// The id that the caller wants.
fn asked_id(call: &Call, body: &Value, collection: &str) -> Option<String> {
    let parameter = call.parameter("tunedModelId").or_else(|| call.parameter("tuned_model_id"));
    let id = body.get("id").and_then(Value::as_str);
    let name = body
        .get("name")
        .and_then(Value::as_str)
        .and_then(|name| name.strip_prefix(&format!("{collection}/")));
    parameter.or(id).or(name).map(str::to_owned)
}

/// An id that begins with the display name, as those of stores do.
fn made_up_id(body: &Value) -> String {
    let display = field(body, "displayName", "display_name").and_then(Value::as_str).unwrap_or_default();
    let slug: String =
        display.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    if slug.is_empty() { fresh_id() } else { format!("{slug}-{}", fresh_id()) }
}

pub(super) fn fresh_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

fn born(collection: &str, id: &str, body: Value, now: Timestamp) -> Value {
    let mut shown = body;
    let last = collection.rsplit('/').next().unwrap_or_default();
    if WITH_IDS.contains(&last) {
        shown["id"] = json!(id);
        (shown["created"], shown["updated"]) = (json!(now), json!(now));
    } else {
        shown["name"] = json!(format!("{collection}/{id}"));
        (shown["createTime"], shown["updateTime"]) = (json!(now), json!(now));
    }
    shown
}
