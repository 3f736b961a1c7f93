//! The pool itself: the public way in.

mod choose;
mod explain;
mod fare;
mod fetch;
mod gather;
mod headroom;
mod in_the_way;
mod learn;
mod merge;
mod observe;
mod operate;
mod pass;
mod placement;
mod probe;
mod refuse;
mod reload;
mod remember;
mod running;
mod settle;
mod spend;
mod time;
mod trouble;
mod wait;
mod warn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keygate_domain::{
    Binding, BucketName, ClientId, Fault, GroupId, KeySpec, LeaseId, ModelName, Moment, OpenedSession,
    Operation, Resource, Spend, Verdict,
};

pub use self::gather::Whose;
use self::headroom::Slides;
use crate::affinity::Affinity;
use crate::breaker::Breaker;
use crate::buckets::Buckets;
use crate::budget::Estimates;
use crate::cooldown::Jitter;
use crate::event::Events;
use crate::health::Health;
use crate::key::KeyUse;
use crate::lane::Lanes;
use crate::leases::Leases;
use crate::narrow::NarrowGroups;
use crate::order::Order;
use crate::probing::Probing;
use crate::queue::{Queue, Resolved, Ticket};
use crate::roster::{Owner, Place, Roster};
use crate::rotation::Rota;
use crate::standing::{Part, Wish};
use crate::state::Changes;
use crate::unclaimed::Unclaimed;
use crate::{
    Ask, Decision, Granted, Policy, PoolEvent, PoolLedger, PoolRefusal, PoolSnapshot, Reloaded, Settled,
    Warning, invariants,
};

/// The keys of one provider and what is known of them.
///
/// Every method that is handed a moment first lets time pass up to it, so an answer never
/// depends on when [`KeyPool::advance`] was called last.
#[derive(Clone, Debug)]
pub struct KeyPool {
    life: u64,
    policy: Policy,
    jitter: Jitter,
    now: Moment,
    pub(crate) roster: Roster,
    pub(crate) lanes: Lanes,
    health: Health,
    order: Order,
    /// `None` while nothing rotates.
    rota: Option<Rota>,
    buckets: Buckets,
    estimates: Estimates,
    /// Groups and buckets whose use storage has not been given yet.
    unsaved_spent: Vec<(usize, BucketName)>,
    /// What storage still has under names that groups go by no longer.
    spent_elsewhere: BTreeSet<(GroupId, BucketName)>,
    pub(crate) narrow: NarrowGroups,
    /// When the lanes are to be told of headroom.
    slides: Slides,
    /// Shared with copies of the pool until one of them changes it.
    affinity: Arc<Affinity>,
    pub(crate) leases: Leases,
    pub(crate) ledger: PoolLedger,
    /// What became of the leases of keys that are forgotten.
    pub(crate) gone: KeyUse,
    /// Groups that go by another name since a reload, for what requests under the old one still tell.
    renamed: BTreeMap<GroupId, GroupId>,
    unclaimed: Unclaimed,
    pub(crate) breaker: Breaker,
    /// The key leased last.
    current: Option<usize>,
    /// What was warned of, by group.
    warned: BTreeMap<GroupId, BTreeSet<Warning>>,
    /// The fault that disabled a key or group last.
    last_disabling: Option<Fault>,
    queue: Queue,
    /// Tickets whose outcome nobody has fetched yet.
    resolved: Vec<Resolved>,
    probing: Probing,
    events: Events,
    changes: Changes,
}

impl KeyPool {
    /// Makes a pool of fresh keys. `life` counts restarts (KP-8); `seed` spreads the jitter of
    /// rests. A key that occurs twice is kept once, the first.
    pub fn new(life: u64, keys: Vec<KeySpec>, policy: Policy, seed: u64, now: Moment) -> Self {
        let roster = Roster::new(keys, policy.budgets.clone());
        let mut jitter = Jitter::new(seed);
        let mut pool = Self {
            life,
            now,
            lanes: Lanes::new(policy.strategy, &roster.keys, jitter.draw()),
            jitter,
            health: Health::new(now),
            order: Order::default(),
            probing: Probing::new(seed, &policy.probe, now),
            rota: policy.rotation.clone().map(|rotation| Rota::new(rotation, now.wall)),
            policy,
            roster,
            buckets: Buckets::default(),
            estimates: Estimates::default(),
            unsaved_spent: Vec::new(),
            spent_elsewhere: BTreeSet::new(),
            narrow: NarrowGroups::default(),
            slides: Slides::default(),
            affinity: Arc::default(),
            leases: Leases::default(),
            ledger: PoolLedger::default(),
            gone: KeyUse::default(),
            renamed: BTreeMap::new(),
            unclaimed: Unclaimed::default(),
            breaker: Breaker::default(),
            current: None,
            warned: BTreeMap::new(),
            last_disabling: None,
            queue: Queue::default(),
            resolved: Vec::new(),
            events: Events::default(),
            changes: Changes::default(),
        };
        pool.brief_lanes();
        pool
    }

    /// Leases a key for one attempt, or gives a place in the queue when one may be free soon
    /// enough.
    ///
    /// # Errors
    /// [`PoolRefusal`] says why not, and when asking again makes sense.
    pub fn lease(&mut self, ask: &Ask, now: Moment) -> Result<Granted, PoolRefusal> {
        self.advance(now);
        let answer = self.lease_or_wait(ask);
        debug_assert!(
            answer.as_ref().err().is_none_or(invariants::is_worth_waiting_for),
            "{}",
            invariants::KP_5.sentence
        );
        invariants::assert_holds(self);
        answer
    }

