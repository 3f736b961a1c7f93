//! An explanation as operators read it.

use std::borrow::Cow;
use std::sync::Arc;

use keygate_domain::{
    BucketName, Fault, GroupId, KeyId, Metric, ModelName, Moment, Operation, ProviderName, Role, Scope,
    UserId,
};
use keygate_limits::UserStanding;
use keygate_pool::{Decision, KeyDecision, KeyState, PoolRefusal, QueueFacts, Skip, Strategy, Wait};
use serde::Serialize;

use crate::pool_status::{BreakerStatus, BudgetStatus, ceiled};

/// What was asked about.
pub(crate) struct Asked {
    pub(crate) provider: ProviderName,
    pub(crate) operation: Operation,
    pub(crate) model: Option<ModelName>,
}

/// What the pool would answer, and why, key by key.
#[derive(Serialize)]
pub(crate) struct Explained {
    provider: &'static str,
    operation: Operation,
    model: Option<ModelName>,
    /// What it counts in at the provider.
    bucket: BucketName,
    at: String,
    strategy: Strategy,
    answer: AnswerTold,
    /// How the user stands with the limiter, which is asked before the pool.
    user: Option<UserTold>,
    queue: QueueTold,
    breakers: Vec<BreakerStatus>,
    total_keys: usize,
    usable_keys: usize,
    keys: Vec<KeyTold>,
}

/// What a request would get of the pool now.
#[derive(Serialize)]
struct AnswerTold {
    /// `key`, `wait` or `refused`.
    outcome: &'static str,
    /// The same as a sentence.
    text: String,
    /// The key that it would get.
    key: Option<KeyId>,
    /// What stands in the way: `resting`, `breaker_open`, `disabled`.
    refusal: Option<&'static str>,
    fault: Option<Fault>,
    /// When there is a key, if nothing else happens.
    free_at: Option<String>,
    /// The same in seconds.
    retry_after: Option<u64>,
    /// When a request that waits is refused.
    waits_until: Option<String>,
}

/// How a user stands with the limiter.
#[derive(Serialize)]
pub(crate) struct UserTold {
    user: Arc<str>,
    client: String,
    /// Whether a request would pass.
    is_admitted: bool,
    /// Why not: `window`, `burst`, `concurrent`.
    why: Option<&'static str>,
    retry_after: Option<u64>,
    limit: u32,
    remaining: u32,
    resets_in: u64,
    running: u32,
    max_concurrent: u32,
}

#[derive(Serialize)]
struct QueueTold {
    waiting: usize,
    ahead: usize,
    of_user: usize,
    max_waiting: usize,
    max_wait_ms: u64,
}

#[derive(Serialize)]
struct KeyTold {
    index: usize,
    id: KeyId,
    label: Arc<str>,
    group: GroupId,
    state: KeyState,
    is_usable: bool,
    /// Its place in the order of turns, from 1.
    turn: Option<usize>,
    /// Why it cannot be used; `null` when it can.
    reason: Option<ReasonTold>,
    role: Role,
    weight: u32,
    health: u8,
    in_flight: u64,
    budgets: Vec<BudgetStatus>,
}

#[derive(Serialize)]
struct ReasonTold {
    /// `resting`, `over_budget`, `disabled`, `not_owner`.
    kind: &'static str,
    /// The same in words.
    text: Cow<'static, str>,
    /// What is out: the key, its group, or a part of it.
    scope: Option<Scope>,
    metric: Option<Metric>,
    fault: Option<Fault>,
    until: Option<String>,
    remaining: Option<u64>,
}

impl Explained {
    pub(crate) fn of(asked: Asked, decision: Decision, user: Option<UserTold>) -> Self {
        let answer = AnswerTold::of(&decision);
        let Decision { at: now, bucket, strategy, queue, breakers, keys, .. } = decision;
        Self {
            provider: asked.provider.as_str(),
            operation: asked.operation,
            model: asked.model,
            at: now.wall.to_string(),
            strategy,
            answer,
            user,
            queue: QueueTold::of(queue),
            breakers: breakers.into_iter().map(|breaker| BreakerStatus::of(breaker, now)).collect(),
            total_keys: keys.len(),
            usable_keys: keys.iter().filter(|key| key.is_usable()).count(),
            keys: keys.into_iter().map(|key| KeyTold::of(key, &bucket, now)).collect(),
            bucket,
        }
    }
}

impl AnswerTold {
    fn of(decision: &Decision) -> Self {
        match (&decision.answer, decision.wait) {
            (Ok(key), _) => Self {
                outcome: "key",
                text: chosen(decision, key.as_ref()),
                key: key.clone(),
                refusal: None,
                fault: None,
                free_at: None,
                retry_after: None,
                waits_until: None,
            },
            (Err(refusal), wait) => Self::without_key(refusal, wait, decision.at),
        }
    }

    fn without_key(refusal: &PoolRefusal, wait: Option<Wait>, now: Moment) -> Self {
        let retry_after = refusal.retry_after();
        Self {
            outcome: if wait.is_some() { "wait" } else { "refused" },
            text: in_the_way(refusal).to_owned(),
            key: None,
            refusal: Some(refusal.as_str()),
            fault: refusal.fault(),
            free_at: retry_after.map(|span| now.after(span).wall.to_string()),
            retry_after: retry_after.map(ceiled),
            waits_until: wait.map(|wait| wait.until.wall.to_string()),
        }
    }
}

