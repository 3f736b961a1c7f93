//! Lines, who stands in them, and the news for which they are looked at.

use std::collections::{BTreeMap, BTreeSet};

use keygate_domain::{BucketName, GroupId, ModelName, Moment, Operation};

use crate::Ask;

/// What a ticket waits for. Of tickets in one line either the first can be served or none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Line {
    operation: &'static str,
    model: Option<ModelName>,
    opens_session: bool,
    bound_to: Option<GroupId>,
    /// A request that was refused some keys can use fewer than its neighbours: it has a line of
    /// its own, so that it does not hold them up.
    pub(super) alone: Option<u64>,
}

impl Line {
    /// The line of all first attempts that want what `ask` wants.
    pub(crate) fn of(ask: &Ask, bound_to: Option<&GroupId>) -> Self {
        Self {
            operation: ask.operation.0,
            model: ask.model.clone(),
            opens_session: ask.opens_session,
            bound_to: bound_to.cloned(),
            alone: None,
        }
    }

    /// The bucket that its tickets count in, as `name` has it.
    pub(super) fn bucket<'a>(
        &'a self,
        name: impl Fn(Option<&'a ModelName>, Operation) -> &'a str,
    ) -> &'a str {
        name(self.model.as_ref(), Operation(self.operation))
    }

    pub(super) fn rename_group(&mut self, renamed: &BTreeMap<GroupId, GroupId>) {
        if let Some(name) = self.bound_to.as_ref().and_then(|group| renamed.get(group)) {
            self.bound_to = Some(name.clone());
        }
    }
}

/// A user's place in the order of turns: the lower, the longer ago.
pub(crate) type Turn = u64;

/// The first ticket of a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Head {
    pub(crate) turn: Turn,
    pub(crate) number: u64,
}

/// Those who stand in one line.
#[derive(Clone, Debug, Default)]
pub(super) struct Lineup {
    /// The tickets of each user, by the user's turn.
    pub(super) users: BTreeMap<Turn, BTreeSet<u64>>,
    /// When it was looked at last, counted in news.
    pub(super) looked_at: u64,
    /// Whether another ticket is the first since.
    pub(super) has_moved: bool,
    /// The earliest moment at which the first ticket may be served, when it was looked at last.
    pub(super) due: Option<Moment>,
}

impl Lineup {
    pub(super) fn head(&self) -> Option<Head> {
        let (turn, tickets) = self.users.first_key_value()?;
        Some(Head { turn: *turn, number: *tickets.first()? })
    }
}

/// What changed that tickets may wait for.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    pub(super) count: u64,
    /// The latest of which all lines have to know.
    pub(super) of_all: u64,
    /// The latest of a bucket.
    pub(super) of_buckets: BTreeMap<BucketName, u64>,
}

impl News {
    /// Most buckets told apart.
    const MOST: usize = 64;

    pub(super) fn of_all(&mut self) {
        self.count += 1;
        self.of_all = self.count;
        self.of_buckets.clear();
    }

    pub(super) fn of_bucket(&mut self, bucket: &BucketName) {
        if let Some(latest) = self.of_buckets.get_mut(bucket) {
            self.count += 1;
            *latest = self.count;
        } else if self.of_buckets.len() < Self::MOST {
            self.count += 1;
            self.of_buckets.insert(bucket.clone(), self.count);
        } else {
            self.of_all();
        }
    }
}
