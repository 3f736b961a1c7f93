//! Uploads: begun with a key, continued by their id alone; or in one piece.
//!
//! Google's own protocol (`X-Goog-Upload-*`), and the older one of its API clients (`uploadType`). What was
//! received is kept in whole granules, so that a broken chunk can be gone on with; bytes are digested, and kept of short
//! files only.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::error::GoogleError;
use super::files::{File, base, shown};
use super::multipart;
use super::projects::GoogleWorld;
use super::routes::Route;
use super::serve::{Gate, framed};
use super::upload_protocol::{Continued, Description, Protocol};
use crate::record::hex;
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// Uploads under way; the oldest is forgotten first.
const MOST_UPLOADS: usize = 1000;
/// What a broken chunk is kept in multiples of, in bytes.
const GRANULE: usize = 256 * 1024;
/// Longest file whose bytes are kept: those of batches have to be read.
const MOST_KEPT: u64 = 64 * 1024;
const PLAIN: &str = "text/plain; charset=utf-8";

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
    /// What it is made for: `files`, `fileSearchStores/s`, `environments/e/files/p`.
    target: String,
    received: u64,
    digest: Sha256,
    /// Received, and less than a granule.
    partial: BytesMut,
    /// All that was received, as long as that is little.
    content: Vec<u8>,
    state: State,
}

enum State {
    Active,
    Cancelled,
    /// With what was answered.
    Final(String),
}

/// Where the bytes of a body go, as they come.
pub(crate) enum Sink {
    /// Into an upload.
    Chunk(String),
    /// Nowhere: only their number and their sum count.
    Sum,
}

impl Sink {
    /// The sink of a call; none for a body that has to be read as a whole.
    pub(crate) fn of(google: &GoogleWorld, call: &Call) -> Option<Self> {
        if let Some(id) = call.parameter("upload_id") {
            let upload = google.uploads.open.get(id)?;
            let fits = matches!(upload.state, State::Active)
                && Continued::of(call).brings_bytes
                && Continued::of(call).offset.is_none_or(|offset| offset == upload.received);
            return fits.then(|| Self::Chunk(id.to_owned()));
        }
        (Protocol::of(call) == Protocol::Raw).then_some(Self::Sum)
    }

    /// Takes the next bytes.
    pub(crate) fn take(&self, google: &mut GoogleWorld, piece: &Bytes) {
        let Self::Chunk(id) = self else { return };
        let Some(upload) = google.uploads.open.get_mut(id) else { return };
        upload.partial.extend_from_slice(piece);
        while upload.partial.len() >= GRANULE {
            let granule = upload.partial.split_to(GRANULE);
            upload.keep(&granule);
        }
    }

    /// The body is over; what is less than a granule of a broken one is forgotten.
    pub(crate) fn end(&self, google: &mut GoogleWorld, is_complete: bool) {
        let Self::Chunk(id) = self else { return };
        let Some(upload) = google.uploads.open.get_mut(id) else { return };
        let rest = std::mem::take(&mut upload.partial);
        if is_complete {
            upload.keep(&rest);
        }
    }
}