/// Why it is this key's turn.
fn chosen(decision: &Decision, id: Option<&KeyId>) -> String {
    let Some(key) = id.and_then(|id| decision.keys.iter().find(|key| key.id == *id)) else {
        return "needs no key".to_owned();
    };
    let usable = decision.keys.iter().filter(|key| key.is_usable()).count();
    let of_usable = format!("of {usable} usable {}", if usable == 1 { "key" } else { "keys" });
    match decision.strategy {
        Strategy::RoundRobin => format!("the next in the round {of_usable}"),
        Strategy::Weighted => format!("its turn by weight, {of_usable}"),
        Strategy::PrimaryBackup if key.role == Role::Primary => format!("the first primary {of_usable}"),
        Strategy::PrimaryBackup => format!("the first backup {of_usable}, none of which is a primary"),
        Strategy::LeastRecentlyUsed => format!("the one leased longest ago {of_usable}"),
        Strategy::Health => format!("drawn by health, {of_usable}"),
        Strategy::Headroom => format!("its group has the most of its budget left, {of_usable}"),
    }
}

fn in_the_way(refusal: &PoolRefusal) -> &'static str {
    match refusal {
        PoolRefusal::Resting { .. } => "no key can be used at the moment",
        PoolRefusal::BreakerOpen { .. } => {
            "the provider itself is in trouble: nobody is sent there for a while, whatever key is free"
        }
        PoolRefusal::Disabled { .. } => "no key can be used, and no time cures that",
        PoolRefusal::Conflict { .. } => "what the request names belongs to different groups",
        PoolRefusal::Undecided => "several groups could serve it, and none is named",
        PoolRefusal::Unknown { .. } => "what the request names is not known here",
        PoolRefusal::Foreign { .. } => "what the request names belongs to another client",
        PoolRefusal::NothingLeft => "every usable key was tried",
    }
}

impl UserTold {
    pub(crate) fn of(user: &UserId, standing: &UserStanding) -> Self {
        Self {
            user: Arc::clone(&user.name),
            client: user.client.to_string(),
            is_admitted: standing.turned_away.is_none(),
            why: standing.turned_away.map(|away| away.why.as_str()),
            retry_after: standing.turned_away.map(|away| ceiled(away.retry_after)),
            limit: standing.limit,
            remaining: standing.remaining(),
            resets_in: ceiled(standing.window_resets_in),
            running: standing.in_flight,
            max_concurrent: standing.max_concurrent,
        }
    }
}

impl QueueTold {
    fn of(facts: QueueFacts) -> Self {
        let QueueFacts { waiting, ahead, of_user, bounds } = facts;
        let max_wait_ms = u64::try_from(bounds.max_wait.as_millis()).unwrap_or(u64::MAX);
        Self { waiting, ahead, of_user, max_waiting: bounds.max_waiting, max_wait_ms }
    }
}

impl KeyTold {
    fn of(key: KeyDecision, bucket: &BucketName, now: Moment) -> Self {
        Self {
            index: key.index,
            is_usable: key.is_usable(),
            state: key.state,
            turn: key.turn,
            reason: key.skip.map(|skip| ReasonTold::of(&skip, key.reason, now)),
            role: key.role,
            weight: key.weight,
            health: key.health,
            in_flight: key.in_flight,
            budgets: key.budgets.iter().map(|one| BudgetStatus::of(bucket, one)).collect(),
            id: key.id,
            label: key.label,
            group: key.group,
        }
    }
}

impl ReasonTold {
    fn of(skip: &Skip, text: Option<Cow<'static, str>>, now: Moment) -> Self {
        let (scope, metric, fault) = match *skip {
            Skip::Resting { scope, metric, fault, .. } => (Some(scope), Some(metric), Some(fault)),
            Skip::OverBudget { metric, .. } => (Some(Scope::GroupBucket), Some(metric), None),
            Skip::Disabled { fault } => (None, None, fault),
            Skip::Refused | Skip::Failed | Skip::NotOwner => (None, None, None),
        };
        let until = skip.until();
        Self {
            kind: skip.as_str(),
            text: text.filter(|text| !text.is_empty()).unwrap_or_else(|| in_words(skip, fault).into()),
            scope,
            metric: metric.filter(|metric| *metric != Metric::Unnamed),
            fault,
            until: until.map(|at| at.wall.to_string()),
            remaining: until.map(|at| ceiled(now.until(at))),
        }
    }
}

fn in_words(skip: &Skip, fault: Option<Fault>) -> &'static str {
    match skip {
        Skip::Resting { .. } => fault.map_or("it rests", Fault::sentence),
        Skip::OverBudget { .. } => "a budget is used",
        Skip::Disabled { .. } => "it is disabled",
        Skip::Refused => "it was refused in this request",
        Skip::Failed => "it failed in this request: others come first",
        Skip::NotOwner => "what the request names belongs to another group",
    }
}
