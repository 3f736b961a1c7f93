//! Reading the body of an upload: piece by piece, as slowly as the script wants, and never into memory.

use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use super::Call;
use super::socket::ResetSwitch;
use crate::google::Sink;
use crate::record::hex;
use crate::script::{Action, HalfBody, Plan, StreamEnding};
use crate::world::Shared;

/// Reads what is still unread of a call.
pub(super) async fn take_in(
    world: &Shared,
    number: u64,
    call: &mut Call,
    plan: Option<&Plan>,
    reset: &ResetSwitch,
) -> io::Result<()> {
    if call.unread.is_none() || !plan.is_none_or(reads_body) {
        return Ok(());
    }
    let Some(sink) = world.with(|world| Sink::of(&world.google, call)) else {
        call.read_whole().await?;
        let (bytes, sha256) = (call.body.len(), hex(&Sha256::digest(&call.body)));
        world.with(|world| world.journal.took_in(number, bytes, sha256));
        return Ok(());
    };
    let Some(body) = call.unread.take() else { return Ok(()) };
    let action = plan.map(|plan| &plan.action);
    let mut reading = Reading { body, digest: Sha256::new(), bytes: 0 };
    let read = reading.read(world, &sink, pause(action), half(action)).await;
    let sha256 = hex(&reading.digest.finalize());
    call.taken = Some((reading.bytes, sha256.clone()));
    world.with(|world| {
        world.journal.took_in(number, usize::try_from(reading.bytes).unwrap_or(usize::MAX), sha256);
        sink.end(&mut world.google, matches!(read, Ok(None)));
    });
    match read? {
        None | Some(StreamEnding::End) => Ok(()),
        Some(StreamEnding::Hang) => pending().await,
        Some(StreamEnding::Reset) => {
            reset.arm();
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Some(StreamEnding::Close | StreamEnding::MidEvent) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

struct Reading {
    body: Incoming,
    digest: Sha256,
    bytes: u64,
}

impl Reading {
    /// Reads to the end, or to where the script ends it.
    async fn read(
        &mut self,
        world: &Shared,
        sink: &Sink,
        pause: Option<Duration>,
        half: Option<HalfBody>,
    ) -> io::Result<Option<StreamEnding>> {
        loop {
            if let Some(half) = half.filter(|half| self.bytes >= half.bytes) {
                return Ok(Some(half.ending));
            }
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let mut piece: Bytes = frame.map_err(io::Error::other)?.into_data().unwrap_or_default();
            if let Some(half) = half {
                piece.truncate(usize::try_from(half.bytes - self.bytes).unwrap_or(usize::MAX));
            }
            self.digest.update(&piece);
            self.bytes += piece.len() as u64;
            world.with(|world| sink.take(&mut world.google, &piece));
        }
    }
}

/// Whether the script lets the call be read before it acts.
fn reads_body(plan: &Plan) -> bool {
    match plan.action {
        Action::Answer(_) | Action::Html502 | Action::Hang | Action::Reset | Action::Close => false,
        Action::Pass
        | Action::ResetAfterHeaders
        | Action::HalfStream(_)
        | Action::ErrorInStream(_)
        | Action::SlowChunks { .. }
        | Action::SlowReader { .. }
        | Action::HalfBody(_) => true,
    }
}

fn pause(action: Option<&Action>) -> Option<Duration> {
    match action {
        Some(Action::SlowReader { pause }) => Some(*pause),
        _ => None,
    }
}

fn half(action: Option<&Action>) -> Option<HalfBody> {
    match action {
        Some(Action::HalfBody(half)) => Some(*half),
        _ => None,
    }
}
