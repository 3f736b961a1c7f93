//! What of the keys and groups rests now, part by part, in the order of its ends.
//!
//! Two questions are asked all the time: which lane an ask belongs to, and when the first key
//! comes back. Neither may be a look at every key.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use keygate_domain::{BucketName, Moment};

use crate::lane::LaneScope;
use crate::roster::Place;
use crate::standing::{Part, Wish};

/// Running rests, the one that ends first first.
type Ends = BTreeSet<(Moment, Place)>;

/// The rests of one name, and when the last of them ended if none runs.
#[derive(Clone, Debug, Default)]
struct Named {
    ends: Ends,
    quiet_since: u64,
}

/// The rests of one kind of part, by the name of the part.
#[derive(Clone, Debug)]
struct ByName<N> {
    names: BTreeMap<N, Named>,
    /// How many of them nothing rests of any more.
    quiet: usize,
    clock: u64,
}

impl<N> Default for ByName<N> {
    fn default() -> Self {
        Self { names: BTreeMap::new(), quiet: 0, clock: 0 }
    }
}

impl<N: Ord + Clone> ByName<N> {
    /// Most names kept of which nothing rests.
    const MOST_QUIET: usize = 32;

    fn began(&mut self, name: &N, until: Moment, place: &Place) {
        if !self.names.contains_key(name) {
            self.names.insert(name.clone(), Named::default());
            self.quiet += 1;
        }
        if let Some(named) = self.names.get_mut(name) {
            self.quiet -= usize::from(named.ends.is_empty());
            named.ends.insert((until, place.clone()));
        }
    }

    fn ended(&mut self, name: &N, until: Moment, place: &Place) {
        let Some(named) = self.names.get_mut(name) else { return };
        if !named.ends.remove(&(until, place.clone())) || !named.ends.is_empty() {
            return;
        }
        self.clock += 1;
        named.quiet_since = self.clock;
        self.quiet += 1;
        if self.quiet > Self::MOST_QUIET {
            self.forget_quietest();
        }
    }

    fn forget_quietest(&mut self) {
        let quiet = self.names.iter().filter(|(_, named)| named.ends.is_empty());
        let longest = quiet.min_by_key(|(_, named)| named.quiet_since).map(|(name, _)| name.clone());
        if let Some(name) = longest {
            self.names.remove(&name);
            self.quiet -= 1;
        }
    }

    /// What rests, without what is quiet.
    fn running(&self) -> impl Iterator<Item = (&N, &Ends)> {
        let names = self.names.iter().map(|(name, named)| (name, &named.ends));
        names.filter(|(_, ends)| !ends.is_empty())
    }
}

/// The parts of keys and groups that rest now.
///
/// A name stays known for a while when nothing of it rests any more, and with it the lane of its
/// asks: a budget that is used up and has room again with every request would else have a
/// lane made for each of them, which is a look at every key.
#[derive(Clone, Debug, Default)]
pub(crate) struct RestingParts {
    whole: Ends,
    buckets: ByName<BucketName>,
    operations: ByName<Cow<'static, str>>,
    sessions: Ends,
    /// Whether the opening of sessions ever rested.
    sessions_are_known: bool,
}

/// What is known to be quiet says nothing of what rests.
impl PartialEq for RestingParts {
    fn eq(&self, other: &Self) -> bool {
        self.whole == other.whole
            && self.sessions == other.sessions
            && self.buckets.running().eq(other.buckets.running())
            && self.operations.running().eq(other.operations.running())
    }
}

impl RestingParts {
    /// A rest began at `place`.
    pub(crate) fn began(&mut self, place: &Place, until: Moment) {
        match &place.part {
            Part::Whole => drop(self.whole.insert((until, place.clone()))),
            Part::Operation(operation) => self.operations.began(operation, until, place),
            Part::Bucket(bucket, _) | Part::Budget(bucket, _) => self.buckets.began(bucket, until, place),
            Part::Sessions => {
                self.sessions.insert((until, place.clone()));
                self.sessions_are_known = true;
            }
        }
    }

    /// The rest at `place` that would end, or ended, then runs no more.
    pub(crate) fn ended(&mut self, place: &Place, until: Moment) {
        match &place.part {
            Part::Whole => drop(self.whole.remove(&(until, place.clone()))),
            Part::Operation(operation) => self.operations.ended(operation, until, place),
            Part::Bucket(bucket, _) | Part::Budget(bucket, _) => self.buckets.ended(bucket, until, place),
            Part::Sessions => drop(self.sessions.remove(&(until, place.clone()))),
        }
    }

