//! When a disabled key is asked after, with the provider's free call.
//!
//! One call at a time, never more than so many in an hour, and each key after ever longer waits.
//! Knows keys by id and no standing of theirs; what an answer does to a key is in `key_pool/probe.rs`.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{ApiKey, Fault, KeyId, Moment, Verdict};
use serde::{Deserialize, Serialize};

use crate::cooldown::{Jitter, doubled};

/// How disabled keys are asked after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbePolicy {
    /// Whether they are at all.
    pub is_enabled: bool,
    /// How long a key is out before its first probe; 10 min. Doubles with every probe that is refused.
    pub every: Duration,
    /// The longest wait between two probes of a key; 6 h.
    pub at_most: Duration,
    /// Most probes of all keys in an hour, evenly spread; 60.
    pub per_hour: u32,
}

impl Default for ProbePolicy {
    fn default() -> Self {
        Self {
            is_enabled: true,
            every: Duration::from_mins(10),
            at_most: Duration::from_hours(6),
            per_hour: 60,
        }
    }
}

impl ProbePolicy {
    /// The wait after so many refusals.
    fn wait(&self, level: u32) -> Duration {
        doubled(self.every, level).min(self.at_most.max(self.every))
    }

    /// The longest that [`Probing::wait`] makes of it.
    pub(crate) fn longest_wait(&self, level: u32) -> Duration {
        let wait = self.wait(level);
        wait.saturating_add(wait / 10)
    }

    /// The time between any two probes.
    fn spacing(&self) -> Duration {
        Duration::from_hours(1) / self.per_hour.max(1)
    }
}

/// A free call to be made with a disabled key. Tell the pool what became of it by
/// [`crate::KeyPool::probed`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Which probe.
    pub id: ProbeId,
    /// The key to make it with; prints `***`.
    pub key: ApiKey,
}

/// One probe of one life of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeId {
    pub(crate) life: u64,
    pub(crate) number: u64,
}

/// How a key was asked after since a fault disabled it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProbingSnapshot {
    /// Probes sent.
    pub probes: u64,
    /// When the last one was sent.
    pub last_at: Option<Moment>,
    /// When the next one is due; `None` if there will be none, or one is under way.
    pub next_at: Option<Moment>,
}

/// What the answer to a probe says of its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Finding {
    /// The provider takes it.
    Works,
    /// The provider refuses it: the key, its project, or its right to this very call.
    Refused(Fault, &'static str),
    /// Nothing: the provider could not be reached, is in trouble or turns everybody away for a while.
    Unclear {
        /// The fault met, if an answer or a connection told one.
        fault: Option<Fault>,
        /// The provider's own wait.
        wait: Duration,
    },
}

impl Finding {
    pub(crate) fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Served(_) => Self::Works,
            Verdict::Abandoned | Verdict::Unsent => Self::Unclear { fault: None, wait: Duration::ZERO },
            Verdict::Failed(failure) => match failure.fault {
                Fault::KeyInvalid | Fault::KeyForbidden | Fault::GroupBlocked => {
                    Self::Refused(failure.fault, failure.hint.reason)
                }
                Fault::RateLimited
                | Fault::QuotaExhausted
                | Fault::Busy
                | Fault::Overloaded
                | Fault::ServerError
                | Fault::Timeout
                | Fault::Unreachable
                | Fault::AffinityLost
                | Fault::Caller
                | Fault::Poison => Self::Unclear {
                    fault: Some(failure.fault),
                    wait: failure.hint.retry_after.unwrap_or_default(),
                },
            },
        }
    }
}

/// What is remembered of a key's probes: from the fault that disabled it until it serves again, so
/// that one which only the free call finds good does not begin with short waits each time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Turns {
    /// How often the wait was doubled.
    pub(crate) level: u32,
    pub(crate) sent: u64,
    pub(crate) last_at: Option<Moment>,
    /// `None` while none is planned: the key is not out, or its probe is under way.
    pub(crate) next_at: Option<Moment>,
}

/// The same on the wall clock.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SavedTurns {
    level: u32,
    sent: u64,
    last_at: Option<Timestamp>,
    next_at: Option<Timestamp>,
}

impl Turns {
    pub(crate) fn save(&self) -> SavedTurns {
        let Self { level, sent, last_at, next_at } = *self;
        let wall = |at: Moment| at.wall;
        SavedTurns { level, sent, last_at: last_at.map(wall), next_at: next_at.map(wall) }
    }

    /// `at` finds the moment of a time on the wall clock.
    pub(crate) fn read(saved: &SavedTurns, at: impl Fn(Timestamp) -> Moment) -> Self {
        let SavedTurns { level, sent, last_at, next_at } = saved;
        Self { level: *level, sent: *sent, last_at: last_at.map(&at), next_at: next_at.map(&at) }
    }
}

