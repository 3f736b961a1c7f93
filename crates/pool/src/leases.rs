//! Leases granted and not yet ended.

use std::collections::{BTreeMap, BTreeSet};

use keygate_domain::{ModelName, Moment, OpenedSession, Operation, Spend};

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
    pub(crate) opens_session: bool,
    /// Whether it is the first attempt of its request.
    pub(crate) is_first: bool,
    pub(crate) granted: Moment,
    /// What the adapter thought it would cost.
    pub(crate) estimate: Spend,
    /// What it was counted as.
    pub(crate) reserved: Spend,
    pub(crate) expires: Moment,
    /// The session that its answer opened.
    pub(crate) session: Option<OpenedSession>,
}

impl Held {
    pub(crate) fn new(key: usize, group: usize, ask: &Ask, reserved: Spend, now: Moment) -> Self {
        Self {
            key,
            group,
            operation: ask.operation,
            model: ask.model.clone(),
            opens_session: ask.opens_session,
            is_first: ask.tried.is_empty(),
            granted: now,
            estimate: ask.estimate,
            reserved,
            expires: now.after(ask.hold),
            session: None,
        }
    }

    /// What it was for, counting in `bucket`.
    pub(crate) fn wish<'a>(&self, bucket: &'a str) -> Wish<'a> {
        let (operation, bucket) = (Some(self.operation.0), Some(bucket));
        Wish { operation, bucket, opens_session: self.opens_session, spend: Spend::default() }
    }
}

/// The leases outstanding, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    held: BTreeMap<u64, Held>,
    expiries: BTreeSet<(Moment, u64)>,
    next: u64,
}

impl Leases {
    /// Most leases outstanding; far beyond what a gate lets through. A further one ends the one
    /// that would expire first.
    const MOST: usize = 1 << 18;

    /// The number the next lease will have.
    pub(crate) fn next_number(&self) -> u64 {
        self.next
    }

    pub(crate) fn add(&mut self, held: Held) -> u64 {
        let number = self.next;
        self.next += 1;
        self.expiries.insert((held.expires, number));
        self.held.insert(number, held);
        number
    }

    /// Notes which session the answer to a lease opened.
    pub(crate) fn opened(&mut self, number: u64, session: OpenedSession) {
        if let Some(held) = self.held.get_mut(&number) {
            held.session = Some(session);
        }
    }

    pub(crate) fn end(&mut self, number: u64) -> Option<Held> {
        let held = self.held.remove(&number)?;
        self.expiries.remove(&(held.expires, number));
        Some(held)
    }

    /// Ends a lease that is held too long, or one too many.
    pub(crate) fn end_overdue(&mut self, now: Moment) -> Option<(u64, Held)> {
        let (expires, number) = *self.expiries.first()?;
        let is_overdue = expires <= now || self.held.len() > Self::MOST;
        is_overdue.then_some(())?;
        Some((number, self.end(number)?))
    }

    /// Lets `change` rewrite what every lease was granted for; their ends stay.
    pub(crate) fn rewrite(&mut self, change: impl Fn(Held) -> Held) {
        self.held =
            std::mem::take(&mut self.held).into_iter().map(|(number, held)| (number, change(held))).collect();
    }

    /// What was drawn from one group was drawn from another.
    pub(crate) fn move_group(&mut self, from: usize, into: usize) {
        self.held.values_mut().filter(|held| held.group == from).for_each(|held| held.group = into);
    }

    /// Every lease outstanding, by number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &Held)> {
        self.held.iter().map(|(number, held)| (*number, held))
    }

    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        self.expiries.first().map(|(expires, _)| *expires)
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// The key of every lease outstanding.
    pub(crate) fn keys(&self) -> impl Iterator<Item = usize> + '_ {
        self.held.values().map(|held| held.key)
    }
}