    /// Whether the bucket rests in any group.
    pub(crate) fn has_bucket(&self, bucket: &str) -> bool {
        self.buckets.names.get(bucket).is_some_and(|named| !named.ends.is_empty())
    }

    /// The lane of an ask.
    pub(crate) fn scope_of(&self, wish: &Wish<'_>) -> LaneScope {
        let bucket = wish.bucket.and_then(|bucket| self.buckets.names.get_key_value(bucket));
        let operation = wish.operation.and_then(|operation| self.operations.names.get_key_value(operation));
        LaneScope {
            bucket: bucket.map(|(bucket, _)| bucket.clone()),
            operation: operation.map(|(operation, _)| operation.clone()),
            opens_session: wish.opens_session && self.sessions_are_known,
        }
    }

    /// Whether asks could still meet everything that `scope` names.
    pub(crate) fn still_has(&self, scope: &LaneScope) -> bool {
        scope.bucket.as_ref().is_none_or(|bucket| self.buckets.names.contains_key(bucket))
            && scope.operation.as_ref().is_none_or(|operation| self.operations.names.contains_key(operation))
            && (!scope.opens_session || self.sessions_are_known)
    }

    /// The rests that stand in the way of `wish`, the one that ends first first.
    pub(crate) fn in_the_way_of<'a>(
        &'a self,
        wish: &Wish<'_>,
    ) -> impl Iterator<Item = (Moment, &'a Place)> + use<'a> {
        let bucket = wish.bucket.and_then(|bucket| self.buckets.names.get(bucket));
        let operation = wish.operation.and_then(|operation| self.operations.names.get(operation));
        let parts: [Option<&'a Ends>; 4] = [
            Some(&self.whole),
            bucket.map(|named| &named.ends),
            operation.map(|named| &named.ends),
            wish.opens_session.then_some(&self.sessions),
        ];
        let mut parts = parts.map(|ends| ends.into_iter().flatten().peekable());
        std::iter::from_fn(move || {
            let heads = parts.iter_mut().filter_map(|part| Some((*part.peek()?, part)));
            let (_, part) = heads.min_by_key(|(head, _)| *head)?;
            part.next().map(|(until, place)| (*until, place))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use keygate_domain::{Metric, Spend};

    use super::*;
    use crate::roster::Owner;

    fn at(seconds: u64) -> Moment {
        Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH }.after(Duration::from_secs(seconds))
    }

    fn bucket(group: usize, name: &str) -> Place {
        Place::new(Owner::Group(group), Part::Bucket(name.into(), Metric::Unnamed))
    }

    fn wish(bucket: &str) -> Wish<'_> {
        Wish { operation: Some("o"), bucket: Some(bucket), opens_session: true, spend: Spend::default() }
    }

    #[test]
    fn what_is_in_the_way_comes_in_the_order_of_its_ends() {
        let mut resting = RestingParts::default();
        let whole = Place::new(Owner::Key(7), Part::Whole);
        let sessions = Place::new(Owner::Group(1), Part::Sessions);
        let operation = Place::new(Owner::Key(3), Part::Operation("o".into()));
        let places = [
            (&bucket(1, "a"), 5),
            (&bucket(2, "a"), 2),
            (&whole, 4),
            (&sessions, 1),
            (&operation, 3),
            (&bucket(3, "b"), 0),
        ];
        for (place, until) in places {
            resting.began(place, at(until));
        }
        let order = |wish: &Wish<'_>| -> Vec<Moment> {
            resting.in_the_way_of(wish).map(|(until, _)| until).collect()
        };
        assert_eq!(order(&wish("a")), [1, 2, 3, 4, 5].map(at));
        let reading = Wish { operation: None, opens_session: false, ..wish("a") };
        assert_eq!(order(&reading), [2, 4, 5].map(at));
        assert_eq!(order(&wish("none")), [1, 3, 4].map(at));
    }

    #[test]
    fn a_name_stays_known_until_others_need_its_place() {
        let mut resting = RestingParts::default();
        let names: Vec<String> = (0..40).map(|number| format!("bucket {number}")).collect();
        for name in &names {
            resting.began(&bucket(1, name), at(9));
            assert!(resting.has_bucket(name));
            resting.ended(&bucket(1, name), at(9));
            assert!(!resting.has_bucket(name));
            assert!(resting.scope_of(&wish(name)) != LaneScope::default());
        }
        let is_known = |name: &&String| resting.scope_of(&wish(name)) != LaneScope::default();
        assert_eq!(names.iter().filter(is_known).count(), ByName::<BucketName>::MOST_QUIET);
        assert!(is_known(&&names[39]) && !is_known(&&names[0]), "the one quiet longest went first");
        assert!(resting == RestingParts::default(), "nothing rests");
    }
}
