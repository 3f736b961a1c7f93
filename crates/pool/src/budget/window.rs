//! What was used in the last minute, exactly.

use std::collections::VecDeque;
use std::time::Duration;

use super::amounts::{Amounts, Of};

/// The minute of every provider.
pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// Uses closer together than this are kept as one, as old as the latest of them: memory stays
/// bounded whatever the limit, and a use counts too long rather than too short.
const GRAIN: u64 = nanos(Duration::from_millis(100));

/// A log of amounts. Each counts from its own time until a minute and a margin later, so that no 60 s
/// hold more than the limit, wherever the provider lets its minutes begin.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct MinuteWindow {
    slots: VecDeque<Slot>,
    /// What all slots hold, those included that are over and not dropped yet.
    used: Amounts,
}

/// Times are nanoseconds of the monotonic clock: a slot is half as large, and compared in one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slot {
    first: u64,
    last: u64,
    amounts: Amounts,
}

impl MinuteWindow {
    /// No less than what counts: a look at this is enough where there is room even so.
    pub(super) fn at_most(&self) -> Amounts {
        self.used
    }

    /// The ends of the log, which counting looks at.
    pub(super) fn fetch(&self) -> impl Sized {
        [self.slots.front(), self.slots.back()].map(|slot| slot.map(|slot| slot.last))
    }

    /// What counts at `now`.
    pub(super) fn used(&self, now: Duration, margin: Duration) -> Amounts {
        let (now, length) = (nanos(now), length(margin));
        let over = self.slots.iter().take_while(|slot| slot.leaves(length) <= now);
        over.fold(self.used, |used, slot| used.minus(slot.amounts))
    }

    /// Counts `amounts` from `now` on.
    pub(super) fn add(&mut self, amounts: Amounts, now: Duration, margin: Duration) {
        let (now, length) = (nanos(now), length(margin));
        while let Some(slot) = self.slots.front().filter(|slot| slot.leaves(length) <= now) {
            self.used = self.used.minus(slot.amounts);
            self.slots.pop_front();
        }
        if amounts.is_nothing() {
            return;
        }
        self.used = self.used.plus(amounts);
        match self.slots.back_mut() {
            Some(slot) if now.saturating_sub(slot.first) < GRAIN => {
                slot.amounts = slot.amounts.plus(amounts);
                slot.last = slot.last.max(now);
            }
            Some(_) | None => self.slots.push_back(Slot { first: now, last: now, amounts }),
        }
    }

    /// What was counted as `was` at `at` turned out to be `is`. What no longer counts stays so.
    pub(super) fn correct(&mut self, at: Duration, was: Amounts, is: Amounts) {
        if was == is {
            return;
        }
        let at = nanos(at);
        // What ends began lately, more often than not.
        let found = self.slots.iter_mut().rev().find(|slot| slot.first <= at && at <= slot.last);
        match found {
            Some(slot) => {
                let before = slot.amounts;
                slot.amounts = slot.amounts.plus(is).less(was);
                self.used = self.used.plus(slot.amounts).minus(before);
            }
            // Counted as nothing, so there is no slot of that time yet.
            None if was.is_nothing() => self.insert(at, is),
            None => {}
        }
    }

    fn insert(&mut self, at: u64, amounts: Amounts) {
        let place = self.slots.partition_point(|slot| slot.first < at);
        self.slots.insert(place, Slot { first: at, last: at, amounts });
        self.used = self.used.plus(amounts);
    }

    /// A window in which so much of one kind was used, and when.
    pub(super) fn of(of: Of, entries: impl Iterator<Item = (Duration, u64)>) -> Self {
        let mut window = Self::default();
        for (at, amount) in entries {
            // Nothing is dropped by that: nobody's clock has come as far as a margin of all time.
            window.add(Amounts::only(of, amount), at, Duration::MAX);
        }
        window
    }

    /// Counts what another window counted.
    pub(super) fn absorb(&mut self, other: Self) {
        let Self { slots, used } = other;
        self.slots.extend(slots);
        // By when they leave: that is how they are let go.
        self.slots.make_contiguous().sort_by_key(|slot| (slot.last, slot.first));
        self.slots = std::mem::take(&mut self.slots).into_iter().fold(VecDeque::new(), joined);
        self.used = self.used.plus(used);
    }

    /// From when on `amount` more stays within `limit`. More than the limit fits when nothing else
    /// counts: estimates may be wrong, and only the provider knows.
    pub(super) fn free_from(
        &self,
        of: Of,
        amount: u64,
        limit: u64,
        now: Duration,
        margin: Duration,
    ) -> Duration {
        let mut used = self.used.get(of);
        // Most windows have room even for what they hold no longer: no need to look at that.
        if used.saturating_add(amount) <= limit {
            return now;
        }
        let (start, length) = (nanos(now), length(margin));
        let mut free = start;
        for slot in &self.slots {
            let is_over = slot.leaves(length) <= start;
            if !is_over && (used == 0 || used.saturating_add(amount) <= limit) {
                break;
            }
            if slot.amounts.get(of) > 0 {
                used -= slot.amounts.get(of);
                free = free.max(slot.leaves(length));
            }
        }
        if free == start { now } else { Duration::from_nanos(free) }
    }

    /// When the first that still counts stops counting.
    pub(super) fn next_leave(&self, of: Of, now: Duration, margin: Duration) -> Option<Duration> {
        let (now, length) = (nanos(now), length(margin));
        let counted = self.slots.iter().filter(|slot| slot.amounts.get(of) > 0);
        let next = counted.map(|slot| slot.leaves(length)).find(|leaves| *leaves > now);
        next.map(Duration::from_nanos)
    }

