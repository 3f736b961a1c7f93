//! Pauses that double while a provider stays overloaded.

use std::time::Duration;

use crate::jitter::Jitter;

/// How much shorter the first pause is than `at_least`.
const FIRST_PAUSE_DIVISOR: u32 = 10;

/// Exponential backoff with jitter.
///
/// One overloaded answer says little: another group is usually served at once, and a first
/// pause of seconds would be the slowest part of every failover. So the first pause is a tenth
/// of `at_least`; the second failure means the provider is in trouble, and from there on pauses
/// are `at_least`, doubling up to `at_most`. Each is stretched by up to a half, so that requests
/// which failed together do not return together.
#[derive(Clone, Debug)]
pub struct Backoff {
    at_least: Duration,
    at_most: Duration,
    failures: u32,
    jitter: Jitter,
}

impl Backoff {
    /// A backoff that has seen no failure.
    pub fn new(at_least: Duration, at_most: Duration, seed: u64) -> Self {
        Self { at_least, at_most, failures: 0, jitter: Jitter::seeded(seed) }
    }

    /// The pause after one more failure.
    pub fn next_pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let stretch = 1.0 + self.jitter.fraction() / 2.0;
        self.base().min(self.at_most).mul_f64(stretch).min(self.at_most)
    }

    fn base(&self) -> Duration {
        match self.failures {
            0 | 1 => self.at_least / FIRST_PAUSE_DIVISOR,
            // 2^20 times a millisecond is past any `at_most`; more would only overflow.
            failures => self.at_least.saturating_mul(1 << (failures - 2).min(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO: Duration = Duration::from_secs(2);
    const THIRTY: Duration = Duration::from_secs(30);

    proptest! {
        #[test]
        fn the_first_pause_is_short_and_the_others_double_within_bounds(seed: u64) {
            let mut backoff = Backoff::new(TWO, THIRTY, seed);
            let first = backoff.next_pause();
            prop_assert!(first >= TWO / 10 && first <= TWO / 10 * 3 / 2, "{first:?}");
            for doubled in [2, 4, 8, 16, 30, 30, 30] {
                let pause = backoff.next_pause();
                let base = Duration::from_secs(doubled);
                prop_assert!(pause >= base && pause <= (base * 3 / 2).min(THIRTY), "{pause:?} for {base:?}");
            }
        }
    }

    #[test]
    fn different_seeds_return_at_different_times() {
        let pauses: std::collections::BTreeSet<Duration> =
            (0..50).map(|seed| Backoff::new(TWO, THIRTY, seed).next_pause()).collect();
        assert!(pauses.len() > 40, "only {} different pauses", pauses.len());
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::from_secs(1), 7);
        for _ in 0..100 {
            assert!(backoff.next_pause() <= Duration::from_secs(1));
        }
    }
}
