//! A streamed body on its way: paced, each piece flushed on its own, and broken on demand.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, LocalBoxStream, StreamExt};
use hyper::body::Frame;
use tokio::task::yield_now;

use super::answer::Events;
use super::socket::ResetSwitch;
use crate::record::StreamEnd;
use crate::script::StreamEnding;
use crate::world::{Provider, Shared};

/// A body hyper can send.
pub(super) type FlowBody = http_body_util::StreamBody<LocalBoxStream<'static, io::Result<Frame<Bytes>>>>;

/// Counts a stream, and counts it as cut by the client if nobody says otherwise before the end.
pub(super) struct StreamTicket {
    world: Shared,
    provider: Provider,
    number: u64,
    end: StreamEnd,
}

impl StreamTicket {
    pub(super) fn new(world: Shared, provider: Provider, number: u64) -> Self {
        world.with(|world| world.journal.stream_begun(provider));
        Self { world, provider, number, end: StreamEnd::CutByClient }
    }
}

impl Drop for StreamTicket {
    fn drop(&mut self) {
        self.world.with(|world| world.journal.stream_ended(self.provider, self.number, self.end));
    }
}

struct Flow {
    pieces: VecDeque<Bytes>,
    pause: Option<Duration>,
    ending: StreamEnding,
    scripted: bool,
    sent_any: bool,
    reset: ResetSwitch,
    ticket: StreamTicket,
}

/// The body of a stream.
pub(super) fn body(events: Events, ticket: StreamTicket, reset: ResetSwitch) -> FlowBody {
    let flow = Flow {
        pieces: events.pieces.into(),
        pause: events.pause,
        ending: events.ending,
        scripted: events.scripted,
        sent_any: false,
        reset,
        ticket,
    };
    let frames = stream::unfold(Some(flow), |flow| async move {
        let mut flow = flow?;
        match flow.next().await {
            Some(Ok(piece)) => Some((Ok(Frame::data(piece)), Some(flow))),
            Some(Err(broken)) => Some((Err(broken), None)),
            None => None,
        }
    });
    http_body_util::StreamBody::new(frames.boxed_local())
}

impl Flow {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self.pieces.pop_front() {
            Some(piece) => {
                self.wait().await;
                Some(Ok(piece))
            }
            None => self.finish().await.err().map(Err),
        }
    }

    /// Lets the piece before leave the buffers, then pauses.
    async fn wait(&mut self) {
        if std::mem::replace(&mut self.sent_any, true) {
            yield_now().await;
            if let Some(pause) = self.pause {
                tokio::time::sleep(pause).await;
            }
        }
    }

    async fn finish(&mut self) -> io::Result<()> {
        if self.scripted {
            self.ticket.end = StreamEnd::CutByScript;
        }
        match self.ending {
            StreamEnding::End => {
                if !self.scripted {
                    self.ticket.end = StreamEnd::Finished;
                }
                Ok(())
            }
            StreamEnding::Hang => {
                self.ticket.end = StreamEnd::CutByClient;
                pending().await
            }
            StreamEnding::Reset => {
                self.flush().await;
                self.reset.arm();
                Err(io::ErrorKind::ConnectionReset.into())
            }
            StreamEnding::Close | StreamEnding::MidEvent => {
                self.flush().await;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
        }
    }

    /// hyper writes what it holds whenever the body is not ready: twice, to be past the head too.
    async fn flush(&self) {
        yield_now().await;
        yield_now().await;
    }
}
