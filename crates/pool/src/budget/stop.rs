//! What a budget that is used up means.

use keygate_domain::{Fault, Metric, Moment};

/// A budget that has nothing left, and from when on it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stop {
    pub(crate) metric: Metric,
    pub(crate) until: Moment,
}

impl Stop {
    /// The fault a provider would answer with.
    pub(crate) fn fault(&self) -> Fault {
        match self.metric {
            Metric::RequestsPerDay | Metric::TokensPerDay | Metric::TokensPerMonth => Fault::QuotaExhausted,
            Metric::Concurrent => Fault::Busy,
            Metric::RequestsPerMinute
            | Metric::InputTokensPerMinute
            | Metric::MinInterval
            | Metric::Unnamed
            | Metric::Spend
            | Metric::Tier
            | Metric::Storage => Fault::RateLimited,
        }
    }

    /// One sentence for operators.
    pub(crate) fn reason(&self) -> &'static str {
        match self.metric {
            Metric::RequestsPerMinute => "the budget of requests per minute is used",
            Metric::RequestsPerDay => "the budget of requests per day is used",
            Metric::InputTokensPerMinute => "the budget of input tokens per minute is used",
            Metric::TokensPerDay => "the budget of tokens per day is used",
            Metric::TokensPerMonth => "the budget of tokens per month is used",
            Metric::Concurrent => "as many run as may run at the same time",
            Metric::MinInterval => "the shortest interval between requests has not passed",
            Metric::Unnamed | Metric::Spend | Metric::Tier | Metric::Storage => "a budget is used",
        }
    }
}
