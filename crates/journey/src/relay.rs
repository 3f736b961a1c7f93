//! An answer on its way to the caller: bytes as they come, watched on the side, with the lease
//! and the user's slot held until the last of them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use keygate_actors::{KeyLease, clock};
use keygate_domain::{ClientId, ErrorKind, Fault, Moment, OpenedSession, Refusal, Spend};
use keygate_provider::{Meter, Rewrite};
use keygate_telemetry::spans;
use keygate_upstream::UpstreamAnswer;
use thiserror::Error;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;
use tracing::Span;

use crate::account::Account;
use crate::answer::Slot;
use crate::cache::Recorder;
use crate::keeping::Concern;
use crate::pieces::joined;
use crate::said::Said;
use crate::scrub::Scrub;
use crate::settle::{self, Ending};
use crate::timer::{AttemptTimer, RequestTimer};

/// How long after its deadline an answer that is being read may still be ended by its reader,
/// which can say last words. Shorter than the margin of a lease, so that the lease is settled
/// and not taken back.
const FAREWELL: Duration = Duration::from_secs(5);

/// The answer ended before its end, in a place where nothing more can be said: the connection to
/// the caller is to be cut, so that no client takes half an answer for a whole one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the provider's answer broke off")]
pub struct RelayCut;

/// What is settled when an answer ends.
pub(crate) struct Watch {
    pub(crate) meter: Box<dyn Meter>,
    pub(crate) lease: Option<KeyLease>,
    pub(crate) scrub: Scrub,
    pub(crate) rewrite: Option<Box<dyn Rewrite>>,
    pub(crate) client: ClientId,
    pub(crate) estimate: Spend,
    pub(crate) span: Span,
    pub(crate) slot: Slot,
    /// What the call counts for the user.
    pub(crate) units: u32,
    /// Its place in the ledger, if it could cost something.
    pub(crate) account: Option<Account>,
    pub(crate) timer: Option<AttemptTimer>,
    pub(crate) passed: Passed,
    /// Whose sessions may be lost over a limit that is told inside the answer.
    pub(crate) concern: Option<Box<Concern>>,
    /// What is said, where that goes along with the span.
    pub(crate) said: Option<Box<Said>>,
}

/// How much of an answer went by, and in how many pieces.
#[derive(Clone, Copy, Default)]
pub(crate) struct Passed {
    bytes: u64,
    chunks: u64,
}

impl Watch {
    /// Sees the next bytes pass, takes the key out of them should a provider ever echo it, and changes
    /// what cannot be passed on as it came. What may be the beginning of the key comes with the bytes
    /// behind it.
    pub(crate) fn pass(&mut self, chunk: Bytes) -> Bytes {
        self.passed.bytes += chunk.len() as u64;
        self.passed.chunks += 1;
        self.meter.see(&chunk);
        let clean = match &self.lease {
            Some(lease) => self.scrub.pass(lease.key(), chunk),
            None => chunk,
        };
        if let Some(said) = &mut self.said {
            said.heard(&clean);
        }
        match &mut self.rewrite {
            Some(rewrite) => rewrite.pass(clean),
            None => clean,
        }
    }

    /// Tells what the answer has created by now: before the caller can use it.
    pub(crate) fn bind_created(&mut self) {
        let created = self.meter.created();
        if let Some(lease) = &self.lease {
            for binding in created {
                lease.bind(&self.client, binding);
            }
        }
    }

