//! Where workers leave what requests say.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use keygate_provider::Transcript;
use opentelemetry::trace::SpanId;

use super::inbox::Inbox;

/// Most bytes of all requests together that wait for their spans, or are gathered for them.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Most requests that wait; as many as spans do.
const MOST_WAITING: usize = 4096;

/// Leaves content for spans. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    left: SyncSender<Left>,
    bytes: Arc<AtomicUsize>,
}

/// What was left for a span.
pub(super) struct Left {
    pub(super) span: SpanId,
    pub(super) read: Box<dyn FnOnce() -> Transcript + Send>,
    /// Held until it was read.
    pub(super) _room: Room,
}

/// Bytes that are taken of what there is room for.
pub(super) struct Room {
    all: Arc<AtomicUsize>,
    taken: usize,
}

/// A desk, and where what is left there is found.
pub(crate) fn desk(max_bytes: usize) -> (Desk, Inbox) {
    let (left, arrivals) = sync_channel(MOST_WAITING);
    (Desk { left, bytes: Arc::default() }, Inbox::new(arrivals, max_bytes))
}

impl Desk {
    /// For what goes along with `span`.
    pub(crate) fn slip(&self, span: SpanId) -> ContentSlip {
        ContentSlip { desk: self.clone(), span, room: Room { all: Arc::clone(&self.bytes), taken: 0 } }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

impl Room {
    fn take(&mut self, bytes: usize) -> bool {
        let before = self.all.fetch_add(bytes, Ordering::Relaxed);
        let has_room = before.saturating_add(bytes) <= MOST_BYTES;
        if has_room {
            self.taken += bytes;
        } else {
            self.all.fetch_sub(bytes, Ordering::Relaxed);
        }
        has_room
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

/// The right to leave the content of one span. Dropped, nothing is left.
pub struct ContentSlip {
    desk: Desk,
    span: SpanId,
    room: Room,
}

impl fmt::Debug for ContentSlip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentSlip")
    }
}

impl ContentSlip {
    /// Takes room for so many bytes more. False where there is none.
    pub fn has_room_for(&mut self, bytes: usize) -> bool {
        self.room.take(bytes)
    }

    /// Leaves it. To be called before the span ends; `read` runs when it is sent, on another thread. What
    /// finds no place is lost, and nobody waits.
    pub fn leave(self, read: impl FnOnce() -> Transcript + Send + 'static) {
        let Self { desk, span, room } = self;
        let _ = desk.left.try_send(Left { span, read: Box::new(read), _room: room });
    }
}
