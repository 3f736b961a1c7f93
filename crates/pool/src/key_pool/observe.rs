//! Looking at the pool: how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{BucketName, Fault, Metric, Moment, Spend};

use super::{KeyPool, wish};
use crate::affinity::Affinity;
use crate::cooldown::Rest;
use crate::group::{Group, Use};
use crate::roster::Owner;
use crate::standing::{Block, Part, Wish};
use crate::{BucketBudgets, KeyCounts, KeyReason, KeySnapshot, KeyState, PoolSnapshot, RestingPart};

/// What keeps a key from all it is in use for.
struct Outage {
    state: KeyState,
    reason: KeyReason,
    since: Moment,
    remaining: Duration,
}

impl KeyPool {
    pub(super) fn observe(&self, now: Moment) -> PoolSnapshot {
        // Once for each group: it may have thousands of keys.
        let groups = 0..self.roster.groups.len();
        let budgets: Vec<Arc<[BucketBudgets]>> =
            groups.map(|group| self.budgets_of(group, now).into()).collect();
        let keys = 0..self.roster.in_use();
        let keys = keys.map(|index| {
            let budgets = Arc::clone(&budgets[self.roster.keys[index].group]);
            self.observe_key(index, budgets, now)
        });
        let keys: Vec<KeySnapshot> = keys.collect();
        PoolSnapshot {
            counts: count(&keys),
            keys,
            current_index: self.current.filter(|key| *key < self.roster.in_use()),
            groups: self.roster.groups_in_use(),
            draining: self.roster.draining(),
            ledger: self.ledger,
            breakers: self.breaker.observe(now),
            waiting: self.queue.len(),
            bindings: self.affinity.len(),
            most_bindings: Affinity::MOST,
            warnings: self.warnings(),
        }
    }

    fn observe_key(&self, index: usize, budgets: Arc<[BucketBudgets]>, now: Moment) -> KeySnapshot {
        let key = &self.roster.keys[index];
        let group = self.roster.group_of(index);
        let outage = self.outage(index, now);
        let state = outage.as_ref().map_or(KeyState::Available, |outage| outage.state);
        let cooldown_remaining = outage.as_ref().map_or(Duration::ZERO, |outage| outage.remaining);
        let (failed_at, reason) = outage.map(|outage| (outage.since.wall, outage.reason)).unzip();
        KeySnapshot {
            index,
            key: key.secret.clone(),
            id: key.id().clone(),
            label: key.label.clone(),
            group: group.id.clone(),
            reported_group: key.project.as_ref().or(group.project.as_ref()).cloned(),
            tier: group.tier,
            stated_limits: group.limits.observe(now.wall, |bucket, metric| {
                self.configured_allowance(key.group, bucket).limit(metric)
            }),
            role: key.role,
            weight: key.weight,
            health: self.health.points(index, now),
            state,
            reason,
            failed_at,
            cooldown_remaining,
            probing: self.observe_probing(index),
            resting: self.resting_parts(index, now),
            budgets,
            in_flight: key.counts.in_flight,
            attempts: key.counts.attempts,
            served: key.counts.served,
            failed: key.counts.failed,
            refused: key.counts.refused,
            lost: key.counts.lost,
            unsent: key.counts.unsent,
        }
    }

    /// Whether a key can be used, in one word.
    pub(super) fn state_of(&self, index: usize) -> KeyState {
        self.outage(index, self.now).map_or(KeyState::Available, |outage| outage.state)
    }

