//! Steps 7 to 10: one request under one key, from the adapter's translation to the verdict.

mod failed;
mod passing;
mod socket;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keygate_actors::{GroupPass, KeyLease, clock};
use keygate_domain::{Failure, Fault, Intent, Moment, RetryAdvice, Verdict};
use keygate_limits::Reach;
use keygate_provider::{AnswerHead, Grant, UpstreamRequest};
use keygate_telemetry::spans;
use keygate_upstream::UpstreamAnswer;
use tracing::Span;

use crate::account::Account;
use crate::answer::Slot;
use crate::said::Said;
use crate::timer::AttemptTimer;
use crate::{AnswerBody, Call, Caller, House, Lane, OpenSession, events, headers, keeping, lost, settle};

pub(crate) use failed::{Failed, Kept};
pub(crate) use socket::{Dial, Talk, without_key};

/// Longest error body passed on.
const MAX_ERROR_PASSED_BYTES: usize = 1024 * 1024;

/// How long the text of an error may take once its head is here: without it the status alone is
/// judged, and the time left is another key's.
const ERROR_TEXT_PATIENCE: Duration = Duration::from_secs(5);

/// What one attempt needs to know.
pub(crate) struct Attempt<'a> {
    pub(crate) house: &'a House,
    pub(crate) lane: &'a Lane,
    pub(crate) call: &'a Call<'a>,
    pub(crate) caller: &'a Caller,
    pub(crate) intent: &'a Intent,
    /// The group it is about, where it needs no key.
    pub(crate) pass: Option<GroupPass>,
    pub(crate) first_byte_by: Moment,
    pub(crate) deadline: Moment,
    /// A file goes by, which may take long: its deadline is far, and each wait is bounded by itself.
    pub(crate) is_transfer: bool,
    pub(crate) number: u32,
}

/// An answer that may pass to the caller.
pub(crate) struct Opened {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: AnswerBody,
    pub(crate) session: Option<OpenSession>,
}

/// Where an attempt is entered: the ledger, and metrics.
type Books = (Option<Account>, Option<AttemptTimer>);