/// A probe that has no answer yet.
#[derive(Clone, Debug)]
pub(crate) struct UnderWay {
    number: u64,
    pub(crate) key: KeyId,
    /// Since when the key was disabled: an answer concerns this outage and no other.
    pub(crate) disabled_since: Moment,
    answer_by: Moment,
}

/// Which key is asked after when.
#[derive(Clone, Debug)]
pub(crate) struct Probing {
    /// One of its own: nothing else in the pool depends on when keys are asked after.
    jitter: Jitter,
    dues: BTreeSet<(Moment, KeyId)>,
    under_way: Option<UnderWay>,
    /// Begun, and not yet fetched by who sends it.
    ready: Option<Probe>,
    not_before: Moment,
    last_number: u64,
}

impl Probing {
    /// How long an answer is waited for. A sender gives up long before; this is for one that is gone.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

    /// Nothing is planned yet, and nothing is sent at once: a process that is restarted again and
    /// again must not ask more often than one that stays.
    pub(crate) fn new(seed: u64, policy: &ProbePolicy, now: Moment) -> Self {
        Self {
            jitter: Jitter::new(seed.rotate_left(17)),
            dues: BTreeSet::new(),
            under_way: None,
            ready: None,
            not_before: now.after(policy.spacing()),
            last_number: 0,
        }
    }

    /// When something has to be done next: a probe to begin, or one to be given up.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        match &self.under_way {
            Some(probe) => Some(probe.answer_by),
            None => self.dues.first().map(|(due, _)| (*due).max(self.not_before)),
        }
    }

    /// When a probe that is planned for `next_at` can be sent.
    pub(crate) fn earliest(&self, next_at: Moment) -> Moment {
        next_at.max(self.not_before)
    }

    /// The wait after so many refusals, with jitter. Never less than `at_least`.
    pub(crate) fn wait(&mut self, policy: &ProbePolicy, level: u32, at_least: Duration) -> Duration {
        let wait = policy.wait(level).max(at_least.min(policy.at_most));
        wait.saturating_add(self.jitter.part_of(wait))
    }

    /// Any part of the first wait, for what fell due while nobody could ask.
    pub(crate) fn part_of_first_wait(&mut self, policy: &ProbePolicy) -> Duration {
        policy.every.mul_f64(self.jitter.fraction())
    }

    pub(crate) fn plan(&mut self, key: &KeyId, due: Moment) {
        self.dues.insert((due, key.clone()));
    }

    pub(crate) fn strike(&mut self, key: &KeyId, due: Moment) {
        self.dues.remove(&(due, key.clone()));
    }

    pub(crate) fn strike_all(&mut self) {
        self.dues.clear();
    }

    /// Takes the key that waits longest off the plan.
    pub(crate) fn pop(&mut self) -> Option<KeyId> {
        self.dues.pop_first().map(|(_, key)| key)
    }

    /// Begins a probe: from here on there is no other.
    pub(crate) fn begin(
        &mut self,
        life: u64,
        key: ApiKey,
        disabled_since: Moment,
        policy: &ProbePolicy,
        now: Moment,
    ) {
        self.last_number += 1;
        let (number, id) = (self.last_number, key.id().clone());
        self.under_way =
            Some(UnderWay { number, key: id, disabled_since, answer_by: now.after(Self::PATIENCE) });
        self.ready = Some(Probe { id: ProbeId { life, number }, key });
        self.not_before = now.after(policy.spacing());
    }

    /// Hands the probe that was begun to who sends it.
    pub(crate) fn take_ready(&mut self, policy: &ProbePolicy, now: Moment) -> Option<Probe> {
        let probe = self.ready.take()?;
        self.not_before = now.after(policy.spacing());
        if let Some(under_way) = &mut self.under_way {
            under_way.answer_by = now.after(Self::PATIENCE);
        }
        Some(probe)
    }

    /// Ends the probe of this number; `None` if that is not the one under way.
    pub(crate) fn end(&mut self, number: u64) -> Option<UnderWay> {
        let ended = self.under_way.take_if(|probe| probe.number == number);
        self.forget_ready(ended)
    }

    /// Gives up a probe that has no answer, if it is time.
    pub(crate) fn give_up(&mut self, now: Moment) -> Option<UnderWay> {
        let silent = self.under_way.take_if(|probe| probe.answer_by <= now);
        self.forget_ready(silent)
    }

    /// What is over needs not be sent any more.
    fn forget_ready(&mut self, ended: Option<UnderWay>) -> Option<UnderWay> {
        if ended.is_some() {
            self.ready = None;
        }
        ended
    }

    /// Whether the probe under way is for this outage of `key`.
    pub(crate) fn is_under_way(&self, key: &KeyId, disabled_since: Moment) -> bool {
        let probe = self.under_way.as_ref();
        probe.is_some_and(|probe| probe.key == *key && probe.disabled_since == disabled_since)
    }

    /// What is planned.
    #[cfg(test)]
    pub(crate) fn planned(&self) -> &BTreeSet<(Moment, KeyId)> {
        &self.dues
    }
}
