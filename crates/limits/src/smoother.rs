//! governor's keyed GCRA with a bounded store that can also be asked without being charged.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Reference;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::driven_clock::DrivenClock;

/// A rate per minute with a burst, for each key by itself.
pub(crate) struct Smoother<K: Key> {
    limiter: RateLimiter<Probe<K>, Cells<K>, DrivenClock, NoOpMiddleware<Duration>>,
    burst: NonZeroU32,
}

/// What a smoother can be keyed by.
pub(crate) trait Key: Ord + Hash + Clone {}

impl<K: Ord + Hash + Clone> Key for K {}

impl<K: Key> Smoother<K> {
    /// `per_minute` units a minute, `burst` of them at once; zeros count as one.
    pub(crate) fn new(per_minute: u32, burst: u32) -> Self {
        let burst = at_least_one(burst);
        let quota = Quota::per_minute(at_least_one(per_minute)).allow_burst(burst);
        Self { limiter: RateLimiter::new(quota, Cells::default(), DrivenClock::default()), burst }
    }

    /// How long until `units` would be admitted; zero if they would be now. Charges nothing.
    pub(crate) fn wait_for(&self, key: &K, units: u32, now: Duration) -> Duration {
        self.check(key, Purpose::Look, units, now).err().unwrap_or_default()
    }

    /// Charges `units`, or says how long to wait for them.
    pub(crate) fn take(&self, key: &K, units: u32, now: Duration) -> Result<(), Duration> {
        self.check(key, Purpose::Charge, units, now)
    }

    /// Forgets keys whose burst is whole again: they are as good as new.
    pub(crate) fn forget_rested(&self, now: Duration) {
        self.limiter.clock().drive(now);
        self.limiter.retain_recent();
    }

    /// Forgets one key.
    pub(crate) fn forget(&self, key: &K) {
        // The store drops the cell; the decision about it is of no interest.
        let _ = self.limiter.check_key(&Probe { key: key.clone(), purpose: Purpose::Forget });
    }

    /// How many keys are remembered.
    pub(crate) fn len(&self) -> usize {
        self.limiter.len()
    }

    fn check(&self, key: &K, purpose: Purpose, units: u32, now: Duration) -> Result<(), Duration> {
        // An ask larger than the burst takes the whole burst: the exact window is what bounds it,
        // and refusing it for ever would be no smoothing.
        let Some(units) = NonZeroU32::new(units.min(self.burst.get())) else { return Ok(()) };
        self.limiter.clock().drive(now);
        match self.limiter.check_key_n(&Probe { key: key.clone(), purpose }, units) {
            Ok(Ok(())) | Err(_) => Ok(()),
            // governor admits at the very nanosecond it names, so the wait is exact.
            Ok(Err(not_until)) => Err(not_until.wait_time_from(now).max(Duration::from_nanos(1))),
        }
    }
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

/// A key, and what it is looked up for. governor's store is the only place where a decision can
/// be had without its charge, and the key is all the store is handed.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Probe<K> {
    key: K,
    purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    Look,
    Charge,
    Forget,
}

/// Theoretical arrival times by key.
struct Cells<K>(RefCell<BTreeMap<K, Nanos>>);

impl<K> Default for Cells<K> {
    fn default() -> Self {
        Self(RefCell::new(BTreeMap::new()))
    }
}

impl<K: Key> StateStore for Cells<K> {
    type Key = Probe<K>;

    fn measure_and_replace<T, F, E>(&self, probe: &Probe<K>, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let known = match probe.purpose {
            Purpose::Look | Purpose::Charge => self.0.borrow().get(&probe.key).copied(),
            // As if it were new, so that the decision is favourable and the cell goes.
            Purpose::Forget => None,
        };
        let (outcome, arrival) = decide(known)?;
        match probe.purpose {
            Purpose::Look => {}
            Purpose::Charge => drop(self.0.borrow_mut().insert(probe.key.clone(), arrival)),
            Purpose::Forget => drop(self.0.borrow_mut().remove(&probe.key)),
        }
        Ok(outcome)
    }
}

impl<K: Key> ShrinkableKeyedStateStore<Probe<K>> for Cells<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.borrow_mut().retain(|_, arrival| arrival.duration_since(drop_below) > Nanos::new(0));
    }

    fn len(&self) -> usize {
        self.0.borrow().len()
    }

    fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let smoother = Smoother::new(20, 5);
        for _ in 0..5 {
            assert_eq!(smoother.take(&"a", 1, at(0)), Ok(()));
        }
        assert_eq!(smoother.take(&"a", 1, at(0)), Err(Duration::from_secs(3)));
        assert_eq!(smoother.take(&"a", 1, at(3)), Ok(()));
        assert_eq!(smoother.take(&"b", 1, at(3)), Ok(()), "another key has its own burst");
    }

    #[test]
    fn asking_costs_nothing() {
        let smoother = Smoother::new(20, 1);
        for _ in 0..3 {
            assert_eq!(smoother.wait_for(&"a", 1, at(0)), Duration::ZERO);
        }
        assert_eq!(smoother.take(&"a", 1, at(0)), Ok(()));
        assert_eq!(smoother.wait_for(&"a", 1, at(1)), Duration::from_secs(2));
    }

    #[test]
    fn rested_keys_are_forgotten() {
        let smoother = Smoother::new(20, 5);
        smoother.take(&"a", 5, at(0)).unwrap();
        smoother.forget_rested(at(17));
        assert_eq!(smoother.len(), 1);
        smoother.forget_rested(at(18));
        assert_eq!(smoother.len(), 0);
    }

    #[test]
    fn an_ask_larger_than_the_burst_takes_all_of_it() {
        let smoother = Smoother::new(60, 5);
        assert_eq!(smoother.take(&"a", 12, at(0)), Ok(()));
        assert_eq!(smoother.take(&"a", 1, at(0)), Err(Duration::from_secs(1)));
    }
}
