//! What an attempt comes to in the ledger.

use http::StatusCode;
use keygate_actors::{KeyLease, LedgerEntry, OpenEntry, clock};
use keygate_domain::{AnswerSource, Failure, Fault, Intent, Moment, Outcome, Spend, Usage};
use keygate_limits::Reach;
use keygate_provider::Metered;

use crate::attempt::Attempt;
use crate::settle::Ending;
use crate::{Call, Caller, House, Lane};

/// One attempt that could cost something, from its beginning to its row. If it is dropped, nobody knows what it
/// came to, and it is lost.
pub(crate) struct Account {
    entry: OpenEntry,
    estimate: Spend,
}

impl Account {
    /// Opens the account of an attempt; what never costs anything has none.
    pub(crate) fn open(attempt: &Attempt<'_>, lease: Option<&KeyLease>, sent: Moment) -> Option<Self> {
        let Attempt { house, lane, call, caller, intent, number, .. } = attempt;
        if intent.user_units == 0 {
            return None;
        }
        let mut entry = house.ledger.open(LedgerEntry {
            request_id: call.request_id.into(),
            user: caller.user.clone(),
            provider: lane.adapter.name,
            model: intent.model.clone(),
            key: lease.map(|lease| (lease.key_id().clone(), lease.group().clone())),
            operation: intent.operation,
            attempt: *number,
            source: AnswerSource::Provider,
            sent,
        });
        // Until the answer is here: whoever leaves before may have cost the prompt.
        let prompt = Usage { input_tokens: intent.estimate.input_tokens, ..Usage::default() };
        entry.used(prompt, prompt.input_tokens > 0);
        Some(Self { entry, estimate: intent.estimate })
    }

    /// The provider answered with this status.
    pub(crate) fn answered(&mut self, status: u16) {
        self.entry.answered(status);
    }

    /// The answer has ended: it is billed by the last usage seen, else by the estimate.
    pub(crate) fn served(mut self, metered: &Metered, ending: Ending) {
        let estimated = Usage {
            input_tokens: self.estimate.input_tokens,
            output_tokens: if ending == Ending::Complete { self.estimate.output_tokens } else { 0 },
            ..Usage::default()
        };
        let usage = metered.usage.unwrap_or(estimated);
        // The last usage of an answer that was not heard to its end is not all of it.
        let is_estimated = metered.usage.is_none() || ending != Ending::Complete;
        self.entry.used(usage, is_estimated && usage.tokens() > 0);
        let fault = match ending {
            Ending::Complete | Ending::Abandoned => metered.failure.as_ref().map(|failure| failure.fault),
            Ending::Cut(fault) => Some(fault),
        };
        self.entry.close(Outcome::Settled, fault);
    }

    /// It failed before anything was passed on. What the provider refused costs nothing; what became of
    /// the rest nobody knows.
    pub(crate) fn failed(mut self, failure: &Failure, reach: Reach) {
        let is_unknown =
            reach == Reach::Unknown && matches!(failure.fault, Fault::Timeout | Fault::Unreachable);
        if is_unknown {
            return self.entry.close(Outcome::Lost, Some(failure.fault));
        }
        self.entry.used(Usage::default(), false);
        self.entry.close(Outcome::Refunded, Some(failure.fault));
    }
}

/// Enters an answer that cost nothing because the provider did not give it, behind so many `attempts` that were made
/// for it: a request is counted where its first row is.
pub(crate) fn without_provider(
    house: &House,
    lane: &Lane,
    call: &Call<'_>,
    caller: &Caller,
    intent: &Intent,
    source: AnswerSource,
    attempts: u32,
) {
    if intent.user_units == 0 {
        return;
    }
    let mut entry = house.ledger.open(LedgerEntry {
        request_id: call.request_id.into(),
        user: caller.user.clone(),
        provider: lane.adapter.name,
        model: intent.model.clone(),
        key: None,
        operation: intent.operation,
        attempt: attempts.saturating_add(1),
        source,
        sent: clock::now(),
    });
    entry.answered(StatusCode::OK.as_u16());
    entry.close(Outcome::Settled, None);
}
