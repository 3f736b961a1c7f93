//! What a quota group may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Metric, Spend};

/// What a quota group may use of one bucket. `None` means no limit that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Allowance {
    /// Requests in any 60 s.
    pub requests_per_minute: Option<u64>,
    /// Requests in a day of the provider's calendar.
    pub requests_per_day: Option<u64>,
    /// Tokens sent in any 60 s.
    pub input_tokens_per_minute: Option<u64>,
    /// Tokens sent and received in a day of the provider's calendar.
    pub tokens_per_day: Option<u64>,
    /// Tokens sent and received in a month of the provider's calendar.
    pub tokens_per_month: Option<u64>,
    /// Requests, or sessions, at the same time.
    pub concurrent: Option<u64>,
    /// Shortest time between the starts of two requests.
    pub min_interval: Option<Duration>,
}

impl Allowance {
    /// The metrics an allowance can limit.
    pub const METRICS: [Metric; 7] = [
        Metric::RequestsPerMinute,
        Metric::RequestsPerDay,
        Metric::InputTokensPerMinute,
        Metric::TokensPerDay,
        Metric::TokensPerMonth,
        Metric::Concurrent,
        Metric::MinInterval,
    ];

    /// Each limit of this one, and where it has none that of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            requests_per_minute: self.requests_per_minute.or(other.requests_per_minute),
            requests_per_day: self.requests_per_day.or(other.requests_per_day),
            input_tokens_per_minute: self.input_tokens_per_minute.or(other.input_tokens_per_minute),
            tokens_per_day: self.tokens_per_day.or(other.tokens_per_day),
            tokens_per_month: self.tokens_per_month.or(other.tokens_per_month),
            concurrent: self.concurrent.or(other.concurrent),
            min_interval: self.min_interval.or(other.min_interval),
        }
    }

    /// The stricter of both, limit by limit: for what two declarations turn out to share.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let less = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        Self {
            requests_per_minute: less(self.requests_per_minute, other.requests_per_minute),
            requests_per_day: less(self.requests_per_day, other.requests_per_day),
            input_tokens_per_minute: less(self.input_tokens_per_minute, other.input_tokens_per_minute),
            tokens_per_day: less(self.tokens_per_day, other.tokens_per_day),
            tokens_per_month: less(self.tokens_per_month, other.tokens_per_month),
            concurrent: less(self.concurrent, other.concurrent),
            min_interval: self.min_interval.max(other.min_interval),
        }
    }

    /// The limit of a metric; milliseconds for the interval.
    pub fn limit(&self, metric: Metric) -> Option<u64> {
        match metric {
            Metric::RequestsPerMinute => self.requests_per_minute,
            Metric::RequestsPerDay => self.requests_per_day,
            Metric::InputTokensPerMinute => self.input_tokens_per_minute,
            Metric::TokensPerDay => self.tokens_per_day,
            Metric::TokensPerMonth => self.tokens_per_month,
            Metric::Concurrent => self.concurrent,
            Metric::MinInterval => self.min_interval.map(|span| span.as_millis() as u64),
            Metric::Unnamed | Metric::Spend | Metric::Tier | Metric::Storage => None,
        }
    }

    /// The same with at most `limit` of a metric; what no allowance limits is left as it is.
    #[must_use]
    pub fn at_most(mut self, metric: Metric, limit: u64) -> Self {
        let place = match metric {
            Metric::RequestsPerMinute => &mut self.requests_per_minute,
            Metric::RequestsPerDay => &mut self.requests_per_day,
            Metric::InputTokensPerMinute => &mut self.input_tokens_per_minute,
            Metric::TokensPerDay => &mut self.tokens_per_day,
            Metric::TokensPerMonth => &mut self.tokens_per_month,
            Metric::Concurrent => &mut self.concurrent,
            Metric::MinInterval | Metric::Unnamed | Metric::Spend | Metric::Tier | Metric::Storage => {
                return self;
            }
        };
        *place = Some(place.map_or(limit, |own| own.min(limit)));
        self
    }

    /// Whether it limits nothing.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

impl Spend {
    /// What this draws from a metric's budget.
    pub fn amount(&self, metric: Metric) -> u64 {
        match metric {
            Metric::RequestsPerMinute | Metric::RequestsPerDay => u64::from(self.requests),
            Metric::InputTokensPerMinute => self.input_tokens,
            Metric::TokensPerDay | Metric::TokensPerMonth => {
                self.input_tokens.saturating_add(self.output_tokens)
            }
            Metric::Concurrent | Metric::MinInterval => u64::from(self.requests.min(1)),
            Metric::Unnamed | Metric::Spend | Metric::Tier | Metric::Storage => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_overridden_one_by_one_and_only_ever_tightened() {
        let model = Allowance { requests_per_minute: Some(5), ..Allowance::default() };
        let usual = Allowance { requests_per_minute: Some(60), concurrent: Some(3), ..Allowance::default() };
        let both = model.or(usual);
        assert_eq!((both.requests_per_minute, both.concurrent), (Some(5), Some(3)));
        assert_eq!(both.at_most(Metric::RequestsPerMinute, 9).requests_per_minute, Some(5));
        assert_eq!(both.at_most(Metric::RequestsPerDay, 9).requests_per_day, Some(9));
        assert_eq!(both.at_most(Metric::Unnamed, 9), both);
        let stricter = model.stricter(usual);
        assert_eq!((stricter.requests_per_minute, stricter.concurrent), (Some(5), Some(3)));
        assert!(Allowance::default().is_unlimited());
    }
}
