//! Requests and tokens, counted side by side.

use keygate_domain::{Metric, Spend};

/// Requests and tokens: of a minute those sent, of a day or month all of them.
///
/// Sums wrap around, because only the difference between two of them means anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Amounts {
    pub(super) requests: u64,
    pub(super) tokens: u64,
}

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    Requests,
    Tokens,
}

impl Amounts {
    /// No request uses more. Whatever says so is mistaken, and must not make a sum wrap.
    const MOST: u64 = 1 << 48;

    /// What a request is in a minute.
    pub(super) fn of_minute(spend: &Spend) -> Self {
        Self::bounded(spend, spend.amount(Metric::InputTokensPerMinute))
    }

    /// What a request is in a day or month.
    pub(super) fn of_period(spend: &Spend) -> Self {
        Self::bounded(spend, spend.amount(Metric::TokensPerDay))
    }

    fn bounded(spend: &Spend, tokens: u64) -> Self {
        Self { requests: u64::from(spend.requests), tokens: tokens.min(Self::MOST) }
    }

    /// So much of one of them, and nothing of the other.
    pub(super) fn only(of: Of, amount: u64) -> Self {
        match of {
            Of::Requests => Self { requests: amount, tokens: 0 },
            Of::Tokens => Self { requests: 0, tokens: amount },
        }
    }

    pub(super) fn get(self, of: Of) -> u64 {
        match of {
            Of::Requests => self.requests,
            Of::Tokens => self.tokens,
        }
    }

    pub(super) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    pub(super) fn plus(self, other: Self) -> Self {
        self.with(other, u64::wrapping_add)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.with(other, u64::wrapping_sub)
    }

    /// The difference where none may be below nothing.
    pub(super) fn less(self, other: Self) -> Self {
        self.with(other, u64::saturating_sub)
    }

    /// How much a sum grew since it was `before`: never less than nothing.
    pub(super) fn since(self, before: Self) -> Self {
        let grown = |now: u64, before: u64| now.wrapping_sub(before).cast_signed().max(0).cast_unsigned();
        self.with(before, grown)
    }

    fn with(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self { requests: join(self.requests, other.requests), tokens: join(self.tokens, other.tokens) }
    }
}
