//! The right to use one key once, and how it finds its way back.

use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{
    ApiKey, Binding, BucketName, ClientId, GroupId, Keepsake, KeyId, LeaseId, OpenedSession, Resource, Spend,
    Verdict,
};
use keygate_pool::{Lease, PoolRefusal, Skip};

use super::handle::Desk;
use super::messages::Notice;
use super::waiting::Place;
use crate::gate::{COME_BACK_IN, Full};
use crate::{Unavailable, events};

/// The supervisor's yes.
#[derive(Debug)]
pub enum Leased {
    /// A key, for one attempt.
    Key(KeyLease),
    /// The request brings its own credential and names nothing the pool knows: pass it as it is.
    NotOurs,
    /// The request needs no key, and is about something of a group's.
    Pass(GroupPass),
}

/// What is known of a request that needs no key: the group it is about. Nothing was leased, and nothing has to
/// come back.
#[derive(Clone, Debug)]
pub struct GroupPass {
    group: GroupId,
    desk: Arc<Desk>,
}

impl GroupPass {
    pub(super) fn new(group: GroupId, desk: Arc<Desk>) -> Self {
        Self { group, desk }
    }

    /// The group.
    pub fn group(&self) -> &GroupId {
        &self.group
    }

    /// Tells that a session of the group ended, so that the next one need not wait.
    pub fn ended(&self, session: Resource) {
        self.desk.tell(Notice::SessionEnded { group: self.group.clone(), session });
    }
}

/// The supervisor's no.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LeaseRefused {
    /// The pool has no key for this.
    #[error(transparent)]
    Pool(PoolRefusal),
    /// Too many asks wait already.
    #[error("too many asks wait for a key")]
    Overloaded {
        /// When asking again makes sense.
        retry_after: Duration,
    },
    /// The supervisor is restarting.
    #[error("the key supervisor is restarting")]
    Unavailable {
        /// When asking again makes sense.
        retry_after: Duration,
    },
}

impl From<Full> for LeaseRefused {
    fn from(_: Full) -> Self {
        Self::Overloaded { retry_after: COME_BACK_IN }
    }
}

impl From<Unavailable> for LeaseRefused {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable { retry_after: unavailable.retry_after }
    }
}

/// The right to use one key once. [`settle`](Self::settle) it with what became of it; dropped
/// unsettled it counts as [`Verdict::Abandoned`].
#[derive(Debug)]
pub struct KeyLease {
    parcel: Box<Parcel>,
    waited: Duration,
}

impl KeyLease {
    /// The key, for the adapter that puts it into a request.
    pub fn key(&self) -> &ApiKey {
        &self.parcel.lease.key
    }

    /// The key's public id.
    pub fn key_id(&self) -> &KeyId {
        self.parcel.lease.key.id()
    }

    /// What operators call the key.
    pub fn label(&self) -> &str {
        &self.parcel.lease.label
    }

    /// The key's position in the configuration, from 0.
    pub fn index(&self) -> usize {
        self.parcel.lease.index
    }

    /// The key's quota group.
    pub fn group(&self) -> &GroupId {
        &self.parcel.lease.group
    }

    /// The quota bucket the request counts in; none for an operation without a model.
    pub fn bucket(&self) -> Option<&BucketName> {
        self.parcel.lease.bucket.as_ref()
    }

    /// Set when the group does not own a resource the request names and an equal one can be made
    /// there from this.
    pub fn away(&self) -> Option<&Keepsake> {
        self.parcel.lease.away.as_ref()
    }

    /// Keys that came first by the strategy and could not be used; a few, for spans.
    pub fn skipped(&self) -> &[(KeyId, Skip)] {
        &self.parcel.lease.skipped
    }

    /// How many keys could be used for what was asked, and of how many; for spans.
    pub fn usable_keys(&self) -> (usize, usize) {
        (self.parcel.lease.usable, self.parcel.lease.of_keys)
    }

    /// Whether it finds out if a provider in trouble serves again.
    pub fn is_trial(&self) -> bool {
        self.parcel.lease.is_trial
    }

