//! What a key, or a group, may be used for: whether it is disabled, and what of it rests.

use std::borrow::Cow;

use keygate_domain::{BucketName, Fault, Metric, Moment, Spend};

use crate::budget::Stop;
use crate::cooldown::{Reason, Rest};

/// The part of a key or group that rests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// One operation.
    Operation(Cow<'static, str>),
    /// One counter of one quota bucket.
    Bucket(BucketName, Metric),
    /// One budget of one quota bucket: not failed, but used.
    Budget(BucketName, Metric),
    /// The opening of sessions.
    Sessions,
}

/// What somebody wants to use a key for. What is `None` is known to rest nowhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) operation: Option<&'a str>,
    pub(crate) bucket: Option<&'a str>,
    pub(crate) opens_session: bool,
    /// What it will draw from budgets; nothing for what all asks of a kind have in common.
    pub(crate) spend: Spend,
}

impl Part {
    /// Whether a rest of this part stands in the way of `wish`.
    pub(crate) fn concerns(&self, wish: &Wish<'_>) -> bool {
        match self {
            Self::Whole => true,
            Self::Operation(operation) => wish.operation == Some(&**operation),
            Self::Bucket(bucket, _) | Self::Budget(bucket, _) => wish.bucket == Some(bucket.as_str()),
            Self::Sessions => wish.opens_session,
        }
    }

    /// Whether it stands in the way of whatever counts in `bucket`.
    pub(crate) fn is_of_bucket(&self, bucket: &BucketName) -> bool {
        let (bucket, spend) = (Some(bucket.as_str()), Spend::default());
        self.concerns(&Wish { operation: None, bucket, opens_session: false, spend })
    }

    /// The use that rests, for a bucket or for sessions.
    pub(crate) fn as_wish(&self) -> Option<Wish<'_>> {
        let nothing = Wish { operation: None, bucket: None, opens_session: false, spend: Spend::default() };
        match self {
            Self::Bucket(bucket, _) | Self::Budget(bucket, _) => {
                Some(Wish { bucket: Some(bucket.as_str()), ..nothing })
            }
            Self::Sessions => Some(Wish { opens_session: true, ..nothing }),
            Self::Whole | Self::Operation(_) => None,
        }
    }

    /// The counter that is full, where it is a bucket that rests.
    pub(crate) fn metric(&self) -> Metric {
        match self {
            Self::Bucket(_, metric) | Self::Budget(_, metric) => *metric,
            Self::Sessions => Metric::Concurrent,
            Self::Whole | Self::Operation(_) => Metric::Unnamed,
        }
    }
}

/// Out until somebody brings it back (KP-7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Disabled {
    /// Why; `None` when an operator took it out.
    pub(crate) fault: Option<Fault>,
    pub(crate) reason: Reason,
    pub(crate) since: Moment,
}

/// What stands in the way of a use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Block<'a> {
    Disabled(&'a Disabled),
    Resting(&'a Part, &'a Rest),
    /// The budget has room, but not for this much.
    Spent(Stop),
}

impl Block<'_> {
    /// When it ends by itself.
    pub(crate) fn until(&self) -> Option<Moment> {
        match self {
            Self::Disabled(_) => None,
            Self::Resting(_, rest) => Some(rest.until),
            Self::Spent(stop) => Some(stop.until),
        }
    }

    /// Whether this one lasts longer than `other`.
    pub(crate) fn outlasts(&self, other: &Self) -> bool {
        match (self.until(), other.until()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => mine >= theirs,
        }
    }
}

/// Whether a key or group is disabled, and what of it rests or rested lately.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Standing {
    /// Apart, because nearly none is, and every lease looks at what stands beside it.
    pub(crate) disabled: Option<Box<Disabled>>,
    rests: Vec<(Part, Rest)>,
}

impl Standing {
    /// Most rests kept apart. One more makes the whole rest: too careful, but bounded.
    pub(crate) const MOST: usize = 256;

