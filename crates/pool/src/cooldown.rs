//! How long what failed rests.

use std::borrow::Cow;
use std::time::Duration;

use keygate_domain::{Fault, Hint, Moment};

use crate::{Cooldowns, calendar};

/// One sentence for operators: a constant of an adapter, or text read back from storage.
pub(crate) type Reason = Cow<'static, str>;

/// A rest: running, or over and remembered because the next one may have to be longer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rest {
    /// Until when; only ever moves later (KP-4).
    pub(crate) until: Moment,
    /// Since when.
    pub(crate) since: Moment,
    /// The fault that set `until`.
    pub(crate) fault: Fault,
    /// Its reason.
    pub(crate) reason: Reason,
    /// Whether all of it was put for answers that name no quota and no key: it ends when they
    /// turn out to be the provider's.
    pub(crate) may_be_providers: bool,
    /// How often the length was doubled.
    pub(crate) level: u32,
    /// How often the next rest's length will be; a success sets it back.
    pub(crate) next_level: u32,
    /// The first lease that was granted after the rest began: what earlier ones report belongs
    /// to the same incident, neither news of a failure nor of a recovery.
    pub(crate) first_lease_after: u64,
    /// Whether its end was noticed.
    pub(crate) over: bool,
}

impl Rest {
    /// Whether it forbids use at `now`.
    pub(crate) fn is_running(&self, now: Moment) -> bool {
        self.until > now
    }

    /// When something has to be done about it: its end, and once over, its forgetting.
    pub(crate) fn due(&self) -> Moment {
        if self.over { self.forgotten_at() } else { self.until }
    }

    /// A fault that has not come back for as long as the rest was, and for an hour, is no
    /// repetition any more.
    pub(crate) fn forgotten_at(&self) -> Moment {
        let length = self.since.until(self.until);
        self.until.after(length.max(Duration::from_hours(1)))
    }

    /// The level of the rest that a failure of `lease` causes.
    pub(crate) fn level_after(&self, lease: u64) -> u32 {
        if lease >= self.first_lease_after { self.next_level } else { self.level }
    }

    /// Takes a newer rest in: the later end wins, and what set it is what is shown.
    pub(crate) fn absorb(&mut self, newer: Self, now: Moment) {
        let since = if self.is_running(now) { self.since } else { newer.since };
        let may_be_providers = newer.may_be_providers && (self.may_be_providers || !self.is_running(now));
        if newer.until >= self.until {
            *self = newer;
        } else {
            self.level = newer.level;
            self.next_level = newer.next_level;
            self.first_lease_after = newer.first_lease_after;
        }
        self.since = since;
        self.may_be_providers = may_be_providers;
        self.over = false;
    }
}

/// How long nobody is sent to a provider in trouble: doubling from its own delay, else from the
/// operator's, up to the operator's longest.
pub(crate) fn until_probed(
    hint: &Hint,
    level: u32,
    cooldowns: &Cooldowns,
    jitter: &mut Jitter,
    now: Moment,
) -> Moment {
    let waits = cooldowns.overloaded;
    let hint = Hint {
        retry_after: Some(hint.retry_after.unwrap_or(waits.at_least)),
        doubles_up_to: Some(waits.at_most),
        ..Hint::default()
    };
    until(Fault::Overloaded, &hint, level, cooldowns, jitter, now)
}

/// Until when a fault makes its scope rest: the provider's calendar, else the provider's delay,
/// else the operator's default; doubled where the provider's rules say so; never nothing (KP-5).
pub(crate) fn until(
    fault: Fault,
    hint: &Hint,
    level: u32,
    cooldowns: &Cooldowns,
    jitter: &mut Jitter,
    now: Moment,
) -> Moment {
    if let Some(reset) = hint.resets.and_then(|reset| calendar::next(reset, now)) {
        return reset;
    }
    let base = hint.retry_after.unwrap_or_else(|| cooldowns.usual(fault)).max(SHORTEST);
    let length = hint.doubles_up_to.map_or(base, |cap| doubled(base, level).min(cap.max(base)));
    now.after(length.saturating_add(jitter.part_of(length)))
}

const SHORTEST: Duration = Duration::from_millis(1);

/// A span after so many doublings.
pub(crate) fn doubled(base: Duration, level: u32) -> Duration {
    base.saturating_mul(1_u32.checked_shl(level).unwrap_or(u32::MAX))
}