    /// Whether the key's group was chosen because it owns what the request names.
    pub fn is_owners(&self) -> bool {
        self.parcel.lease.is_owners
    }

    /// How long it was waited for in the queue; zero when it came at once.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Notes that it came after a wait.
    pub(crate) fn after(self, waited: Duration) -> Self {
        Self { waited, ..self }
    }

    /// Tells that what this request created belongs to this group and to `client`, or to the client on
    /// whose behalf it came.
    pub fn bind(&self, client: &ClientId, binding: Binding) {
        let lease = &self.parcel.lease;
        let client = lease.on_behalf_of.as_ref().unwrap_or(client).clone();
        self.parcel.returns.desk.tell(Notice::Bind { group: lease.group.clone(), client, binding });
    }

    /// Tells that this group has what was asked for, and that nobody knows who made it.
    pub fn find(&self, binding: Binding) {
        self.parcel.returns.desk.tell(Notice::Find { group: self.parcel.lease.group.clone(), binding });
    }

    /// Tells that something of this group's is no more.
    pub fn unbind(&self, resource: Resource) {
        self.parcel.returns.desk.tell(Notice::Unbind { group: self.parcel.lease.group.clone(), resource });
    }

    /// Tells that the answer has begun, and well. Only worth a notice where the request finds out
    /// whether a provider in trouble serves again.
    pub fn answered(&self) {
        if self.parcel.lease.is_trial {
            self.parcel.returns.desk.tell(Notice::Answered { lease: self.parcel.lease.id });
        }
    }

    /// Tells what was used since this was told last, while the answer goes on.
    pub fn used(&self, more: Spend) {
        self.parcel.returns.desk.tell(Notice::Used { lease: self.parcel.lease.id, more });
    }

    /// Tells that this request opened a session, which takes one of the group's places after it.
    pub fn opened(&self, session: OpenedSession) {
        self.parcel.returns.desk.tell(Notice::SessionOpened { lease: self.parcel.lease.id, session });
    }

    /// Tells that this request ended a session of the group, so that the next one need not wait.
    pub fn ended(&self, session: Resource) {
        let group = self.parcel.lease.group.clone();
        self.parcel.returns.desk.tell(Notice::SessionEnded { group, session });
    }

    /// Ends the lease. Tells, never waits.
    pub fn settle(mut self, verdict: Verdict) {
        self.parcel.returns.verdict = verdict;
    }
}

/// The supervisor's yes on its way to the asker.
#[derive(Debug)]
pub(crate) enum Delivery {
    Key(Box<Parcel>),
    NotOurs,
    Pass(GroupId),
    Wait(Place),
}

/// A lease that nobody has taken yet. If the asker is gone, actix drops the answer, wherever it
/// is by then, and the lease goes back as never sent.
#[derive(Debug)]
pub(crate) struct Parcel {
    lease: Lease,
    returns: Return,
}

impl Parcel {
    pub(crate) fn new(lease: Lease, desk: Arc<Desk>) -> Self {
        if lease.is_rotation {
            events::rotated(desk.provider, &lease);
        }
        let returns = Return { id: lease.id, desk, verdict: Verdict::Unsent };
        Self { lease, returns }
    }

    /// Hands the lease to the asker. From here on silence means that it may have been used.
    pub(crate) fn open(mut self: Box<Self>) -> KeyLease {
        self.returns.verdict = Verdict::Abandoned;
        KeyLease { parcel: self, waited: Duration::ZERO }
    }
}

/// Settles on drop, with the verdict that holds by then: no lease is lost on any way out.
#[derive(Debug)]
struct Return {
    id: LeaseId,
    desk: Arc<Desk>,
    verdict: Verdict,
}

impl Drop for Return {
    fn drop(&mut self) {
        let verdict = std::mem::replace(&mut self.verdict, Verdict::Abandoned);
        self.desk.tell(Notice::Settle { lease: self.id, verdict });
    }
}
