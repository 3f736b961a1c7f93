//! The limits of one project for one model, and which of them a request would break.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Shape, Window};

/// How the provider counts a minute. Google does not say; both are worth surviving.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MinuteShape {
    /// The last 60 seconds at any moment.
    #[default]
    Sliding,
    /// The minute of the clock.
    Clock,
}

/// Limits of one model in one project; what is `None` is unlimited, `0` is "not on this tier".
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelLimits {
    /// The quota bucket (usually the model's name), or `*` for every model not named.
    pub model: String,
    /// Requests in a minute; each text of a batch of embeddings is one.
    pub requests_per_minute: Option<u64>,
    /// Input tokens in a minute.
    pub input_tokens_per_minute: Option<u64>,
    /// Requests in a day of California.
    pub requests_per_day: Option<u64>,
    /// Input tokens in a day of California.
    pub input_tokens_per_day: Option<u64>,
}

/// Which limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum QuotaKind {
    RequestsPerMinute,
    TokensPerMinute,
    RequestsPerDay,
    TokensPerDay,
}

impl QuotaKind {
    pub(crate) fn is_per_day(self) -> bool {
        matches!(self, Self::RequestsPerDay | Self::TokensPerDay)
    }

    fn of(self, demand: Demand) -> u64 {
        match self {
            Self::RequestsPerMinute | Self::RequestsPerDay => demand.requests,
            Self::TokensPerMinute | Self::TokensPerDay => demand.input_tokens,
        }
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) requests: u64,
    pub(crate) input_tokens: u64,
}

/// A limit a request would break.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Violation {
    pub(crate) kind: QuotaKind,
    pub(crate) limit: u64,
    pub(crate) retry_after: Duration,
}

/// The windows of one project and model.
#[derive(Debug, Default)]
pub(crate) struct ModelQuota {
    windows: Vec<(QuotaKind, Window)>,
}

impl ModelQuota {
    pub(crate) fn new(limits: &ModelLimits, minute: MinuteShape) -> Self {
        let minute = match minute {
            MinuteShape::Sliding => Shape::Rolling(Duration::from_mins(1)),
            MinuteShape::Clock => Shape::ClockMinute,
        };
        let windows = [
            (QuotaKind::RequestsPerMinute, minute, limits.requests_per_minute),
            (QuotaKind::TokensPerMinute, minute, limits.input_tokens_per_minute),
            (QuotaKind::RequestsPerDay, Shape::PacificDay, limits.requests_per_day),
            (QuotaKind::TokensPerDay, Shape::PacificDay, limits.input_tokens_per_day),
        ];
        let windows = windows.into_iter();
        Self {
            windows: windows
                .filter_map(|(kind, shape, limit)| Some((kind, Window::new(shape, limit?))))
                .collect(),
        }
    }

    /// Takes what is asked for, or says every limit it breaks; a refused request costs nothing.
    pub(crate) fn admit(&mut self, demand: Demand, now: Timestamp) -> Result<(), Vec<Violation>> {
        let mut violations = Vec::new();
        for (kind, window) in &mut self.windows {
            if let Some(retry_after) = window.wait_for(kind.of(demand), now) {
                violations.push(Violation { kind: *kind, limit: window.limit(), retry_after });
            }
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        for (kind, window) in &mut self.windows {
            window.take(kind.of(demand), now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Demand = Demand { requests: 1, input_tokens: 10 };

    fn kinds(quota: &mut ModelQuota, demand: Demand, now: Timestamp) -> Vec<QuotaKind> {
        quota.admit(demand, now).err().unwrap_or_default().iter().map(|violation| violation.kind).collect()
    }

    #[test]
    fn every_broken_limit_is_named_and_a_refusal_costs_nothing() {
        let limits = ModelLimits {
            requests_per_minute: Some(1),
            requests_per_day: Some(2),
            input_tokens_per_minute: Some(1000),
            ..ModelLimits::default()
        };
        let mut quota = ModelQuota::new(&limits, MinuteShape::Sliding);
        let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let minute = |count: u64| crate::clock::after(start, Duration::from_secs(60 * count));
        assert_eq!(kinds(&mut quota, ONE, start), []);
        assert_eq!(kinds(&mut quota, ONE, start), [QuotaKind::RequestsPerMinute]);
        assert_eq!(kinds(&mut quota, ONE, minute(1)), []);
        let both = [QuotaKind::RequestsPerMinute, QuotaKind::RequestsPerDay];
        assert_eq!(kinds(&mut quota, ONE, minute(1)), both);
        assert_eq!(kinds(&mut quota, ONE, minute(2)), [QuotaKind::RequestsPerDay]);
        let poison = Demand { requests: 0, input_tokens: 1001 };
        assert_eq!(kinds(&mut quota, poison, minute(3)), [QuotaKind::TokensPerMinute]);
    }
}
