//! What a request costs: estimated before it is sent, reported after.

use serde::{Deserialize, Serialize};

/// What a request draws from a budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Spend {
    /// Requests as the provider counts them (each text of an embedding batch is one).
    pub requests: u32,
    /// Tokens sent.
    pub input_tokens: u64,
    /// Tokens received, thoughts included.
    pub output_tokens: u64,
}

/// What the provider says a request used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens, cached and tool-use tokens included.
    pub input_tokens: u64,
    /// Answer tokens, thoughts excluded.
    pub output_tokens: u64,
    /// Thinking tokens; billed as output.
    pub thought_tokens: u64,
    /// The part of the input that came from a cache.
    pub cached_tokens: u64,
    /// The provider's own total.
    pub total_tokens: u64,
}

impl Usage {
    /// All tokens: the provider's own total, or the sum where it states none.
    pub fn tokens(self) -> u64 {
        let sum = self.input_tokens + self.output_tokens + self.thought_tokens;
        if self.total_tokens == 0 { sum } else { self.total_tokens }
    }

    /// What this use draws from budgets, for a call that counts as `requests`.
    pub fn as_spend(self, requests: u32) -> Spend {
        Spend {
            requests,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens + self.thought_tokens,
        }
    }
}
