//! Leases granted and not yet ended.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use keygate_domain::{BucketName, ModelName, Moment, OpenedSession, Operation, Spend};

use crate::Ask;
use crate::standing::Wish;

/// What a lease was granted for.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) key: usize,
    /// The group whose budgets it draws from, whatever group the key goes over to.
    pub(crate) group: usize,
    pub(crate) operation: Operation,
    pub(crate) model: Option<ModelName>,
    /// Where it counted when it was granted, and after how many changes of such names that was.
    pub(crate) bucket: (BucketName, u64),
    pub(crate) opens_session: bool,
    /// Whether it is the first attempt of its request.
    pub(crate) is_first: bool,
    pub(crate) granted: Moment,
    /// What the adapter thought it would cost.
    pub(crate) estimate: Spend,
    /// What it was counted as.
    pub(crate) reserved: Spend,
    pub(crate) expires: Moment,
    /// What was counted of its use while it goes on.
    pub(crate) told: Spend,
    /// The session that its answer opened.
    pub(crate) session: Option<Box<OpenedSession>>,
}

impl Held {
    pub(crate) fn new(
        key: usize,
        group: usize,
        ask: &Ask,
        bucket: (BucketName, u64),
        reserved: Spend,
        now: Moment,
    ) -> Self {
        Self {
            key,
            group,
            operation: ask.operation,
            model: ask.model.clone(),
            bucket,
            opens_session: ask.opens_session,
            is_first: ask.tried.is_empty(),
            granted: now,
            estimate: ask.estimate,
            reserved,
            expires: now.after(ask.hold),
            told: Spend::default(),
            session: None,
        }
    }

    /// What it was for, counting in `bucket`.
    pub(crate) fn wish<'a>(&self, bucket: &'a str) -> Wish<'a> {
        let (operation, bucket) = (Some(self.operation.0), Some(bucket));
        Wish { operation, bucket, opens_session: self.opens_session, spend: Spend::default() }
    }
}

/// The leases outstanding. A lease's number is later than that of every lease before it, and says where
/// it is kept: a lease is begun and ended for every request, so neither may be a search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    places: Vec<Option<(u64, Held)>>,
    /// Places where nothing is kept, the one to be used next last.
    vacant: Vec<usize>,
    /// When leases expire, the earliest first. What ended stays here until it comes first, or until
    /// there is more of that than of anything else; the first is always outstanding.
    expiries: BinaryHeap<Reverse<(Duration, u64)>>,
    begun: u64,
}

impl Leases {
    /// Most leases outstanding; far beyond what a gate lets through. A further one ends the one
    /// that would expire first.
    const MOST: usize = 1 << 18;
    /// How many low bits of a number say where the lease is kept.
    const PLACE_BITS: u32 = 20;
    /// So many ended leases more than outstanding ones may stand among the expiries.
    const SOME: usize = 64;

    /// No lease that comes has a lower number, and every lease before has.
    pub(crate) fn first_to_come(&self) -> u64 {
        self.begun << Self::PLACE_BITS
    }

    /// The number the next lease will have.
    pub(crate) fn next_number(&self) -> u64 {
        let place = self.vacant.last().copied().unwrap_or(self.places.len());
        self.first_to_come() | place as u64
    }

    pub(crate) fn add(&mut self, held: Held) -> u64 {
        let number = self.next_number();
        self.begun += 1;
        self.expiries.push(Reverse((held.expires.mono, number)));
        match self.vacant.pop() {
            Some(place) => self.places[place] = Some((number, held)),
            None => self.places.push(Some((number, held))),
        }
        number
    }

    /// Notes which session the answer to a lease opened.
    pub(crate) fn opened(&mut self, number: u64, session: OpenedSession) {
        if let Some(held) = self.held_mut(number) {
            held.session = Some(Box::new(session));
        }
    }

    /// What a lease was granted for, if it is outstanding.
    pub(crate) fn held(&self, number: u64) -> Option<&Held> {
        self.kept(number)
    }

    /// The same, to be changed.
    pub(crate) fn held_mut(&mut self, number: u64) -> Option<&mut Held> {
        let (kept, held) = self.places.get_mut(place_of(number))?.as_mut()?;
        (*kept == number).then_some(held)
    }

