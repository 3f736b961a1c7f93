//! What one user has had of a plan.

use super::calendar::Today;

/// Requests and tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amount {
    /// Requests.
    pub requests: u64,
    /// Tokens, in and out.
    pub tokens: u64,
}

impl Amount {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }

    /// What is left of it without `other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            tokens: self.tokens.saturating_sub(other.tokens),
        }
    }
}

/// What was used in the day and in the month at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// Of the day.
    pub day: Amount,
    /// Of the month, the day included.
    pub month: Amount,
}

/// One user's account.
#[derive(Clone, Debug)]
pub(super) struct Account {
    day: i32,
    month: i32,
    used: Used,
    /// Of calls that are being served.
    reserved: Amount,
}

impl Account {
    pub(super) fn new(today: &Today, used: Used) -> Self {
        Self { day: today.day, month: today.month, used, reserved: Amount::default() }
    }

    /// Begins another day where there is one. A clock that was set back takes nothing away from what
    /// was counted: it counts for the day that it shows now.
    pub(super) fn move_to(&mut self, today: &Today) {
        if today.month > self.month {
            self.used = Used::default();
        } else if today.day > self.day {
            self.used.day = Amount::default();
        }
        (self.day, self.month) = (today.day, today.month);
    }

    /// As of `today`, without changing anything.
    pub(super) fn seen_on(&self, today: &Today) -> Self {
        let mut seen = self.clone();
        seen.move_to(today);
        seen
    }

    /// Counts what was used before the account was opened.
    pub(super) fn add(&mut self, used: Used) {
        self.used = Used { day: self.used.day.plus(used.day), month: self.used.month.plus(used.month) };
    }

    pub(super) fn used(&self) -> Used {
        self.used
    }

    /// What counts against the limits: used, and reserved by calls under way.
    pub(super) fn taken(&self) -> Used {
        Used { day: self.used.day.plus(self.reserved), month: self.used.month.plus(self.reserved) }
    }

    pub(super) fn reserve(&mut self, amount: Amount) {
        self.reserved = self.reserved.plus(amount);
    }

    pub(super) fn release(&mut self, amount: Amount) {
        self.reserved = self.reserved.minus(amount);
    }

    pub(super) fn release_all(&mut self) {
        self.reserved = Amount::default();
    }

    /// Counts what a call came to that was let in on `day` of `month`.
    pub(super) fn charge(&mut self, spent: Amount, day: i32, month: i32) {
        if day == self.day {
            self.used.day = self.used.day.plus(spent);
        }
        if month == self.month {
            self.used.month = self.used.month.plus(spent);
        }
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_blank(&self, today: &Today) -> bool {
        self.reserved == Amount::default() && self.seen_on(today).used == Used::default()
    }
}
