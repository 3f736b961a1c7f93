//! One row of the fault table, and the questions rows ask.

use std::time::Duration;

use keygate_domain::{Failure, Hint, Metric};

use super::report::{Report, Violation};
use super::waits;

/// One row: when it holds, and what it says.
pub(super) struct Row {
    /// Its name in the fixtures.
    pub id: &'static str,
    /// Whether the row is about this error.
    pub matches: fn(&Case<'_>) -> bool,
    /// What the error says about the key.
    pub judge: fn(&Case<'_>) -> Failure,
}

/// An error in front of the table.
pub(super) struct Case<'a> {
    /// What it says.
    pub report: &'a Report,
    /// How many tokens the request has, by the usual four bytes a token.
    pub estimated_tokens: u64,
}

/// The window of a quota.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// A calendar day.
    Day,
    /// A minute.
    Minute,
    /// Bytes or tokens kept; no window at all.
    Storage,
    /// The name does not say.
    Unnamed,
}

// === impl Case ===

impl Case<'_> {
    /// Whether the HTTP status is one of these.
    pub(super) fn status(&self, any: &[u16]) -> bool {
        any.contains(&self.report.status)
    }

    /// Whether the message starts with this (lower case). Preferred over [`Self::mentions`]:
    /// Google repeats the caller's words in messages (`Unknown name "…"`), and a caller must not
    /// be able to write a sentence that takes a key out of the pool.
    pub(super) fn says(&self, start: &str) -> bool {
        self.report.message.starts_with(start)
    }

    /// Whether the message has this anywhere (lower case). Only for statuses whose messages
    /// repeat nothing of the caller's.
    pub(super) fn mentions(&self, part: &str) -> bool {
        self.report.message.contains(part)
    }

    /// Whether the `ErrorInfo` reason is one of these.
    pub(super) fn reason(&self, any: &[&str]) -> bool {
        any.contains(&self.report.reason.as_str())
    }

    /// Whether the named status or code is one of these.
    pub(super) fn code(&self, any: &[&str]) -> bool {
        any.contains(&self.report.code.as_str())
    }

    /// The first violation of a quota with this window.
    pub(super) fn violation(&self, window: Window) -> Option<&Violation> {
        self.report.violations.iter().find(|violation| violation.window() == window)
    }

    /// A tokens-per-minute limit that this request exceeds all alone, by the usual four bytes a
    /// token. A request that is merely large met a full minute: its group has to rest.
    pub(super) fn poisoned(&self) -> Option<&Violation> {
        self.report.violations.iter().find(|violation| {
            violation.metric() == Metric::InputTokensPerMinute
                && violation.limit.is_some_and(|limit| limit > 0 && self.estimated_tokens >= limit)
        })
    }

    /// How long Google asks to wait, with margin, at most `longest`.
    pub(super) fn wait(&self, longest: Duration) -> Option<Duration> {
        self.report.wait.map(|wait| waits::with_margin(wait, longest))
    }

    /// A hint that names the project and its tier, if the error does.
    pub(super) fn hint(&self, reason: &'static str) -> Hint {
        Hint { group: self.report.project(), tier: self.report.tier(), reason, ..Hint::default() }
    }

    /// A hint that names the quota, too.
    pub(super) fn quota_hint(&self, violation: Option<&Violation>, reason: &'static str) -> Hint {
        let hint = self.hint(reason);
        let Some(violation) = violation else { return hint };
        Hint { metric: violation.metric(), limit: violation.limit, bucket: violation.bucket.clone(), ..hint }
    }
}

// === impl Violation ===

impl Violation {
    /// The window its name speaks of.
    pub(super) fn window(&self) -> Window {
        let has_any = |parts: &[&str]| parts.iter().any(|part| self.name.contains(part));
        if has_any(&["filestorage", "file_storage", "cachedcontentstorage", "cached_content_storage"]) {
            Window::Storage
        } else if has_any(&["perday", "per_day", "daily"]) {
            Window::Day
        } else if has_any(&["perminute", "per_minute"]) {
            Window::Minute
        } else {
            Window::Unnamed
        }
    }

    /// The counter its name speaks of.
    pub(super) fn metric(&self) -> Metric {
        match (self.window(), self.name.contains("token")) {
            (Window::Day, true) => Metric::TokensPerDay,
            (Window::Day, false) => Metric::RequestsPerDay,
            (Window::Minute, true) => Metric::InputTokensPerMinute,
            (Window::Minute, false) => Metric::RequestsPerMinute,
            (Window::Storage, _) => Metric::Storage,
            (Window::Unnamed, _) => Metric::Unnamed,
        }
    }
}
