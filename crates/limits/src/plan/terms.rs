//! What plans say.

use std::collections::BTreeMap;

use keygate_domain::{PlanName, UserLimits};

use super::account::Amount;

/// All plans, and the one of users of whom nothing else is said.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plans {
    /// The plan of users whose client names none; `None` leaves them without.
    pub default: Option<PlanName>,
    /// The plans.
    pub by_name: BTreeMap<PlanName, Plan>,
}

impl Plans {
    /// Whether nobody can have a plan.
    pub fn are_none(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The plan that holds for who is on `named`. A name that is not configured any more falls back to
    /// the default.
    pub fn of(&self, named: Option<&PlanName>) -> Option<(&PlanName, &Plan)> {
        let known = |name: &PlanName| self.by_name.get_key_value(name);
        named.and_then(known).or_else(|| self.default.as_ref().and_then(known))
    }

    /// The limits of the minute of who is on `named`, and whose client's are `own`: the client's word before the
    /// plan's.
    pub fn limits_of(&self, named: Option<&PlanName>, own: UserLimits) -> UserLimits {
        own.or(self.of(named).map(|(_, plan)| plan.per_user).unwrap_or_default())
    }
}

/// What one plan allows each of its users.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Plan {
    /// In a day.
    pub day: Allowed,
    /// In a month.
    pub month: Allowed,
    /// What becomes of more.
    pub overage: Overage,
    /// The limits of the minute, where they differ from everybody's.
    pub per_user: UserLimits,
}

/// How much; `None` is without limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Allowed {
    /// Requests.
    pub requests: Option<u64>,
    /// Tokens, in and out.
    pub tokens: Option<u64>,
}

impl Allowed {
    /// How much of `used` is beyond it.
    pub fn exceeded_by(self, used: Amount) -> Amount {
        let over =
            |used: u64, allowed: Option<u64>| allowed.map_or(0, |allowed| used.saturating_sub(allowed));
        Amount { requests: over(used.requests, self.requests), tokens: over(used.tokens, self.tokens) }
    }
}

/// What becomes of a request that the plan does not cover.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Overage {
    /// It is refused.
    #[default]
    Block,
    /// It is served, and billed by this.
    Allow(Price),
}

/// What a unit costs that the plan does not cover, in whatever currency the operator bills.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Price {
    /// A request.
    pub per_request: f64,
    /// A thousand tokens.
    pub per_1000_tokens: f64,
}

impl Price {
    /// What so much costs.
    #[expect(clippy::cast_precision_loss, reason = "a bill is not exact beyond 2^53 units")]
    pub fn of(self, amount: Amount) -> f64 {
        amount.requests as f64 * self.per_request + amount.tokens as f64 / 1000.0 * self.per_1000_tokens
    }
}

/// One of the limits of a plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PlanMetric {
    /// Requests in a day.
    RequestsPerDay,
    /// Tokens in a day.
    TokensPerDay,
    /// Requests in a month.
    RequestsPerMonth,
    /// Tokens in a month.
    TokensPerMonth,
}

impl PlanMetric {
    /// The name in the YAML, in answers and in traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequestsPerDay => "requests_per_day",
            Self::TokensPerDay => "tokens_per_day",
            Self::RequestsPerMonth => "requests_per_month",
            Self::TokensPerMonth => "tokens_per_month",
        }
    }

    /// The limit in words: `1000 requests per day`.
    pub fn phrase(self, limit: u64) -> String {
        let what = match self {
            Self::RequestsPerDay => "requests per day",
            Self::TokensPerDay => "tokens per day",
            Self::RequestsPerMonth => "requests per month",
            Self::TokensPerMonth => "tokens per month",
        };
        format!("{limit} {what}")
    }
}