impl Attempt<'_> {
    /// Makes the attempt. The user's slot goes along with an answer that is still coming, and
    /// stays where it is otherwise.
    pub(crate) async fn make(&self, lease: Option<KeyLease>, slot: &mut Slot) -> Result<Opened, Failed> {
        let span = self.span(lease.as_ref());
        let sent = clock::now();
        let mut account = Account::open(self, lease.as_ref(), sent);
        let timer = AttemptTimer::start(self, sent);
        let answer = match self.open(lease.as_ref()).await {
            Ok(answer) => answer,
            Err(failed) => return Err(self.failed(lease, (account, Some(timer)), failed, &span)),
        };
        if let Some(account) = &mut account {
            account.answered(answer.status().as_u16());
        }
        let opened = self.relay(answer, lease, (account, timer), slot, &span).await;
        if self.intent.streaming.is_stream() && opened.is_ok() && !span.is_disabled() {
            spans::record_time_to_first_chunk(&span, clock::since(sent));
        }
        opened
    }

    /// Tells everybody who wants to know of it.
    fn failed(
        &self,
        lease: Option<KeyLease>,
        (account, timer): Books,
        failed: Failed,
        span: &Span,
    ) -> Failed {
        events::attempt_failed(
            self.lane.adapter.name.as_str(),
            self.number,
            self.call,
            lease.as_ref(),
            &failed,
        );
        keeping::tell(self.house, self.lane, self.call, self.caller, failed.failure.fault);
        if let Some(kept) = &failed.kept {
            spans::record_answer_status(span, kept.status.as_u16());
        }
        // What the caller is told to mend can be found only where it can be read.
        if failed.failure.fault == Fault::Caller
            && let Some(said) = Said::of(self, None, span)
        {
            said.leave();
        }
        if let Some(timer) = timer {
            timer.failed(&failed.failure, failed.kept.as_ref().map(|kept| kept.status.as_u16()));
        }
        if let Some(mut account) = account {
            if let Some(kept) = &failed.kept {
                account.answered(kept.status.as_u16());
            }
            account.failed(&failed.failure, failed.reach);
        }
        match lease {
            // The caller broke it off: nothing is known of the key.
            Some(lease) if self.call.body_lost().is_some() => lease.settle(Verdict::Abandoned),
            lease => {
                if let Some(lease) = &lease {
                    lost::look_after(self, lease, &failed);
                }
                settle::by_failure(lease, &failed.failure, span);
            }
        }
        failed
    }

    fn span(&self, lease: Option<&KeyLease>) -> Span {
        spans::attempt(
            &self.call.span,
            &spans::AttemptFacts {
                number: self.number,
                intent: self.intent,
                provider: self.lane.adapter.otel_name,
                server: self.lane.upstream.host(),
                key: lease.map(key_facts),
            },
        )
    }

    /// Sends the preparation, if there is one, and the request.
    async fn open(&self, lease: Option<&KeyLease>) -> Result<UpstreamAnswer, Failed> {
        let mut grant = Grant {
            key: lease.map(KeyLease::key),
            group: lease.map(KeyLease::group),
            away: lease.and_then(KeyLease::away),
            prepared: None,
        };
        let provider = &self.lane.provider;
        let prepared = match provider.preparation(self.intent, &self.call.inbound(), &grant) {
            // Boxed, as other rare ways are: else the memory of every request would have room for it.
            Some(request) => Some(Box::pin(self.prepare(request)).await?),
            None => None,
        };
        grant.prepared = prepared.as_deref();
        // 7 adapter: upstream request
        let request = provider.request(self.intent, &self.call.inbound(), &grant);
        // 8 send
        let mut answer = match &self.call.inflow {
            Some(body) => Box::pin(self.send_on(request, body)).await?,
            None => self.send(request).await?,
        };
        if let Some(intent) = self.onward(&answer) {
            let request = provider.request(&intent, &self.call.inbound(), &grant);
            answer = Box::pin(self.send(request)).await?;
        }
        // 9 head -> verdict
        let is_served = provider.is_served(self.intent, answer.status());
        if is_served { Ok(answer) } else { Err(Box::pin(self.judge(answer, false)).await) }
    }

    /// What to ask instead, where the provider keeps what was asked for in another place of its own. Once
    /// only: it could send us round in circles.
    fn onward(&self, answer: &UpstreamAnswer) -> Option<Intent> {
        if !answer.status().is_redirection() {
            return None;
        }
        let location = answer.headers().get("location")?.to_str().ok()?;
        let target = self.lane.upstream.own_target(location)?;
        self.lane.provider.onward(self.intent, &target)
    }

    /// Makes the call that has to come first. Whatever becomes of it, the request itself was never
    /// written and the preparation may be made again: a mint costs nothing and starts nothing. What
    /// one organisation refuses to mint another may.
    async fn prepare(&self, request: UpstreamRequest) -> Result<Bytes, Failed> {
        self.prepared(request).await.map_err(|failed| Failed {
            failure: failed.failure.retrying(RetryAdvice::Again),
            reach: Reach::NeverWritten,
            is_preparations: true,
            ..failed
        })
    }

    async fn prepared(&self, request: UpstreamRequest) -> Result<Bytes, Failed> {
        let mut answer = self.send(request).await?;
        if !answer.status().is_success() {
            return Err(self.judge(answer, true).await);
        }
        let patience = clock::left_until(self.first_byte_by);
        answer.whole(AnswerHead::MAX_ERROR_BYTES, patience).await.map_err(Failed::from)
    }

    pub(crate) async fn send(&self, request: UpstreamRequest) -> Result<UpstreamAnswer, Failed> {
        let patience = self.patience_until(self.first_byte_by);
        self.lane.upstream.send(request, patience).await.map_err(Failed::from)
    }

    /// How long to wait for what is due at `moment`.
    fn patience_until(&self, moment: Moment) -> Duration {
        if self.is_transfer {
            clock::left_until(self.deadline).min(self.lane.timeout)
        } else {
            clock::left_until(moment)
        }
    }

    async fn judge(&self, mut answer: UpstreamAnswer, for_preparation: bool) -> Failed {
        let patience = clock::left_until(self.deadline).min(ERROR_TEXT_PATIENCE);
        let text = answer.text_up_to(MAX_ERROR_PASSED_BYTES, patience).await;
        let body = &text.bytes;
        let head = AnswerHead {
            status: answer.status(),
            headers: answer.headers(),
            body: &body[..body.len().min(AnswerHead::MAX_ERROR_BYTES)],
            for_preparation,
        };
        let failure = match self.lane.provider.verdict(self.intent, &head) {
            Verdict::Failed(failure) => failure,
            Verdict::Served(_) | Verdict::Abandoned | Verdict::Unsent => Failure::of(Fault::ServerError),
        };
        // Google tells an invalid key by a 400 too, and only the text says which it is.
        if !text.is_whole && answer.status() == StatusCode::BAD_REQUEST && failure.fault == Fault::Caller {
            return Failed::unanswered(Fault::Unreachable, Reach::Answered);
        }
        let mut kept = Kept { is_whole: text.is_whole, ..self.keep(&answer, body) };
        if let Some(told) = self.lane.provider.retell(self.call.path, &kept.body) {
            kept.body = told;
        }
        Failed { failure, reach: Reach::Answered, kept: Some(kept), is_preparations: false }
    }

    fn keep(&self, answer: &UpstreamAnswer, body: &[u8]) -> Kept {
        let redactor = &self.house.redactor;
        Kept {
            status: answer.status(),
            headers: headers::passing(answer.headers(), redactor),
            body: Bytes::from(redactor.scrub(body).into_owned()),
            is_whole: true,
            closing: None,
        }
    }
}

/// What spans tell of a leased key.
pub(crate) fn key_facts(lease: &KeyLease) -> spans::KeyFacts<'_> {
    spans::KeyFacts { id: lease.key_id(), label: lease.label(), index: lease.index(), group: lease.group() }
}
