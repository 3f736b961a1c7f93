//! What was used in the last minute, exactly.

use std::collections::VecDeque;
use std::time::Duration;

/// The minute of every provider.
pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// Uses closer together than this are kept as one, as old as the latest of them: memory stays
/// bounded whatever the limit, and a use counts too long rather than too short.
const GRAIN: Duration = Duration::from_millis(100);

/// A log of amounts. Each counts from its own time until a minute and a margin later, so that no 60 s
/// hold more than the limit, wherever the provider lets its minutes begin.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct MinuteWindow {
    slots: VecDeque<Slot>,
    used: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slot {
    first: Duration,
    last: Duration,
    amount: u64,
}

impl MinuteWindow {
    /// What counts at `now`.
    pub(super) fn used(&self, now: Duration, margin: Duration) -> u64 {
        let over = self.slots.iter().take_while(|slot| leaves(slot, margin) <= now);
        self.used - over.map(|slot| slot.amount).sum::<u64>()
    }

    /// Counts `amount` from `now` on.
    pub(super) fn add(&mut self, amount: u64, now: Duration, margin: Duration) {
        while self.slots.front().is_some_and(|slot| leaves(slot, margin) <= now) {
            self.used -= self.slots.pop_front().map_or(0, |slot| slot.amount);
        }
        if amount == 0 {
            return;
        }
        self.used += amount;
        match self.slots.back_mut() {
            Some(slot) if now.saturating_sub(slot.first) < GRAIN => {
                slot.amount += amount;
                slot.last = slot.last.max(now);
            }
            Some(_) | None => self.slots.push_back(Slot { first: now, last: now, amount }),
        }
    }

    /// What was counted as `was` at `at` turned out to be `is`. What no longer counts stays so.
    pub(super) fn correct(&mut self, at: Duration, was: u64, is: u64) {
        // What ends began lately, more often than not.
        let found = self.slots.iter_mut().rev().find(|slot| slot.first <= at && at <= slot.last);
        match found {
            Some(slot) => {
                let before = slot.amount;
                slot.amount = (slot.amount + is).saturating_sub(was);
                self.used = self.used + slot.amount - before;
            }
            // Counted as nothing, so there is no slot of that time yet.
            None if was == 0 && is > 0 => self.insert(at, is),
            None => {}
        }
    }

    fn insert(&mut self, at: Duration, amount: u64) {
        let place = self.slots.partition_point(|slot| slot.first < at);
        self.slots.insert(place, Slot { first: at, last: at, amount });
        self.used += amount;
    }

    /// Counts what another window counted.
    pub(super) fn absorb(&mut self, other: Self) {
        let Self { slots, used } = other;
        self.slots.extend(slots);
        // By when they leave: that is how they are let go.
        self.slots.make_contiguous().sort_by_key(|slot| (slot.last, slot.first));
        self.used += used;
    }

    /// From when on `amount` more stays within `limit`. More than the limit fits when nothing else
    /// counts: estimates may be wrong, and only the provider knows.
    pub(super) fn free_from(&self, amount: u64, limit: u64, now: Duration, margin: Duration) -> Duration {
        // Most windows have room even for what they hold no longer: no need to look at that.
        if self.used.saturating_add(amount) <= limit {
            return now;
        }
        let mut used = self.used;
        let mut free = now;
        for slot in &self.slots {
            let is_over = leaves(slot, margin) <= now;
            if !is_over && (used == 0 || used.saturating_add(amount) <= limit) {
                break;
            }
            used -= slot.amount;
            free = free.max(leaves(slot, margin));
        }
        free
    }

    /// When the first that still counts stops counting.
    pub(super) fn next_leave(&self, now: Duration, margin: Duration) -> Option<Duration> {
        self.slots.iter().map(|slot| leaves(slot, margin)).find(|leaves| *leaves > now)
    }

    /// When nothing counts any more.
    pub(super) fn empty_from(&self, margin: Duration) -> Option<Duration> {
        self.slots.back().map(|slot| leaves(slot, margin))
    }

    /// Every amount and its time, oldest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.slots.iter().map(|slot| (slot.last, slot.amount))
    }
}

fn leaves(slot: &Slot, margin: Duration) -> Duration {
    slot.last.saturating_add(MINUTE).saturating_add(margin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARGIN: Duration = Duration::from_millis(500);

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
                let free = window.free_from(amount, limit, now, MARGIN);
                let would = window.used(now, MARGIN) + amount <= limit;
                prop_assert_eq!(free == now, would, "free from says what used says");
                if free == now {
                    window.add(amount, now, MARGIN);
                    admitted.push((now, amount));
                } else {
                    prop_assert!(window.used(free, MARGIN) + amount <= limit, "the promise is kept");
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
        window.add(100, ms(0), MARGIN);
        window.add(50, ms(5_000), MARGIN);
        window.correct(ms(0), 100, 20);
        assert_eq!(window.used(ms(6_000), MARGIN), 70);
        assert_eq!(window.used(ms(60_500), MARGIN), 50, "the rest of the first leaves with it");
        window.correct(ms(0), 20, 9_000);
        window.add(0, ms(61_000), MARGIN);
        window.correct(ms(0), 20, 9_000);
        assert_eq!(window.used(ms(61_000), MARGIN), 50, "what left does not come back");
        window.correct(ms(7_000), 0, 5);
        assert_eq!(window.used(ms(61_000), MARGIN), 55);
    }

    #[test]
    fn what_is_larger_than_the_limit_fits_an_empty_window() {
        let mut window = MinuteWindow::default();
        assert_eq!(window.free_from(1_000, 10, ms(7), MARGIN), ms(7));
        window.add(1, ms(7), MARGIN);
        assert_eq!(window.free_from(1_000, 10, ms(8), MARGIN), ms(60_507));
    }

    #[test]
    fn memory_is_bounded_whatever_the_limit() {
        let mut window = MinuteWindow::default();
        for at in 0..200_000 {
            window.add(1, ms(at), MARGIN);
        }
        assert!(window.slots.len() <= 606, "{}", window.slots.len());
        assert_eq!(window.used(ms(200_000), MARGIN), 60_500);
    }
}
