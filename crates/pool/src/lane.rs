//! Lanes: which keys are usable for which kind of ask, kept ready so that a choice never has to
//! look at the keys that are not.
//!
//! Most asks share one lane, on which a key is missing only when it, or its group, is out as a
//! whole. When some bucket, operation or the opening of sessions rests somewhere, and for a while
//! after, asks that could meet such a rest have a lane of their own, and so an order of turns of
//! their own: one exhausted model does not disturb the shares of the others.

use std::borrow::Cow;

use keygate_domain::{BucketName, Spend};

use crate::Strategy;
use crate::key::Key;
use crate::key_set::KeySet;
use crate::order::Order;
use crate::resting::RestingParts;
use crate::standing::{Part, Wish};
use crate::strategy::Turns;

/// What a lane's asks could meet besides whole keys and groups that rest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct LaneScope {
    pub(crate) bucket: Option<BucketName>,
    pub(crate) operation: Option<Cow<'static, str>>,
    pub(crate) opens_session: bool,
}

impl LaneScope {
    /// What all asks of the lane have in common.
    pub(crate) fn wish(&self) -> Wish<'_> {
        Wish {
            operation: self.operation.as_deref(),
            bucket: self.bucket.as_ref().map(BucketName::as_str),
            opens_session: self.opens_session,
            spend: Spend::default(),
        }
    }
}

/// The usable keys of one kind of ask, and whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) usable: KeySet,
    pub(crate) turns: Turns,
    last_used: u64,
}

impl Lane {
    fn set_usable(&mut self, key: usize, usable: bool) {
        if self.usable.set(key, usable) {
            self.turns.set_usable(key, usable);
        }
    }
}

/// Where a lane is kept until another one is opened or closed; none for that of all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LanePlace(Option<usize>);

/// All lanes.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    common: Lane,
    special: Vec<(LaneScope, Lane)>,
    clock: u64,
    /// The turns taken in all lanes.
    taken: u64,
}

impl Lanes {
    /// Most lanes kept besides the common one; a further one replaces the one used longest ago.
    const MOST: usize = 64;

    /// Lanes of keys that are all usable, fresh and well. What is left to chance follows from `seed`.
    pub(crate) fn new(strategy: Strategy, keys: &[Key], seed: u64) -> Self {
        let turns = Turns::new(strategy, keys, seed);
        let mut common = Lane { usable: KeySet::new(keys.len()), turns, last_used: 0 };
        (0..keys.len()).for_each(|key| common.set_usable(key, true));
        Self { common, special: Vec::new(), clock: 0, taken: 0 }
    }

    /// Goes on with the order of use of earlier lanes, where both have one.
    pub(crate) fn carry_over(&mut self, earlier: &Self, moved: impl Fn(usize) -> Option<usize>) {
        let Self { common, special: _, clock: _, taken } = earlier;
        self.taken = *taken;
        self.common.turns.carry_over(&common.turns, moved);
    }

    /// Makes sure that the lane of `scope` exists. If it has to be made, `out` names the keys of
    /// which a part rests that its asks could meet.
    pub(crate) fn open<K: IntoIterator<Item = usize>>(
        &mut self,
        scope: &LaneScope,
        out: impl FnOnce() -> K,
    ) -> LanePlace {
        if *scope == LaneScope::default() {
            return LanePlace(None);
        }
        self.clock += 1;
        let place = self.place_of(scope).unwrap_or_else(|| {
            self.make_room();
            self.special.push((scope.clone(), self.common_without(out())));
            self.special.len() - 1
        });
        self.special[place].1.last_used = self.clock;
        LanePlace(Some(place))
    }

    fn place_of(&self, scope: &LaneScope) -> Option<usize> {
        self.special.iter().position(|(known, _)| known == scope)
    }

