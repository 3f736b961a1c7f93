//! What follows the head of an answer that may pass: its beginning held back, the rest handed over, a whole
//! one settled.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use keygate_actors::KeyLease;
use keygate_domain::{Failure, Fault, Streaming};
use keygate_limits::Reach;
use keygate_provider::Rewrite;
use keygate_telemetry::spans;
use keygate_upstream::UpstreamAnswer;
use tokio::time::timeout;
use tracing::Span;

use super::{Attempt, Failed, Opened};
use crate::account::Account;
use crate::answer::Slot;
use crate::keeping::Concern;
use crate::pieces::joined;
use crate::relay::{Pace, Passed, Watch};
use crate::said::Said;
use crate::scrub::Scrub;
use crate::settle::Ending;
use crate::timer::AttemptTimer;
use crate::{AnswerBody, OpenSession, Relay, headers};

/// Longest answer in one piece that is held back until it is complete, so that a connection
/// breaking inside it can still be made good by another attempt.
const HELD_BACK_BYTES: usize = 256 * 1024;

/// How long each further piece of an answer is waited for that has told its error.
const LAST_OF_AN_ERROR: Duration = Duration::from_millis(250);

/// The bytes of an answer read before the first is passed on.
struct HeldBack {
    chunks: VecDeque<Bytes>,
    is_complete: bool,
}

