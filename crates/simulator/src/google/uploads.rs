//! Resumable uploads: begun with a key, continued by their id alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::error::GoogleError;
use super::files::{File, base, shown};
use super::prompt::field;
use super::routes::Route;
use super::serve::{Gate, framed};
use crate::record::hex;
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// Uploads under way; the oldest is forgotten first.
const MOST_UPLOADS: usize = 1000;

/// Uploads under way, by id.
#[derive(Default)]
pub(crate) struct Uploads {
    open: BTreeMap<String, Upload>,
    begun: u64,
}

struct Upload {
    number: u64,
    project: String,
    display_name: Option<String>,
    mime_type: String,
    base: String,
    received: u64,
    digest: Sha256,
}

impl Uploads {
    /// Whose upload it is.
    pub(crate) fn owner(&self, id: &str) -> Option<&str> {
        self.open.get(id).map(|upload| upload.project.as_str())
    }

    fn begin(&mut self, upload: impl FnOnce(u64) -> Upload) -> String {
        self.begun += 1;
        if self.open.len() >= MOST_UPLOADS {
            let oldest = self.open.iter().min_by_key(|(_, upload)| upload.number).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.open.remove(&id));
        }
        let id = format!("AHmgxQ{}", uuid::Uuid::now_v7().simple());
        self.open.insert(id.clone(), upload(self.begun));
        id
    }
}

/// Step 1: `POST /upload/V/files` with the start command.
pub(super) fn start(
    world: &Shared,
    route: &Route,
    call: &Call,
    gate: &Gate<'_>,
) -> Result<Answer, GoogleError> {
    if !call.header("x-goog-upload-command").is_some_and(|command| command.contains("start")) {
        return Err(GoogleError::invalid(
            "Only resumable uploads are simulated: X-Goog-Upload-Command: start is missing.",
        ));
    }
    let body = call.json().map_err(|_| GoogleError::invalid("Invalid JSON payload received."))?;
    let file = body.get("file").unwrap_or(&Value::Null);
    let text =
        |camel: &str, snake: &str| field(file, camel, snake).and_then(Value::as_str).map(str::to_owned);
    let mime = call.header("x-goog-upload-header-content-type").map(str::to_owned);
    let length = call.header("x-goog-upload-header-content-length").and_then(|length| length.parse().ok());
    let (now, base) = (world.clock.now(), base(world, gate));
    let id = world.with(|world| {
        world.google.check_storage(gate, length.unwrap_or(0), now)?;
        Ok(world.google.uploads.begin(|number| Upload {
            number,
            project: gate.caller.project.clone(),
            display_name: text("displayName", "display_name"),
            mime_type: mime
                .or_else(|| text("mimeType", "mime_type"))
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            base,
            received: 0,
            digest: Sha256::new(),
        }))
    })?;
    let mut url = format!(
        "{}/upload/{}/files?upload_id={id}&upload_protocol=resumable",
        world.endpoints.google, route.version
    );
    if let Some(key) = call.parameter("key") {
        // The real service does so: the caller's key comes back inside the URL.
        url.push_str("&key=");
        url.push_str(key);
    }
    Ok(framed(Answer::new(200, "text/plain; charset=utf-8", ""))
        .with("x-goog-upload-url", &url)
        .with("x-goog-upload-control-url", &url)
        .with("x-goog-upload-chunk-granularity", "262144")
        .with("x-goog-upload-status", "active"))
}

/// Step 2: chunks, a question how far it came, or the end. The id is the only credential.
pub(super) fn proceed(world: &Shared, call: &Call) -> Answer {
    let id = call.parameter("upload_id").unwrap_or_default();
    let command = call.header("x-goog-upload-command").unwrap_or_default().to_ascii_lowercase();
    let offset = call.header("x-goog-upload-offset").and_then(|offset| offset.parse().ok());
    let now = world.clock.now();
    world.with(|world| {
        let uploads = &mut world.google.uploads.open;
        let Some(upload) = uploads.get_mut(id) else {
            // The upload backend's errors are plain text.
            return Answer::new(404, "text/plain; charset=utf-8", "Upload not found.");
        };
        if command.contains("cancel") {
            uploads.remove(id);
            return status("cancelled", 0, "");
        }
        if command.contains("upload") {
            if offset.is_some_and(|offset: u64| offset != upload.received) {
                return Answer::new(
                    400,
                    "text/plain; charset=utf-8",
                    "Upload offset does not match the bytes received.",
                );
            }
            upload.digest.update(&call.body);
            upload.received += call.body.len() as u64;
        }
        if !command.contains("finalize") {
            return status("active", upload.received, "");
        }
        let Some(upload) = uploads.remove(id) else { return status("active", 0, "") };
        let file_id = id.to_ascii_lowercase().chars().skip(26).take(12).collect::<String>();
        let file = File {
            project: upload.project,
            display_name: upload.display_name,
            mime_type: upload.mime_type,
            size_bytes: upload.received,
            sha256: hex(&upload.digest.finalize()),
            created: now,
        };
        let body = json!({"file": shown(&file_id, &file, &upload.base)}).to_string();
        world.google.files.insert(file_id, file);
        status("final", upload.received, &body)
    })
}

fn status(status: &str, received: u64, body: &str) -> Answer {
    let content_type =
        if body.is_empty() { "text/plain; charset=utf-8" } else { "application/json; charset=UTF-8" };
    framed(Answer::new(200, content_type, body.to_owned()))
        .with("x-goog-upload-status", status)
        .with("x-goog-upload-size-received", &received.to_string())
}
