//! How well each key fares: a score from 0 to 100, for status and for the strategy `health`.
//!
//! A key is born with 100. A success gives 5 points, a failure that blames the key, its group or
//! a timeout takes 20, and 6 s give one point back; so a key at 0 is whole again after 10 min,
//! or after 20 successes. What is kept of a key is the moment at which it will be whole: points
//! then need no timer, and keys that are whole need no memory.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Moment};

/// The score of a key that fares well.
pub(crate) const WHOLE: u64 = 100;
/// Points for a success (product §2).
const PER_SUCCESS: u64 = 5;
/// Points that a failure costs (product §2).
const PER_FAILURE: u64 = 20;
/// In which time a key gets a point back. Ten minutes from 0 to 100: longer than most rests, so
/// that a key which fails each time it returns stays the last choice, and short enough that
/// nobody has to reset one by hand.
const SECONDS_PER_POINT: u64 = 6;

/// Whether a failure counts against the key it met. What is the provider's or the caller's fault
/// says nothing of the key (product §13).
pub(crate) fn is_blamed(failure: &Failure) -> bool {
    match failure.fault {
        Fault::Timeout => true,
        Fault::RateLimited
        | Fault::QuotaExhausted
        | Fault::GroupBlocked
        | Fault::KeyInvalid
        | Fault::KeyForbidden
        | Fault::Busy => failure.takes_out(),
        Fault::Overloaded
        | Fault::ServerError
        | Fault::Unreachable
        | Fault::AffinityLost
        | Fault::Caller
        | Fault::Poison => false,
    }
}

/// The scores of all keys that are not whole.
///
/// Where every tenth request fails that is most keys, and every success changes one: so finding a key, and
/// noting when it will be whole, are no search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Time, in points that a key gets back meanwhile.
    tick: u64,
    /// By position; as many as were ever needed.
    keys: Vec<Option<Recovery>>,
    /// Which keys will be whole at a tick, at its place in the round.
    due: Vec<Vec<usize>>,
    /// How many are not whole.
    count: usize,
}

/// A key that is not whole.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    whole_at: Moment,
    /// Where it stands among those that will be whole at the same tick.
    place: usize,
}

/// More ticks than any key takes to be whole.
const ROUND: u64 = 128;

impl Health {
    /// Scores of keys that are all whole.
    pub(crate) fn new(now: Moment) -> Self {
        Self { tick: tick_at(now), ..Self::default() }
    }

    /// The points of a key at `now`, which may lie ahead.
    pub(crate) fn points(&self, key: usize, now: Moment) -> u8 {
        let lacking = self.lacking(key, tick_at(now).max(self.tick));
        u8::try_from(WHOLE - lacking).unwrap_or(u8::MAX)
    }

    /// Time, in points that a key gets back meanwhile.
    pub(crate) fn tick(&self) -> u64 {
        self.tick
    }

    /// The tick at which a key will be whole; `None` while it is.
    pub(crate) fn whole_tick(&self, key: usize) -> Option<u64> {
        self.whole_at(key).map(tick_from)
    }

    /// When a key will be whole; `None` while it is.
    pub(crate) fn whole_at(&self, key: usize) -> Option<Moment> {
        self.keys.get(key)?.map(|recovery| recovery.whole_at)
    }

    /// Every key that is not whole.
    pub(crate) fn recovering(&self) -> impl Iterator<Item = usize> {
        (0..self.keys.len()).filter(|key| self.keys[*key].is_some())
    }

    /// A key served. True if that changes its score.
    pub(crate) fn succeeded(&mut self, key: usize, now: Moment) -> bool {
        let lacking = self.lacking(key, self.tick);
        if lacking > 0 {
            self.set_lacking(key, lacking.saturating_sub(PER_SUCCESS), now);
        }
        lacking > 0
    }

    /// A key failed. True if that changes its score.
    pub(crate) fn failed(&mut self, key: usize, now: Moment) -> bool {
        let lacking = self.lacking(key, self.tick);
        self.set_lacking(key, WHOLE.min(lacking + PER_FAILURE), now);
        lacking < WHOLE
    }

    /// Makes a key whole. True if it was not.
    pub(crate) fn forgive(&mut self, key: usize) -> bool {
        let Some(recovery) = self.keys.get_mut(key).and_then(Option::take) else { return false };
        self.count -= 1;
        let due = &mut self.due[place_of(tick_from(recovery.whole_at))];
        due.swap_remove(recovery.place);
        // Another one stands in its place now, if it was not the last.
        if let Some(moved) = due.get(recovery.place).and_then(|key| self.keys[*key].as_mut()) {
            moved.place = recovery.place;
        }
        true
    }

    /// What an earlier life knew of a key.
    pub(crate) fn remember(&mut self, key: usize, whole_at: Moment, now: Moment) {
        let lacking = tick_from(whole_at).saturating_sub(self.tick).min(WHOLE);
        self.set_lacking(key, lacking, now);
    }

    /// Lets time pass; the keys that are whole again.
    pub(crate) fn advance(&mut self, now: Moment) -> Vec<usize> {
        let tick = tick_at(now);
        let mut whole = Vec::new();
        if tick <= self.tick {
            return whole;
        }
        let first = self.tick + 1;
        self.tick = tick;
        if self.count == 0 {
            return whole;
        }
        for due in first..=tick.min(first + ROUND - 1) {
            whole.append(&mut self.due[place_of(due)]);
        }
        for key in &whole {
            self.keys[*key] = None;
        }
        self.count -= whole.len();
        whole
    }

