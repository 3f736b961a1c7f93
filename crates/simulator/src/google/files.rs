//! Files: who uploaded what, for 48 hours, visible to the project's keys only.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::GoogleError;
use super::projects::GoogleWorld;
use super::prompt::Prompt;
use super::rows::{GoogleRow, Scene};
use super::serve::{Gate, framed};
use crate::clock::after;
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// How long a file is kept.
const LIFETIME: Duration = Duration::from_hours(48);
/// Files remembered of all projects; the oldest goes first.
const MOST_FILES: usize = 10_000;
/// What a project may store when nothing else is declared.
const STORAGE_BYTES: u64 = 21_474_836_480;

/// A stored file. Bytes are kept of short ones only.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) project: String,
    pub(crate) display_name: Option<String>,
    pub(crate) mime_type: String,
    pub(crate) size_bytes: u64,
    /// Hexadecimal.
    pub(crate) sha256: String,
    pub(crate) created: Timestamp,
    /// Whether the service made it: only such files can be downloaded.
    pub(crate) is_generated: bool,
    /// Whether its bytes are at `/download/…` only.
    pub(crate) is_elsewhere: bool,
    /// What is in it, where that is kept.
    pub(crate) content: Option<Bytes>,
}

/// All files by id.
#[derive(Default)]
pub(crate) struct Files(BTreeMap<String, File>);

impl File {
    /// A file without a name, of nobody knows what, that somebody uploaded.
    pub(crate) fn uploaded(project: String, size_bytes: u64, sha256: String, created: Timestamp) -> Self {
        Self {
            project,
            display_name: None,
            mime_type: String::new(),
            size_bytes,
            sha256,
            created,
            is_generated: false,
            is_elsewhere: false,
            content: None,
        }
    }

    fn expires(&self) -> Timestamp {
        after(self.created, LIFETIME)
    }
}

impl Files {
    /// The file, if it is the project's and still there.
    pub(crate) fn get(&self, id: &str, project: &str, now: Timestamp) -> Option<&File> {
        self.0.get(id).filter(|file| file.project == project && file.expires() > now)
    }

    /// Bytes the project stores.
    pub(crate) fn stored_bytes(&self, project: &str, now: Timestamp) -> u64 {
        let files = self.0.values().filter(|file| file.project == project && file.expires() > now);
        files.map(|file| file.size_bytes).sum()
    }

    pub(crate) fn insert(&mut self, id: String, file: File) {
        self.0.retain(|_, known| known.expires() > file.created);
        if self.0.len() >= MOST_FILES {
            let oldest = self.0.iter().min_by_key(|(_, known)| known.created).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.0.remove(&id));
        }
        self.0.insert(id, file);
    }

    fn of<'a>(&'a self, project: &'a str, now: Timestamp) -> impl Iterator<Item = (&'a String, &'a File)> {
        self.0.iter().filter(move |(_, file)| file.project == project && file.expires() > now)
    }
}

/// A file as the API shows it. `base` stands for `https://generativelanguage.googleapis.com/V`.
pub(super) fn shown(id: &str, file: &File, base: &str) -> Value {
    let mut value = json!({
        "name": format!("files/{id}"),
        "mimeType": file.mime_type,
        "sizeBytes": file.size_bytes.to_string(),
        "createTime": file.created,
        "updateTime": file.created,
        "expirationTime": file.expires(),
        "sha256Hash": STANDARD.encode(&file.sha256),
        "uri": format!("{base}/files/{id}"),
        "state": "ACTIVE",
        "source": if file.is_generated { "GENERATED" } else { "UPLOADED" },
    });
    if file.is_generated {
        value["downloadUri"] = json!(format!("{base}/files/{id}:download?alt=media"));
    }
    if let Some(name) = &file.display_name {
        value["displayName"] = json!(name);
    }
    value
}

/// The base URL of a version.
pub(super) fn base(world: &Shared, gate: &Gate<'_>) -> String {
    format!("{}/{}", world.endpoints.google, gate.route.version)
}

/// `GET /V/files`
pub(super) fn list(world: &Shared, call: &Call, gate: &Gate<'_>) -> Answer {
    let (base, now) = (base(world, gate), world.clock.now());
    world.with(|world| {
        let mine = world.google.files.of(&gate.caller.project, now);
        let all = mine.map(|(id, file)| shown(id, file, &base)).collect();
        framed(Answer::json(200, &page("files", all, call)))
    })
}

/// `GET /V/files/{id}`; what is not the project's may not exist.
pub(super) fn get(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let (base, now) = (base(world, gate), world.clock.now());
    let id = gate.route.id.as_deref().unwrap_or_default();
    world.with(|world| {
        let file = world.google.files.get(id, &gate.caller.project, now);
        let file = file.ok_or_else(|| GoogleRow::FileForbidden.error(&gate.scene))?;
        Ok(framed(Answer::json(200, &shown(id, file, &base))))
    })
}

/// `DELETE /V/files/{id}`
pub(super) fn delete(world: &Shared, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    get(world, gate)?;
    let id = gate.route.id.as_deref().unwrap_or_default();
    world.with(|world| world.google.files.0.remove(id));
    Ok(framed(Answer::json(200, &json!({}))))
}

/// A page of a list; the token is where the next one starts.
pub(super) fn page(name: &str, all: Vec<Value>, call: &Call) -> Value {
    let parameter =
        |spellings: [&str; 2]| spellings.iter().find_map(|name| call.parameter(name)?.parse::<usize>().ok());
    let size = parameter(["pageSize", "page_size"]).filter(|size| *size > 0).unwrap_or(10);
    let start = parameter(["pageToken", "page_token"]).unwrap_or(0);
    let total = all.len();
    let items: Vec<Value> = all.into_iter().skip(start).take(size).collect();
    let next = start.saturating_add(items.len());
    let mut body = serde_json::Map::new();
    if !items.is_empty() {
        body.insert(name.to_owned(), Value::Array(items));
    }
    if next < total {
        body.insert("nextPageToken".to_owned(), json!(next.to_string()));
    }
    Value::Object(body)
}

impl GoogleWorld {
    /// Every file and cache a prompt names must be the caller's.
    pub(super) fn check_references(
        &self,
        gate: &Gate<'_>,
        prompt: &Prompt,
        now: Timestamp,
    ) -> Result<(), GoogleError> {
        let project = gate.caller.project.as_str();
        if let Some(id) = prompt.files.iter().find(|id| self.files.get(id, project, now).is_none()) {
            return Err(GoogleRow::FileForbidden.error(&Scene { resource: id.clone(), ..gate.scene.clone() }));
        }
        if let Some(name) = prompt.stores.iter().find(|name| self.kept.get(name, project).is_none()) {
            return Err(super::kept::forbidden(name));
        }
        match &prompt.cache {
            Some(id) => self.caches.check(id, gate, now),
            None => Ok(()),
        }
    }

    /// Whether the project may store so many bytes more.
    pub(super) fn check_storage(
        &self,
        gate: &Gate<'_>,
        bytes: u64,
        now: Timestamp,
    ) -> Result<(), GoogleError> {
        let project = self.project(&gate.caller.project);
        let limit = project.and_then(|project| project.declared.file_storage_bytes).unwrap_or(STORAGE_BYTES);
        if self.files.stored_bytes(&gate.caller.project, now).saturating_add(bytes) <= limit {
            return Ok(());
        }
        Err(GoogleRow::FileStorage.error(&Scene { limit, ..gate.scene.clone() }))
    }
}