    /// Ends a lease with what became of it.
    pub fn settle(&mut self, lease: LeaseId, verdict: Verdict, now: Moment) -> Settled {
        self.advance(now);
        let settled = self.end_lease(lease, verdict);
        self.attend();
        invariants::assert_holds(self);
        settled
    }

    /// The answer to a lease has begun, and well. Worth telling of one that is a trial: the end of
    /// a long stream need not be waited for to know that the provider serves again.
    pub fn answered(&mut self, lease: LeaseId, now: Moment) {
        self.advance(now);
        if lease.life == self.life {
            self.trial_succeeded(lease.number);
        }
    }

    /// Remembers that `binding.resource` belongs to `group` and `client`. A resource that
    /// another client owns stays as it is.
    pub fn bind(&mut self, group: &GroupId, client: &ClientId, binding: Binding, now: Moment) {
        self.note_owner(group, binding, now, |affinity, group, binding, now| {
            affinity.bind(group, client, binding, now)
        });
    }

    /// Remembers that `group` has a resource of which nobody here knows who made it. What is known of it
    /// stays as it is.
    pub fn find(&mut self, group: &GroupId, binding: Binding, now: Moment) {
        self.note_owner(group, binding, now, Affinity::find);
    }

    /// Forgets a resource that is no more, if it was this group's.
    pub fn unbind(&mut self, group: &GroupId, resource: &Resource, now: Moment) {
        self.advance(now);
        let group = &self.name_now(group);
        if self.affinity.get(resource.kind, &resource.name).is_some_and(|bound| bound.group == *group) {
            Arc::make_mut(&mut self.affinity).unbind(group, resource);
            self.changes.binding((resource.kind.into(), Arc::clone(&resource.name)));
        }
    }

    fn note_owner(
        &mut self,
        group: &GroupId,
        binding: Binding,
        now: Moment,
        note: impl FnOnce(&mut Affinity, &GroupId, Binding, Moment) -> bool,
    ) {
        self.advance(now);
        let group = &self.name_now(group);
        let name = (binding.resource.kind.into(), binding.resource.name.clone());
        let affinity = Arc::make_mut(&mut self.affinity);
        if !note(affinity, group, binding, self.now) {
            return;
        }
        self.changes.binding(name);
        let evicted = affinity.make_room();
        if !evicted.is_empty() {
            self.events.push(PoolEvent::BindingsEvicted { count: evicted.len() });
        }
        for name in evicted {
            self.changes.binding(name);
        }
    }

    /// The answer to a lease opened a session, which goes on when the lease is settled.
    pub fn session_opened(&mut self, lease: LeaseId, session: OpenedSession, now: Moment) {
        self.advance(now);
        if lease.life == self.life {
            self.leases.opened(lease.number, session);
        }
    }

    /// A session of `group` ended: asks that open one need not wait any longer. It frees its own place
    /// and nobody else's, once.
    pub fn session_ended(&mut self, group: &GroupId, session: &Resource, now: Moment) {
        self.advance(now);
        let group = &self.name_now(group);
        if let Some(group) = self.roster.group_at(group)
            && self.free_place(group, &session.name)
        {
            self.end_rest(&Place::new(Owner::Group(group), Part::Sessions));
        }
        self.attend();
    }

    /// Somebody does not wait any more. False if the ticket was resolved already, or is of another
    /// life.
    pub fn leave(&mut self, ticket: Ticket, now: Moment) -> bool {
        self.advance(now);
        let was_waiting = self.give_up_ticket(ticket);
        self.attend();
        was_waiting
    }

    /// Takes the tickets that were resolved since the last call. A lease among them has to be
    /// settled like any other.
    pub fn drain_resolved(&mut self) -> Vec<Resolved> {
        std::mem::take(&mut self.resolved)
    }

    /// Takes another list of keys and another policy, at once and without losing anything: a key
    /// that stays keeps all that is known of it, a new one is fresh, and the leases of one that
    /// goes are settled like any other. A new secret is a new key, whatever its label.
    pub fn reload(&mut self, keys: Vec<KeySpec>, policy: Policy, now: Moment) -> Reloaded {
        self.advance(now);
        let reloaded = self.take_over(keys, policy);
        self.attend();
        invariants::assert_holds(self);
        reloaded
    }

    /// What the pool would answer, and why, key by key. Lets time pass and changes nothing else.
    /// Looks at every key: for operators, not for every request.
    pub fn explain(&mut self, ask: &Ask, now: Moment) -> Decision {
        self.advance(now);
        self.decide(ask)
    }

    /// The pool as status pages show it.
    pub fn snapshot(&self, now: Moment) -> PoolSnapshot {
        self.observe(self.now.max(now))
    }

    /// Takes what happened since the last call.
    pub fn drain_events(&mut self) -> Vec<PoolEvent> {
        self.events.drain()
    }

    /// The moment the pool has reached.
    pub(crate) fn time(&self) -> Moment {
        self.now
    }
}

/// What a request with this model and operation wants, in the words of the roster.
fn wish<'a>(
    buckets: &'a Buckets,
    model: Option<&'a ModelName>,
    operation: Operation,
    opens_session: bool,
    spend: Spend,
) -> Wish<'a> {
    Wish { operation: Some(operation.0), bucket: Some(buckets.name(model, operation)), opens_session, spend }
}
