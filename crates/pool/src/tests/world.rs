//! A pool with a clock that only moves when told.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{
    Access, Allowance, ApiKey, BucketName, Failure, Fault, GroupId, Hint, KeyId, KeySpec, Metric, ModelName,
    Moment, Operation, Role, Spend, UserId, Verdict,
};

use crate::{
    Ask, Granted, KeyPool, KeyState, Lease, Policy, PoolEvent, PoolRefusal, Settled, Strategy, Tried,
    TriedHow,
};

pub(crate) const GENERATE: Operation = Operation("generate_content");
pub(crate) const LIST: Operation = Operation("list_models");
pub(crate) const START: Operation = Operation("start_session");

pub(crate) struct World {
    pub(crate) pool: KeyPool,
    pub(crate) now: Moment,
}

/// Noon in UTC, five in the morning in California.
pub(crate) fn start() -> Moment {
    Moment { mono: Duration::from_secs(1000), wall: "2026-07-01T12:00:00Z".parse().unwrap() }
}

pub(crate) fn spec(label: &str, group: Option<&str>) -> KeySpec {
    KeySpec {
        secret: ApiKey::new(format!("secret of {label}")),
        label: label.to_owned(),
        group: group.map(GroupId::from),
        weight: 1,
        role: Role::Primary,
        allowance: Allowance::default(),
    }
}

pub(crate) fn id(label: &str) -> KeyId {
    spec(label, None).secret.id().clone()
}

pub(crate) fn ask(model: &str) -> Ask {
    Ask {
        operation: GENERATE,
        model: Some(ModelName::from(model)),
        opens_session: false,
        references: Vec::new(),
        client: "app".into(),
        user: user("ada"),
        access: Access::Token,
        tried: Vec::new(),
        estimate: Spend::default(),
        patience: Duration::ZERO,
        hold: Duration::from_mins(5),
    }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId { client: "app".into(), name: name.into() }
}

pub(crate) fn listing() -> Ask {
    Ask { operation: LIST, model: None, ..ask("any") }
}

pub(crate) fn session() -> Ask {
    Ask { operation: START, model: None, opens_session: true, ..ask("any") }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn served() -> Verdict {
    Verdict::Served(Spend::default())
}

pub(crate) fn failed(fault: Fault) -> Verdict {
    Verdict::Failed(Failure::of(fault))
}

pub(crate) fn failed_for(fault: Fault, rest: u64) -> Verdict {
    let hint = Hint { retry_after: Some(seconds(rest)), ..Hint::default() };
    Verdict::Failed(Failure::of(fault).hinting(hint))
}

impl World {
    /// A pool of keys, each label with its group; `""` declares none.
    pub(crate) fn of(keys: &[(&str, &str)]) -> Self {
        let specs =
            keys.iter().map(|(label, group)| spec(label, Some(*group).filter(|group| !group.is_empty())));
        Self::with(specs.collect(), Strategy::RoundRobin)
    }

    pub(crate) fn with(keys: Vec<KeySpec>, strategy: Strategy) -> Self {
        let policy = Policy { strategy, ..Policy::default() };
        Self { pool: KeyPool::new(1, keys, policy, 42, start()), now: start() }
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    pub(crate) fn lease(&mut self, ask: &Ask) -> Lease {
        match self.pool.lease(ask, self.now) {
            Ok(Granted::Lease(lease)) => lease,
            other => panic!("no lease: {other:?}"),
        }
    }

    pub(crate) fn refused(&mut self, ask: &Ask) -> PoolRefusal {
        self.pool.lease(ask, self.now).expect_err("a refusal")
    }

    /// The wait that a refusal promises, in seconds.
    pub(crate) fn wait(&mut self, ask: &Ask) -> f64 {
        let refusal = self.refused(ask);
        let PoolRefusal::Resting { retry_after, .. } = refusal else { panic!("no rest: {refusal:?}") };
        retry_after.as_secs_f64()
    }

    pub(crate) fn settle(&mut self, lease: &Lease, verdict: Verdict) -> Settled {
        self.pool.settle(lease.id, verdict, self.now)
    }

    /// Leases a key and settles it; the key's label.
    pub(crate) fn use_once(&mut self, ask: &Ask, verdict: Verdict) -> String {
        let lease = self.lease(ask);
        self.settle(&lease, verdict);
        lease.label.to_string()
    }

    /// The labels that serve the next `count` asks.
    pub(crate) fn serve(&mut self, ask: &Ask, count: usize) -> Vec<String> {
        (0..count).map(|_| self.use_once(ask, served())).collect()
    }

    /// Uses up everybody's turn until it is `label`'s, whose attempt ends with `verdict`.
    pub(crate) fn hit(&mut self, label: &str, ask: &Ask, verdict: Verdict) -> Settled {
        for _ in 0..100 {
            let lease = self.lease(ask);
            if &*lease.label == label {
                return self.settle(&lease, verdict);
            }
            self.settle(&lease, Verdict::Unsent);
        }
        panic!("{label} never had a turn");
    }

    pub(crate) fn states(&self) -> Vec<KeyState> {
        self.pool.snapshot(self.now).keys.iter().map(|key| key.state).collect()
    }

    pub(crate) fn events(&mut self) -> Vec<PoolEvent> {
        self.pool.drain_events()
    }

    pub(crate) fn tried(&self, lease: &Lease, how: TriedHow) -> Tried {
        Tried { key: lease.key.id().clone(), group: lease.group.clone(), at: self.now, how }
    }
}

pub(crate) fn wall(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn per_day(bucket: Option<&str>) -> Hint {
    Hint {
        retry_after: Some(seconds(1)),
        resets: Some(keygate_domain::Reset::Midnight("America/Los_Angeles")),
        metric: Metric::RequestsPerDay,
        bucket: bucket.map(BucketName::from),
        ..Hint::default()
    }
}