    /// The last bytes, if any waited.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        let clean = self.scrub.rest();
        if let Some(said) = &mut self.said {
            said.heard(&clean);
        }
        let rest = match &mut self.rewrite {
            Some(rewrite) => joined([rewrite.pass(clean), rewrite.rest()]),
            None => clean,
        };
        Some(rest).filter(|rest| !rest.is_empty())
    }

    /// Settles.
    pub(crate) fn end(mut self, ending: Ending) -> Over {
        let metered = self.meter.finish(ending.as_ended());
        settle::charge(&mut self.slot, self.units, self.estimate, &metered, ending);
        if let Some(account) = self.account {
            account.served(&metered, ending);
        }
        if let Some(timer) = self.timer {
            timer.served(&metered, ending);
        }
        if let (Some(concern), Some(failure)) = (&self.concern, &metered.failure) {
            concern.tell(failure.fault);
        }
        if let Some(said) = self.said {
            said.leave();
        }
        spans::record_relayed(&self.span, self.passed.bytes, self.passed.chunks);
        settle::by_meter(self.lease, &self.client, self.estimate, &metered, ending, &self.span);
        drop(self.slot);
        let is_sound = ending == Ending::Complete && metered.failure.is_none();
        Over { opened: metered.opened, is_sound }
    }
}

/// What is known of an answer in the end.
pub(crate) struct Over {
    /// The session that was opened, if one was.
    pub(crate) opened: Option<OpenedSession>,
    /// Whether it came to its end and told no fault.
    pub(crate) is_sound: bool,
}

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Until this moment.
    Until(Moment),
    /// As long as something passes in each span of this length: files may be large.
    Moving(Duration),
}

/// The bytes still to come of an answer whose first bytes are here.
pub struct Relay {
    held: VecDeque<Bytes>,
    flow: Flow,
    guard: JoinHandle<()>,
    status_of: fn(ErrorKind) -> u16,
    is_over: bool,
    /// Keeps what passes, if it is to be given again.
    recorder: Option<Box<Recorder>>,
    /// The time of the whole request, which ends here.
    timer: Option<RequestTimer>,
}

/// What is still flowing. Shared with a [`guard`], which tells the reader when it is too late, and
/// ends it when nobody asks for bytes any more: the front stops asking while a caller does not
/// read, and a caller that never reads on would keep the provider's answer, the lease and the
/// user's slot.
#[derive(Clone)]
struct Flow(Rc<RefCell<Shared>>);

struct Shared {
    /// Empty once it has ended.
    flowing: Option<Flowing>,
    /// Whether anything passed since the guard looked last.
    is_moving: bool,
    /// The deadline has passed.
    is_late: bool,
    /// Who waits for the next bytes.
    reader: Option<Waker>,
}

struct Flowing {
    rest: UpstreamAnswer,
    watch: Watch,
}

/// What came of waiting for the next bytes.
enum Step {
    Chunk(Bytes),
    /// The end, with the bytes that waited for it.
    Complete(Option<Bytes>),
    Broken,
    /// The deadline passed.
    Late,
    /// The guard has ended it.
    Gone,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

impl Relay {
    /// Must be called on a worker: the guard lives there.
    pub(crate) fn new(
        held: VecDeque<Bytes>,
        rest: UpstreamAnswer,
        watch: Watch,
        pace: Pace,
        status_of: fn(ErrorKind) -> u16,
    ) -> Self {
        let flowing = Some(Flowing { rest, watch });
        let shared = Shared { flowing, is_moving: false, is_late: false, reader: None };
        let flow = Flow(Rc::new(RefCell::new(shared)));
        let guard = spawn_local(guard(flow.clone(), pace));
        Self { held, flow, guard, status_of, is_over: false, recorder: None, timer: None }
    }

    /// Has what passes recorded. To be called before anything has.
    pub(crate) fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(Box::new(recorder));
    }

    /// Has the time of the request end with this.
    pub(crate) fn accompany(&mut self, timer: RequestTimer) {
        self.timer = Some(timer);
    }