    /// The lane of `scope`, as it would be made if there is none yet: for looking only.
    pub(crate) fn lane_as_if_open<K: IntoIterator<Item = usize>>(
        &self,
        scope: &LaneScope,
        out: impl FnOnce() -> K,
    ) -> Cow<'_, Lane> {
        if *scope == LaneScope::default() {
            return Cow::Borrowed(&self.common);
        }
        let known = self.place_of(scope);
        known.map_or_else(|| Cow::Owned(self.common_without(out())), |at| Cow::Borrowed(&self.special[at].1))
    }

    fn common_without(&self, out: impl IntoIterator<Item = usize>) -> Lane {
        let mut lane = self.common.clone();
        out.into_iter().for_each(|key| lane.set_usable(key, false));
        lane
    }

    fn make_room(&mut self) {
        if self.special.len() < Self::MOST {
            return;
        }
        let oldest = (0..self.special.len()).min_by_key(|place| self.special[*place].1.last_used);
        oldest.map(|place| self.special.swap_remove(place));
    }

    /// The lane that was opened last, or that of all.
    pub(crate) fn lane(&self, place: LanePlace) -> &Lane {
        place.0.map_or(&self.common, |place| &self.special[place].1)
    }

    /// A key had its turn.
    pub(crate) fn took(&mut self, place: LanePlace, key: usize, free: bool) {
        let lane = place.0.map_or(&mut self.common, |place| &mut self.special[place].1);
        lane.turns.took(key, free);
        self.taken += 1;
        let number = self.taken;
        self.each().for_each(|lane| lane.turns.leased(key, number));
    }

    /// The order of the keys begins elsewhere: with `lead`, and per role as `order` says.
    pub(crate) fn start_at(&mut self, order: Order, lead: usize) {
        self.each().for_each(|lane| lane.turns.start_at(order, lead));
    }

    /// A key's health changed: it will be whole at `whole_tick`, if it is not.
    pub(crate) fn set_whole_tick(&mut self, key: usize, whole_tick: Option<u64>) {
        self.each().for_each(|lane| lane.turns.set_whole_tick(key, whole_tick, lane.usable.contains(key)));
    }

    /// Time passed, in points of health. Keys that became whole have to be told before.
    pub(crate) fn set_tick(&mut self, tick: u64) {
        self.each().for_each(|lane| lane.turns.set_tick(tick));
    }

    /// What is left of a key's budget until its reset, in parts per million of it, changed.
    pub(crate) fn set_headroom(&mut self, key: usize, parts_per_million: u32) {
        self.each().for_each(|lane| lane.turns.set_headroom(key, parts_per_million));
    }

    fn each(&mut self) -> impl Iterator<Item = &mut Lane> {
        std::iter::once(&mut self.common).chain(self.special.iter_mut().map(|(_, lane)| lane))
    }

    /// A part of these keys began or stopped resting: asks anew whether they are usable.
    pub(crate) fn refresh(
        &mut self,
        part: &Part,
        keys: &[usize],
        is_usable: impl Fn(usize, &Wish<'_>) -> bool,
    ) {
        if *part == Part::Whole {
            let wish = LaneScope::default();
            for key in keys {
                self.common.set_usable(*key, is_usable(*key, &wish.wish()));
            }
        }
        for (scope, lane) in &mut self.special {
            if part.concerns(&scope.wish()) {
                for key in keys {
                    lane.set_usable(*key, is_usable(*key, &scope.wish()));
                }
            }
        }
    }

    /// Closes lanes whose asks cannot meet a rest of their own any more.
    pub(crate) fn close_empty(&mut self, resting: &RestingParts) {
        self.special.retain(|(scope, _)| resting.still_has(scope));
    }

    /// Every lane, for the invariants.
    pub(crate) fn all(&self) -> impl Iterator<Item = (LaneScope, &KeySet)> {
        let common = std::iter::once((LaneScope::default(), &self.common.usable));
        common.chain(self.special.iter().map(|(scope, lane)| (scope.clone(), &lane.usable)))
    }
}
