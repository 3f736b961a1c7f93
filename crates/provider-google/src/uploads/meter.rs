//! Watching uploads and downloads: which file came of it.

use keygate_domain::{Intent, Streaming};
use keygate_provider::{Ended, Meter, Metered};

use crate::references::split;
use crate::{bindings, operations as op};

/// The description of a file is about 1 KiB.
const MOST_BYTES: usize = 64 * 1024;

/// The meter for a file on its way; nothing for any other answer.
pub(crate) fn meter(intent: &Intent) -> Option<Box<dyn Meter>> {
    match intent.operation {
        op::UPLOAD | op::UPLOAD_CHUNK => Some(Box::new(UploadMeter::default())),
        _ if intent.streaming == Streaming::File => Some(Box::new(NoMeter)),
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
        let answer: &[u8] = if self.is_too_long { &[] } else { &self.seen };
        // Else it broke off, and no file came of it.
        let file =
            Some(answer).filter(|answer| split::is_whole(answer)).and_then(|a| split::member(a, "file"));
        let bindings = file.and_then(bindings::of_thing).into_iter().collect();
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