    /// The same for keys that stand elsewhere by now.
    pub(crate) fn carried_over(self, moved: impl Fn(usize) -> Option<usize>) -> Self {
        let mut carried = Self { tick: self.tick, ..Self::default() };
        for (key, recovery) in self.keys.into_iter().enumerate() {
            if let (Some(recovery), Some(place)) = (recovery, moved(key)) {
                carried.note(place, recovery.whole_at);
            }
        }
        carried
    }

    fn lacking(&self, key: usize, tick: u64) -> u64 {
        self.whole_tick(key).map_or(0, |whole| whole.saturating_sub(tick).min(WHOLE))
    }

    fn set_lacking(&mut self, key: usize, lacking: u64, now: Moment) {
        self.forgive(key);
        if lacking == 0 {
            return;
        }
        let whole = Duration::from_secs((self.tick + lacking).saturating_mul(SECONDS_PER_POINT));
        let whole_at = now.after(whole.saturating_sub(now.mono));
        self.note(key, whole_at);
    }

    fn note(&mut self, key: usize, whole_at: Moment) {
        self.due.resize_with(ROUND as usize, Vec::new);
        if self.keys.len() <= key {
            self.keys.resize(key + 1, None);
        }
        let due = &mut self.due[place_of(tick_from(whole_at))];
        self.keys[key] = Some(Recovery { whole_at, place: due.len() });
        due.push(key);
        self.count += 1;
    }
}

fn place_of(tick: u64) -> usize {
    (tick % ROUND) as usize
}

fn tick_at(now: Moment) -> u64 {
    now.mono.as_secs() / SECONDS_PER_POINT
}

/// The first tick that does not lie before `at`.
fn tick_from(at: Moment) -> u64 {
    let seconds = at.mono.as_secs().saturating_add(u64::from(at.mono.subsec_nanos() > 0));
    seconds.div_ceil(SECONDS_PER_POINT)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use keygate_domain::Scope;
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Moment {
        let start = Moment { mono: Duration::ZERO, wall: Timestamp::from_second(1_000_000).unwrap() };
        start.after(Duration::from_millis(millis))
    }

    #[test]
    fn only_what_blames_key_group_or_a_timeout_counts() {
        for (fault, blamed) in [
            (Fault::RateLimited, true),
            (Fault::QuotaExhausted, true),
            (Fault::GroupBlocked, true),
            (Fault::KeyInvalid, true),
            (Fault::KeyForbidden, true),
            (Fault::Busy, true),
            (Fault::Timeout, true),
            (Fault::Overloaded, false),
            (Fault::ServerError, false),
            (Fault::Unreachable, false),
            (Fault::AffinityLost, false),
            (Fault::Caller, false),
            (Fault::Poison, false),
        ] {
            assert_eq!(is_blamed(&Failure::of(fault)), blamed, "{fault:?}");
        }
        let nobodys = Failure::of(Fault::RateLimited).at(Scope::Nothing);
        assert!(!is_blamed(&nobodys), "a 429 that names neither quota nor key is the provider's");
    }

    #[test]
    fn a_key_at_nothing_is_whole_after_ten_minutes_or_twenty_successes() {
        let mut health = Health::new(at(0));
        assert_eq!(health.points(3, at(0)), 100);
        for expected in [80, 60, 40, 20, 0, 0] {
            health.failed(3, at(0));
            assert_eq!(health.points(3, at(0)), expected);
        }
        assert_eq!(health.points(3, at(5_999)), 0);
        assert_eq!(health.points(3, at(6_000)), 1);
        assert_eq!(health.points(3, at(300_000)), 50);
        let mut served = health.clone();
        for _ in 0..20 {
            assert!(served.succeeded(3, at(0)));
        }
        assert_eq!((served.points(3, at(0)), served.whole_at(3)), (100, None));
        assert!(!served.succeeded(3, at(0)), "there is nothing above whole");
        assert!(health.advance(at(599_999)).is_empty());
        assert_eq!(health.advance(at(600_000)), [3]);
        assert_eq!(health.whole_at(3), None, "nothing is kept of a whole key");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Succeed(usize),
        Fail(usize),
        Wait(u64),
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0_usize..4).prop_map(Step::Succeed),
            3 => (0_usize..4).prop_map(Step::Fail),
            3 => (0_u64..90_000).prop_map(Step::Wait),
            1 => Just(Step::Restart),
        ]
    }

    proptest! {
        /// Against points that are counted up one by one.
        #[test]
        fn points_are_what_counting_gives(steps in prop::collection::vec(step(), 1..80)) {
            let (mut health, mut now) = (Health::new(at(0)), 0);
            let mut points = [100_u64; 4];
            for step in steps {
                match step {
                    Step::Succeed(key) => {
                        prop_assert_eq!(health.succeeded(key, at(now)), points[key] < 100);
                        points[key] = 100.min(points[key] + 5);
                    }
                    Step::Fail(key) => {
                        prop_assert_eq!(health.failed(key, at(now)), points[key] > 0);
                        points[key] = points[key].saturating_sub(20);
                    }
                    Step::Wait(millis) => {
                        let ticks = (now + millis) / 6_000 - now / 6_000;
                        now += millis;
                        points = points.map(|points| 100.min(points + ticks));
                        health.advance(at(now));
                    }
                    Step::Restart => {
                        let mut next = Health::new(at(now));
                        for key in health.recovering() {
                            next.remember(key, health.whole_at(key).unwrap(), at(now));
                        }
                        health = next;
                    }
                }
                for (key, points) in points.iter().enumerate() {
                    prop_assert_eq!(u64::from(health.points(key, at(now))), *points);
                    prop_assert_eq!(health.whole_at(key).is_none(), *points == 100);
                }
                let due: usize = health.due.iter().map(Vec::len).sum();
                prop_assert!(due == health.count && due == health.recovering().count());
            }
        }
    }
}