impl Upload {
    fn keep(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.received += bytes.len() as u64;
        if self.received <= MOST_KEPT {
            self.content.extend_from_slice(bytes);
        }
    }
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

/// Step 1, or an upload in one piece.
pub(super) fn start(
    world: &Shared,
    route: &Route,
    call: &Call,
    gate: &Gate<'_>,
) -> Result<Answer, GoogleError> {
    match Protocol::of(call) {
        Protocol::Resumable
            if !call.header("x-goog-upload-command").is_some_and(|command| command.contains("start")) =>
        {
            Err(GoogleError::invalid("X-Goog-Upload-Command: start is missing."))
        }
        Protocol::Resumable => {
            begin(world, route, call, gate, "x-goog-upload-header-content-", "upload_protocol")
        }
        Protocol::OldResumable => begin(world, route, call, gate, "x-upload-content-", "uploadType"),
        Protocol::Raw => {
            let (bytes, sha256) = call.taken.clone().unwrap_or_default();
            at_once(world, call, gate, &Value::Null, (bytes, sha256, None))
        }
        Protocol::Multipart => {
            let parts = multipart::parts(call.header("content-type").unwrap_or_default(), &call.body);
            let (description, file) =
                parts.ok_or_else(|| GoogleError::invalid("Malformed multipart body."))?;
            let sum = (file.bytes.len() as u64, hex(&Sha256::digest(&file.bytes)), file.content_type);
            at_once(world, call, gate, &description, sum)
        }
        Protocol::Unknown => Err(GoogleError::invalid("Unknown upload protocol.")),
    }
}

fn begin(
    world: &Shared,
    route: &Route,
    call: &Call,
    gate: &Gate<'_>,
    headers: &str,
    protocol: &str,
) -> Result<Answer, GoogleError> {
    let body = call.json().map_err(|_| GoogleError::invalid("Invalid JSON payload received."))?;
    let said = Description::of(&body);
    let mime = call.header(&format!("{headers}type")).map(str::to_owned);
    let length = call.header(&format!("{headers}length")).and_then(|length| length.parse().ok());
    let (now, base, target) = (world.clock.now(), base(world, gate), target(call));
    let id = world.with(|world| {
        world.google.check_storage(gate, length.unwrap_or(0), now)?;
        Ok(world.google.uploads.begin(|number| Upload {
            number,
            project: gate.caller.project.clone(),
            display_name: said.display_name,
            mime_type: mime.or(said.mime_type).unwrap_or_else(|| "application/octet-stream".to_owned()),
            base,
            target: target.clone(),
            received: 0,
            digest: Sha256::new(),
            partial: BytesMut::new(),
            content: Vec::new(),
            state: State::Active,
        }))
    })?;
    let path = call.path.trim_start_matches("/upload/").split_once('/').map_or("files", |(_, rest)| rest);
    let mut url = format!(
        "{}/upload/{}/{path}?upload_id={id}&{protocol}=resumable",
        world.endpoints.google, route.version
    );
    if let Some(key) = call.parameter("key") {
        // The real service does so: the caller's key comes back inside the URL.
        url.push_str("&key=");
        url.push_str(key);
    }
    let answer = framed(Answer::new(200, PLAIN, ""));
    Ok(if protocol == "uploadType" {
        answer.with("location", &url)
    } else {
        answer
            .with("x-goog-upload-url", &url)
            .with("x-goog-upload-control-url", &url)
            .with("x-goog-upload-chunk-granularity", &GRANULE.to_string())
            .with("x-goog-upload-status", "active")
    })
}

/// An upload in one piece: bytes, their sum, and what they are.
fn at_once(
    world: &Shared,
    call: &Call,
    gate: &Gate<'_>,
    description: &Value,
    (bytes, sha256, part_type): (u64, String, Option<String>),
) -> Result<Answer, GoogleError> {
    let said = Description::of(description);
    let (now, base) = (world.clock.now(), base(world, gate));
    let raw_type = call.header("x-goog-upload-header-content-type").or_else(|| call.header("content-type"));
    let mime_type = part_type.or(said.mime_type).or_else(|| raw_type.map(str::to_owned));
    world.with(|world| {
        world.google.check_storage(gate, bytes, now)?;
        let file = File {
            display_name: said.display_name,
            mime_type: mime_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
            ..File::uploaded(gate.caller.project.clone(), bytes, sha256, now)
        };
        let id = uuid::Uuid::now_v7().simple().to_string()[20..].to_owned();
        let body = json!({"file": shown(&id, &file, &base)});
        world.google.files.insert(id, file);
        Ok(framed(Answer::json(200, &body)).with("x-goog-upload-status", "final"))
    })
}

/// What an upload is for: the path below the version, without a verb.
fn target(call: &Call) -> String {
    let below = call.segments().into_iter().skip(2).collect::<Vec<_>>().join("/");
    below.split(':').next().unwrap_or_default().to_owned()
}

/// Step 2: chunks, a question how far it came, or the end. The id is the only credential.
pub(super) fn proceed(world: &Shared, call: &Call) -> Answer {
    let id = call.parameter("upload_id").unwrap_or_default();
    let wanted = Continued::of(call);
    let now = world.clock.now();
    world.with(|world| {
        let Some(upload) = world.google.uploads.open.get_mut(id) else {
            // The upload backend's errors are plain text.
            return Answer::new(404, PLAIN, "Upload not found.");
        };
        match &upload.state {
            State::Active => {}
            State::Cancelled => return status("cancelled", upload.received, ""),
            State::Final(body) => return status("final", upload.received, body),
        }
        if wanted.cancels {
            upload.state = State::Cancelled;
            return status("cancelled", upload.received, "");
        }
        if wanted.brings_bytes && call.taken.is_none() {
            return Answer::new(400, PLAIN, "Upload offset does not match the bytes received.");
        }
        if wanted.finalizes {
            let received = upload.received;
            let body = finished(&mut world.google, id, now);
            return status("final", received, &body);
        }
        let is_old = call.header("x-goog-upload-command").is_none();
        if is_old { more_to_come(upload.received) } else { status("active", upload.received, "") }
    })
}

/// What came of an upload that is whole.
fn finished(google: &mut GoogleWorld, id: &str, now: Timestamp) -> String {
    let Some(upload) = google.uploads.open.get_mut(id) else { return String::new() };
    let file_id = id.to_ascii_lowercase().chars().skip(26).take(12).collect::<String>();
    let sha256 = hex(&std::mem::take(&mut upload.digest).finalize());
    let file = File {
        display_name: upload.display_name.clone(),
        mime_type: upload.mime_type.clone(),
        content: (upload.received <= MOST_KEPT).then(|| std::mem::take(&mut upload.content).into()),
        ..File::uploaded(upload.project.clone(), upload.received, sha256, now)
    };
    let body = match upload.target.split_once('/') {
        None => json!({"file": shown(&file_id, &file, &upload.base)}),
        Some(("fileSearchStores", store)) => json!({
            "name": format!("fileSearchStores/{store}/upload/operations/{file_id}"),
            "done": true,
            "response": {"documentName": format!("fileSearchStores/{store}/documents/{file_id}")},
        }),
        Some(_) => json!({"file": {
            "name": upload.target.rsplit('/').next(),
            "sizeBytes": upload.received.to_string(),
            "mimeType": upload.mime_type,
        }}),
    };
    let (body, is_file) = (body.to_string(), upload.target == "files");
    upload.state = State::Final(body.clone());
    if is_file {
        google.files.insert(file_id, file);
    }
    body
}

fn status(status: &str, received: u64, body: &str) -> Answer {
    let content_type = if body.is_empty() { PLAIN } else { "application/json; charset=UTF-8" };
    framed(Answer::new(200, content_type, body.to_owned()))
        .with("x-goog-upload-status", status)
        .with("x-goog-upload-size-received", &received.to_string())
}

/// 308, as the older dialect has it.
fn more_to_come(received: u64) -> Answer {
    let answer = framed(Answer::new(308, PLAIN, ""));
    match received.checked_sub(1) {
        Some(last) => answer.with("range", &format!("bytes=0-{last}")),
        None => answer,
    }
}
