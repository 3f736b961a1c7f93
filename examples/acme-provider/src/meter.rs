//! Acme's usage: `"tokens": {"in", "out"}` of an answer in one piece.

use keygate_domain::Usage;
use keygate_provider::{Ended, Meter, Metered};

/// Longest answer looked into.
const MAX_BYTES: usize = 1024 * 1024;

/// Keeps the answer, up to a bound, and reads the tokens at its end.
#[derive(Default)]
pub(crate) struct TokensMeter {
    seen: Vec<u8>,
}

impl Meter for TokensMeter {
    fn see(&mut self, chunk: &[u8]) {
        let room = MAX_BYTES.saturating_sub(self.seen.len());
        self.seen.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    fn finish(self: Box<Self>, _ended: Ended) -> Metered {
        let answer: serde_json::Value = serde_json::from_slice(&self.seen).unwrap_or_default();
        let tokens = &answer["tokens"];
        let count = |name: &str| tokens[name].as_u64().unwrap_or_default();
        let usage = tokens.is_object().then(|| Usage {
            input_tokens: count("in"),
            output_tokens: count("out"),
            total_tokens: count("in") + count("out"),
            ..Usage::default()
        });
        Metered { usage, ..Metered::default() }
    }
}
