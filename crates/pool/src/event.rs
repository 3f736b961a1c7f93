//! What happened inside the pool, for whoever logs and alerts.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{BucketName, Fault, GroupId, KeyId, LeaseId, Metric, Moment, Tier};

use crate::Warning;

/// Something an operator may want to know. None of them names a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PoolEvent {
    /// The order of the keys moved on, as `rotation` says.
    OrderRotated {
        /// The key it begins with.
        first: KeyId,
        /// What operators call it.
        label: Arc<str>,
    },
    /// A key rests.
    KeyRested {
        /// Its position in the configuration.
        index: usize,
        /// The key.
        id: KeyId,
        /// What operators call it.
        label: Arc<str>,
        /// Set when it rests for this operation only.
        operation: Option<Cow<'static, str>>,
        /// Why.
        fault: Fault,
        /// Until when.
        until: Moment,
        /// The provider's reason, in words.
        reason: Cow<'static, str>,
    },
    /// A group rests, with all its keys.
    GroupRested {
        /// The group.
        group: GroupId,
        /// Set when it rests for this operation only.
        operation: Option<Cow<'static, str>>,
        /// Why.
        fault: Fault,
        /// Until when.
        until: Moment,
        /// The provider's reason, in words.
        reason: Cow<'static, str>,
    },
    /// A group rests for one quota bucket.
    BucketRested {
        /// The group.
        group: GroupId,
        /// The bucket.
        bucket: BucketName,
        /// Which of its counters.
        metric: Metric,
        /// Why.
        fault: Fault,
        /// Until when.
        until: Moment,
        /// The provider's reason, in words.
        reason: Cow<'static, str>,
    },
    /// A group has no session left.
    SessionsRested {
        /// The group.
        group: GroupId,
        /// Why.
        fault: Fault,
        /// Until when.
        until: Moment,
        /// The provider's reason, in words.
        reason: Cow<'static, str>,
    },
    /// A rest is over: by time, by `reset`, or because a session slot freed.
    Recovered {
        /// The group concerned.
        group: GroupId,
        /// The key, when it was the key that rested.
        key: Option<(KeyId, Arc<str>)>,
        /// The bucket, when it was a bucket that rested.
        bucket: Option<BucketName>,
        /// What it rested for.
        fault: Fault,
    },
    /// A key is out until it is reset, enabled or replaced.
    KeyDisabled {
        /// The key.
        id: KeyId,
        /// What operators call it.
        label: Arc<str>,
        /// Why; `None` when an operator took it out.
        fault: Option<Fault>,
        /// The provider's reason, in words.
        reason: Cow<'static, str>,
    },
    /// A disabled key is back.
    KeyEnabled {
        /// The key.
        id: KeyId,
        /// What operators call it.
        label: Arc<str>,
    },
    /// A disabled key is back: the provider took it in a free call.
    KeyProvedGood {
        /// The key.
        id: KeyId,
        /// What operators call it.
        label: Arc<str>,
    },
    /// A disabled key was asked after in a free call, and stays out.
    KeyProbed {
        /// The key.
        id: KeyId,
        /// What operators call it.
        label: Arc<str>,
        /// What the answer told; `None` if there was none.
        fault: Option<Fault>,
        /// The provider's reason, in words; empty where the answer says nothing of the key.
        reason: &'static str,
        /// When it is asked after again.
        next_at: Option<Moment>,
    },
    /// A whole group is out until it is reset.
    GroupDisabled {
        /// The group.
        group: GroupId,
        /// Why.
        fault: Fault,
        /// The provider's reason, in words.
        reason: Cow<'static, str>,
    },
    /// A disabled group is back.
    GroupEnabled {
        /// The group.
        group: GroupId,
    },
    /// The provider named a group.
    GroupNamed {
        /// The group as configured, or `key:<id>`.
        group: GroupId,
        /// What the provider calls it.
        name: GroupId,
    },
    /// The provider stated a limit, for the first time or a new one.
    LimitLearned {
        /// The group.
        group: GroupId,
        /// The bucket.
        bucket: BucketName,
        /// Which of its counters.
        metric: Metric,
        /// The limit.
        limit: u64,
        /// The one stated before.
        before: Option<u64>,
    },
    /// The provider told what a group pays for, for the first time or something else.
    TierLearned {
        /// The group.
        group: GroupId,
        /// Its tier.
        tier: Tier,
    },
    /// The configuration and the provider disagree.
    Noticed(Warning),
    /// The provider itself is in trouble: its faults name no quota and no key, and most groups
    /// met them.
    BreakerOpened {
        /// The quota bucket; `None` is the whole provider.
        bucket: Option<BucketName>,
        /// The fault that decided it.
        fault: Fault,
        /// The provider's reason, in words.
        reason: Cow<'static, str>,
        /// Until when nobody is sent there.
        until: Moment,
        /// How often it was tried in vain since it opened first.
        reopened: u32,
        /// How many rests this ended: they were put for what turned out to be the provider's.
        released: usize,
    },
    /// One request finds out whether the provider serves again.
    BreakerProbing {
        /// The quota bucket; `None` is the whole provider.
        bucket: Option<BucketName>,
    },
    /// The provider serves again, or nobody asked for so long that it is forgotten.
    BreakerClosed {
        /// The quota bucket; `None` is the whole provider.
        bucket: Option<BucketName>,
        /// How long it stood.
        after: Duration,
    },
    /// A lease was never settled and counts as lost.
    LeaseExpired {
        /// The lease.
        lease: LeaseId,
        /// Its key.
        id: KeyId,
        /// What operators call the key.
        label: Arc<str>,
        /// How long it was held.
        held: Duration,
    },
    /// There were too many bindings, or too much to keep for them; the oldest are forgotten.
    BindingsEvicted {
        /// How many, since the last such event.
        count: usize,
    },
    /// Events were not drained in time and the oldest are gone.
    Dropped {
        /// How many.
        count: u64,
    },
}

/// The events not drained yet; bounded, the oldest go first and are counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    waiting: VecDeque<PoolEvent>,
    dropped: u64,
}

impl Events {
    const MOST: usize = 1024;

    pub(crate) fn push(&mut self, event: PoolEvent) {
        if self.waiting.len() == Self::MOST {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(event);
    }

    pub(crate) fn drain(&mut self) -> Vec<PoolEvent> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let dropped = std::mem::take(&mut self.dropped);
        let gap = (dropped > 0).then_some(PoolEvent::Dropped { count: dropped });
        gap.into_iter().chain(self.waiting.drain(..)).collect()
    }
}