    /// When nothing counts any more.
    pub(super) fn empty_from(&self, of: Of, margin: Duration) -> Option<Duration> {
        let last = self.slots.iter().rev().find(|slot| slot.amounts.get(of) > 0)?;
        Some(Duration::from_nanos(last.leaves(length(margin))))
    }

    /// Every amount of one kind and its time, oldest first.
    pub(super) fn entries(&self, of: Of) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let entries = self.slots.iter().map(move |slot| (slot.last, slot.amounts.get(of)));
        entries.filter(|(_, amount)| *amount > 0).map(|(at, amount)| (Duration::from_nanos(at), amount))
    }
}

impl Slot {
    fn leaves(&self, length: u64) -> u64 {
        self.last.saturating_add(length)
    }
}

/// One slot more behind those that leave earlier; requests and tokens of one time may have been kept apart.
fn joined(mut slots: VecDeque<Slot>, next: Slot) -> VecDeque<Slot> {
    match slots.back_mut() {
        Some(slot) if (slot.first, slot.last) == (next.first, next.last) => {
            slot.amounts = slot.amounts.plus(next.amounts);
        }
        Some(_) | None => slots.push_back(next),
    }
    slots
}

/// For how long a use counts.
fn length(margin: Duration) -> u64 {
    nanos(MINUTE).saturating_add(nanos(margin))
}

/// Enough for 584 years since the clock's origin.
const fn nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(time.subsec_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARGIN: Duration = Duration::from_millis(500);

    fn requests(amount: u64) -> Amounts {
        Amounts::only(Of::Requests, amount)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    proptest! {
        /// The provider may count any 60 s; clocks may differ by as much as the margin.
        #[test]
        fn no_minute_holds_more_than_the_limit(
            gaps in prop::collection::vec((0_u64..20_000, 1_u64..4), 1..200),
            limit in 4_u64..30,
        ) {
            let mut window = MinuteWindow::default();
            let mut now = ms(1_000);
            let mut admitted: Vec<(Duration, u64)> = Vec::new();
            for (gap, amount) in gaps {
                now += ms(gap / 7);
                let free = window.free_from(Of::Requests, amount, limit, now, MARGIN);
                let would = window.used(now, MARGIN).requests + amount <= limit;
                prop_assert_eq!(free == now, would, "free from says what used says");
                if free == now {
                    window.add(requests(amount), now, MARGIN);
                    admitted.push((now, amount));
                } else {
                    prop_assert!(window.used(free, MARGIN).requests + amount <= limit, "the promise is kept");
                    prop_assert!(free <= now + MINUTE + MARGIN);
                }
                let recent = admitted.iter().filter(|(at, _)| now.saturating_sub(*at) < MINUTE + MARGIN);
                prop_assert!(recent.map(|(_, amount)| amount).sum::<u64>() <= limit);
            }
        }
    }

    #[test]
    fn a_correction_counts_where_the_use_was_counted() {
        let mut window = MinuteWindow::default();
        window.add(requests(100), ms(0), MARGIN);
        window.add(requests(50), ms(5_000), MARGIN);
        window.correct(ms(0), requests(100), requests(20));
        assert_eq!(window.used(ms(6_000), MARGIN).requests, 70);
        assert_eq!(window.used(ms(60_500), MARGIN).requests, 50, "the rest of the first leaves with it");
        window.correct(ms(0), requests(20), requests(9_000));
        window.add(requests(0), ms(61_000), MARGIN);
        window.correct(ms(0), requests(20), requests(9_000));
        assert_eq!(window.used(ms(61_000), MARGIN).requests, 50, "what left does not come back");
        window.correct(ms(7_000), requests(0), requests(5));
        assert_eq!(window.used(ms(61_000), MARGIN).requests, 55);
    }

    #[test]
    fn what_is_larger_than_the_limit_fits_an_empty_window() {
        let mut window = MinuteWindow::default();
        assert_eq!(window.free_from(Of::Requests, 1_000, 10, ms(7), MARGIN), ms(7));
        window.add(requests(1), ms(7), MARGIN);
        assert_eq!(window.free_from(Of::Requests, 1_000, 10, ms(8), MARGIN), ms(60_507));
    }

    #[test]
    fn memory_is_bounded_whatever_the_limit() {
        let mut window = MinuteWindow::default();
        for at in 0..200_000 {
            window.add(requests(1), ms(at), MARGIN);
        }
        assert!(window.slots.len() <= 606, "{}", window.slots.len());
        assert_eq!(window.used(ms(200_000), MARGIN).requests, 60_500);
    }

    #[test]
    fn requests_and_tokens_are_counted_side_by_side_and_apart() {
        let both = |requests, tokens| Amounts { requests, tokens };
        let mut window = MinuteWindow::default();
        window.add(both(1, 0), ms(0), MARGIN);
        window.add(both(1, 50), ms(5_000), MARGIN);
        window.correct(ms(0), both(1, 0), both(1, 7));
        assert_eq!(window.used(ms(6_000), MARGIN), both(2, 57));
        window.correct(ms(0), both(1, 7), both(1, 0));
        assert_eq!(window.next_leave(Of::Tokens, ms(6_000), MARGIN), Some(ms(65_500)), "none at first");
        assert_eq!(window.next_leave(Of::Requests, ms(6_000), MARGIN), Some(ms(60_500)));
        assert_eq!(window.free_from(Of::Tokens, 60, 100, ms(6_000), MARGIN), ms(65_500));
        window.correct(ms(5_000), both(1, 50), both(0, 50));
        assert_eq!(window.empty_from(Of::Requests, MARGIN), Some(ms(60_500)));
        let restored = |of| MinuteWindow::of(of, window.entries(of));
        let mut joined = restored(Of::Requests);
        joined.absorb(restored(Of::Tokens));
        assert_eq!(joined, window, "as it was, kept kind by kind");
    }
}