    /// What stands in the way of `wish` longest.
    pub(crate) fn block(&self, wish: &Wish<'_>, now: Moment) -> Option<Block<'_>> {
        if let Some(disabled) = &self.disabled {
            return Some(Block::Disabled(disabled));
        }
        self.running(now)
            .filter(|(part, _)| part.concerns(wish))
            .max_by_key(|(_, rest)| rest.until)
            .map(|(part, rest)| Block::Resting(part, rest))
    }

    /// Everything that rests.
    pub(crate) fn running(&self, now: Moment) -> impl Iterator<Item = (&Part, &Rest)> {
        self.rests.iter().map(|(part, rest)| (part, rest)).filter(move |(_, rest)| rest.is_running(now))
    }

    /// Whether nothing stands in the way of `wish` but rests that are `forgiven`.
    pub(crate) fn is_free_but_for(
        &self,
        wish: &Wish<'_>,
        now: Moment,
        forgiven: impl Fn(&Rest) -> bool,
    ) -> bool {
        let mut running = self.running(now);
        self.disabled.is_none() && running.all(|(part, rest)| !part.concerns(wish) || forgiven(rest))
    }

    /// Everything that rests or rested lately.
    pub(crate) fn remembered(&self) -> impl Iterator<Item = (&Part, &Rest)> {
        self.rests.iter().map(|(part, rest)| (part, rest))
    }

    /// Whether a rest in the way of `wish` was running after `since` and is over.
    pub(crate) fn rested_since(&self, wish: &Wish<'_>, since: Moment, now: Moment) -> bool {
        self.rests
            .iter()
            .any(|(part, rest)| rest.until > since && !rest.is_running(now) && part.concerns(wish))
    }

    /// The rest of `part`, if there is or lately was one.
    pub(crate) fn rest(&self, part: &Part) -> Option<&Rest> {
        self.rests.iter().find(|(at, _)| at == part).map(|(_, rest)| rest)
    }

    pub(crate) fn rest_mut(&mut self, part: &Part) -> Option<&mut Rest> {
        self.rests.iter_mut().find(|(at, _)| at == part).map(|(_, rest)| rest)
    }

    /// Where a rest of `part` would be kept: there, or at the whole when too much rests already.
    pub(crate) fn place_for(&self, part: Part) -> Part {
        if self.has_room_for(&part) { part } else { Part::Whole }
    }

    /// A rest that is over and may be forgotten to make room for one of `part`.
    pub(crate) fn in_the_way_of(&self, part: &Part) -> Option<Part> {
        if self.has_room_for(part) {
            return None;
        }
        self.rests.iter().find(|(_, rest)| rest.over).map(|(over, _)| over.clone())
    }

    fn has_room_for(&self, part: &Part) -> bool {
        self.rests.len() < Self::MOST || self.rest(part).is_some()
    }

    /// Puts a rest in; one that is there already takes it in (KP-4).
    pub(crate) fn put(&mut self, part: Part, newer: Rest, now: Moment) -> Moment {
        if let Some(rest) = self.rest_mut(&part) {
            rest.absorb(newer, now);
            return rest.until;
        }
        let until = newer.until;
        self.rests.push((part, newer));
        until
    }

    /// The same without what budgets stop.
    pub(crate) fn without_budgets(mut self) -> Self {
        self.rests.retain(|(part, _)| !matches!(part, Part::Budget(..)));
        self
    }

    /// Takes in how another owner stood that is this one from here on: of two rests of one part
    /// the later end wins (KP-4).
    pub(crate) fn absorb(&mut self, other: Self, now: Moment) {
        let Self { disabled, rests } = other;
        self.disabled = self.disabled.take().or(disabled);
        for (part, rest) in rests {
            let part = self.place_for(part);
            self.put(part.clone(), rest, now);
            if let Some(rest) = self.rest_mut(&part) {
                rest.over = !rest.is_running(now);
            }
        }
    }

    /// Takes a rest out, with what was remembered of it.
    pub(crate) fn forget(&mut self, part: &Part) -> Option<Rest> {
        let position = self.rests.iter().position(|(at, _)| at == part)?;
        Some(self.rests.swap_remove(position).1)
    }

    /// A use of `wish` succeeded: its faults start afresh. True if that changes anything.
    pub(crate) fn succeeded(&mut self, wish: &Wish<'_>, lease: u64) -> bool {
        let mut changed = false;
        for (part, rest) in &mut self.rests {
            if rest.next_level > 0 && lease >= rest.first_lease_after && part.concerns(wish) {
                rest.next_level = 0;
                changed = true;
            }
        }
        changed
    }
}