    /// The next bytes; `None` after the last. [`RelayCut`] comes once, when the answer broke off where
    /// nothing more can be said.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, RelayCut>>> {
        if let Some(held) = self.held.pop_front() {
            self.passed(&held);
            return Poll::Ready(Some(Ok(held)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        self.flow.poll_next(cx).map(|step| match step {
            Step::Chunk(chunk) => {
                self.passed(&chunk);
                Some(Ok(chunk))
            }
            Step::Complete(last) => {
                if let Some(last) = &last {
                    self.passed(last);
                }
                self.end(Ending::Complete);
                last.map(Ok)
            }
            Step::Broken => Some(self.cut(Fault::Unreachable)),
            Step::Late => Some(self.cut(Fault::Timeout)),
            Step::Gone => {
                self.is_over = true;
                self.recorder = None;
                Some(Err(RelayCut))
            }
        })
    }

    fn passed(&mut self, piece: &Bytes) {
        if self.recorder.as_mut().is_some_and(|recorder| !recorder.saw(piece)) {
            self.recorder = None;
        }
    }

    /// Ends early, with last words where the stream stands at a place for them.
    fn cut(&mut self, fault: Fault) -> Result<Bytes, RelayCut> {
        let refusal = if fault == Fault::Timeout {
            Refusal::new(ErrorKind::DeadlineExceeded, "Deadline expired before the answer was complete.")
        } else {
            Refusal::new(ErrorKind::UpstreamUnreachable, "The provider's answer broke off.")
        };
        let farewell = self.flow.farewell(&refusal, (self.status_of)(refusal.kind));
        self.end(Ending::Cut(fault));
        farewell.ok_or(RelayCut)
    }

    fn end(&mut self, ending: Ending) {
        self.is_over = true;
        self.guard.abort();
        let is_sound = self.flow.end(ending);
        self.timer = None;
        if let Some(recorder) = self.recorder.take().filter(|_| is_sound) {
            recorder.keep();
        }
    }
}

impl Drop for Relay {
    /// The caller left: dropping the rest cancels the upstream. If it was a meter that panicked, it is
    /// not asked again, since a second panic would end the process; the lease says Abandoned by itself.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.guard.abort();
            drop(self.flow.0.borrow_mut().flowing.take());
        } else {
            self.end(Ending::Abandoned);
        }
    }
}

impl Flow {
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Step> {
        let mut shared = self.0.borrow_mut();
        let shared = &mut *shared;
        let Some(Flowing { rest, watch }) = &mut shared.flowing else { return Poll::Ready(Step::Gone) };
        if let Poll::Ready(chunk) = rest.poll_chunk(cx) {
            shared.is_moving = true;
            return Poll::Ready(match chunk {
                Ok(Some(chunk)) => {
                    let passed = watch.pass(chunk);
                    watch.bind_created();
                    Step::Chunk(passed)
                }
                Ok(None) => Step::Complete(watch.rest()),
                Err(_broken) => Step::Broken,
            });
        }
        if shared.is_late {
            return Poll::Ready(Step::Late);
        }
        // The guard's timer serves the whole answer: one for each of its pieces would cost as much as
        // passing the piece on.
        match &mut shared.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Whether anything passed since this was asked last.
    fn has_moved(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().is_moving)
    }

    fn is_late(&self) {
        let mut shared = self.0.borrow_mut();
        shared.is_late = true;
        if let Some(reader) = shared.reader.take() {
            reader.wake();
        }
    }

    fn farewell(&self, refusal: &Refusal, status: u16) -> Option<Bytes> {
        self.0.borrow().flowing.as_ref().and_then(|flow| flow.watch.meter.farewell(refusal, status))
    }

    /// Settles and cancels what is still to come; does nothing the second time. Whether it was a sound answer
    /// to its end.
    fn end(&self, ending: Ending) -> bool {
        let ended = self.0.borrow_mut().flowing.take();
        ended.is_some_and(|Flowing { rest, watch }| {
            drop(rest);
            watch.end(ending).is_sound
        })
    }
}

/// Tells the reader when the time is over; ends what still flows when nobody reads even then.
async fn guard(flow: Flow, pace: Pace) {
    match pace {
        Pace::Until(deadline) => sleep(clock::left_until(deadline)).await,
        Pace::Moving(span) => {
            sleep(span).await;
            while flow.has_moved() {
                sleep(span).await;
            }
        }
    }
    flow.is_late();
    sleep(FAREWELL).await;
    flow.end(Ending::Cut(Fault::Timeout));
}
