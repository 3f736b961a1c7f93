//! Files that the service made (videos, results of batches), and their bytes on request.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::error::GoogleError;
use super::files::File;
use super::rows::GoogleRow;
use super::serve::{Gate, framed};
use crate::record::hex;
use crate::wire::{Answer, Call, Events, Framing};
use crate::world::{Shared, World};

/// Bytes of a file are one block over and over: a file of any size costs as much memory as its list of pieces.
const BLOCK: usize = 64 * 1024;

/// A file to be made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratedFile {
    /// Whose it is.
    pub project: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Whether the API's own path sends whoever asks on to `/download/…`.
    #[serde(default)]
    pub is_elsewhere: bool,
}

/// Makes a file; says its name.
pub(crate) fn make(world: &mut World, wanted: &GeneratedFile, now: Timestamp) -> String {
    let id = uuid::Uuid::now_v7().simple().to_string()[20..].to_owned();
    let sum = hex(&Sha256::digest(id.as_bytes()));
    let file = File {
        mime_type: "video/mp4".to_owned(),
        is_generated: true,
        is_elsewhere: wanted.is_elsewhere,
        ..File::uploaded(wanted.project.clone(), wanted.bytes, sum, now)
    };
    world.google.files.insert(id.clone(), file);
    format!("files/{id}")
}

/// `GET /V/files/{id}:download?alt=media` and `GET /download/V/files/{id}:download?alt=media`.
pub(super) fn download(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let now = world.clock.now();
    let id = gate.route.id.as_deref().unwrap_or_default();
    let file = world.with(|world| world.google.files.get(id, &gate.caller.project, now).cloned());
    let file = file.ok_or_else(|| GoogleRow::FileForbidden.error(&gate.scene))?;
    if !file.is_generated {
        return Err(GoogleError::invalid("Only generated files can be downloaded."));
    }
    if call.parameter("alt") != Some("media") {
        return Err(GoogleError::invalid("Downloads are asked for with alt=media."));
    }
    if file.is_elsewhere && !call.path.starts_with("/download/") {
        let place = format!(
            "{}/download/{}/files/{id}:download?alt=media",
            world.endpoints.google, gate.route.version
        );
        return Ok(framed(Answer::new(302, "text/html; charset=UTF-8", "")).with("location", &place));
    }
    Ok(bytes_of(&file, call))
}

/// The bytes asked for, at least the whole.
fn bytes_of(file: &File, call: &Call) -> Answer {
    let size = file.size_bytes;
    let (first, end, is_part) = match call.header("range").and_then(|range| span(range, size)) {
        Some((first, end)) => (first, end, true),
        None => (0, size, false),
    };
    let kind = if file.content.is_some() { "application/jsonl" } else { "video/mp4" };
    let pieces = match &file.content {
        Some(content) => within(content, first, end),
        None => pieces(first, end),
    };
    let mut answer = framed(Answer::events(kind, Events::new(Framing::Bytes, pieces, None)));
    if is_part {
        answer.status = http::StatusCode::PARTIAL_CONTENT;
        answer = answer.with("content-range", &format!("bytes {first}-{}/{size}", end.saturating_sub(1)));
    }
    answer.with("content-length", &(end - first).to_string()).with("accept-ranges", "bytes")
}

/// `bytes=2-5` and `bytes=2-`.
fn span(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    let end = last.parse().map_or(size, |last: u64| (last + 1).min(size));
    (first < end).then_some((first, end))
}

/// The span of a file that is kept, within which it is.
fn within(content: &Bytes, first: u64, end: u64) -> Vec<Bytes> {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(content.len());
    vec![content.slice(place(first)..place(end))]
}

/// A byte of a file is its place in the block.
fn pieces(first: u64, end: u64) -> Vec<Bytes> {
    let block: Bytes = (0..BLOCK).map(|at| (at % 251) as u8).collect();
    let mut pieces = Vec::new();
    let mut at = first;
    while at < end {
        let within = (at % BLOCK as u64) as usize;
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        let length = left.min(BLOCK - within);
        pieces.push(block.slice(within..within + length));
        at += length as u64;
    }
    pieces
}