impl Attempt<'_> {
    /// Reads as much as is held back, then hands the answer over.
    pub(super) async fn relay(
        &self,
        mut answer: UpstreamAnswer,
        lease: Option<KeyLease>,
        (account, timer): (Option<Account>, AttemptTimer),
        slot: &mut Slot,
        span: &Span,
    ) -> Result<Opened, Failed> {
        spans::record_answer_status(span, answer.status().as_u16());
        let mut watch = Watch {
            meter: self.lane.provider.meter(self.intent, &self.call.inbound()),
            lease,
            scrub: Scrub::default(),
            rewrite: self.lane.provider.rewrite(self.intent, &self.call.inbound(), answer.headers()),
            client: self.caller.client.clone(),
            estimate: self.intent.estimate,
            span: span.clone(),
            slot: None,
            units: self.intent.user_units,
            account,
            timer: Some(timer),
            passed: Passed::default(),
            concern: Concern::of(self.house, self.lane, self.call, self.caller),
            said: Said::of(self, Some(answer.headers()), span),
        };
        let held = match self.hold_back(&mut answer, &mut watch).await {
            Ok(held) => held,
            Err(failed) => {
                let books = (watch.account.take(), watch.timer.take());
                return Err(self.failed(watch.lease.take(), books, failed, span));
            }
        };
        if let Some(timer) = &mut watch.timer {
            timer.opened();
        }
        let status = answer.status();
        self.bind(watch.lease.as_ref(), answer.headers());
        let mut headers = headers::passing(answer.headers(), &self.house.redactor);
        let changes_body = rewritten(&mut headers, watch.rewrite.as_deref_mut());
        if held.is_complete {
            watch.slot = slot.take();
            let session = self.ended(watch);
            return Ok(Opened { status, headers, body: AnswerBody::Whole(joined(held.chunks)), session });
        }
        if let Some(lease) = &watch.lease {
            lease.answered();
        }
        if let Some(timer) = &mut watch.timer {
            timer.streams();
        }
        watch.bind_created();
        watch.slot = slot.take();
        let length = declared_length(&answer).filter(|_| !changes_body);
        let pace = match self.intent.streaming {
            Streaming::File => Pace::Moving(self.lane.timeout),
            Streaming::Whole | Streaming::Events | Streaming::JsonArray => Pace::Until(self.deadline),
        };
        let relay = Box::new(Relay::new(held.chunks, answer, watch, pace, self.house.status_of));
        Ok(Opened { status, headers, body: AnswerBody::Stream { relay, length }, session: None })
    }

    /// Settles an answer that is here as a whole; with the session that it opened, if one it did.
    fn ended(&self, watch: Watch) -> Option<OpenSession> {
        let lease = watch.lease.as_ref().filter(|_| self.intent.opens_session);
        let owner = lease.map(|lease| (lease.key().clone(), lease.group().clone()));
        let opened = watch.end(Ending::Complete).opened;
        owner.zip(opened).map(|((key, group), opened)| OpenSession::new(self.lane, key, group, opened))
    }

    /// Remembers what the head of the answer says was created: before the caller can ask for it.
    fn bind(&self, lease: Option<&KeyLease>, headers: &HeaderMap) {
        let Some(lease) = lease else { return };
        for binding in self.lane.provider.bindings(self.intent, headers) {
            lease.bind(&self.caller.client, binding);
        }
    }

    /// Reads an answer in one piece to its end, a stream to the end of its first element; neither
    /// further than is held back at most.
    async fn hold_back(&self, answer: &mut UpstreamAnswer, watch: &mut Watch) -> Result<HeldBack, Failed> {
        let mut held = HeldBack { chunks: VecDeque::new(), is_complete: false };
        let mut held_bytes = 0;
        let is_stream = self.intent.streaming.is_stream();
        loop {
            let has_begun = !held.chunks.is_empty();
            let by = if has_begun && !is_stream { self.deadline } else { self.first_byte_by };
            match timeout(self.patience_until(by), answer.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    held_bytes += chunk.len();
                    held.chunks.push_back(watch.pass(chunk));
                }
                Ok(Ok(None)) => {
                    held.chunks.extend(watch.rest());
                    held.is_complete = true;
                    return Ok(held);
                }
                Ok(Err(_broken)) => return Err(Failed::unanswered(Fault::Unreachable, Reach::Unknown)),
                // A first element that takes long is passed on as it comes.
                Err(_elapsed) if has_begun && is_stream => return Ok(held),
                Err(_elapsed) => return Err(Failed::unanswered(Fault::Timeout, Reach::Unknown)),
            }
            if let Some(failure) = watch.meter.failure_so_far() {
                if !failure.takes_out() {
                    read_to_end(answer, watch, &mut held).await;
                }
                return Err(self.told_inside(answer, held, failure));
            }
            let is_enough = is_stream && !watch.meter.is_in_first_element();
            if is_enough || held_bytes > HELD_BACK_BYTES {
                return Ok(held);
            }
        }
    }

    /// An error that the provider told inside an answer that began well.
    fn told_inside(&self, answer: &UpstreamAnswer, held: HeldBack, failure: Failure) -> Failed {
        let kept = Some(self.keep(answer, &joined(held.chunks)));
        Failed { failure, reach: Reach::Answered, kept, is_preparations: false }
    }
}

/// Reads what is left of an answer that has told its error: it may become the caller's, and half of it would be
/// no answer. One that does not end soon is told as far as it came.
async fn read_to_end(answer: &mut UpstreamAnswer, watch: &mut Watch, held: &mut HeldBack) {
    let mut held_bytes: usize = held.chunks.iter().map(Bytes::len).sum();
    while held_bytes <= HELD_BACK_BYTES
        && let Ok(Ok(Some(chunk))) = timeout(LAST_OF_AN_ERROR, answer.chunk()).await
    {
        held_bytes += chunk.len();
        held.chunks.push_back(watch.pass(chunk));
    }
    held.chunks.extend(watch.rest());
}

/// Changes the headers if the answer is to be changed; returns whether its body is.
fn rewritten(headers: &mut HeaderMap, rewrite: Option<&mut (dyn Rewrite + 'static)>) -> bool {
    let Some(rewrite) = rewrite else { return false };
    rewrite.headers(headers);
    if rewrite.changes_body() {
        for validator in ["etag", "content-md5", "digest", "content-digest", "repr-digest"] {
            headers.remove(validator);
        }
    }
    rewrite.changes_body()
}

fn declared_length(answer: &UpstreamAnswer) -> Option<u64> {
    answer.headers().get("content-length")?.to_str().ok()?.parse().ok()
}