    /// A key is out when it or its group is out as a whole, or when everything its group was
    /// used for in the last hour rests (product §6). What is not in use rests unnoticed.
    fn outage(&self, index: usize, now: Moment) -> Option<Outage> {
        let whole = Wish { operation: None, bucket: None, opens_session: false, spend: Spend::default() };
        if let Some(obstacle) = self.roster.obstacle(index, &whole, now) {
            return Some(outage_of(obstacle.block, now));
        }
        let group = self.roster.group_of(index);
        let is_open = |one: &Use| self.roster.is_usable(index, &self.wish_of(one), now);
        if group.uses.iter().any(|one| one.at.until(now) <= Group::USE_COUNTS_FOR && is_open(one)) {
            return None;
        }
        let in_use = group.uses.iter().map(|one| self.wish_of(one));
        // What rests for longer than an hour was not used for so long because it rests.
        let resting = group.standing.running(now).filter_map(|(part, _)| part.as_wish());
        let blocks = in_use.chain(resting).filter_map(|wish| self.roster.obstacle(index, &wish, now));
        let shortest = blocks
            .map(|obstacle| obstacle.block)
            .reduce(|one, other| if one.outlasts(&other) { other } else { one });
        shortest.map(|block| outage_of(block, now))
    }

    fn wish_of<'a>(&'a self, one: &'a Use) -> Wish<'a> {
        wish(&self.buckets, one.model.as_ref(), one.operation, one.opens_session, Spend::default())
    }

    fn resting_parts(&self, index: usize, now: Moment) -> Vec<RestingPart> {
        let owners = [Owner::Key(index), Owner::Group(self.roster.keys[index].group)];
        let running = owners.into_iter().flat_map(|owner| self.roster.standing(owner).running(now));
        // What a provider said comes before what was only counted.
        let (counted, said): (Vec<_>, Vec<_>) =
            running.partition(|(part, _)| matches!(part, Part::Budget(..)));
        said.into_iter().chain(counted).map(|(part, rest)| resting_part(part, rest)).collect()
    }
}

fn resting_part(part: &Part, rest: &Rest) -> RestingPart {
    let (bucket, operation): (Option<BucketName>, _) = match part {
        Part::Whole | Part::Sessions => (None, None),
        Part::Operation(operation) => (None, Some(operation.clone())),
        Part::Bucket(bucket, _) | Part::Budget(bucket, _) => (Some(bucket.clone()), None),
    };
    RestingPart {
        bucket,
        operation,
        sessions: *part == Part::Sessions,
        metric: part.metric(),
        fault: rest.fault,
        until: rest.until,
        reason: rest.reason.clone(),
    }
}

fn outage_of(block: Block<'_>, now: Moment) -> Outage {
    match block {
        Block::Disabled(disabled) => Outage {
            state: KeyState::Disabled,
            reason: KeyReason { fault: disabled.fault, metric: None, text: disabled.reason.clone() },
            since: disabled.since,
            remaining: Duration::ZERO,
        },
        Block::Spent(stop) => Outage {
            state: if stop.fault() == Fault::QuotaExhausted {
                KeyState::Exhausted
            } else {
                KeyState::CoolingDown
            },
            reason: KeyReason {
                fault: Some(stop.fault()),
                metric: Some(stop.metric),
                text: stop.reason().into(),
            },
            since: now,
            remaining: now.until(stop.until),
        },
        Block::Resting(part, rest) => Outage {
            state: if rest.fault == Fault::QuotaExhausted {
                KeyState::Exhausted
            } else {
                KeyState::CoolingDown
            },
            reason: KeyReason {
                fault: Some(rest.fault),
                metric: Some(part.metric()).filter(|metric| *metric != Metric::Unnamed),
                text: rest.reason.clone(),
            },
            since: rest.since,
            remaining: now.until(rest.until),
        },
    }
}

fn count(keys: &[KeySnapshot]) -> KeyCounts {
    let states = keys.iter().fold(BTreeMap::<&str, usize>::new(), |mut counts, key| {
        *counts.entry(key.state.as_str()).or_default() += 1;
        counts
    });
    let of = |state: KeyState| states.get(state.as_str()).copied().unwrap_or_default();
    KeyCounts {
        total: keys.len(),
        available: of(KeyState::Available),
        cooling_down: of(KeyState::CoolingDown),
        exhausted: of(KeyState::Exhausted),
        disabled: of(KeyState::Disabled),
    }
}
