//! An attempt as requests note it down: cheap to make; texts are copied by the clerk.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{
    AnswerSource, Fault, GroupId, KeyId, LedgerRow, ModelName, Moment, Operation, Outcome, ProviderName,
    Usage, UserId,
};

use super::handle::Ledger;
use crate::clock;

/// What is known of an attempt when it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerEntry {
    /// The request, as its caller knows it.
    pub request_id: Box<str>,
    /// Whose it is.
    pub user: UserId,
    /// Who is asked.
    pub provider: ProviderName,
    /// For what model.
    pub model: Option<ModelName>,
    /// With what key, and whose quota that uses.
    pub key: Option<(KeyId, GroupId)>,
    /// What for.
    pub operation: Operation,
    /// 1 for the first attempt of a request.
    pub attempt: u32,
    /// Who answers.
    pub source: AnswerSource,
    /// When it was sent.
    pub sent: Moment,
}

/// An attempt that has begun. It ends as one row whatever happens: if nobody closes it, it is lost.
#[derive(Debug)]
pub struct OpenEntry {
    /// Empty once it is closed.
    closing: Option<Box<Closing>>,
    ledger: Ledger,
}

/// All that becomes a row.
#[derive(Debug)]
pub(crate) struct Closing {
    number: u64,
    entry: LedgerEntry,
    status: u16,
    first_byte: Option<Duration>,
    latency: Duration,
    usage: Usage,
    is_estimated: bool,
    outcome: Outcome,
    fault: Option<Fault>,
}

impl OpenEntry {
    pub(super) fn new(entry: LedgerEntry, number: u64, ledger: Ledger) -> Self {
        let closing = Closing {
            number,
            entry,
            status: 0,
            first_byte: None,
            latency: Duration::ZERO,
            usage: Usage::default(),
            is_estimated: false,
            outcome: Outcome::Lost,
            fault: None,
        };
        Self { closing: Some(Box::new(closing)), ledger }
    }

    /// The provider answered with this status.
    pub fn answered(&mut self, status: u16) {
        if let Some(closing) = &mut self.closing {
            closing.status = status;
            closing.first_byte.get_or_insert_with(|| clock::since(closing.entry.sent));
        }
    }

    /// What it used, by the provider's own count or by an estimate.
    pub fn used(&mut self, usage: Usage, is_estimated: bool) {
        if let Some(closing) = &mut self.closing {
            (closing.usage, closing.is_estimated) = (usage, is_estimated);
        }
    }

    /// It has ended.
    pub fn close(mut self, outcome: Outcome, fault: Option<Fault>) {
        self.end(outcome, fault);
    }

    fn end(&mut self, outcome: Outcome, fault: Option<Fault>) {
        let Some(mut closing) = self.closing.take() else { return };
        closing.latency = clock::since(closing.entry.sent);
        (closing.outcome, closing.fault) = (outcome, fault);
        self.ledger.post(closing);
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        self.end(Outcome::Lost, None);
    }
}

impl Closing {
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The row. `life` makes its id unlike those of other processes. All texts are copies: a row waits for the
    /// database, and what a request had goes back at once.
    pub(super) fn into_row(self, life: &str) -> LedgerRow {
        let Self { number, entry, status, first_byte, latency, usage, is_estimated, outcome, fault } = self;
        let (key_id, group) = entry.key.map(|(key, group)| (key.to_string(), group.to_string())).unzip();
        LedgerRow {
            id: format!("{life}-{number}"),
            time_ms: millis_since_1970(entry.sent.wall),
            request_id: String::from(&*entry.request_id),
            client: entry.user.client.to_string(),
            user: entry.user.name.to_string(),
            provider: entry.provider.to_string(),
            model: entry.model.map(|model| model.to_string()).unwrap_or_default(),
            key_id: key_id.unwrap_or_default(),
            group: group.unwrap_or_default(),
            operation: entry.operation.to_string(),
            status,
            outcome,
            fault: fault.map(Fault::as_str).unwrap_or_default().to_owned(),
            attempt: entry.attempt,
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            thought_tokens: usage.thought_tokens,
            cached_tokens: usage.cached_tokens,
            total_tokens: usage.tokens(),
            is_estimated,
            latency_ms: millis(latency),
            first_byte_ms: first_byte.map(millis),
            source: entry.source,
        }
    }
}

fn millis_since_1970(wall: Timestamp) -> i64 {
    wall.as_millisecond()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
