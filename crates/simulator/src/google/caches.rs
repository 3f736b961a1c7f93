//! Cached contents: bound to a project and a model, for an hour unless asked otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::GoogleError;
use super::files::page;
use super::generate::body;
use super::prompt::{Prompt, field};
use super::routes::bare_model;
use super::rows::GoogleRow;
use super::serve::{Gate, framed};
use crate::clock::after;
use crate::config::Tier;
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// How long a cache lives when nothing is asked for.
const TTL: Duration = Duration::from_hours(1);
/// Caches remembered of all projects; the oldest goes first.
const MOST_CACHES: usize = 10_000;

struct Cache {
    project: String,
    model: String,
    display_name: Option<String>,
    tokens: u64,
    created: Timestamp,
    updated: Timestamp,
    expires: Timestamp,
}

/// All caches by id.
#[derive(Default)]
pub(crate) struct Caches(BTreeMap<String, Cache>);

impl Caches {
    /// The tokens a cache holds; 0 for none.
    pub(crate) fn tokens(&self, id: &str) -> u64 {
        self.0.get(id).map_or(0, |cache| cache.tokens)
    }

    /// The cache must be the caller's, alive, and of the model asked.
    pub(super) fn check(&self, id: &str, gate: &Gate<'_>, now: Timestamp) -> Result<(), GoogleError> {
        let Some(cache) = self.get(id, &gate.caller.project, now) else {
            return Err(GoogleRow::CacheForbidden.error(&gate.scene));
        };
        if cache.model == gate.scene.model {
            return Ok(());
        }
        let (asked, cached) = (&gate.scene.model, &cache.model);
        Err(GoogleError::invalid(format!(
            "Model used by GenerateContent request (models/{asked}) and CachedContent (models/{cached}) has to be the same."
        )))
    }

    fn get(&self, id: &str, project: &str, now: Timestamp) -> Option<&Cache> {
        self.0.get(id).filter(|cache| cache.project == project && cache.expires > now)
    }

    fn insert(&mut self, id: String, cache: Cache) {
        self.0.retain(|_, known| known.expires > cache.created);
        if self.0.len() >= MOST_CACHES {
            let oldest = self.0.iter().min_by_key(|(_, known)| known.created).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.0.remove(&id));
        }
        self.0.insert(id, cache);
    }
}

fn shown(id: &str, cache: &Cache) -> Value {
    let mut value = json!({
        "name": format!("cachedContents/{id}"),
        "model": format!("models/{}", cache.model),
        "createTime": cache.created,
        "updateTime": cache.updated,
        "expireTime": cache.expires,
        "usageMetadata": {"totalTokenCount": cache.tokens},
    });
    if let Some(name) = &cache.display_name {
        value["displayName"] = json!(name);
    }
    value
}

/// `POST /V/cachedContents`
pub(super) fn create(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let (now, body) = (world.clock.now(), body(call)?);
    world.with(|world| {
        let google = &mut world.google;
        let tier = google.project(&gate.caller.project).map(|project| project.declared.tier);
        let cache = created(&body, gate, tier, now)?;
        google.check_references(gate, &Prompt::of(&body), now)?;
        let id = uuid::Uuid::now_v7().simple().to_string();
        let answer = framed(Answer::json(200, &shown(&id, &cache)));
        google.caches.insert(id, cache);
        Ok(answer)
    })
}

/// `GET /V/cachedContents`
pub(super) fn list(world: &Shared, call: &Call, gate: &Gate<'_>) -> Answer {
    let now = world.clock.now();
    world.with(|world| {
        let all = world.google.caches.0.iter();
        let mine = all.filter(|(_, cache)| cache.project == gate.caller.project && cache.expires > now);
        let mine = mine.map(|(id, cache)| shown(id, cache)).collect();
        framed(Answer::json(200, &page("cachedContents", mine, call)))
    })
}

/// `GET /V/cachedContents/{id}`; what is not the project's is not found, and says 403.
pub(super) fn get(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let now = world.clock.now();
    let id = gate.route.id.as_deref().unwrap_or_default();
    world.with(|world| {
        let cache = world.google.caches.get(id, &gate.caller.project, now);
        let cache = cache.ok_or_else(|| GoogleRow::CacheForbidden.error(&gate.scene))?;
        Ok(framed(Answer::json(200, &shown(id, cache))))
    })
}

/// `PATCH /V/cachedContents/{id}`: a new end.
pub(super) fn patch(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    get(world, gate)?;
    let now = world.clock.now();
    let expires = expiry(&body(call)?, now)?;
    world.with(|world| {
        if let Some(cache) = world.google.caches.0.get_mut(gate.route.id.as_deref().unwrap_or_default()) {
            (cache.expires, cache.updated) = (expires, now);
        }
    });
    get(world, gate)
}

/// `DELETE /V/cachedContents/{id}`
pub(super) fn delete(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    get(world, gate)?;
    world.with(|world| world.google.caches.0.remove(gate.route.id.as_deref().unwrap_or_default()));
    Ok(framed(Answer::json(200, &json!({}))))
}

fn created(body: &Value, gate: &Gate<'_>, tier: Option<Tier>, now: Timestamp) -> Result<Cache, GoogleError> {
    if tier == Some(Tier::Free) {
        return Err(GoogleRow::CachedContentStorage.error(&gate.scene));
    }
    let model = body.get("model").and_then(Value::as_str);
    let model = model.ok_or_else(|| {
        GoogleError::invalid("* CreateCachedContentRequest.cached_content.model: model is not specified\n")
    })?;
    Ok(Cache {
        project: gate.caller.project.clone(),
        model: bare_model(model).to_owned(),
        display_name: field(body, "displayName", "display_name").and_then(Value::as_str).map(str::to_owned),
        tokens: Prompt::of(body).tokens,
        created: now,
        updated: now,
        expires: expiry(body, now)?,
    })
}

/// `ttl` (`"300s"`) or `expireTime`, else an hour.
fn expiry(body: &Value, now: Timestamp) -> Result<Timestamp, GoogleError> {
    let wrong = || GoogleError::invalid("Invalid value at 'cached_content.expiration'.");
    if let Some(ttl) = body.get("ttl").and_then(Value::as_str) {
        let seconds = ttl.trim_end_matches('s').parse::<f64>().map_err(|_| wrong())?;
        return Ok(after(now, Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?));
    }
    match field(body, "expireTime", "expire_time").and_then(Value::as_str) {
        Some(at) => at.parse().map_err(|_| wrong()),
        None => Ok(after(now, TTL)),
    }
}
