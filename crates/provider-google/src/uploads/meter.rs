//! Watching uploads and downloads: which file came of it.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{Binding, Intent};
use keygate_provider::{Ended, Meter, Metered};
use serde::Deserialize;

use super::name;
use crate::operations as op;

/// How long Google keeps a file, unless its answer says it (facts/gemini.md §6).
const LIFETIME: Duration = Duration::from_hours(48);

/// The description of a file is about 1 KiB.
const MOST_BYTES: usize = 64 * 1024;

/// The meter for a file on its way; nothing for any other answer.
pub(crate) fn meter(intent: &Intent) -> Option<Box<dyn Meter>> {
    match intent.operation {
        op::UPLOAD | op::UPLOAD_CHUNK => Some(Box::new(UploadMeter::default())),
        op::DOWNLOAD => Some(Box::new(NoMeter)),
        _ => None,
    }
}

/// Keeps the description of a file that was received whole.
#[derive(Default)]
struct UploadMeter {
    seen: Vec<u8>,
    is_too_long: bool,
}

impl Meter for UploadMeter {
    fn see(&mut self, chunk: &[u8]) {
        self.is_too_long |= self.seen.len() + chunk.len() > MOST_BYTES;
        if !self.is_too_long {
            self.seen.extend_from_slice(chunk);
        }
    }

    fn finish(self: Box<Self>, _ended: Ended) -> Metered {
        let answer: Option<Uploaded> =
            if self.is_too_long { None } else { serde_json::from_slice(&self.seen).ok() };
        let bindings = answer.and_then(|answer| answer.file?.binding()).into_iter().collect();
        Metered { bindings, ..Metered::default() }
    }
}

/// Bytes of a file tell nothing.
struct NoMeter;

impl Meter for NoMeter {
    fn see(&mut self, _chunk: &[u8]) {}

    fn finish(self: Box<Self>, _ended: Ended) -> Metered {
        Metered::default()
    }
}

#[derive(Deserialize)]
struct Uploaded {
    file: Option<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    name: Option<String>,
    create_time: Option<String>,
    expiration_time: Option<String>,
}

impl File {
    fn binding(&self) -> Option<Binding> {
        let resource = name::file(self.name.as_deref()?)?;
        Some(Binding { resource, lifetime: self.lifetime().unwrap_or(LIFETIME), keepsake: None })
    }

    /// By Google's clock alone: from its creation, which was just now, to its end.
    fn lifetime(&self) -> Option<Duration> {
        let moment = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
        let span = moment(&self.expiration_time)?.duration_since(moment(&self.create_time)?);
        Duration::try_from(span).ok().filter(|span| !span.is_zero())
    }
}