    pub(crate) fn end(&mut self, number: u64) -> Option<Held> {
        let place = place_of(number);
        let (_, held) = self.places.get_mut(place)?.take_if(|(kept, _)| *kept == number)?;
        self.vacant.push(place);
        while self.expiries.peek().is_some_and(|Reverse((_, first))| self.kept(*first).is_none()) {
            self.expiries.pop();
        }
        if self.expiries.len() > 2 * self.len() + Self::SOME {
            let mut expiries = std::mem::take(&mut self.expiries);
            expiries.retain(|Reverse((_, number))| self.kept(*number).is_some());
            self.expiries = expiries;
        }
        Some(held)
    }

    /// Ends a lease that is held too long, or one too many.
    pub(crate) fn end_overdue(&mut self, now: Moment) -> Option<(u64, Held)> {
        let Reverse((expires, number)) = *self.expiries.peek()?;
        let is_overdue = expires <= now.mono || self.len() > Self::MOST;
        is_overdue.then_some(())?;
        Some((number, self.end(number)?))
    }

    /// Lets `change` rewrite what every lease was granted for; their ends stay.
    pub(crate) fn rewrite(&mut self, change: impl Fn(Held) -> Held) {
        for place in &mut self.places {
            *place = place.take().map(|(number, held)| (number, change(held)));
        }
    }

    /// What was drawn from one group was drawn from another.
    pub(crate) fn move_group(&mut self, from: usize, into: usize) {
        let held = self.places.iter_mut().flatten().map(|(_, held)| held);
        held.filter(|held| held.group == from).for_each(|held| held.group = into);
    }

    /// Every lease outstanding, with its number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &Held)> {
        self.places.iter().flatten().map(|(number, held)| (*number, held))
    }

    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        let Reverse((_, number)) = self.expiries.peek()?;
        self.kept(*number).map(|held| held.expires)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }

    /// The key of every lease outstanding.
    pub(crate) fn keys(&self) -> impl Iterator<Item = usize> + '_ {
        self.all().map(|(_, held)| held.key)
    }

    fn kept(&self, number: u64) -> Option<&Held> {
        let (kept, held) = self.places.get(place_of(number))?.as_ref()?;
        (*kept == number).then_some(held)
    }
}

fn place_of(number: u64) -> usize {
    (number & ((1 << Leases::PLACE_BITS) - 1)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH }.after(Duration::from_secs(seconds))
    }

    fn held(key: usize, expires: u64) -> Held {
        Held {
            key,
            group: 0,
            operation: Operation("generate_content"),
            model: None,
            bucket: ("generate_content".into(), 0),
            opens_session: false,
            is_first: true,
            granted: at(0),
            estimate: Spend::default(),
            reserved: Spend::default(),
            expires: at(expires),
            told: Spend::default(),
            session: None,
        }
    }

    proptest! {
        /// As a map by number would do it.
        #[test]
        fn leases_end_once_in_whatever_order(
            steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>(), 0_u64..500), 1..400),
        ) {
            let (mut leases, mut model) = (Leases::default(), BTreeMap::new());
            let (mut now, mut ended) = (0, Vec::new());
            for (key, (what, which, seconds)) in steps.into_iter().enumerate() {
                match what {
                    0 | 1 => {
                        let first = leases.first_to_come();
                        let (told, expires) = (leases.next_number(), now + 1 + seconds);
                        let number = leases.add(held(key, expires));
                        prop_assert!(number == told && number >= first);
                        prop_assert!(model.keys().next_back().is_none_or(|last| *last < number && *last < first));
                        model.insert(number, (key, expires));
                    }
                    2 if !model.is_empty() => {
                        let number = *which.get(&model.keys().copied().collect::<Vec<_>>());
                        let (key, _) = model.remove(&number).unwrap();
                        prop_assert_eq!(leases.end(number).map(|held| held.key), Some(key));
                        ended.push(number);
                    }
                    _ => {
                        now += seconds / 10;
                        while let Some((number, held)) = leases.end_overdue(at(now)) {
                            let (key, expires) = model.remove(&number).unwrap();
                            prop_assert!(held.key == key && expires <= now);
                            ended.push(number);
                        }
                    }
                }
                prop_assert!(ended.iter().all(|number| leases.end(*number).is_none()), "ended once");
                prop_assert_eq!(leases.len(), model.len());
                let first = model.values().map(|(_, expires)| at(*expires)).min();
                prop_assert_eq!(leases.next_expiry(), first);
                prop_assert!(leases.expiries.len() <= 2 * model.len() + Leases::SOME + 1);
            }
        }
    }
}