impl Cooldowns {
    /// The rest after a fault whose answer names no time.
    pub(crate) fn usual(&self, fault: Fault) -> Duration {
        match fault {
            Fault::QuotaExhausted => self.quota_exhausted,
            Fault::GroupBlocked => self.group_blocked,
            Fault::KeyForbidden | Fault::KeyInvalid => self.key_forbidden,
            Fault::Busy => self.busy,
            Fault::RateLimited
            | Fault::Overloaded
            | Fault::ServerError
            | Fault::Timeout
            | Fault::Unreachable
            | Fault::AffinityLost
            | Fault::Caller
            | Fault::Poison => self.rate_limited,
        }
    }
}

/// Spreads the ends of rests so that keys do not return all at once. Only ever adds: a
/// provider's own delay is never undercut. Drawn from the pool's seed, hence repeatable.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Up to a tenth of `length`.
    pub(crate) fn part_of(&mut self, length: Duration) -> Duration {
        let tenth = length / 10;
        // 32 random bits are finer than anybody's clock for the lengths that occur.
        tenth.mul_f64(f64::from((self.draw() >> 32) as u32) / f64::from(u32::MAX)).min(tenth)
    }

    /// The draws of one choice: the same until [`Jitter::draw`] moves on, and none of them come
    /// again in the next choice.
    pub(crate) fn of_one_choice(&self) -> Self {
        Self(self.clone().draw())
    }

    /// Draws that differ from key to key.
    pub(crate) fn of_key(&self, key: usize) -> Self {
        Self(Self(self.0 ^ key as u64).draw())
    }

    /// A number below `end`. What the product leaves of evenness is nothing to anybody: one part
    /// in 2⁶⁴ for each number.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(end)) >> 64) as u64
    }

    /// A fraction above 0 and at most 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        ((self.draw() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// `SplitMix64`, by Vigna.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use keygate_domain::Reset;

    use super::*;

    fn now() -> Moment {
        Moment { mono: Duration::from_secs(1), wall: "2026-07-01T12:00:00Z".parse().unwrap() }
    }

    fn seconds(fault: Fault, hint: &Hint, level: u32, seed: u64) -> f64 {
        let until = until(fault, hint, level, &Cooldowns::default(), &mut Jitter::new(seed), now());
        now().until(until).as_secs_f64()
    }

    #[test]
    fn jitter_adds_up_to_a_tenth_and_never_takes() {
        let hint = Hint { retry_after: Some(Duration::from_secs(40)), ..Hint::default() };
        let all: Vec<f64> = (0..500).map(|seed| seconds(Fault::RateLimited, &hint, 0, seed)).collect();
        assert!(all.iter().all(|length| (40.0..=44.0).contains(length)));
        let spread = all.iter().copied().fold(0.0, f64::max) - all.iter().copied().fold(f64::MAX, f64::min);
        assert!(spread > 3.5, "spread over {spread} s only");
    }

    #[test]
    fn faults_without_a_hint_rest_for_the_operators_default() {
        for (fault, expected) in [
            (Fault::RateLimited, 60.0),
            (Fault::QuotaExhausted, 3600.0),
            (Fault::GroupBlocked, 3600.0),
            (Fault::KeyForbidden, 600.0),
            (Fault::Busy, 10.0),
        ] {
            let length = seconds(fault, &Hint::default(), 3, 7);
            assert!((expected..=expected * 1.1).contains(&length), "{fault:?}: {length}");
        }
    }

    #[test]
    fn doubling_stops_at_the_cap() {
        let hint = Hint {
            retry_after: Some(Duration::from_secs(5)),
            doubles_up_to: Some(Duration::from_mins(2)),
            ..Hint::default()
        };
        for (level, expected) in [(0, 5.0), (1, 10.0), (2, 20.0), (5, 120.0), (31, 120.0), (4000, 120.0)] {
            let length = seconds(Fault::RateLimited, &hint, level, 7);
            assert!((expected..=expected * 1.1).contains(&length), "level {level}: {length}");
        }
    }

    #[test]
    fn the_calendar_beats_the_delay_and_has_no_jitter() {
        let hint = Hint {
            retry_after: Some(Duration::from_secs(1)),
            resets: Some(Reset::Midnight("America/Los_Angeles")),
            ..Hint::default()
        };
        for seed in 0..20 {
            let at =
                until(Fault::QuotaExhausted, &hint, 0, &Cooldowns::default(), &mut Jitter::new(seed), now());
            assert_eq!(at.wall, "2026-07-02T07:00:00Z".parse::<Timestamp>().unwrap());
        }
    }

    #[test]
    fn a_delay_of_nothing_is_still_a_rest() {
        let hint = Hint { retry_after: Some(Duration::ZERO), ..Hint::default() };
        assert!(seconds(Fault::RateLimited, &hint, 0, 1) >= 0.001);
    }
}
